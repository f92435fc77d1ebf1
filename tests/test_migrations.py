"""Migrations are current, and make an empty database usable."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.migrations import drift, upgrade
from bot.tables import BOT_METADATA
from engine.domain.recall import pack, signs_of
from engine.errors import NotConfigured
from engine.store.core import MEMORIES
from engine.store.database import sync_engine
from engine.store.tables import ENGINE_METADATA


def test_head_matches_the_models(tmp_path: Path) -> None:
    """`alembic check` finds nothing to do after `upgrade head`."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    upgrade(url)
    assert drift(url) == ""


def test_every_table_is_there_and_a_second_start_changes_nothing(tmp_path: Path) -> None:
    """Upgrading twice is harmless; all tables of engine and bot exist."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    upgrade(url)
    upgrade(url)
    engine = sync_engine(url)
    present = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    assert set(ENGINE_METADATA.tables) | set(BOT_METADATA.tables) <= present


def test_a_database_from_the_future_is_refused_in_plain_words(tmp_path: Path) -> None:
    """An older checkout does not touch a newer database, and says what to do."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    upgrade(url)
    engine = sync_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(NotConfigured, match="Update the checkout"):
        upgrade(url)


def test_vectors_kept_before_signs_get_theirs(tmp_path: Path) -> None:
    """Lines remembered by an older version are found by meaning after the update."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    upgrade(url)
    packed = pack([0.5, -1.0, 2.0])
    line = {"text": "Oak floats", "source": "Boss", "key": "k", "created_at": 1.0, "embedding": packed}
    engine = sync_engine(url)
    with engine.begin() as connection:
        connection.execute(MEMORIES.insert().values(**line))
        connection.exec_driver_sql("ALTER TABLE memories DROP COLUMN signs")
        connection.exec_driver_sql("DROP INDEX ix_agents_group")
        connection.exec_driver_sql("CREATE INDEX ix_agents_group_id ON agents (group_id)")
        connection.exec_driver_sql("ALTER TABLE budgets DROP COLUMN set_by")
        connection.exec_driver_sql("ALTER TABLE repeats DROP COLUMN paused_at")
        connection.exec_driver_sql("ALTER TABLE repeats DROP COLUMN paused_why")
        connection.exec_driver_sql("ALTER TABLE repeats DROP COLUMN origin")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")
    upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(MEMORIES.c.signs)).scalar_one() == signs_of(packed)
    engine.dispose()
