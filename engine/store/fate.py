"""Whether a transaction of PostgreSQL took effect whose commit was not answered."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

log = logging.getLogger(__name__)

_WAITS_S = (0.0, 0.02, 0.1, 0.3, 1.0, 3.0)
"""Waits before each question to a server that is away, or has not finished the commit."""

_FUTURE = "22023"


class Mark(NamedTuple):
    """A transaction: its number, when it began, and the last checkpoint when its connection was opened."""

    number: str
    began: float
    checkpoint: str


_fate = sa.text(
    "SELECT CASE WHEN checkpoint_lsn::text = :checkpoint"
    " OR checkpoint_time < to_timestamp(:began) - interval '1 second'"
    " OR CAST(CAST(:number AS text) AS numeric) < split_part(next_xid, ':', 1)::numeric * 4294967296"
    " + split_part(next_xid, ':', 2)::numeric"
    " THEN pg_xact_status(CAST(CAST(:number AS text) AS xid8)) END FROM pg_control_checkpoint()"
)
"""A server that crashed has lost commits that were not on the disk, and gives their numbers to others. Its
recovery ends with a checkpoint: a number that this has not seen tells nothing, unless it is older."""


class ResultLost(Exception):
    """The transaction was committed, but the connection was lost before this result arrived."""


class CommitUnknown(Exception):
    """Nobody can say whether a transaction took effect: repeating its work could do it twice."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


Settle = Callable[[Mark], bool | None]
"""Returns whether a transaction took effect, None when that is not known."""


def took_effect(lookups: sa.Engine, mark: Mark) -> bool | None:
    """Return whether a transaction took effect, once that is decided; None when the server cannot be asked,
    or does not decide it, within about 4 seconds."""
    for wait in _WAITS_S:
        time.sleep(wait)
        try:
            with lookups.connect() as connection:
                status = connection.execute(_fate, mark._asdict()).scalar_one()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") == _FUTURE:
                return False
            log.warning("asking for a commit whose answer was lost: %s", error.orig)
        else:
            if status != "in progress":
                return bool(status == "committed")
    return None
