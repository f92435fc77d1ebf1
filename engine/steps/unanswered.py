"""A turn that ends over people's words: without an answer or an effect, so that nobody acted on them.

The model does not end a turn so. The engine does, when an agent repeats itself, gives useless answers or is
refused by its endpoint.
"""

from __future__ import annotations

import sqlalchemy as sa

from engine.domain.effects import StepOutcome
from engine.domain.speech import acts
from engine.events import Intervened
from engine.lifecycle.open_messages import forward_messages, read_in_silence, return_messages
from engine.steps.unit_of_work import UnitOfWork
from engine.store.core import AGENTS


def ends_silently(outcome: StepOutcome) -> bool:
    """Return whether a step ends its turn and holds neither an answer nor an effect."""
    return outcome.ends_turn and not acts(outcome.said, outcome.calls)


def pass_on_words(unit: UnitOfWork) -> None:
    """Forward the words that the turn ends over to the agent's head, and wake it.

    Who has no head keeps them unread, and is not woken by them, since it would do the same again: a quiet
    task wakes it, a few times, then people are asked. Until somebody acts on them the task does not end.
    """
    agent, connection = unit.agent, unit.connection
    turn = agent.turn + (0 if agent.in_turn else 1)
    words = read_in_silence(connection, unit.task_id, agent.id, turn)
    if not words:
        return
    head = unit.scalar(sa.select(AGENTS.c.head_id).where(AGENTS.c.id == agent.id))
    if head is None:
        return_messages(connection, words, agent.id)
        then = "it reads the message again at its next turn"
    else:
        forward_messages(connection, words, head, "whose turn ended without an answer")
        unit.wake(head, 0)
        then = "its head receives the message"
    people = ", ".join(dict.fromkeys(each.by for each in words))
    detail = f"{agent.name} ended its turn without answering {people}; {then}"
    unit.event(
        Intervened(
            unit.task_id, unit.own_group, agent.id, agent.name, "words", "reported", detail, names=True
        )
    )
