"""The budget tree: the task's own budget, and one for each head or member with caps of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.notices import outdate_notices
from engine.domain.budget import Budget
from engine.lifecycle.agents import subtree
from engine.store.core import AGENTS, BUDGETS, AnyRow, new_id


def budgets_of(connection: Connection, task_id: int) -> list[AnyRow]:
    """Return the rows of a task's budgets, the task's own first."""
    query = sa.select(BUDGETS).where(BUDGETS.c.task_id == task_id).order_by(BUDGETS.c.id)
    return list(connection.execute(query))


def budget_of(connection: Connection, agent_id: int) -> list[Budget]:
    """Return the budgets an agent spends from, the task's own first, without the agent's own reservation."""
    agent = connection.execute(
        sa.select(AGENTS.c.reserved_micros, AGENTS.c.reserved_tokens, BUDGETS.c.path)
        .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
        .where(AGENTS.c.id == agent_id)
    ).one()
    ids = [int(part) for part in agent.path.split("/") if part]
    rows = connection.execute(sa.select(BUDGETS).where(BUDGETS.c.id.in_(ids)).order_by(BUDGETS.c.id))
    return [as_budget(row, agent.reserved_micros, agent.reserved_tokens) for row in rows]


def as_budget(row: AnyRow, own_micros: int = 0, own_tokens: int = 0) -> Budget:
    """Convert a row for the budget rules, without the given own reservation."""
    return Budget(
        row.id,
        row.agent_id,
        row.cap_micros,
        row.cap_tokens,
        row.spent_micros,
        row.spent_tokens,
        row.reserved_micros - own_micros,
        row.reserved_tokens - own_tokens,
    )


@dataclass(frozen=True, slots=True)
class SubtreeCaps:
    """Caps of a subtree, None for no change: spending in all, agents in all, minutes from now on.

    `by`: the person who sets them, None when a head does.
    """

    micros: int | None = None
    tokens: int | None = None
    agents: int | None = None
    minutes: int | None = None
    by: str | None = None

    def columns(self, now: float) -> dict[str, int | float | str]:
        """Return the budget columns to change; minutes count from `now`."""
        deadline = None if self.minutes is None else now + self.minutes * 60
        values = {
            "cap_micros": self.micros,
            "cap_tokens": self.tokens,
            "cap_agents": self.agents,
            "cap_minutes": self.minutes,
            "deadline_at": deadline,
            "set_by": self.by,
        }
        return {name: value for name, value in values.items() if value is not None}


def set_budget(connection: Connection, agent_id: int, caps: SubtreeCaps, now: float) -> int:
    """Cap what an agent and all below it may use. Return the budget's id.

    The first call inserts a budget below the one that the agent spent from. Later calls replace the given
    caps and resume a stopped subtree.
    """
    agent = connection.execute(sa.select(AGENTS).where(AGENTS.c.id == agent_id)).one()
    own = connection.execute(sa.select(BUDGETS).where(BUDGETS.c.id == agent.budget_id)).one()
    if own.agent_id != agent.id:
        return _new_budget(connection, agent, own, caps.columns(now))
    outdate_notices(connection, BUDGETS.c.id == own.id)
    changed = BUDGETS.update().where(BUDGETS.c.id == own.id).values(warned=0, **caps.columns(now))
    connection.execute(changed)
    freeze(connection, own.id, frozen=False)
    return int(own.id)


def _new_budget(
    connection: Connection, agent: AnyRow, parent: AnyRow, columns: dict[str, int | float | str]
) -> int:
    """Insert a subtree's budget; it takes over the reservations and the budgets below the agent."""
    below = _locked_subtree(connection, agent.id)
    holds = {
        name: sum(getattr(row, name) for row in below) for name in ("reserved_micros", "reserved_tokens")
    }
    values = {"task_id": agent.task_id, "agent_id": agent.id, **holds, **columns}
    number, path = _insert_budget(connection, values, parent.id, parent.path)
    ids = [row.id for row in below]
    mine = AGENTS.update().where(AGENTS.c.id.in_(ids), AGENTS.c.budget_id == parent.id)
    connection.execute(mine.values(budget_id=number))
    inner = sa.select(BUDGETS).where(BUDGETS.c.parent_id == parent.id, BUDGETS.c.id != number)
    for row in connection.execute(inner.where(BUDGETS.c.agent_id.in_(ids))).all():
        _move_under(connection, row, number, path)
    return number


def _locked_subtree(connection: Connection, agent_id: int) -> Sequence[AnyRow]:
    """Lock and return the agent and all below it, so that none reserves, settles or recruits meanwhile.

    With those who have left: one may still be in a call, and hold its reservation in a budget that moves.
    """
    rows: Sequence[AnyRow] = []
    wanted = sa.select(AGENTS.c.id, AGENTS.c.reserved_micros, AGENTS.c.reserved_tokens)
    while len(rows) < len(ids := [row.id for row in subtree(connection, agent_id, dismissed=True)]):
        held = wanted.where(AGENTS.c.id.in_(ids)).order_by(AGENTS.c.id).with_for_update()
        rows = connection.execute(held).all()
    return rows


def _insert_budget(
    connection: Connection, values: dict[str, object], parent_id: int, parent_path: str
) -> tuple[int, str]:
    number = new_id(connection, BUDGETS, values | {"parent_id": parent_id})
    path = f"{parent_path}{number}/"
    connection.execute(BUDGETS.update().where(BUDGETS.c.id == number).values(path=path))
    return number, path


def _move_under(connection: Connection, row: AnyRow, parent_id: int, parent_path: str) -> None:
    """Move a budget and all budgets below it under another parent.

    Each gets a new id, because a path never changes: a running call detects the move by the id.
    """
    values = {name: value for name, value in row._mapping.items() if name not in ("id", "path", "parent_id")}
    number, path = _insert_budget(connection, values, parent_id, parent_path)
    for child in connection.execute(sa.select(BUDGETS).where(BUDGETS.c.parent_id == row.id)).all():
        _move_under(connection, child, number, path)
    connection.execute(AGENTS.update().where(AGENTS.c.budget_id == row.id).values(budget_id=number))
    connection.execute(BUDGETS.delete().where(BUDGETS.c.id == row.id))


def capped_by(connection: Connection, task_id: int, name_key: str) -> str:
    """Return the person who capped an agent's subtree; "" when its head did or no cap exists."""
    query = sa.select(BUDGETS.c.set_by).join(AGENTS, AGENTS.c.id == BUDGETS.c.agent_id)
    mine = query.where(AGENTS.c.task_id == task_id, AGENTS.c.name_key == name_key)
    return connection.execute(mine).scalar() or ""


def room_for_agents(connection: Connection, path: list[int]) -> int | None:
    """Return how many agents may still join below the budgets of a path; None when none of them caps it."""
    rooms: list[int] = []
    capped = sa.select(BUDGETS).where(BUDGETS.c.id.in_(path), BUDGETS.c.cap_agents.is_not(None))
    for row in connection.execute(capped).all():
        inside = (
            sa.select(sa.func.count())
            .select_from(AGENTS.join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id))
            .where(BUDGETS.c.path.startswith(row.path, autoescape=True), AGENTS.c.status != "dismissed")
        )
        rooms.append(int(row.cap_agents) - int(connection.execute(inside).scalar_one()))
    return min(rooms, default=None)


def freeze(connection: Connection, budget_id: int, *, frozen: bool) -> None:
    """Stop or resume all agents that spend from a budget or one below it; running calls still settle."""
    path = connection.execute(sa.select(BUDGETS.c.path).where(BUDGETS.c.id == budget_id)).scalar_one()
    connection.execute(
        BUDGETS.update().where(BUDGETS.c.path.startswith(path, autoescape=True)).values(frozen=frozen)
    )
