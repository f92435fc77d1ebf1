"""Settlement: book the cost of a step to all budgets on its agent's path, and to those of the month."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.effects import StepOutcome
from engine.domain.state import Turn
from engine.ports import ChatAnswer, Quote, Usage
from engine.store.core import AGENTS, BUDGETS, TASKS, AnyRow
from engine.store.lookup import budget_path
from engine.store.months import settle_months
from engine.store.prepared import FetchedRow, PreparedLists, listed
from engine.store.spending import Spent, note_spending


def _settling(length: int) -> sa.Update:
    prompt, completion = (
        sa.bindparam("prompt", type_=sa.BigInteger),
        sa.bindparam("completion", type_=sa.BigInteger),
    )
    return (
        BUDGETS.update()
        .where(BUDGETS.c.id.in_(listed("path", length)))
        .values(
            reserved_micros=BUDGETS.c.reserved_micros - sa.bindparam("held_micros", type_=sa.BigInteger),
            reserved_tokens=BUDGETS.c.reserved_tokens - sa.bindparam("held_tokens", type_=sa.BigInteger),
            spent_micros=BUDGETS.c.spent_micros + sa.bindparam("micros", type_=sa.BigInteger),
            spent_tokens=BUDGETS.c.spent_tokens + prompt + completion,
            prompt_tokens=BUDGETS.c.prompt_tokens + prompt,
            cached_tokens=BUDGETS.c.cached_tokens + sa.bindparam("cached", type_=sa.BigInteger),
            completion_tokens=BUDGETS.c.completion_tokens + completion,
            calls=BUDGETS.c.calls + sa.bindparam("asked", type_=sa.Integer),
            unpriced=BUDGETS.c.unpriced + sa.bindparam("no_price", type_=sa.Integer),
        )
    )


_settle = PreparedLists(_settling)


@dataclass(frozen=True, slots=True)
class _Booking:
    """What a call cost, and the reservation of money and tokens that it ends. `known`: its price is known."""

    usage: Usage
    cost_micros: int | None
    held: tuple[int, int]
    known: bool
    model: str


def settle_budget(
    connection: Connection, turn: Turn, outcome: StepOutcome, me: FetchedRow, now: float
) -> None:
    """Book the step's cost and release the reservation in the agent's row (`me`), which may already be 0."""
    held = (me.reserved_micros, me.reserved_tokens)
    known = outcome.cost_micros is not None and not outcome.guessed
    booking = _Booking(outcome.usage, outcome.cost_micros, held, known, outcome.model)
    _spend(connection, turn, booking, me, now)


def _spend(connection: Connection, turn: Turn, booking: _Booking, me: FetchedRow, now: float) -> None:
    """Book a call on the task's budgets, then on those of the month that hold its reservation."""
    usage, held, micros = booking.usage, booking.held, booking.cost_micros or 0
    settle, ids = _settle.of(path=budget_path(turn.facts.agent.budget_path))
    settle.run(
        connection,
        **ids,
        held_micros=held[0],
        held_tokens=held[1],
        micros=micros,
        prompt=usage.prompt,
        cached=usage.cached,
        completion=usage.completion,
        no_price=int(not booking.known),
        asked=int(turn.rest is None),
    )
    settle_months(connection, me, held, (micros, usage.total), now)
    if micros or usage.total:
        task_id = turn.facts.task.id
        spent = Spent(task_id, me.space, me.payer, booking.model, micros, usage, known=booking.known)
        note_spending(connection, spent, now)


def under_budget(connection: Connection, turn: Turn, budget_id: int) -> Turn:
    """Return the turn with another budget, which the agent got while the model was answering."""
    path = connection.execute(sa.select(BUDGETS.c.path).where(BUDGETS.c.id == budget_id)).scalar_one()
    agent = replace(turn.facts.agent, budget_id=budget_id, budget_path=path)
    return replace(turn, facts=replace(turn.facts, agent=agent))


def _locked(connection: Connection, agent_id: int) -> AnyRow:
    """Lock the agent and return what booking a call of it needs."""
    held = (AGENTS.c.budget_id, AGENTS.c.reserved_micros, AGENTS.c.reserved_tokens, AGENTS.c.held_in)
    query = sa.select(*held, TASKS.c.space, TASKS.c.payer).join(TASKS, TASKS.c.id == AGENTS.c.task_id)
    return connection.execute(query.where(AGENTS.c.id == agent_id).with_for_update(of=AGENTS)).one()


def spend_dropped(connection: Connection, turn: Turn, answer: ChatAnswer, now: float) -> None:
    """Book the cost of an answer that could not be used; the reservation stays for the next call."""
    row = _locked(connection, turn.facts.agent.id)
    turn = under_budget(connection, turn, row.budget_id)
    known = answer.cost_micros is not None and not answer.guessed
    booking = _Booking(answer.usage, answer.cost_micros, (0, 0), known, answer.model)
    _spend(connection, turn, booking, row, now)


def spend_cut(connection: Connection, turn: Turn, quote: Quote | None, now: float) -> None:
    """Book a cancelled call by `quote` (None: it was never sent) and release the agent's reservation."""
    agent_id = turn.facts.agent.id
    row = _locked(connection, agent_id)
    turn = under_budget(connection, turn, row.budget_id)
    held = (row.reserved_micros, row.reserved_tokens)
    micros, tokens = (quote.cost_micros, quote.tokens) if quote else (0, 0)
    if quote or any(held):
        known = not (quote and quote.guessed)
        booking = _Booking(Usage(tokens), micros, held, known, turn.request.model)
        _spend(connection, turn, booking, row, now)
    booked = {
        "reserved_micros": 0,
        "reserved_tokens": 0,
        "held_in": "",
        "spent_micros": AGENTS.c.spent_micros + micros,
        "prompt_tokens": AGENTS.c.prompt_tokens + tokens,
    }
    connection.execute(AGENTS.update().where(AGENTS.c.id == agent_id).values(**booked))
