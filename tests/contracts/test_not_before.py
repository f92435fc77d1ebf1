"""What happens when it is due does not happen a moment earlier, whoever's the task is."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from bot import texts
from bot.discord.models import Models
from bot.features.repeats.start_authorization import StartAuthorization
from bot.outbox.ledger import Ledger
from bot.storage.guild_settings import BotRecords
from bot.storage.tables import deliveries
from engine import Engine
from engine.commands import AnswerGate, Limits
from engine.domain.snapshot import WatchOptions
from engine.monitoring.sweep import find_problems
from engine.runtime.worker import run_worker
from engine.store.core import AGENTS, BUDGETS, GATES, MESSAGES, REPEATS, TASKS
from tests.contracts.test_isolation import Lab, alone, lab, value
from tests.fakes.bystanders import NOW
from tests.fakes.inline_database import InlineDatabase

__all__ = ["alone", "lab"]


async def sweep_at(lab: Lab, at: float) -> None:
    """Do what is due at this time."""
    lab.clock.at = at
    try:
        await lab.engine().sweep()
    finally:
        lab.clock.at = NOW


async def test_a_plan_waits_for_people_until_its_time_is_over(lab: Lab) -> None:
    """Open a second before; approved by the engine a second after, as its space wants it."""
    plan = lab.trio().subject.gates["plan"]
    for at, basis in ((NOW, None), (NOW + 299, None), (NOW + 301, "timeout")):
        await sweep_at(lab, at)
        assert value(lab.store.connection, GATES.c.basis, id=plan) == basis


async def test_a_task_runs_until_its_minutes_are_over(lab: Lab) -> None:
    """Running a second before its deadline, paused a second after."""
    task = lab.trio().subject.task
    ends = value(lab.store.connection, TASKS.c.deadline_at, id=task)
    for at, state in ((ends - 1, "running"), (ends + 1, "paused")):
        await sweep_at(lab, at)
        assert value(lab.store.connection, TASKS.c.state, id=task) == state


async def test_a_part_works_until_its_minutes_are_over(lab: Lab) -> None:
    """Going on a second before, stopped a second after."""
    part = lab.trio().subject.budgets["part"]
    for at, frozen in ((NOW + 1_499, False), (NOW + 1_501, True)):
        await sweep_at(lab, at)
        assert bool(value(lab.store.connection, BUDGETS.c.frozen, id=part)) is frozen


async def test_a_repeat_starts_nothing_before_its_time(lab: Lab) -> None:
    """No run a second before, one at the second."""
    side = lab.trio().subject
    ended = sa.update(TASKS).where(TASKS.c.id == side.task).values(state="done")
    lab.store.write_now(lambda db: db.execute(ended))
    for at, runs in ((NOW + 599, 0), (NOW + 600, 1)):
        await sweep_at(lab, at)
        assert value(lab.store.connection, REPEATS.c.runs, id=side.repeat) == runs


@pytest.mark.parametrize("minutes", [47, 48])
async def test_the_warning_comes_at_80_percent(lab: Lab, minutes: int) -> None:
    """Of 60 minutes: nothing at 47, a warning at 48."""
    side = lab.trio().subject
    await sweep_at(lab, NOW - 600 + minutes * 60)
    own = value(lab.store.connection, BUDGETS.c.warned, id=side.budgets["own"])
    assert bool(own & 2) is (minutes == 48)


def test_silence_is_noticed_when_it_is_long_enough(alone: Lab) -> None:
    """Ada, idle with open work, was last active 400 s ago: 500 s are over 100 s later, not before."""
    side = alone.trio().subject
    read = sa.update(MESSAGES).where(MESSAGES.c.task_id == side.task).values(consumed_step=1)
    busy = sa.update(AGENTS).where(AGENTS.c.id == side.ada).values(active_at=NOW - 400)
    asked = sa.update(GATES).where(GATES.c.task_id == side.task).values(basis="resumed")
    alone.store.write_now(lambda db: [db.execute(one) for one in (read, busy, asked)])
    options = WatchOptions(silent_s=500, cooldown_s=1)

    def found(at: float) -> set[str]:
        return {each.rule for each in find_problems(alone.store.connection, side.task, at, options)}

    assert "silence" not in found(NOW + 99) and "silence" in found(NOW + 100)


async def test_half_more_at_a_cap_lengthens_the_deadline(lab: Lab) -> None:
    """It moves on by half of the minutes; it is not set to half of them from now."""
    side = lab.trio().subject
    ends = value(lab.store.connection, TASKS.c.deadline_at, id=side.task)
    await lab.engine().handle(AnswerGate(side.gates["cap"], "discord:2", "raise_half"))
    assert value(lab.store.connection, TASKS.c.deadline_at, id=side.task) == ends + 30 * 60


async def test_what_was_sent_is_kept_until_it_is_old_enough() -> None:
    """At the limit a message is still whole; older ones and only settled ones are emptied."""
    database = InlineDatabase()
    rows = ((1, "sent", 99.0), (2, "sent", 100.0), (3, "sent", 101.0), (4, "sending", 1.0))
    for number, state, at in rows:
        made = {"batch_id": number, "part": 0, "task_id": 1, "group_id": 1, "state": state}
        added = sa.insert(deliveries).values(**made, begun_at=at, wire={"text": "x"})
        await database.write(lambda c, a=added: c.execute(a))  # type: ignore[misc]
    assert await Ledger(database).prune(100.0) == 1
    kept = sa.select(deliveries.c.batch_id).where(deliveries.c.wire["text"].as_string() == "x")
    assert await database.read(lambda c: sorted(c.execute(kept).scalars())) == [2, 3, 4]
    await database.close()


# ---------------------------------------------------------------- bad luck


@dataclass
class _Stopping:
    """An engine that only notes how it was started and stopped."""

    heard: list[str] = field(default_factory=list)

    async def start(self) -> None:
        self.heard.append("start")

    async def stop(self, drain: bool = True) -> None:
        self.heard.append(f"stop, drain={drain}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_a_worker_end_its_steps(number: signal.Signals) -> None:
    """It runs until it is asked to stop, then drains."""
    engine = _Stopping()

    def ready() -> None:
        assert engine.heard == ["start"]
        os.kill(os.getpid(), number)

    await run_worker(cast(Engine, engine), ready)
    assert engine.heard == ["start", "stop, drain=True"]


@pytest.mark.parametrize(
    ("by", "space"),
    [("local:1", "guild:9"), ("discord:7", "guild:8"), ("discord:7", "elsewhere:9")],
    ids=["a maker who is nobody on Discord", "a server that the bot left", "no server"],
)
async def test_nobody_on_discord_starts_a_repeat(by: str, space: str) -> None:
    """Refused with the reason, before Discord is asked for a member."""
    database = InlineDatabase()
    here = SimpleNamespace(id=9, unavailable=False)
    client: Any = SimpleNamespace(
        is_closed=lambda: False, is_ready=lambda: True, get_guild=lambda number: here if number == 9 else None
    )
    look: Any = None  # nobody is asked what they used
    right = StartAuthorization(client, BotRecords(database), Limits(), Models(()), look, time.time)
    assert await right.why_not(by, space, Limits()) == texts.REPEAT_NOBODY
    await database.close()
