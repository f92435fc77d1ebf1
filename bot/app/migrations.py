"""Database migrations, run at every start; `drift` tells whether the models have changed since."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

import bot
from engine.errors import NotConfigured
from engine.store.database import sync_engine

if TYPE_CHECKING:
    from alembic.config import Config

INSTALLED = "megaagent_migrations"
"""The package that setup.py makes of the folder `alembic/` for the wheel."""

_REVISION = re.compile(r'^revision = "(\w+)"$', re.M)


def newest_revision() -> str:
    """Return the revision that the newest migration brings a database to."""
    newest = max((_folder() / "versions").glob("[0-9]*.py"))
    found = _REVISION.search(newest.read_text(encoding="utf-8"))
    if found is None:
        raise NotConfigured(f"The migration {newest.name} names no revision. Install megaagent again.")
    return found[1]


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a database, None for one without tables."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415 - see `_migrate`

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    return config


def _folder() -> Path:
    """The migrations: of the checkout, or of the installed wheel (whose `alembic/` is the library)."""
    checkout = Path(bot.__file__).resolve().parent.parent / "alembic"
    if (checkout / "versions").is_dir():
        return checkout
    found = find_spec(INSTALLED)
    if found is None or not found.submodule_search_locations:
        raise NotConfigured("The database migrations are missing. Install megaagent again from its wheel.")
    return Path(next(iter(found.submodule_search_locations)))


def upgrade(url: str) -> None:
    """Bring the database at `url` to the newest version. Blocking. Raises NotConfigured in plain words."""
    engine = sync_engine(url)
    try:
        with engine.begin() as connection:
            if revision_of(connection) == newest_revision():
                return
        _migrate(engine)
    finally:
        engine.dispose()


def _migrate(engine: Engine) -> None:
    # Imported here: a start with nothing to migrate need not wait for it.
    from alembic import command  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = _config()
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise NotConfigured(
            f"The database was made by a newer version of the bot ({error}). "
            "Update the checkout, then start again."
        ) from error


def drift(url: str) -> str:
    """What the models have that the migrations lack, "" when nothing. Blocking; `url` is at head."""
    from alembic import command  # noqa: PLC0415 - see `_migrate`
    from alembic.util import CommandError  # noqa: PLC0415

    config = _config()
    engine = sync_engine(url)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.check(config)
    except CommandError as error:
        return str(error)
    finally:
        engine.dispose()
    return ""
