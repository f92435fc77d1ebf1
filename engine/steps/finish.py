"""Effects at the end of a task: the boss finishes, a new auditor judges, people decide."""

from __future__ import annotations

from base64 import b64encode
from typing import Literal

import sqlalchemy as sa

from engine.domain.account import run_lines
from engine.domain.completeness import told
from engine.domain.effects import CollectWords, Finish, RaiseGate, Verdict
from engine.domain.gates import choices_of
from engine.errors import Stale
from engine.events import AcceptedWorkChanged, AgentJoined, AuditBegun, Audited, EndBasis
from engine.lifecycle.agents import NewAgent, add_agent, dismiss
from engine.lifecycle.ending import Ending, Held, current_report, end_task, hold_end
from engine.lifecycle.open_messages import forward_stranded, open_messages, said_in, withdraw_holds
from engine.lifecycle.run_evidence import account, runs_of
from engine.steps.apply import open_gate
from engine.steps.unit_of_work import UnitOfWork
from engine.store.core import AGENTS, EVENTS, TASKS, dumps, loads


def apply_finish(effect: Finish, unit: UnitOfWork) -> None:
    """End the task, give its result to a new auditor, or ask people about what is missing.

    Raises Stale while a message of a person is open.
    """
    if open_messages(unit.connection, unit.task_id, acting=unit.agent.id):
        raise Stale("people said something meanwhile")
    withdraw_holds(unit.connection, unit.agent.id)
    task = TASKS.c.id == unit.task_id
    vectors = [b64encode(vector).decode() for vector in effect.vectors] or [""] * len(effect.lessons)
    lessons = dumps(list(zip(effect.lessons, vectors, strict=True)))
    unit.connection.execute(TASKS.update().where(task).values(lessons_json=lessons))
    report = effect.report or account(unit.connection, unit.task_id, unit.bodies)
    basis: EndBasis = "unjudged" if effect.report else "ran"
    kept = {"report": report, "basis": basis, "deliverables_json": dumps(effect.deliverables)}
    if effect.asks:
        unit.connection.execute(TASKS.update().where(task).values(**kept))
        question = f"This is not finished: {told(effect.missing)}."
        open_gate(unit, RaiseGate("audit", question, choices_of("audit")), unit.own_group)
        return
    if not effect.audit:
        ended: EndBasis = "unfinished" if effect.missing else basis
        listed = not effect.report
        ending = Ending("done", ended, report, effect.deliverables, missing=effect.missing, lists_runs=listed)
        for body in end_task(unit.connection, unit.task_id, ending, unit.now, unit.bodies):
            unit.event(body)
        return
    auditor, name = _new_auditor(unit)
    values = {**kept, "auditor_id": auditor, "audit_round": TASKS.c.audit_round + 1}
    unit.connection.execute(TASKS.update().where(task).values(**values))
    unit.event(AgentJoined(unit.task_id, unit.own_group, auditor, name, "auditor", role="auditor"))
    unit.event(AuditBegun(unit.task_id, unit.own_group, unit.agent.id, unit.agent.name, name))
    files = ", ".join(effect.deliverables) or "none named"
    runs = ""
    if effect.report:
        runs = "\n".join(run_lines(runs_of(unit.connection, unit.task_id, unit.bodies)))
    runs += "\n" if runs else ""
    runs += _undone(unit) + _reopened(unit)
    said = said_in(unit.connection, unit.task_id)
    for each in said:
        unit.add_message(auditor, each.text, kind="person", name=each.by, about=("said", None))
    since = " What people said since the goal stands above, and counts as part of it." if said else ""
    unit.add_message(
        auditor,
        f"The boss says the goal is met.\nReport: {report}\nDeliverables: {files}\n{runs}"
        f"Check it against the files and call verdict.{since}",
    )


def _undone(unit: UnitOfWork) -> str:
    """What the boss's own list still has open, for the auditor to look at."""
    query = sa.select(AGENTS.c.todo_json).where(AGENTS.c.id == unit.agent.id)
    todo = loads(unit.connection.execute(query).scalar_one())
    left = [text for text, status in todo if status != "done"]
    return f"Open on the boss's own list: {'; '.join(left[:8])}\n" if left else ""


def _reopened(unit: UnitOfWork) -> str:
    """Return which accepted work was changed afterwards, for the auditor to look at."""
    query = sa.select(EVENTS.c.payload_json).where(
        EVENTS.c.task_id == unit.task_id, EVENTS.c.kind == AcceptedWorkChanged.__name__
    )
    newest = unit.connection.execute(query.order_by(EVENTS.c.seq.desc()).limit(8)).scalars()
    seen = [loads(payload) for payload in newest]
    lines = [f"{', '.join(each['paths'][:6])} (#{each['assignment_id']}, by {each['name']})" for each in seen]
    listed = "; ".join(dict.fromkeys(reversed(lines)))
    return f"Changed after it was accepted: {listed}\n" if lines else ""


def apply_collect_words(_: CollectWords, unit: UnitOfWork) -> None:
    """Forward to the agent the messages of people that no other agent is going to read."""
    if forward_stranded(unit.connection, unit.task_id, unit.agent.id):
        unit.wake(unit.agent.id, 0)


def _new_auditor(unit: UnitOfWork) -> tuple[int, str]:
    """Insert a new auditor, one per round, so that it took no part in the work; the cap on agents is raised
    by one when it is reached."""
    unit.connection.execute(
        TASKS.update()
        .where(TASKS.c.id == unit.task_id, TASKS.c.agents >= TASKS.c.max_agents)
        .values(max_agents=TASKS.c.agents + 1)
    )
    new = NewAgent(
        task_id=unit.task_id,
        group_id=unit.own_group,
        head_id=None,
        budget_id=unit.agent.budget_id,
        name="Auditor",
        title="auditor",
        instructions="",
        role="auditor",
        depth=1,
    )
    return add_agent(unit.connection, new, unit.now)


def apply_verdict(effect: Verdict, unit: UnitOfWork) -> None:
    """End the task as accepted, or send the findings back; after the last round people decide."""
    if effect.accepted:
        held = hold_end(unit.connection, unit.task_id, "The auditor accepted the result.", unit.now)
        if held is not None:
            _go_on(unit, held)
            return
    task = unit.connection.execute(sa.select(TASKS).where(TASKS.c.id == unit.task_id)).one()
    files = tuple(loads(task.deliverables_json))
    report = current_report(unit.connection, task, unit.bodies)
    by, verdict = unit.agent, _word_for(effect)
    unit.event(
        Audited(unit.task_id, unit.own_group, verdict, effect.findings, task.audit_round, by.id, by.name)
    )
    if effect.accepted:
        ran = effect.by_runs or task.basis == "ran"
        ending = Ending("done", "ran" if ran else "audited", report, files, verified=not effect.by_runs)
        for body in end_task(unit.connection, unit.task_id, ending, unit.now, unit.bodies):
            unit.event(body)
        return
    rejected = f"The auditor rejected the result:\n{effect.findings}\nRepair it."
    if effect.last_round and not task.attended:
        held = hold_end(unit.connection, unit.task_id, rejected, unit.now)
        if held is not None:
            _go_on(unit, held)
            return
    unit.connection.execute(TASKS.update().where(TASKS.c.id == unit.task_id).values(auditor_id=None))
    for body in dismiss(unit.connection, unit.agent.id, "its verdict is given", unit.now):
        unit.event(body)
    if effect.last_round and not task.attended:
        told = f"Not verified: the auditor rejected it. {effect.findings}\n\n{report}"
        ending = Ending("done", "ran" if task.basis == "ran" else "rejected", told, files)
        for body in end_task(unit.connection, unit.task_id, ending, unit.now, unit.bodies):
            unit.event(body)
    elif effect.last_round:
        question = f"The auditor rejected the result {task.audit_round} times: {effect.findings}"
        open_gate(unit, RaiseGate("audit", question, choices_of("audit")), unit.own_group)
    else:
        unit.add_message(
            task.boss_id,
            f"The auditor rejected the result:\n{effect.findings}\nRepair it, then finish again.",
            about=("told", None),
        )


def _go_on(unit: UnitOfWork, held: Held) -> None:
    """Emit the events of a deferred end and wake the boss."""
    for body in held.events:
        unit.event(body)
    unit.wake(held.boss_id, 0)


def _word_for(effect: Verdict) -> Literal["accepted", "rejected", "ran"]:
    if not effect.accepted:
        return "rejected"
    return "ran" if effect.by_runs else "accepted"
