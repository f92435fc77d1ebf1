"""What was really run in a task, in the engine's own words: it stands under every report."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.offer import MORE_INPUT
from engine.events import CodeRan, FileWritten
from engine.store.core import EVENTS, loads

SHOWN = 5
LINE = 140
_KINDS = (CodeRan.__name__, FileWritten.__name__)


def run_section(connection: Connection, task_id: int) -> str:
    """The newest run of each command (the last five), with how it ended and the last it said.

    A run older than the newest change of a file is named so. Empty when nothing was run.
    """
    query = sa.select(EVENTS.c.kind, EVENTS.c.payload_json).where(
        EVENTS.c.task_id == task_id, EVENTS.c.kind.in_(_KINDS)
    )
    newest: dict[str, str] = {}
    old: set[str] = set()
    for row in connection.execute(query.order_by(EVENTS.c.seq)):
        if row.kind == FileWritten.__name__:
            old = set(newest)
            continue
        ran = loads(row.payload_json)
        newest.pop(ran["command"], None)
        newest[ran["command"]] = _line(ran["exit_code"], ran["ended"], ran["output"])
        old.discard(ran["command"])
    lines = [
        f"- {command}: {told}{' (before the last change of the files)' if command in old else ''}"
        for command, told in list(newest.items())[-SHOWN:]
    ]
    return "\n".join(["What was run, as the engine saw it:", *lines]) if lines else ""


def _line(exit_code: int, ended: str, output: str) -> str:
    how = f"exit code {exit_code}" if ended == "exit" else f"stopped ({ended})"
    if MORE_INPUT in output:
        return f"{how}: it asked for more than was typed in"
    last = output.strip().splitlines()[-1:]
    return f"{how}; last line: {last[0].strip()[:LINE]}" if last else f"{how}, no output"
