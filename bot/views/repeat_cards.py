"""Gives a task that the clock started its card, in the channel where it was made to repeat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.book import Book
from bot.desk import Routes
from bot.views.repeat_button import home_fact
from engine.events import Event, TaskAccepted


class RepeatCards:
    """`take` events, `tick` to open what is due; `show(task_id, channel_id)` opens a card."""

    def __init__(self, book: Book, routes: Routes, show: Callable[[int, int], Awaitable[bool]]) -> None:
        self._book, self._routes, self._show = book, routes, show
        self._due: dict[int, int] = {}

    def take(self, event: Event) -> None:
        """Note a task that the clock started."""
        body = event.body
        if isinstance(body, TaskAccepted) and body.repeat_id is not None:
            self._due[body.task_id] = body.repeat_id

    async def tick(self) -> None:
        """Open the cards of those noted; one whose card exists already is left as it is."""
        for task_id, repeat_id in list(self._due.items()):
            channel_id = int(await self._book.fact(home_fact(repeat_id)) or 0)
            if channel_id and await self._book.card(task_id) is None:
                await self._routes.set_home(task_id, channel_id)
                await self._show(task_id, channel_id)
            self._due.pop(task_id)
