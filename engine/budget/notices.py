"""What agents are told of caps, while it is true."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import Limits
from engine.domain.budget import in_numbers
from engine.store.core import BUDGETS, MESSAGES, new_key
from engine.store.messages import add_system_message

OUTDATED = "A cap that was near, or reached, has been changed since. There is nothing to do about it."
CHANGED = "{whose} caps were changed: now at most {caps}. What was said of the old ones no longer counts."


def outdate_notices(connection: Connection, budgets: sa.ColumnElement[bool]) -> None:
    """Replace what is still unread of the caps of these budgets, because they change: it says how much is
    used of the old ones, and what to do about that.

    The message stays, so that a step which is reading it is not done again.
    """
    connection.execute(MESSAGES.update().where(_unread(budgets)).values(text=OUTDATED))


def tell_caps(
    connection: Connection, task_id: int, budget_id: int, to: int, caps: Limits, now: float
) -> None:
    """Tell an agent the caps of a budget that people changed, with its next messages: in the place of what is
    unread of the old ones, which comes first. Without a cap on agents, money, tokens or minutes: nothing."""
    numbers = in_numbers(caps)
    if not numbers:
        return
    of = sa.and_(BUDGETS.c.id == budget_id, BUDGETS.c.task_id == task_id)
    whole = connection.execute(sa.select(BUDGETS.c.parent_id).where(of)).scalar_one() is None
    text = CHANGED.format(whose="The task's" if whole else "Your part's", caps=numbers)
    unread = sa.and_(_unread(of), MESSAGES.c.to_agent == to)
    if connection.execute(MESSAGES.update().where(unread).values(text=text)).rowcount:
        return
    key = f"budget{budget_id}.caps.{new_key()}"
    add_system_message(connection, task_id, to, text, key, now, wakes=False, about=("cap", budget_id))


def _unread(budgets: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    about = sa.and_(
        MESSAGES.c.about == "cap", MESSAGES.c.about_id.in_(sa.select(BUDGETS.c.id).where(budgets))
    )
    task = MESSAGES.c.task_id.in_(sa.select(BUDGETS.c.task_id).where(budgets))
    return sa.and_(task, about, MESSAGES.c.consumed_step.is_(None))
