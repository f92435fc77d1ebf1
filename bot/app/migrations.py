"""Database migrations, run at every start; `drift` tells whether the models have changed since."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

import bot
from engine.errors import NotConfigured
from engine.store.database import sync_engine

INSTALLED = "megaagent_migrations"
"""The package that setup.py makes of the folder `alembic/` for the wheel."""


def _config() -> Config:
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
    config = _config()
    engine = sync_engine(url)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise NotConfigured(
            f"The database was made by a newer version of the bot ({error}). "
            "Update the checkout, then start again."
        ) from error
    finally:
        engine.dispose()


def drift(url: str) -> str:
    """What the models have that the migrations lack, "" when nothing. Blocking; `url` is at head."""
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
