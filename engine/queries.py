"""Queries for the user interface: frozen views, read from the store on demand.

`engine.look` implements `Queries`; every method only reads and raises NotFound for unknown ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from engine.commands import Limits, MonthRule, Protections
from engine.domain.doing import Doing
from engine.domain.gate_rules import GateDefault, GateRule
from engine.domain.gates import Choice, GateBasis, GateKind, choice_of
from engine.domain.models import DEMONSTRATION
from engine.domain.months import MonthLeft
from engine.domain.outside import AskedCall
from engine.domain.quota import Used
from engine.events import AssignmentState, EndBasis, Event, EventBody, TaskState
from engine.ports import AgentRole, BlameLine, Revision, Written


@dataclass(frozen=True, slots=True)
class Spend:
    """What a task has used; money in micro-dollars, `priced` False when a call had no known price."""

    cost_micros: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0
    priced: bool = True


@dataclass(frozen=True, slots=True)
class TaskView:
    """Overview of one task; `limits` has every value set.

    `model`: the one it names, "" for the usual ones. `basis`: what its final report is based on, "unknown"
    before the end. `continued`: how often it was continued after its end.
    `title`: a few words for it. `plan_minutes`: how long its plan takes, 0 without one.
    `given`: what its last start or continuation gave (`engine.domain.limits.continuation`).
    """

    id: int
    goal: str
    state: TaskState
    reason: str
    space: str
    by: str
    created_at: float
    ended_at: float | None
    root_group_id: int
    boss_id: int
    agents: int
    working: int
    assignments: int
    accepted: int
    files: int
    open_gates: int
    spend: Spend
    limits: Limits
    report: str = ""
    verified: bool = False
    basis: EndBasis = "unknown"
    model: str = ""
    continued: int = 0
    continued_at: float | None = None
    given: Limits = field(default_factory=Limits)
    title: str = ""
    plan_minutes: int = 0

    @property
    def demonstration(self) -> bool:
        """Return whether its agents' answers are recorded."""
        return self.model == DEMONSTRATION


@dataclass(frozen=True, slots=True)
class BudgetView:
    """Caps of an agent and all below it (`caps`: None where it has none of its own), and what they used.

    `ends_at`: when its minutes are over; `stopped`: the budget is used up and the agents have stopped.
    """

    caps: Limits
    spent_micros: int
    spent_tokens: int
    agents: int
    ends_at: float | None
    stopped: bool


@dataclass(frozen=True, slots=True)
class AgentView:
    """One agent; `state` is working (a turn is open or due), idle, paused or dismissed.

    `budget` None: it spends from its head's. `waits_for`: files and assignments that it waits for.
    `is_at_cap`: it has work and stands still, as the budget that it spends from is used up.
    `model`: its own, else its task's, "" for the usual one of its role.
    """

    id: int
    task_id: int
    name: str
    role: AgentRole
    title: str
    instructions: str
    state: str
    group_id: int
    leads_group_id: int | None
    head_id: int | None
    depth: int
    doing: tuple[Doing, ...]
    todo: tuple[tuple[str, str], ...]
    steps: int
    spend: Spend
    last_active_at: float
    budget: BudgetView | None = None
    waits_for: tuple[str, ...] = ()
    is_at_cap: bool = False
    model: str = ""


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group; `member_ids` is without the head."""

    id: int
    task_id: int
    name: str
    parent_id: int | None
    head_id: int
    depth: int
    member_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AssignmentView:
    """One assignment."""

    id: int
    task_id: int
    title: str
    details: str
    acceptance: str
    giver: str
    assignee: str
    state: AssignmentState
    summary: str
    feedback: str
    files: tuple[str, ...]
    given_at: float = 0.0


@dataclass(frozen=True, slots=True)
class FileView:
    """A current file; `revision` its newest."""

    path: str
    revision: int
    size: int
    agent: str
    at: float


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of an agent: what it read, said and called."""

    agent_id: int
    turn: int
    step: int
    at: float
    seconds: float
    read: str
    said: str
    calls: tuple[tuple[str, str, str], ...]  # (tool, arguments, result)
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int
    model: str


@dataclass(frozen=True, slots=True)
class ModelCallView:
    """A model call under way, as it was `at`; long before now when its process has ended.

    `sent` False: it waits for its turn at the endpoint.
    """

    task_id: int
    agent_id: int
    began_at: float
    at: float
    sent: bool
    written: Written


@dataclass(frozen=True, slots=True)
class GateView:
    """One gate. `basis`: why it is closed, None while open. An answer is a choice, free text, or both.

    Unanswered at `due_at`, it comes to `default`. `agent_id`: the agent that asks, or that the
    gate is about. `limits`: the lower caps that came with an approval. `call`: what a gate of
    kind "tool" asks about.
    """

    id: int
    task_id: int
    group_id: int
    kind: GateKind
    name: str
    question: str
    choices: tuple[Choice, ...]
    basis: GateBasis | None = None
    choice_id: str | None = None
    text: str = ""
    answered_by: str = ""
    due_at: float | None = None
    default: GateDefault | None = None
    agent_id: int | None = None
    limits: Limits | None = None
    call: AskedCall | None = None

    @property
    def chosen(self) -> Choice | None:
        """Return the choice that answered the gate."""
        return choice_of(self.choices, self.choice_id)


@dataclass(frozen=True, slots=True)
class MemoryView:
    """One memory kept for later tasks of a space."""

    id: int
    space: str
    text: str
    source: str
    at: float


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One decision of the audit trail.

    `kind`: the command's class name. `by`: "" when nobody answered in time. `digest`: SHA-256 of what was
    decided on. `content`: what the command said.
    """

    id: int
    at: float
    by: str
    space: str
    task_id: int | None
    kind: str
    subject_id: int
    digest: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SpendingView:
    """What one person's runs of a task used of one model, or of one server of tools (`kind` "outside").

    `title`: the task's, or its goal before it has one. `unpriced`: calls that count at a ceiling price, for
    the real one is not known. `estimated`: calls that count by an estimate, for nobody said what they used.
    """

    task_id: int
    title: str
    by: str
    kind: Literal["model", "outside"]
    name: str
    cost_micros: int
    tokens: int
    calls: int
    unpriced: int = 0
    estimated: int = 0


@dataclass(frozen=True, slots=True)
class RepeatView:
    """A repeated task; `limits` are the caps of each run, every value set.

    `paused_at` and `paused_why` are set while it starts nothing because its creator no longer may.
    """

    id: int
    goal: str
    space: str
    by: str
    cron: str
    zone: str
    limits: Limits
    next_at: float
    last_task_id: int | None
    runs: int
    skipped: int
    paused_at: float | None = None
    paused_why: str = ""
    model: str = ""


class Queries(Protocol):
    """Reads for the user interface; newest first where there is a `limit`."""

    async def tasks(
        self, space: str | None = None, limit: int = 50, *, unended: bool = False
    ) -> Sequence[TaskView]:
        """Return the newest tasks of a space, or of all, newest first. `unended`: only those that have not
        ended."""

    async def task(self, task_id: int) -> TaskView:
        """Return a task. Raises NotFound."""

    async def agents(self, task_id: int) -> Sequence[AgentView]:
        """Return the agents of a task, those that left included."""

    async def agent(self, agent_id: int) -> AgentView:
        """Return an agent. Raises NotFound."""

    async def groups(self, task_id: int) -> Sequence[GroupView]:
        """Return the groups of a task."""

    async def group(self, group_id: int) -> GroupView:
        """Return a group. Raises NotFound."""

    async def assignments(self, task_id: int) -> Sequence[AssignmentView]:
        """Return the assignments of a task."""

    async def steps(
        self, agent_id: int, limit: int = 20, *, until: float | None = None, upto: int | None = None
    ) -> Sequence[StepView]:
        """Return steps of an agent, the newest first: those that ended by `until`, with numbers to `upto`."""

    async def timeline(self, task_id: int) -> Sequence[tuple[int, float, float, int]]:
        """Return (agent id, started, ended, cost in micro-dollars) of every step, in time order."""

    async def events(self, task_id: int, kinds: Sequence[type[EventBody]]) -> Sequence[Event]:
        """Return a task's events of these classes, the oldest first."""

    async def model_calls(self, task_id: int | None = None) -> Sequence[ModelCallView]:
        """Return the model calls of a task, None for all tasks, that take longer than a moment."""

    async def working_groups(self, task_id: int | None = None) -> Sequence[int]:
        """Return the groups in which an agent of a running task works, None for all tasks."""

    async def usual_seconds(self, task_id: int) -> float | None:
        """Return the median time of the newest steps of a task and the tasks before it in its space; None
        while there are too few."""

    async def gates(self, task_id: int, open_only: bool = True) -> Sequence[GateView]:
        """Return the gates of a task, those that are closed included if asked."""

    async def gate(self, gate_id: int) -> GateView:
        """Return a gate. Raises NotFound."""

    async def files(self, task_id: int) -> Sequence[FileView]:
        """Return the files of a task's workspace as they are now."""

    async def read_file(self, task_id: int, path: str, revision: int | None = None) -> bytes:
        """Return the content of a file, by default the newest. Raises NotFound."""

    async def history(self, task_id: int, path: str, limit: int = 50) -> Sequence[Revision]:
        """Return the revisions of a file."""

    async def blame(self, task_id: int, path: str) -> Sequence[BlameLine]:
        """Return who wrote each line of a file. Raises Invalid for one that is not text."""

    async def memories(self, space: str) -> Sequence[MemoryView]:
        """Return the memories that a space shares."""

    async def repeats(self, space: str) -> Sequence[RepeatView]:
        """Return the repeats of a space that have not ended, the next to run first."""

    async def decisions(
        self,
        space: str,
        task_id: int | None = None,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> Sequence[DecisionView]:
        """Return the decisions of people in a space, of one task if given, the newest first.

        `before`: only those with a smaller id; `after`: the `limit` next ones with a larger id.
        """

    async def gate_rules(self, space: str) -> Mapping[GateKind, GateRule]:
        """Return how long the gates of each kind wait in a space, and what comes of them unanswered."""

    async def used(self, by: str, space: str, now: float) -> Used:
        """Return what a person has used of a quota in a space."""

    async def spending(self, space: str, since: float, by: str | None = None) -> Sequence[SpendingView]:
        """Return what was spent in a space since then, by `by` alone if given, the dearest first."""

    async def month_rule(self, space: str) -> MonthRule:
        """Return the budgets that a space has set for calendar months."""

    async def protections(self, space: str) -> Protections:
        """Return what agents of a space do only after a person agreed."""

    async def month_left(self, by: str, space: str, now: float) -> Sequence[MonthLeft]:
        """Return what the current month's budgets have left: that of the space, then that of the person."""
