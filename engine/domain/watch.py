"""Monitoring rules: pure judgements over a picture of a task; sweeps and commits ask them (DESIGN §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

QUIET_ROUNDS = 3
"""Times an idle task with work open is stirred before people are asked."""


@dataclass(frozen=True, slots=True)
class OpenWork:
    """An assignment that is not closed."""

    id: int
    title: str
    state: str
    giver_id: int
    assignee_id: int


@dataclass(frozen=True, slots=True)
class QuietTask:
    """A running task in which nobody works and nobody is about to."""

    boss_id: int
    auditor_id: int | None
    work: tuple[OpenWork, ...]
    rounds: int


@dataclass(frozen=True, slots=True)
class Nudge:
    """Words that wake an agent."""

    agent_id: int
    text: str
    rule: str = "stall"


@dataclass(frozen=True, slots=True)
class AskPeople:
    """Nudging did not help: people decide."""

    question: str
    rule: Literal["stall"] = "stall"


def judge_quiet(task: QuietTask) -> list[Nudge] | AskPeople:
    """All idle: wake those concerned with what is open, or ask the people after `QUIET_ROUNDS`."""
    if task.rounds >= QUIET_ROUNDS:
        return AskPeople(
            f"Nobody goes on by themselves any more, though {len(task.work)} assignments are open. "
            "What should the boss do?"
        )
    if task.auditor_id is not None:
        return [Nudge(task.auditor_id, "Your judgement is still open: call verdict with accept or reject.")]
    nudges = [_nudge(work) for work in task.work]
    if nudges:
        return nudges
    return [
        Nudge(
            task.boss_id,
            "Nobody has anything to do. If the goal is met, call finish; "
            "if not, do or assign what is missing.",
        )
    ]


def _nudge(work: OpenWork) -> Nudge:
    if work.state == "submitted":
        return Nudge(
            work.giver_id, f"Assignment #{work.id} ({work.title}) was submitted and waits for your review."
        )
    return Nudge(
        work.assignee_id,
        f"Assignment #{work.id} ({work.title}) is still open. Go on with it and submit it; "
        "if you cannot, tell your head what you need.",
    )
