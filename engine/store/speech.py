"""Commands of people to agents and gates, as transactions."""

from __future__ import annotations

import math

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import (
    AnswerGate,
    DismissAgent,
    EditAgent,
    EditMessage,
    ForgetMemory,
    PauseAgent,
    ReplaceAgent,
    ResumeAgent,
    SayToAgent,
    WithdrawMessage,
)
from engine.domain.plan import read_answer
from engine.errors import Invalid, NotFound, WrongState
from engine.events import AgentChanged, EndBasis, EventBody, GateClosed
from engine.ports import Wake
from engine.store.core import (
    AGENTS,
    BUDGETS,
    GATES,
    MEMORIES,
    MESSAGES,
    TASKS,
    AnyRow,
    append_events,
    loads,
    new_id,
)
from engine.store.ending import ENDED, Ending, end_task, told_report
from engine.store.people import dismiss, system_letter
from engine.store.replace import replace_agent as put_successor
from engine.store.shares import answer_share
from engine.store.tasks import Done, cap_by_answer, get_task, ready_agents, reopen
from engine.store.wrapup import wrap_up

MAX_WORDS = 20_000
WITHDRAWN = -1
"""In place of the step that read a message: its person took it back first."""


def get_agent(connection: Connection, agent_id: int, *, alone: bool = False) -> AnyRow:
    """The agent's row, locked with `alone`. Raises NotFound."""
    query = sa.select(AGENTS).where(AGENTS.c.id == agent_id)
    row = connection.execute(query.with_for_update() if alone else query).first()
    if row is None:
        raise NotFound(f"There is no agent {agent_id}. Use /task status to see who works on a task.")
    return row


def say_to_agent(connection: Connection, command: SayToAgent, now: float) -> Done:
    """A person's words go ahead of everything else in the inbox's order of service."""
    agent = get_agent(connection, command.agent_id)
    task = get_task(connection, agent.task_id)
    if task.state in ENDED:
        raise WrongState(f"Task {task.id} has ended ({task.state}); its agents no longer answer.")
    if agent.status == "dismissed":
        raise WrongState(f"{agent.name} was dismissed. Write to its head instead.")
    text = command.text.strip()
    if not text and not command.files:
        raise Invalid("The message is empty. Write what the agent should know.")
    if len(text) > MAX_WORDS:
        raise Invalid(f"The message has {len(text):,} characters; {MAX_WORDS:,} fit. Attach it as a file.")
    if command.files:
        text = f"{text}\n(files brought: {', '.join(sorted(command.files))})".strip()
    key = f"say.{command.ref}" if command.ref else f"say.{agent.id}.{now:.6f}"
    known = connection.execute(sa.select(MESSAGES.c.id).where(MESSAGES.c.key == key)).scalar()
    if known is not None:
        return Done(int(known))
    values = {
        "task_id": task.id,
        "to_agent": agent.id,
        "from_kind": "person",
        "from_name": command.by_name,
        "text": text,
        "key": key,
        "ref": command.ref,
        "priority": 0,
        "created_at": now,
    }
    number = new_id(connection, MESSAGES, values)
    connection.execute(TASKS.update().where(TASKS.c.id == task.id).values(progress_at=now, quiet_rounds=0))
    return Done(number, (Wake(agent.id, task.id, 0),))


def edit_message(connection: Connection, command: EditMessage, now: float) -> Done:
    """A new row under the same ref, so that an agent reading the old one at this moment begins anew."""
    old = _take_back(connection, command.ref)
    values = {k: v for k, v in old._mapping.items() if k != "id"}
    values |= {"text": command.text.strip(), "key": f"say.{command.ref}.{now:.6f}"}
    return Done(new_id(connection, MESSAGES, values), (Wake(old.to_agent, old.task_id, 0),))


def withdraw_message(connection: Connection, command: WithdrawMessage, now: float) -> Done:
    """Gone, as if it had never been said."""
    return Done(_take_back(connection, command.ref).id)


def _take_back(connection: Connection, ref: str) -> AnyRow:
    """The unread message as it was. Its row stays, empty: SQLite gives the ids of deleted rows again, and
    an answer being made from the old words would consume the new ones under that id."""
    row = connection.execute(sa.select(MESSAGES).where(MESSAGES.c.ref == ref)).first()
    if row is None:
        raise NotFound("That message is not one an agent was sent.")
    taken = connection.execute(
        MESSAGES.update()
        .where(MESSAGES.c.id == row.id, MESSAGES.c.consumed_step.is_(None))
        .values(consumed_step=WITHDRAWN, text="", ref=None)
    )
    if taken.rowcount != 1:
        raise WrongState("The agent has read that message already. Write a new one instead.")
    return row


def answer_gate(connection: Connection, command: AnswerGate, now: float) -> Done:
    """The first answer counts."""
    gate = connection.execute(sa.select(GATES).where(GATES.c.id == command.gate_id)).first()
    if gate is None:
        raise NotFound(f"There is no question {command.gate_id}.")
    answer = command.answer.strip()
    if not answer:
        raise Invalid("The answer is empty. Choose an option or write one.")
    taken = connection.execute(
        GATES.update()
        .where(GATES.c.id == gate.id, GATES.c.answer.is_(None))
        .values(answer=answer, answered_by=command.by)
    )
    if taken.rowcount != 1:
        raise WrongState("That question was answered already.")
    closed = GateClosed(gate.task_id, gate.group_id, gate.id, answer, command.by)
    append_events(connection, [(f"gate{gate.id}.closed", closed)], now)
    task = get_task(connection, gate.task_id)
    connection.execute(TASKS.update().where(TASKS.c.id == task.id).values(progress_at=now, quiet_rounds=0))
    return Done(gate.id, _act_on(connection, gate, task, answer, now))


def _act_on(connection: Connection, gate: AnyRow, task: AnyRow, answer: str, now: float) -> tuple[Wake, ...]:
    if gate.kind == "share":
        return answer_share(connection, gate, task, answer, now)
    choice = answer.casefold()
    if choice.startswith(("stop", "cancel")) and gate.kind != "question":
        end_by_gate(
            connection, task, Ending("stopped", "stopped", f"Stopped by a person: {gate.question}"), now
        )
        return ()
    if gate.kind == "audit" and choice.startswith("accept"):
        basis: EndBasis = "ran" if task.basis == "ran" else "accepted"
        ending = Ending("done", basis, told_report(connection, task), tuple(loads(task.deliverables_json)))
        end_by_gate(connection, task, ending, now)
        return ()
    if gate.kind == "plan":
        told = read_answer(answer)
        # Words change the plan: what comes of them is shown again before many are recruited.
        state = {"plan_state": "approved"} if told.approved else {"plan_state": "none", "plan_agents": 0}
        connection.execute(TASKS.update().where(TASKS.c.id == task.id).values(**state))
        cap_by_answer(connection, task, told)
    if choice.startswith("wrap") and gate.kind in ("cap", "stall"):
        return _wrapped(connection, task, now)
    if gate.kind == "cap":
        return _past_cap(connection, task, now)
    if gate.kind == "audit":
        connection.execute(TASKS.update().where(TASKS.c.id == task.id).values(auditor_id=None))
    to = gate.agent_id or task.boss_id
    if gate.kind == "audit":
        to = task.boss_id
    system_letter(
        connection, task.id, to, _gate_words(gate, answer), f"gate{gate.id}.answer", now, priority=0
    )
    return (Wake(to, task.id, 0),)


def _gate_words(gate: AnyRow, answer: str) -> str:
    told = read_answer(answer)
    if gate.kind == "plan" and told.approved:
        within = f" Within this: {answer}" if told.capped else ""
        return f"The people approved your plan. Go on.{within}"
    if gate.kind == "plan":
        return (
            f"The people answered your plan: {answer}\nChange the plan by that. If it still needs more than "
            "a handful of agents, call propose_plan with the changed one; if not, go on."
        )
    return f'A person answers your question "{gate.question[:300]}": {answer}'


def _wrapped(connection: Connection, task: AnyRow, now: float) -> tuple[Wake, ...]:
    """Everyone but the boss stops; the task runs again for the boss to finish."""
    wakes = wrap_up(connection, task, "a person asked to wrap up", now)
    state = get_task(connection, task.id).state
    if state == "paused":
        reopen(connection, task, "wrapping up", now)
    return wakes


def _past_cap(connection: Connection, task: AnyRow, now: float) -> tuple[Wake, ...]:
    """Raise by half."""
    root = sa.and_(BUDGETS.c.task_id == task.id, BUDGETS.c.parent_id.is_(None))
    connection.execute(
        BUDGETS.update()
        .where(root)
        .values(
            cap_micros=BUDGETS.c.cap_micros + BUDGETS.c.cap_micros // 2,
            cap_tokens=BUDGETS.c.cap_tokens + BUDGETS.c.cap_tokens // 2,
            warned=0,
        )
    )
    later = max(task.deadline_at or now, now) + max(task.max_minutes // 2, 1) * 60
    longer = {"deadline_at": later, "max_minutes": math.ceil((later - task.created_at) / 60)}
    connection.execute(TASKS.update().where(TASKS.c.id == task.id).values(**longer))
    if task.state == "paused":
        return reopen(connection, task, "cap raised", now)
    return ready_agents(connection, task.id)


def end_by_gate(connection: Connection, task: AnyRow, ending: Ending, now: float) -> None:
    """End the task and append its events."""
    events = end_task(connection, task.id, ending, now)
    append_events(connection, [(f"t{task.id}.end.{n}", body) for n, body in enumerate(events)], now)


def pause_agent(connection: Connection, command: PauseAgent, now: float) -> Done:
    """active -> paused."""
    agent = get_agent(connection, command.agent_id)
    _switch(connection, agent, "active", "paused", now)
    return Done(agent.id)


def resume_agent(connection: Connection, command: ResumeAgent, now: float) -> Done:
    """paused -> active."""
    agent = get_agent(connection, command.agent_id)
    _switch(connection, agent, "paused", "active", now)
    return Done(agent.id, (Wake(agent.id, agent.task_id),))


def _switch(connection: Connection, agent: AnyRow, old: str, new: str, now: float) -> None:
    if agent.status != old:
        raise WrongState(f"{agent.name} is {agent.status}, not {old}.")
    connection.execute(AGENTS.update().where(AGENTS.c.id == agent.id).values(status=new))
    change: EventBody = AgentChanged(
        agent.task_id, agent.group_id, agent.id, agent.name, "paused" if new == "paused" else "resumed"
    )
    append_events(connection, [(f"agent{agent.id}.{new}.{now:.6f}", change)], now)


def edit_agent(connection: Connection, command: EditAgent, now: float) -> Done:
    """New instructions from the next turn on; the agent hears of it."""
    agent = get_agent(connection, command.agent_id)
    _check_going(connection, agent)
    text = command.instructions.strip()
    if not text or len(text) > MAX_WORDS:
        raise Invalid(f"Instructions have 1 to {MAX_WORDS:,} characters.")
    connection.execute(AGENTS.update().where(AGENTS.c.id == agent.id).values(instructions=text))
    words = f"A person changed your instructions. They are now:\n{text}"
    system_letter(connection, agent.task_id, agent.id, words, f"edit.{agent.id}.{now:.6f}", now, priority=0)
    change: EventBody = AgentChanged(agent.task_id, agent.group_id, agent.id, agent.name, "edited")
    append_events(connection, [(f"agent{agent.id}.edited.{now:.6f}", change)], now)
    return Done(agent.id, (Wake(agent.id, agent.task_id, 0),))


def dismiss_agent(connection: Connection, command: DismissAgent, now: float) -> Done:
    """The agent and those below leave; its head hears of it."""
    agent = get_agent(connection, command.agent_id)
    _check_going(connection, agent)
    if agent.role == "boss":
        raise WrongState("The boss cannot be dismissed. Stop the task instead.")
    if agent.status == "dismissed":
        raise WrongState(f"{agent.name} was dismissed already.")
    reason = command.reason or "dismissed by a person"
    events = dismiss(connection, agent.id, reason, now)
    append_events(connection, [(f"agent{agent.id}.left.{n}", body) for n, body in enumerate(events)], now)
    if agent.head_id is None:
        return Done(agent.id)
    words = (
        f"A person dismissed {agent.name}: {reason}. Its open assignments are cancelled; give them to others."
    )
    system_letter(connection, agent.task_id, agent.head_id, words, f"agent{agent.id}.left", now)
    return Done(agent.id, (Wake(agent.head_id, agent.task_id),))


def replace_agent(connection: Connection, command: ReplaceAgent, now: float) -> Done:
    """A fresh agent takes the place; its head hears of it."""
    agent = get_agent(connection, command.agent_id, alone=True)
    _check_going(connection, agent)
    if agent.role == "boss":
        raise WrongState("The boss cannot be replaced. Change its instructions, or stop the task.")
    if agent.role == "auditor":
        raise WrongState(f"{agent.name} judges the result and cannot be replaced.")
    if agent.status == "dismissed":
        raise WrongState(f"{agent.name} was dismissed already.")
    text = command.instructions.strip()
    if len(text) > MAX_WORDS:
        raise Invalid(f"Instructions have at most {MAX_WORDS:,} characters.")
    reason = command.reason.strip() or "replaced by a person"
    successor = put_successor(connection, agent, reason, now, text)
    key = f"agent{agent.id}.replaced"
    append_events(connection, [(f"{key}.{n}", body) for n, body in enumerate(successor.events)], now)
    words = f"A person put {successor.name} in the place of {agent.name}: {reason}. It goes on with the work."
    system_letter(connection, agent.task_id, agent.head_id, words, key, now, wakes=False)
    return Done(successor.id, (Wake(successor.id, agent.task_id, 0),))


def _check_going(connection: Connection, agent: AnyRow) -> None:
    task = get_task(connection, agent.task_id)
    if task.state in ENDED:
        raise WrongState(f"Task {task.id} has ended ({task.state}); its agents no longer work.")


def forget_memory(connection: Connection, command: ForgetMemory, now: float) -> Done:
    """Delete a kept line."""
    gone = connection.execute(
        MEMORIES.delete().where(MEMORIES.c.id == command.memory_id, MEMORIES.c.space.is_not(None))
    )
    if gone.rowcount != 1:
        raise NotFound(f"There is no kept memory {command.memory_id}. Use /memory list.")
    return Done(command.memory_id)
