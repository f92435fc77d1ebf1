"""Immutable records of what a step knows, loaded from the store in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.domain.outcomes import Outcome, Running
from engine.ports import AgentRole, ChatAnswer, ChatRequest, Quote, ToolCall


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """The facts of a task that a step needs. `refusals`: how often an endpoint refused requests of it for one
    reason that nobody knows, at the most."""

    id: int
    goal: str
    space: str
    boss_id: int
    agents: int
    max_agents: int
    max_depth: int
    max_members: int
    max_steps: int
    audit_round: int = 0
    plan_state: str = "none"
    attended: bool = True
    model: str = ""
    refusals: int = 0


SenderKind = Literal["person", "agent", "work", "system", "outside"]
"""Who sent a message: a person, an agent, an agent through an assignment ("work"), the engine ("system"), a
tool of the world outside that the receiver called."""

About = Literal[
    "",
    "assignment",
    "submission",
    "wrap_up",
    "answer",
    "said",
    "outside",
    "correction",
    "told",
    "cap",
    "changed",
    "held",
]
"""What the receiver should do, where the engine has to know: do the work, review it, finish at once, act on
a person's answer, judge by what a person said to somebody else, go on with what a call came to, follow
instructions that a person changed, keep within a cap; "told": it comes from an agent that needs no answer;
"changed": files of a submission are newer; "held": the end waits until people's words are acted on."""


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """One message of the agent's inbox, unread or read by an earlier step. `wakes`: its sender expects a
    reaction; `about_id`: the assignment, call or budget that it is about."""

    id: int
    from_kind: SenderKind
    from_name: str
    text: str
    ref: str | None
    priority: int
    wakes: bool = True
    about: About = ""
    about_id: int | None = None


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """A line of an agent's summary. `by_person`: a person's message, which is kept longest."""

    text: str
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class PastCall:
    """A tool call of an earlier step with its result; `outcome` None: stored by an older version."""

    id: str
    name: str
    arguments: str
    result: str
    outcome: Outcome | None = None


NOTE = "nothing"
"""Name of a record in a step's calls that is no call but a note of the engine about the answer."""


@dataclass(frozen=True, slots=True)
class PastStep:
    """An earlier step, replayed verbatim to the model; `messages`: those it read; `kept`: an opaque value
    that
    its endpoint wants back."""

    step: int
    input: str
    said: str
    calls: tuple[PastCall, ...]
    messages: tuple[InboxMessage, ...] = ()
    kept: str = ""


@dataclass(frozen=True, slots=True)
class ModelState:
    """State of one agent's use of its model. `answer_tokens`: the raised limit of its answers, 0 for the
    default; `too_long`: consecutive refusals for the prompt's length; `refusals`: for other reasons."""

    answer_tokens: int = 0
    too_long: int = 0
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class Unseen:
    """A call that went wrong earlier in the same answer. `refused`: it did not happen, in difference to a
    program that failed."""

    text: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Rest:
    """The calls of an answer that are still to be run, after a commit of those before.

    `first`: the number of the first of them in the answer; `good`: how many before them could be run;
    `ends_turn`: one before them ends the turn, after these. `cut`: the answer was cut at `limit` tokens;
    `trouble`: what was wrong with it. `unseen`: what went wrong before them.
    """

    calls: tuple[ToolCall, ...]
    first: int
    good: int = 0
    ends_turn: bool = False
    cut: bool = False
    limit: int = 0
    trouble: str = ""
    unseen: tuple[Unseen, ...] = ()


@dataclass(frozen=True, slots=True)
class Colleague:
    """An agent of the same group. `relation`: head, peer or member. `paused`: it answers only once it is
    resumed."""

    id: int
    name: str
    title: str
    relation: str
    paused: bool = False


@dataclass(frozen=True, slots=True)
class AssignmentFacts:
    """An assignment, with the names of giver and assignee."""

    id: int
    title: str
    giver_id: int
    assignee_id: int
    giver: str
    assignee: str
    state: str
    acceptance: str
    command: tuple[str, ...]
    group_id: int
    details: str


@dataclass(frozen=True, slots=True)
class TodoItem:
    """An item of an agent's own todo list; `status`: todo, doing or done."""

    text: str
    status: str


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """The agent whose turn it is. `fence` must be unchanged at the commit; `own_model`: the name of its own
    model, "" for the task's. `to_lead`: it was recruited to lead a group."""

    id: int
    name: str
    role: AgentRole
    title: str
    instructions: str
    group_id: int
    leads_group_id: int | None
    head_id: int | None
    budget_id: int
    budget_path: str
    depth: int
    fence: int
    turn: int
    turn_steps: int
    in_turn: bool
    bad_answers: int
    summary: tuple[SummaryLine, ...]
    todo: tuple[TodoItem, ...]
    last_calls: tuple[str, ...]
    reserved_micros: int
    reserved_tokens: int
    model: ModelState = ModelState()
    rest: Rest | None = None
    own_model: str = ""
    to_lead: bool = False

    @property
    def leads(self) -> bool:
        """Return whether it has members, or is to recruit them."""
        return self.to_lead or self.leads_group_id is not None


@dataclass(frozen=True, slots=True)
class StepFacts:
    """Everything that one step needs to know, loaded in one transaction.

    `past`: the steps after `upto`, the last one that the agent's summary covers. `colleagues`: filled only
    at the start of a turn. `work`: its own assignments, then those waiting for its review, then others it
    gave, slightly more than are shown.
    """

    task: TaskFacts
    agent: AgentFacts
    inbox: tuple[InboxMessage, ...]
    past: tuple[PastStep, ...]
    colleagues: tuple[Colleague, ...]
    work: tuple[AssignmentFacts, ...]
    head: str
    upto: int

    @property
    def step(self) -> int:
        """Return the number of the current step, one more than the fence."""
        return self.agent.fence + 1

    @property
    def read(self) -> tuple[InboxMessage, ...]:
        """Return the messages that the answer is based on, also when an earlier part consumed them."""
        return self.past[-1].messages if self.agent.rest and self.past else self.inbox

    @property
    def kept_open(self) -> bool:
        """Return whether the agent has kept a program open, to talk to it."""
        return any(isinstance(call.outcome, Running) for step in self.past for call in step.calls)


@dataclass(frozen=True, slots=True)
class Turn:
    """The facts of a step with its prompt: `input` is stored with the step, `summary` covers steps up to
    `upto`, `held` is the reserved spending. `made`: the answer, where no model is asked for it; nor is one by
    a step that runs the rest of an answer. `call`: names the model call that the reservation is for."""

    facts: StepFacts
    input: str
    request: ChatRequest
    held: Quote
    summary: tuple[SummaryLine, ...]
    upto: int
    made: ChatAnswer | None = None
    call: str = ""

    @property
    def rest(self) -> Rest | None:
        """Return the calls that this step runs without asking the model, None when it asks."""
        return self.facts.agent.rest

    @property
    def text_only(self) -> bool:
        """Return whether an answer in text only was requested, after which the turn continues."""
        return self.request.offer == ()
