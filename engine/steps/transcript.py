"""The JSON of a step's row: the messages it read and the calls it made, as they are written and read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.domain.effects import CallRecord
from engine.domain.outcomes import outcome_json, outcome_of, settled
from engine.domain.state import InboxMessage, PastCall, PastStep, SummaryLine
from engine.steps.unit_of_work import UnitOfWork
from engine.store.core import dumps, loads
from engine.store.prepared import FetchedRow


def messages_json(messages: Sequence[InboxMessage]) -> str:
    """Return the messages that a step consumed, as stored with it."""
    return dumps(
        [
            {
                "id": m.id,
                "kind": m.from_kind,
                "name": m.from_name,
                "text": m.text,
                "ref": m.ref,
                "priority": m.priority,
                "waits": m.wakes,
                "about": m.about,
                "about_id": m.about_id,
            }
            for m in messages
        ]
    )


def unread(row: FetchedRow) -> InboxMessage:
    """Return a row of the inbox as the step under way reads it."""
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


def calls_json(calls: Sequence[CallRecord], unit: UnitOfWork) -> str:
    """Return a step's calls, with the ids that its commit gave."""
    return dumps(
        [
            (c.id, c.name, c.arguments, unit.fill(c.result), outcome_json(settled(c.outcome, unit.ids)))
            for c in calls
        ]
    )


def past_calls(stored: str) -> tuple[PastCall, ...]:
    """Return stored calls. Of those that older versions made no outcome is known."""
    return tuple(
        PastCall(number, name, arguments, result, outcome_of(outcome[0]) if outcome else None)
        for number, name, arguments, result, *outcome in loads(stored)
    )


def past_messages(stored: str) -> tuple[InboxMessage, ...]:
    """Return the messages that a stored step consumed."""
    return tuple(_message(each) for each in loads(stored))


def past_step(row: FetchedRow) -> PastStep:
    """Return a stored step as it is replayed to the model."""
    messages = past_messages(row.messages_json)
    return PastStep(row.step, row.input, row.said, past_calls(row.calls_json), messages, row.kept)


def summary_json(summary: Sequence[SummaryLine]) -> str:
    """Return what is stored of a summary."""
    return dumps([(line.text, line.by_person) for line in summary])


def past_summary(stored: str) -> tuple[SummaryLine, ...]:
    """Return a stored summary."""
    return tuple(SummaryLine(text, by_person) for text, by_person in loads(stored))
