"""Pages of the audit trail, turned by cursor: each page is one read of a page's size, however long the trail.

Where a page begins is in its buttons' ids, so a restart loses nothing and new decisions move no page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import discord

from bot import texts as common
from bot.discord.context import Interaction, parts_of
from bot.discord.formatting import cut, fitting, plain
from bot.discord.identities import owner_id
from bot.discord.interactions import acknowledge, require_manager
from bot.discord.lookup import current_space
from bot.discord.reporting_item import ReportingItem
from bot.features.audit import texts
from bot.texts import caps
from bot.texts.gates import LABELS
from bot.texts.months import rule_line
from engine.commands import Limits, MonthRule
from engine.queries import DecisionView

A_PAGE, TEXT = 10, 1_950
"""Most decisions on a page, and most characters of their lines."""

Way = Literal["older", "newer"]


class AuditButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"audit:(?P<task>\d{1,12}):(?P<at>\d{1,15}):(?P<way>older|newer)",
):
    """`audit:<task id, 0 for all>:<decision id>:<way>`: the page beyond that decision."""

    def __init__(self, task_id: int, at: int, way: Way) -> None:
        label = common.BUTTON["earlier" if way == "older" else "later"]
        super().__init__(discord.ui.Button(label=label, custom_id=f"audit:{task_id}:{at}:{way}"))
        self.task_id, self.at, self.way = task_id, at, way

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> AuditButton:
        """The button that was pressed, from its id alone."""
        return cls(int(match["task"]), int(match["at"]), "older" if match["way"] == "older" else "newer")

    async def pressed(self, interaction: Interaction) -> None:
        """Turn to the page in the same message."""
        await acknowledge(interaction)
        text, view = await audit_view(interaction, self.task_id, self.at, self.way)
        await interaction.edit_original_response(content=text, view=view)


async def audit_view(
    interaction: Interaction, task_id: int, at: int = 0, way: Way = "older"
) -> tuple[str, discord.ui.View]:
    """Return text and buttons of the page beyond decision `at` (0: the newest page), newest first.

    `task_id` 0: of every task. Raises ActionRefused for people without Manage Server.
    """
    require_manager(interaction)
    look, space, task = parts_of(interaction).engine.look, current_space(interaction), task_id or None
    if at and way == "newer":
        found = list(await look.decisions(space, task, after=at, limit=A_PAGE))
        lines = fitting([decision_line(each) for each in reversed(found)], TEXT)[::-1]
        shown = found[len(found) - len(lines) :]
        newer = bool(shown) and bool(await look.decisions(space, task, after=shown[0].id, limit=1))
        older = True
    else:
        found = list(await look.decisions(space, task, before=at or None, limit=A_PAGE + 1))
        lines = fitting([decision_line(each) for each in found[:A_PAGE]], TEXT)
        shown, older, newer = found[: len(lines)], len(found) > len(lines), bool(at)
    view = discord.ui.View(timeout=None)
    if newer:
        view.add_item(AuditButton(task_id, shown[0].id if shown else at, "newer"))
    if older:
        view.add_item(AuditButton(task_id, shown[-1].id if shown else at + 1, "older"))
    return "\n".join(lines) or texts.EMPTY, view


async def newest_page(interaction: Interaction, task_id: int, _page: int) -> tuple[str, bool]:
    """Return the newest page, for a button of an older version, whose number names no decision."""
    text, _ = await audit_view(interaction, task_id)
    return text, False


def decision_line(decision: DecisionView) -> str:
    """Return who decided what, when and on which digest."""
    person = owner_id(decision.by)
    who = f"<@{person}>" if person else plain(decision.by, 40) or texts.NOBODY
    told = texts.DECIDED.get(decision.kind, decision.kind)
    if decision.content.get("basis") == "timeout":
        told = texts.UNANSWERED
    what = told.format(task=decision.task_id, subject=decision.subject_id)
    said = _said(decision)
    return f"<t:{int(decision.at)}:f> {who} {what}{f': {said}' if said else ''} · `{decision.digest[:12]}`"


def _said(decision: DecisionView) -> str:
    content = decision.content
    if content.get("remove"):
        return texts.DELETED
    if "goal" in content:
        return f"“{plain(content['goal'], 60)}”"
    if "gate" in content:
        effect = content.get("effect", "")
        chosen = plain(content.get("choice", ""), 40) or LABELS.get(effect, "")
        said = plain(content.get("text", ""), 40)
        return " · ".join(part for part in (chosen, f"“{said}”" if said else "") if part)
    if set_to := _set_to(content):
        return set_to
    given = (content.get(name, "") for name in ("server", "reason", "instructions"))
    return plain(next(filter(None, given), ""), 60)


def _set_to(content: Mapping[str, Any]) -> str:
    """Return to what caps, budgets or rules were set, "" for any other decision."""
    if "limits" in content:
        return caps(Limits(**content["limits"]))
    if "rule" in content:
        return rule_line(MonthRule(**content["rule"]))
    rules: Mapping[str, Any] = content.get("rules", {})
    return ", ".join(f"{name} {cut(str(value), 120)}" for name, value in rules.items())
