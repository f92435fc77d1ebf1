"""Each effect of a step as statements of its commit. Raises Stale where the world moved meanwhile."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from engine.domain.effects import (
    Assign,
    ChangeAssignment,
    ChangeFile,
    Dismiss,
    GiveUp,
    Notice,
    ProposePlan,
    RaiseGate,
    Recruit,
    Remember,
    SendMessage,
    SetTodo,
    ShowRun,
)
from engine.domain.gates import choices_of
from engine.domain.naming import name_key
from engine.domain.outcomes import Slot
from engine.domain.recall import signs_of
from engine.domain.state import About
from engine.errors import Stale
from engine.events import (
    AgentChanged,
    AgentJoined,
    AgentSpoke,
    AssignmentChanged,
    CodeRan,
    FileWritten,
    GroupFormed,
    Intervened,
    PlanProposed,
)
from engine.store.core import (
    AGENTS,
    ASSIGNMENTS,
    FILES,
    MEMORIES,
    REVISIONS,
    TASKS,
    dumps,
    new_id,
)
from engine.store.gates import Question, raise_gate
from engine.store.load import load_assignment
from engine.store.pen import Pen
from engine.store.people import NewAgent, add_agent, dismiss, form_group, take_up
from engine.store.prepared import Prepared

_at = sa.and_(FILES.c.task_id == sa.bindparam("at_task"), FILES.c.path == sa.bindparam("at_path"))
_now_there: dict[str, Any] = {
    "blob": sa.bindparam("new_blob"),
    "revision": sa.bindparam("new_revision"),
    "size": sa.bindparam("new_size"),
    "agent": sa.bindparam("new_agent"),
    "changed_at": sa.bindparam("now"),
}
_make_head = Prepared(
    AGENTS.update().where(AGENTS.c.id == sa.bindparam("agent"), AGENTS.c.role == "member").values(role="head")
)
_update_todo = Prepared(
    AGENTS.update().where(AGENTS.c.id == sa.bindparam("agent")).values(todo_json=sa.bindparam("todo"))
)
_file = Prepared(sa.select(FILES.c.blob).where(_at))
_insert_file = Prepared(
    FILES.insert().values(task_id=sa.bindparam("at_task"), path=sa.bindparam("at_path"), **_now_there)
)
_update_file = Prepared(FILES.update().where(_at).values(**_now_there))
_insert_revision = Prepared(
    REVISIONS.insert().returning(REVISIONS.c.id),
    ("task_id", "path", "blob", "agent", "step", "key", "at", "note"),
)


def apply_send_message(effect: SendMessage, pen: Pen) -> None:
    targets = [pen.find(name) for name in effect.to]
    ids = {row.id for row in targets}
    if effect.to_group is not None:
        ids |= pen.group_ids(effect.to_group or _work_group(pen))
    for row in targets:
        if row.refused:
            take_up(pen.connection, row.id)
    for agent_id in sorted(ids - {pen.agent.id}):
        pen.letter(agent_id, effect.text, wakes=effect.wakes)
    group = effect.group_id or _work_group(pen)
    if targets and pen.leads is not None and all(row.group_id == pen.leads for row in targets):
        group = pen.leads
    pen.event(
        AgentSpoke(pen.task_id, group, pen.agent.id, pen.agent.name, effect.shown, effect.text, effect.refs)
    )


def apply_recruit(effect: Recruit, pen: Pen) -> None:
    agent = pen.agent
    if pen.leads is None:
        pen.leads = form_group(
            pen.connection, pen.task_id, agent.group_id, agent.id, effect.group_name, agent.depth
        )
        _make_head.run(pen.connection, agent=agent.id)
        pen.event(
            GroupFormed(pen.task_id, pen.leads, agent.group_id, agent.id, effect.group_name, agent.depth)
        )
    new = NewAgent(
        task_id=pen.task_id,
        group_id=pen.leads,
        head_id=agent.id,
        budget_id=agent.budget_id,
        name=effect.name,
        title=effect.title,
        instructions=effect.instructions,
        role="member",
        depth=agent.depth + 1,
    )
    new_agent, name = add_agent(pen.connection, new, pen.now)
    pen.ids[Slot("agent", effect.slot)] = name
    row = pen.look_up(new_agent)
    pen.taken.append(row)
    pen.known[name_key(effect.name)] = pen.known[name_key(name)] = row
    pen.event(AgentJoined(pen.task_id, pen.leads, new_agent, name, effect.title))


def apply_assign(effect: Assign, pen: Pen) -> None:
    to = pen.find(effect.to)
    if pen.leads is None or to.group_id != pen.leads:
        raise Stale(f"{to.name} is not in the caller's group")
    values = {
        "task_id": pen.task_id,
        "group_id": pen.leads,
        "giver_id": pen.agent.id,
        "assignee_id": to.id,
        "title": effect.title,
        "details": effect.details,
        "acceptance": effect.acceptance,
        "command_json": dumps(effect.command),
        "key": f"{pen.step_key}.a{effect.slot}",
        "created_at": pen.now,
        "changed_at": pen.now,
    }
    number = new_id(pen.connection, ASSIGNMENTS, values)
    pen.ids[Slot("assignment", effect.slot)] = number
    done = f"\nDone when: {effect.acceptance}" if effect.acceptance else ""
    check = f"\nIt is checked by running: {' '.join(effect.command)}" if effect.command else ""
    words = f"Assignment #{number}: {effect.title}\n{effect.details}{done}{check}"
    pen.letter(to.id, words, kind="work", about=("assignment", int(number)))
    pen.event(
        AssignmentChanged(
            pen.task_id, pen.leads, number, effect.title, pen.agent.name, to.name, "open", effect.details
        )
    )


def apply_change_assignment(effect: ChangeAssignment, pen: Pen) -> None:
    work = load_assignment(pen.connection, pen.task_id, effect.assignment_id)
    values: dict[str, object] = {"state": effect.state, "changed_at": pen.now}
    if effect.state == "submitted":
        values |= {"summary": effect.note, "files_json": dumps(effect.files)}
    else:
        values |= {"feedback": effect.note}
    if effect.state == "rejected":
        values["state"] = "open"
    changed = pen.connection.execute(
        ASSIGNMENTS.update()
        .where(ASSIGNMENTS.c.id == effect.assignment_id, ASSIGNMENTS.c.state.in_(effect.expected))
        .values(**values)
    )
    if work is None or changed.rowcount != 1:
        raise Stale(f"assignment {effect.assignment_id} changed meanwhile")
    to, text, wakes = _assignment_letter(effect, work.giver_id, work.assignee_id, work.title)
    about: About = "submission" if effect.state == "submitted" else ""
    pen.letter(to, text, wakes=wakes, kind="work", about=(about, effect.assignment_id))
    pen.event(
        AssignmentChanged(
            pen.task_id,
            work.group_id,
            work.id,
            work.title,
            work.giver,
            work.assignee,
            effect.state,
            effect.note,
        )
    )


def _assignment_letter(
    effect: ChangeAssignment, giver: int, assignee: int, title: str
) -> tuple[int, str, bool]:
    """Who hears of it. An acceptance asks nothing of anybody, so it wakes nobody."""
    name = f"#{effect.assignment_id} ({title})"
    if effect.state == "submitted":
        files = f"\nFiles: {', '.join(effect.files)}" if effect.files else ""
        return giver, f"Submission of {name}: {effect.note}{files}\nReview it.", True
    if effect.state == "rejected":
        return assignee, f"Your {name} was rejected: {effect.note}\nMend it and submit again.", True
    return assignee, f"Your {name} was {effect.state}. {effect.note}", effect.state == "cancelled"


def apply_dismiss(effect: Dismiss, pen: Pen) -> None:
    row = pen.find(effect.name)
    if pen.leads is None or row.group_id != pen.leads:
        raise Stale(f"{row.name} is not in the caller's group")
    for body in dismiss(pen.connection, row.id, effect.reason, pen.now):
        pen.event(body)


def apply_set_todo(effect: SetTodo, pen: Pen) -> None:
    items = [(item.text, item.status) for item in effect.items]
    _update_todo.run(pen.connection, agent=pen.agent.id, todo=dumps(items))


def apply_change_file(effect: ChangeFile, pen: Pen) -> None:
    pen.wrote_files = True
    row = _file.first(pen.connection, at_task=pen.task_id, at_path=effect.path)
    if (row.blob if row else None) != effect.expected:
        raise Stale(f"{effect.path} was written by someone else meanwhile")
    number = _insert_revision.scalar(
        pen.connection,
        task_id=pen.task_id,
        path=effect.path,
        blob=effect.blob,
        agent=pen.agent.name,
        step=pen.step_key,
        key=f"{pen.step_key}.f{effect.slot}",
        at=pen.now,
        note=effect.change,
    )
    (_insert_file if row is None else _update_file).run(
        pen.connection,
        at_task=pen.task_id,
        at_path=effect.path,
        new_blob=effect.blob,
        new_revision=number,
        new_size=effect.size,
        new_agent=pen.agent.name,
        now=pen.now,
    )
    pen.ids[Slot("revision", effect.slot)] = int(number)
    agent = pen.agent
    pen.event(
        FileWritten(
            pen.task_id,
            _work_group(pen),
            agent.id,
            agent.name,
            effect.path,
            number,
            effect.size,
            effect.change,
        )
    )


def _work_group(pen: Pen) -> int:
    """Where an agent's own work is shown: among its members if it has any, else at home."""
    return pen.leads if pen.leads is not None else pen.home_group


def apply_show_run(effect: ShowRun, pen: Pen) -> None:
    pen.event(
        CodeRan(
            pen.task_id,
            _work_group(pen),
            pen.agent.id,
            pen.agent.name,
            effect.command,
            effect.exit_code,
            effect.ended,
            effect.output,
            effect.typed,
        )
    )


def apply_raise_gate(effect: RaiseGate, pen: Pen) -> None:
    open_gate(pen, effect, pen.home_group)


def open_gate(pen: Pen, effect: RaiseGate, group: int, due_at: float | None = None) -> int:
    """A question to the people, asked by the agent -> gate id."""
    question = Question(
        effect.kind,
        effect.question,
        effect.choices,
        f"{pen.step_key}.g{len(pen.events)}",
        group,
        pen.agent.id,
        pen.agent.name,
        due_at,
    )
    raised = raise_gate(pen.connection, pen.task_id, question, pen.now)
    pen.event(raised)
    return raised.gate_id


def apply_remember(effect: Remember, pen: Pen) -> None:
    pen.connection.execute(
        MEMORIES.insert().values(
            task_id=pen.task_id,
            agent_id=None if effect.shared else pen.agent.id,
            text=effect.text,
            source=f"{pen.agent.name}, step {pen.turn.scene.step}",
            embedding=effect.embedding,
            signs=effect.embedding and signs_of(effect.embedding),
            key=f"{pen.step_key}.r{effect.slot}",
            created_at=pen.now,
        )
    )


def apply_propose_plan(effect: ProposePlan, pen: Pen) -> None:
    held = effect.hold_s is not None
    gate = None
    if effect.hold_s is not None:
        question = RaiseGate("plan", effect.summary, choices_of("plan"))
        gate = open_gate(pen, question, pen.home_group, pen.now + effect.hold_s)
    # A small plan that people were shown allows no large one: that is asked about when it comes.
    shown = "none" if pen.turn.scene.task.attended else "approved"
    pen.connection.execute(
        TASKS.update()
        .where(TASKS.c.id == pen.task_id)
        .values(plan_state="proposed" if held else shown, plan_agents=effect.agents)
    )
    pen.event(
        PlanProposed(
            pen.task_id,
            pen.home_group,
            gate,
            effect.summary,
            effect.groups,
            effect.agents,
            effect.tokens,
            effect.cost_micros,
            effect.minutes,
        )
    )


def apply_notice(effect: Notice, pen: Pen) -> None:
    agent = pen.agent
    if effect.tell_head and agent.head_id is not None:
        pen.letter(
            agent.head_id,
            f"{agent.name} is in trouble: {effect.detail}",
            kind="system",
            name="system",
            priority=3,
        )
    pen.event(
        Intervened(
            pen.task_id,
            pen.home_group,
            agent.id,
            agent.name,
            effect.rule,
            effect.action,
            effect.detail,
            effect.names,
        )
    )


def apply_give_up(effect: GiveUp, pen: Pen) -> None:
    agent = pen.agent
    stopped = {"status": "paused", "refused": effect.reason}
    pen.connection.execute(AGENTS.update().where(AGENTS.c.id == agent.id).values(**stopped))
    pen.event(AgentChanged(pen.task_id, pen.home_group, agent.id, agent.name, "paused"))
