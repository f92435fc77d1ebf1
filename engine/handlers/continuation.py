"""Handler of the command that continues a task after its end."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.month_caps import check_month
from engine.budget.notices import outdate_notices
from engine.commands import ContinueTask, Limits, SayToAgent
from engine.domain.limits import Caps, check_limits, continuation
from engine.domain.models import DEMONSTRATION
from engine.domain.quota import check_quota
from engine.errors import WrongState
from engine.events import TaskContinued, TaskEnded
from engine.handlers.messages import say_to_agent
from engine.handlers.result import HandlerResult
from engine.lifecycle.agents import WRAP_UP, dismiss
from engine.lifecycle.ending import ENDED
from engine.lifecycle.open_messages import forward_stranded, open_messages
from engine.lifecycle.task_state import ready_agents
from engine.store.core import (
    AGENTS,
    BUDGETS,
    EVENTS,
    INTERVENTIONS,
    TASKS,
    AnyRow,
    append_events,
    hold_order,
    loads,
)
from engine.store.lookup import hold_task
from engine.store.messages import add_system_message
from engine.store.starts import Start, given, note_start, run_key, used_by

REPORT_CHARS = 4_000


def continue_task(connection: Connection, command: ContinueTask, caps: Caps, now: float) -> HandlerResult:
    """Set an ended task running again, under new caps, and wake its boss and everybody with messages.

    Agents who left stay away; `caps` are the settings' defaults. Raises NotFound, WrongState, Invalid.
    """
    check_limits(command.limits)
    old = check_ended(connection, command.task_id)
    more = continuation(command.limits, given(connection, old.id), caps)
    task = _reopen(connection, old, more, command.by, now)
    _gather_agents(connection, task, now)
    kept = len(open_messages(connection, task.id))
    _notify_boss(connection, old, task, command, now)
    _pass_words(connection, task, command, now)
    spent = _extend_budgets(connection, task, more)
    hold_order(connection)  # so that two starts of one person are counted one after the other
    check_quota(command.quota, used_by(connection, command.by, old.space, now), more.cost_micros or 0)
    check_month(connection, task.space, command.by, now)
    note_start(connection, Start(task.id, command.by, task.space, more, spent), now)
    body = TaskContinued(task.id, task.root_group_id, command.by, command.by_name, more, task.continued, kept)
    append_events(connection, [(f"{run_key(task)}.continued", body)], now)
    return HandlerResult(task.id, ready_agents(connection, task.id))


def check_ended(connection: Connection, task_id: int) -> AnyRow:
    """Return the task's row, locked, if it has ended. Raises NotFound, WrongState."""
    task = hold_task(connection, task_id)
    if task.state not in ENDED:
        raise WrongState(
            f"Task {task.id} has not ended: it is {task.state}.",
            "Resume it: /task resume." if task.state == "paused" else "Write to its agents.",
        )
    if task.model == DEMONSTRATION:
        raise WrongState(
            f"Task {task.id} was a demonstration: its agents' answers are recorded.",
            "Start a task of your own: /task new.",
        )
    return task


def _reopen(connection: Connection, old: AnyRow, more: Limits, by: str, now: float) -> AnyRow:
    """Set the task running in the name of `by` and return its row; what belonged to its end alone is taken
    back."""
    values: dict[str, object] = {
        "state": "running",
        "reason": "",
        "paused_for": "",
        "ended_at": None,
        "report": "",
        "basis": "",
        "verified": False,
        "deliverables_json": "[]",
        "lessons_json": "[]",
        "audit_round": 0,
        "plan_state": "none" if old.plan_state == "proposed" else old.plan_state,
        "quiet_rounds": 0,
        "progress_at": now,
        "continued": old.continued + 1,
        "continued_at": now,
        "waited_s": 0.0,
        "waiting_since": None,
        "payer": by,
        "max_minutes": more.minutes,
        "deadline_at": now + (more.minutes or 0) * 60,
    }
    if more.agents is not None:
        values["max_agents"] = max(more.agents, old.agents)
    connection.execute(TASKS.update().where(TASKS.c.id == old.id).values(**values))
    connection.execute(INTERVENTIONS.delete().where(INTERVENTIONS.c.task_id == old.id))
    return connection.execute(sa.select(TASKS).where(TASKS.c.id == old.id)).one()


def _extend_budgets(connection: Connection, task: AnyRow, more: Limits) -> int:
    """Let the task use `more` on top of what it has used, and return that; subtrees stopped at their caps may
    ask again."""
    mine = BUDGETS.c.task_id == task.id
    outdate_notices(connection, mine)
    connection.execute(BUDGETS.update().where(mine).values(frozen=False, warned=0))
    root = sa.and_(mine, BUDGETS.c.parent_id.is_(None))
    row = connection.execute(sa.select(BUDGETS).where(root).with_for_update()).one()
    caps = {
        "cap_micros": row.spent_micros + row.reserved_micros + (more.cost_micros or 0),
        "cap_tokens": row.spent_tokens + row.reserved_tokens + (more.tokens or 0),
    }
    connection.execute(BUDGETS.update().where(root).values(**caps))
    return int(row.spent_micros)


def _gather_agents(connection: Connection, task: AnyRow, now: float) -> None:
    """Resume the boss and whom the wrap-up paused; dismiss the auditor, whose verdict belongs to the end."""
    paused = sa.and_(AGENTS.c.task_id == task.id, AGENTS.c.status == "paused")
    returns = sa.or_(AGENTS.c.paused_with == WRAP_UP, AGENTS.c.id == task.boss_id)
    back = {"status": "active", "paused_with": None, "refused": "", "refusals": 0}
    connection.execute(AGENTS.update().where(paused, returns).values(**back))
    if task.auditor_id is not None:
        connection.execute(TASKS.update().where(TASKS.c.id == task.id).values(auditor_id=None))
        left = dismiss(connection, task.auditor_id, "its verdict is given", now)
        append_events(
            connection, [(f"{run_key(task)}.auditor.{n}", body) for n, body in enumerate(left)], now
        )
    forward_stranded(connection, task.id, task.boss_id)


def _notify_boss(
    connection: Connection, old: AnyRow, task: AnyRow, command: ContinueTask, now: float
) -> None:
    report = f"\nThe report was:\n{old.report[:REPORT_CHARS]}" if old.report else ""
    words = (
        "What people say stands beside this."
        if _has_words(connection, task, command)
        else ("They say nothing more: repair what the report names as missing, unverified or rejected.")
    )
    lost = "".join(f"\n{said}" for said in _not_acted_on(connection, task))
    if lost:
        report += f"\nPeople had said this before the end, and nobody acted on it:{lost}"
    text = (
        f"The task had ended ({old.state}). {command.by_name or 'A person'} continues it. {words}\n"
        "Files, memories, decisions and assignments are as they were; who left stays away. Change what is "
        f"asked and no more, check it, then call finish again.{report}"
    )
    key = f"{run_key(task)}.boss"
    add_system_message(connection, task.id, task.boss_id, text, key, now, priority=0)


def _not_acted_on(connection: Connection, task: AnyRow) -> list[str]:
    """Return what people had said before the last end that is unread by nobody any more."""
    last = sa.and_(EVENTS.c.task_id == task.id, EVENTS.c.kind == TaskEnded.__name__)
    query = sa.select(EVENTS.c.payload_json).where(last).order_by(EVENTS.c.seq.desc()).limit(1)
    payload = connection.execute(query).scalar()
    waiting = {each.text for each in open_messages(connection, task.id) if not each.read}
    named = loads(payload)["unheeded"] if payload else []
    return [
        f"{each['said_by']} to {each['to']}: {each['text']}"
        for each in named
        if not any(each["text"] in text for text in waiting)
    ]


def _has_words(connection: Connection, task: AnyRow, command: ContinueTask) -> bool:
    return bool(command.text.strip() or command.files or open_messages(connection, task.id))


def _pass_words(connection: Connection, task: AnyRow, command: ContinueTask, now: float) -> None:
    """Send what the person adds to the agent it is for."""
    if not command.text.strip() and not command.files:
        return
    to = command.agent_id or task.boss_id
    said = SayToAgent(
        to, command.text, command.by, command.by_name, command.ref, command.files, command.left_out
    )
    say_to_agent(connection, said, now)
