"""Pages to turn: logs, memories, repeating tasks, the audit trail.

Which page of what is in the button's id, so a restart loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import discord

from bot import texts
from bot.discord.access import Right
from bot.discord.context import Interaction, parts_of
from bot.discord.formatting import cut, plain
from bot.discord.interactions import acknowledge, require_right, require_view
from bot.discord.lookup import current_space, task_by_id
from bot.discord.reporting_item import ReportingItem
from bot.features.audit.pages import newest_page
from bot.features.repeats.listing import repeats_page
from bot.storage.guild_settings import LogLine

LOG_LINES = 15
MEMORIES_A_PAGE = 9
RECENT_S = 12 * 3600
"""How old a line may be whose time alone says when it was, in any time zone."""


class PageButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"page:(?P<kind>log|memories|repeats|audit):(?P<of>\d{1,12}):(?P<page>\d{1,6}):(?P<way>older|newer)",
):
    """`page:<kind>:<task id>:<page>:<way>`."""

    def __init__(self, kind: str, of: int, page: int, way: str) -> None:
        older, newer = ("after", "before") if kind == "repeats" else ("earlier", "later")  # those have no age
        label = texts.BUTTON[older if way == "older" else newer]
        super().__init__(discord.ui.Button(label=label, custom_id=f"page:{kind}:{of}:{page}:{way}"))
        self.kind, self.of, self.page = kind, of, page

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> PageButton:
        """The button that was pressed, from its id alone."""
        return cls(match["kind"], int(match["of"]), int(match["page"]), match["way"])

    async def pressed(self, interaction: Interaction) -> None:
        """Turn to the page in the same message."""
        await acknowledge(interaction)
        text, view = await page_view(interaction, self.kind, self.of, self.page)
        await interaction.edit_original_response(content=text, view=view)


async def page_view(interaction: Interaction, kind: str, of: int, page: int) -> tuple[str, discord.ui.View]:
    """Return text and buttons of a page; checks again that the person may view it. Raises ActionRefused."""
    text, more = await KINDS[kind](interaction, of, page)
    view = discord.ui.View(timeout=None)
    if page:
        view.add_item(PageButton(kind, of, page - 1, "newer"))
    if more:
        view.add_item(PageButton(kind, of, page + 1, "older"))
    return text, view


async def _log(interaction: Interaction, task_id: int, page: int) -> tuple[str, bool]:
    task = await task_by_id(interaction, task_id)
    await require_view(interaction, task)
    lines = await parts_of(interaction).records.log(task_id, LOG_LINES + 1, page * LOG_LINES)
    shown = log_lines(lines[:LOG_LINES], parts_of(interaction).now())
    return "\n".join(shown) or texts.NOTHING_LOGGED, len(lines) > LOG_LINES


def log_lines(lines: Sequence[LogLine], now: float) -> list[str]:
    """Return lines of a log, each with its time, and with its day where one is older than half a day."""
    style = "T" if all(now - line.at < RECENT_S for line in lines) else "f"
    return [f"<t:{int(line.at)}:{style}> {cut(line.line, 110)}" for line in lines]


async def _memories(interaction: Interaction, _of: int, page: int) -> tuple[str, bool]:
    """What is kept for this server; for those who may start tasks, as it feeds theirs."""
    await require_right(interaction, Right.START)
    found = await parts_of(interaction).engine.look.memories(current_space(interaction))
    shown = found[page * MEMORIES_A_PAGE : (page + 1) * MEMORIES_A_PAGE]
    lines = [f"**#{m.id}** {plain(m.text, 130)} · {plain(m.source, 40)} · <t:{int(m.at)}:d>" for m in shown]
    return "\n".join(lines) or texts.NO_MEMORIES, len(found) > (page + 1) * MEMORIES_A_PAGE


Page = Callable[[Interaction, int, int], Awaitable[tuple[str, bool]]]
KINDS: Mapping[str, Page] = {
    "log": _log,
    "memories": _memories,
    "repeats": repeats_page,
    "audit": newest_page,
}
