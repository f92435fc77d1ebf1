"""Create tables without migrations, for the databases of scenarios, benchmarks and tests."""

from __future__ import annotations

from engine.store.database import sync_engine
from engine.store.memory import memory_ddl
from engine.store.tables import ENGINE_METADATA


def create_tables(url: str) -> None:
    """Create the engine's tables at `url` where they are missing. Blocking."""
    engine = sync_engine(url)
    try:
        with engine.begin() as connection:
            ENGINE_METADATA.create_all(connection)
            for statement in memory_ddl(connection.dialect.name):
                connection.exec_driver_sql(statement)
    finally:
        engine.dispose()
