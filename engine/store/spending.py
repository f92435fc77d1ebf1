"""What was spent: by task, person, and model or server of tools, in quarters of an hour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from engine.ports import Usage
from engine.queries import SpendingView
from engine.store.core import SPENDING, TASKS
from engine.store.prepared import Prepared

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
        sa.select(*key, TASKS.c.goal, *summed, *counted)
        .join(TASKS, TASKS.c.id == SPENDING.c.task_id)
        .where(wanted)
        .group_by(*key, TASKS.c.goal)
        .order_by(cost.desc(), tokens.desc(), *key)
    )
    return [
        SpendingView(
            row.task_id,
            row.goal,
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


def note_spending(connection: Connection, spent: Spent, now: float) -> None:
    """Add a call to what its task has spent on this model or server."""
    _note[connection.dialect.name].run(
        connection,
        task_id=spent.task_id,
        at=int(now // QUARTER_S) * QUARTER_S,
        kind=spent.kind,
        name=spent.name,
        by=spent.by,
        space=spent.space,
        cost_micros=spent.cost_micros,
        prompt_tokens=spent.usage.prompt,
        completion_tokens=spent.usage.completion,
        calls=spent.calls,
        unpriced=int(not spent.known) * spent.calls,
        estimated=int(spent.usage.estimated) * spent.calls,
    )
