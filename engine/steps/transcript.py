"""JSON columns of a step's row: the messages it read and the calls it made."""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain.effects import CallRecord
from engine.domain.outcomes import outcome_json, settled
from engine.domain.state import InboxMessage, SummaryLine
from engine.steps.unit_of_work import UnitOfWork
from engine.store.core import dumps


def messages_json(messages: Sequence[InboxMessage]) -> str:
    """Return the JSON of the messages that a step consumed."""
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


def calls_json(calls: Sequence[CallRecord], unit: UnitOfWork) -> str:
    """Return the JSON of a step's calls, with the ids that its commit assigned."""
    return dumps(
        [
            (c.id, c.name, c.arguments, unit.fill(c.result), outcome_json(settled(c.outcome, unit.ids)))
            for c in calls
        ]
    )


def summary_json(summary: Sequence[SummaryLine]) -> str:
    """Return the JSON of a summary."""
    return dumps([(line.text, line.by_person) for line in summary])
