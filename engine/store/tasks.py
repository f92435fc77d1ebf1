"""Commands of people as transactions: each returns the id asked for and whom to wake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import Limits, PauseTask, RaiseCap, ResumeTask, StartTask, StopTask
from engine.domain.gates import GateBasis, check_lower
from engine.domain.goals import checked_goal
from engine.errors import Invalid, NotFound, WrongState
from engine.events import (
    AgentJoined,
    EventBody,
    GroupFormed,
    PauseCause,
    TaskAccepted,
    TaskChanged,
    TaskState,
)
from engine.ports import Wake
from engine.store.budgets import Share, set_budget
from engine.store.core import (
    AGENTS,
    BUDGETS,
    FILES,
    GATES,
    MESSAGES,
    REVISIONS,
    TASKS,
    AnyRow,
    append_events,
    hold_order,
    new_id,
)
from engine.store.ending import ENDED, Ending, end_task
from engine.store.gates import close_gates
from engine.store.memory import kept_for
from engine.store.people import NewAgent, add_agent, close_share_gates, form_group

BOSS_NAME = "Boss"


@dataclass(frozen=True, slots=True)
class Done:
    """A command carried out: the id it returns, and whom to wake."""

    id: int
    wakes: tuple[Wake, ...] = ()


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits with every default filled in."""

    agents: int
    depth: int
    members: int
    steps: int
    cost_micros: int
    tokens: int
    minutes: int

    def limits(self) -> Limits:
        """Return them as a command names them."""
        return Limits(**asdict(self))


@dataclass(frozen=True, slots=True)
class BroughtFile:
    """A person's file, its bytes already in the workspace under `blob`."""

    path: str
    blob: str
    size: int


def start_task(
    connection: Connection, command: StartTask, caps: Caps, now: float, repeat_id: int | None = None
) -> Done:
    """A task with its root group, its boss and the first message."""
    goal = checked_goal(command.goal)
    task = new_id(connection, TASKS, _task_values(command, goal, caps, now))
    budget = new_id(
        connection, BUDGETS, {"task_id": task, "cap_micros": caps.cost_micros, "cap_tokens": caps.tokens}
    )
    connection.execute(BUDGETS.update().where(BUDGETS.c.id == budget).values(path=f"{budget}/"))
    boss, name = add_agent(
        connection,
        NewAgent(task, 0, None, budget, BOSS_NAME, "boss", "", "boss", 0),
        now,
    )
    group = form_group(connection, task, None, boss, "headquarters", 0)
    connection.execute(AGENTS.update().where(AGENTS.c.id == boss).values(group_id=group))
    connection.execute(TASKS.update().where(TASKS.c.id == task).values(boss_id=boss, root_group_id=group))
    events: list[EventBody] = [
        TaskAccepted(task, goal, command.by, command.space, repeat_id, command.origin),
        GroupFormed(task, group, None, boss, "headquarters", 0),
        AgentJoined(task, group, boss, name, "boss"),
    ]
    append_events(connection, [(f"t{task}.start.{n}", body) for n, body in enumerate(events)], now)
    words = _first_words(command) + _lessons(connection, command.space, goal)
    letter(connection, task, boss, words, f"t{task}.goal", now)
    return Done(task, (Wake(boss, task),))


def start_held(connection: Connection, command: StartTask, caps: Caps, now: float) -> Done:
    """A task whose files are still to come: nobody runs before `release_held`."""
    done = start_task(connection, command, caps, now)
    reason = "its files did not all arrive; stop it and start it anew"
    held = {"state": "paused", "reason": reason, "paused_for": "files"}
    connection.execute(TASKS.update().where(TASKS.c.id == done.id).values(**held))
    return done


def release_held(connection: Connection, held: Done) -> Done:
    """The files are there: the task runs."""
    waiting = sa.and_(TASKS.c.id == held.id, TASKS.c.state == "paused")
    connection.execute(TASKS.update().where(waiting).values(state="running", reason="", paused_for=""))
    return held


def _task_values(command: StartTask, goal: str, caps: Caps, now: float) -> dict[str, object]:
    return {
        "goal": goal,
        "state": "running",
        "space": command.space,
        "by": command.by,
        "attended": command.attended,
        "model": command.model or "",
        "created_at": now,
        "progress_at": now,
        "deadline_at": now + caps.minutes * 60,
        "max_agents": caps.agents,
        "max_depth": caps.depth,
        "max_members": caps.members,
        "max_steps": caps.steps,
        "max_minutes": caps.minutes,
    }


def _first_words(command: StartTask) -> str:
    if not command.files:
        return "The task begins. Decide how it is done, and begin."
    return f"The task begins. Files that came with it: {', '.join(sorted(command.files))}. Begin."


def _lessons(connection: Connection, space: str, goal: str) -> str:
    """What earlier tasks of this space left for it: information, with where each line comes from."""
    lines = [f"- {line.text} ({line.source})" for line in kept_for(connection, space, goal)]
    return "\n\nWhat earlier tasks here noted:\n" + "\n".join(lines) if lines else ""


def letter(connection: Connection, task: int, to: int, text: str, key: str, now: float) -> None:
    """A system message that wakes `to`."""
    connection.execute(
        MESSAGES.insert().values(
            task_id=task,
            to_agent=to,
            from_kind="system",
            from_name="system",
            text=text,
            key=key,
            priority=3,
            created_at=now,
        )
    )


def bring_files(
    connection: Connection, task: int, files: tuple[BroughtFile, ...], by: str, key: str, now: float
) -> None:
    """A person's files become revisions of the task; a path that exists gets a new revision."""
    hold_order(connection)
    for number, file in enumerate(files):
        revision = {
            "task_id": task,
            "path": file.path,
            "blob": file.blob,
            "agent": by,
            "step": key,
            "key": f"{key}.{number}",
            "at": now,
            "note": "brought",
        }
        current = {
            "blob": file.blob,
            "revision": new_id(connection, REVISIONS, revision),
            "size": file.size,
            "agent": by,
            "changed_at": now,
        }
        here = sa.and_(FILES.c.task_id == task, FILES.c.path == file.path)
        if connection.execute(FILES.update().where(here).values(**current)).rowcount == 0:
            connection.execute(FILES.insert().values(task_id=task, path=file.path, **current))


def get_task(connection: Connection, task_id: int) -> AnyRow:
    """The task's row. Raises NotFound."""
    row = connection.execute(sa.select(TASKS).where(TASKS.c.id == task_id)).first()
    if row is None:
        raise NotFound(f"There is no task {task_id}. Use /task list to see the tasks.")
    return row


def pause_task(connection: Connection, command: PauseTask, now: float) -> Done:
    """running -> paused."""
    task = get_task(connection, command.task_id)
    if task.state != "running":
        raise WrongState(f"Task {task.id} is {task.state}; only a running task can be paused.")
    set_state(connection, task, "paused", "paused by a person", now, "person")
    return Done(task.id)


def resume_task(connection: Connection, command: ResumeTask, now: float) -> Done:
    """paused -> running; everyone with something to do is woken."""
    task = get_task(connection, command.task_id)
    if task.state != "paused":
        raise WrongState(f"Task {task.id} is {task.state}; only a paused task can be resumed.")
    return Done(task.id, reopen(connection, task, "resumed", now))


_REOPENED: Mapping[GateBasis, str] = {
    "resumed": "resumed by a person",
    "cap_raised": "cap raised",
    "wrapped_up": "wrapping up",
}


def reopen(connection: Connection, task: AnyRow, basis: GateBasis, now: float) -> tuple[Wake, ...]:
    """Set the task running, close its cap gates -> whom to wake."""
    set_state(connection, task, "running", _REOPENED[basis], now)
    caps = sa.and_(GATES.c.task_id == task.id, GATES.c.kind == "cap")
    closed = close_gates(connection, caps, basis)
    append_events(connection, [(f"gate{body.gate_id}.closed", body) for body in closed], now)
    return ready_agents(connection, task.id)


def set_state(
    connection: Connection,
    task: AnyRow,
    state: TaskState,
    reason: str,
    now: float,
    cause: PauseCause = "",
) -> None:
    """Change between running and paused with its event."""
    connection.execute(
        TASKS.update()
        .where(TASKS.c.id == task.id)
        .values(state=state, reason=reason, paused_for=cause, progress_at=now, quiet_rounds=0)
    )
    body = TaskChanged(task.id, state, reason, cause)
    append_events(connection, [(f"t{task.id}.{state}.{now:.6f}", body)], now)


def ready_agents(connection: Connection, task_id: int | None = None) -> tuple[Wake, ...]:
    """Recovery in one query: active agents of running tasks with unread mail or an open turn."""
    unread = (
        sa.select(MESSAGES.c.id)
        .where(MESSAGES.c.to_agent == AGENTS.c.id, MESSAGES.c.consumed_step.is_(None), MESSAGES.c.wakes)
        .exists()
    )
    query = (
        sa.select(AGENTS.c.id, AGENTS.c.task_id)
        .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
        .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
        .where(
            TASKS.c.state == "running",
            AGENTS.c.status == "active",
            ~BUDGETS.c.frozen,
            sa.or_(AGENTS.c.in_turn, unread),
        )
        .order_by(AGENTS.c.id)
    )
    if task_id is not None:
        query = query.where(AGENTS.c.task_id == task_id)
    return tuple(Wake(row.id, row.task_id) for row in connection.execute(query))


def stop_task(connection: Connection, command: StopTask, now: float) -> Done:
    """Any state that is not an end -> stopped."""
    task = get_task(connection, command.task_id)
    if task.state in ENDED:
        raise WrongState(
            f"Task {task.id} has already ended ({task.state}). Its files stay under /task files."
        )
    report = command.reason or "Stopped by a person."
    events = end_task(connection, task.id, Ending("stopped", "stopped", report, by=command.by), now)
    append_events(connection, [(f"t{task.id}.stop.{n}", body) for n, body in enumerate(events)], now)
    return Done(task.id)


def raise_cap(connection: Connection, command: RaiseCap, now: float) -> Done:
    """New caps; a task paused at its cap goes on."""
    task = get_task(connection, command.task_id)
    if task.state in ENDED:
        raise WrongState(f"Task {task.id} has already ended ({task.state}).")
    check_limits(command.limits)
    if command.agent_id is not None:
        return _cap_subtree(connection, task, command.agent_id, command.limits, command.by, now)
    _write_limits(connection, task, command.limits)
    if task.state == "paused" and task.paused_for == "cap":
        return Done(task.id, reopen(connection, task, "cap_raised", now))
    return Done(task.id)


def _cap_subtree(
    connection: Connection, task: AnyRow, agent_id: int, limits: Limits, by: str, now: float
) -> Done:
    belongs = sa.select(AGENTS.c.id).where(AGENTS.c.id == agent_id, AGENTS.c.task_id == task.id)
    if connection.execute(belongs).first() is None:
        raise NotFound(f"Task {task.id} has no agent {agent_id}. Use /task status to see who works on it.")
    share = Share(limits.cost_micros, limits.tokens, limits.agents, limits.minutes)
    if share == Share():
        raise Invalid("The budget of a group is money, tokens, agents or minutes. Give one of them.")
    set_budget(connection, agent_id, replace(share, by=by), now)
    closed = close_share_gates(connection, [agent_id], "cap_raised")
    append_events(connection, [(f"gate{body.gate_id}.closed", body) for body in closed], now)
    return Done(task.id, ready_agents(connection, task.id))


def check_limits(limits: Limits) -> None:
    """Raises Invalid for a limit that is not positive."""
    for name in ("agents", "depth", "members", "steps", "cost_micros", "tokens", "minutes"):
        value = getattr(limits, name)
        if value is not None and value <= 0:
            raise Invalid(f"The limit on {name.replace('_micros', '')} must be more than 0.")


def lower_caps(connection: Connection, task: AnyRow, limits: Limits) -> None:
    """Set the caps that came with an approval. Raises Invalid for one that is no cap or above the task's."""
    check_limits(limits)
    check_lower(limits, caps_now(connection, task))
    _write_limits(connection, task, limits)


def caps_now(connection: Connection, task: AnyRow) -> Limits:
    """What a task may use of money, tokens, agents and minutes; its budget stays locked."""
    root = sa.and_(BUDGETS.c.task_id == task.id, BUDGETS.c.parent_id.is_(None))
    row = connection.execute(sa.select(BUDGETS).where(root).with_for_update()).one()
    return Limits(
        agents=task.max_agents,
        cost_micros=row.cap_micros,
        tokens=row.cap_tokens,
        minutes=task.max_minutes,
    )


def _write_limits(connection: Connection, task: AnyRow, limits: Limits) -> None:
    columns = {
        "max_agents": limits.agents,
        "max_depth": limits.depth,
        "max_members": limits.members,
        "max_steps": limits.steps,
        "max_minutes": limits.minutes,
    }
    changed = {name: value for name, value in columns.items() if value is not None}
    if limits.minutes is not None:
        changed["deadline_at"] = task.created_at + limits.minutes * 60
    if changed:
        connection.execute(TASKS.update().where(TASKS.c.id == task.id).values(**changed))
    money = {"cap_micros": limits.cost_micros, "cap_tokens": limits.tokens}
    kept = {name: value for name, value in money.items() if value is not None}
    if kept:
        root = sa.and_(BUDGETS.c.task_id == task.id, BUDGETS.c.parent_id.is_(None))
        connection.execute(BUDGETS.update().where(root).values(warned=0, **kept))
