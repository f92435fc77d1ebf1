"""The engine's ports: every interface to the world outside, with its contract, in one file.

Adapters live in llm/, store/, workspace/, sandbox/ and runtime/; one bootstrap wires them.
Times are seconds (unix time where absolute), money is micro-dollars (1 USD = 1_000_000), sizes bytes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from sqlalchemy import Connection

from engine.commands import Limits

T = TypeVar("T")

JsonObject = Mapping[str, Any]
AgentRole = Literal["boss", "head", "member", "auditor"]

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

    `kept`: on an assistant message what its endpoint wants back, as `ChatAnswer.kept` had it.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the provider counted them; `cached` is the part of `prompt` read from cache.

    `written`: the part of `prompt` that was put into a cache. `estimated`: the provider counted nothing, this
    is the adapter's estimate.
    """

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    written: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One model call. Lower `priority` goes first (0: a person waits for the answer).

    `offer`: names of the `tools` that fit at this moment, None for all of them, () for words alone; the
    embedded model is held to them. `talk`: whether an answer in words alone fits too. `model`: the one its
    task names, "" for the usual one of the role.
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


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """The model's answer; `cost_micros` is None when the model has no known price.

    `guessed`: nobody knows the price, a ceiling stands in. `finish_reason` "length": it was cut at `limit`
    tokens, and the last call may be cut too. `kept`: what the endpoint wants back with this answer, opaque,
    to be stored and sent as it is. `trouble`: why the answer cannot be used as it is, for the model.
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

    @property
    def cut(self) -> bool:
        """Whether the answer ended at its limit, not where the model would have ended it."""
        return self.finish_reason == "length"


@dataclass(frozen=True, slots=True)
class Quote:
    """Upper estimate of what a request may use, reserved before the call."""

    tokens: int
    cost_micros: int


class ChatModel(Protocol):
    """A chat model with tools."""

    def quote(self, request: ChatRequest) -> Quote:
        """Most tokens and money `request` may use. Never raises."""

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Answer `request`. Raises only ModelError subclasses (and CancelledError)."""


class Embedder(Protocol):
    """Turns texts into vectors for recall."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, all of the same length. Raises ModelError."""


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
    """Outcome of a three-way merge: the merged blob, or with `conflict` the text with markers."""

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
        """Store bytes, return the blob id (hex). Raises Invalid over the size limit."""

    async def put_many(self, task_id: int, contents: Sequence[bytes]) -> list[str]:
        """Store many at once, with one wait for the disk -> their blob ids, in order. Raises Invalid."""

    async def get(self, task_id: int, blob: str) -> bytes:
        """Bytes of a blob. Raises NotFound."""

    async def merge(self, task_id: int, base: str | None, ours: str, theirs: str) -> Merge:
        """Three-way merge of blobs (`base` None: both added). Binary files always conflict (ours kept)."""

    async def record(self, task_id: int, revisions: Sequence[Revision]) -> None:
        """Append committed revisions (ascending ids) to the git history; ids already there are skipped."""

    async def recorded(self, task_id: int) -> int:
        """Highest revision id in the git history, 0 for none."""

    async def history(self, task_id: int, path: str, limit: int = 50) -> list[Revision]:
        """Revisions of one file, newest first. Raises NotFound."""

    async def blame(self, task_id: int, path: str) -> list[BlameLine]:
        """Blame of the newest recorded text. Raises NotFound, Invalid for binary files."""

    async def export_bundle(self, task_id: int, target: Path) -> None:
        """Write a git bundle of the history to `target`. Raises NotFound when nothing is recorded."""

    async def drop(self, task_id: int) -> None:
        """Forget the task's repository."""


# ---------------------------------------------------------------- running code


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A program to run in a throw-away copy of `files` (path -> content).

    `guarded`: what Python brings along and the packages come before anything of the files, whatever its name.
    """

    argv: tuple[str, ...]
    files: Mapping[str, bytes]
    stdin: bytes = b""
    timeout_s: float = 30.0
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class RunnerReport:
    """What a test runner itself said at its end, over a channel of its own."""

    runner: str
    collected: int
    passed: int
    failed: int
    skipped: int


@dataclass(frozen=True, slots=True)
class RunResult:
    """What happened. `ended` says why it ended; files are those added, changed (with content), deleted.

    `tests`: of a guarded run that calls a test runner directly; such a run has the exit code 0 only when the
    runner itself said at its end that nothing failed.
    """

    exit_code: int
    output: str
    ended: Literal["exit", "timeout", "memory", "output", "files", "killed"] = "exit"
    truncated: bool = False
    seconds: float = 0.0
    changed: Mapping[str, bytes] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    tests: RunnerReport | None = None


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """Whether code can be contained here: `mechanism` (say, bubblewrap) or "" with `reason` and the fix;
    `packages`: what programs may import beyond Python's own; a run takes `files` files of `size` bytes."""

    available: bool
    mechanism: str
    reason: str = ""
    packages: tuple[str, ...] = ()
    files: int = 10_000
    size: int = 256 * 1024 * 1024


class SandboxSession(Protocol):
    """A program that goes on: reads what is sent, until it exits or is closed."""

    async def send(self, text: str, wait_s: float = 2.0) -> RunResult:
        """Write text to its input; output since last time once it falls quiet, exits, or `wait_s` passed.

        While it runs `exit_code` is -1 and `ended` "exit".
        """

    async def close(self) -> RunResult:
        """Kill the whole tree, return the rest of the output and the changed files. Repeatable."""


class Sandbox(Protocol):
    """Runs code nobody trusts. Never unsandboxed, never silently weaker."""

    def status(self) -> SandboxStatus:
        """What contains code on this machine, probed once."""

    async def run(self, request: RunRequest) -> RunResult:
        """Run to the end. Raises NotConfigured when nothing can contain it, Invalid for bad argv/files."""

    async def open(self, request: RunRequest) -> tuple[SandboxSession, RunResult]:
        """Start a program that goes on; the result holds its first output."""


# ---------------------------------------------------------------- running turns


@dataclass(frozen=True, slots=True)
class Wake:
    """An agent that may have work; lower `priority` goes first within fairness between tasks."""

    agent_id: int
    task_id: int
    priority: int = 5


class Dispatcher(Protocol):
    """Says "agent X may run", at least once per wake-up; one turn per agent at a time.

    Correctness never depends on it: the truth is the unread messages in the store.
    """

    async def start(self, run_turn: Callable[[int], Awaitable[None]]) -> None:
        """Begin to call `run_turn(agent_id)` for woken agents."""

    def enlist(self, connection: Connection, wakes: Sequence[Wake]) -> Sequence[Wake]:
        """Inside the transaction that gave agents work: make their wake-ups part of it, if it can ->
        those left to `wake` after the commit."""

    def wake(self, wakes: Sequence[Wake]) -> None:
        """Agents may have work (called after a commit, outside any transaction)."""

    def crowded(self) -> bool:
        """Whether others wait for a place: an agent whose turn ended with mail left then goes to the back."""

    async def stop(self, drain: bool = True) -> None:
        """Take no new turns; with `drain` let running ones reach their next commit, else cancel."""


class StartRight(Protocol):
    """Who may start tasks; asked before each run that the clock starts. Never raises."""

    async def why_not(self, by: str, space: str, limits: Limits) -> str | None:
        """Why `by` may start none with such `limits` in `space` (any more), in a few words; "" when they may.

        None: it cannot be told now; the run waits and it is asked again.
        """


class Clock(Protocol):
    """Time, passed in so that rules stay pure and tests need not wait."""

    def now(self) -> float:
        """Unix time in seconds."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


# ---------------------------------------------------------------- the database


class Database(Protocol):
    """Transactions on the one database that engine and bot share; each side touches only its own tables.

    Functions are synchronous, get a SQLAlchemy Core connection and run off the event loop. They may be
    run again after a rollback, so they must have no effect but on the connection.
    """

    @property
    def url(self) -> str:
        """SQLAlchemy URL; the dialect is its first word."""

    @property
    def trouble(self) -> str:
        """Why nothing can be stored at the moment and what to do, "" while all is well."""

    def report_full(self) -> None:
        """Say that files beside the database found no room, so that nobody goes on as if there were some."""

    async def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Run `work` in a transaction that is durable when this returns. Errors roll back only this work.

        Without `durable` a power cut may lose it, though never what was written after it and kept.
        """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a read transaction on a consistent snapshot."""

    async def close(self) -> None:
        """Finish what is queued, close all connections."""
