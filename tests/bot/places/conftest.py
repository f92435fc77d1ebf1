"""The same stage as the outbox's tests."""

from tests.bot.outbox.conftest import database, local, stage

__all__ = ["database", "local", "stage"]
