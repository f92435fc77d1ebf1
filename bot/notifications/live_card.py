"""Keeps live cards up to date: edits rarely, re-posts hourly, survives deletion.

What must be done is in the card's row: the reader of events writes which task changed in its own transaction
(`changed_seq`), and the row is behind until the card shows it. Edits are idempotent, so each is made at least
once. A post is recorded first and looked up before it is repeated; what it replaces stays in the row
until it is deleted. Discord limits edits of messages older than an hour (30046), so it is posted again. The
card is the bot's own message, never a webhook's, so its edits wait behind no persona.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Literal

import discord

from bot.app.settings import BotSettings
from bot.discord.context import Routes
from bot.discord.errors import UNDELIVERED
from bot.discord.request_stop import stop_of
from bot.features.tasks.card import LIVE, CardModel, card_view, digest
from bot.features.tasks.questions import load_questions
from bot.features.tasks.waiting import STALE_S, load_waiting
from bot.outbox.limiter import Limiter
from bot.outbox.outcomes import PermissionMissing, Rejected, TargetDeleted, outcome_of
from bot.ports import EngineApi
from bot.storage.guild_settings import BotRecords, CardRecord
from bot.storage.instance import nonce_of
from engine.errors import NotFound
from engine.events import Event

log = logging.getLogger(__name__)
Move = Literal["nothing", "wait", "edit", "post"]
SHOWN_LINES = 5
NEWEST = 50

TICK_S = 1.0
"""Between two looks at the cards that something happened to."""
LONGEST_PAUSE_S = 60.0
UNKNOWN_MESSAGE = 10008
NOT_OURS = (50005, 50021)
"""Another application's message, which is so after the bot got a new one; a message of Discord's own."""
OPENED_S = 10.0
"""How long the answer to a start waits for the reader of events to write the card's row."""

WAITING_S = 5.0
"""Seconds between looks at how far model calls are; each card is edited less often (`card_interval_s`)."""

CLOCK_SLACK_S = 90.0
"""How far our clock and Discord's may differ when a card is looked up by time."""

_CARD_ID = re.compile(r"task:[a-z_]+:(\d+)")


def next_move(card: CardRecord, seen: str, now: float, every_s: float, repost_s: float, live: bool) -> Move:
    """What is due for a card that should look like `seen` (pure).

    A live card is posted again once it is `repost_s` old; changes wait until `every_s` after the last edit.
    """
    if not card.message_id:
        return "post"
    if card.digest == seen:
        return "nothing"
    if now - card.edited_at < every_s:
        return "wait"
    return "post" if live and now - card.posted_at >= repost_s else "edit"


class LiveCards:
    """One per bot. `take` marks cards to update, `tick` updates them, `run` does so until cancelled.

    What `take` notes is only which rows changed since `run` began; a restart finds them in the rows.
    """

    def __init__(
        self,
        client: discord.Client,
        engine: EngineApi,
        records: BotRecords,
        routes: Routes,
        settings: BotSettings,
        now: Callable[[], float],
        limiter: Limiter,
        usual_model: str = "",
    ) -> None:
        self._limiter, self._usual_model = limiter, usual_model
        self._unlinked: set[int] = set()
        """Tasks with an open question whose message is not sent yet."""
        self._client, self._engine, self._records, self._routes = client, engine, records, routes
        self._settings, self._now, self._stop = settings, now, stop_of(client)
        self._dirty: set[int] = set()
        self._news = asyncio.Event()
        self._locks: dict[int, asyncio.Lock] = {}
        self._failures: dict[int, int] = {}
        self._again_at: dict[int, float] = {}
        self._no_room = False
        self._waiting: set[int] = set()
        self._waiting_seen_at = float("-inf")
        self._wordless: set[int] = set()
        """Tasks whose card Discord's filters refuse with the words of people and agents in it."""
        self._opened: set[int] = set()
        """Tasks whose card's archived thread was opened for it."""
        self._noted: set[int] = set()
        """Tasks whose card says that the disk is full, which their rows could not take."""

    async def opened(self, task_id: int, channel_id: int) -> bool:
        """Show a task that was just started; False when its card has to wait or move."""
        try:
            async with asyncio.timeout(OPENED_S):
                await self._written(task_id)
        except TimeoutError:
            log.warning("the card of task %s is not written yet", task_id)
            return False
        self._dirty.add(task_id)
        await self._settle(task_id, hurry=True)
        card = await self._records.card(task_id)
        return card is not None and bool(card.message_id) and card.channel_id == channel_id

    async def _written(self, task_id: int) -> None:
        """Return once the reader has written the card's row."""
        while True:
            news = self._news
            if await self._records.card(task_id) is not None:
                return
            await news.wait()

    async def run(self) -> None:
        """Keep every card whose row is behind, the newest also if nothing happens, until cancelled."""
        self._dirty.update(await self._records.cards_to_show(NEWEST))
        while True:
            await self.tick()
            await asyncio.sleep(TICK_S)

    def take(self, events: Sequence[Event]) -> None:
        """Look at the cards of these events' tasks at the next tick; their rows are written."""
        self._dirty.update(event.body.task_id for event in events)
        self._news.set()
        self._news = asyncio.Event()

    async def tick(self) -> None:
        """Look at every card something happened to; at all of them when the disk is full, and no more."""
        no_room = self._records.no_room
        if self._no_room != no_room:
            self._dirty.update(await self._records.cards_to_show(NEWEST))
            self._no_room = no_room
        await self._look_at_waiting()
        for task_id in sorted(self._dirty):
            if self._again_at.get(task_id, 0.0) > self._now():
                continue
            self._dirty.discard(task_id)
            if await self._settle(task_id, hurry=False) == "wait":
                self._dirty.add(task_id)

    async def _look_at_waiting(self) -> None:
        """Look every few seconds at the cards of tasks whose agents wait for their models, and once more when
        these have answered."""
        now = self._now()
        if 0 <= now - self._waiting_seen_at < WAITING_S:
            return
        self._waiting_seen_at = now
        calls = await self._engine.look.model_calls()
        waiting = {call.task_id for call in calls if now - call.at <= STALE_S}
        self._dirty |= waiting | self._waiting | self._unlinked
        self._waiting = waiting

    async def refresh(self, task_id: int) -> None:
        """Show the task as it is now, without waiting: a person just did something to it."""
        await self._settle(task_id, hurry=True)

    async def _settle(self, task_id: int, hurry: bool) -> Move:
        async with self._locks.setdefault(task_id, asyncio.Lock()):
            card = await self._records.card(task_id)
            if card is None:
                return "nothing"
            try:
                move = await self._show(card, 0 if hurry else self._settings.card_interval_s)
            except NotFound:
                return "nothing"  # the task was dropped from the store; its old card stays as it is
            except (*UNDELIVERED, OSError) as error:
                outcome = outcome_of(error)
                archived = isinstance(outcome, Rejected) and outcome.fault == "archived"
                gone = isinstance(outcome, TargetDeleted) and outcome.what == "channel"
                closed = gone or archived or isinstance(outcome, PermissionMissing)
                if closed and not (archived and await self._open(card)):
                    return await self._elsewhere(card, error)
                log.warning("card of task %s not shown, tried again: %s", task_id, error)
                return self._later(task_id, getattr(error, "retry_after", 0.0))
            except Exception:
                log.exception("card of task %s, tried again; the others go on", task_id)
                return self._later(task_id, LONGEST_PAUSE_S)
            self._failures.pop(task_id, None)
            self._again_at.pop(task_id, None)
            return move

    async def _show(self, card: CardRecord, every_s: float) -> Move:
        """Bring the card up to date; without people's and agents' words if Discord does not take these."""
        try:
            return await self._bring(card, every_s)
        except discord.HTTPException as error:
            if card.task_id in self._wordless or not _words_refused(error):
                raise
            log.warning("card of task %s is shown without words: %s", card.task_id, error)
        self._wordless.add(card.task_id)
        return await self._bring(await self._records.card(card.task_id) or card, every_s)

    def _later(self, task_id: int, seconds: float = 0.0) -> Move:
        """Try a card again: twice at once, then after a pause that doubles, `seconds` at least."""
        failures = self._failures[task_id] = self._failures.get(task_id, 0) + 1
        doubled = 2.0 ** min(failures - 1, 16) if failures > 2 else 0.0
        pause = max(seconds, min(LONGEST_PAUSE_S, doubled))
        self._again_at[task_id] = self._now() + pause
        self._dirty.add(task_id)
        return "wait"

    async def _open(self, card: CardRecord) -> bool:
        """Open the card's archived thread, once: whoever archives it again does not want the card there."""
        if card.task_id in self._opened:
            return False
        self._opened.add(card.task_id)
        try:
            thread = await self._client.fetch_channel(card.channel_id)
            if isinstance(thread, discord.Thread):
                await thread.edit(archived=False)
        except UNDELIVERED as error:
            log.info("the thread of the card of task %s stays archived: %s", card.task_id, error)
            return False
        return True

    async def _elsewhere(self, card: CardRecord, error: Exception) -> Move:
        """The card's channel is closed to the bot or gone: it moves to the task's own first channel."""
        task = await self._engine.look.task(card.task_id)
        place = await self._routes.channel_of(task.root_group_id)
        if place == card.channel_id:
            log.warning("card of task %s cannot be shown in channel %s: %s", card.task_id, place, error)
            return self._later(card.task_id, LONGEST_PAUSE_S)
        if place is not None:
            moved = asdict(CardRecord(card.task_id, place))
            await self._records.change_card(
                card.task_id, channel_id=place, **{name: moved[name] for name in _OWNED}
            )
            return "wait"
        return self._later(card.task_id)

    async def _bring(self, card: CardRecord, every_s: float) -> Move:
        if card.stale_id:
            await self._drop(card)
        model = await self._model(card.task_id)
        view = card_view(model)
        # A card is posted again only when that can be written down.
        live = model.task.state in LIVE and not model.no_room
        now = self._now()
        if card.task_id in self._noted:
            card = replace(card, digest="")
        move = next_move(card, digest(view), now, every_s, self._settings.card_repost_s, live)
        if move == "post":
            await self._post(card, view, now)
        elif move == "edit":
            await self._edit(card, view, now)
        elif move == "nothing" and card.changed_seq > card.shown_seq:
            await self._records.change_card(card.task_id, durable=False, shown_seq=card.changed_seq)
        return move

    async def _model(self, task_id: int) -> CardModel:
        look = self._engine.look
        lines = await self._records.log(task_id, SHOWN_LINES)
        task = await look.task(task_id)
        questions = await load_questions(look, self._routes, task)
        unlinked = any(not each.url for each in questions)
        (self._unlinked.add if unlinked else self._unlinked.discard)(task_id)
        model = CardModel(
            task,
            tuple(await look.agents(task_id)),
            tuple(x.line for x in lines),
            no_room=self._no_room and task.state in LIVE,
            waiting=await load_waiting(look, task_id, self._now()),
            questions=questions,
            usual_model=self._usual_model,
        )
        return model.without_words() if task_id in self._wordless else model

    def _channel(self, channel_id: int) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(channel_id)

    async def _post(self, card: CardRecord, view: discord.ui.LayoutView, now: float) -> None:
        """Post again; look first for an earlier post whose answer is not known.

        The nonce names what is replaced: a repeat within minutes finds the first try on Discord's side too.
        """
        found = await self._find(card) if card.begun_at else None
        if found is not None:
            await self._posted(card, found, card.begun_at - self._stop.ahead_s, "")
            return
        await self._records.change_card(card.task_id, begun_at=now + self._stop.ahead_s)
        channel = self._channel(card.channel_id)
        await self._allowed(card.channel_id)
        instance = await self._records.instance()
        nonce = nonce_of(instance, "card", card.task_id, card.channel_id, card.message_id)
        try:
            message = await channel.send(view=view, silent=True, nonce=nonce)
        except discord.NotFound as gone:
            if gone.code != UNKNOWN_MESSAGE:
                raise
            # The first try landed unseen and people deleted it: the card comes again.
            message = await channel.send(view=view, silent=True, nonce=nonce_of(instance, nonce, now))
        await self._posted(card, message.id, now, digest(view))

    async def _posted(self, card: CardRecord, message_id: int, at: float, shown: str) -> None:
        """The card stands in this message; the one it replaces goes."""
        new = replace(
            card,
            message_id=message_id,
            posted_at=at,
            edited_at=at,
            digest=shown,
            shown_seq=card.changed_seq if shown else card.shown_seq,
            begun_at=0.0,
            stale_id=card.message_id,
        )
        values = {name: getattr(new, name) for name in _OWNED}
        await self._records.change_card(card.task_id, **values)
        if new.stale_id:
            await self._drop(new)

    async def _find(self, card: CardRecord) -> int | None:
        """A card of this task posted since `begun_at`; None without the permission to look."""
        after = datetime.fromtimestamp(card.begun_at - CLOCK_SLACK_S, UTC)
        me = self._client.user
        try:
            async for message in self._channel(card.channel_id).history(limit=200, after=after):
                mine = me is not None and message.author.id == me.id and message.flags.components_v2
                if mine and message.id != card.message_id and _task_of(message) == card.task_id:
                    return message.id
        except discord.Forbidden as error:
            log.warning("cannot look for the card of task %s: %s", card.task_id, error)
        return None

    async def _drop(self, card: CardRecord) -> None:
        """Delete the message that the card replaced."""
        try:
            await self._channel(card.channel_id).get_partial_message(card.stale_id).delete()
        except (discord.NotFound, discord.Forbidden) as error:
            log.info("old card %s cannot be deleted: %s", card.stale_id, error)
        await self._records.change_card(card.task_id, durable=False, stale_id=0)

    async def _edit(self, card: CardRecord, view: discord.ui.LayoutView, now: float) -> None:
        message = self._channel(card.channel_id).get_partial_message(card.message_id)
        await self._allowed(0)
        try:
            await message.edit(view=view)
        except (discord.NotFound, discord.Forbidden) as gone:
            if gone.code not in (UNKNOWN_MESSAGE, *NOT_OURS):  # the channel itself
                raise
            await self._post(card, view, now)
            return
        if self._no_room:
            self._noted.add(card.task_id)
        # Not forced to disk: a power cut that loses this only makes the next start edit once more.
        shown = {"edited_at": now, "digest": digest(view), "shown_seq": card.changed_seq}
        await self._records.change_card(card.task_id, durable=False, **shown)
        self._noted.discard(card.task_id)

    async def _allowed(self, channel_id: int) -> None:
        """Wait for the limiter, then count a post into a channel, or with 0 an edit."""
        channel = self._client.get_channel(channel_id) if channel_id else None
        key = channel.parent_id if isinstance(channel, discord.Thread) else channel_id
        while True:
            now = time.monotonic()
            pause = self._limiter.wait(key, now, chatter=False) if key else self._limiter.wait_overall(now)
            if pause <= 0:
                break
            await asyncio.sleep(pause)
        if key:
            self._limiter.spend(key, now)
        else:
            self._limiter.spend_overall(now)


_OWNED = ("message_id", "posted_at", "edited_at", "digest", "shown_seq", "begun_at", "stale_id")


def _words_refused(error: discord.HTTPException) -> bool:
    outcome = outcome_of(error)
    return isinstance(outcome, Rejected) and outcome.fault in ("content", "other")


def _task_of(message: discord.Message) -> int | None:
    """The task whose buttons a message carries."""
    found = _CARD_ID.search(str([component.to_dict() for component in message.components]))
    return int(found[1]) if found else None
