"""addresses that occurred in tasks, and why people are asked about a call

Tasks of older versions get the addresses in their goals and in what people wrote to them.

Revision ID: 0029
Revises: 0028
"""

from __future__ import annotations

import hashlib
import re

import sqlalchemy as sa
from alembic import op
from yarl import URL

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_ADDRESS = re.compile(r"https?://[^\s<>\"'`(){}\[\]|\\^@]+", re.I)


def upgrade() -> None:
    op.add_column("outside_calls", sa.Column("why", sa.String(), nullable=False, server_default=""))
    made = op.create_table(
        "task_addresses",
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_task_addresses_task_id_tasks")),
        sa.PrimaryKeyConstraint("task_id", "digest", name=op.f("pk_task_addresses")),
    )
    _note_words(made)


def _note_words(made: sa.Table) -> None:
    connection = op.get_bind()
    tasks = sa.table("tasks", *map(sa.column, ("id", "goal", "created_at")))
    messages = sa.table("messages", *map(sa.column, ("task_id", "text", "created_at", "from_kind")))
    said = sa.select(messages.c.task_id, messages.c.text, messages.c.created_at)
    words = sa.select(tasks.c.id, tasks.c.goal, tasks.c.created_at).union_all(
        said.where(messages.c.from_kind == "person")
    )
    rows: dict[tuple[int, str], dict[str, object]] = {}
    for task_id, text, at in connection.execute(words):
        for address in _addresses(text):
            digest = hashlib.sha256(address.encode()).hexdigest()
            values = {"task_id": task_id, "digest": digest, "address": address, "basis": "person", "at": at}
            rows.setdefault((task_id, digest), values)
    if rows:
        connection.execute(made.insert(), list(rows.values()))


def _addresses(text: str) -> list[str]:
    """The addresses in a text that are plainly written, in the form that this version compares."""
    found = []
    for written in _ADDRESS.findall(text or ""):
        try:
            url = URL(written.rstrip(".,;:!?*_~"))
            port = "" if url.is_default_port() else f":{url.port}"
            address = f"{url.scheme}://{(url.raw_host or '').rstrip('.').lower()}{port}{url.raw_path_qs}"
        except ValueError:
            continue
        if url.raw_host and len(address) <= 2_000:
            found.append(address)
    return found


def downgrade() -> None:
    op.drop_table("task_addresses")
    op.drop_column("outside_calls", "why")
