"""Plain words that answer a question although they are no reply to it (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain.gates import GateKind
from engine.queries import GateView, TaskView

ANSWERED_PLAINLY: frozenset[GateKind] = frozenset({"question", "stall"})
"""Kinds whose answer in words does nothing but reach the agent, which gets the words either way. Words that
refuse a call or change a plan are a reply to the question, or are given by its buttons."""


def asker_of(gate: GateView, task: TaskView) -> int:
    """Return the agent that gets a question's answer in words."""
    return gate.agent_id or task.boss_id


def answered_plainly(asked: Sequence[GateView], agent_id: int, task: TaskView) -> GateView | None:
    """Return the question that words for an agent answer: the only one of `asked`, if that agent asked it."""
    if len(asked) != 1:
        return None
    (gate,) = asked
    return gate if gate.kind in ANSWERED_PLAINLY and asker_of(gate, task) == agent_id else None
