"""messages and outcomes of steps as data

Steps hold the messages they read, calls their outcome, summaries say which lines are a person's. What older
versions left in words is read once, here: of running tasks no words of people are lost when they are summed
up, and small models go on where they were.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import json
import re
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SUBMISSION = re.compile(r"Submission of #(\d+)")
_ASSIGNMENT = re.compile(r"Assignment #(\d+)[:,]")
_JOINED = re.compile(r"Joined your group: (.+)\. Now assign", re.S)
_ASSIGNED = re.compile(r"Assignment #(\d+) given to (.+)\.")
_REVIEWED = re.compile(r"Assignment #(\d+) (accepted|rejected)")
_ENDED = re.compile(r"(?:exit code (-?\d+)|stopped: (.+?)), \d")
_REVISION = re.compile(r"revision (\d+)")
_ASKS_ON = "EOFError: EOF when reading a line"


def upgrade() -> None:
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("about", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("about_id", sa.Integer(), nullable=True))
    with op.batch_alter_table("steps", schema=None) as batch_op:
        batch_op.add_column(sa.Column("messages_json", sa.String(), nullable=False, server_default="[]"))
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("summary_json", sa.String(), nullable=False, server_default="[]"))
    connection = op.get_bind()
    _say_what_messages_are_about(connection)
    _move_summaries(connection)
    _fill_steps(connection)
    op.execute("ALTER TABLE agents DROP COLUMN summary")


def downgrade() -> None:
    connection = op.get_bind()
    op.execute("ALTER TABLE agents ADD COLUMN summary VARCHAR NOT NULL DEFAULT ''")
    for row in connection.execute(
        sa.text("SELECT id, summary_json FROM agents WHERE summary_json != '[]'")
    ).all():
        text = "\n".join(line for line, _ in json.loads(row.summary_json))
        connection.execute(
            sa.text("UPDATE agents SET summary = :text WHERE id = :id"), {"text": text, "id": row.id}
        )
    calls = sa.text("UPDATE steps SET calls_json = :calls WHERE id = :id")
    for row in connection.execute(sa.text("SELECT id, calls_json FROM steps")).all():
        old = [call[:4] for call in json.loads(row.calls_json)]
        connection.execute(calls, {"calls": json.dumps(old), "id": row.id})
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.drop_column("summary_json")
    with op.batch_alter_table("steps", schema=None) as batch_op:
        batch_op.drop_column("messages_json")
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_column("about_id")
        batch_op.drop_column("about")


def _say_what_messages_are_about(connection: sa.Connection) -> None:
    """By the words of the versions before; people's and agents' own words are left alone."""
    rows = connection.execute(
        sa.text("SELECT id, from_kind, text, key FROM messages WHERE from_kind IN ('work', 'system')")
    ).all()
    change = sa.text("UPDATE messages SET about = :about, about_id = :number WHERE id = :id")
    for row in rows:
        about, number = _about(row.from_kind, row.text, row.key)
        if about:
            connection.execute(change, {"about": about, "number": number, "id": row.id})


def _about(kind: str, text: str, key: str) -> tuple[str, int | None]:
    for pattern, about in ((_SUBMISSION, "submission"), (_ASSIGNMENT, "assignment")):
        found = pattern.match(text)
        if found and (kind == "work" or key.startswith("takeover.")):
            return about, int(found[1])
    wraps = kind == "system" and text.startswith("Wrap up: ")
    return ("wrap_up", None) if wraps else ("", None)


def _move_summaries(connection: sa.Connection) -> None:
    change = sa.text("UPDATE agents SET summary_json = :lines WHERE id = :id")
    for row in connection.execute(sa.text("SELECT id, summary FROM agents WHERE summary != ''")).all():
        lines = [(line, line.startswith("- from ")) for line in row.summary.splitlines()]
        connection.execute(change, {"lines": json.dumps(lines), "id": row.id})


def _fill_steps(connection: sa.Connection) -> None:
    """Of tasks that still go on: ended ones are only looked at."""
    read: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in connection.execute(
        sa.text(
            "SELECT id, to_agent, from_kind, from_name, text, ref, priority, wakes, about, about_id, consumed_step "
            "FROM messages WHERE consumed_step > 0 AND task_id IN "
            "(SELECT id FROM tasks WHERE state NOT IN ('done', 'stopped', 'failed')) ORDER BY id"
        )
    ).all():
        message = {
            "id": row.id,
            "kind": row.from_kind,
            "name": row.from_name,
            "text": row.text,
            "ref": row.ref,
            "priority": row.priority,
            "waits": bool(row.wakes),
            "about": row.about,
            "about_id": row.about_id,
        }
        read.setdefault((row.to_agent, row.consumed_step), []).append(message)
    change = sa.text("UPDATE steps SET messages_json = :messages, calls_json = :calls WHERE id = :id")
    steps = sa.text(
        "SELECT id, agent_id, step, calls_json FROM steps WHERE task_id IN "
        "(SELECT id FROM tasks WHERE state NOT IN ('done', 'stopped', 'failed'))"
    )
    for row in connection.execute(steps).all():
        calls = [[*call[:4], _outcome(*call[1:4])] for call in json.loads(row.calls_json)]
        messages = read.get((row.agent_id, row.step), [])
        values = {"messages": json.dumps(messages), "calls": json.dumps(calls), "id": row.id}
        connection.execute(change, values)


def _outcome(name: str, arguments: str, result: str) -> dict[str, Any] | None:
    if name == "recruit" and (joined := _JOINED.match(result)):
        return {"kind": "joined", "names": joined[1].split(", ")}
    if name == "assign" and (given := _ASSIGNED.match(result)):
        return {"kind": "assigned", "assignment": int(given[1]), "to": given[2]}
    if name == "review" and (seen := _REVIEWED.match(result)):
        return {"kind": "reviewed", "assignment": int(seen[1]), "accepted": seen[2] == "accepted"}
    if name == "run" and (ended := _ENDED.match(result)):
        code, asked_on = int(ended[1] or -1), _ASKS_ON in result
        return {
            "kind": "ran",
            "exit_code": code,
            "ended": "exit" if ended[1] else "timeout",
            "asked_on": asked_on,
        }
    return _file_outcome(name, arguments, result)


def _file_outcome(name: str, arguments: str, result: str) -> dict[str, Any] | None:
    """What a call on a file showed. A refusal names a revision too, and showed none."""
    try:
        path = json.loads(arguments)["path"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    found = _REVISION.search(result.partition("\n")[0])
    if not isinstance(path, str) or found is None or not result.startswith(path):
        return None
    if name == "read_file" and result.startswith(f"{path}, revision "):
        return {"kind": "read", "path": path, "revision": int(found[1]), "whole": False}
    if name in ("write_file", "edit_file") and "Read it first" not in result:
        return {"kind": "wrote", "path": path, "revision": int(found[1])}
    return None
