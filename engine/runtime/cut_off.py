"""Model calls under way: cancelled when their agent is paused, dismissed or replaced, or its task ends, and
counted attempt by attempt.

Whoever changes the agent may be another process, so the store is asked about all agents that wait for their
model at once: every second, and right after a command in this process. How far they are is written down for
people every few seconds, never a token at a time.

The store takes a loaded call for one that may have been sent, so that it is booked should this process die.
One that waits for its turn longer than a moment is noted as not sent, and noted again before it is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.settlement import spend_unanswered
from engine.domain.state import Turn
from engine.errors import CallNotSent, Charge, Fenced, ModelRefused, StorageFull
from engine.lifecycle.ending import ENDED
from engine.ports import Clock, Database, Written
from engine.store.core import AGENTS, TASKS
from engine.store.model_calls import NotedCall, note_calls, note_sent, note_waiting

log = logging.getLogger(__name__)

LOOK_S = 1.0
UNSENT_S = 2.0
NOTE_S = 3.0
WORTH_NOTING_S = 1.5
"""Seconds of a call before anything is written down about it: most are over by then."""

T = TypeVar("T")


class CutOff(Exception):
    """A model call was cancelled; `sent`: it had reached the endpoint, so it may cost something."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__(sent)
        self.sent = sent


class NotAsked(ModelRefused):
    """The endpoint refused requests of the task for one reason until it was not asked any more."""

    free = True

    def __init__(self) -> None:
        super().__init__(
            "Its endpoint refused this task's requests, so it was not asked again. When that is repaired, "
            "write to the agent."
        )


class NoRoom(Exception):
    """An attempt that ended without an answer was booked, and a cap has no room for the next."""


async def _nothing_open() -> None:
    """Return at once."""


@dataclass(slots=True, eq=False)
class ModelCall:
    """One call, the meter of its attempts. `at_stake`: an attempt may have been sent and is not booked;
    `noted`: the store says so too."""

    turn: Turn
    store: _CallNotes
    began_at: float
    limit: asyncio.Timeout | None = None
    written: Written | None = None
    refusing: Callable[[], bool] = lambda: False
    settled: Callable[[], Awaitable[None]] = _nothing_open
    at_stake: bool = True
    noted: bool = True
    waits_since: float = 0.0

    def heard(self, written: Written) -> None:
        """Keep how far the answer is."""
        self.written = written

    def returned(self) -> None:
        """See `CallMeter`."""
        if self.at_stake:
            self.at_stake, self.written, self.waits_since = False, None, time.monotonic()

    async def before_send(self) -> None:
        """See `CallMeter`. Raises NotAsked where the endpoint refused others meanwhile."""
        await self.settled()
        if self.refusing():
            raise NotAsked
        if not self.noted:
            await self.store.note_sent(self)
        self.at_stake = True

    async def unanswered(self, charge: Charge | None) -> None:
        """See `CallMeter`. Raises NoRoom, or Fenced where another process took the agent over."""
        has_room = await self.store.book(self.turn, charge)
        self.returned()
        if not has_room:
            raise NoRoom


class _CallNotes:
    """What the store says of calls. One note at a time: those of one call never overtake each other."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._lock = asyncio.Lock()

    async def book(self, turn: Turn, charge: Charge | None) -> bool:
        now = self._clock.now()
        return await self._db.write(lambda c: spend_unanswered(c, turn, charge, now))

    async def note_sent(self, call: ModelCall) -> None:
        async with self._lock:
            turn = call.turn
            if not await self._db.write(
                lambda c: note_sent(c, turn.facts.agent.id, turn.call), durable=False
            ):
                raise Fenced(f"agent {turn.facts.agent.id} was taken over before its call was sent")
            call.noted = True

    async def note_waiting(self, calls: Sequence[ModelCall]) -> None:
        async with self._lock:
            waiting = [call for call in calls if not call.at_stake and call.noted]
            for call in waiting:
                call.noted = False
            names = {call.turn.facts.agent.id: call.turn.call for call in waiting}
            if names:
                await self._db.write(lambda c: note_waiting(c, names), durable=False)


class ModelCalls:
    """The model calls under way in this process, by agent."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._notes = _CallNotes(db, clock)
        self._calls: dict[int, ModelCall] = {}
        self._noted_at = float("-inf")
        self._watch: asyncio.Task[None] | None = None

    def of(
        self, turn: Turn, refusing: Callable[[], bool], settled: Callable[[], Awaitable[None]]
    ) -> ModelCall:
        """Return the call of a turn, to be made; `refusing` says just before whether it is of no use, once
        `settled` has returned."""
        return ModelCall(turn, self._notes, self._clock.now(), refusing=refusing, settled=settled)

    async def make(self, call: ModelCall, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer of an agent's call. Raises CutOff when the agent may not go on."""
        agent_id = call.turn.facts.agent.id
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look_often(), name="model-calls")
        try:
            async with asyncio.timeout(None) as call.limit:
                self._calls[agent_id] = call
                try:
                    return await ask()
                except CallNotSent:
                    call.returned()
                    raise asyncio.CancelledError from None
        except TimeoutError:
            raise CutOff(sent=call.at_stake) from None
        finally:
            self._calls.pop(agent_id, None)

    async def look(self) -> None:
        """Cancel the calls of agents that may not go on."""
        waiting = list(self._calls)
        if not waiting:
            return
        for agent_id in await self._db.read(lambda c: _stopped(c, waiting)):
            limit = call.limit if (call := self._calls.get(agent_id)) else None
            if limit is not None and not limit.expired():  # else it was told, and takes its time
                limit.reschedule(asyncio.get_running_loop().time())

    async def note(self) -> None:
        """Write down how far the calls are that people may wait for, unless that was done just now."""
        now = self._clock.now()
        if 0 <= now - self._noted_at < NOTE_S:
            return
        lasting = [
            _noted(call, now) for call in self._calls.values() if now - call.began_at >= WORTH_NOTING_S
        ]
        if lasting:
            self._noted_at = now
            await self._db.write(lambda c: note_calls(c, lasting), durable=False)

    async def note_waiting(self) -> None:
        """Note which calls have waited for their turn for a moment: they cost nothing should this process
        die."""
        before = time.monotonic() - UNSENT_S
        calls = [call for call in self._calls.values() if not call.at_stake and call.waits_since <= before]
        await self._notes.note_waiting(calls)

    async def stop(self) -> None:
        """Look no more."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def _look_often(self) -> None:
        while self._calls:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
                await self.note_waiting()
                await self.note()
            except StorageFull:
                log.debug("no room to write down how far the model calls are")
            except Exception:
                log.exception("the agents that wait for their model cannot be looked at; trying again")


def _noted(call: ModelCall, now: float) -> NotedCall:
    facts = call.turn.facts
    return NotedCall(facts.agent.id, facts.task.id, facts.step, call.began_at, now, call.written)


def _stopped(connection: Connection, agents: list[int]) -> list[int]:
    gone = sa.or_(AGENTS.c.status != "active", TASKS.c.state.in_(ENDED))
    query = sa.select(AGENTS.c.id).join(TASKS, TASKS.c.id == AGENTS.c.task_id)
    return list(connection.execute(query.where(AGENTS.c.id.in_(agents), gone)).scalars())
