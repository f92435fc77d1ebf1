"""Privately notify the person who just started a task if the model is unavailable (key, endpoint).

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
    """Sends one private follow-up per started task whose model is unavailable."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._watched: dict[int, tuple[Interaction, float]] = {}
        self._waiting: dict[int, str] = {}

    def watch(self, task_id: int, interaction: Interaction) -> None:
        """Watch a task that was started with this interaction."""
        self._watched[task_id] = (interaction, self._now() + INTERACTION_S)

    def take(self, event: Event) -> None:
        """Record which tasks wait for the model, and why."""
        if isinstance(event.body, ModelWaiting):
            self._waiting[event.body.task_id] = event.body.reason
        elif isinstance(event.body, ModelBack):
            self._waiting.pop(event.body.task_id, None)

    async def tick(self) -> None:
        """Notify each person once; drop interactions that have expired."""
        now = self._now()
        self._watched = {task: kept for task, kept in self._watched.items() if kept[1] > now}
        for task_id in self._watched.keys() & self._waiting.keys():
            interaction, _ = self._watched.pop(task_id)
            text = texts.MODEL_WAITING.format(id=task_id, reason=cut(escape(self._waiting[task_id]), 600))
            try:
                await interaction.followup.send(text, ephemeral=True, suppress_embeds=True)
            except UNDELIVERED as error:
                log.warning(
                    "could not notify the person who started task %s of the outage: %s", task_id, error
                )
