"""What a turn sees of the world: frozen pictures loaded from the store in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.domain.outcomes import Outcome
from engine.ports import AgentRole, ChatRequest, Quote


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """The task as far as a turn needs it."""

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


SenderKind = Literal["person", "agent", "work", "system"]
"""Who speaks: a person, an agent, an agent by what it did with an assignment, the engine."""

About = Literal["", "assignment", "submission", "wrap_up"]
"""What the receiver is to do, where the engine has to know: work on it, review it, finish at once."""


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """One message of the agent's inbox, unread or as an earlier step read it. `wakes`: its sender waits for
    something; `about_id`: the number of the assignment it is about."""

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
    """A line of what an agent did before, shortened. `by_person`: words of a person, kept longest."""

    text: str
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class PastCall:
    """A tool call of an earlier step with its result; `outcome` None: made by an older version."""

    id: str
    name: str
    arguments: str
    result: str
    outcome: Outcome | None = None


NOTE = "nothing"
"""Name of the record in a step's calls that is no call: words of the engine about the answer."""


@dataclass(frozen=True, slots=True)
class PastStep:
    """An earlier step, replayed verbatim to the model; `messages`: those it read; `kept` goes back to its
    endpoint unread."""

    step: int
    input: str
    said: str
    calls: tuple[PastCall, ...]
    messages: tuple[InboxMessage, ...] = ()
    kept: str = ""


@dataclass(frozen=True, slots=True)
class ModelState:
    """How one agent fares with its model. `answer_tokens`: the raised limit of its answers, 0 for the usual
    one; `too_long`: how often in a row its prompt was refused for its length; `refusals`: in a row for
    other reasons."""

    answer_tokens: int = 0
    too_long: int = 0
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class Colleague:
    """Someone the agent shares a group with. `relation`: head, peer or member."""

    id: int
    name: str
    title: str
    relation: str


@dataclass(frozen=True, slots=True)
class AssignmentFacts:
    """An assignment the agent gave or has, not closed yet."""

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
    """A line of an agent's own checklist; `status` todo, doing or done."""

    text: str
    status: str


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """The agent whose turn it is. `fence` must still hold at the commit."""

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


@dataclass(frozen=True, slots=True)
class StepFacts:
    """Everything one step needs to know, loaded in one transaction.

    `past` holds the steps after `upto`, the last one that the agent's summary covers; `colleagues` are
    filled only at the start of a turn. `work` is its own, then what it gave and waits for its review, then
    what else it gave, as much as is shown and some more.
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
        """Number of the step being made: one more than the fence."""
        return self.agent.fence + 1


@dataclass(frozen=True, slots=True)
class Turn:
    """A scene with its prompt: `input` is stored with the step, `summary` covers steps up to `upto`."""

    facts: StepFacts
    input: str
    request: ChatRequest
    held: Quote
    summary: tuple[SummaryLine, ...]
    upto: int

    @property
    def text_only(self) -> bool:
        """Whether words alone were asked for: the turn goes on after them."""
        return self.request.offer == ()
