"""Leader election on PostgreSQL: the holder of an advisory lock runs the schedule."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import psycopg

from engine.store.database import conninfo_of

log = logging.getLogger(__name__)

ELECTION_LOCK = 0x4D656762
CAMPAIGN_S = 5.0


class Election:
    """Election of the one process on a database that runs the schedule, by an advisory lock.

    `on_change(elected)` is called at each change.
    """

    def __init__(self, url: str, on_change: Callable[[bool], Awaitable[None]]) -> None:
        self._url, self._on_change = url, on_change
        self._held: psycopg.AsyncConnection[tuple[object, ...]] | None = None
        self._campaign: asyncio.Task[None] | None = None
        self.elected = False

    async def start(self) -> None:
        """Take part in the election until `stop`."""
        self._campaign = asyncio.create_task(self._campaign_loop(), name="election")

    async def stop(self) -> None:
        """Leave the election and release the lock."""
        if self._campaign is not None:
            self._campaign.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._campaign
        try:
            await self._set_elected(False)
        finally:  # only now: the next process begins when the lock is free
            await self._release()

    async def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            await held.close()

    async def _campaign_loop(self) -> None:
        while True:
            try:
                await self._set_elected(await self._holds())
            except psycopg.Error as error:
                log.warning("no longer elected, retrying: %s", error)
                await self._release()
                await self._set_elected(False)
            await asyncio.sleep(CAMPAIGN_S)

    async def _holds(self) -> bool:
        if self._held is None:
            self._held = await psycopg.AsyncConnection.connect(conninfo_of(self._url), autocommit=True)
        if self.elected:
            await self._held.execute("SELECT 1")
            return True
        found = await self._held.execute("SELECT pg_try_advisory_lock(%s)", [ELECTION_LOCK])
        row = await found.fetchone()
        return bool(row and row[0])

    async def _set_elected(self, elected: bool) -> None:
        if elected != self.elected:
            self.elected = elected
            await self._on_change(elected)
