"""Database migrations, run at every start; `current` tells whether the models have drifted from them."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from engine.errors import NotConfigured
from engine.store.database import sync_engine

HOME = Path(__file__).resolve().parent.parent


def _config() -> Config:
    found = HOME / "alembic.ini"
    if not found.exists():
        raise NotConfigured(f"{found.name} is missing. Run the bot from its checkout (make run).")
    return Config(str(found))


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
