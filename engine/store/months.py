"""Budgets of calendar months: opened for the first call, reserved and settled beside a task's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from engine.commands import MonthRule
from engine.domain.months import FULL, Month, MonthLeft, month_at
from engine.store.core import AGENTS, MONTH_RULES, MONTHS, SPENDING, TASKS, AnyRow
from engine.store.lookup import budget_path
from engine.store.prepared import FetchedRow, Prepared, PreparedLists, demand, listed
from engine.store.reservation import releasing, reserving

# ---------------------------------------------------------------- which budgets

months_of_agent = Prepared(
    sa.select(MONTHS.c.id, MONTHS.c.by)
    .join(TASKS, TASKS.c.space == MONTHS.c.space)
    .join(AGENTS, AGENTS.c.task_id == TASKS.c.id)
    .where(
        AGENTS.c.id == sa.bindparam("agent"),
        sa.or_(MONTHS.c.by == "", MONTHS.c.by == TASKS.c.payer),
        MONTHS.c.begins_at <= sa.bindparam("now", type_=sa.Float),
        MONTHS.c.ends_at > sa.bindparam("now", type_=sa.Float),
    )
    .order_by(MONTHS.c.id)
)
"""Selects the budgets of the current month that an agent spends from: its space's and its payer's."""


def open_ids(connection: Connection, rows: Sequence[FetchedRow], place: FetchedRow, now: float) -> list[int]:
    """Return the ids of the current month's budgets; `rows` are those found for the task of `place`, which
    has `space` and `payer`. Missing ones are opened."""
    if len(rows) < 1 + bool(place.payer):
        return open_months(connection, place.space, place.payer, now)
    return [row.id for row in rows]


def open_months(connection: Connection, space: str, payer: str, now: float) -> list[int]:
    """Open the budgets of the current month, of a space and a person in it, and return their ids.

    What was spent since the month began counts.
    """
    hold_rule(connection, space, alone=False)
    rule = rule_of(connection, space)
    month = month_at(now, rule.zone)
    for by in dict.fromkeys(("", payer)):
        micros, tokens = caps_of(rule, by)
        values = {
            "space": space,
            "by": by,
            "month": month.name,
            "begins_at": month.begins_at,
            "ends_at": month.ends_at,
            "cap_micros": micros,
            "cap_tokens": tokens,
            **spent_since(connection, space, by, month.begins_at),
        }
        connection.execute(_insert(connection, MONTHS).values(**values).on_conflict_do_nothing())
    mine = sa.and_(MONTHS.c.space == space, MONTHS.c.by.in_(("", payer)), MONTHS.c.month == month.name)
    return list(connection.execute(sa.select(MONTHS.c.id).where(mine).order_by(MONTHS.c.id)).scalars())


def hold_rule(connection: Connection, space: str, *, alone: bool) -> None:
    """Keep the rule of a space as it is until the transaction ends; `alone`: keep others from opening months.

    On PostgreSQL a month that another transaction is opening is not seen, so a new rule would miss it.
    """
    if connection.dialect.name == "postgresql":
        lock = sa.func.pg_advisory_xact_lock if alone else sa.func.pg_advisory_xact_lock_shared
        connection.execute(sa.select(lock(sa.func.hashtext(_RULES), sa.func.hashtext(space))))


_RULES = "megaagent.month_rules"


def _insert(connection: Connection, into: sa.Table) -> Any:
    """Return an insert that knows `on_conflict_…`."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(into)


def rule_of(connection: Connection, space: str) -> MonthRule:
    """Return the rule of a space; without one nothing is capped, and months are those of UTC."""
    row = connection.execute(sa.select(MONTH_RULES).where(MONTH_RULES.c.space == space)).first()
    if row is None:
        return MonthRule()
    return MonthRule(row.zone, row.space_micros, row.space_tokens, row.person_micros, row.person_tokens)


def caps_of(rule: MonthRule, by: str) -> tuple[int | None, int | None]:
    """Return the caps on money and tokens of the space (`by` "") or of a person."""
    return (rule.person_micros, rule.person_tokens) if by else (rule.space_micros, rule.space_tokens)


def spent_since(connection: Connection, space: str, by: str, since: float) -> dict[str, int]:
    """Return what a space (`by` "") or a person in it has spent since then."""
    mine = sa.and_(SPENDING.c.space == space, SPENDING.c.at >= int(since))
    if by:
        mine = sa.and_(mine, SPENDING.c.by == by)
    tokens = SPENDING.c.prompt_tokens + SPENDING.c.completion_tokens
    query = sa.select(sa.func.sum(SPENDING.c.cost_micros), sa.func.sum(tokens)).where(mine)
    micros, used = connection.execute(query).one()
    return {"spent_micros": int(micros or 0), "spent_tokens": int(used or 0)}


def left_in_month(connection: Connection, space: str, by: str, now: float) -> MonthLeft:
    """Return the current month's budget of a space (`by` "") or of a person in it; reads only."""
    rule = rule_of(connection, space)
    month = month_at(now, rule.zone)
    mine = sa.and_(MONTHS.c.space == space, MONTHS.c.by == by, MONTHS.c.month == month.name)
    row = connection.execute(sa.select(MONTHS).where(mine)).first()
    if row is not None:
        return _left(row, rule, month)
    micros, tokens = caps_of(rule, by)
    spent = spent_since(connection, space, by, month.begins_at)
    used = (spent["spent_micros"], spent["spent_tokens"])
    return MonthLeft(by, month.name, rule.zone, month.ends_at, micros, tokens, *used)


def both_left(connection: Connection, space: str, by: str, now: float) -> tuple[MonthLeft, ...]:
    """Return what the current month's budgets of a space and of a person in it have left."""
    return tuple(left_in_month(connection, space, each, now) for each in dict.fromkeys(("", by)))


def _left(row: AnyRow, rule: MonthRule, month: Month) -> MonthLeft:
    return MonthLeft(
        row.by,
        month.name,
        rule.zone,
        month.ends_at,
        row.cap_micros,
        row.cap_tokens,
        row.spent_micros,
        row.spent_tokens,
        row.reserved_micros,
        row.reserved_tokens,
        bool(row.warned & FULL),
    )


# ---------------------------------------------------------------- reserving and settling


def _chosen(length: int) -> sa.ColumnElement[bool]:
    """Return the budgets of a list, which PostgreSQL locks by ascending id."""
    ids = MONTHS.alias("locked")
    locked = sa.select(ids.c.id).where(ids.c.id.in_(listed("months", length))).order_by(ids.c.id)
    return MONTHS.c.id.in_(locked.with_for_update())


_reserve = PreparedLists(lambda length: reserving(MONTHS, _chosen(length)))
_reserve_all = PreparedLists(
    lambda length: demand(reserving(MONTHS, _chosen(length)).returning(MONTHS.c.id), length)
)
_release = PreparedLists(lambda length: releasing(MONTHS, _chosen(length)))


def _settling(length: int) -> sa.Update:
    return releasing(MONTHS, _chosen(length)).values(
        spent_micros=MONTHS.c.spent_micros + sa.bindparam("spent", type_=sa.BigInteger),
        spent_tokens=MONTHS.c.spent_tokens + sa.bindparam("used", type_=sa.BigInteger),
    )


_settle = PreparedLists(_settling)
_book = Prepared(
    MONTHS.update()
    .where(
        MONTHS.c.space == sa.bindparam("space"),
        sa.or_(MONTHS.c.by == "", MONTHS.c.by == sa.bindparam("payer")),
        MONTHS.c.begins_at <= sa.bindparam("now", type_=sa.Float),
        MONTHS.c.ends_at > sa.bindparam("now", type_=sa.Float),
    )
    .values(
        spent_micros=MONTHS.c.spent_micros + sa.bindparam("spent", type_=sa.BigInteger),
        spent_tokens=MONTHS.c.spent_tokens + sa.bindparam("used", type_=sa.BigInteger),
    )
)


def reserve_months(connection: Connection, ids: Sequence[int], micros: int, tokens: int) -> Any:
    """Reserve on all of these budgets. Return the cursor; on PostgreSQL the statement fails without room
    (`denied`), on SQLite fewer rows than `ids` are changed."""
    reserve, values = (_reserve_all if connection.dialect.name == "postgresql" else _reserve).of(months=ids)
    return reserve.run(connection, **values, micros=micros, tokens=tokens)


def release_months(connection: Connection, held_in: str, micros: int, tokens: int) -> None:
    """Release a reservation on the budgets that hold it."""
    if held_in and (micros or tokens):
        release, values = _release.of(months=budget_path(held_in))
        release.run(connection, **values, micros=micros, tokens=tokens)


def settle_months(
    connection: Connection, at: FetchedRow, held: tuple[int, int], spent: tuple[int, int], now: float
) -> None:
    """Book money and tokens on the budgets that hold their reservation (`at.held_in`), and release that.

    Where none does any more, as of a task that ended long ago, on those of the current month.
    """
    if at.held_in:
        settle, values = _settle.of(months=budget_path(at.held_in))
        settle.run(connection, **values, micros=held[0], tokens=held[1], spent=spent[0], used=spent[1])
    elif any(spent):
        _book.run(connection, space=at.space, payer=at.payer, now=now, spent=spent[0], used=spent[1])


def id_path(ids: Sequence[int]) -> str:
    """Return ids as one text, which `budget_path` splits."""
    return "".join(f"{number}/" for number in ids)
