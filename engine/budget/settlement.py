"""Settlement: book the cost of calls to all budgets on their agent's path, and to those of the month."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.prices import has_room
from engine.domain.effects import StepOutcome
from engine.domain.state import Turn
from engine.errors import Charge, Fenced
from engine.ports import ChatAnswer, Quote, Usage
from engine.store.core import AGENTS, BUDGETS, MONTHS, TASKS, AnyRow
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
            estimated=BUDGETS.c.estimated + sa.bindparam("guess", type_=sa.Integer),
        )
    )


_settle = PreparedLists(_settling)


@dataclass(frozen=True, slots=True)
class _Booking:
    """What a call cost, and the reservation of money and tokens that it ends. `known`: its price is known.
    `asked`: 0 where no model was asked."""

    usage: Usage
    cost_micros: int | None
    held: tuple[int, int]
    known: bool
    model: str = ""
    asked: int = 1


def settle_budget(
    connection: Connection, turn: Turn, outcome: StepOutcome, me: FetchedRow, now: float
) -> None:
    """Book the step's cost and release the reservation in the agent's row (`me`), which may already be 0."""
    held = (me.reserved_micros, me.reserved_tokens)
    known = outcome.cost_micros is not None and not outcome.guessed
    asked = int(turn.rest is None)
    booking = _Booking(outcome.usage, outcome.cost_micros, held, known, outcome.model, asked)
    _spend(connection, turn.facts.task.id, turn.facts.agent.budget_path, booking, me, now)


def _spend(
    connection: Connection, task_id: int, path: str, booking: _Booking, me: FetchedRow | AnyRow, now: float
) -> None:
    """Book a call on the task's budgets, then on those of the month that hold its reservation."""
    usage, held, micros = booking.usage, booking.held, booking.cost_micros or 0
    settle, ids = _settle.of(path=budget_path(path))
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
        guess=int(usage.estimated),
        asked=booking.asked,
    )
    settle_months(connection, me, held, (micros, usage.total), now)
    if micros or usage.total:
        spent = Spent(task_id, me.space, me.payer, booking.model, micros, usage, known=booking.known)
        note_spending(connection, spent, now, me.held_in)


def under_budget(connection: Connection, turn: Turn, budget_id: int) -> Turn:
    """Return the turn with another budget, which the agent got while the model was answering."""
    path = connection.execute(sa.select(BUDGETS.c.path).where(BUDGETS.c.id == budget_id)).scalar_one()
    agent = replace(turn.facts.agent, budget_id=budget_id, budget_path=path)
    return replace(turn, facts=replace(turn.facts, agent=agent))


# ---------------------------------------------------------------- calls without a step


def spend_dropped(connection: Connection, turn: Turn, answer: ChatAnswer, now: float) -> None:
    """Book the cost of an answer that could not be used; the reservation stays for the next call.

    Nothing where another process took the agent over and booked the call as lost.
    """
    row = _locked(connection, turn.facts.agent.id)
    if turn.call and row.lost_call == turn.call:
        return
    known = answer.cost_micros is not None and not answer.guessed
    booking = _Booking(answer.usage, answer.cost_micros, (0, 0), known, answer.model)
    _book(connection, row, booking, now, ended=turn.call)


def spend_stopped(connection: Connection, turn: Turn, answer: ChatAnswer, now: float) -> None:
    """Book an answer whose step a stop of the process cut off, unless it was committed by then."""
    row = _locked(connection, turn.facts.agent.id)
    if not turn.call or row.call != turn.call:
        return
    known = answer.cost_micros is not None and not answer.guessed
    held = (row.reserved_micros, row.reserved_tokens)
    booking = _Booking(answer.usage, answer.cost_micros, held, known, answer.model)
    _book(connection, row, booking, now, ended=turn.call)


def spend_cut(connection: Connection, turn: Turn, quote: Quote | None, now: float) -> None:
    """Book a cancelled call by `quote` (None: it cost nothing) and release the agent's reservation."""
    row = _locked(connection, turn.facts.agent.id)
    if row.call not in ("", turn.call):
        return  # another process took the agent over, with this call
    held = (row.reserved_micros, row.reserved_tokens)
    if quote is None:
        booking = _Booking(Usage(), 0, held, known=True, asked=0)
    else:
        usage = Usage(quote.tokens, estimated=True)
        booking = _Booking(usage, quote.cost_micros, held, not quote.guessed, turn.request.model)
    _book(connection, row, booking, now, ended=turn.call)


def spend_unanswered(connection: Connection, turn: Turn, charge: Charge | None, now: float) -> bool:
    """Book an attempt that ended without an answer: as its endpoint counted it, else by its reservation,
    which stays for the next one.

    Return whether that has room. Raises Fenced, with nothing booked, where another process took the agent
    over: that one booked the call.
    """
    row = _locked(connection, turn.facts.agent.id)
    if row.call != turn.call:
        raise Fenced(f"agent {row.id} was taken over during its call")
    if charge is None:
        booking = replace(_as_reserved(row), held=(0, 0))
    else:
        usage = Usage(charge.prompt, charge.cached, charge.completion)
        booking = _Booking(usage, charge.cost_micros, (0, 0), not charge.guessed, charge.model)
    _book(connection, row, booking, now)
    months = budget_path(row.held_in)
    return has_room(connection, BUDGETS, budget_path(row.path), 0) and has_room(connection, MONTHS, months, 0)


def spend_lost(connection: Connection, agent_id: int, call: str, now: float) -> None:
    """Book the call of a process that has gone by its reservation, since nobody knows what it cost."""
    row = _locked(connection, agent_id)
    if row.call != call:
        return
    _book(connection, row, _as_reserved(row), now)
    lost = {"call": "", "lost_call": call}
    connection.execute(AGENTS.update().where(AGENTS.c.id == agent_id).values(**lost))


def _as_reserved(row: AnyRow) -> _Booking:
    held = (row.reserved_micros, row.reserved_tokens)
    return _Booking(Usage(held[1], estimated=True), held[0], held, not row.call_guessed)


def _locked(connection: Connection, agent_id: int) -> AnyRow:
    """Lock the agent and return what booking a call of it needs."""
    held = (
        AGENTS.c.id,
        AGENTS.c.task_id,
        AGENTS.c.reserved_micros,
        AGENTS.c.reserved_tokens,
        AGENTS.c.held_in,
    )
    call = (AGENTS.c.call, AGENTS.c.call_guessed, AGENTS.c.lost_call)
    query = (
        sa.select(*held, *call, TASKS.c.space, TASKS.c.payer, BUDGETS.c.path)
        .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
        .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
    )
    return connection.execute(query.where(AGENTS.c.id == agent_id).with_for_update(of=AGENTS)).one()


def _book(
    connection: Connection, row: AnyRow, booking: _Booking, now: float, ended: str | None = None
) -> None:
    """Book a call on its budgets and its agent; `ended`: a call that is under way no more."""
    if booking.usage.total or booking.cost_micros or any(booking.held):
        _spend(connection, row.task_id, row.path, booking, row, now)
    values: dict[str, object] = {
        "spent_micros": AGENTS.c.spent_micros + (booking.cost_micros or 0),
        "prompt_tokens": AGENTS.c.prompt_tokens + booking.usage.prompt,
        "completion_tokens": AGENTS.c.completion_tokens + booking.usage.completion,
    }
    if any(booking.held):
        values |= {"reserved_micros": 0, "reserved_tokens": 0, "held_in": ""}
    if ended is not None and row.call == ended:
        values["call"] = ""
    connection.execute(AGENTS.update().where(AGENTS.c.id == row.id).values(**values))
