"""Build the notifications of one client: live cards and the listeners without guarantees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import discord

from bot.app.settings import BotSettings
from bot.discord.context import Routes
from bot.notifications.ephemeral import EphemeralListener
from bot.notifications.live_card import LiveCards
from bot.notifications.outage import OutageNotice
from bot.notifications.start_reply import StartReply
from bot.notifications.typing_indicator import TypingIndicator
from bot.notifications.working_lines import WorkingLines
from bot.outbox.limiter import Limiter
from bot.ports import EngineApi
from bot.storage.guild_settings import BotRecords
from engine.events import Event


@dataclass(frozen=True, slots=True)
class Notifications:
    """The notifications of one client; the caller runs `cards.run()` and `run_listeners(listeners)`."""

    cards: LiveCards
    outages: OutageNotice
    start_replies: StartReply
    typing: TypingIndicator
    working: WorkingLines

    @property
    def listeners(self) -> tuple[EphemeralListener, ...]:
        """Return the listeners without guarantees."""
        return (self.outages, self.start_replies, self.typing, self.working)

    def heard(self, events: Sequence[Event]) -> None:
        """Pass `events` to cards and listeners, after the projector committed them."""
        self.cards.take(events)
        for listener in self.listeners:
            for event in events:
                listener.take(event)


def build_notifications(
    client: discord.Client,
    engine: EngineApi,
    records: BotRecords,
    routes: Routes,
    settings: BotSettings,
    now: Callable[[], float],
    limiter: Limiter,
    usual_model: str = "",
) -> Notifications:
    """Return the notifications that `client` sends; `limiter` is shared with the outbox."""
    return Notifications(
        LiveCards(client, engine, records, routes, settings, now, limiter, usual_model),
        OutageNotice(now),
        StartReply(routes, now),
        TypingIndicator(client, engine, routes, now),
        WorkingLines(client, engine, records, routes, now, limiter),
    )
