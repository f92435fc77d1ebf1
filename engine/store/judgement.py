"""The last steps of a task: the boss finishes, an auditor with a fresh context judges, people decide."""

from __future__ import annotations

from base64 import b64encode
from typing import Literal

import sqlalchemy as sa

from engine.domain.account import run_lines
from engine.domain.effects import Finish, RaiseGate, Verdict
from engine.domain.gates import choices_of
from engine.events import AgentJoined, Audited, EndBasis
from engine.store.apply import open_gate
from engine.store.core import TASKS, dumps, loads
from engine.store.ending import Ending, end_task, told_report
from engine.store.evidence import account, runs_of
from engine.store.pen import Pen
from engine.store.people import NewAgent, add_agent, dismiss


def apply_finish(effect: Finish, pen: Pen) -> None:
    task = TASKS.c.id == pen.task_id
    vectors = [b64encode(vector).decode() for vector in effect.vectors] or [""] * len(effect.lessons)
    lessons = dumps(list(zip(effect.lessons, vectors, strict=True)))
    pen.connection.execute(TASKS.update().where(task).values(lessons_json=lessons))
    report = effect.report or account(pen.connection, pen.task_id)
    basis: EndBasis = "unjudged" if effect.report else "ran"
    if not effect.audit:
        ending = Ending("done", basis, report, effect.deliverables)
        for body in end_task(pen.connection, pen.task_id, ending, pen.now):
            pen.event(body)
        return
    auditor, name = _new_auditor(pen)
    pen.connection.execute(
        TASKS.update()
        .where(task)
        .values(
            report=report,
            basis=basis,
            deliverables_json=dumps(effect.deliverables),
            auditor_id=auditor,
            audit_round=TASKS.c.audit_round + 1,
        )
    )
    pen.event(AgentJoined(pen.task_id, pen.home_group, auditor, name, "auditor"))
    files = ", ".join(effect.deliverables) or "none named"
    runs = "" if not effect.report else run_lines(runs_of(pen.connection, pen.task_id))
    runs += "\n" if runs else ""
    pen.letter(
        auditor,
        f"The boss says the goal is met.\nReport: {report}\nDeliverables: {files}\n{runs}"
        "Check it against the files and call verdict.",
    )


def _new_auditor(pen: Pen) -> tuple[int, str]:
    """A fresh agent each round, so that it has no part in the work; the cap on agents makes room for it."""
    pen.connection.execute(
        TASKS.update()
        .where(TASKS.c.id == pen.task_id, TASKS.c.agents >= TASKS.c.max_agents)
        .values(max_agents=TASKS.c.agents + 1)
    )
    new = NewAgent(
        task_id=pen.task_id,
        group_id=pen.home_group,
        head_id=None,
        budget_id=pen.agent.budget_id,
        name="Auditor",
        title="auditor",
        instructions="",
        role="auditor",
        depth=1,
    )
    return add_agent(pen.connection, new, pen.now)


def apply_verdict(effect: Verdict, pen: Pen) -> None:
    task = pen.connection.execute(sa.select(TASKS).where(TASKS.c.id == pen.task_id)).one()
    files = tuple(loads(task.deliverables_json))
    report = told_report(pen.connection, task)
    pen.event(Audited(pen.task_id, pen.home_group, _word_for(effect), effect.findings, task.audit_round))
    if effect.accepted:
        ran = effect.by_runs or task.basis == "ran"
        ending = Ending("done", "ran" if ran else "audited", report, files, verified=not effect.by_runs)
        for body in end_task(pen.connection, pen.task_id, ending, pen.now):
            pen.event(body)
        return
    pen.connection.execute(TASKS.update().where(TASKS.c.id == pen.task_id).values(auditor_id=None))
    for body in dismiss(pen.connection, pen.agent.id, "has judged", pen.now):
        pen.event(body)
    if effect.last_round and not task.attended:
        told = f"{report}\n\nNot verified: the auditor rejected it. {effect.findings}"
        ending = Ending("done", "ran" if task.basis == "ran" else "rejected", told, files)
        for body in end_task(pen.connection, pen.task_id, ending, pen.now):
            pen.event(body)
    elif effect.last_round:
        question = f"The auditor rejected the result {task.audit_round} times: {effect.findings}"
        open_gate(pen, RaiseGate("audit", question, choices_of("audit")), pen.home_group)
    else:
        pen.letter(
            task.boss_id, f"The auditor rejected the result:\n{effect.findings}\nMend it, then finish again."
        )


def _word_for(effect: Verdict) -> Literal["accepted", "rejected", "ran"]:
    if not effect.accepted:
        return "rejected"
    return "ran" if effect.by_runs else "accepted"
