"""What the engine tells the world: ordered, replayable, without gaps across a restart.

`engine.events(after=seq)` yields `Event(seq, at, body)`; `seq` grows strictly. `body` is one of the
frozen classes below; all have `task_id`. `group_id` says in which group's place a thing belongs.
Names in events are exact agent names, unique within a task.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from engine.commands import Limits
from engine.domain.gates import Choice, GateBasis, GateKind

TaskState = Literal["running", "paused", "done", "stopped", "failed"]
EndBasis = Literal[
    "audited", "ran", "unjudged", "rejected", "accepted", "wrapped_up", "stopped", "failed", "unknown"
]
"""What the report of a task's end rests on: an audit accepted it, it tells of runs and files alone, nobody
judged it, the audit rejected it, a person accepted it all the same, the task was wrapped up, it was stopped,
it came to nothing, it ended under an older version."""

PauseCause = Literal["", "person", "cap", "files"]
"""Why a task is paused: a person wanted it, a cap is reached, its files are still to come."""

AssignmentState = Literal["open", "submitted", "accepted", "rejected", "cancelled"]


@dataclass(frozen=True, slots=True)
class TaskAccepted:
    """A task exists; its boss and root group follow as AgentJoined and GroupFormed.

    `repeat_id`: the repeat that started it by the clock, None when a person did. `origin`: where it was
    started, as the command said.
    """

    task_id: int
    goal: str
    by: str
    space: str
    repeat_id: int | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class RepeatPaused:
    """A repeat starts nothing any more, because its maker may not; `task_id` is its last run's, 0 for none.

    `origin` is where it was made.
    """

    task_id: int
    repeat_id: int
    space: str
    origin: str
    goal: str
    reason: str


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """The task's state changed between running and paused (ends are TaskEnded). `cause`: why it is paused."""

    task_id: int
    state: TaskState
    reason: str
    cause: PauseCause = ""


@dataclass(frozen=True, slots=True)
class PlanProposed:
    """The boss's plan, waiting for approval through gate `gate_id` (None: no approval needed)."""

    task_id: int
    group_id: int
    gate_id: int | None
    summary: str
    groups: tuple[str, ...]
    agents: int
    tokens: int
    cost_micros: int
    minutes: int


@dataclass(frozen=True, slots=True)
class GroupFormed:
    """A group exists: one head, its members, one place. `parent_id` None only for the root group."""

    task_id: int
    group_id: int
    parent_id: int | None
    head_id: int
    name: str
    depth: int


@dataclass(frozen=True, slots=True)
class AgentJoined:
    """An agent was recruited into `group_id` by its head, or took the place of one that left.

    `leads_group_id`: the group it leads from the start, taken over with the place.
    """

    task_id: int
    group_id: int
    agent_id: int
    name: str
    title: str
    leads_group_id: int | None = None


@dataclass(frozen=True, slots=True)
class AgentLeft:
    """An agent was dismissed."""

    task_id: int
    group_id: int
    agent_id: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class AgentChanged:
    """An agent was paused, resumed or given new instructions by a person."""

    task_id: int
    group_id: int
    agent_id: int
    name: str
    change: Literal["paused", "resumed", "edited"]


@dataclass(frozen=True, slots=True)
class AgentSpoke:
    """An agent said something, `to` nobody in particular when empty; `refs`: person's messages it answers."""

    task_id: int
    group_id: int
    agent_id: int
    name: str
    to: tuple[str, ...]
    text: str
    refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MessageRead:
    """A person's message was consumed by the agent's committed step."""

    task_id: int
    agent_id: int
    ref: str


@dataclass(frozen=True, slots=True)
class AssignmentChanged:
    """An assignment was given, submitted, accepted, rejected or cancelled; `note`: summary or feedback."""

    task_id: int
    group_id: int
    assignment_id: int
    title: str
    giver: str
    assignee: str
    state: AssignmentState
    note: str = ""


@dataclass(frozen=True, slots=True)
class FileWritten:
    """A revision of a file was committed; `change` says how."""

    task_id: int
    group_id: int
    agent_id: int
    name: str
    path: str
    revision: int
    size: int
    change: Literal["added", "changed", "merged", "deleted"]


@dataclass(frozen=True, slots=True)
class CodeRan:
    """An agent ran a program in the sandbox; `output` is capped at 1,500 characters, `typed` lines were its
    input."""

    task_id: int
    group_id: int
    agent_id: int
    name: str
    command: str
    exit_code: int
    ended: str
    output: str
    typed: int = 0


@dataclass(frozen=True, slots=True)
class GateRaised:
    """Only a person may answer this; `agent_id` None when the engine itself asks.

    `choices`: what it offers; labels of the engine's own choices are for those who show them.
    """

    task_id: int
    group_id: int
    gate_id: int
    kind: GateKind
    agent_id: int | None
    name: str
    question: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class GateClosed:
    """A gate is closed; `basis` says why. Answered: by a `choice`, by free `text`, or by both.

    `limits`: the lower caps that came with an approval.
    """

    task_id: int
    group_id: int
    gate_id: int
    basis: GateBasis
    by: str = ""
    choice: Choice | None = None
    text: str = ""
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class CapReached:
    """Spend reached `percent` (80: a warning, 100: the task paused) of a cap.

    With `agent_id` the cap is that of the agent and all below it, which `by` set; they alone stop.
    """

    task_id: int
    cap: Literal["cost", "tokens", "agents", "minutes"]
    percent: int
    spent: int
    limit: int
    agent_id: int | None = None
    name: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Intervened:
    """A monitoring rule acted (stall, loop, cycle, silence, …) on an agent, or on the whole task (None).
    `names`: the detail says itself of whom it speaks."""

    task_id: int
    group_id: int
    agent_id: int | None
    name: str
    rule: str
    action: Literal["nudged", "reported", "replaced", "paused", "asked"]
    detail: str
    names: bool = False


@dataclass(frozen=True, slots=True)
class ModelWaiting:
    """The model endpoint cannot be used now; work waits and goes on by itself. `retry_in_s` is a guess."""

    task_id: int
    reason: str
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class ModelNotice:
    """Something about the model that people should know, such as a price that had to be assumed."""

    task_id: int
    text: str


@dataclass(frozen=True, slots=True)
class ModelBack:
    """The model endpoint answers again."""

    task_id: int


@dataclass(frozen=True, slots=True)
class Audited:
    """The auditor judged the goal against the files. "ran": what it ran went well, and nobody judged more."""

    task_id: int
    group_id: int
    verdict: Literal["accepted", "rejected", "ran"]
    findings: str
    round: int


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """The end. `verified`: an audit accepted the result; `basis`: what the report rests on."""

    task_id: int
    group_id: int
    state: TaskState
    report: str
    deliverables: tuple[str, ...]
    verified: bool
    basis: EndBasis = "unknown"


EventBody = (
    TaskAccepted
    | RepeatPaused
    | TaskChanged
    | PlanProposed
    | GroupFormed
    | AgentJoined
    | AgentLeft
    | AgentChanged
    | AgentSpoke
    | MessageRead
    | AssignmentChanged
    | FileWritten
    | CodeRan
    | GateRaised
    | GateClosed
    | CapReached
    | Intervened
    | ModelWaiting
    | ModelBack
    | ModelNotice
    | Audited
    | TaskEnded
)

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in get_args(EventBody)}


@dataclass(frozen=True, slots=True)
class Event:
    """One event as stored: `seq` grows strictly over all tasks, `at` is unix time."""

    seq: int
    at: float
    body: EventBody


def dump_event(body: EventBody) -> tuple[str, dict[str, Any]]:
    """Kind and JSON-ready payload of an event body (numbers, texts, choices, limits, tuples of them)."""
    return type(body).__name__, {name: _dumped(getattr(body, name)) for name in body.__slots__}


def _dumped(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_dumped(one) for one in value)
    return asdict(value) if isinstance(value, Choice | Limits) else value


def load_event(kind: str, payload: dict[str, Any]) -> EventBody:
    """Inverse of `dump_event`. Raises KeyError for a kind this version does not know."""
    values = {name: _loaded(value) for name, value in payload.items()}
    return cast(EventBody, _KINDS[kind](**values))


def _loaded(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_loaded(one) for one in value)
    if isinstance(value, dict):
        return Choice(**value) if "effect" in value else Limits(**value)
    return value
