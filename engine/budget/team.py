"""Current size of a task's team against its caps, and the number of open questions to people."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.tree import room_for_agents
from engine.domain.team import Team
from engine.store.core import AGENTS, BUDGETS, GATES, TASKS
from engine.store.lookup import budget_path
from engine.store.prepared import Prepared

_me = Prepared(
    sa.select(
        AGENTS.c.leads_group_id,
        BUDGETS.c.path,
        TASKS.c.agents,
        TASKS.c.max_agents,
        TASKS.c.plan_state,
    )
    .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
    .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
    .where(AGENTS.c.id == sa.bindparam("at_agent"))
)
_members = Prepared(
    sa.select(sa.func.count().label("count")).where(
        AGENTS.c.group_id == sa.bindparam("at_group"),
        AGENTS.c.id != sa.bindparam("at_agent"),
        AGENTS.c.status != "dismissed",
        AGENTS.c.role != "auditor",
    )
)


def open_questions(connection: Connection, agent_id: int) -> int:
    """Return how many questions of an agent are open."""
    waiting = sa.and_(GATES.c.agent_id == agent_id, GATES.c.kind == "question", GATES.c.basis.is_(None))
    return int(connection.execute(sa.select(sa.func.count()).where(waiting)).scalar_one())


def team_of(connection: Connection, agent_id: int) -> Team:
    """Return the current team of an agent's task."""
    me = _me.first(connection, at_agent=agent_id)
    if me is None:
        raise LookupError(f"there is no agent {agent_id}")
    led = me.leads_group_id
    count = 0 if led is None else int(_members.scalar(connection, at_group=led, at_agent=agent_id))
    path = budget_path(me.path)
    room = room_for_agents(connection, path) if len(path) > 1 else None
    return Team(me.agents, me.max_agents, count, room, me.plan_state)
