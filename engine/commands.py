"""What people (through the bot) ask of the engine. Frozen; `await engine.handle(command)` -> id.

The id returned is that of the thing made or changed (task, message, gate, agent).
Errors: NotFound, WrongState, Invalid, each fit to be shown to the person.
`by` is an opaque name of who asks ("discord:123"); `space` an opaque name of where ("guild:9"); `origin` an
opaque name of the place inside it where a task was started ("channel:5"), which comes back in TaskAccepted.
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
class StartTask:
    """Begin a task -> task id. `goal` 1 to 8,000 characters; `files` are attachments (path -> bytes).

    `origin` is kept with the task's first event, in the same transaction.
    """

    goal: str
    by: str
    space: str
    limits: Limits = Limits()
    files: Mapping[str, bytes] = field(default_factory=dict)
    model: str | None = None
    attended: bool = True
    origin: str = ""


@dataclass(frozen=True, slots=True)
class SayToAgent:
    """A person's words to one agent -> message id. `ref` comes back in events (a Discord message id)."""

    agent_id: int
    text: str
    by: str
    by_name: str
    ref: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EditMessage:
    """Replace a person's message that no agent has read yet (WrongState after) -> message id."""

    ref: str
    text: str


@dataclass(frozen=True, slots=True)
class WithdrawMessage:
    """Take back a person's message that no agent has read yet (WrongState after) -> message id."""

    ref: str


@dataclass(frozen=True, slots=True)
class AnswerGate:
    """Answer a gate, once (WrongState the second time) -> gate id.

    `choice_id`: of one of its choices; None for free text, where its kind takes that. `limits`: lower caps
    that come with the approval of a plan. What the gate does not take is Invalid (`engine.domain.gates`).
    """

    gate_id: int
    by: str
    choice_id: str | None = None
    text: str = ""
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class PauseTask:
    """Let running calls settle, start no new ones -> task id."""

    task_id: int
    by: str


@dataclass(frozen=True, slots=True)
class ResumeTask:
    """Go on with a paused task -> task id."""

    task_id: int
    by: str


@dataclass(frozen=True, slots=True)
class StopTask:
    """End a task for good; its files stay -> task id."""

    task_id: int
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RaiseCap:
    """New caps (only the values given change); resumes a task paused at its cap -> task id.

    With `agent_id` what that agent and all below it may use (money, tokens, agents, minutes from now on); a
    group that had stopped at its budget goes on.
    """

    task_id: int
    limits: Limits
    by: str
    agent_id: int | None = None


@dataclass(frozen=True, slots=True)
class PauseAgent:
    """Start no new turns of this agent -> agent id."""

    agent_id: int
    by: str


@dataclass(frozen=True, slots=True)
class ResumeAgent:
    """Let a paused agent go on -> agent id."""

    agent_id: int
    by: str


@dataclass(frozen=True, slots=True)
class EditAgent:
    """Change an agent's instructions from its next turn on -> agent id."""

    agent_id: int
    instructions: str
    by: str


@dataclass(frozen=True, slots=True)
class DismissAgent:
    """Remove an agent (and its group) from the task; its open assignments go back to its head -> agent id."""

    agent_id: int
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReplaceAgent:
    """Put a fresh agent in an agent's place -> id of the successor; not in the boss's or the auditor's.

    It gets role, group, open assignments, unread mail, budget and a note of what its predecessor knew;
    `instructions`, when given, in place of the old ones.
    """

    agent_id: int
    by: str
    reason: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True)
class ForgetMemory:
    """Delete something kept for a space's later tasks -> memory id."""

    memory_id: int
    by: str


@dataclass(frozen=True, slots=True)
class RepeatTask:
    """Start a task for `goal` again and again -> repeat id. Each run goes by itself, within `limits`.

    `cron`: minute, hour, day, month, weekday by the clock of `zone`, at most every 15 minutes. A start missed
    while nobody ran is made up for once; one that is due while the run before goes on is left out. Each run
    is started at `origin`.
    """

    goal: str
    by: str
    space: str
    cron: str
    zone: str = "UTC"
    limits: Limits = Limits()
    model: str | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class EndRepeat:
    """Start no more tasks of a repeat; a run that goes on is left alone -> repeat id."""

    repeat_id: int
    by: str


@dataclass(frozen=True, slots=True)
class ResumeRepeat:
    """Let a paused repeat start tasks again, from now on in the name of `by` -> repeat id.

    What it missed while it was paused is not made up for.
    """

    repeat_id: int
    by: str


Command = (
    StartTask
    | SayToAgent
    | EditMessage
    | WithdrawMessage
    | AnswerGate
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
