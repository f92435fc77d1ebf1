"""Core tables, JSON columns, and the ordered table of events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from engine.events import EventBody, dump_event
from engine.store.prepared import Prepared, insert_into
from engine.store.tables import (
    ActionRequestRow,
    AgentRow,
    AssignmentRow,
    BudgetRow,
    DecisionRow,
    EngineTable,
    EventRow,
    FileRow,
    GateRow,
    GateRuleRow,
    GroupRow,
    InterventionRow,
    MemoryRow,
    MessageRow,
    ModelCallRow,
    MonthBudgetRow,
    MonthRuleRow,
    OutsideCallRow,
    PackageRequestRow,
    PackageRow,
    ProtectionRow,
    RepeatRow,
    RevisionRow,
    SignInRow,
    SpendingRow,
    StartRow,
    StepRow,
    TaskAddressRow,
    TaskRow,
    WaitRow,
)

AnyRow = Row[*tuple[Any, ...]]


def table(row: type[EngineTable]) -> sa.Table:
    """Return the Core table of a row class."""
    found: sa.Table = row.__table__  # type: ignore[attr-defined]
    return found


TASKS = table(TaskRow)
BUDGETS = table(BudgetRow)
PROTECTIONS = table(ProtectionRow)
ACTION_REQUESTS = table(ActionRequestRow)
MONTH_RULES = table(MonthRuleRow)
MONTHS = table(MonthBudgetRow)
SPENDING = table(SpendingRow)
GROUPS = table(GroupRow)
AGENTS = table(AgentRow)
MESSAGES = table(MessageRow)
STEPS = table(StepRow)
MODEL_CALLS = table(ModelCallRow)
ASSIGNMENTS = table(AssignmentRow)
FILES = table(FileRow)
REVISIONS = table(RevisionRow)
EVENTS = table(EventRow)
GATES = table(GateRow)
GATE_RULES = table(GateRuleRow)
MEMORIES = table(MemoryRow)
REPEATS = table(RepeatRow)
STARTS = table(StartRow)
INTERVENTIONS = table(InterventionRow)
WAITS = table(WaitRow)
OUTSIDE_CALLS = table(OutsideCallRow)
TASK_ADDRESSES = table(TaskAddressRow)
SIGN_INS = table(SignInRow)
DECISIONS = table(DecisionRow)
PACKAGES = table(PackageRow)
PACKAGE_REQUESTS = table(PackageRequestRow)

_ACTOR = "megaagent_actor"
_NOBODY = ("", "")

_ORDER_LOCK = 0x4D656761
"""PostgreSQL assigns identity values before the commit; without this lock readers could skip an event."""

_insert_events = insert_into(EVENTS, "task_id", "key", "kind", "payload_json", "at", "by", "by_name")
_hold_order = Prepared(sa.select(sa.func.pg_advisory_xact_lock(_ORDER_LOCK).label("held")))
waking = Prepared(
    sa.select(MESSAGES.c.priority)
    .where(
        MESSAGES.c.to_agent == sa.bindparam("agent"),
        MESSAGES.c.consumed_step.is_(None),
        MESSAGES.c.wakes,
    )
    .limit(1)
)
"""Selects a row if an agent has an unread message that wakes it."""


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dumps(value: object) -> str:
    """Return compact JSON."""
    return _encoder.encode(value)


_decoder = json.JSONDecoder()


def loads(text: str) -> Any:
    """Parse JSON that `dumps` wrote."""
    return _decoder.raw_decode(text)[0]


def hold_order(connection: Connection) -> None:
    """Lock the numbering of events and revisions until the commit."""
    if connection.dialect.name == "postgresql":
        _hold_order.run(connection)


def new_key() -> str:
    """Return the part of a key that makes it its own, where what it names has no identity of its own.

    The time will not do: two people write, and a state changes twice, in one tick of a coarse clock or in an
    instant that a clock set back repeats.
    """
    return token_hex(8)


def append_events(connection: Connection, events: Sequence[tuple[str, EventBody]], now: float) -> None:
    """Append (key, body) pairs in order. Raises IntegrityError for a known key (a repeated commit)."""
    if not events:
        return
    hold_order(connection)
    actor = connection.info.get(_ACTOR, _NOBODY)
    _insert_events.many(connection, [_event_row(key, body, actor, now) for key, body in events])


def _event_row(key: str, body: EventBody, actor: tuple[str, str], now: float) -> dict[str, Any]:
    kind, payload = dump_event(body)
    row = {"task_id": body.task_id, "key": key, "kind": kind, "payload_json": dumps(payload), "at": now}
    return row | {"by": actor[0], "by_name": actor[1]}


@contextmanager
def acting(connection: Connection, by: str, by_name: str) -> Iterator[None]:
    """Let every event that is appended inside say which person caused it."""
    connection.info[_ACTOR] = (by, by_name)
    try:
        yield
    finally:
        connection.info.pop(_ACTOR, None)


def new_id(connection: Connection, target: sa.Table, values: dict[str, Any]) -> int:
    """Insert a row. Return its id."""
    return int(connection.execute(target.insert().values(**values)).inserted_primary_key[0])  # type: ignore[index]
