"""Model calls under way, which are cancelled when their agent is paused, dismissed or replaced, or its task
ends.

Whoever changes the agent may be another process, so the store is asked about all agents that wait for their
model at once: every second, and right after a command in this process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.errors import CallNotSent
from engine.lifecycle.ending import ENDED
from engine.ports import Database
from engine.store.core import AGENTS, TASKS

log = logging.getLogger(__name__)

LOOK_S = 1.0
T = TypeVar("T")


class CutOff(Exception):
    """A model call was cancelled; `sent`: it had reached the endpoint, so it may cost something."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__(sent)
        self.sent = sent


class ModelCalls:
    """The model calls under way in this process, by agent."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._calls: dict[int, asyncio.Timeout] = {}
        self._watch: asyncio.Task[None] | None = None

    async def make(self, agent_id: int, call: Awaitable[T]) -> T:
        """Return the answer of an agent's call. Raises CutOff when the agent may not go on."""
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look_often(), name="model-calls")
        sent = True
        try:
            async with asyncio.timeout(None) as limit:
                self._calls[agent_id] = limit
                try:
                    return await call
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
            limit = self._calls.get(agent_id)
            if limit is not None:
                limit.reschedule(asyncio.get_running_loop().time())

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
            except Exception:
                log.exception("the agents that wait for their model cannot be looked at; trying again")


def _stopped(connection: Connection, agents: list[int]) -> list[int]:
    gone = sa.or_(AGENTS.c.status != "active", TASKS.c.state.in_(ENDED))
    query = sa.select(AGENTS.c.id).join(TASKS, TASKS.c.id == AGENTS.c.task_id)
    return list(connection.execute(query.where(AGENTS.c.id.in_(agents), gone)).scalars())
