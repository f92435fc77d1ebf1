"""Gates that people leave unanswered: reminders, one stage after another, then the default of their kind."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import SetGateRule
from engine.domain.gate_rules import STAGES, GateRule, after_reminder, changed_rule, due_after
from engine.events import GateReminded
from engine.handlers.gates import close_unanswered
from engine.handlers.result import HandlerResult
from engine.store.core import GATE_RULES, GATES, AnyRow, append_events
from engine.store.gate_rules import rule_of
from engine.store.set_columns import set_columns


def set_gate_rule(connection: Connection, command: SetGateRule, _now: float) -> HandlerResult:
    """Set how long gates of a kind wait in a space, and their default. Raises Invalid.

    Open gates keep the time of their next reminder; what follows it is by the new rule.
    """
    kind, rule = changed_rule(command.kind, command.wait_s, command.default)
    given = {"wait_s": command.wait_s, "default_effect": command.default}
    owned = {name: value for name, value in given.items() if value is not None}
    blank = {"wait_s": rule.wait_s, "default_effect": rule.default}
    set_columns(connection, GATE_RULES, {"space": command.space, "kind": kind}, owned, blank)
    return HandlerResult(0)


def overdue_gates(connection: Connection, now: float) -> list[int]:
    """Return the open gates whose next reminder, or whose default, is due."""
    due = sa.and_(GATES.c.basis.is_(None), GATES.c.remind_at.is_not(None), GATES.c.remind_at <= now)
    return list(connection.execute(sa.select(GATES.c.id).where(due).order_by(GATES.c.id)).scalars())


def advance_gate(connection: Connection, gate_id: int, now: float) -> HandlerResult:
    """Remind the next stage of people of an overdue gate, or apply its default after the last.

    A gate that is answered or reminded meanwhile is left alone.
    """
    query = sa.select(GATES).where(GATES.c.id == gate_id).with_for_update()
    gate = connection.execute(query).one()
    if gate.basis is not None or gate.remind_at is None or gate.remind_at > now:
        return HandlerResult(gate_id)
    rule = rule_of(connection, gate.task_id, gate.kind)
    if gate.reminded >= len(STAGES) or not rule.reminds:
        return close_unanswered(connection, gate, rule.default, now)
    _remind(connection, gate, rule, now)
    return HandlerResult(gate_id)


def _remind(connection: Connection, gate: AnyRow, rule: GateRule, now: float) -> None:
    due_at = due_after(gate.reminded, now, rule)
    changes = {
        "reminded": gate.reminded + 1,
        "remind_at": after_reminder(now, rule),
        "due_at": due_at,
        "default_effect": rule.default,
    }
    connection.execute(GATES.update().where(GATES.c.id == gate.id).values(**changes))
    stage = STAGES[gate.reminded]
    place = (gate.task_id, gate.group_id, gate.id)
    reminded = GateReminded(*place, gate.kind, gate.question, stage, rule.default, due_at)
    append_events(connection, [(f"gate{gate.id}.reminded{gate.reminded}", reminded)], now)
