"""Agents and groups: join, leave, cancel work; used by steps and command handlers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.gates import SUBTREE_CAP, GateBasis
from engine.domain.naming import name_key, unique_name
from engine.errors import Stale
from engine.events import AgentLeft, AssignmentChanged, EventBody, GateClosed
from engine.lifecycle.calls import withdraw_calls
from engine.lifecycle.gates import close_gates
from engine.lifecycle.open_messages import forward_messages, open_messages
from engine.ports import AgentRole
from engine.store.core import AGENTS, ASSIGNMENTS, GATES, GROUPS, TASKS
from engine.store.people import people_keys
from engine.store.prepared import Prepared
from engine.store.refusals import forget_refusals

_count_in = Prepared(
    TASKS.update()
    .where(TASKS.c.id == sa.bindparam("task"), TASKS.c.agents < TASKS.c.max_agents)
    .values(agents=TASKS.c.agents + sa.literal_column("1"))
)


_insert_agent = Prepared(
    AGENTS.insert().returning(AGENTS.c.id),
    (
        "task_id",
        "group_id",
        "head_id",
        "budget_id",
        "name",
        "name_key",
        "role",
        "title",
        "instructions",
        "depth",
        "to_lead",
        "created_at",
        "active_at",
    ),
)


_insert_group = Prepared(
    GROUPS.insert().returning(GROUPS.c.id), ("task_id", "parent_id", "head_id", "name", "depth")
)


_lead = Prepared(
    AGENTS.update().where(AGENTS.c.id == sa.bindparam("head")).values(leads_group_id=sa.bindparam("led"))
)


_has_name = Prepared(
    sa.select(AGENTS.c.id).where(
        AGENTS.c.task_id == sa.bindparam("task"), AGENTS.c.name_key == sa.bindparam("name")
    )
)


WRAP_UP = 0
"""Value of `paused_with` for an agent that was paused because its task or part wrapped up."""


@dataclass(frozen=True, slots=True)
class NewAgent:
    """An agent to insert, and its place in the hierarchy. `to_lead`: it is to recruit members."""

    task_id: int
    group_id: int
    head_id: int | None
    budget_id: int
    name: str
    title: str
    instructions: str
    role: AgentRole
    depth: int
    to_lead: bool = False


def add_agent(connection: Connection, new: NewAgent, now: float) -> tuple[int, str]:
    """Insert an agent under a name unique in its task, which is no name of a person who took part in it.
    Return (id, name). Raises Stale at the task's cap."""
    if _count_in.run(connection, task=new.task_id).rowcount != 1:
        raise Stale("the task has as many agents as it may have")
    # The engine itself names the others after their roles.
    people = people_keys(connection, new.task_id) if new.role == "member" else frozenset[str]()
    name = _free_name(connection, new.task_id, new.name, people)
    made = _insert_agent.scalar(
        connection,
        task_id=new.task_id,
        group_id=new.group_id,
        head_id=new.head_id,
        budget_id=new.budget_id,
        name=name,
        name_key=name_key(name),
        role=new.role,
        title=new.title,
        instructions=new.instructions,
        depth=new.depth,
        to_lead=new.to_lead,
        created_at=now,
        active_at=now,
    )
    return int(made), name


def _free_name(connection: Connection, task_id: int, wanted: str, people: frozenset[str]) -> str:
    """Return `wanted`, numbered when the task has an agent or one of `people` with it; nearly always one
    index lookup."""
    name = unique_name(wanted, ())
    key = name_key(name)
    if key not in people and not _has_name.first(connection, task=task_id, name=key):
        return name
    found = sa.select(AGENTS.c.name_key).where(
        AGENTS.c.task_id == task_id, AGENTS.c.name_key.startswith(key[:8], autoescape=True)
    )
    return unique_name(wanted, people | set(connection.execute(found).scalars()))


def form_group(
    connection: Connection, task_id: int, parent_id: int | None, head_id: int, name: str, depth: int
) -> int:
    """Insert a group with its head. Return the group's id."""
    values = {"task_id": task_id, "parent_id": parent_id, "head_id": head_id, "name": name, "depth": depth}
    group = int(_insert_group.scalar(connection, **values))
    _lead.run(connection, head=head_id, led=group)
    return group


def clear_refusal(connection: Connection, agent_id: int) -> None:
    """Reactivate an agent that had stopped because its model refused it; it retries with a new message."""
    gave_up = sa.and_(AGENTS.c.id == agent_id, AGENTS.c.refused != "")
    back = (
        AGENTS.update()
        .where(gave_up)
        .values(status="active", refused="", paused_with=None)
        .returning(AGENTS.c.task_id)
    )
    task_id = connection.execute(back).scalar()
    if task_id is not None:
        forget_refusals(connection, task_id)


def pause_recruits(connection: Connection, head: int, now: float) -> None:
    """Pause whom a step recruited after its agent was paused, like all others below that agent."""
    pause = sa.select(AGENTS.c.paused_with).where(AGENTS.c.id == head).scalar_subquery()
    fresh = sa.and_(AGENTS.c.head_id == head, AGENTS.c.created_at == now, AGENTS.c.status == "active")
    values = {"status": "paused", "paused_with": connection.execute(sa.select(pause)).scalar()}
    connection.execute(AGENTS.update().where(fresh).values(**values))


def dismiss(connection: Connection, agent_id: int, reason: str, now: float) -> list[EventBody]:
    """Dismiss an agent and everyone below it, and cancel their open work. Return the events to append.

    What people said to them and nobody acted on goes to the head. Who is in a model call keeps its
    reservation until that call is booked: it may cost as much even now.
    """
    leaving = subtree(connection, agent_id)
    ids = sorted(row.id for row in leaving)
    _save_words(connection, leaving[0].task_id, agent_id, set(ids))
    connection.execute(AGENTS.update().where(AGENTS.c.id.in_(ids)).values(status="dismissed", in_turn=False))
    events: list[EventBody] = [AgentLeft(r.task_id, r.group_id, r.id, r.name, reason) for r in leaving]
    events += cancel_work(connection, ids, reason, now)
    task_id = leaving[0].task_id
    connection.execute(
        TASKS.update().where(TASKS.c.id == task_id).values(agents=TASKS.c.agents - len(ids), progress_at=now)
    )
    events += withdraw_calls(connection, ids, "dismissed", now)
    return [*events, *close_subtree_cap_gates(connection, ids, "dismissed")]


def _save_words(connection: Connection, task_id: int, agent_id: int, gone: set[int]) -> None:
    """Give the open words of people to leaving agents to their head, else to the boss."""
    words = [each for each in open_messages(connection, task_id) if each.to_id in gone]
    if words:
        heads = sa.select(AGENTS.c.head_id, TASKS.c.boss_id).join(TASKS, TASKS.c.id == AGENTS.c.task_id)
        head, boss = connection.execute(heads.where(AGENTS.c.id == agent_id)).one()
        forward_messages(connection, words, head or boss)


def close_subtree_cap_gates(connection: Connection, agents: list[int], basis: GateBasis) -> list[GateClosed]:
    """Close the open gates about these agents' caps. Return the events to append."""
    return close_gates(connection, sa.and_(GATES.c.agent_id.in_(agents), GATES.c.kind == SUBTREE_CAP), basis)


def subtree(
    connection: Connection, agent_id: int, *, dismissed: bool = False
) -> Sequence[sa.Row[int, int, int, str]]:
    """Return (id, task_id, group_id, name) of the agent and all agents below it, the agent first.

    `dismissed`: with those who have left.
    """
    counted = sa.true() if dismissed else AGENTS.c.status != "dismissed"
    base = (
        sa.select(AGENTS.c.id, AGENTS.c.task_id, AGENTS.c.group_id, AGENTS.c.name)
        .where(AGENTS.c.id == agent_id)
        .cte("below", recursive=True)
    )
    below = base.union_all(
        sa.select(AGENTS.c.id, AGENTS.c.task_id, AGENTS.c.group_id, AGENTS.c.name)
        .join(base, AGENTS.c.head_id == base.c.id)
        .where(counted)
    )
    return connection.execute(sa.select(below.c.id, below.c.task_id, below.c.group_id, below.c.name)).all()


def cancel_work(
    connection: Connection, agents: list[int], reason: str, now: float, *, reviewer: int | None = None
) -> list[EventBody]:
    """Cancel the open and submitted assignments of these agents, except what waits for the review of
    `reviewer`. Return the events to append."""
    waits = sa.and_(ASSIGNMENTS.c.state == "submitted", ASSIGNMENTS.c.giver_id != reviewer)
    left = sa.or_(ASSIGNMENTS.c.state == "open", waits if reviewer else ASSIGNMENTS.c.state == "submitted")
    giver, assignee = AGENTS.alias(), AGENTS.alias()
    open_work = connection.execute(
        sa.select(ASSIGNMENTS, giver.c.name.label("giver"), assignee.c.name.label("assignee"))
        .join(giver, giver.c.id == ASSIGNMENTS.c.giver_id)
        .join(assignee, assignee.c.id == ASSIGNMENTS.c.assignee_id)
        .where(ASSIGNMENTS.c.assignee_id.in_(agents), left)
    ).all()
    ids = [row.id for row in open_work]
    connection.execute(
        ASSIGNMENTS.update().where(ASSIGNMENTS.c.id.in_(ids)).values(state="cancelled", changed_at=now)
    )
    return [
        AssignmentChanged(r.task_id, r.group_id, r.id, r.title, r.giver, r.assignee, "cancelled", reason)
        for r in open_work
    ]
