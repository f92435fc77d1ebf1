"""What was really run in a task, read from its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.account import Ran, account_of, newest
from engine.events import CodeRan, FileWritten
from engine.store.core import EVENTS, FILES, loads

_KINDS = (CodeRan.__name__, FileWritten.__name__)


def runs_of(connection: Connection, task_id: int) -> list[Ran]:
    """The newest run of each command; one older than the newest change of a file is marked so."""
    query = sa.select(EVENTS.c.kind, EVENTS.c.payload_json).where(
        EVENTS.c.task_id == task_id, EVENTS.c.kind.in_(_KINDS)
    )
    runs: list[Ran] = []
    for row in connection.execute(query.order_by(EVENTS.c.seq)):
        if row.kind == CodeRan.__name__:
            runs.append(_ran(loads(row.payload_json)))
        else:
            runs = [replace(ran, stale=True) for ran in newest(runs)]
    return newest(runs)


def last_run(connection: Connection, task_id: int, agent_id: int) -> Ran | None:
    """The last run of one agent, None when it ran nothing."""
    query = sa.select(EVENTS.c.payload_json).where(
        EVENTS.c.task_id == task_id, EVENTS.c.kind == CodeRan.__name__
    )
    runs = [loads(payload) for payload in connection.execute(query.order_by(EVENTS.c.seq)).scalars()]
    return next((_ran(seen) for seen in reversed(runs) if seen["agent_id"] == agent_id), None)


def _ran(seen: Mapping[str, Any]) -> Ran:
    return Ran(seen["command"], seen["exit_code"], seen["ended"], seen["output"], seen.get("typed", 0))


def account(connection: Connection, task_id: int) -> str:
    """The report that runs and files give."""
    there = sa.and_(FILES.c.task_id == task_id, FILES.c.blob.is_not(None))
    files = connection.execute(sa.select(FILES.c.path).where(there).order_by(FILES.c.path)).scalars()
    return account_of(runs_of(connection, task_id), list(files))
