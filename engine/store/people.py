"""The people who took part in a task, as agents and people read their names."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.naming import person_keys
from engine.store.core import EVENTS, MESSAGES
from engine.store.prepared import Prepared

_task = sa.bindparam("task", type_=sa.Integer)
_acted = sa.select(EVENTS.c.by_name.label("named")).where(
    EVENTS.c.task_id == _task, EVENTS.c.by_name != sa.literal_column("''")
)
_spoke = sa.select(MESSAGES.c.from_name.label("named")).where(
    MESSAGES.c.task_id == _task, MESSAGES.c.from_kind == sa.literal_column("'person'")
)
_people = Prepared(_acted.union(_spoke))


def people_keys(connection: Connection, task_id: int) -> frozenset[str]:
    """Return the keys of the names of everybody who started a task, spoke in it, decided or changed something
    in it."""
    return frozenset().union(*(person_keys(row.named) for row in _people.all(connection, task=task_id)))
