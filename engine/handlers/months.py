"""Handler of the command that sets the budgets of a space for calendar months."""

from __future__ import annotations

from sqlalchemy import Connection

from engine.budget.month_caps import set_rule
from engine.commands import SetMonthRule
from engine.domain.months import checked_rule
from engine.handlers.result import HandlerResult


def set_month_rule(connection: Connection, command: SetMonthRule, now: float) -> HandlerResult:
    """Store the budgets, and resume the tasks that waited for room. Raises Invalid."""
    checked_rule(command.rule)
    return HandlerResult(0, set_rule(connection, command, now))
