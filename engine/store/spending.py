"""What was spent: by task, person, and model or server of tools, in quarters of an hour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from engine.ports import Usage
from engine.queries import SpendingView
from engine.store.core import MONTHS, SPENDING, TASKS
from engine.store.lookup import budget_path
from engine.store.prepared import Prepared, PreparedLists, listed

QUARTER_S = 900
"""So that a day of any time zone can be summed."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one call used. `name`: the model, or the server of tools; `known`: its price is known.
    `calls`: -1 takes a call back."""

    task_id: int
    space: str
    by: str
    name: str
    cost_micros: int
    usage: Usage = field(default_factory=Usage)
    kind: Literal["model", "outside"] = "model"
    known: bool = True
    calls: int = 1


_KEY = ("task_id", "at", "kind", "name", "by")
_COUNTED = ("cost_micros", "prompt_tokens", "completion_tokens", "calls", "unpriced", "estimated")


def _noting(insert: Any) -> Prepared:
    added = {name: SPENDING.c[name] + insert.excluded[name] for name in _COUNTED}
    statement = insert.on_conflict_do_update(index_elements=list(_KEY), set_=added)
    return Prepared(statement, (*_KEY, "space", *_COUNTED))


_note = {
    "postgresql": _noting(postgresql.insert(SPENDING)),
    "sqlite": _noting(sqlite.insert(SPENDING)),
}


def _noting_in(insert: Callable[[sa.Table], Any], length: int) -> Any:
    """Return the statement that notes in the name and month of budgets of the month, all of one month."""
    given = {name: sa.bindparam(f"given_{name}", type_=SPENDING.c[name].type) for name in (*_KEY, "space")}
    values: dict[str, Any] = {name: sa.bindparam(f"given_{name}") for name in _COUNTED} | given
    booked = sa.select(MONTHS).where(MONTHS.c.id.in_(listed("months", length))).subquery()
    payer = sa.select(sa.func.max(booked.c.by)).where(booked.c.by != "").scalar_subquery()
    last = sa.cast(sa.func.min(booked.c.ends_at), SPENDING.c.at.type) - QUARTER_S
    end = sa.select(last).where(booked.c.ends_at <= sa.cast(given["at"], sa.Float)).scalar_subquery()
    values |= {"by": sa.func.coalesce(payer, given["by"]), "at": sa.func.coalesce(end, given["at"])}
    into = insert(SPENDING)
    added = {name: SPENDING.c[name] + into.excluded[name] for name in _COUNTED}
    return into.values(values).on_conflict_do_update(index_elements=list(_KEY), set_=added)


_note_in = {
    "postgresql": PreparedLists(lambda length: _noting_in(postgresql.insert, length)),
    "sqlite": PreparedLists(lambda length: _noting_in(sqlite.insert, length)),
}


def spending_of(connection: Connection, space: str, since: float, by: str | None) -> list[SpendingView]:
    """Return what was spent in a space since then, by `by` alone if given, the dearest first."""
    wanted = sa.and_(SPENDING.c.space == space, SPENDING.c.at >= int(since))
    if by is not None:
        wanted = sa.and_(wanted, SPENDING.c.by == by)
    cost = sa.func.sum(SPENDING.c.cost_micros)
    tokens = sa.func.sum(SPENDING.c.prompt_tokens + SPENDING.c.completion_tokens)
    key = (SPENDING.c.task_id, SPENDING.c.by, SPENDING.c.kind, SPENDING.c.name)
    summed = (cost.label("cost"), tokens.label("tokens"))
    counted = (
        sa.func.sum(SPENDING.c.calls).label("calls"),
        sa.func.sum(SPENDING.c.unpriced).label("unpriced"),
        sa.func.sum(SPENDING.c.estimated).label("estimated"),
    )
    query = (
        sa.select(*key, TASKS.c.title, TASKS.c.goal, *summed, *counted)
        .join(TASKS, TASKS.c.id == SPENDING.c.task_id)
        .where(wanted)
        .group_by(*key, TASKS.c.title, TASKS.c.goal)
        .order_by(cost.desc(), tokens.desc(), *key)
    )
    return [
        SpendingView(
            row.task_id,
            row.title or row.goal,
            row.by,
            row.kind,
            row.name,
            int(row.cost),
            int(row.tokens),
            int(row.calls),
            int(row.unpriced),
            int(row.estimated),
        )
        for row in connection.execute(query)
    ]


def note_spending(connection: Connection, spent: Spent, now: float, booked_in: str = "") -> None:
    """Add a call to what its task has spent on this model or server.

    `booked_in`: the ids of the month's budgets that it is booked on (`engine.store.months.id_path`): in whose
    name these are, and in which month, counts, though the task is paid for by another person by now, or that
    month is over.
    """
    values = {
        "task_id": spent.task_id,
        "at": int(now // QUARTER_S) * QUARTER_S,
        "kind": spent.kind,
        "name": spent.name,
        "by": spent.by,
        "space": spent.space,
        "cost_micros": spent.cost_micros,
        "prompt_tokens": spent.usage.prompt,
        "completion_tokens": spent.usage.completion,
        "calls": spent.calls,
        "unpriced": int(not spent.known) * spent.calls,
        "estimated": int(spent.usage.estimated) * spent.calls,
    }
    if not booked_in:
        _note[connection.dialect.name].run(connection, **values)
        return
    note, ids = _note_in[connection.dialect.name].of(months=budget_path(booked_in))
    note.run(connection, **ids, **{f"given_{name}": value for name, value in values.items()})
