"""Read the JSON of a step: the messages it consumed and the calls it made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

from engine.domain.outcomes import outcome_of
from engine.domain.state import InboxMessage, PastCall, PastStep, Rest, SummaryLine, Unseen
from engine.ports import ToolCall
from engine.store.core import dumps, loads
from engine.store.prepared import FetchedRow

REMEMBERED_STEPS, REMEMBERED_CHARS = 2_048, 4_096
"""Steps that are kept as they were read, and the most characters of one: each step of a turn reads the same
past again. About 16 MB of memory at most, their JSON included."""


def unread(row: FetchedRow) -> InboxMessage:
    """Convert a row of the inbox to a message."""
    return InboxMessage(
        row.id,
        row.from_kind,
        row.from_name,
        row.text,
        row.ref,
        row.priority,
        bool(row.wakes),
        row.about,
        row.about_id,
    )


def _message(stored: dict[str, Any]) -> InboxMessage:
    return InboxMessage(
        id=stored["id"],
        from_kind=stored["kind"],
        from_name=stored["name"],
        text=stored["text"],
        ref=stored["ref"],
        priority=stored["priority"],
        wakes=stored["waits"],
        about=stored["about"],
        about_id=stored["about_id"],
    )


def past_calls(stored: str) -> tuple[PastCall, ...]:
    """Return stored calls; calls of older versions have no outcome."""
    return tuple(
        PastCall(number, name, arguments, result, outcome_of(outcome[0]) if outcome else None)
        for number, name, arguments, result, *outcome in loads(stored)
    )


def past_messages(stored: str) -> tuple[InboxMessage, ...]:
    """Return the messages that a stored step consumed."""
    return tuple(_message(each) for each in loads(stored))


def past_step(row: FetchedRow) -> PastStep:
    """Return a stored step as it is replayed to the model."""
    stored = (row.step, row.input, row.said, row.calls_json, row.messages_json, row.kept)
    small = sum(len(text) for text in stored[1:]) <= REMEMBERED_CHARS
    return _known_step(*stored) if small else _read_step(*stored)


def _read_step(step: int, given: str, said: str, calls: str, messages: str, kept: str) -> PastStep:
    return PastStep(step, given, said, past_calls(calls), past_messages(messages), kept)


_known_step = lru_cache(REMEMBERED_STEPS)(_read_step)


def past_answers(rows: Iterable[FetchedRow]) -> tuple[PastStep, ...]:
    """Return stored steps, oldest first; the parts of one answer are one step, numbered as the last part."""
    made: list[PastStep] = []
    for row in rows:
        step = past_step(row)
        if row.continues and made:
            made[-1] = replace(made[-1], step=step.step, calls=made[-1].calls + step.calls)
        else:
            made.append(step)
    return tuple(made)


def rest_json(rest: Rest | None) -> str:
    """Return the JSON of the calls that are still to be run, "" for none."""
    return "" if rest is None else dumps(asdict(rest))


def rest_of(stored: str) -> Rest | None:
    """Return the stored calls that are still to be run, None without any."""
    if not stored:
        return None
    values = loads(stored)
    calls = tuple(ToolCall(**call) for call in values["calls"])
    unseen = tuple(Unseen(**each) for each in values.get("unseen", ()))
    return Rest(**{**values, "calls": calls, "unseen": unseen})


def past_summary(stored: str) -> tuple[SummaryLine, ...]:
    """Return a stored summary."""
    return tuple(SummaryLine(text, by_person) for text, by_person in loads(stored))
