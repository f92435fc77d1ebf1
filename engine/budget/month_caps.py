"""Reaction to the budgets of a month: told at 50, 80 and 100 %; a task whose next call does not fit pauses,
the people are asked, and it resumes where there is room again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import MonthRule, SetMonthRule
from engine.domain.budget import Budget, SpendCap
from engine.domain.gates import HALF, GateBasis, choices_of
from engine.domain.models import DEMONSTRATION
from engine.domain.months import FULL, bits_of, due_notices, month_at, reached, refusal, used
from engine.errors import Invalid, Refusal
from engine.events import EventBody, MonthBudgetReached
from engine.lifecycle.gates import NewGate, raise_gate
from engine.lifecycle.task_state import reopen, set_state
from engine.ports import Quote, Wake
from engine.store.core import AGENTS, MONTH_RULES, MONTHS, TASKS, AnyRow, append_events, new_key
from engine.store.lookup import budget_path
from engine.store.months import (
    both_left,
    caps_of,
    hold_rule,
    left_in_month,
    months_of_agent,
    open_ids,
    rule_of,
    spent_since,
)

STALE_S = 3_600.0
"""Seconds after a task's end for which a call may still be under way and hold a reservation."""


# ---------------------------------------------------------------- what is left


def why_nothing_starts(connection: Connection, space: str, by: str, now: float) -> Refusal | None:
    """Return why a person may start nothing in a space; None while there is room."""
    return next(
        (refusal(left, by) for left in both_left(connection, space, by, now) if left.used_up),
        None,
    )


def check_month(connection: Connection, space: str, by: str, now: float, model: str | None = "") -> None:
    """Check that the budgets of the month have room; a demonstration costs nothing. Raises Invalid."""
    why = None if model == DEMONSTRATION else why_nothing_starts(connection, space, by, now)
    if why:
        raise Invalid(why.reason, why.next_step)


def month_budgets(connection: Connection, agent_id: int, now: float) -> list[Budget]:
    """Return the budgets of the month that an agent spends from, without its own reservation.

    Those that the refused reservation had opened are opened again: nothing of it was committed.
    """
    held = (AGENTS.c.held_in, AGENTS.c.reserved_micros, AGENTS.c.reserved_tokens)
    place = sa.select(*held, TASKS.c.space, TASKS.c.payer).join(TASKS, TASKS.c.id == AGENTS.c.task_id)
    agent = connection.execute(place.where(AGENTS.c.id == agent_id)).one()
    found = months_of_agent.all(connection, agent=agent_id, now=now)
    ids = open_ids(connection, found, agent, now)
    rows = connection.execute(sa.select(MONTHS).where(MONTHS.c.id.in_(ids)).order_by(MONTHS.c.id)).all()
    own = (agent.reserved_micros, agent.reserved_tokens)
    mine = set(budget_path(agent.held_in))
    return [as_month(row, *(own if row.id in mine else (0, 0))) for row in rows]


def as_month(row: AnyRow, own_micros: int = 0, own_tokens: int = 0) -> Budget:
    """Convert a row for the budget rules, without the given own reservation."""
    return Budget(
        row.id,
        None,
        row.cap_micros,
        row.cap_tokens,
        row.spent_micros,
        row.spent_tokens,
        row.reserved_micros - own_micros,
        row.reserved_tokens - own_tokens,
        row.month,
        row.by,
    )


# ---------------------------------------------------------------- warnings


def months_to_announce(connection: Connection, now: float) -> list[int]:
    """Return the ids of the month's budgets of which more is used than was told."""
    current = sa.and_(MONTHS.c.begins_at <= now, MONTHS.c.ends_at > now)
    capped = sa.or_(MONTHS.c.cap_micros.is_not(None), MONTHS.c.cap_tokens.is_not(None))
    rows = connection.execute(sa.select(MONTHS).where(current, capped).order_by(MONTHS.c.id))
    return [row.id for row in rows if bits_of(reached(as_month(row))) & ~row.warned]


def warn_months(connection: Connection, ids: Sequence[int], now: float) -> None:
    """Tell once of each cap how much of it is used, by events."""
    held = sa.select(MONTHS).where(MONTHS.c.id.in_(ids)).order_by(MONTHS.c.id).with_for_update()
    for row in connection.execute(held).all():
        _announce(connection, row, reached(as_month(row)), now)


def _announce(
    connection: Connection, row: AnyRow, found: Sequence[tuple[SpendCap, int, int, int]], now: float
) -> None:
    told = due_notices(found, row.warned)
    warned = row.warned | bits_of(found)
    connection.execute(MONTHS.update().where(MONTHS.c.id == row.id).values(warned=warned))
    zone = rule_of(connection, row.space).zone
    events: list[tuple[str, EventBody]] = [
        (
            f"month{row.id}.{cap}.{percent}.{limit}.{new_key()}",
            MonthBudgetReached(0, row.space, row.by, row.month, zone, cap, percent, spent, limit),
        )
        for cap, percent, spent, limit in told
    ]
    append_events(connection, events, now)


# ---------------------------------------------------------------- pause and resume


def pause_for_month(connection: Connection, task: AnyRow, budget: Budget, need: Quote, now: float) -> None:
    """Pause a running task, because a call did not fit into a budget of the month, and ask the people.

    Nobody can wrap up without a call: also an unattended task waits.
    """
    row = connection.execute(sa.select(MONTHS).where(MONTHS.c.id == budget.id).with_for_update()).one()
    cap, spent, limit = budget.binding(need)
    _announce(connection, row, [*reached(as_month(row)), (cap, 100, spent, limit)], now)
    left = left_in_month(connection, row.space, row.by, now)
    whose = "of the person in whose name this task runs" if row.by else "of this server"
    set_state(connection, task, "paused", f"the budget {whose} for {row.month} is used up", now, "month")
    text = (
        f"The next model call does not fit within the budget {whose} for {row.month} "
        f"(time zone {left.zone}): {used(left)} used. What should happen now?"
    )
    key = f"t{task.id}.month.{new_key()}"
    question = NewGate("month", text, choices_of("month"), f"{key}.gate", task.root_group_id)
    append_events(connection, [(key, raise_gate(connection, task.id, question, now))], now)


def paused_for_month(connection: Connection, space: str | None = None) -> list[int]:
    """Return the ids of the tasks that wait for room in a budget of the month, in one space or in all."""
    waiting = sa.and_(TASKS.c.state == "paused", TASKS.c.paused_for == "month")
    if space is not None:
        waiting = sa.and_(waiting, TASKS.c.space == space)
    return list(connection.execute(sa.select(TASKS.c.id).where(waiting).order_by(TASKS.c.id)).scalars())


def resume_with_room(
    connection: Connection, tasks: Sequence[int], basis: GateBasis, now: float
) -> tuple[Wake, ...]:
    """Resume those of the waiting tasks whose month's budgets have room again. Return the agents to wake."""
    wakes: list[Wake] = []
    for row in _locked(connection, tasks):
        if not any(left.used_up for left in both_left(connection, row.space, row.payer, now)):
            wakes += reopen(connection, row, basis, now)
    return tuple(wakes)


def _locked(connection: Connection, tasks: Sequence[int]) -> Sequence[AnyRow]:
    waiting = sa.and_(TASKS.c.id.in_(tasks), TASKS.c.paused_for == "month", TASKS.c.state == "paused")
    return connection.execute(sa.select(TASKS).where(waiting).order_by(TASKS.c.id).with_for_update()).all()


def _stale(now: float) -> sa.ColumnElement[bool]:
    gone = sa.select(TASKS.c.id).where(TASKS.c.ended_at < now - STALE_S)
    return sa.and_(AGENTS.c.held_in != "", AGENTS.c.call == "", AGENTS.c.task_id.in_(gone))


def has_stale(connection: Connection, now: float) -> bool:
    """Return whether `release_stale` has something to do."""
    return connection.execute(sa.select(AGENTS.c.id).where(_stale(now)).limit(1)).first() is not None


def release_stale(connection: Connection, now: float) -> None:
    """Release what agents of ended tasks still hold of a month for a call that was never sent. One that was
    is booked when its agent is loaded (`stranded_agents`).

    The task's own budget keeps its reservation, as before; nothing is spent from it any more.
    """
    held = sa.select(AGENTS).where(_stale(now)).order_by(AGENTS.c.id).with_for_update()
    for row in connection.execute(held).all():
        connection.execute(
            MONTHS.update()
            .where(MONTHS.c.id.in_(budget_path(row.held_in)))
            .values(
                reserved_micros=MONTHS.c.reserved_micros - row.reserved_micros,
                reserved_tokens=MONTHS.c.reserved_tokens - row.reserved_tokens,
            )
        )
        connection.execute(AGENTS.update().where(AGENTS.c.id == row.id).values(held_in=""))


def raise_month(connection: Connection, task: AnyRow, now: float) -> tuple[Wake, ...]:
    """Raise by half, for this month, the caps that are used up of those that a waiting task spends from.

    Every task that waited for it resumes. Return the agents to wake.
    """
    waiting = paused_for_month(connection, task.space)
    _locked(connection, waiting)
    rule = rule_of(connection, task.space)
    mine = sa.and_(
        MONTHS.c.space == task.space,
        MONTHS.c.by.in_(("", task.payer)),
        MONTHS.c.month == month_at(now, rule.zone).name,
    )
    for row in connection.execute(sa.select(MONTHS).where(mine).order_by(MONTHS.c.id).with_for_update()):
        full = row.warned & FULL
        micros = row.cap_micros and row.cap_micros + max(row.cap_micros // HALF, 1) * _is_full(full, "cost")
        tokens = row.cap_tokens and row.cap_tokens + max(row.cap_tokens // HALF, 1) * _is_full(full, "tokens")
        _set_caps(connection, row, micros, tokens)
    return resume_with_room(connection, waiting, "cap_raised", now)


def _is_full(warned: int, cap: SpendCap) -> bool:
    return bool(warned & bits_of([(cap, 100, 0, 0)]))


def _set_caps(connection: Connection, row: AnyRow, micros: int | None, tokens: int | None) -> None:
    """Set the caps of one month; what was told and still holds is not told again."""
    fresh = Budget(row.id, None, micros, tokens, row.spent_micros, row.spent_tokens)
    warned = row.warned & bits_of(reached(fresh))
    values = {"cap_micros": micros, "cap_tokens": tokens, "warned": warned}
    connection.execute(MONTHS.update().where(MONTHS.c.id == row.id).values(**values))


# ---------------------------------------------------------------- the rule of a space


def set_rule(connection: Connection, command: SetMonthRule, now: float) -> tuple[Wake, ...]:
    """Store the rule of a space and apply it to the months that have begun. Return the agents to wake."""
    space = command.space
    waiting = paused_for_month(connection, space)
    _locked(connection, waiting)
    hold_rule(connection, space, alone=True)
    rule = rule_of(connection, space)  # read under the lock: two who change different fields keep both
    rule = replace(rule, **{n: getattr(command.rule, n) for n in command.only or MonthRule.__slots__})
    values = {name: getattr(rule, name) for name in MonthRule.__slots__}
    connection.execute(MONTH_RULES.delete().where(MONTH_RULES.c.space == space))
    connection.execute(MONTH_RULES.insert().values(space=space, **values))
    lasting = sa.and_(MONTHS.c.space == space, MONTHS.c.ends_at > now - 2 * 86_400)
    found = sa.select(MONTHS).where(lasting).order_by(MONTHS.c.id).with_for_update()
    for row in connection.execute(found).all():
        _apply(connection, row, rule, now)
    return resume_with_room(connection, waiting, "cap_raised", now)


def _apply(connection: Connection, row: AnyRow, rule: MonthRule, now: float) -> None:
    """Give a month the bounds of the rule's time zone, what was spent in them, and the rule's caps."""
    month = month_at((row.begins_at + row.ends_at) / 2, rule.zone)
    if month.begins_at != row.begins_at:
        values: dict[str, float] = {"begins_at": month.begins_at, "ends_at": month.ends_at}
        values |= spent_since(connection, row.space, row.by, month.begins_at)
        connection.execute(MONTHS.update().where(MONTHS.c.id == row.id).values(**values))
    fresh = connection.execute(sa.select(MONTHS).where(MONTHS.c.id == row.id)).one()
    if fresh.ends_at > now:
        _set_caps(connection, fresh, *caps_of(rule, row.by))
