"""Tells whoever just started a task, and only them, when the model cannot be used: wrong key, no endpoint.

Starting never asks the model, so a wrong key shows only when the first agent thinks. The answer to
`/task new` can be followed up for fifteen minutes; after that the card and the log say it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from bot import texts
from bot.discord.context import Interaction
from bot.discord.errors import UNDELIVERED
from bot.discord.formatting import cut, escape
from bot.discord.limits import INTERACTION_S
from engine.events import Event, ModelBack, ModelWaiting

log = logging.getLogger(__name__)


class OutageNotice:
    """`watch` a start, `take` events, `tick` to tell."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._watched: dict[int, tuple[Interaction, float]] = {}
        self._waiting: dict[int, str] = {}

    def watch(self, task_id: int, interaction: Interaction) -> None:
        """Somebody started a task with this interaction."""
        self._watched[task_id] = (interaction, self._now() + INTERACTION_S)

    def take(self, event: Event) -> None:
        """Note which tasks wait for the model, and why."""
        if isinstance(event.body, ModelWaiting):
            self._waiting[event.body.task_id] = event.body.reason
        elif isinstance(event.body, ModelBack):
            self._waiting.pop(event.body.task_id, None)

    async def tick(self) -> None:
        """Tell each starter once; forget those whose time is over."""
        now = self._now()
        self._watched = {task: kept for task, kept in self._watched.items() if kept[1] > now}
        for task_id in self._watched.keys() & self._waiting.keys():
            interaction, _ = self._watched.pop(task_id)
            words = texts.MODEL_WAITING.format(id=task_id, reason=cut(escape(self._waiting[task_id]), 600))
            try:
                await interaction.followup.send(words, ephemeral=True)
            except UNDELIVERED as error:
                log.warning("could not tell who started task %s that the model waits: %s", task_id, error)
