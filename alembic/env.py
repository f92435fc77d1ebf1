"""Joins the metadata of engine and bot into one history of migrations."""

from __future__ import annotations

from typing import Any

from alembic import context
from alembic.migration import MigrationContext
from sqlalchemy import Connection

import bot.storage.guild_tables
import bot.storage.tables
from engine.settings import EngineSettings
from engine.store.database import sync_engine
from engine.store.tables import ENGINE_METADATA

_FOREIGN = ("apscheduler_", "procrastinate_", "memories_fts", "sqlite_", "memory_")


def include_object(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Leave alone what other libraries keep in the same database."""
    return not (
        kind in ("table", "index") and reflected and compare_to is None and (name or "").startswith(_FOREIGN)
    )


def number(current: MigrationContext, _revision: Any, directives: list[Any]) -> None:
    """Number a new migration after the newest."""
    script = current.script
    newest = script.get_current_head() if script is not None else None
    directives[0].rev_id = f"{int(newest or 0) + 1:04}"


def run(connection: Connection) -> None:
    """Migrate over an open connection."""
    context.configure(
        connection=connection,
        target_metadata=[ENGINE_METADATA, bot.storage.tables.BOT_METADATA],
        include_object=include_object,
        render_as_batch=True,
        compare_type=True,
        process_revision_directives=number,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = sync_engine(EngineSettings().sqlite_or_url())
    with engine.begin() as opened:
        run(opened)
    engine.dispose()
