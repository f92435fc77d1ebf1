"""Outcomes of tool calls as data, beside the text that the model reads.

The engine decides by the outcome only, so the text may be reworded at any time. Stored with the call in the
step's transcript as a JSON object `{"kind": ...}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from engine.domain.inconclusive import Want

SlotKind = Literal["agent", "assignment", "revision"]
RefusalKind = Literal[
    "malformed",
    "not_allowed",
    "unread",
    "unseen",
    "conflict",
    "missing",
    "check_failed",
    "unavailable",
    "failed",
]
"""Why a call was refused: it could not be parsed, the rules or the task's state forbid it, a file was not
read first, its author has not seen what went wrong before in the same answer, others changed the same lines,
something does not exist, a check failed, something is missing on this machine, an internal error."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Placeholder for an id or a name that exists only after the step's commit."""

    kind: SlotKind
    number: int


Number = int | Slot
Name = str | Slot


@dataclass(frozen=True, slots=True)
class Done:
    """The call succeeded, and nothing later depends on its result."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Agents joined the caller's group under these names."""

    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Assigned:
    """An assignment was given to a member."""

    assignment: Number
    to: Name


@dataclass(frozen=True, slots=True)
class Submitted:
    """An assignment was submitted. `checked`: its check was a test runner that said so itself ("tests", of
    which `passed` passed), or a program of which nothing but its exit code 0 is known ("exit").
    `own`: it loaded files that the one who submits wrote last, which run in its process; `altered`: files of
    others that it goes by and that were changed since."""

    assignment: int
    checked: Literal["", "tests", "exit"] = ""
    passed: int = 0
    own: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A submission was accepted or rejected by its giver."""

    assignment: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """The auditor gave its verdict."""

    accepted: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """The boss finished the task; `audited`: an auditor judges it first."""

    audited: bool


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The boss's `finish` was refused once, for things that are plainly missing; `paths`: the files
    concerned."""

    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ran:
    """A program ran to its end (`ended`: exit, or the limit that stopped it). `lack`: what it was not given
    and broke for want of, which shows neither that it works nor that it does not; `lacked`: the name of a
    file that it lacked (`engine.domain.inconclusive`)."""

    exit_code: int
    ended: str
    lack: Want = ""
    lacked: str = ""

    @property
    def well(self) -> bool:
        """Return whether it ended without an error."""
        return self.ended == "exit" and self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Running:
    """A program was started or given input, and is still running."""


@dataclass(frozen=True, slots=True)
class Read:
    """A file was read at `revision` (None: as staged by this step), `whole` or in part.

    `lines`: the first and last line shown in full, and how many the file has; None when no line was.
    """

    path: str
    revision: int | None
    whole: bool
    lines: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Wrote:
    """A file was written; `revision` None: it was staged earlier in the same step.

    `whole`: the caller knows all of its content. False after a merge, or an edit of what it had not read.
    """

    path: str
    revision: Number | None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The call was refused and changed nothing. `path`: a file that the refusal showed in full, at
    `revision`."""

    why: RefusalKind
    path: str = ""
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Consulted:
    """A tool of the world outside answered: call `call` of the ledger. `failed`: it says it could not do it.

    `addresses`: where the answer comes from, as it names them.
    """

    call: int
    server: str
    tool: str
    addresses: tuple[str, ...] = ()
    failed: bool = False


Outcome = (
    Consulted
    | Done
    | Joined
    | Assigned
    | Submitted
    | Reviewed
    | Judged
    | Finished
    | Unfinished
    | Ran
    | Running
    | Read
    | Wrote
    | Refused
)

_KINDS: dict[str, type[Any]] = {
    "consulted": Consulted,
    "done": Done,
    "joined": Joined,
    "assigned": Assigned,
    "submitted": Submitted,
    "reviewed": Reviewed,
    "judged": Judged,
    "finished": Finished,
    "unfinished": Unfinished,
    "ran": Ran,
    "running": Running,
    "read": Read,
    "wrote": Wrote,
    "refused": Refused,
}
_NAMES = {cls: name for name, cls in _KINDS.items()}
_FIELDS = {cls: tuple(each.name for each in fields(cls)) for cls in _KINDS.values()}


@dataclass(frozen=True, slots=True)
class ToolResult:
    """Result of a tool: `text` for the model, `outcome` for the engine. `steady`: the text to compare for
    repeated calls, where `text` contains values that always change (such as seconds)."""

    text: str
    outcome: Outcome = Done()
    steady: str | None = None


def settled(outcome: Outcome | None, ids: Mapping[Slot, int | str]) -> Outcome | None:
    """Return the outcome with the ids that the commit assigned; None when one of its effects was not
    applied."""
    if outcome is None:
        return None
    changed: dict[str, Any] = {}
    for name in _FIELDS[type(outcome)]:
        value = getattr(outcome, name)
        parts = value if isinstance(value, tuple) else (value,)
        slots = [part for part in parts if isinstance(part, Slot)]
        if any(slot not in ids for slot in slots):
            return None
        if slots:
            known = tuple(ids[part] if isinstance(part, Slot) else part for part in parts)
            changed[name] = known if isinstance(value, tuple) else known[0]
    return replace(outcome, **changed) if changed else outcome


def outcome_json(outcome: Outcome | None) -> dict[str, Any] | None:
    """Return the JSON-ready form of a settled outcome; None for None."""
    return None if outcome is None else {"kind": _NAMES[type(outcome)], **asdict(outcome)}


def outcome_of(stored: Mapping[str, Any] | None) -> Outcome | None:
    """Return a stored outcome; None for calls of older versions and for unknown kinds of newer ones."""
    cls = _KINDS.get(str(stored["kind"])) if stored else None
    if cls is None or stored is None:
        return None
    names = _FIELDS[cls]
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items() if k in names}
    made: Outcome = cls(**values)
    return made
