"""What an agent had read from outside when it spoke: its sources, as data beside its words."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.outcomes import Consulted
from engine.domain.outside import Source, sources_at
from engine.domain.state import StepFacts
from engine.store.core import OUTSIDE_CALLS, loads

MOST = 20


def sources_of_turn(connection: Connection, facts: StepFacts) -> tuple[Source, ...]:
    """Return what the agent read from outside in the steps of its turn so far and in its new messages.

    What it calls in this step is not among it: its words were written before the answers came.
    """
    before = facts.agent.fence - facts.agent.turn_steps if facts.agent.in_turn else facts.agent.fence
    turn = [step for step in facts.past if step.step > before]
    found: list[Source] = []
    for step in turn:
        for call in step.calls:
            if isinstance(call.outcome, Consulted) and not call.outcome.failed:
                found += sources_at(call.outcome.server, call.outcome.tool, call.outcome.addresses)
    messages = [*(m for step in turn for m in step.messages), *facts.inbox]
    told = [m.about_id for m in messages if m.about == "outside" and m.about_id is not None]
    return tuple(dict.fromkeys([*found, *_sources_of_calls(connection, told)]))[:MOST]


def _sources_of_calls(connection: Connection, ids: list[int]) -> list[Source]:
    """Return the sources of calls whose answers came as messages."""
    if not ids:
        return []
    query = (
        sa.select(OUTSIDE_CALLS.c.server, OUTSIDE_CALLS.c.tool, OUTSIDE_CALLS.c.addresses_json)
        .where(OUTSIDE_CALLS.c.id.in_(ids), OUTSIDE_CALLS.c.state == "done", ~OUTSIDE_CALLS.c.failed)
        .order_by(OUTSIDE_CALLS.c.id)
    )
    rows = connection.execute(query).all()
    return [one for row in rows for one in sources_at(row.server, row.tool, loads(row.addresses_json))]
