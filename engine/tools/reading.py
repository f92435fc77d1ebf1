"""What an auditor was shown of the documents it accepts, by the outcomes of its calls."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.outcomes import Read
from engine.domain.reading import MOST, Unread, is_document, refusal, unread_of
from engine.store.core import STEPS, TASKS, AnyRow, loads
from engine.store.transcript import past_calls
from engine.tools.base import ToolContext, ToolRefused
from engine.tools.files import current_files
from engine.tools.read import MAX_READ
from engine.workspace.blame import split_lines

Seen = dict[tuple[str, int], set[int]]
"""Line numbers that were shown, by path and revision."""


async def check_read(context: ToolContext) -> None:
    """Check that the agent was shown the documents among the deliverables to their end (all documents where
    none is named). Raises ToolRefused with what is left.

    Only earlier answers count: a read in the same answer came too late to judge by.
    """
    documents = await context.db.read(lambda c: _documents(c, context.task.id))
    if not documents:
        return
    begun = context.agent.rest is not None
    seen = await context.db.read(lambda c: _seen(c, context.agent.id, begun=begun))
    with_this = await context.db.read(lambda c: _seen(c, context.agent.id, begun=False))
    for read in context.read_now:
        _add(with_this, read)
    unread: list[Unread] = []
    late: list[str] = []
    room = MOST
    for row in documents:
        text = await _text(context, row.blob)
        if text and room > 0:
            key, lines = (row.path, row.revision), split_lines(text)
            left = unread_of(row.path, lines, with_this.get(key, set()), room, MAX_READ)
            unread += [left] if left else []
            if not left and unread_of(row.path, lines, seen.get(key, set()), room, MAX_READ):
                late.append(row.path)
            room -= len(text)
    if unread or late:
        raise ToolRefused(refusal(unread, late), "unread")


def _documents(connection: Connection, task_id: int) -> list[AnyRow]:
    stored = connection.execute(
        sa.select(TASKS.c.deliverables_json).where(TASKS.c.id == task_id)
    ).scalar_one()
    named = set(loads(stored))
    rows = [row for row in current_files(connection, task_id) if is_document(row.path)]
    return [row for row in rows if row.path in named] if named else rows


def _seen(connection: Connection, agent_id: int, *, begun: bool) -> Seen:
    """Return what the model was shown; not by the answer that it is giving, of which parts are committed
    already when it has `begun` earlier."""
    query = sa.select(STEPS.c.calls_json).where(STEPS.c.agent_id == agent_id)
    if begun:
        asked = sa.and_(STEPS.c.agent_id == agent_id, STEPS.c.model != "")
        query = query.where(
            STEPS.c.step < sa.select(sa.func.max(STEPS.c.step)).where(asked).scalar_subquery()
        )
    seen: Seen = {}
    for stored in connection.execute(query).scalars():
        for call in past_calls(stored):
            if isinstance(call.outcome, Read):
                _add(seen, call.outcome)
    return seen


def _add(seen: Seen, read: Read) -> None:
    if read.revision is not None and read.lines is not None:
        shown = seen.setdefault((read.path, read.revision), set())
        shown.update(range(read.lines[0], read.lines[1] + 1))


async def _text(context: ToolContext, blob: str) -> str:
    """Return a text, "" for what nobody can read as one."""
    try:
        return (await context.workspace.get(context.task.id, blob)).decode("utf-8")
    except UnicodeDecodeError:
        return ""
