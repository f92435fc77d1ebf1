"""The effect of set_budget: a head gives a member a share of its own budget."""

from __future__ import annotations

import sqlalchemy as sa

from engine.domain.effects import SetBudget
from engine.errors import Stale
from engine.store.budgets import Share, set_budget
from engine.store.core import AGENTS, BUDGETS
from engine.store.pen import Pen
from engine.store.tasks import ready_agents


def apply_set_budget(effect: SetBudget, pen: Pen) -> None:
    row = pen.find(effect.name)
    if pen.leads is None or row.group_id != pen.leads:
        raise Stale(f"{row.name} is not in the caller's group")
    spent = pen.connection.execute(
        sa.select(BUDGETS.c.agent_id, BUDGETS.c.spent_micros, BUDGETS.c.spent_tokens)
        .join(AGENTS, AGENTS.c.budget_id == BUDGETS.c.id)
        .where(AGENTS.c.id == row.id)
    ).one()
    own = spent.agent_id == row.id
    micros = None if effect.micros is None else effect.micros + (spent.spent_micros if own else 0)
    tokens = None if effect.tokens is None else effect.tokens + (spent.spent_tokens if own else 0)
    share = Share(micros, tokens, effect.agents, effect.minutes)
    set_budget(pen.connection, row.id, share, pen.now)
    for wake in ready_agents(pen.connection, pen.task_id):
        pen.wake(wake.agent_id)
