"""Read from a task's events what its timeline shows beside work: questions, audits and pauses (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from engine import events as e
from engine.domain.gates import GateBasis, GateKind

MomentKind = Literal["question", "audit", "pause", "break"]
"""A question to people, an audit, a pause of the task or of an agent, the time between its end and its
continuation."""

SHOWN: tuple[type[Any], ...] = (
    e.GateRaised,
    e.GateClosed,
    e.AgentSpoke,
    e.AuditBegun,
    e.Audited,
    e.TaskChanged,
    e.TaskContinued,
    e.TaskEnded,
    e.AgentChanged,
    e.AgentLeft,
)
"""The events that moments are read from."""

Key = tuple[MomentKind, int]


@dataclass(frozen=True, slots=True)
class Moment:
    """One period; `end` is None while it lasts. `name`, `agent_id`: the agent that asks, judges or is paused.

    `asked` is the kind of a question and `basis` why it is closed; a message that asks is closed with its
    own post, for nothing says which words answer it. `verdict`: "" while an audit has none.
    """

    kind: MomentKind
    start: float
    end: float | None = None
    agent_id: int | None = None
    name: str = ""
    asked: GateKind | None = None
    basis: GateBasis | None = None
    verdict: Literal["", "accepted", "rejected", "ran"] = ""


def moments_of(events: Sequence[e.Event]) -> tuple[Moment, ...]:
    """Return the moments of one task, in the order in which they began."""
    reader = _Reader()
    for event in events:
        take = _TAKES.get(type(event.body))
        if take is not None:
            take(reader, event.body, event.at)
    reader.open.pop(_BREAK, None)  # the end of the task, unless it was continued
    return tuple(sorted([*reader.closed, *reader.open.values()], key=lambda moment: moment.start))


_AUDIT: Key = ("audit", 0)
_PAUSE: Key = ("pause", 0)
_BREAK: Key = ("break", 0)


class _Reader:
    """Moments that last, by what they are, and those that are over."""

    def __init__(self) -> None:
        self.open: dict[Key, Moment] = {}
        self.closed: list[Moment] = []

    def begin(self, key: Key, moment: Moment) -> None:
        """Note that a moment began; one that lasts already goes on."""
        self.open.setdefault(key, moment)

    def end(self, key: Key, at: float, **changes: Any) -> bool:
        """Note that a moment is over. Return whether it had begun."""
        moment = self.open.pop(key, None)
        if moment is not None:
            self.closed.append(replace(moment, end=at, **changes))
        return moment is not None


def _raised(reader: _Reader, body: e.GateRaised, at: float) -> None:
    asked = Moment("question", at, agent_id=body.agent_id, name=body.name, asked=body.kind)
    reader.begin(("question", body.gate_id), asked)


def _closed(reader: _Reader, body: e.GateClosed, at: float) -> None:
    reader.end(("question", body.gate_id), at, basis=body.basis)


def _spoke(reader: _Reader, body: e.AgentSpoke, at: float) -> None:
    if body.asks:
        reader.closed.append(Moment("question", at, at, body.agent_id, body.name))


def _audit_begun(reader: _Reader, body: e.AuditBegun, at: float) -> None:
    reader.begin(_AUDIT, Moment("audit", at, name=body.auditor))


def _audited(reader: _Reader, body: e.Audited, at: float) -> None:
    by = body.agent_id or None
    if not reader.end(_AUDIT, at, verdict=body.verdict, agent_id=by):
        reader.closed.append(Moment("audit", at, at, by, body.name, verdict=body.verdict))


def _changed(reader: _Reader, body: e.TaskChanged, at: float) -> None:
    if body.state == "paused":
        reader.begin(_PAUSE, Moment("pause", at))
    else:
        reader.end(_PAUSE, at)


def _continued(reader: _Reader, body: e.TaskContinued, at: float) -> None:
    reader.end(_BREAK, at)


def _ended(reader: _Reader, body: e.TaskEnded, at: float) -> None:
    for key in list(reader.open):
        reader.end(key, at)
    reader.begin(_BREAK, Moment("break", at))


def _agent_changed(reader: _Reader, body: e.AgentChanged, at: float) -> None:
    if body.change == "paused":
        reader.begin(("pause", body.agent_id), Moment("pause", at, agent_id=body.agent_id, name=body.name))
    elif body.change == "resumed":
        reader.end(("pause", body.agent_id), at)


def _left(reader: _Reader, body: e.AgentLeft, at: float) -> None:
    reader.end(("pause", body.agent_id), at)


_TAKES: Mapping[type[Any], Callable[[_Reader, Any, float], None]] = {
    e.GateRaised: _raised,
    e.GateClosed: _closed,
    e.AgentSpoke: _spoke,
    e.AuditBegun: _audit_begun,
    e.Audited: _audited,
    e.TaskChanged: _changed,
    e.TaskContinued: _continued,
    e.TaskEnded: _ended,
    e.AgentChanged: _agent_changed,
    e.AgentLeft: _left,
}
