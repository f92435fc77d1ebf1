"""Events: what happened in the engine, ordered, replayable and without gaps across a restart.

`engine.events(after=seq)` yields `Event(seq, at, body)`; `seq` grows strictly. `body` is one of the
frozen classes below; all have `task_id`. `group_id`: the group in whose place the event is shown.
Names in events are exact agent names, unique within a task.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Literal, cast, get_args

from engine.commands import Limits
from engine.domain.completeness import Missing
from engine.domain.gate_rules import GateDefault, Stage
from engine.domain.gates import Choice, GateBasis, GateKind
from engine.domain.inconclusive import Want
from engine.domain.outside import AskedCall, CallEnd, Source

TaskState = Literal["running", "paused", "done", "stopped", "failed"]
EndBasis = Literal[
    "audited",
    "ran",
    "unjudged",
    "unfinished",
    "rejected",
    "accepted",
    "wrapped_up",
    "stopped",
    "failed",
    "unknown",
]
"""What a task's final report is based on: an audit accepted it, it lists runs and files only, nobody judged
it, something is plainly missing, the audit rejected it, a person accepted it despite that, the task was
wrapped up, it was stopped, it failed, it ended under an older version."""

PauseCause = Literal["", "person", "cap", "month", "files"]
"""Why a task is paused: by a person, at a cap, at a budget of the month, until its files are stored."""

AssignmentState = Literal["open", "submitted", "accepted", "rejected", "cancelled", "amended"]
"""State of an assignment in a view; in an event what happened to it, "amended" when its giver changed its
text."""


@dataclass(frozen=True, slots=True)
class TaskAccepted:
    """A task was created; its boss and root group follow as AgentJoined and GroupFormed.

    `repeat_id`: the repeat that started it, None when a person did. `origin`: where it was started, as the
    command named it. `demonstration`: its agents' answers are recorded.
    """

    task_id: int
    goal: str
    by: str
    space: str
    repeat_id: int | None = None
    origin: str = ""
    demonstration: bool = False


@dataclass(frozen=True, slots=True)
class RepeatPaused:
    """A repeat was paused, because its creator may no longer start it; `task_id`: its last run, 0 for none.

    `origin`: where it was created.
    """

    task_id: int
    repeat_id: int
    space: str
    origin: str
    goal: str
    reason: str


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """A task was paused or resumed (its end is TaskEnded). `cause`: why it is paused; `by`: the person who
    did it, "" for nobody."""

    task_id: int
    state: TaskState
    reason: str
    cause: PauseCause = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class TaskContinued:
    """A person continued a task after its end, the `times`-th time; it runs again.

    `limits`: what it may use from now on. `kept`: how many messages people wrote since the end.
    """

    task_id: int
    group_id: int
    by: str
    by_name: str
    limits: Limits
    times: int
    kept: int = 0


@dataclass(frozen=True, slots=True)
class PlannedMember:
    """One whom a plan means to recruit: the name it will have, and its part of the work."""

    name: str
    part: str


@dataclass(frozen=True, slots=True)
class PlanProposed:
    """The boss proposed a plan, waiting for approval through gate `gate_id` (None: no approval needed).

    `guessed`: the cost is at a ceiling price, for the real one is not known. `worth`: why a team is worth it.
    `left_micros`, `left_tokens`: what is left of the month's budgets, None without one. `team`: whom the boss
    means to recruit. `room_micros`, `room_tokens`: what the task may still use, where the plan needs more.
    """

    task_id: int
    group_id: int
    gate_id: int | None
    summary: str
    groups: tuple[str, ...]
    agents: int
    tokens: int
    cost_micros: int
    minutes: int
    guessed: bool = False
    worth: str = ""
    left_micros: int | None = None
    left_tokens: int | None = None
    team: tuple[PlannedMember, ...] = ()
    room_micros: int | None = None
    room_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TaskNamed:
    """The boss gave the task its short title, which is its root group's name too."""

    task_id: int
    group_id: int
    title: str


@dataclass(frozen=True, slots=True)
class GroupFormed:
    """A group was formed. `parent_id` is None only for the root group."""

    task_id: int
    group_id: int
    parent_id: int | None
    head_id: int
    name: str
    depth: int


@dataclass(frozen=True, slots=True)
class AgentJoined:
    """An agent joined `group_id`: recruited by its head, or as the successor of an agent that left.

    `leads_group_id`: the group that a successor leads from the start. `role`: "auditor" for one called to
    judge the result, who is not one of the team. `replaces`: the name of the agent that a successor follows.
    """

    task_id: int
    group_id: int
    agent_id: int
    name: str
    title: str
    leads_group_id: int | None = None
    role: str = ""
    replaces: str = ""


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
    """An agent was paused, resumed, or given new instructions or another model by a person.

    `by_name`: the person as shown, "" when it gave up by itself. `before`, `after`: its instructions, or the
    names of its models. `below`: how many agents below it were paused or resumed with it.
    """

    task_id: int
    group_id: int
    agent_id: int
    name: str
    change: Literal["paused", "resumed", "edited", "model"]
    by_name: str = ""
    before: str = ""
    after: str = ""
    below: int = 0


@dataclass(frozen=True, slots=True)
class AgentSpoke:
    """An agent wrote a message, `to` no one in particular when empty. `refs`: the people's messages it
    answers. `sources`: what the agent had read from outside when it wrote it. `asks`: it asks people, whether
    it waits for the answer or goes on."""

    task_id: int
    group_id: int
    agent_id: int
    name: str
    to: tuple[str, ...]
    text: str
    refs: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    asks: bool = False


@dataclass(frozen=True, slots=True)
class RemarkNoted:
    """An agent that waits for others ended its turn with a few words that nobody asked for: no message."""

    task_id: int
    group_id: int
    agent_id: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class MessageRead:
    """A committed step of the agent read a person's message."""

    task_id: int
    agent_id: int
    ref: str


@dataclass(frozen=True, slots=True)
class AssignmentChanged:
    """An assignment was given, submitted, accepted, rejected or cancelled; `note`: summary or feedback.

    Of a submission, `said` is the assignee's own summary; its check was `checked` by a test runner of whose
    tests `passed` passed ("tests"), or by the exit code 0 of `command` ("exit"). `taken_from`: an open one
    went over to its assignee from this agent, which it replaced; nobody gave it.
    """

    task_id: int
    group_id: int
    assignment_id: int
    title: str
    giver: str
    assignee: str
    state: AssignmentState
    note: str = ""
    said: str = ""
    command: str = ""
    checked: Literal["", "tests", "exit"] = ""
    passed: int = 0
    taken_from: str = ""


@dataclass(frozen=True, slots=True)
class AcceptedWorkChanged:
    """An agent changed files of an assignment that `giver` had accepted. Told again of the same file once the
    giver has read of the change before."""

    task_id: int
    group_id: int
    assignment_id: int
    title: str
    giver: str
    agent_id: int
    name: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileWritten:
    """A revision of a file was committed; `by_run`: by the program that this agent ran last."""

    task_id: int
    group_id: int
    agent_id: int
    name: str
    path: str
    revision: int
    size: int
    change: Literal["added", "changed", "merged", "deleted"]
    by_run: bool = False


@dataclass(frozen=True, slots=True)
class PackagesAdded:
    """Python packages were fetched for the programs of a task; `packages`: name and version of each."""

    task_id: int
    group_id: int
    agent_id: int
    name: str
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CodeRan:
    """An agent ran a program in the sandbox; `typed` lines were its input.

    `output`: at most 1,500 characters; of a conversation (`talked`) both sides, at most 6,000. `ended`
    "closed": the agent, or the end of its turn, ended it. `depends`: the files of the task that its result
    depends on, None when that is not known; `tests`: it ran tests, so new ones would have counted too.
    `lack`: what it broke for want of (`engine.domain.inconclusive`), "" for nothing.
    """

    task_id: int
    group_id: int
    agent_id: int
    name: str
    command: str
    exit_code: int
    ended: str
    output: str
    typed: int = 0
    depends: tuple[str, ...] | None = None
    tests: bool = False
    talked: bool = False
    lack: Want = ""


@dataclass(frozen=True, slots=True)
class OutsideCalled:
    """An agent called a tool of the world outside, or a person refused the call. `call_id` is the ledger's.

    `arguments` are cut to one line. `addresses`: where the answer comes from. `reused`: another call of the
    task had just asked the same.
    """

    task_id: int
    group_id: int
    agent_id: int
    name: str
    server: str
    tool: str
    call_id: int
    end: CallEnd
    arguments: str
    addresses: tuple[str, ...] = ()
    price_micros: int = 0
    reused: bool = False


@dataclass(frozen=True, slots=True)
class GateRaised:
    """A question was raised that only a person may answer; `agent_id` is None when the engine asks.

    `choices`: the possible answers; labels of the engine's own choices belong to the user interface.
    `call`: what is asked about, for a gate about a call to a tool of the world outside.
    """

    task_id: int
    group_id: int
    gate_id: int
    kind: GateKind
    agent_id: int | None
    name: str
    question: str
    choices: tuple[Choice, ...]
    call: AskedCall | None = None


@dataclass(frozen=True, slots=True)
class GateReminded:
    """An open gate still waits: `stage` says who is reminded; at `due_at` it comes to `default`."""

    task_id: int
    group_id: int
    gate_id: int
    kind: GateKind
    question: str
    stage: Stage
    default: GateDefault
    due_at: float


@dataclass(frozen=True, slots=True)
class GateClosed:
    """A gate was closed for the reason `basis`. A person answers with a `choice`, free `text`, or both.

    `limits`: the lower caps that came with an approval; `by_name`: who answered, as shown to people and
    agents.
    """

    task_id: int
    group_id: int
    gate_id: int
    basis: GateBasis
    by: str = ""
    choice: Choice | None = None
    text: str = ""
    limits: Limits | None = None
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class CapReached:
    """Spending reached `percent` of a cap (80: a warning, 100: the task was paused); `used` is what it is.

    With `agent_id`, the cap covers that agent and all below it, was set by `by`, and stops only them.
    """

    task_id: int
    cap: Literal["cost", "tokens", "agents", "minutes"]
    percent: int
    spent: int
    limit: int
    agent_id: int | None = None
    name: str = ""
    by: str = ""

    @property
    def used(self) -> int:
        """The whole percents of the cap that are used, over 100 where it was set below what was used."""
        return self.spent * 100 // self.limit if self.limit else self.percent


@dataclass(frozen=True, slots=True)
class CapsChanged:
    """A person changed caps of a task, or of `agent_id` and all below it (`name`: that agent's).

    `limits`: the caps that were given (None: unchanged). `group_id`: where it is told.
    """

    task_id: int
    group_id: int
    limits: Limits
    by: str
    by_name: str
    agent_id: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class MonthBudgetReached:
    """The budget of a space for a month, or that of the person `by` in it, was used to `percent`; told once
    for each cap and part. At 100 nothing starts any more. `task_id` is 0: it concerns every task there.

    `month`: its name ("2026-11") in the time zone `zone`.
    """

    task_id: int
    space: str
    by: str
    month: str
    zone: str
    cap: Literal["cost", "tokens"]
    percent: int
    spent: int
    limit: int


@dataclass(frozen=True, slots=True)
class Intervened:
    """A monitoring rule (stall, loop, cycle, silence, …) intervened on an agent, or on the whole task (None).
    `names`: the detail already names the agent."""

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
    """The model endpoint is unavailable; work waits and resumes by itself. `retry_in_s` is an estimate."""

    task_id: int
    reason: str
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class ModelNotice:
    """A notice about the model, such as a price that had to be assumed."""

    task_id: int
    text: str


@dataclass(frozen=True, slots=True)
class ModelBack:
    """The model endpoint is available again."""

    task_id: int


@dataclass(frozen=True, slots=True)
class AuditBegun:
    """The boss finished (`agent_id`, `name`), and an auditor was called to judge the result."""

    task_id: int
    group_id: int
    agent_id: int
    name: str
    auditor: str


@dataclass(frozen=True, slots=True)
class Audited:
    """The auditor gave its verdict. "ran": its runs succeeded, and nothing else was judged.

    `agent_id`, `name`: the auditor; 0 and "" in events of older versions.
    """

    task_id: int
    group_id: int
    verdict: Literal["accepted", "rejected", "ran"]
    findings: str
    round: int
    agent_id: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Unheeded:
    """Words of a person (`said_by`) to an agent that were not acted on when the task ended."""

    said_by: str
    to: str
    text: str


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """The task ended. `verified`: an audit accepted the result; `basis`: what the report is based on.

    `unheeded`: messages of people that nobody acted on. Only an end that cannot be deferred has any.
    `sources`: what the task read from outside. `runs`: lines about what was run, for small print.
    `by`: the person who stopped it, "" for nobody.
    """

    task_id: int
    group_id: int
    state: TaskState
    report: str
    deliverables: tuple[str, ...]
    verified: bool
    basis: EndBasis = "unknown"
    unheeded: tuple[Unheeded, ...] = ()
    missing: tuple[Missing, ...] = ()
    sources: tuple[Source, ...] = ()
    runs: tuple[str, ...] = ()
    by: str = ""


EventBody = (
    TaskAccepted
    | RepeatPaused
    | TaskChanged
    | TaskContinued
    | PlanProposed
    | TaskNamed
    | GroupFormed
    | AgentJoined
    | AgentLeft
    | AgentChanged
    | AgentSpoke
    | RemarkNoted
    | MessageRead
    | AssignmentChanged
    | AcceptedWorkChanged
    | FileWritten
    | PackagesAdded
    | CodeRan
    | OutsideCalled
    | GateRaised
    | GateReminded
    | GateClosed
    | CapReached
    | CapsChanged
    | MonthBudgetReached
    | Intervened
    | ModelWaiting
    | ModelBack
    | ModelNotice
    | AuditBegun
    | Audited
    | TaskEnded
)

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in get_args(EventBody)}


@dataclass(frozen=True, slots=True)
class Event:
    """One event as stored: `seq` grows strictly over all tasks, `at` is unix time.

    `by`, `by_name`: the person whose command caused it, by key and as shown; "" when no person did.
    """

    seq: int
    at: float
    body: EventBody
    by: str = ""
    by_name: str = ""


def dump_event(body: EventBody) -> tuple[str, dict[str, Any]]:
    """Return kind and JSON-ready payload of an event body (numbers, strings, dataclasses, tuples)."""
    return type(body).__name__, {name: _dumped(getattr(body, name)) for name in body.__slots__}


_NESTED: dict[str, Any] = {
    "effect": Choice,
    "said_by": Unheeded,
    "what": Missing,
    "digest": AskedCall,
    "address": Source,
    "part": PlannedMember,
}
"""Records inside events, by a field that only they have; Limits have none of these."""


def _dumped(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_dumped(one) for one in value)
    nested = is_dataclass(value) and not isinstance(value, type)
    return asdict(value) if nested else value


def load_event(kind: str, payload: dict[str, Any]) -> EventBody:
    """Return the event body that `dump_event` wrote. Raises KeyError for a kind this version does not
    know."""
    values = {name: _loaded(value) for name, value in payload.items()}
    return cast(EventBody, _KINDS[kind](**values))


def _loaded(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_loaded(one) for one in value)
    if isinstance(value, dict):
        return next((kind for mark, kind in _NESTED.items() if mark in value), Limits)(**value)
    return value
