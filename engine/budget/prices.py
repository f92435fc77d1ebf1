"""Prices of calls to the world outside: booked on every budget before the call is sent, or on none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.store.core import BUDGETS, MONTHS, TASKS, AnyRow
from engine.store.lookup import budget_path
from engine.store.months import id_path, open_months
from engine.store.spending import Spent, note_spending


@dataclass(frozen=True, slots=True)
class Booked:
    """Where the price of a call was booked: `paid_in` are ids of month's budgets. `missing`: of what it did
    not fit, then nothing was booked."""

    paid_in: str = ""
    missing: Literal["", "task", "month"] = ""


def book_price(
    connection: Connection, task_id: int, path: list[int], server: str, micros: int, now: float
) -> Booked:
    """Book the price of a call to a server of tools on the budgets of the path and of the month."""
    if not micros:
        return Booked()
    if not has_room(connection, BUDGETS, path, micros):
        return Booked(missing="task")
    place = connection.execute(sa.select(TASKS.c.space, TASKS.c.payer).where(TASKS.c.id == task_id)).one()
    months = open_months(connection, place.space, place.payer, now)
    if not has_room(connection, MONTHS, months, micros):
        return Booked(missing="month")
    _add(connection, BUDGETS, path, micros)
    _add(connection, MONTHS, months, micros)
    note_spending(connection, Spent(task_id, place.space, place.payer, server, micros, kind="outside"), now)
    return Booked(id_path(months))


def refund_price(connection: Connection, call: AnyRow, path: list[int], now: float) -> None:
    """Take back the price of a call (the ledger's row) that was not made."""
    _add(connection, BUDGETS, path, -call.price_micros)
    _add(connection, MONTHS, budget_path(call.paid_in), -call.price_micros)
    place = connection.execute(
        sa.select(TASKS.c.space, TASKS.c.payer).where(TASKS.c.id == call.task_id)
    ).one()
    back = Spent(
        call.task_id, place.space, place.payer, call.server, -call.price_micros, kind="outside", calls=-1
    )
    note_spending(connection, back, now, call.paid_in)


def has_room(connection: Connection, budgets: sa.Table, ids: list[int], micros: int, tokens: int = 0) -> bool:
    """Return whether money and tokens fit into all of these budgets; they are locked."""
    held = sa.select(budgets).where(budgets.c.id.in_(ids)).order_by(budgets.c.id).with_for_update()
    return all(
        (row.cap_micros is None or row.spent_micros + row.reserved_micros + micros <= row.cap_micros)
        and (row.cap_tokens is None or row.spent_tokens + row.reserved_tokens + tokens <= row.cap_tokens)
        for row in connection.execute(held).all()
    )


def _add(connection: Connection, budgets: sa.Table, ids: list[int], micros: int) -> None:
    booked = budgets.update().where(budgets.c.id.in_(ids))
    connection.execute(booked.values(spent_micros=budgets.c.spent_micros + micros))
