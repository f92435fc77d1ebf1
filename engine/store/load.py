"""The first transaction of a step: who may run, what it reads, and the reservation of its spending."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.prompt import MAX_SHOWN
from engine.domain.state import (
    AgentFacts,
    Colleague,
    Letter,
    PastCall,
    PastStep,
    Scene,
    TaskFacts,
    TodoItem,
    Turn,
    Work,
)
from engine.ports import Quote
from engine.store.core import AGENTS, ASSIGNMENTS, BUDGETS, MESSAGES, STEPS, TASKS, AnyRow, loads

MAX_LETTERS = 50
LETTER_CHARS = 24_000

_agent_and_task = (
    sa.select(
        AGENTS,
        TASKS.c.goal,
        TASKS.c.state.label("task_state"),
        TASKS.c.space,
        TASKS.c.boss_id,
        TASKS.c.agents,
        TASKS.c.max_agents,
        TASKS.c.max_depth,
        TASKS.c.max_members,
        TASKS.c.max_steps,
        TASKS.c.audit_round,
        TASKS.c.plan_state,
        BUDGETS.c.path.label("budget_path"),
    )
    .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
    .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
    .where(AGENTS.c.id == sa.bindparam("agent"))
)
_inbox = (
    sa.select(
        MESSAGES.c.id,
        MESSAGES.c.from_kind,
        MESSAGES.c.from_name,
        MESSAGES.c.text,
        MESSAGES.c.ref,
        MESSAGES.c.priority,
        MESSAGES.c.wakes,
    )
    .where(MESSAGES.c.to_agent == sa.bindparam("agent"), MESSAGES.c.consumed_step.is_(None))
    .order_by(MESSAGES.c.id)
    .limit(MAX_LETTERS)
)
_past = (
    sa.select(STEPS.c.step, STEPS.c.input, STEPS.c.said, STEPS.c.calls_json)
    .where(STEPS.c.agent_id == sa.bindparam("agent"), STEPS.c.step > sa.bindparam("upto"))
    .order_by(STEPS.c.step)
)
_colleagues = (
    sa.select(AGENTS.c.id, AGENTS.c.name, AGENTS.c.title, AGENTS.c.group_id)
    .where(
        AGENTS.c.group_id == sa.bindparam("group"),
        AGENTS.c.id != sa.bindparam("agent"),
        AGENTS.c.status == "active",
    )
    .order_by(AGENTS.c.id)
    .limit(MAX_SHOWN + 1)
)
_one_colleague = sa.select(AGENTS.c.id, AGENTS.c.name, AGENTS.c.title).where(
    AGENTS.c.id == sa.bindparam("agent")
)
_giver, _assignee = AGENTS.alias("giver"), AGENTS.alias("assignee")
_work_columns = (
    sa.select(ASSIGNMENTS, _giver.c.name.label("giver"), _assignee.c.name.label("assignee"))
    .join(_giver, _giver.c.id == ASSIGNMENTS.c.giver_id)
    .join(_assignee, _assignee.c.id == ASSIGNMENTS.c.assignee_id)
)
_work = _work_columns.where(
    sa.or_(
        ASSIGNMENTS.c.giver_id == sa.bindparam("agent"), ASSIGNMENTS.c.assignee_id == sa.bindparam("agent")
    ),
    ASSIGNMENTS.c.state.in_(("open", "submitted")),
).order_by(ASSIGNMENTS.c.id)
_reserve = (
    BUDGETS.update()
    .where(
        BUDGETS.c.id.in_(sa.bindparam("path_ids", expanding=True)),
        sa.or_(
            BUDGETS.c.cap_micros.is_(None),
            BUDGETS.c.spent_micros + BUDGETS.c.reserved_micros + sa.bindparam("micros")
            <= BUDGETS.c.cap_micros,
        ),
        sa.or_(
            BUDGETS.c.cap_tokens.is_(None),
            BUDGETS.c.spent_tokens + BUDGETS.c.reserved_tokens + sa.bindparam("tokens")
            <= BUDGETS.c.cap_tokens,
        ),
    )
    .values(
        reserved_micros=BUDGETS.c.reserved_micros + sa.bindparam("micros"),
        reserved_tokens=BUDGETS.c.reserved_tokens + sa.bindparam("tokens"),
    )
)
_hold = (
    AGENTS.update()
    .where(AGENTS.c.id == sa.bindparam("agent"))
    .values(reserved_micros=sa.bindparam("micros"), reserved_tokens=sa.bindparam("tokens"))
)


class CapHit(Exception):
    """A reservation would exceed a cap of the budget path: the task pauses and asks."""

    def __init__(self, task_id: int, agent_id: int) -> None:
        super().__init__(task_id, agent_id)
        self.task_id, self.agent_id = task_id, agent_id


def load_turn(connection: Connection, agent_id: int, compose: Callable[[Scene], Turn]) -> Turn | None:
    """The agent's next step, its spending reserved; None when it has nothing to do or may not run.

    Raises CapHit (nothing reserved).
    """
    row = connection.execute(_agent_and_task, {"agent": agent_id}).first()
    if row is None or row.task_state != "running" or row.status != "active":
        return None
    letters = connection.execute(_inbox, {"agent": agent_id}).all()
    if not row.in_turn and not any(letter.wakes for letter in letters):
        return None
    turn = compose(_scene(connection, row, letters))
    _reserve_for(connection, row, turn.held)
    return turn


def _reserve_for(connection: Connection, row: AnyRow, quote: Quote) -> None:
    micros, tokens = quote.cost_micros - row.reserved_micros, quote.tokens - row.reserved_tokens
    path = budget_path(row.budget_path)
    done = connection.execute(_reserve, {"path_ids": path, "micros": micros, "tokens": tokens}).rowcount
    if done != len(path):
        raise CapHit(row.task_id, row.id)
    connection.execute(_hold, {"agent": row.id, "micros": quote.cost_micros, "tokens": quote.tokens})


def budget_path(path: str) -> list[int]:
    """Ids of a budget and all above it."""
    return [int(part) for part in path.split("/") if part]


def _scene(connection: Connection, row: AnyRow, letters: Sequence[AnyRow]) -> Scene:
    agent = _agent(row)
    past: tuple[PastStep, ...] = ()
    if agent.fence > row.summary_upto:
        found = connection.execute(_past, {"agent": agent.id, "upto": row.summary_upto})
        past = tuple(past_step(step) for step in found)
    head = _head(connection, agent)
    return Scene(
        task=_task(row),
        agent=agent,
        inbox=_within(letters),
        past=past,
        colleagues=() if agent.in_turn else _load_colleagues(connection, agent, head),
        work=() if agent.in_turn else load_work(connection, agent.id),
        head=head.name if head else "",
        upto=row.summary_upto,
    )


def _within(letters: Sequence[AnyRow]) -> tuple[Letter, ...]:
    """As much mail as fits; the rest stays unread for the next step."""
    kept: list[Letter] = []
    size = 0
    for letter in letters:
        size += len(letter.text)
        if kept and size > LETTER_CHARS:
            break
        kept.append(
            Letter(letter.id, letter.from_kind, letter.from_name, letter.text, letter.ref, letter.priority)
        )
    return tuple(kept)


def past_step(row: AnyRow) -> PastStep:
    """A stored step as replayed to the model."""
    return PastStep(row.step, row.input, row.said, tuple(PastCall(*call) for call in loads(row.calls_json)))


def _task(row: AnyRow) -> TaskFacts:
    return TaskFacts(
        id=row.task_id,
        goal=row.goal,
        space=row.space,
        boss_id=row.boss_id,
        agents=row.agents,
        max_agents=row.max_agents,
        max_depth=row.max_depth,
        max_members=row.max_members,
        max_steps=row.max_steps,
        audit_round=row.audit_round,
        plan_state=row.plan_state,
    )


def _agent(row: AnyRow) -> AgentFacts:
    return AgentFacts(
        id=row.id,
        name=row.name,
        role=row.role,
        title=row.title,
        instructions=row.instructions,
        group_id=row.group_id,
        leads_group_id=row.leads_group_id,
        head_id=row.head_id,
        budget_id=row.budget_id,
        budget_path=row.budget_path,
        depth=row.depth,
        fence=row.fence,
        turn=row.turn,
        turn_steps=row.turn_steps,
        in_turn=row.in_turn,
        bad_answers=row.bad_answers,
        summary=row.summary,
        todo=tuple(TodoItem(*item) for item in loads(row.todo_json)),
        last_calls=tuple(loads(row.last_calls_json)),
        reserved_micros=row.reserved_micros,
        reserved_tokens=row.reserved_tokens,
    )


def _head(connection: Connection, agent: AgentFacts) -> Colleague | None:
    if agent.head_id is None:
        return None
    row = connection.execute(_one_colleague, {"agent": agent.head_id}).one()
    return Colleague(row.id, row.name, row.title, "head")


def _load_colleagues(
    connection: Connection, agent: AgentFacts, head: Colleague | None
) -> tuple[Colleague, ...]:
    found = [head] if head else []
    for group, relation in ((agent.group_id, "peer"), (agent.leads_group_id, "member")):
        if group is None or (relation == "peer" and group == agent.leads_group_id):
            continue
        rows = connection.execute(_colleagues, {"group": group, "agent": agent.id})
        found += [Colleague(row.id, row.name, row.title, relation) for row in rows if row.id != agent.head_id]
    return tuple(found)


def load_work(connection: Connection, agent_id: int) -> tuple[Work, ...]:
    """Open and submitted assignments that the agent gave or has."""
    return tuple(_work_of(row) for row in connection.execute(_work, {"agent": agent_id}))


def load_assignment(connection: Connection, task_id: int, assignment_id: int) -> Work | None:
    """One assignment of the task in any state."""
    found = _work_columns.where(ASSIGNMENTS.c.id == assignment_id, ASSIGNMENTS.c.task_id == task_id)
    row = connection.execute(found).first()
    return _work_of(row) if row else None


def _work_of(row: AnyRow) -> Work:
    return Work(
        id=row.id,
        title=row.title,
        giver_id=row.giver_id,
        assignee_id=row.assignee_id,
        giver=row.giver,
        assignee=row.assignee,
        state=row.state,
        acceptance=row.acceptance,
        command=tuple(loads(row.command_json)),
        group_id=row.group_id,
    )
