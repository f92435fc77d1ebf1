"""Build the notifications of one client: live cards, and what may be forgotten when the process ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import discord

from bot.book import Book
from bot.desk import Routes
from bot.notifications.ephemeral import EphemeralListener
from bot.outbox.limiter import Limiter
from bot.places.typist import Typist
from bot.places.usher import Usher
from bot.ports import EngineApi
from bot.settings import BotSettings
from bot.views.card_keeper import CardKeeper
from bot.views.starters import Starters
from engine.events import Event


@dataclass(frozen=True, slots=True)
class Notifications:
    """Running `cards.run()` and `run_listeners(listeners)` is the caller's."""

    cards: CardKeeper
    outages: Starters
    start_replies: Usher
    typing: Typist

    @property
    def listeners(self) -> tuple[EphemeralListener, ...]:
        """Those whose work may be forgotten."""
        return (self.outages, self.start_replies, self.typing)

    def heard(self, events: Sequence[Event]) -> None:
        """Show `events`; the reader of events has written what they lead to."""
        self.cards.take(events)
        for listener in self.listeners:
            for event in events:
                listener.take(event)


def build_notifications(
    client: discord.Client,
    engine: EngineApi,
    book: Book,
    routes: Routes,
    settings: BotSettings,
    now: Callable[[], float],
    limiter: Limiter,
) -> Notifications:
    """Return the notifications that `client` sends; `limiter` is shared with the outbox."""
    return Notifications(
        CardKeeper(client, engine, book, routes, settings, now, limiter),
        Starters(now),
        Usher(routes, now),
        Typist(client, engine, routes, now),
    )
