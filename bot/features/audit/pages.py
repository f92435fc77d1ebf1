"""One page of the audit trail as text."""

from __future__ import annotations

from bot.discord.context import Interaction, parts_of
from bot.discord.formatting import plain
from bot.discord.identities import owner_id
from bot.discord.interactions import require_manager
from bot.discord.lookup import current_space
from bot.features.audit import texts
from bot.texts.gates import LABELS
from engine.queries import DecisionView

A_PAGE = 10


async def audit_page(interaction: Interaction, task_id: int, page: int) -> tuple[str, bool]:
    """Return a page, newest first (`task_id` 0: of every task), and whether more follow.

    Raises ActionRefused for people without Manage Server.
    """
    require_manager(interaction)
    look = parts_of(interaction).engine.look
    wanted = (page + 1) * A_PAGE + 1
    found = await look.decisions(current_space(interaction), task_id or None, limit=wanted)
    shown = found[page * A_PAGE : (page + 1) * A_PAGE]
    return "\n".join(decision_line(each) for each in shown) or texts.EMPTY, len(found) == wanted


def decision_line(decision: DecisionView) -> str:
    """Return who decided what, when and on which digest."""
    person = owner_id(decision.by)
    who = f"<@{person}>" if person else plain(decision.by, 40) or texts.NOBODY
    told = texts.DECIDED.get(decision.kind, decision.kind)
    what = told.format(task=decision.task_id, subject=decision.subject_id)
    said = _said(decision)
    return f"<t:{int(decision.at)}:f> {who} {what}{f': {said}' if said else ''} -# `{decision.digest[:12]}`"


def _said(decision: DecisionView) -> str:
    content = decision.content
    if "goal" in content:
        return f"“{plain(content['goal'], 60)}”"
    if "gate" in content:
        effect = content.get("effect", "")
        chosen = plain(content.get("choice", ""), 40) or LABELS.get(effect, "")
        said = plain(content.get("text", ""), 40)
        return " · ".join(part for part in (chosen, f"“{said}”" if said else "") if part)
    if "limits" in content:
        return ", ".join(f"{name} {value}" for name, value in content["limits"].items())
    return plain(content.get("reason", "") or content.get("instructions", ""), 60)
