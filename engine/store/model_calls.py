"""Model calls under way, as whoever makes them wrote them down lately, and how long steps take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.models import DEMONSTRATION
from engine.ports import Written
from engine.queries import ModelCallView
from engine.store.core import AGENTS, MODEL_CALLS, STEPS, TASKS, AnyRow

EARLIER_TASKS = 5
NEWEST_STEPS = 51
LEAST_STEPS = 2
"""Steps from which a usual time is told."""


@dataclass(frozen=True, slots=True)
class NotedCall:
    """The state of one agent's call at `at`; `written` is None while it waits for its turn."""

    agent_id: int
    task_id: int
    step: int
    began_at: float
    at: float
    written: Written | None


def note_calls(connection: Connection, calls: Sequence[NotedCall]) -> None:
    """Write down the calls, each in place of what is noted of its agent."""
    noted = [call.agent_id for call in calls]
    connection.execute(MODEL_CALLS.delete().where(MODEL_CALLS.c.agent_id.in_(noted)))
    connection.execute(MODEL_CALLS.insert(), [_row(call) for call in calls])


def _row(call: NotedCall) -> dict[str, object]:
    own = {name: getattr(call, name) for name in ("agent_id", "task_id", "step", "began_at", "at")}
    return {**own, "sent": call.written is not None, **asdict(call.written or Written())}


def note_sent(connection: Connection, agent_id: int, call: str) -> bool:
    """Note that an agent's call may be sent from now on. Return False where another call took its place."""
    mine = sa.and_(AGENTS.c.id == agent_id, AGENTS.c.call.in_(("", call)))
    return connection.execute(AGENTS.update().where(mine).values(call=call)).rowcount == 1


def note_waiting(connection: Connection, calls: Mapping[int, str]) -> None:
    """Note by agent that these calls were not sent: they wait for their turn."""
    mine = sa.and_(AGENTS.c.id.in_(sorted(calls)), AGENTS.c.call.in_(list(calls.values())))
    connection.execute(AGENTS.update().where(mine).values(call=""))


_under_way = (
    sa.select(MODEL_CALLS)
    .join(AGENTS, sa.and_(AGENTS.c.id == MODEL_CALLS.c.agent_id, AGENTS.c.fence + 1 == MODEL_CALLS.c.step))
    .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
    .where(
        AGENTS.c.status == "active",
        sa.or_(TASKS.c.state == "running", sa.and_(TASKS.c.state == "paused", AGENTS.c.call != "")),
    )
    .order_by(MODEL_CALLS.c.agent_id)
)


def calls_under_way(connection: Connection, task_id: int | None) -> list[ModelCallView]:
    """Return the noted calls of a task, None for all tasks, that no commit has followed."""
    query = _under_way if task_id is None else _under_way.where(MODEL_CALLS.c.task_id == task_id)
    return [_view(row) for row in connection.execute(query)]


def _view(row: AnyRow) -> ModelCallView:
    written = Written(row.tokens, row.read, row.tool, row.path, row.lines, row.words)
    return ModelCallView(row.task_id, row.agent_id, row.began_at, row.at, bool(row.sent), written)


def usual_seconds(connection: Connection, task_id: int) -> float | None:
    """Return the median time of the newest steps that asked a model, in a task and those before it in its
    space; None while there are too few."""
    space = sa.select(TASKS.c.space).where(TASKS.c.id == task_id).scalar_subquery()
    tasks = (
        sa.select(TASKS.c.id)
        .where(TASKS.c.space == space, TASKS.c.id <= task_id, TASKS.c.model != DEMONSTRATION)
        .order_by(TASKS.c.id.desc())
        .limit(EARLIER_TASKS)
    )
    steps = (
        sa.select((STEPS.c.ended_at - STEPS.c.started_at).label("seconds"))
        .where(STEPS.c.task_id.in_(tasks), STEPS.c.completion_tokens > 0)
        .order_by(STEPS.c.id.desc())
        .limit(NEWEST_STEPS)
    )
    seconds = list(connection.execute(steps).scalars())
    return median(seconds) if len(seconds) >= LEAST_STEPS else None
