"""A cap that a person set for an agent and all below it: said at 80 %, at 100 % the people are asked."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.budget import WARN_PERCENT, CapName, amount
from engine.events import CapReached
from engine.ports import Wake
from engine.store.budgets import freeze
from engine.store.core import AGENTS, BUDGETS, GATES, AnyRow, append_events
from engine.store.intervene import Question, ask_people
from engine.store.people import dismiss, system_letter
from engine.store.tasks import ready_agents

SHARE_OPTIONS = ("Raise by half", "Wrap it up", "Dismiss it")
HALF, TENTH = 2, 10


def used_of(cap: CapName, spent: int, limit: int) -> str:
    """ "$0.80 of $1.00", "4 of 5 minutes"."""
    return f"{amount(cap, spent)} of {amount(cap, limit)}{'' if cap == 'cost' else f' {cap}'}"


def warn_setter(
    connection: Connection, row: AnyRow, agent: AnyRow, at: tuple[CapName, int, int], now: float
) -> None:
    """80 % of a budget (its row) are used."""
    reached = CapReached(row.task_id, at[0], WARN_PERCENT, at[1], at[2], agent.id, agent.name, row.set_by)
    append_events(connection, [(f"budget{row.id}.near.{at[0]}.{now:.6f}.cap", reached)], now)


def ask_about_share(
    connection: Connection, task: AnyRow, row: AnyRow, agent: AnyRow, at: tuple[CapName, int, int], now: float
) -> None:
    """100 % are used and the subtree has stopped: one question, whatever caps are reached."""
    asked = sa.select(GATES.c.id).where(
        GATES.c.agent_id == agent.id, GATES.c.kind == "share", GATES.c.answer.is_(None)
    )
    if connection.execute(asked).first() is not None:
        return
    key = f"budget{row.id}.full.{now:.6f}"
    text = (
        f"The cap set for {agent.name} and all below it is reached ({used_of(*at)}). They have stopped, the "
        "others go on. How to go on?"
    )
    reached = CapReached(task.id, at[0], 100, at[1], at[2], agent.id, agent.name, row.set_by)
    question = Question("share", text, SHARE_OPTIONS, f"{key}.gate", agent.id)
    _, raised = ask_people(connection, task, question, now)
    append_events(connection, [(f"{key}.0", reached), (f"{key}.1", raised)], now)


def answer_share(
    connection: Connection, gate: AnyRow, task: AnyRow, answer: str, now: float
) -> tuple[Wake, ...]:
    """What a person chose -> whom to wake. An agent that left meanwhile is left alone."""
    agent = connection.execute(sa.select(AGENTS).where(AGENTS.c.id == gate.agent_id)).one()
    row = connection.execute(sa.select(BUDGETS).where(BUDGETS.c.agent_id == agent.id)).first()
    if agent.status == "dismissed" or row is None:
        return ()
    choice = answer.casefold()
    if choice.startswith("dismiss"):
        return _dismiss(connection, task, agent, f"gate{gate.id}", now)
    wraps = choice.startswith("wrap")
    _grow(connection, row, TENTH if wraps else HALF, now)
    if wraps:
        words = (
            "Wrap up: a person wants what there is of your part, and gave a tenth more for that. Start "
            "nothing new; hand in what you have, and say truthfully what is missing."
        )
        system_letter(
            connection,
            task.id,
            agent.id,
            words,
            f"gate{gate.id}.answer",
            now,
            priority=0,
            about=("wrap_up", None),
        )
    return ready_agents(connection, task.id)


def _grow(connection: Connection, row: AnyRow, part: int, now: float) -> None:
    """Each cap there is grows by one `part`-th, minutes from now on; the subtree goes on."""
    caps = {name: getattr(row, name) for name in ("cap_micros", "cap_tokens", "cap_minutes")}
    more = {name: max(cap // part, 1) for name, cap in caps.items() if cap is not None}
    values: dict[str, float] = {name: caps[name] + extra for name, extra in more.items()}
    if row.deadline_at is not None:
        values["deadline_at"] = max(row.deadline_at, now) + more["cap_minutes"] * 60
    connection.execute(BUDGETS.update().where(BUDGETS.c.id == row.id).values(warned=0, **values))
    freeze(connection, row.id, frozen=False)


def _dismiss(connection: Connection, task: AnyRow, agent: AnyRow, key: str, now: float) -> tuple[Wake, ...]:
    events = dismiss(connection, agent.id, "a person let it go at its cap", now)
    append_events(connection, [(f"{key}.left.{n}", body) for n, body in enumerate(events)], now)
    to = agent.head_id or task.boss_id
    words = (
        f"{agent.name} had used its cap, and a person dismissed it. Its open assignments are cancelled; do "
        "without them, or give them to others."
    )
    system_letter(connection, task.id, to, words, f"{key}.answer", now)
    return (Wake(to, task.id),)
