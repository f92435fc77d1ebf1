"""The engine's ports: its interfaces to everything outside, with their contracts.

Adapters live in llm/, store/, workspace/, sandbox/ and runtime/; one bootstrap wires them.
Times are seconds (unix time where absolute), money is micro-dollars (1 USD = 1_000_000), sizes bytes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from sqlalchemy import Connection

from engine.commands import Limits
from engine.domain.addresses import AddressBasis
from engine.domain.packages import Pin
from engine.errors import Charge

T = TypeVar("T")

JsonObject = Mapping[str, Any]
AgentRole = Literal["boss", "head", "member", "auditor"]
Policy = Literal["allow", "ask", "deny"]
"""Whether agents of a role may call a tool of the world outside: at once, after a person agreed, never."""

# ---------------------------------------------------------------- the model


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: JsonObject


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the model wrote it: `arguments` is the raw text, possibly not JSON at all."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a chat; `tool_calls` only on assistant, `tool_call_id` only on tool messages.

    `kept`: on an assistant message, the value of `ChatAnswer.kept` that its endpoint wants back.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the provider counted them; `cached` is the part of `prompt` read from cache.

    `written`: the part of `prompt` that was written to a cache. `estimated`: the provider reported nothing,
    the adapter estimates.
    """

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    written: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """Return prompt and completion tokens together."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Written:
    """How far an answer is: `tokens` written so far, 0 while the model reads; `read`: the part of the prompt
    that it has read, 1 where the endpoint does not tell.

    `tool` and `path`: the call that it writes, where known, with the `lines` of its text so far; `words`: the
    newest of them, a model's and therefore untrusted.
    """

    tokens: int = 0
    read: float = 1.0
    tool: str = ""
    path: str = ""
    lines: int = 0
    words: str = ""


class CallMeter(Protocol):
    """Told what becomes of each attempt of one model call, so that all are counted that may cost something.

    Until it is told otherwise an attempt counts as sent. What it raises ends the call.
    """

    def returned(self) -> None:
        """Note that no attempt is under way, and that the last one cost nothing."""

    async def before_send(self) -> None:
        """Note that the next attempt is about to be sent."""

    async def unanswered(self, charge: Charge | None) -> None:
        """Count an attempt that ended without a usable answer: as its endpoint did, else by the estimate."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One model call. Lower `priority` goes first (0: a person waits for the answer).

    `offer`: names of the `tools` that fit at this moment, None for all of them, () for words alone; the
    embedded model is held to them. `talk`: whether an answer in words alone fits too. `warmth`: the lowest
    temperature of a text that it writes. `brief`: all that it sees when it writes a file, besides the files
    that are there; "": the messages. `model`: the one its task names, "" for the usual one of the role.
    `heard`: told how far the answer is, first when the request is sent; must return at once. `meter`: counts
    its attempts.
    """

    task_id: int
    agent_id: int
    role: AgentRole
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    priority: int = 5
    max_tokens: int | None = None
    offer: tuple[str, ...] | None = None
    talk: bool = True
    model: str = ""
    warmth: float = 0.0
    brief: str = ""
    heard: Callable[[Written], None] | None = field(default=None, compare=False, repr=False)
    meter: CallMeter | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """The model's answer; `cost_micros` is None when the model has no known price.

    `guessed`: nobody knows the price, a ceiling stands in. `finish_reason` "length": it was cut at `limit`
    tokens, and the last call may be cut too. `kept`: what the endpoint wants back with this answer, opaque,
    to be stored and sent as it is. `trouble`: why the answer cannot be used as it is, for the model.
    `thoughts`: what it thought where it said and called nothing, to be searched for calls; never said.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    model: str = ""
    finish_reason: str = "stop"
    cost_micros: int | None = None
    guessed: bool = False
    limit: int = 0
    kept: str = ""
    trouble: str = ""
    thoughts: str = ""

    @property
    def cut(self) -> bool:
        """Return whether the answer was cut at its limit."""
        return self.finish_reason == "length"


@dataclass(frozen=True, slots=True)
class Quote:
    """Upper estimate of what a request may use, reserved before the call; `guessed`: at a ceiling price, for
    the real one is not known."""

    tokens: int
    cost_micros: int
    guessed: bool = False


class ChatModel(Protocol):
    """A chat model with tools."""

    def quote(self, request: ChatRequest) -> Quote:
        """Return the most tokens and money that `request` may use. Never raises."""

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Return the model's answer. Raises only subclasses of ModelError, CancelledError and what the
        request's meter raises: CallNotSent when it was cancelled before it reached the endpoint."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """Vectors, one a text and all of the same length, and what they cost; `guessed`: at a ceiling price."""

    vectors: Sequence[Sequence[float]]
    usage: Usage
    cost_micros: int
    guessed: bool = False


class Embedder(Protocol):
    """Turns texts into vectors for recall. `model`: the name that its calls are booked under."""

    @property
    def model(self) -> str:
        """Return the model's name."""

    def quote(self, texts: Sequence[str]) -> Quote:
        """Return the most tokens and money that a call for `texts` may use. Never raises."""

    async def embed(self, texts: Sequence[str]) -> Embedding:
        """Return one vector per text. Raises ModelError, with `free` where the call costs nothing."""


# ---------------------------------------------------------------- files


@dataclass(frozen=True, slots=True)
class Revision:
    """One committed change of one file; `blob` is None when the file was deleted."""

    id: int
    task_id: int
    path: str
    blob: str | None
    agent: str
    step: str
    at: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Merge:
    """Result of a three-way merge: the merged blob, or with `conflict` the text with conflict markers."""

    blob: str
    conflict: bool


@dataclass(frozen=True, slots=True)
class BlameLine:
    """Who wrote line `number` (from 1) of a file, and in which step."""

    number: int
    agent: str
    step: str
    revision: int
    text: str


class Workspace(Protocol):
    """Content-addressed files of tasks with a git history.

    What is current is decided by the store (tables `files`, `revisions`), in the transaction of the
    step. The workspace keeps the bytes (written before that transaction, a repeat is harmless) and
    projects the committed revisions, in id order, into one bare git repository a task.
    All methods are safe to call from many coroutines at once and may run in threads inside.
    """

    async def put(self, task_id: int, content: bytes) -> str:
        """Store bytes. Return the blob id (hex). Raises Invalid over the size limit."""

    async def put_many(self, task_id: int, contents: Sequence[bytes]) -> list[str]:
        """Store many blobs with one flush to disk. Return their blob ids in order. Raises Invalid."""

    async def get(self, task_id: int, blob: str) -> bytes:
        """Return the bytes of a blob. Raises NotFound."""

    async def get_many(self, task_id: int, blobs: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of each blob in order, None for one that is not stored or damaged."""

    async def merge(self, task_id: int, base: str | None, ours: str, theirs: str, *, path: str = "") -> Merge:
        """Merge blobs three-way (`base` None: both added). Binary files always conflict (ours kept).

        `path`: tables are merged by rows, which may be beside each other.
        """

    async def record(self, task_id: int, revisions: Sequence[Revision]) -> None:
        """Append committed revisions (ascending ids) to the git history; known ids are skipped."""

    async def recorded(self, task_id: int) -> int:
        """Return the highest revision id in the git history, 0 for none."""

    async def history(self, task_id: int, path: str, limit: int = 50) -> list[Revision]:
        """Return the revisions of one file, newest first. Raises NotFound."""

    async def blame(self, task_id: int, path: str) -> list[BlameLine]:
        """Return the blame of the newest recorded text. Raises NotFound, Invalid for binary files."""

    async def export_bundle(self, task_id: int, target: Path) -> None:
        """Write a git bundle of the history to `target`. Raises NotFound when nothing is recorded."""

    async def drop(self, task_id: int) -> None:
        """Delete the task's repository."""


# ---------------------------------------------------------------- running code


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A program to run in a throw-away copy of `files` (path -> content).

    `guarded`: the standard library and the packages come before the files on the import path. `packages`: a
    folder of further packages, which the program may read and import.
    """

    argv: tuple[str, ...]
    files: Mapping[str, bytes]
    stdin: bytes = b""
    timeout_s: float = 30.0
    guarded: bool = False
    packages: Path | None = None


@dataclass(frozen=True, slots=True)
class RunnerReport:
    """What a test runner itself said at its end, over a channel of its own; `altered`: its functions, and
    tests, that code in its process had replaced by then.

    `steered`: (path, hook) of files of the task that decide with it what runs and how that ends; `ran`: how
    many different tests of each file ran and raised nothing.
    """

    runner: str
    collected: int
    passed: int
    failed: int
    skipped: int
    altered: tuple[str, ...] = ()
    steered: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    ran: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run. `ended`: why it ended ("closed": whoever had opened it ended it); `changed`: files
    added or changed, with their content.

    `tests`: of a guarded run that calls a test runner directly; such a run has the exit code 0 only when the
    runner itself said at its end that nothing failed.
    """

    exit_code: int
    output: str
    ended: Literal["exit", "timeout", "memory", "output", "files", "killed", "closed"] = "exit"
    truncated: bool = False
    seconds: float = 0.0
    changed: Mapping[str, bytes] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    tests: RunnerReport | None = None


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """Whether code can be contained here: `mechanism` (such as bubblewrap), or "" with `reason` and the fix.

    `packages`: importable beyond the standard library; a run takes up to `files` files of `size` bytes.
    `bound`: what bounds the memory of all runs together, in words.
    """

    available: bool
    mechanism: str
    reason: str = ""
    packages: tuple[str, ...] = ()
    files: int = 10_000
    size: int = 256 * 1024 * 1024
    bound: str = ""


class SandboxSession(Protocol):
    """A running program that reads input until it exits or is closed."""

    async def send(self, text: str, wait_s: float = 2.0) -> RunResult:
        """Write text to its input. Return the new output once it is quiet, has exited, or `wait_s` has
        passed.

        While it runs `exit_code` is -1 and `ended` "exit".
        """

    async def close(self) -> RunResult:
        """Kill the process tree. Return the rest of the output and the changed files. Repeatable."""


class Sandbox(Protocol):
    """Runs untrusted code; never unsandboxed, never silently weaker."""

    def status(self) -> SandboxStatus:
        """Return what contains code on this machine; probed once."""

    async def run(self, request: RunRequest) -> RunResult:
        """Run a program to its end. Raises NotConfigured without containment, Invalid for bad argv or
        files."""

    async def open(self, request: RunRequest) -> tuple[SandboxSession, RunResult]:
        """Start a program that stays open. Return its session and its first output."""


# ---------------------------------------------------------------- the world outside


@dataclass(frozen=True, slots=True)
class OutsideLimits:
    """Limits of the calls to one server: calls in a task and in an hour, seconds that a call may take, and
    seconds for which a task reuses the result of a call that only reads (0: never)."""

    per_task: int = 300
    per_hour: int = 1_000
    timeout_s: float = 60.0
    reuse_s: float = 60.0


@dataclass(frozen=True, slots=True)
class OutsideTool:
    """A tool of a program or service outside. `name`: what agents call; `tool`: its name at its server.

    `reads_only`: it changes nothing outside. `repeatable`: a repeat has no further effect. `open_world`: its
    arguments may travel to anybody. All are what the server or the operator says. `known_addresses`: it is
    never called with an address that nobody gave the task. `policies`: by role; a role without one may not
    call it. `spaces`: the servers of people where it exists, None for all. `parameters` are in the common
    keywords.
    """

    name: str
    server: str
    tool: str
    description: str
    parameters: JsonObject
    policies: Mapping[AgentRole, Policy]
    reads_only: bool = False
    repeatable: bool = False
    open_world: bool = True
    known_addresses: bool = False
    spaces: frozenset[str] | None = None
    price_micros: int = 0
    limits: OutsideLimits = OutsideLimits()


@dataclass(frozen=True, slots=True)
class OutsideAnswer:
    """What a tool answered, foreign text. `failed`: the tool says that it could not do it.

    `addresses`: where the text comes from, as the answer names it. `links`: normalised addresses that the
    task may read from now on, since a search or a page (`basis`) gave them.
    """

    text: str
    failed: bool = False
    addresses: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    basis: AddressBasis = "page"


ServerCondition = Literal["starting", "ready", "down", "needs_sign_in", "wrong"]


@dataclass(frozen=True, slots=True)
class ServerState:
    """The state of one server. `detail`: why it is not ready and what to do; without secrets.

    `signs_in`: a person can sign in to it now; `signed_in`: one did. `spaces`: the servers of people
    where it exists, None for all.
    """

    name: str
    condition: ServerCondition
    detail: str = ""
    tools: int = 0
    signs_in: bool = False
    spaces: frozenset[str] | None = None
    signed_in: bool = False


@dataclass(frozen=True, slots=True)
class SignInLink:
    """Where a person signs in to a server: the address, its host, and for how many seconds it is good."""

    server: str
    address: str
    host: str
    seconds: float


class OutsideServers(Protocol):
    """Programs and services outside, with the tools that agents may call."""

    def tools(self) -> Sequence[OutsideTool]:
        """Return the tools, those of a server that is down as it last named them. Fast, from any thread."""

    def states(self) -> Sequence[ServerState]:
        """Return the state of each server."""

    async def call(self, tool: OutsideTool, arguments: JsonObject) -> OutsideAnswer:
        """Call a tool once. Raises NotSent when nothing reached it, Unanswered when it may have acted."""

    async def start(self) -> None:
        """Start the servers in the background; a server that does not start is retried."""

    async def close(self) -> None:
        """Stop them all and leave no process behind. Repeatable."""


Record = Callable[[Connection], None]
"""What adds a decision to the audit trail, in the transaction that carries it out."""


@runtime_checkable
class SignsIn(Protocol):
    """Servers outside to which a person can sign in."""

    async def begin_sign_in(
        self, server: str, by: str, may: Callable[[], Awaitable[bool]], record: Record
    ) -> SignInLink:
        """Return the link by which the person `by` signs in to a server. `may`: whether they still may, asked
        when they come back. `record` is done in the transaction that keeps what the sign-in gives. Raises
        Invalid, WrongState."""

    async def finish_sign_in(self, address: str, by: str) -> str:
        """End a sign-in with the address that `by` was sent to. Return its server.

        Raises Invalid, WrongState."""

    async def sign_out(self, server: str, record: Record) -> None:
        """Forget what a sign-in at one of these servers gave, in all processes, and do `record` in the same
        transaction."""


class Packages(Protocol):
    """Python packages for programs. Fetched as wheels by the host, which builds and executes nothing of
    them."""

    async def fetch(self, wanted: Sequence[str], pins: Sequence[Pin]) -> tuple[Pin, ...]:
        """Fetch packages and all they need, in versions that fit those of `pins`. Return the new pins.

        A repeat is harmless. Raises Invalid with one sentence and the next step.
        """

    async def site(self, pins: Sequence[Pin]) -> Path:
        """Return the folder with exactly these packages; what is missing is fetched again by its hash.

        Raises Invalid when that is not possible.
        """


# ---------------------------------------------------------------- running turns


@dataclass(frozen=True, slots=True)
class Wake:
    """An agent that may have work; lower `priority` goes first within fairness between tasks."""

    agent_id: int
    task_id: int
    priority: int = 5


Enlist = Callable[[Connection, Sequence[Wake]], Sequence[Wake]]
"""`Dispatcher.enlist`."""


class Dispatcher(Protocol):
    """Starts turns of woken agents, at least one per wake-up, one turn per agent at a time.

    Correctness never depends on it: unread messages in the store decide which agents have work.
    """

    async def start(self, run_turn: Callable[[int], Awaitable[None]]) -> None:
        """Start to call `run_turn(agent_id)` for woken agents."""

    def enlist(self, connection: Connection, wakes: Sequence[Wake]) -> Sequence[Wake]:
        """Add wake-ups to the transaction that gave agents work, if possible. Return those that are left for
        `wake` after the commit."""

    def wake(self, wakes: Sequence[Wake]) -> None:
        """Queue agents that may have work. Called after a commit, outside any transaction."""

    def crowded(self) -> bool:
        """Return whether other agents wait for a slot; then an agent with messages left goes to the back."""

    async def stop(self, drain: bool = True) -> None:
        """Start no new turns; with `drain` let running ones reach their next commit, else cancel them."""


class StartRight(Protocol):
    """The right to start tasks; checked before each run that the schedule starts. Never raises."""

    async def why_not(self, by: str, space: str, limits: Limits, model: str = "") -> str | None:
        """Return why `by` may not start a task with such `limits` in `space`; "" when they may.

        `model` is the one the task names, "" for the usual ones.

        None: unknown at the moment; the run waits and the check is repeated.
        """


class Clock(Protocol):
    """Time; passed in, so that rules stay pure and tests need not wait."""

    def now(self) -> float:
        """Return the Unix time in seconds."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


# ---------------------------------------------------------------- the database


class Database(Protocol):
    """Transactions on the database that engine and bot share; each side touches only its own tables.

    Functions are synchronous, get a SQLAlchemy Core connection and run off the event loop. They may be
    run again after a rollback, so they must have no effect except through the connection.
    """

    @property
    def url(self) -> str:
        """Return the SQLAlchemy URL, which begins with the dialect."""

    @property
    def trouble(self) -> str:
        """Return why nothing can be stored now and what to do; "" when all is well."""

    def report_full(self) -> None:
        """Report that writing a file outside the database failed because the disk is full."""

    async def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Run `work` in a transaction that is durable when this returns. Errors roll back only this work.

        Without `durable` a power failure may lose it, but never it alone while a later write survives.
        """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a read transaction on a consistent snapshot.

        Commits of others may be seen before they are on the disk, where a crash still loses them.
        """

    async def read_durable(self, work: Callable[[Connection], T]) -> T:
        """See `read`; returns once all that was read is on the disk, so that it can be passed on."""

    async def close(self) -> None:
        """Finish the queued work and close all connections."""
