"""Commands that people send to the engine through the bot: `await engine.handle(command)` returns an id.

The id is that of the object created or changed (task, message, gate, agent).
Errors are NotFound, WrongState and Invalid; their texts can be shown to people.
`by` is an opaque name of the person ("discord:123"), `by_name` the person as shown to people and agents; both
come back with every event that the command causes. `space` names the server ("guild:9"), `origin` the
channel where a task was started ("channel:5"); `origin` comes back in TaskAccepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of one task; None means the setting's default. Money in micro-dollars."""

    agents: int | None = None
    depth: int | None = None
    members: int | None = None
    steps: int | None = None
    cost_micros: int | None = None
    tokens: int | None = None
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits of one person in a space; None means no limit.

    `running`: tasks at once; `starts`: starts and continuations in any 24 hours; `cost_micros`: what these
    may cost together, a running task counting with its cap.
    """

    running: int | None = None
    starts: int | None = None
    cost_micros: int | None = None


@dataclass(frozen=True, slots=True)
class MonthRule:
    """What a space, and each person in it, may use in a calendar month of the time zone `zone`; None means
    no cap. Money in micro-dollars."""

    zone: str = "UTC"
    space_micros: int | None = None
    space_tokens: int | None = None
    person_micros: int | None = None
    person_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class SetMonthRule:
    """Set the budgets of a space and of each person in it for calendar months. Returns 0.

    They hold from now on, for the current month too, of which everything counts that was used since it
    began. Tasks that were paused because a budget was used up resume where there is room again.
    `only`: the fields of `rule` that are set, the others stay as they are; empty for all.
    """

    space: str
    rule: MonthRule
    by: str
    by_name: str = ""
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Protections:
    """What agents of a space do only after a person agreed to exactly that, beside the policies of tools.

    `run`: any program, checks included; `recruit_over`: joining of more agents than this, None for no limit;
    `finish`: the end of a task; `tools`: any call to a tool of the world outside.
    """

    run: bool = False
    recruit_over: int | None = None
    finish: bool = False
    tools: bool = False


@dataclass(frozen=True, slots=True)
class SetProtections:
    """Set what agents of a space do only after a person agreed. Returns 0.

    `only`: the fields of `protections` that are set, the others stay as they are; empty for all.
    """

    space: str
    protections: Protections
    by: str
    by_name: str = ""
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordRules:
    """Add to the audit trail that somebody changes what the bot keeps about a space. Returns 0.

    `rules`: what changes, by name, with the new value in the caller's words.
    """

    space: str
    rules: Mapping[str, str]
    by: str
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class RecordSignIn:
    """Add to the audit trail that somebody signs the agents in to a server outside. Returns 0."""

    space: str
    server: str
    by: str
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class RecordSignOut:
    """Add to the audit trail that somebody ends the agents' sign-in at a server outside. Returns 0."""

    space: str
    server: str
    by: str
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class RecordArchive:
    """Add to the audit trail that somebody closes the places of a task that has ended. Returns the task id.

    `remove`: they are deleted. Raises NotFound, and WrongState before the task's end.
    """

    task_id: int
    remove: bool
    by: str
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class StartTask:
    """Start a task. Returns the task id. `goal` has 1 to 8,000 characters.

    `files` maps path to bytes; a zip or a git bundle stands for what it holds. `left_out`: its entries that
    are not taken in, each with the reason; set by the engine.
    `origin` is kept with the task's first event, in the same transaction, which also checks the `quota`.
    """

    goal: str
    by: str
    space: str
    limits: Limits = Limits()
    files: Mapping[str, bytes] = field(default_factory=dict)
    model: str | None = None
    attended: bool = True
    origin: str = ""
    quota: Quota = Quota()
    by_name: str = ""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContinueTask:
    """Continue a task that has ended, with its files, agents, memories and places. Returns the task id.

    `limits`: what it may use from now on (money, tokens, minutes; `agents` in all); None means what its last
    start gave, at most the setting's default. `text` and `files` go to `agent_id`, None for the boss. What
    people wrote since the end is read by the agents it is for. `files`, `left_out`: see StartTask.
    """

    task_id: int
    by: str
    by_name: str
    limits: Limits = Limits()
    text: str = ""
    agent_id: int | None = None
    ref: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    quota: Quota = Quota()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StartDemonstration:
    """Start the demonstration: a task whose agents' answers are recorded. Returns the task id. It asks no
    model and costs nothing; `by`, `space`, `origin` and `quota` as in `StartTask`."""

    by: str
    space: str
    origin: str = ""
    by_name: str = ""
    quota: Quota = Quota()


@dataclass(frozen=True, slots=True)
class SayToAgent:
    """Send a person's message to one agent. Returns the message id. `ref` (a Discord message id) comes back
    in events.

    A task that has ended keeps the message until it is continued. `files`, `left_out`: see StartTask.
    `quoted`: the words that the message is a reply to.
    """

    agent_id: int
    text: str
    by: str
    by_name: str
    ref: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    quoted: str = ""


@dataclass(frozen=True, slots=True)
class EditMessage:
    """Replace a person's unread message. Returns the message id. WrongState once an agent has read it.

    `files`: paths of the files that the message brought and still has.
    """

    ref: str
    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WithdrawMessage:
    """Withdraw a person's unread message. Returns the message id. WrongState once an agent has read it."""

    ref: str


@dataclass(frozen=True, slots=True)
class AnswerGate:
    """Answer a gate. Returns the gate id. WrongState when it is already closed.

    `choice_id`: one of the gate's choices, None for free text where its kind allows that. `limits`: lower
    caps that come with the approval of a plan. Invalid for what the gate does not allow
    (`engine.domain.gates`).
    """

    gate_id: int
    by: str
    choice_id: str | None = None
    text: str = ""
    limits: Limits | None = None
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class SetGateRule:
    """Set how long questions of one kind wait for people in a space, and what comes of them then. Returns 0.

    `kind`: `engine.domain.gates.GateKind`. `wait_s`: seconds, from a minute to 31 days. `default`: one of
    those that the kind allows (`engine.domain.gate_rules`). None leaves what is set.
    """

    space: str
    kind: str
    wait_s: float | None
    default: str | None
    by: str
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class PauseTask:
    """Pause a task: running calls settle, no new ones start. Returns the task id."""

    task_id: int
    by: str
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class ResumeTask:
    """Resume a paused task. Returns the task id."""

    task_id: int
    by: str
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class StopTask:
    """Stop a task permanently; its files stay. Returns the task id."""

    task_id: int
    by: str
    reason: str = ""
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class RaiseCap:
    """Change caps (None: no change) and resume a task that is paused at its cap. Returns the task id.

    With `agent_id`, cap that agent and all below it (money, tokens, agents, minutes from now on) and resume
    them when they had stopped at their budget.
    """

    task_id: int
    limits: Limits
    by: str
    agent_id: int | None = None
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class PauseAgent:
    """Pause an agent and all below it: their model calls are cancelled. Returns the agent id."""

    agent_id: int
    by: str
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class ResumeAgent:
    """Resume a paused agent and those below it that were paused with it. Returns the agent id."""

    agent_id: int
    by: str
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class EditAgent:
    """Change an agent's instructions or model from its next step on. Returns the agent id.

    None: no change. `model` "": the task's. Raises Invalid for a model that the operator does not allow.
    """

    agent_id: int
    instructions: str | None
    by: str
    by_name: str = ""
    model: str | None = None


@dataclass(frozen=True, slots=True)
class DismissAgent:
    """Dismiss an agent and all below it; their open assignments are cancelled. Returns the agent id."""

    agent_id: int
    by: str
    reason: str = ""
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class ReplaceAgent:
    """Replace an agent (not the boss, not an auditor) by a new one. Returns the successor's id.

    The successor gets role, group, open assignments, unread messages, budget and its predecessor's notes;
    `instructions`, when given, replace the old ones.
    """

    agent_id: int
    by: str
    reason: str = ""
    instructions: str = ""
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class ForgetMemory:
    """Delete a memory that was kept for later tasks of a space. Returns the memory id."""

    memory_id: int
    by: str
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class RepeatTask:
    """Start a task for `goal` on a schedule. Returns the repeat id. Each run is unattended, within `limits`.

    `cron`: minute, hour, day, month, weekday in the time zone `zone`, at most every 15 minutes. Runs missed
    while no process was running are made up for by one; a run that is due while the previous one has not
    ended is skipped. Each run is started at `origin`.
    """

    goal: str
    by: str
    space: str
    cron: str
    zone: str = "UTC"
    limits: Limits = Limits()
    model: str | None = None
    origin: str = ""
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class EndRepeat:
    """End a repeat: it starts no more tasks; a run that has not ended continues. Returns the repeat id."""

    repeat_id: int
    by: str
    by_name: str = ""


@dataclass(frozen=True, slots=True)
class ResumeRepeat:
    """Resume a paused repeat, from now on in the name of `by`. Returns the repeat id.

    Runs missed while it was paused are not made up for.
    """

    repeat_id: int
    by: str
    by_name: str = ""


Command = (
    StartTask
    | StartDemonstration
    | ContinueTask
    | SayToAgent
    | EditMessage
    | WithdrawMessage
    | AnswerGate
    | SetGateRule
    | SetMonthRule
    | SetProtections
    | RecordRules
    | RecordSignIn
    | RecordSignOut
    | RecordArchive
    | PauseTask
    | ResumeTask
    | StopTask
    | RaiseCap
    | PauseAgent
    | ResumeAgent
    | EditAgent
    | DismissAgent
    | ReplaceAgent
    | ForgetMemory
    | RepeatTask
    | EndRepeat
    | ResumeRepeat
)
