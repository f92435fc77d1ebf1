"""What an agent does now, in words: the whole of its newest step, or what it waits for (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot import texts
from bot.discord.formatting import plain
from bot.texts.outbox import ADDRESSEES
from engine.domain.doing import Doing
from engine.queries import AgentView

SUBJECT = 60
Shown = Callable[[str, int], str]
"""Returns a name in at most so many characters, harmless where it is shown."""


def doing_text(doing: Sequence[Doing], shown: Shown = plain) -> str:
    """Return what a step does, each tool once with what it is used on, such as "edits a.md, runs pytest"."""
    return ", ".join(_part(each, shown) for each in doing)


def now_text(agent: AgentView, shown: Shown = plain) -> str:
    """Return what an agent is at, "" for one that has nothing to do; `shown` makes names fit the place."""
    if agent.state == "working":
        return doing_text(agent.doing, shown) or (texts.THINKS if not agent.steps else "")
    if agent.state == "idle" and agent.is_at_cap:
        return texts.WAITS_FOR.format(what=texts.MORE_BUDGET)
    if agent.state == "idle" and agent.waits_for:
        return texts.WAITS_FOR.format(
            what=texts.listed([shown(each, SUBJECT) for each in agent.waits_for], 3)
        )
    return ""


def verb_alone(tool: str) -> str:
    """Return what an agent does with a tool where it is not said on what, "" for a tool without words."""
    return texts.DOING_ALONE.get(tool) or texts.DOING.get(tool, "")


def _part(doing: Doing, shown: Shown) -> str:
    uses = texts.DOES.format(tool=shown(doing.tool, SUBJECT))
    names = [ADDRESSEES.get(each) or shown(each, SUBJECT) for each in doing.subjects]
    if not names:
        return verb_alone(doing.tool) or uses
    return f"{texts.DOING.get(doing.tool) or uses} {texts.listed(names, 3)}"
