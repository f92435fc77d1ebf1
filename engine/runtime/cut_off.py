"""Model calls under way, which are cancelled when their agent is paused, dismissed or replaced, or its task
ends.

Whoever changes the agent may be another process, so the store is asked about all agents that wait for their
model at once: every second, and right after a command in this process. How far they are is written down for
people every few seconds, never a token at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.state import Turn
from engine.errors import CallNotSent, StorageFull
from engine.lifecycle.ending import ENDED
from engine.ports import Clock, Database, Written
from engine.store.core import AGENTS, TASKS
from engine.store.model_calls import NotedCall, note_calls

log = logging.getLogger(__name__)

LOOK_S = 1.0
NOTE_S = 3.0
WORTH_NOTING_S = 1.5
"""Seconds of a call before anything is written down about it: most are over by then."""

T = TypeVar("T")
Heard = Callable[[Written], None]


class CutOff(Exception):
    """A model call was cancelled; `sent`: it had reached the endpoint, so it may cost something."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__(sent)
        self.sent = sent


@dataclass(slots=True)
class _Call:
    turn: Turn
    limit: asyncio.Timeout
    began_at: float
    written: Written | None = None

    def heard(self, written: Written) -> None:
        self.written = written


class ModelCalls:
    """The model calls under way in this process, by agent."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._calls: dict[int, _Call] = {}
        self._noted_at = float("-inf")
        self._watch: asyncio.Task[None] | None = None

    async def make(self, turn: Turn, call: Callable[[Heard], Awaitable[T]]) -> T:
        """Return the answer of an agent's call. Raises CutOff when the agent may not go on.

        `call` gets the function that it tells how far the answer is.
        """
        agent_id = turn.facts.agent.id
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look_often(), name="model-calls")
        sent = True
        try:
            async with asyncio.timeout(None) as limit:
                kept = self._calls[agent_id] = _Call(turn, limit, self._clock.now())
                try:
                    return await call(kept.heard)
                except CallNotSent:
                    sent = False
                    raise asyncio.CancelledError from None
        except TimeoutError:
            raise CutOff(sent=sent) from None
        finally:
            self._calls.pop(agent_id, None)

    async def look(self) -> None:
        """Cancel the calls of agents that may not go on."""
        waiting = list(self._calls)
        if not waiting:
            return
        for agent_id in await self._db.read(lambda c: _stopped(c, waiting)):
            call = self._calls.get(agent_id)
            if call is not None and not call.limit.expired():  # else it was told, and takes its time
                call.limit.reschedule(asyncio.get_running_loop().time())

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
                await self.note()
            except StorageFull:
                log.debug("no room to write down how far the model calls are")
            except Exception:
                log.exception("the agents that wait for their model cannot be looked at; trying again")


def _noted(call: _Call, now: float) -> NotedCall:
    facts = call.turn.facts
    return NotedCall(facts.agent.id, facts.task.id, facts.step, call.began_at, now, call.written)


def _stopped(connection: Connection, agents: list[int]) -> list[int]:
    gone = sa.or_(AGENTS.c.status != "active", TASKS.c.state.in_(ENDED))
    query = sa.select(AGENTS.c.id).join(TASKS, TASKS.c.id == AGENTS.c.task_id)
    return list(connection.execute(query.where(AGENTS.c.id.in_(agents), gone)).scalars())
