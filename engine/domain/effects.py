"""What the tool calls of a step will do, staged: nothing is visible until the step's one commit.

Agents are named by `naming.name_key`; the commit resolves names, so a recruit can be assigned work in
the same answer that recruited it. `slot` numbers let results name ids that exist only after the commit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from engine.domain.gates import Choice, GateKind
from engine.domain.outcomes import Outcome, SlotKind
from engine.domain.state import ModelState, TodoItem
from engine.ports import Usage

NEW_GROUP = 0
"""In place of a group's id: the one that this step forms, by recruiting."""


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Words to named agents, or to the whole group `to_group`; `shown` is who people see as addressed."""

    to: tuple[str, ...]
    text: str
    shown: tuple[str, ...]
    group_id: int
    wakes: bool = True
    to_group: int | None = None
    refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recruit:
    """A new member of the caller's own group, which is formed by the first one."""

    slot: int
    name: str
    title: str
    instructions: str
    group_name: str


@dataclass(frozen=True, slots=True)
class CheckTeam:
    """With all of the step's recruits in, the team is within its limits and approved; Stale when it is not.

    More than `approval_over` agents need a plan that the people approved.
    """

    approval_over: int


@dataclass(frozen=True, slots=True)
class Assign:
    """Work for a member of the caller's own group."""

    slot: int
    to: str
    title: str
    details: str
    acceptance: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeAssignment:
    """Submission, verdict or cancellation; `expected` is the state it must be in at the commit."""

    assignment_id: int
    expected: tuple[str, ...]
    state: Literal["submitted", "accepted", "rejected", "cancelled"]
    note: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dismiss:
    """A member leaves; its open assignments are cancelled, its own members go with it."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class SetTodo:
    """The agent's checklist, whole."""

    items: tuple[TodoItem, ...]


@dataclass(frozen=True, slots=True)
class ChangeFile:
    """A new content for a path (`blob` None: deleted), if it still is at `expected` (None: absent)."""

    slot: int
    path: str
    blob: str | None
    expected: str | None
    size: int
    change: Literal["added", "changed", "merged", "deleted"]


@dataclass(frozen=True, slots=True)
class CheckRoom:
    """With all files of the step written, the task may hold no more than this; Stale when it does."""

    files: int
    total: int


@dataclass(frozen=True, slots=True)
class ShowRun:
    """Tell people what was run."""

    command: str
    exit_code: int
    ended: str
    output: str
    typed: int = 0


@dataclass(frozen=True, slots=True)
class RaiseGate:
    """Ask the people."""

    kind: GateKind
    question: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep a line for later: the agent's own, or `shared` with everyone in the task."""

    slot: int
    text: str
    embedding: bytes | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class ProposePlan:
    """The boss's plan, shown and, when large, held for approval."""

    summary: str
    groups: tuple[str, ...]
    agents: int
    tokens: int
    cost_micros: int
    minutes: int
    hold_s: float | None


@dataclass(frozen=True, slots=True)
class Finish:
    """The boss says the goal is met (or as far as it goes); `lessons` are kept for the space's next tasks.
    An empty `report`: the engine tells of runs and files instead.

    `vectors`: those of the lessons, packed; none without an embedder.
    """

    report: str
    deliverables: tuple[str, ...]
    audit: bool
    lessons: tuple[str, ...] = ()
    vectors: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SetBudget:
    """What a member of the caller's group, and all below it, may use from now on (None: no change).

    `agents` counts the member itself and all below it.
    """

    name: str
    micros: int | None = None
    tokens: int | None = None
    agents: int | None = None
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The auditor's judgement. `by_runs`: it is what its runs show, and confirms nothing beyond them."""

    accepted: bool
    findings: str
    last_round: bool
    by_runs: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A monitoring rule acted in the course of this step (say, the same call three times)."""

    rule: str
    action: Literal["nudged", "reported", "paused"]
    detail: str
    notify_head: bool = False
    names: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The model refuses this agent for good: it stops until a person or its head turns to it."""

    reason: str


Effect = (
    SendMessage
    | Recruit
    | CheckTeam
    | Assign
    | ChangeAssignment
    | Dismiss
    | SetTodo
    | ChangeFile
    | CheckRoom
    | ShowRun
    | RaiseGate
    | Remember
    | ProposePlan
    | Finish
    | SetBudget
    | Verdict
    | Notice
    | GiveUp
)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A tool call with its result, as replayed later; results may hold `slot_mark` tokens, outcomes slots."""

    id: str
    name: str
    arguments: str
    result: str
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """All that one step commits."""

    said: str
    calls: tuple[CallRecord, ...]
    effects: tuple[Effect, ...]
    ends_turn: bool
    usage: Usage
    cost_micros: int | None
    model: str
    started_at: float
    ended_at: float
    bad_answers: int = 0
    last_calls: tuple[str, ...] = ()
    doing: str = ""
    guessed: bool = False
    kept: str = ""
    state: ModelState = field(default_factory=ModelState)
    warnings: tuple[str, ...] = field(default=())


def slot_mark(kind: SlotKind, slot: int) -> str:
    """Stands in a result for an id that the commit will give."""
    return f"\x00{kind}:{slot}\x00"
