"""Keeps the cards true: follows the engine's events, edits seldom, re-posts hourly, survives deletion.

Discord limits edits of messages older than an hour (30046), hence the re-post. The card is the bot's own
message, never a webhook's, so its edits wait behind no persona.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, Protocol

import discord

from bot.book import Book, Card, LogLine
from bot.desk import UNDELIVERED, Routes
from bot.ports import EngineApi
from bot.settings import BotSettings
from bot.views.loglines import log_line
from bot.views.task_card import LIVE, CardModel, card_view, digest
from engine.errors import NotFound
from engine.events import Event

log = logging.getLogger(__name__)
Move = Literal["nothing", "wait", "edit", "post"]
SHOWN_LINES = 5
BATCH, NEWEST = 200, 50


def next_move(card: Card, seen: str, now: float, every_s: float, repost_s: float, live: bool) -> Move:
    """What is due for a card that should look like `seen` (pure).

    A live card is posted anew once it is `repost_s` old; changes wait until `every_s` after the last edit.
    """
    if not card.message_id:
        return "post"
    if card.digest == seen:
        return "nothing"
    if now - card.edited_at < every_s:
        return "wait"
    return "post" if live and now - card.posted_at >= repost_s else "edit"


class Listener(Protocol):
    """Something else that follows the same events; `tick` comes about once a second and never raises."""

    def take(self, event: Event) -> None:
        """Note an event."""

    async def tick(self) -> None:
        """Do what is due."""


class CardKeeper:
    """One per bot. `run` follows and keeps for good; `take`, `flush`, `refresh` and `tick` are its steps."""

    def __init__(
        self,
        client: discord.Client,
        engine: EngineApi,
        book: Book,
        routes: Routes,
        settings: BotSettings,
        now: Callable[[], float],
        listeners: Sequence[Listener] = (),
    ) -> None:
        self._listeners = listeners
        self._client, self._engine, self._book, self._routes = client, engine, book, routes
        self._settings, self._now = settings, now
        self._dirty: set[int] = set()
        self._lines: list[LogLine] = []
        self._cursor = 0
        self._locks: dict[int, asyncio.Lock] = {}

    async def open(self, task_id: int, channel_id: int) -> bool:
        """Give a new task its card in a channel, and post it; False when that has to wait or move."""
        await self._book.set_card(Card(task_id, channel_id))
        self._dirty.add(task_id)
        await self._settle(task_id, hurry=True)
        card = await self._book.card(task_id)
        return card is not None and bool(card.message_id) and card.channel_id == channel_id

    async def run(self) -> None:
        """Follow events and keep every card, the newest also if nothing happens, until cancelled."""
        self._dirty.update(card.task_id for card in (await self._book.cards())[-NEWEST:])
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self._keep())

    async def _follow(self) -> None:
        async for event in self._engine.events(await self._book.log_cursor()):
            self.take(event)
            if len(self._lines) >= BATCH:
                await self.flush()

    async def _keep(self) -> None:
        while True:
            await self.flush()
            await self.tick()
            for listener in self._listeners:
                await listener.tick()
            await asyncio.sleep(1)

    def take(self, event: Event) -> None:
        """Note an event: its line for the log, its task's card for the next tick."""
        self._cursor = event.seq
        self._dirty.add(event.body.task_id)
        if (line := log_line(event.body)) is not None:
            self._lines.append(LogLine(event.seq, event.body.task_id, event.at, line))
        for listener in self._listeners:
            listener.take(event)

    async def flush(self) -> None:
        """Write the noted lines and how far the events were read."""
        if self._cursor:
            lines, cursor = self._lines, self._cursor
            self._lines, self._cursor = [], 0
            await self._book.add_log(lines, cursor)

    async def tick(self) -> None:
        """Look at every card something happened to."""
        for task_id in sorted(self._dirty):
            self._dirty.discard(task_id)
            if await self._settle(task_id, hurry=False) == "wait":
                self._dirty.add(task_id)

    async def refresh(self, task_id: int) -> None:
        """Show the task as it is now, without waiting: a person just did something to it."""
        await self.flush()
        await self._settle(task_id, hurry=True)

    async def _settle(self, task_id: int, hurry: bool) -> Move:
        async with self._locks.setdefault(task_id, asyncio.Lock()):
            card = await self._book.card(task_id)
            if card is None:
                return "nothing"
            try:
                return await self._bring(card, 0 if hurry else self._settings.card_every_s)
            except NotFound:
                return "nothing"  # the task was dropped from the store; its old card stays as it is
            except (discord.Forbidden, discord.NotFound) as error:
                return await self._elsewhere(card, error)
            except (*UNDELIVERED, OSError) as error:
                log.warning("card of task %s not shown, next try soon: %s", task_id, error)
                return "wait"
            except Exception:
                log.exception("card of task %s; the others go on", task_id)
                return "nothing"

    async def _elsewhere(self, card: Card, error: discord.HTTPException) -> Move:
        """The card's channel is closed to the bot or gone: it moves to the task's own first channel."""
        task = await self._engine.look.task(card.task_id)
        place = await self._routes.channel_of(task.root_group_id)
        if place == card.channel_id:
            log.warning("card of task %s cannot be shown in channel %s: %s", card.task_id, place, error)
            return "nothing"
        if place is not None:
            await self._book.set_card(Card(card.task_id, place))
        return "wait"

    async def _bring(self, card: Card, every_s: float) -> Move:
        model = await self._model(card.task_id)
        view = card_view(model)
        live = model.task.state in LIVE
        now = self._now()
        move = next_move(card, digest(view), now, every_s, self._settings.card_repost_s, live)
        if move == "post":
            await self._post(card, view, now)
        elif move == "edit":
            await self._edit(card, view, now)
        return move

    async def _model(self, task_id: int) -> CardModel:
        look = self._engine.look
        lines = await self._book.log(task_id, SHOWN_LINES)
        return CardModel(
            await look.task(task_id), tuple(await look.agents(task_id)), tuple(x.line for x in lines)
        )

    def _channel(self, channel_id: int) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(channel_id)

    async def _post(self, card: Card, view: discord.ui.LayoutView, now: float) -> None:
        """Post anew. The nonce names what is replaced: a repeat after a lost answer finds the first try."""
        channel = self._channel(card.channel_id)
        message = await channel.send(view=view, silent=True, nonce=f"c{card.task_id}-{card.message_id}")
        await self._book.set_card(
            replace(card, message_id=message.id, posted_at=now, edited_at=now, digest=digest(view))
        )
        if card.message_id:
            await self._drop(channel.get_partial_message(card.message_id))

    async def _drop(self, message: discord.PartialMessage) -> None:
        try:
            await message.delete()
        except discord.NotFound:
            log.info("old card %s was gone already", message.id)

    async def _edit(self, card: Card, view: discord.ui.LayoutView, now: float) -> None:
        message = self._channel(card.channel_id).get_partial_message(card.message_id)
        try:
            await message.edit(view=view)
        except discord.NotFound as gone:
            if gone.code == 10003:  # the channel itself
                raise
            await self._post(card, view, now)
            return
        await self._book.set_card(replace(card, edited_at=now, digest=digest(view)))
