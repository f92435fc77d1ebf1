"""Send the posts of one channel: ask planner and limiter, send, and handle failures.

A message counts as being sent from before the request until Discord's answer is in the ledger. When the
answer never came, it is looked for in the channel first and sent again only if it is not there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import aiohttp
import discord
from sqlalchemy.exc import SQLAlchemyError

from bot.outbox.compose import compose, with_explanation
from bot.outbox.ledger import Delivery, Ledger, MessageLocation
from bot.outbox.limiter import Limiter
from bot.outbox.message_updates import CloseGate
from bot.outbox.outcomes import (
    ConnectionFailed,
    OutcomeUnknown,
    PermissionMissing,
    Rejected,
    TargetDeleted,
    TooManyRequests,
)
from bot.outbox.pace import Pace, wait_for
from bot.outbox.plan import Pressure, pressure, take, urgency, weight
from bot.outbox.post import UPDATE_KINDS, Entry, OutgoingMessage
from bot.outbox.posting import Posting
from bot.personas.names import persona_name
from bot.places.provision import Place, PlaceArchived, PlaceUnavailable, Provision

_log = logging.getLogger(__name__)

ATTEMPTS = 5
"""Times a message is tried when something nobody foresaw goes wrong; then in a simpler form, for ever."""


DISCORD = (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, OSError)
"""What a request to Discord may end with."""

HEALS = (*DISCORD, SQLAlchemyError, PlaceUnavailable, OutcomeUnknown, ConnectionFailed, TooManyRequests)
"""Trouble that is not the message's own."""


class ThreadLocked(Exception):
    """The thread is locked, and the bot may not open it: only people can help, other places go on."""


@dataclass(frozen=True, slots=True)
class WorkerServices:
    """Services shared by workers. `clock` is the limiter's, `wall` unix time; `retry` ends a wait early.

    `explain` returns the consequences of a gate's choices, or ""; `close_gate` removes the gate's
    buttons.
    """

    ledger: Ledger
    posting: Posting
    provision: Provision
    limiter: Limiter
    pace: Pace
    clock: Callable[[], float]
    wall: Callable[[], float]
    explain: Callable[[int], Awaitable[str]]
    close_gate: CloseGate
    retry: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class SendJob:
    """A message to send; `look` is True if it may already be on Discord."""

    delivery: Delivery
    look: bool
    failures: int = 0


class ChannelWorker:
    """Sends posts to one channel and its threads, which share the channel's rate limits."""

    def __init__(
        self,
        channel_id: int,
        means: WorkerServices,
        queues: dict[int, list[Entry]],
        moved: Callable[[Place], None],
        settled: Callable[[], None],
        act: Callable[[Entry], None],
    ) -> None:
        self.channel_id = channel_id
        self.places: dict[int, Place] = {}
        self.jobs: list[SendJob] = []
        self.news = asyncio.Event()
        self._means = means
        self._queues = queues
        self._moved = moved
        self._settled = settled
        self._act = act
        self._repaired: dict[int, Place] = {}
        self._held: dict[int, float] = {}
        """Until when a place is left alone whose thread is locked, by `Post.place_key`."""

    def release(self) -> None:
        """Try again at once what waits for people."""
        self._held.clear()
        self.news.set()

    async def run(self) -> None:
        """Send posts until cancelled."""
        while True:
            self.news.clear()
            try:
                await self._step()
            except Exception:  # noqa: BLE001 - one channel's trouble must not end its worker; logged, tried again
                _log.exception("channel %s: trying again", self.channel_id)
                await asyncio.sleep(self._means.pace.longest_pause)

    async def _step(self) -> None:
        now = self._means.clock()
        self._held = {place: until for place, until in self._held.items() if until > now}
        job = next((job for job in self.jobs if job.delivery.place_key not in self._held), None)
        if job is not None:
            await self._try(job)
        elif not await self._next():
            self._settled()
            await (wait_for(self.news, min(self._held.values()) - now) if self._held else self.news.wait())

    async def _next(self) -> bool:
        """Start one batch, or wait until one may be sent; return False if no post waits."""
        kept = {job.delivery.place_key for job in self.jobs}
        for group in [group for group in self._repaired if group not in kept]:
            self._moved(self._repaired.pop(group))
        waiting = [group for group in self.places if self._queues.get(group) and group not in kept]
        if not waiting:
            return False
        means, ladder, now = self._means, self._means.pace.ladder, self._means.clock()
        group_id = min(waiting, key=lambda group: urgency(self._queues[group], ladder))
        chatter, _ = urgency(self._queues[group_id], ladder)
        queues = [self._queues[group] for group in waiting]
        room = means.limiter.room(self.channel_id, now, ladder.horizon(queues))
        press = pressure(queues, room, means.wall(), ladder)
        pause = means.limiter.wait(self.channel_id, now, chatter, press == "roll-up")
        if pause > 0:
            await wait_for(self.news, pause)
        else:
            await self._begin(group_id, press)
        return True

    async def _begin(self, group_id: int, press: Pressure) -> None:
        """Store the next batch in the ledger and turn it into jobs."""
        means, ladder = self._means, self._means.pace.ladder
        queues = [queue for group in self.places if (queue := self._queues.get(group))]
        batch = take(self._queues[group_id], sum(map(weight, queues)), press, ladder)
        if batch.entries[0].post.kind in UPDATE_KINDS:
            # Earlier posts of this queue are settled, so the message to update exists or never will.
            self._leave(group_id, batch.entries)
            self._act(batch.entries[0])
            return
        wires = await self._explained(compose(batch, persona_name(self.places[group_id].name)))
        deliveries = await means.ledger.begin(batch.entries, wires, self._discords_time())
        self._leave(group_id, batch.entries)
        self.jobs.extend(SendJob(delivery, look=False) for delivery in deliveries)

    def _leave(self, group_id: int, entries: Sequence[Entry]) -> None:
        """Remove entries from their queue."""
        taken = {entry.id for entry in entries}
        self._queues[group_id] = [entry for entry in self._queues[group_id] if entry.id not in taken]

    async def _explained(self, wires: Sequence[OutgoingMessage]) -> Sequence[OutgoingMessage]:
        """Add the consequences of a gate's choices, before storing: the text identifies the message."""
        gate_id = wires[-1].gate_id
        explanation = await self._means.explain(gate_id) if gate_id is not None else ""
        return with_explanation(wires, explanation) if explanation else wires

    async def _try(self, job: SendJob) -> None:
        try:
            await self._finish(job)
        except PlaceArchived as error:
            _log.info("message %s is dropped: %s", job.delivery.id, error)
            await self._means.ledger.drop(job.delivery)
        except ThreadLocked as error:
            job.failures += 1
            _log.warning("message %s waits: %s", job.delivery.id, error)
            self._held[job.delivery.place_key] = self._means.clock() + self._means.pace.after(job.failures)
            return
        except Exception as error:  # noqa: BLE001 - whatever it was, the message is looked for and sent again
            job.look, job.failures = True, job.failures + 1
            foreseen = isinstance(error, HEALS)
            said = f"message {job.delivery.id} of channel {self.channel_id} failed: {error}"
            _log.warning(said, exc_info=not foreseen)
            if job.failures % ATTEMPTS == 0 and not foreseen:
                self._means.posting.simplify(job.delivery)
            await wait_for(self._means.retry, self._means.pace.after(job.failures))
            return
        self.jobs.remove(job)

    async def _finish(self, job: SendJob) -> None:
        delivery = job.delivery
        place = await self._place(delivery.place_key)
        if not delivery.begun_at:
            delivery = job.delivery = await self._means.ledger.sending(delivery, self._discords_time())
        if not (job.look and await self._found(place, delivery)):
            await self._send(place, delivery, tried=job.look)

    def _discords_time(self) -> float:
        return self._means.posting.transport.discords(self._means.wall())

    async def _place(self, group_id: int) -> Place:
        known = self._repaired.get(group_id) or self.places.get(group_id)
        return known or await self._means.provision.ensure(group_id)

    # ------------------------------------------------------------ one message

    async def _send(self, place: Place, delivery: Delivery, tried: bool) -> None:
        """Retry until the message is on Discord; `tried`: an earlier try may have posted it unseen."""
        means, failures = self._means, 0
        while True:
            await self._allowed(place.channel_id)
            try:
                sent = await self._post(place, delivery)
            except TooManyRequests as error:
                _log.info("channel %s: %s", place.channel_id, error)
                means.limiter.refused(
                    place.channel_id, means.clock(), error.seconds, error.scope, error.hidden
                )
            except (OutcomeUnknown, ConnectionFailed) as error:
                failures += 1
                _log.warning("channel %s: %s", place.channel_id, error)
                await asyncio.sleep(means.pace.after(failures))
                tried = tried or isinstance(error, OutcomeUnknown)
                if isinstance(error, OutcomeUnknown) and await self._found(place, delivery):
                    return
            except (TargetDeleted, PermissionMissing, PlaceUnavailable) as error:
                failures += 1
                if not (isinstance(error, TargetDeleted) and error.what == "message"):
                    place = await self._changed(place, delivery, error, failures)
                elif tried:
                    _log.info("message %s was posted, and deleted by people", delivery.id)
                    await means.ledger.drop(delivery)
                    return
                else:  # nothing of it can have been posted; another form has another nonce
                    means.posting.simplify(delivery)
                    await wait_for(means.retry, means.pace.after(failures))
            except Rejected as error:
                _log.warning("message %s of channel %s: %s", delivery.id, place.channel_id, error)
                if not await means.posting.refused(place, delivery, error):
                    if error.fault == "archived":
                        means.posting.begin_again(delivery)
                        await means.provision.say_locked(place)
                        raise ThreadLocked(str(error)) from error
                    failures += 1
                    await wait_for(means.retry, means.pace.after(failures))
            else:
                await means.ledger.sent(delivery, sent)
                return

    async def _post(self, place: Place, delivery: Delivery) -> MessageLocation:
        """Send once and tell the limiter when Discord answered; raises like `Posting.post`."""
        try:
            return await self._means.posting.post(place, delivery)
        finally:
            self._means.limiter.landed(place.channel_id, self._means.clock())

    async def _allowed(self, channel_id: int) -> None:
        """Wait until the limiter allows a post, then count it."""
        limiter, clock = self._means.limiter, self._means.clock
        while (pause := limiter.wait(channel_id, clock(), chatter=False)) > 0:  # noqa: ASYNC110 - it is time we wait for
            await asyncio.sleep(pause)
        limiter.spend(channel_id, clock())

    async def _found(self, place: Place, delivery: Delivery) -> bool:
        """Look for the message in the channel; if it is there, record it as sent and return True."""
        means, failures = self._means, 0
        while True:
            try:
                sent = await means.posting.find(place, delivery)
            except (OutcomeUnknown, ConnectionFailed, TooManyRequests) as error:
                failures += 1
                _log.warning("cannot read channel %s yet: %s", place.channel_id, error)
                await asyncio.sleep(max(means.pace.after(failures), getattr(error, "seconds", 0.0)))
            except (TargetDeleted, PermissionMissing, Rejected, PlaceUnavailable) as error:
                _log.warning("cannot read channel %s, sending again: %s", place.channel_id, error)
                return False
            else:
                if sent is not None:
                    await means.ledger.sent(delivery, sent)
                return sent is not None

    async def _changed(self, place: Place, delivery: Delivery, error: Exception, failures: int) -> Place:
        """Repair a place that people deleted, or wait for a missing permission or guild; return the place.

        A post without a group goes to the server's system channel; PlaceArchived is raised if there is none.
        """
        means = self._means
        _log.warning("channel %s: %s", place.channel_id, error)
        deleted = isinstance(error, TargetDeleted) and error.what == "channel"
        try:
            if delivery.wire.channel_id:
                return means.provision.elsewhere(place, delivery.wire.guild_id, deleted)
            if deleted:
                repaired = await means.provision.repair(place)
                if repaired.target_id != place.target_id:
                    self._repaired[place.group_id] = repaired
                    return repaired
        except (PlaceUnavailable, *DISCORD) as trouble:
            _log.warning("channel %s: there is no other place now: %s", place.channel_id, trouble)
        await wait_for(means.retry, means.pace.after(failures))
        return place
