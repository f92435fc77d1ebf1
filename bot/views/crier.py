"""Tells followers the news of their tasks: collected, then one message a task, mentioning only followers.

The owner is already named by the messages of gates and of the end, so is not mentioned twice.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass

import discord

from bot.access import owner_id
from bot.book import Book
from bot.desk import UNDELIVERED, Routes
from bot.ports import EngineApi
from bot.views.follow_news import news
from bot.words import cut
from engine.errors import NotFound
from engine.events import Event, GateRaised, TaskEnded

log = logging.getLogger(__name__)
MOST_MENTIONS = 40


@dataclass(frozen=True, slots=True)
class Bit:
    """One line, who follows closely enough for it, and whether the owner knows already."""

    line: str
    modes: tuple[str, ...]
    owner_knows: bool


class Crier:
    """`take` events, `tick` to send what came together."""

    def __init__(self, client: discord.Client, engine: EngineApi, book: Book, routes: Routes) -> None:
        self._client, self._engine, self._book, self._routes = client, engine, book, routes
        self._bits: dict[int, list[Bit]] = defaultdict(list)

    def take(self, event: Event) -> None:
        """Note what followers may want to hear."""
        told = news(event.body)
        if told is not None:
            knows = isinstance(event.body, GateRaised | TaskEnded)
            self._bits[event.body.task_id].append(Bit(told[0], told[1], knows))

    async def tick(self) -> None:
        """Send what came together, a message a task; what cannot be sent is logged and let go."""
        bits, self._bits = self._bits, defaultdict(list)
        for task_id, news_of_task in bits.items():
            try:
                await self._tell(task_id, news_of_task)
            except (*UNDELIVERED, OSError, NotFound) as error:
                log.warning("followers of task %s could not be told: %s", task_id, error)

    async def _tell(self, task_id: int, bits: list[Bit]) -> None:
        everyone = await self._book.followers(task_id, "answers", "all")
        if not everyone:
            return
        eager = set(await self._book.followers(task_id, "all"))
        task = await self._engine.look.task(task_id)
        owner = owner_id(task.by)
        for bit in bits:
            people = [p for p in everyone if "answers" in bit.modes or p in eager]
            people = [p for p in people if not (bit.owner_knows and p == owner)][:MOST_MENTIONS]
            if people:
                await self._send(task.root_group_id, bit.line, people)

    async def _send(self, group_id: int, line: str, people: list[int]) -> None:
        channel_id = await self._routes.channel_of(group_id)
        if channel_id is None:
            return
        mentions = " ".join(f"<@{person}>" for person in people)
        only = discord.AllowedMentions(
            everyone=False, roles=False, replied_user=False, users=[discord.Object(p) for p in people]
        )
        channel = self._client.get_partial_messageable(channel_id)
        await channel.send(f"{cut(line, 900)}\n-# {mentions}", allowed_mentions=only)
