"""Calls to the embedding model: booked at their upper estimate before they are sent, then as they were.

Booked rather than reserved, so that a crash between the two leaves the estimate counted and nothing held.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.prices import has_room
from engine.ports import Quote, Usage
from engine.store.core import AGENTS, BUDGETS, MONTHS, TASKS
from engine.store.lookup import budget_path
from engine.store.months import open_months
from engine.store.spending import Spent, note_spending


@dataclass(frozen=True, slots=True)
class BookedCall:
    """A call that was booked by `quote` at `at`, and the ids of the budgets that it was booked on."""

    agent_id: int
    task_id: int
    space: str
    payer: str
    budgets: tuple[int, ...]
    months: tuple[int, ...]
    model: str
    quote: Quote
    at: float


def book_embedding(
    connection: Connection, agent_id: int, model: str, quote: Quote, now: float
) -> BookedCall | None:
    """Book a call of an agent that is about to be sent; None, and nothing booked, where a cap of its task, of
    a subtree or of the month has no room for it."""
    place = connection.execute(
        sa.select(AGENTS.c.task_id, TASKS.c.space, TASKS.c.payer, BUDGETS.c.path)
        .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
        .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
        .where(AGENTS.c.id == agent_id)
        .with_for_update(of=AGENTS)
    ).one()
    path, need = budget_path(place.path), (quote.cost_micros, quote.tokens)
    if not has_room(connection, BUDGETS, path, *need):
        return None
    months = open_months(connection, place.space, place.payer, now)
    if not has_room(connection, MONTHS, months, *need):
        return None
    where = (tuple(path), tuple(months))
    booked = BookedCall(agent_id, place.task_id, place.space, place.payer, *where, model, quote, now)
    _add(connection, booked, quote, calls=1, estimated=True)
    return booked


def settle_embedding(
    connection: Connection, booked: BookedCall, cost: Quote | None, *, estimated: bool = False
) -> None:
    """Book what the call cost in place of its estimate; None: its endpoint refused it, so it cost nothing.
    `estimated`: the endpoint did not say what it used.

    Where a budget was moved below another meanwhile, that one keeps the estimate.
    """
    quote = booked.quote
    back = Quote(-quote.tokens, -quote.cost_micros, quote.guessed)
    _add(connection, booked, back, calls=-1, estimated=True)
    if cost is not None:
        _add(connection, booked, cost, calls=1, estimated=estimated)


def _add(connection: Connection, booked: BookedCall, cost: Quote, calls: int, *, estimated: bool) -> None:
    """Add a call, or take it back, in the order in which rows are locked: agent, budgets, months."""
    micros, tokens, guessed = cost.cost_micros, cost.tokens, calls * int(cost.guessed)
    mine = {
        "spent_micros": AGENTS.c.spent_micros + micros,
        "prompt_tokens": AGENTS.c.prompt_tokens + tokens,
    }
    connection.execute(AGENTS.update().where(AGENTS.c.id == booked.agent_id).values(**mine))
    counted = {
        "spent_micros": BUDGETS.c.spent_micros + micros,
        "spent_tokens": BUDGETS.c.spent_tokens + tokens,
        "prompt_tokens": BUDGETS.c.prompt_tokens + tokens,
        "calls": BUDGETS.c.calls + calls,
        "unpriced": BUDGETS.c.unpriced + guessed,
        "estimated": BUDGETS.c.estimated + calls * int(estimated),
    }
    for budgets, ids, values in (
        (BUDGETS, booked.budgets, counted),
        (
            MONTHS,
            booked.months,
            {
                "spent_micros": MONTHS.c.spent_micros + micros,
                "spent_tokens": MONTHS.c.spent_tokens + tokens,
            },
        ),
    ):
        held = sa.select(budgets.c.id).where(budgets.c.id.in_(ids)).order_by(budgets.c.id)
        connection.execute(held.with_for_update()).all()
        connection.execute(budgets.update().where(budgets.c.id.in_(ids)).values(**values))
    usage = Usage(tokens, estimated=estimated)
    note_spending(
        connection,
        Spent(
            booked.task_id,
            booked.space,
            booked.payer,
            booked.model,
            micros,
            usage,
            known=not cost.guessed,
            calls=calls,
        ),
        booked.at,
    )
