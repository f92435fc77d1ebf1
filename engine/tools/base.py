"""Base types of tools. Tools stage effects; nothing is visible before the commit."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from engine.connectors.connectors import Connectors
from engine.domain.effects import Effect, Finish
from engine.domain.outcomes import Name, Outcome, Read, RefusalKind, Refused, ToolResult
from engine.domain.packages import PackagePolicy
from engine.domain.snapshot import WatchOptions
from engine.domain.state import AgentFacts, StepFacts, TaskFacts, Unseen
from engine.ports import AgentRole, Database, Embedder, Packages, Quote, Sandbox, ToolSpec, Workspace
from engine.tools.run_results import RunResults
from engine.tools.schema import FOR_BOSS, common_schema
from engine.tools.sessions import Sessions
from engine.workspace.limits import WorkspaceLimits

MAX_RESULT = 6_000
"""Characters of a tool result that the model gets; a cut is noted."""

EVERYONE: frozenset[AgentRole] = frozenset({"boss", "head", "member", "auditor"})
WORKERS: frozenset[AgentRole] = frozenset({"boss", "head", "member"})
LED: frozenset[AgentRole] = frozenset({"head", "member"})


class ToolRefused(Exception):
    """A call is refused; `str(error)` tells the model what was wrong and what to do, `outcome` the engine."""

    def __init__(
        self,
        text: str,
        why: RefusalKind = "not_allowed",
        shown: tuple[str, int | None] = ("", None),
        outcome: Outcome | None = None,
    ) -> None:
        """`shown`: path and revision of a file that the text holds in full; `outcome`: in place of the usual
        one."""
        super().__init__(text)
        self.outcome: Outcome = outcome or Refused(why, *shown)


def _without_docstring(schema: dict[str, Any]) -> None:
    """Drop the docstring of a model from its schema: it tells the caller nothing that a field does not."""
    schema.pop("description", None)


class Arguments(BaseModel):
    """Base class of argument schemas; unknown arguments are refused, so that the model sees its typos."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_without_docstring)


A = TypeVar("A", bound=Arguments)
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class ToolOptions:
    """Settings that tools obey. `by_runs`: a model's word is worth too little here; reports and the auditor's
    judgement are what runs show. `guard`: what could carry data out needs a person once text from outside was
    read."""

    run_timeout_s: float = 30.0
    plan_approval_over: int = 8
    audit_rounds: int = 2
    by_runs: bool = False
    output_chars: int = MAX_RESULT
    packages: PackagePolicy = field(default_factory=PackagePolicy)
    guard: bool = True
    watch: WatchOptions = field(default_factory=WatchOptions)
    files: WorkspaceLimits = field(default_factory=WorkspaceLimits)


@dataclass(frozen=True, slots=True)
class FileNow:
    """A path as this step sees it; `blob` None: deleted; `revision` None when staged by this step."""

    blob: str | None
    size: int
    revision: int | None = None
    agent: str = "you"

    @property
    def shown(self) -> str:
        """Return the revision as shown to the model."""
        return "new" if self.revision is None else str(self.revision)


@dataclass(slots=True)
class ToolContext:
    """State of one step's tool calls: what is known and staged. `careful`: check names, after a stale commit.

    Steps up to `upto` are in the prompt only as a summary. `newcomers`: the names that those recruited in
    this step will have, which the commit may number. `calls_outside`: digests of the calls made so far.
    `speaks`: the answer has words beside its calls. `unseen`: what went wrong before in the same answer,
    which its author has not read yet. `read_now`: what its calls so far showed of files.
    """

    facts: StepFacts
    db: Database
    workspace: Workspace
    sandbox: Sandbox
    options: ToolOptions
    careful: bool = False
    embedder: Embedder | None = None
    held: Quote | None = None
    sessions: Sessions | None = None
    outside: Connectors | None = None
    packages: Packages | None = None
    results: RunResults = field(default_factory=RunResults)
    upto: int = 0
    now: Callable[[], float] = time.time
    effects: list[Effect] = field(default_factory=list)
    files: dict[str, FileNow] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    recruited: dict[str, str] = field(default_factory=dict)
    newcomers: dict[str, Name] = field(default_factory=dict)
    calls_outside: list[str] = field(default_factory=list)
    slots: int = 0
    ends_turn: bool = False
    speaks: bool = False
    unseen: list[Unseen] = field(default_factory=list)
    read_now: list[Read] = field(default_factory=list)

    @property
    def agent(self) -> AgentFacts:
        """Return the agent whose step it is."""
        return self.facts.agent

    @property
    def task(self) -> TaskFacts:
        """Return the agent's task."""
        return self.facts.task

    def slot(self) -> int:
        """Return a number for an id that exists only after the commit."""
        self.slots += 1
        return self.slots

    def stage(self, effect: Effect) -> None:
        """Stage an effect for the commit."""
        self.effects.append(effect)

    def stage_last(self, effect: Effect) -> None:
        """Stage an effect once, after everything staged so far."""
        self.effects[:] = [earlier for earlier in self.effects if earlier != effect]
        self.effects.append(effect)

    def staged(self, kind: type[E]) -> list[E]:
        """Return this step's staged effects of a kind, in order; limits and states count them as done."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def check_not_finished(self) -> None:
        """Check that the same answer has not called `finish` before. Raises ToolRefused."""
        if self.staged(Finish):
            raise ToolRefused("You called finish before, in this same answer. Nothing new begins after it.")

    def check_seen(self, undone: str) -> None:
        """Check that nothing went wrong before in the same answer, for calls that say that work is done: what
        they say was written before that was seen. Raises ToolRefused, once in a row."""
        before = (
            self.facts.past[:-1] if self.agent.rest else self.facts.past
        )  # without this answer's own part
        last = before[-1].calls if before else ()
        told = any(isinstance(call.outcome, Refused) and call.outcome.why == "unseen" for call in last)
        if self.unseen and not told:
            what = "; ".join(dict.fromkeys(each.text for each in self.unseen))
            raise ToolRefused(f"{undone}: {what}, above in this same answer. Look at that first.", "unseen")


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """A tool. Its name and argument schema are API. `slow`: a call may take more than a second, so what the
    answer did before it is committed first."""

    name: str
    description: str
    arguments: type[A]
    roles: frozenset[AgentRole]
    run: Callable[[ToolContext, A], Awaitable[ToolResult]]
    slow: bool = False

    def spec(self, role: AgentRole = "boss") -> ToolSpec:
        """Return the tool as shown to the model of an agent of this role."""
        schema = self.arguments.model_json_schema()
        if role != "boss":
            shown = {name: one for name, one in schema["properties"].items() if not one.get(FOR_BOSS)}
            schema = {**schema, "properties": shown}
        return ToolSpec(self.name, self.description, common_schema(schema))


def clip(text: str, limit: int = MAX_RESULT, how: str = "") -> str:
    """Return `text` cut in the middle to about `limit` characters, with a note of the cut."""
    if len(text) <= limit:
        return text
    head, tail = int(limit * 0.7), int(limit * 0.25)
    return f"{text[:head]}\n… {len(text) - head - tail} characters cut{how} …\n{text[-tail:]}"
