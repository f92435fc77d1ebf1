"""Effect of set_budget: a head caps a member and all below it, within its own budget."""

from __future__ import annotations

import sqlalchemy as sa

from engine.budget.tree import SubtreeCaps, capped_by, set_budget
from engine.domain.effects import SetBudget
from engine.errors import Stale
from engine.lifecycle.task_state import ready_agents
from engine.steps.unit_of_work import UnitOfWork
from engine.store.core import AGENTS, BUDGETS


def apply_set_budget(effect: SetBudget, unit: UnitOfWork) -> None:
    """Cap a member and all below it, spent so far included; agents that fit again are woken.

    Raises Stale when the member left or a person set its cap.
    """
    row = unit.find(effect.name)
    if unit.leads is None or row.group_id != unit.leads:
        raise Stale(f"{row.name} is not in the caller's group")
    if capped_by(unit.connection, unit.task_id, row.name_key):
        raise Stale(f"a person set the cap of {row.name} meanwhile")
    spent = unit.connection.execute(
        sa.select(BUDGETS.c.agent_id, BUDGETS.c.spent_micros, BUDGETS.c.spent_tokens)
        .join(AGENTS, AGENTS.c.budget_id == BUDGETS.c.id)
        .where(AGENTS.c.id == row.id)
    ).one()
    own = spent.agent_id == row.id
    micros = None if effect.micros is None else effect.micros + (spent.spent_micros if own else 0)
    tokens = None if effect.tokens is None else effect.tokens + (spent.spent_tokens if own else 0)
    caps = SubtreeCaps(micros, tokens, effect.agents, effect.minutes)
    set_budget(unit.connection, row.id, caps, unit.now)
    for wake in ready_agents(unit.connection, unit.task_id):
        unit.wake(wake.agent_id)
