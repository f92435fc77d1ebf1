"""Apply each effect of a step in its commit. Raises Stale when the store has changed meanwhile."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from engine.domain.changes import changes_text
from engine.domain.checks import typed
from engine.domain.effects import (
    AmendAssignment,
    Assign,
    ChangeAssignment,
    ChangeFile,
    CountRefusal,
    Dismiss,
    GiveUp,
    NameTask,
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
from engine.domain.outside import AskedCall
from engine.domain.recall import signs_of
from engine.domain.state import About
from engine.domain.waits import HANDED_IN, Awaited
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
    PlannedMember,
    PlanProposed,
    TaskNamed,
)
from engine.lifecycle.agents import NewAgent, add_agent, clear_refusal, dismiss, form_group
from engine.lifecycle.gates import NewGate, close_gates, raise_gate
from engine.lifecycle.open_messages import unread_on_work
from engine.lifecycle.waits import end_wait_for_answer, set_waits
from engine.steps.accepted import mark_accepted, reopened
from engine.steps.unit_of_work import UnitOfWork
from engine.steps.waits import assignment_is, file_is_there
from engine.store.assignments import load_assignment
from engine.store.core import (
    AGENTS,
    ASSIGNMENTS,
    FILES,
    GATES,
    GROUPS,
    MEMORIES,
    REVISIONS,
    TASKS,
    dumps,
    new_id,
)
from engine.store.interventions import count_intervention
from engine.store.months import both_left
from engine.store.prepared import Prepared
from engine.store.refusals import Lane, count_refusal

_at = sa.and_(FILES.c.task_id == sa.bindparam("at_task"), FILES.c.path == sa.bindparam("at_path"))
_now_there: dict[str, Any] = {
    "blob": sa.bindparam("new_blob"),
    "revision": sa.bindparam("new_revision"),
    "size": sa.bindparam("new_size"),
    "agent": sa.bindparam("new_agent"),
    "changed_at": sa.bindparam("now"),
    "accepted_json": sa.bindparam("accepted"),
}
_make_head = Prepared(
    AGENTS.update().where(AGENTS.c.id == sa.bindparam("agent"), AGENTS.c.role == "member").values(role="head")
)
_update_todo = Prepared(
    AGENTS.update().where(AGENTS.c.id == sa.bindparam("agent")).values(todo_json=sa.bindparam("todo"))
)
_file = Prepared(sa.select(FILES.c.blob, FILES.c.accepted_json).where(_at))
_insert_file = Prepared(
    FILES.insert().values(task_id=sa.bindparam("at_task"), path=sa.bindparam("at_path"), **_now_there)
)
_update_file = Prepared(FILES.update().where(_at).values(**_now_there))
_insert_revision = Prepared(
    REVISIONS.insert().returning(REVISIONS.c.id),
    ("task_id", "path", "blob", "agent", "step", "key", "at", "note"),
)


FAILURES = frozenset({"malformed", "refused"})
"""Notices that an agent's model fails: only such an agent is ever replaced."""


def apply_send_message(effect: SendMessage, unit: UnitOfWork) -> None:
    """Put a message into the inboxes of its receivers and show it in the group's place."""
    targets = [unit.find(name) for name in effect.to]
    ids = {row.id for row in targets}
    if effect.to_group is not None:
        ids |= unit.group_ids(effect.to_group or _work_group(unit))
    for row in targets:
        if row.refused:
            clear_refusal(unit.connection, row.id)
    ids -= {unit.agent.id}
    if effect.waits and ids:
        unit.asked.update(dict.fromkeys(Awaited(answer_of=agent_id) for agent_id in sorted(ids)))
        set_waits(unit.connection, unit.task_id, unit.agent.id, tuple(unit.asked), unit.now)
    waiting = {row.id for row in unit.taken if row.waits}
    for agent_id in sorted(ids):
        # Who asked several is woken by the last answer, or by one that asks back.
        waits = agent_id in waiting
        more = waits and end_wait_for_answer(unit.connection, agent_id, unit.agent.id) == "more awaited"
        unit.add_message(
            agent_id,
            effect.text,
            wakes=effect.wakes and (effect.waits or not more),
            about=("" if effect.needs_answer else "told", None),
        )
    group = effect.group_id or _work_group(unit)
    if targets and unit.leads is not None and all(row.group_id == unit.leads for row in targets):
        group = unit.leads
    unit.event(
        AgentSpoke(
            unit.task_id,
            group,
            unit.agent.id,
            unit.agent.name,
            effect.shown,
            effect.text,
            tuple(ref for ref in effect.refs if ref not in unit.answered),
            unit.sources,
            effect.asks,
        )
    )


def apply_recruit(effect: Recruit, unit: UnitOfWork) -> None:
    """Insert a new member; the first one makes its recruiter a head with a group of its own."""
    agent = unit.agent
    if unit.leads is None:
        unit.leads = form_group(
            unit.connection, unit.task_id, agent.group_id, agent.id, effect.group_name, agent.depth
        )
        _make_head.run(unit.connection, agent=agent.id)
        unit.event(
            GroupFormed(unit.task_id, unit.leads, agent.group_id, agent.id, effect.group_name, agent.depth)
        )
    new = NewAgent(
        task_id=unit.task_id,
        group_id=unit.leads,
        head_id=agent.id,
        budget_id=agent.budget_id,
        name=effect.name,
        title=effect.title,
        instructions=effect.instructions,
        role="member",
        depth=agent.depth + 1,
        to_lead=effect.leads,
    )
    new_agent, name = add_agent(unit.connection, new, unit.now)
    unit.ids[Slot("agent", effect.slot)] = name
    row = unit.look_up(new_agent)
    unit.taken.append(row)
    unit.known[name_key(effect.name)] = unit.known[name_key(name)] = row
    unit.event(AgentJoined(unit.task_id, unit.leads, new_agent, name, effect.title))


def apply_assign(effect: Assign, unit: UnitOfWork) -> None:
    """Insert an assignment and send it to its member. Raises Stale when the member left the group."""
    to = unit.find(effect.to)
    if unit.leads is None or to.group_id != unit.leads:
        raise Stale(f"{to.name} is not in the caller's group")
    values = {
        "task_id": unit.task_id,
        "group_id": unit.leads,
        "giver_id": unit.agent.id,
        "assignee_id": to.id,
        "title": effect.title,
        "details": effect.details,
        "acceptance": effect.acceptance,
        "command_json": dumps(effect.command),
        "key": f"{unit.step_key}.a{effect.slot}",
        "created_at": unit.now,
        "changed_at": unit.now,
    }
    number = new_id(unit.connection, ASSIGNMENTS, values)
    unit.ids[Slot("assignment", effect.slot)] = number
    files = f"\n{effect.files}" if effect.files else ""
    text = f"Assignment #{number}: {_whole_text(effect)}{files}"
    unit.add_message(to.id, text, kind="work", about=("assignment", int(number)))
    unit.event(
        AssignmentChanged(
            unit.task_id, unit.leads, number, effect.title, unit.agent.name, to.name, "open", effect.details
        )
    )


def _whole_text(work: Assign | AmendAssignment) -> str:
    """Return an assignment's text as its member reads it."""
    done = f"\nDone when: {work.acceptance}" if work.acceptance else ""
    check = f"\nIt is checked by running: {typed(work.command)}" if work.command else ""
    return f"{work.title}\n{work.details}{done}{check}"


def apply_amend_assignment(effect: AmendAssignment, unit: UnitOfWork) -> None:
    """Change the text of an open assignment. Raises Stale when it is open no more."""
    work = load_assignment(unit.connection, unit.task_id, effect.assignment_id)
    mine = sa.and_(ASSIGNMENTS.c.id == effect.assignment_id, ASSIGNMENTS.c.giver_id == unit.agent.id)
    values = {
        "title": effect.title,
        "details": effect.details,
        "acceptance": effect.acceptance,
        "command_json": dumps(effect.command),
        "changed_at": unit.now,
    }
    still = sa.and_(mine, ASSIGNMENTS.c.state == "open")
    changed = unit.connection.execute(ASSIGNMENTS.update().where(still).values(**values))
    if work is None or changed.rowcount != 1:
        raise Stale(f"assignment {effect.assignment_id} changed meanwhile")
    text = (
        f"Your assignment #{work.id} was changed: {effect.why}\nIt is now: {_whole_text(effect)}\n"
        f"{effect.newer}Go by this text; change what you have already made where it differs."
    )
    unit.add_message(work.assignee_id, text, kind="work", about=("assignment", work.id))
    unit.event(
        AssignmentChanged(
            unit.task_id,
            work.group_id,
            work.id,
            effect.title,
            work.giver,
            work.assignee,
            "amended",
            effect.why,
        )
    )


def apply_change_assignment(effect: ChangeAssignment, unit: UnitOfWork) -> None:
    """Move an assignment to another state and notify the other party.

    Raises Stale when its state is none of those expected, or its member was written to before it submits.
    """
    work = load_assignment(unit.connection, unit.task_id, effect.assignment_id)
    if work is not None and effect.state == "submitted":
        reading = {message.id for message in unit.turn.facts.inbox}
        if unread_on_work(unit.connection, unit.agent.id, work).keys() - reading:
            raise Stale(f"{unit.agent.name} was written to meanwhile")
    values: dict[str, object] = {"state": effect.state, "changed_at": unit.now}
    if effect.state == "submitted":
        paths = [each.path for each in effect.changed if each.how != "unchanged"]
        values |= {"summary": effect.note, "files_json": dumps(effect.files), "changed_json": dumps(paths)}
    else:
        values |= {"feedback": effect.note}
    if effect.state == "rejected":
        values["state"] = "open"
    changed = unit.connection.execute(
        ASSIGNMENTS.update()
        .where(ASSIGNMENTS.c.id == effect.assignment_id, ASSIGNMENTS.c.state.in_(effect.expected))
        .values(**values)
    )
    if work is None or changed.rowcount != 1:
        raise Stale(f"assignment {effect.assignment_id} changed meanwhile")
    if effect.state == "submitted":
        _withdraw_questions(unit, effect.assignment_id)
    if effect.state == "accepted":
        mark_accepted(unit.connection, unit.task_id, work.id)
    to, text, wakes = _assignment_message(effect, work.giver_id, work.assignee_id, work.title)
    if effect.state in HANDED_IN:
        assignment_is(unit, effect.assignment_id, effect.state, to)
    about: About = "submission" if effect.state == "submitted" else ""
    unit.add_message(to, text, wakes=wakes, kind="work", about=(about, effect.assignment_id))
    unit.event(
        AssignmentChanged(
            unit.task_id,
            work.group_id,
            work.id,
            work.title,
            work.giver,
            work.assignee,
            effect.state,
            effect.note,
            effect.said,
            effect.command,
            effect.checked,
            effect.passed,
        )
    )


def _withdraw_questions(unit: UnitOfWork, submitted: int) -> None:
    """Close the questions of an agent that hands in its last open work: it went on without the answers."""
    mine = [w for w in unit.turn.facts.work if w.assignee_id == unit.agent.id and w.state == "open"]
    if any(work.id != submitted for work in mine):
        return
    asked = sa.and_(GATES.c.agent_id == unit.agent.id, GATES.c.kind == "question")
    for closed in close_gates(unit.connection, asked, "withdrawn"):
        unit.event(closed)


def _assignment_message(
    effect: ChangeAssignment, giver: int, assignee: int, title: str
) -> tuple[int, str, bool]:
    """Return (receiver, text, whether it wakes). An acceptance needs no action, so it wakes nobody."""
    name = f"#{effect.assignment_id} ({title})"
    if effect.state == "submitted":
        files = f"\nFiles: {', '.join(effect.files)}" if effect.files else ""
        changed = f"\n{changes_text(effect.changed)}" if effect.changed else ""
        began = "Changed since its last submission" if effect.again else "Made since you gave it"
        since = f"\n{began}:\n{effect.diff}" if effect.diff else ""
        if effect.again and not effect.diff:
            since = "\nIts member changed no file since its last submission."
        unrun = "\nNo check was given, and its member ran nothing." if effect.unrun else ""
        return giver, f"Submission of {name}: {effect.note}{unrun}{files}{changed}{since}\nReview it.", True
    if effect.state == "rejected":
        then = f"{effect.newer}Repair it and submit again."
        return assignee, f"Your {name} was rejected: {effect.note}\n{then}", True
    return assignee, f"Your {name} was {effect.state}. {effect.note}", effect.state == "cancelled"


def apply_dismiss(effect: Dismiss, unit: UnitOfWork) -> None:
    """Dismiss a member and all below it. Raises Stale when it left the group."""
    row = unit.find(effect.name)
    if unit.leads is None or row.group_id != unit.leads:
        raise Stale(f"{row.name} is not in the caller's group")
    for body in dismiss(unit.connection, row.id, effect.reason, unit.now):
        unit.event(body)


def apply_set_todo(effect: SetTodo, unit: UnitOfWork) -> None:
    """Replace the agent's own list."""
    items = [(item.text, item.status) for item in effect.items]
    _update_todo.run(unit.connection, agent=unit.agent.id, todo=dumps(items))


def apply_change_file(effect: ChangeFile, unit: UnitOfWork) -> None:
    """Write, delete or move a file as a new revision.

    Raises Stale when somebody else wrote it after the agent read it.
    """
    unit.wrote_files = True
    unit.written.append(effect.path)
    row = _file.first(unit.connection, at_task=unit.task_id, at_path=effect.path)
    if (row.blob if row else None) != effect.expected:
        raise Stale(f"{effect.path} was written by someone else meanwhile")
    number = _insert_revision.scalar(
        unit.connection,
        task_id=unit.task_id,
        path=effect.path,
        blob=effect.blob,
        agent=unit.agent.name,
        step=unit.step_key,
        key=f"{unit.step_key}.f{effect.slot}",
        at=unit.now,
        note=effect.change,
    )
    (_insert_file if row is None else _update_file).run(
        unit.connection,
        at_task=unit.task_id,
        at_path=effect.path,
        new_blob=effect.blob,
        new_revision=number,
        new_size=effect.size,
        new_agent=unit.agent.name,
        now=unit.now,
        accepted=reopened(unit, effect.path, row.accepted_json) if row else "",
    )
    unit.ids |= {Slot("revision", slot): int(number) for slot in (effect.slot, *effect.also)}
    if effect.blob is not None and effect.path in unit.awaited_paths():
        file_is_there(unit, effect.path)
    agent = unit.agent
    unit.event(
        FileWritten(
            unit.task_id,
            _work_group(unit),
            agent.id,
            agent.name,
            effect.path,
            number,
            effect.size,
            effect.change,
            effect.by_run,
        )
    )


def _work_group(unit: UnitOfWork) -> int:
    """Return the group in whose place an agent's work is shown: the one it leads, else its own."""
    return unit.leads if unit.leads is not None else unit.own_group


def apply_show_run(effect: ShowRun, unit: UnitOfWork) -> None:
    """Show a run of a program in the group's place."""
    unit.event(
        CodeRan(
            unit.task_id,
            _work_group(unit),
            unit.agent.id,
            unit.agent.name,
            effect.command,
            effect.exit_code,
            effect.ended,
            effect.output,
            effect.typed,
            effect.depends,
            effect.tests,
            effect.talked,
            effect.lack,
        )
    )


def apply_raise_gate(effect: RaiseGate, unit: UnitOfWork) -> None:
    """Ask people a question."""
    open_gate(unit, effect, unit.own_group)


def open_gate(
    unit: UnitOfWork,
    effect: RaiseGate,
    group: int,
    call: AskedCall | None = None,
) -> int:
    """Raise a gate asked by the agent, about `call` if it is one about a call. Return its id."""
    question = NewGate(
        effect.kind,
        effect.question,
        effect.choices,
        f"{unit.step_key}.g{len(unit.events)}",
        group,
        unit.agent.id,
        unit.agent.name,
        call,
    )
    raised = raise_gate(unit.connection, unit.task_id, question, unit.now)
    unit.event(raised)
    return raised.gate_id


def apply_remember(effect: Remember, unit: UnitOfWork) -> None:
    """Keep a memory of the agent, or one shared by the task."""
    unit.connection.execute(
        MEMORIES.insert().values(
            task_id=unit.task_id,
            agent_id=None if effect.shared else unit.agent.id,
            text=effect.text,
            source=f"{unit.agent.name}, step {unit.turn.facts.step}",
            embedding=effect.embedding,
            signs=effect.embedding and signs_of(effect.embedding),
            key=f"{unit.step_key}.r{effect.slot}",
            created_at=unit.now,
        )
    )


def apply_propose_plan(effect: ProposePlan, unit: UnitOfWork) -> None:
    """Show a plan; hold the task until people approve it where approval is needed."""
    gate = None
    if effect.hold:
        asked = f"{effect.summary}\nWhy a team: {effect.worth}" if effect.worth else effect.summary
        gate = open_gate(
            unit, RaiseGate("plan", asked, choices_of("plan", at_work=_has_team(unit))), unit.own_group
        )
    # A small plan that people were shown allows no large one: that is asked about when it comes.
    shown = "none" if unit.turn.facts.task.attended else "approved"
    unit.connection.execute(
        TASKS.update()
        .where(TASKS.c.id == unit.task_id)
        .values(
            plan_state="proposed" if effect.hold else shown,
            plan_agents=effect.agents,
            plan_minutes=effect.minutes,
        )
    )
    unit.event(
        PlanProposed(
            unit.task_id,
            unit.own_group,
            gate,
            effect.summary,
            effect.groups,
            effect.agents,
            effect.tokens,
            effect.cost_micros,
            effect.minutes,
            effect.guessed,
            effect.worth,
            *_left_in_month(unit),
            tuple(PlannedMember(name, part) for name, part in effect.team),
            *effect.room,
        )
    )


def _has_team(unit: UnitOfWork) -> bool:
    count = sa.select(TASKS.c.agents).where(TASKS.c.id == unit.task_id)
    return int(unit.connection.execute(count).scalar_one()) > 1


def _left_in_month(unit: UnitOfWork) -> tuple[int | None, int | None]:
    """Return the money and the tokens that the month's budgets leave a plan, None without one."""
    payer = sa.select(TASKS.c.payer).where(TASKS.c.id == unit.task_id)
    by = unit.connection.execute(payer).scalar_one()
    left = both_left(unit.connection, unit.turn.facts.task.space, by, unit.now)
    money = [each.left_micros for each in left if each.left_micros is not None]
    tokens = [each.left_tokens for each in left if each.left_tokens is not None]
    return min(money, default=None), min(tokens, default=None)


def apply_name_task(effect: NameTask, unit: UnitOfWork) -> None:
    """Give the task, and its root group, a title; a task that has one keeps it."""
    unnamed = sa.and_(TASKS.c.id == unit.task_id, TASKS.c.title == "")
    named = unit.connection.execute(TASKS.update().where(unnamed).values(title=effect.title))
    if named.rowcount:
        root = sa.and_(GROUPS.c.task_id == unit.task_id, GROUPS.c.parent_id.is_(None))
        unit.connection.execute(GROUPS.update().where(root).values(name=effect.title))
        unit.event(TaskNamed(unit.task_id, unit.own_group, effect.title))


def apply_notice(effect: Notice, unit: UnitOfWork) -> None:
    """Tell people, and the agent's head where asked, of an intervention."""
    agent = unit.agent
    if effect.rule in FAILURES:
        count_intervention(unit.connection, unit.task_id, "failed", str(agent.id), unit.now)
    if effect.notify_head and agent.head_id is not None:
        unit.add_message(
            agent.head_id,
            f"{agent.name} is in trouble: {effect.detail}",
            kind="system",
            name="system",
            priority=3,
        )
    unit.event(
        Intervened(
            unit.task_id,
            unit.own_group,
            agent.id,
            agent.name,
            effect.rule,
            effect.action,
            effect.detail,
            effect.names,
        )
    )


def apply_count_refusal(effect: CountRefusal, unit: UnitOfWork) -> None:
    """Count an endpoint's refusal: what it refuses twice for one reason it is not asked again."""
    lane = Lane(effect.key, effect.roles)
    count_refusal(unit.connection, unit.task_id, lane, effect.cause, unit.now)


def apply_give_up(effect: GiveUp, unit: UnitOfWork) -> None:
    """Pause the agent, whose model's refusals cannot be repaired."""
    agent = unit.agent
    stopped = {"status": "paused", "refused": effect.reason}
    unit.connection.execute(AGENTS.update().where(AGENTS.c.id == agent.id).values(**stopped))
    unit.event(AgentChanged(unit.task_id, unit.own_group, agent.id, agent.name, "paused"))
