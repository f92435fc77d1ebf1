"""A real SQLite database behind the engine's Database port, run inline: no thread for tests to wait on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from bot.storage import guild_tables
from bot.storage.tables import BOT_METADATA

T = TypeVar("T")


@cache
def _empty(tables: tuple[sa.MetaData, ...]) -> bytes:
    """A database with these tables, made once."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    for each in tables:
        each.create_all(engine)
    pooled: Any = engine.raw_connection()
    made: bytes = pooled.driver_connection.serialize()
    pooled.close()
    engine.dispose()
    return made


class InlineDatabase:
    """In memory, with every table of the bot."""

    url, trouble = "sqlite://", ""

    def __init__(self) -> None:
        self._engine = create_engine(
            self.url, poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
        assert guild_tables.GuildRow.metadata is BOT_METADATA
        self.fill(BOT_METADATA)

    def fill(self, *tables: sa.MetaData) -> None:
        """Put in these tables, and nothing else."""
        pooled: Any = self._engine.raw_connection()
        pooled.driver_connection.deserialize(_empty(tables))
        pooled.close()

    async def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Run `work` in a transaction."""
        return self.write_now(work)

    def report_full(self) -> None:
        """In memory there is always room."""

    def write_now(self, work: Callable[[Connection], T]) -> T:
        """As `write`, for callers that cannot wait."""
        with self._engine.begin() as connection:
            return work(connection)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction."""
        return await self.write(work)

    async def read_durable(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction."""
        return await self.write(work)

    async def close(self) -> None:
        """Drop everything."""
        self.dispose()

    def dispose(self) -> None:
        """Drop everything, without a loop."""
        self._engine.dispose()
