"""Read repeated tasks as the views that people see."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import Limits
from engine.queries import RepeatView
from engine.store.core import REPEATS, AnyRow, loads


def repeat_views(connection: Connection, space: str) -> list[RepeatView]:
    """Return the repeats of a space that have not ended, the next to run first."""
    query = sa.select(REPEATS).where(REPEATS.c.space == space, REPEATS.c.ended_at.is_(None))
    return [_view(row) for row in connection.execute(query.order_by(REPEATS.c.next_at, REPEATS.c.id))]


def _view(row: AnyRow) -> RepeatView:
    return RepeatView(
        id=row.id,
        goal=row.goal,
        space=row.space,
        by=row.by,
        cron=row.cron,
        zone=row.zone,
        limits=Limits(**loads(row.limits_json)),
        next_at=row.next_at,
        last_task_id=row.last_task_id,
        runs=row.runs,
        skipped=row.skipped,
        paused_at=row.paused_at,
        paused_why=row.paused_why,
        model=row.model,
    )
