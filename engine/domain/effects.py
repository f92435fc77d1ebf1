"""Effects: what the tool calls of a step do, staged until the step's commit makes them visible.

Agents are named by `naming.name_key`; the commit resolves names, so a recruit can be assigned work in
the same answer that recruited it. `slot` numbers let results name ids that exist only after the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from engine.domain.changes import FileChange
from engine.domain.completeness import Missing
from engine.domain.doing import Doing
from engine.domain.gates import Choice, GateKind
from engine.domain.guard import AskReason
from engine.domain.inconclusive import Want
from engine.domain.outcomes import Outcome, SlotKind
from engine.domain.outside import CallEnd
from engine.domain.packages import Pin
from engine.domain.speech import Voice
from engine.domain.state import ModelState, Rest, TodoItem
from engine.domain.waits import Awaited
from engine.ports import AgentRole, OutsideTool, Usage

NEW_GROUP = 0
"""Placeholder id of the group that this step forms by recruiting."""


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Send a message to named agents, or to the group `to_group`; `shown`: the addressees people see.

    `waits`: the sender waits until all of them answered. `asks`: it is a question to people. `needs_answer`:
    agents are to answer it; a message that needs none may wake all the same.
    """

    to: tuple[str, ...]
    text: str
    shown: tuple[str, ...]
    group_id: int
    wakes: bool = True
    to_group: int | None = None
    refs: tuple[str, ...] = ()
    waits: bool = False
    asks: bool = False
    needs_answer: bool = True


@dataclass(frozen=True, slots=True)
class Recruit:
    """Add a member to the group that the caller leads; the first member forms the group. `leads`: it is to
    recruit members of its own."""

    slot: int
    name: str
    title: str
    instructions: str
    group_name: str
    leads: bool = False


@dataclass(frozen=True, slots=True)
class CheckTeam:
    """With all of the step's recruits in, the team is within its limits and approved; Stale when it is not.

    More than `approval_over` agents need a plan that the people approved.
    """

    approval_over: int


@dataclass(frozen=True, slots=True)
class Assign:
    """Give an assignment to a member of the caller's group; `files`: the text that shows those it names."""

    slot: int
    to: str
    title: str
    details: str
    acceptance: str
    command: tuple[str, ...]
    files: str = ""


@dataclass(frozen=True, slots=True)
class ChangeAssignment:
    """Submit, accept, reject or cancel an assignment; `expected`: the states it must be in at the commit.

    With a submission, as the engine saw it: `changed` since the assignment was given, and the `diff` since it
    was rejected (`again`) or given; `unrun`: it has no check, and its author ran nothing since. With a
    rejection: files that are `newer` than what its member saw. For people: its own words (`said`), and how
    its check `command` was `checked` (`engine.events.AssignmentChanged`).
    """

    assignment_id: int
    expected: tuple[str, ...]
    state: Literal["submitted", "accepted", "rejected", "cancelled"]
    note: str
    files: tuple[str, ...] = ()
    diff: str = ""
    changed: tuple[FileChange, ...] = ()
    said: str = ""
    command: str = ""
    checked: Literal["", "tests", "exit"] = ""
    passed: int = 0
    again: bool = False
    unrun: bool = False
    newer: str = ""


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Wake the agent when all of these are there; it replaces what it waited for before."""

    awaited: tuple[Awaited, ...]


@dataclass(frozen=True, slots=True)
class AmendAssignment:
    """Replace the text of an open assignment that the caller gave; its member is told why and what, with the
    files that are `newer` than what it saw."""

    assignment_id: int
    title: str
    details: str
    acceptance: str
    command: tuple[str, ...]
    why: str
    newer: str = ""


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Dismiss a member and all below it; their open assignments are cancelled."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class SetTodo:
    """Replace the agent's whole todo list."""

    items: tuple[TodoItem, ...]


@dataclass(frozen=True, slots=True)
class ChangeFile:
    """Set the content of a path (`blob` None: delete), if it still is at `expected` (None: absent).
    `by_run`: a program that the agent ran did it. `also`: slots of earlier changes of the same path that this
    one includes.
    """

    slot: int
    path: str
    blob: str | None
    expected: str | None
    size: int
    change: Literal["added", "changed", "merged", "deleted"]
    by_run: bool = False
    also: tuple[int, ...] = ()


def one_change_a_file(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """Return the effects with the writes of one path as one change, in the place of the last.

    Nobody sees what lies between: it is one revision, and people read one line.
    """
    made: list[Effect | None] = []
    places: dict[str, int] = {}
    for effect in effects:
        if not isinstance(effect, ChangeFile):
            made.append(effect)
            continue
        before = made[places[effect.path]] if effect.path in places else None
        joins = isinstance(before, ChangeFile) and before.blob is not None and effect.blob is not None
        if joins:
            made[places[effect.path]] = None
        places[effect.path] = len(made)
        made.append(_merged(before, effect) if joins and isinstance(before, ChangeFile) else effect)
    return tuple(effect for effect in made if effect is not None)


def _merged(first: ChangeFile, second: ChangeFile) -> ChangeFile:
    change = first.change if first.change != "changed" else second.change
    also, by_run = (*first.also, first.slot), first.by_run and second.by_run
    return replace(second, expected=first.expected, change=change, also=also, by_run=by_run)


@dataclass(frozen=True, slots=True)
class CheckRoom:
    """Check at the commit that the task's files stay within limits; Stale when they do not."""

    files: int
    total: int


@dataclass(frozen=True, slots=True)
class ShowRun:
    """Show people a run; the fields are those of `CodeRan`."""

    command: str
    exit_code: int
    ended: str
    output: str
    typed: int = 0
    depends: tuple[str, ...] | None = None
    tests: bool = False
    talked: bool = False
    lack: Want = ""


ProtectedAction = Literal["run", "recruit", "finish"]


@dataclass(frozen=True, slots=True)
class RaiseGate:
    """Raise a gate."""

    kind: GateKind
    question: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class AskAction:
    """Ask the people whether the agent may do exactly this: a protected action with these arguments."""

    action: ProtectedAction
    digest: str
    arguments: str
    readable: str


@dataclass(frozen=True, slots=True)
class UseAction:
    """The step does what the people agreed to through this gate, which holds once. Stale if it was used."""

    gate_id: int


@dataclass(frozen=True, slots=True)
class CheckRecruits:
    """With all of the step's recruits in, the task has at most `over` agents; Stale when it has not, so that
    the agent asks first."""

    over: int


@dataclass(frozen=True, slots=True)
class AskPackages:
    """Ask the people whether packages may be fetched; `question` names them as they were asked for."""

    names: tuple[str, ...]
    question: str


@dataclass(frozen=True, slots=True)
class AddPackages:
    """Give the programs of the task these packages, which were fetched."""

    pins: tuple[Pin, ...]


@dataclass(frozen=True, slots=True)
class Remember:
    """Store a memory: the agent's own, or `shared` with everyone in the task."""

    slot: int
    text: str
    embedding: bytes | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class ProposePlan:
    """Show the boss's plan and, when it is large, hold it for approval."""

    summary: str
    groups: tuple[str, ...]
    agents: int
    tokens: int
    cost_micros: int
    minutes: int
    hold: bool
    guessed: bool = False
    worth: str = ""
    team: tuple[tuple[str, str], ...] = ()
    """Names and parts of those who are to be recruited."""
    room: tuple[int | None, int | None] = (None, None)
    """Money and tokens that the task may still use, where the plan needs more."""


@dataclass(frozen=True, slots=True)
class NameTask:
    """Give the task its short title; the first one counts."""

    title: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Finish the task; `lessons` are kept for later tasks of the space. Empty `report`: the engine writes one
    from runs and files.

    `vectors`: those of the lessons, packed; none without an embedder. `missing`: what the result plainly
    lacks; nobody audits it then: people are asked (`asks`), or the task ends as not finished.
    """

    report: str
    deliverables: tuple[str, ...]
    audit: bool
    lessons: tuple[str, ...] = ()
    vectors: tuple[bytes, ...] = ()
    missing: tuple[Missing, ...] = ()
    asks: bool = False


@dataclass(frozen=True, slots=True)
class CollectWords:
    """What people said to agents that cannot run goes to the boss, whose step this is."""


@dataclass(frozen=True, slots=True)
class SetBudget:
    """Cap what a member of the caller's group and all below it may use from now on (None: no change).

    `agents` counts the member itself and all below it.
    """

    name: str
    micros: int | None = None
    tokens: int | None = None
    agents: int | None = None
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Give the auditor's verdict. `by_runs`: it follows from runs only and confirms nothing else."""

    accepted: bool
    findings: str
    last_round: bool
    by_runs: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Report that a monitoring rule acted during this step, for example on a repeated call."""

    rule: str
    action: Literal["nudged", "reported", "paused"]
    detail: str
    notify_head: bool = False
    names: bool = False


@dataclass(frozen=True, slots=True)
class CountRefusal:
    """Count a refusal for a reason nobody knows, which may hold for all agents of the lane: `key` tells which
    model at which endpoint, used by `roles`; `cause` which reason."""

    key: str
    roles: tuple[AgentRole, ...]
    cause: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Pause the agent because the model refuses it; a message from a person or its head reactivates it."""

    reason: str


@dataclass(frozen=True, slots=True)
class AskCall:
    """Ask people whether one call to a tool of the world outside may be made: this call and no other.

    `arguments` is their canonical JSON, `digest` that of server, tool and arguments, `readable` the arguments
    as people read them; `why` they are asked.
    """

    slot: int
    tool: OutsideTool
    digest: str
    arguments: str
    readable: str
    why: AskReason = "policy"


@dataclass(frozen=True, slots=True)
class ShowCall:
    """Show people a call to a tool of the world outside, whose outcome the agent has in this step.

    `known`: people were told before that its server cannot be reached, so that nothing is shown.
    """

    call: int
    server: str
    tool: str
    end: CallEnd
    arguments: str
    addresses: tuple[str, ...] = ()
    price_micros: int = 0
    reused: bool = False
    known: bool = False


Effect = (
    SendMessage
    | Recruit
    | CheckTeam
    | Assign
    | ChangeAssignment
    | WaitFor
    | AmendAssignment
    | Dismiss
    | SetTodo
    | ChangeFile
    | CheckRoom
    | ShowRun
    | RaiseGate
    | AskAction
    | UseAction
    | CheckRecruits
    | AskPackages
    | AddPackages
    | Remember
    | ProposePlan
    | NameTask
    | Finish
    | CollectWords
    | SetBudget
    | Verdict
    | Notice
    | CountRefusal
    | GiveUp
    | AskCall
    | ShowCall
)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A tool call with its result, as replayed later; it may hold `slot_mark` tokens and slots."""

    id: str
    name: str
    arguments: str
    result: str
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """Everything that one step commits. `reads` False: no model acted on its messages, which stay unread.

    `rest`: the calls of the answer that the agent's next step runs. `voice`: how what is said is used.
    """

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
    doing: tuple[Doing, ...] = ()
    guessed: bool = False
    kept: str = ""
    state: ModelState = field(default_factory=ModelState)
    reads: bool = True
    rest: Rest | None = None
    voice: Voice = "aloud"
    warnings: tuple[str, ...] = field(default=())


def slot_mark(kind: SlotKind, slot: int) -> str:
    """Return the placeholder in a result for an id that the commit will assign."""
    return f"\x00{kind}:{slot}\x00"
