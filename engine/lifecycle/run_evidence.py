"""Evidence of runs: what was really run in a task, read from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.account import RunRecord, account_of, newest
from engine.domain.checks import shown, whose
from engine.events import CodeRan, EventBody, FileWritten
from engine.store.core import ASSIGNMENTS, EVENTS, FILES, loads

_KINDS = (CodeRan.__name__, FileWritten.__name__)


def runs_of(connection: Connection, task_id: int, pending: Iterable[EventBody] = ()) -> list[RunRecord]:
    """Return the newest run of each command. `pending`: events of this transaction that are not stored yet.

    `stale` marks runs that depend on a file which was changed later, other than by the run itself; `own`
    names the files of a check that the author of the checked work wrote.
    """
    query = sa.select(EVENTS.c.kind, EVENTS.c.payload_json).where(
        EVENTS.c.task_id == task_id, EVENTS.c.kind.in_(_KINDS)
    )
    checks = _checks(connection, task_id)
    authors: dict[str, str] = {}
    runs: list[RunRecord] = []
    last: dict[int, str] = {}
    stored = [(row.kind, loads(row.payload_json)) for row in connection.execute(query.order_by(EVENTS.c.seq))]
    fresh = [(type(e).__name__, asdict(e)) for e in pending if isinstance(e, CodeRan | FileWritten)]
    for kind, seen in [*stored, *fresh]:
        if kind == CodeRan.__name__:
            check = checks.get((seen["agent_id"], seen["command"]), ())
            own = whose(check, authors, seen["name"])[0]
            runs = newest([*runs, replace(_ran(seen), own=tuple(own))])
            last[seen["agent_id"]] = runs[-1].command
        else:
            _note(authors, seen)
            own_run = last.get(seen["agent_id"]) if seen.get("by_run") else None
            runs = [_after(ran, seen["path"], own_run) for ran in runs]
    return runs


def _after(ran: RunRecord, path: str, own_run: str | None) -> RunRecord:
    """Return the run after a change of `path`, which the run of the command `own_run` made itself."""
    stale = ran.command != own_run and ran.stale_after(path)
    return replace(ran, stale=True) if stale and not ran.stale else ran


def _checks(connection: Connection, task_id: int) -> dict[tuple[int, str], tuple[str, ...]]:
    """Return (assignee, command as shown) -> command of each check given with an assignment."""
    query = sa.select(ASSIGNMENTS.c.assignee_id, ASSIGNMENTS.c.command_json).where(
        ASSIGNMENTS.c.task_id == task_id
    )
    commands = [(assignee, tuple(loads(command))) for assignee, command in connection.execute(query)]
    return {(assignee, shown(command)): command for assignee, command in commands if command}


def _note(authors: dict[str, str], written: Mapping[str, Any]) -> None:
    if written["change"] == "deleted":
        authors.pop(written["path"], None)
    else:
        authors[written["path"]] = written["name"]


def ran_for(connection: Connection, task_id: int, agent_id: int, assignment_id: int) -> bool:
    """Return whether an agent ran anything since an assignment was given, rejected or taken over."""
    since = sa.select(ASSIGNMENTS.c.changed_at).where(ASSIGNMENTS.c.id == assignment_id).scalar_subquery()
    query = sa.select(EVENTS.c.payload_json).where(
        EVENTS.c.task_id == task_id, EVENTS.c.kind == CodeRan.__name__, EVENTS.c.at > since
    )
    return any(loads(payload)["agent_id"] == agent_id for payload in connection.execute(query).scalars())


def last_run(connection: Connection, task_id: int, agent_id: int) -> RunRecord | None:
    """Return the last run of one agent; None when it ran nothing."""
    query = sa.select(EVENTS.c.payload_json).where(
        EVENTS.c.task_id == task_id, EVENTS.c.kind == CodeRan.__name__
    )
    runs = [loads(payload) for payload in connection.execute(query.order_by(EVENTS.c.seq)).scalars()]
    return next((_ran(seen) for seen in reversed(runs) if seen["agent_id"] == agent_id), None)


def _ran(seen: Mapping[str, Any]) -> RunRecord:
    depends = seen.get("depends")
    return RunRecord(
        seen["command"],
        seen["exit_code"],
        seen["ended"],
        seen["output"],
        seen.get("typed", 0),
        by=seen["name"],
        depends=None if depends is None else tuple(depends),
        tests=seen.get("tests", False),
        lack=seen.get("lack", ""),
    )


def account(connection: Connection, task_id: int, pending: Iterable[EventBody] = ()) -> str:
    """Return a report made of the runs and files of a task alone; `pending` as for `runs_of`."""
    there = sa.and_(FILES.c.task_id == task_id, FILES.c.blob.is_not(None))
    files = connection.execute(sa.select(FILES.c.path).where(there).order_by(FILES.c.path)).scalars()
    return account_of(runs_of(connection, task_id, pending), list(files))
