"""Effects of protected actions: people are asked for one, and their agreement is used once."""

from __future__ import annotations

import sqlalchemy as sa

from engine.domain.effects import AskAction, CheckRecruits, RaiseGate, UseAction
from engine.domain.gates import choices_of
from engine.domain.outside import AskedCall
from engine.errors import Stale
from engine.steps.apply import open_gate
from engine.steps.unit_of_work import UnitOfWork
from engine.store.core import ACTION_REQUESTS, TASKS


def apply_ask_action(effect: AskAction, unit: UnitOfWork) -> None:
    """Ask people about a protected action, by a gate bound to the digest of its arguments."""
    shown = AskedCall("", effect.action, effect.readable, effect.digest)
    question = RaiseGate("action", f"{effect.action} by {unit.agent.name}", choices_of("action"))
    gate = open_gate(unit, question, unit.own_group, call=shown)
    unit.connection.execute(
        ACTION_REQUESTS.insert().values(
            gate_id=gate,
            task_id=unit.task_id,
            action=effect.action,
            digest=effect.digest,
            arguments_json=effect.arguments,
        )
    )


def apply_use_action(effect: UseAction, unit: UnitOfWork) -> None:
    """Use up the people's agreement to an action. Raises Stale when another step used it."""
    unused = sa.and_(ACTION_REQUESTS.c.gate_id == effect.gate_id, ~ACTION_REQUESTS.c.used)
    if unit.connection.execute(ACTION_REQUESTS.update().where(unused).values(used=True)).rowcount != 1:
        raise Stale("the people's agreement to this was used meanwhile")


def apply_check_recruits(effect: CheckRecruits, unit: UnitOfWork) -> None:
    """Raise Stale when the task has more agents than may join without asking people."""
    agents = sa.select(TASKS.c.agents).where(TASKS.c.id == unit.task_id)
    if unit.connection.execute(agents).scalar_one() > effect.over:
        raise Stale("others recruited meanwhile, so that people are asked first")
