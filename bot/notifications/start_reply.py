"""Edit the reply to `/task new` so that it names the root group's place once it exists."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from bot import texts
from bot.discord.context import Interaction, Routes
from bot.discord.errors import UNDELIVERED
from bot.discord.limits import INTERACTION_S
from engine.events import Event

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A reply to edit: its task, root group, the mention of the card's channel, what its first line is
    followed by, and the expiry time."""

    interaction: Interaction
    task_id: int
    group_id: int
    card_at: str
    below: str
    until: float


class StartReply:
    """Watches replies to `/task new` and edits each once its place exists."""

    def __init__(self, routes: Routes, now: Callable[[], float]) -> None:
        self._routes, self._now = routes, now
        self._waiting: list[_Waiting] = []

    def watch(
        self, interaction: Interaction, task_id: int, group_id: int, card_at: str, below: str = ""
    ) -> None:
        """Watch the reply to this interaction; `card_at` mentions the channel of the task's card, `below` is
        what the reply says after its first line."""
        until = self._now() + INTERACTION_S
        self._waiting.append(_Waiting(interaction, task_id, group_id, card_at, below, until))

    def take(self, event: Event) -> None:
        """Ignore events: `tick` looks for the place."""

    async def tick(self) -> None:
        """Edit the replies whose place exists; expired replies stay as they are."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            channel_id = await self._routes.channel_of(each.group_id)
            if channel_id is not None:
                await self._show(each, channel_id)
            elif each.until > self._now():
                self._waiting.append(each)

    async def _show(self, each: _Waiting, channel_id: int) -> None:
        place = f"<#{channel_id}>"
        words = texts.TASK_STARTED_AT.format(id=each.task_id, place=place, where=each.card_at)
        try:
            await each.interaction.edit_original_response(content=words + each.below)
        except UNDELIVERED as error:
            _log.info("could not edit the reply to the start of task %s: %s", each.task_id, error)
