"""Pages of the repeating tasks of a server."""

from __future__ import annotations

from bot import texts
from bot.discord.access import Right
from bot.discord.context import Interaction, parts_of
from bot.discord.formatting import plain
from bot.discord.interactions import require_right
from bot.discord.lookup import current_space
from bot.features.repeats.recurrence import in_words
from engine.commands import Limits
from engine.queries import RepeatView

A_PAGE = 4
"""A line has at most about 450 characters: of a paused one it says why."""


def next_of(one: RepeatView) -> str:
    """Return the text of the next start, or why the repeating task is paused."""
    if one.paused_at is not None:
        return texts.REPEAT_HELD.format(why=one.paused_why)
    return texts.REPEAT_NEXT.format(at=int(one.next_at))


def repeat_line(one: RepeatView) -> str:
    """Return the next start, number of runs and caps of a repeating task as one line."""
    return texts.REPEAT_LINE.format(
        id=one.id,
        goal=plain(one.goal, 80),
        when=in_words(one.cron, one.zone),
        next=next_of(one),
        runs=one.runs,
        skipped=texts.REPEAT_SKIPPED.format(count=one.skipped) if one.skipped else "",
        last=texts.REPEAT_LAST.format(id=one.last_task_id) if one.last_task_id else "",
        caps=texts.caps(Limits(cost_micros=one.limits.cost_micros, tokens=one.limits.tokens)),
    )


async def repeats_page(interaction: Interaction, _of: int, page: int) -> tuple[str, bool]:
    """Return a page, the next to start first, and whether more follow; for those who may start tasks.

    Raises ActionRefused.
    """
    await require_right(interaction, Right.START)
    found = await parts_of(interaction).engine.look.repeats(current_space(interaction))
    shown = found[page * A_PAGE : (page + 1) * A_PAGE]
    return "\n".join(map(repeat_line, shown)) or texts.NO_REPEATS, len(found) > (page + 1) * A_PAGE
