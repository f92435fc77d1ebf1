"""Procrastinate jobs in batches: its own SQL functions, called once per batch.

Measured at 590 agents: one at a time, fetching and finishing took eight round trips per turn, half of its
CPU time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from procrastinate import PsycopgConnector, exceptions
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager, NotificationCallback
from psycopg_pool import AsyncConnectionPool

log = logging.getLogger(__name__)

BATCH = 16
"""Jobs fetched at once: more would go to one worker while others have free slots."""

RETRY_S = 1.0
LISTEN_S = 30.0

_FETCH = """
WITH RECURSIVE got (job, number) AS (
    SELECT procrastinate_fetch_job_v2(%(queues)s::varchar[], %(worker)s), 1
    UNION ALL
    SELECT procrastinate_fetch_job_v2(%(queues)s::varchar[], %(worker)s), number + 1
    FROM got WHERE (job).id IS NOT NULL AND number < %(most)s
)
SELECT (job).* FROM got WHERE (job).id IS NOT NULL
"""
_FINISH = """
SELECT procrastinate_finish_job_v1(done.id, done.status::procrastinate_job_status, done.gone)
FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(gone)s::bool[]) AS done(id, status, gone)
JOIN procrastinate_jobs j ON j.id = done.id AND j.status IN ('todo', 'doing')
"""


def open_connector(conninfo: str) -> PsycopgConnector:
    """Return a connector for single statements, each a transaction that does not wait for the disk: the queue
    need not survive a power failure, because a job done twice or left behind is harmless."""

    def pool(**given: Any) -> AsyncConnectionPool:
        # A liveness check would cost as much as the statement itself; failed statements are retried.
        given.pop("check")
        return AsyncConnectionPool(**given)

    kwargs = {"autocommit": True, "options": "-c synchronous_commit=off"}
    return PsycopgConnector(conninfo=conninfo, pool_factory=pool, min_size=2, max_size=4, kwargs=kwargs)


@dataclass(frozen=True, slots=True)
class Places:
    """How many jobs may run at once: `slots` of any queue, and `spare` more of the queue `of_few`."""

    slots: int
    spare: int
    of_few: str


class BatchedJobs(JobManager):
    """A job manager that fetches no more jobs than there are slots and waits for an unavailable server."""

    def __init__(self, connector: PsycopgConnector, conninfo: str, channel: str, places: Places) -> None:
        super().__init__(connector)
        self._conninfo, self._channel, self._places = conninfo, channel, places
        self._kept: deque[Job] = deque()
        self._out = 0
        self._done: list[tuple[int, str, bool]] = []
        self._finishing: asyncio.Task[None] | None = None
        self._notify: NotificationCallback | None = None

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Return the next job, from the last batch while it lasts."""
        if not self._kept:
            await self._fetch(queues, worker_id)
        return self._kept.popleft() if self._kept else None

    async def _fetch(self, queues: Iterable[str] | None, worker_id: int) -> None:
        places, named = self._places, None if queues is None else list(queues)
        room = places.slots - self._out
        if room <= 0:
            room, named = room + places.spare, [places.of_few]
        most = max(1, min(BATCH, room))
        try:
            rows = await self.connector.execute_query_all_async(
                _FETCH, queues=named, worker=worker_id, most=most
            )
        except exceptions.ConnectorException as error:
            log.warning("jobs cannot be fetched, retrying: %s", error)
            return
        self._out += len(rows)
        self._kept.extend(map(Job.from_row, rows))

    def give_back(self) -> list[Job]:
        """Return the fetched jobs that were not started; the caller requeues them."""
        kept = list(self._kept)
        self._kept.clear()
        self._out -= len(kept)
        return kept

    async def finish_job_by_id_async(self, job_id: int, status: Status, delete_job: bool) -> None:
        """Finish a job in one batch with others that end meanwhile; jobs finished elsewhere are ignored."""
        self._done.append((job_id, status.value, delete_job))
        if self._finishing is None:
            self._finishing = asyncio.create_task(self._finish(), name="finish jobs")
        await asyncio.shield(self._finishing)

    async def _finish(self) -> None:
        await asyncio.sleep(0)
        batch, self._done, self._finishing = self._done, [], None
        ids, states, gone = map(list, zip(*batch, strict=True))
        while True:
            try:
                await self.connector.execute_query_all_async(_FINISH, ids=ids, states=states, gone=gone)
                break
            except exceptions.ConnectorException as error:
                log.warning("%s jobs cannot be finished, retrying: %s", len(ids), error)
                await asyncio.sleep(RETRY_S)
        self._out -= len(ids)
        # Their locks are free: another job of the same agent may wait, for which no notification comes.
        await self._look()

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Call back for every new job while this runs."""
        self._notify = on_notification
        while True:
            try:
                await self._listen()
            except psycopg.OperationalError as error:
                log.warning("notifications of new jobs are unavailable, retrying: %s", error)
                await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
            await connection.execute(f'LISTEN "{self._channel}"'.encode())
            while True:
                await self._look()
                async for _ in connection.notifies(timeout=LISTEN_S):
                    await self._look()
                await connection.execute("SELECT 1")

    async def _look(self) -> None:
        if self._notify is not None:
            await self._notify(channel=self._channel, notification={"type": "job_inserted", "job_id": 0})
