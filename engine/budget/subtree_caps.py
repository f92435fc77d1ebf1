"""Caps that a person set for an agent and all below it: warn at 80 %, ask the people at 100 %."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.budget import WARN_PERCENT, CapName, amounts
from engine.domain.gates import SUBTREE_CAP, choices_of
from engine.events import CapReached
from engine.lifecycle.gates import NewGate, raise_gate
from engine.store.core import GATES, AnyRow, append_events, new_key


def used_of(cap: CapName, spent: int, limit: int) -> str:
    """Format the use of a cap: "$0.80 of $1.00", "4 of 5 minutes"."""
    return f"{' of '.join(amounts(cap, spent, limit))}{'' if cap == 'cost' else f' {cap}'}"


def warn_setter(
    connection: Connection, row: AnyRow, agent: AnyRow, at: tuple[CapName, int, int], now: float
) -> None:
    """Append the event that 80 % of a subtree's budget (`row`) is used."""
    reached = CapReached(row.task_id, at[0], WARN_PERCENT, at[1], at[2], agent.id, agent.name, row.set_by)
    append_events(connection, [(f"budget{row.id}.near.{at[0]}.{new_key()}.cap", reached)], now)


def ask_about_subtree_cap(
    connection: Connection, task: AnyRow, row: AnyRow, agent: AnyRow, at: tuple[CapName, int, int], now: float
) -> None:
    """Raise one gate about a stopped subtree, unless one is already open."""
    asked = sa.select(GATES.c.id).where(
        GATES.c.agent_id == agent.id, GATES.c.kind == SUBTREE_CAP, GATES.c.basis.is_(None)
    )
    if connection.execute(asked).first() is not None:
        return
    key = f"budget{row.id}.full.{new_key()}"
    text = (
        f"{agent.name} and all below it have stopped at their cap: {used_of(*at)} used. The others continue. "
        "What should happen now?"
    )
    reached = CapReached(task.id, at[0], 100, at[1], at[2], agent.id, agent.name, row.set_by)
    choices = choices_of(SUBTREE_CAP, wrapped=row.wrapped)
    question = NewGate(SUBTREE_CAP, text, choices, f"{key}.gate", task.root_group_id, agent.id)
    raised = raise_gate(connection, task.id, question, now)
    append_events(connection, [(f"{key}.0", reached), (f"{key}.1", raised)], now)
