"""What a tool call came to, as data beside the text that its model reads.

Whatever the engine decides later about a call, it decides by its outcome: the text may be worded anew at any
time. Stored with the call in the step's transcript as a JSON object `{"kind": ...}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

SlotKind = Literal["agent", "assignment", "revision"]
RefusalKind = Literal[
    "malformed", "not_allowed", "unread", "conflict", "missing", "check_failed", "unavailable", "failed"
]
"""Why a call was not done: it could not be understood, the rules or the state of the task forbid it, a file
was not read first, it was changed in the same lines, something named does not exist, a check ended badly,
something needed is not there on this machine, it broke inside."""


@dataclass(frozen=True, slots=True)
class Slot:
    """In place of an id or a name that exists only after the step's commit."""

    kind: SlotKind
    number: int


Number = int | Slot
Name = str | Slot


@dataclass(frozen=True, slots=True)
class Done:
    """It was done, and nothing later depends on how."""


@dataclass(frozen=True, slots=True)
class Joined:
    """These agents joined the caller's group, under these names."""

    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Assigned:
    """Work was given to a member."""

    assignment: Number
    to: Name


@dataclass(frozen=True, slots=True)
class Submitted:
    """An assignment was handed in. `checked`: its check was a test runner that said so itself ("tests", of
    which `passed` passed), or a program of which nothing but its exit code 0 is known ("exit").
    `own`: it loaded files that the one who submits wrote last, which run in its process."""

    assignment: int
    checked: Literal["", "tests", "exit"] = ""
    passed: int = 0
    own: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A submission was judged by its giver."""

    assignment: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """The auditor gave its verdict."""

    accepted: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """The boss said that the goal is met; `audited`: an auditor judges it first."""

    audited: bool


@dataclass(frozen=True, slots=True)
class Ran:
    """A program ran to its end (`ended`: exit, or the limit that stopped it). `asked_on`: it only asked for
    more input than it was given."""

    exit_code: int
    ended: str
    asked_on: bool = False

    @property
    def well(self) -> bool:
        """Whether it ended well, or only asked on, which is no fault of its own."""
        return self.asked_on or (self.ended == "exit" and self.exit_code == 0)


@dataclass(frozen=True, slots=True)
class Running:
    """A program was started or typed into, and goes on."""


@dataclass(frozen=True, slots=True)
class Read:
    """A file was shown as of `revision` (None: as this step left it), `whole` or in part."""

    path: str
    revision: int | None
    whole: bool


@dataclass(frozen=True, slots=True)
class Wrote:
    """A file has the content that the caller gave; None: staged earlier in the same step."""

    path: str
    revision: Number | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was done."""

    why: RefusalKind


Outcome = (
    Done
    | Joined
    | Assigned
    | Submitted
    | Reviewed
    | Judged
    | Finished
    | Ran
    | Running
    | Read
    | Wrote
    | Refused
)

_KINDS: dict[str, type[Any]] = {
    "done": Done,
    "joined": Joined,
    "assigned": Assigned,
    "submitted": Submitted,
    "reviewed": Reviewed,
    "judged": Judged,
    "finished": Finished,
    "ran": Ran,
    "running": Running,
    "read": Read,
    "wrote": Wrote,
    "refused": Refused,
}
_NAMES = {cls: name for name, cls in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gives back: `text` for the model, `outcome` for the engine. `steady` is compared with
    earlier results to find repeated calls, where the text holds what changes each time (such as seconds)."""

    text: str
    outcome: Outcome = Done()
    steady: str | None = None


def settled(outcome: Outcome | None, ids: Mapping[Slot, int | str]) -> Outcome | None:
    """Return the outcome with the ids that a commit gave; None when an effect of it was not applied."""
    if outcome is None:
        return None
    changed: dict[str, Any] = {}
    for each in fields(outcome):
        value = getattr(outcome, each.name)
        parts = value if isinstance(value, tuple) else (value,)
        slots = [part for part in parts if isinstance(part, Slot)]
        if any(slot not in ids for slot in slots):
            return None
        if slots:
            known = tuple(ids[part] if isinstance(part, Slot) else part for part in parts)
            changed[each.name] = known if isinstance(value, tuple) else known[0]
    return replace(outcome, **changed) if changed else outcome


def outcome_json(outcome: Outcome | None) -> dict[str, Any] | None:
    """Return what is stored of a settled outcome; None: nothing is known of it."""
    return None if outcome is None else {"kind": _NAMES[type(outcome)], **asdict(outcome)}


def outcome_of(stored: Mapping[str, Any] | None) -> Outcome | None:
    """Return a stored outcome; None for calls of older versions, and for kinds of newer ones."""
    cls = _KINDS.get(str(stored["kind"])) if stored else None
    if cls is None or stored is None:
        return None
    names = {each.name for each in fields(cls)}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items() if k in names}
    made: Outcome = cls(**values)
    return made
