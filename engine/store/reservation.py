"""Statements that reserve and release spending on budgets, the same for tasks and for months."""

from __future__ import annotations

import sqlalchemy as sa


def _room(cap: sa.Column[int], used: sa.ColumnElement[int], more: str) -> sa.ColumnElement[bool]:
    return sa.or_(cap.is_(None), used + sa.bindparam(more, type_=sa.BigInteger) <= cap)


def reserving(budgets: sa.Table, chosen: sa.ColumnElement[bool]) -> sa.Update:
    """Return the update that reserves `micros` and `tokens` on those of the chosen budgets that have room."""
    money, tokens = budgets.c.reserved_micros, budgets.c.reserved_tokens
    return (
        budgets.update()
        .where(
            chosen,
            _room(budgets.c.cap_micros, budgets.c.spent_micros + money, "micros"),
            _room(budgets.c.cap_tokens, budgets.c.spent_tokens + tokens, "tokens"),
        )
        .values(
            reserved_micros=money + sa.bindparam("micros", type_=sa.BigInteger),
            reserved_tokens=tokens + sa.bindparam("tokens", type_=sa.BigInteger),
        )
    )


def releasing(budgets: sa.Table, chosen: sa.ColumnElement[bool]) -> sa.Update:
    """Return the update that releases `micros` and `tokens` on the chosen budgets."""
    return (
        budgets.update()
        .where(chosen)
        .values(
            reserved_micros=budgets.c.reserved_micros - sa.bindparam("micros", type_=sa.BigInteger),
            reserved_tokens=budgets.c.reserved_tokens - sa.bindparam("tokens", type_=sa.BigInteger),
        )
    )
