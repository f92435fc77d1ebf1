"""`/setup` by two managers in the same instant: what each changed stays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engine.commands import MonthRule, Protections
from tests.bot.features.conftest import Stage


class Stale:
    """Lets whoever reads next get what held at the beginning, as if it had read before others wrote."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch, self.begun = monkeypatch, False

    async def keep(self, owner: Any, name: str, key: Any) -> None:
        """Keep what a method returns now for its next caller after `begun`."""
        read: Callable[[Any], Awaitable[Any]] = getattr(owner, name)
        kept = [await read(key)]

        async def reads(key: Any) -> Any:
            return kept.pop() if kept and self.begun else await read(key)

        self._patch.setattr(owner, name, reads)


async def test_two_managers_change_different_options_at_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Roles, limits, budgets, protections and waits of both hold, whoever wrote last."""
    await stage.boss.slash(stage.lobby, "setup", start=stage.role)
    space = f"guild:{stage.guild.id}"
    stale = Stale(monkeypatch)
    for name in ("month_rule", "protections", "gate_rules"):
        await stale.keep(stage.engine.look, name, space)
    await stale.keep(stage.records, "rules", stage.guild.id)
    one = {"approve": stage.role, "running": 3, "month_dollars": 5.0, "ask_run": True, "answer_hours": 4}
    other: dict[str, Any] = {"spend": stage.role, "starts": 7, "month_tokens": 900, "zone": "Europe/Berlin"}
    other |= {"ask_finish": True, "unanswered": "plan:approve"}
    await stage.boss.slash(stage.lobby, "setup", **one)
    stale.begun = True
    await stage.boss.slash(stage.lobby, "setup", **other)
    rules = await stage.records.rules(stage.guild.id)
    mine = frozenset({stage.role.id})
    assert (rules.start, rules.steer, rules.approve, rules.spend) == (mine, frozenset(), mine, mine)
    assert (rules.quota.running, rules.quota.starts) == (3, 7)
    look = stage.engine.look
    assert await look.month_rule(space) == MonthRule("Europe/Berlin", 5_000_000, 900)
    assert await look.protections(space) == Protections(run=True, finish=True)
    plan = (await look.gate_rules(space))["plan"]
    assert (plan.wait_s, plan.default) == (4 * 3_600, "approve")


async def test_a_deleted_role_takes_only_its_own_rights_away(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manager who changes another right at that instant keeps it."""
    await stage.boss.slash(stage.lobby, "setup", start=stage.role)
    before = await stage.records.rules(stage.guild.id)
    await stage.boss.slash(stage.lobby, "setup", alerts=stage.lobby, dollars=2.5)

    async def stale(_: int) -> Any:
        return before

    with monkeypatch.context() as patch:
        patch.setattr(stage.records, "rules", stale)
        cog = next(c for c in stage.env.bot.cogs.values() if hasattr(c, "on_guild_role_delete"))
        await cog.on_guild_role_delete(stage.env.bot.get_guild(stage.guild.id).get_role(stage.role.id))
    rules = await stage.records.rules(stage.guild.id)
    assert rules.start == frozenset()
    assert (rules.alerts_id, rules.quota.cost_micros) == (stage.lobby.id, 2_500_000)


async def test_an_option_that_says_nothing_alone_is_refused(stage: Stage) -> None:
    """For which questions hours are, without the hours: nothing is set, and that is said."""
    refused = await stage.boss.slash(stage.lobby, "setup", start=stage.role, answer_for="plan")
    assert "Nothing was changed" in refused.response.content and "answer_hours" in refused.response.content
    assert not (await stage.records.rules(stage.guild.id)).configured
