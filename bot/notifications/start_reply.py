"""Shows whoever started a task the way: the answer to `/task new` names the first place once it is there."""

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
    """An answer to be completed: of which task, its root group, where its card is, until when."""

    interaction: Interaction
    task_id: int
    group_id: int
    card_at: str
    until: float


class StartReply:
    """`watch` an answer, `tick` to complete it."""

    def __init__(self, routes: Routes, now: Callable[[], float]) -> None:
        self._routes, self._now = routes, now
        self._waiting: list[_Waiting] = []

    def watch(self, interaction: Interaction, task_id: int, group_id: int, card_at: str) -> None:
        """The answer to this interaction said that the task has begun; `card_at` mentions a channel."""
        until = self._now() + INTERACTION_S
        self._waiting.append(_Waiting(interaction, task_id, group_id, card_at, until))

    def take(self, event: Event) -> None:
        """Nothing: places are looked for, not announced."""

    async def tick(self) -> None:
        """Complete the answers whose place is there; one that cannot be changed any more stays as it is."""
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
            await each.interaction.edit_original_response(content=words)
        except UNDELIVERED as error:
            _log.info("the answer to the start of task %s stays: %s", each.task_id, error)
