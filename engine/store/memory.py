"""Search in memories: full text on SQLite (FTS5) and PostgreSQL, vectors, and summarised steps.

An agent finds its own memories, those shared in its task, and those kept for its space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.recall import (
    Recalled,
    fuse,
    likeness,
    match_text,
    nearest,
    overlap,
    signs_of,
    words_of,
)
from engine.store.core import MEMORIES, STEPS, AnyRow, loads

Dialect = Literal["sqlite", "postgresql"]

CANDIDATES = 20_000
"""Newest memories whose signs are compared: 10,000 vectors of 1,536 numbers take about 40 ms."""

NEAR = 200
"""Number of memories with the most similar signs that are compared by their whole vectors."""

OLD_STEPS = 400
RANKED = 20
MIN_LIKENESS = 0.2
KEPT_SHOWN = 8

_SQLITE = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS memories_fts USING fts5("
    "text, content='memories', content_rowid='id', tokenize='porter unicode61')",
    "CREATE TRIGGER IF NOT EXISTS memories_fts_add AFTER INSERT ON memories BEGIN "
    "INSERT INTO memories_fts(rowid, text) VALUES (new.id, new.text); END",
    "CREATE TRIGGER IF NOT EXISTS memories_fts_drop AFTER DELETE ON memories BEGIN "
    "INSERT INTO memories_fts(memories_fts, rowid, text) VALUES ('delete', old.id, old.text); END",
    "CREATE TRIGGER IF NOT EXISTS memories_fts_change AFTER UPDATE OF text ON memories BEGIN "
    "INSERT INTO memories_fts(memories_fts, rowid, text) VALUES ('delete', old.id, old.text); "
    "INSERT INTO memories_fts(rowid, text) VALUES (new.id, new.text); END",
)
_POSTGRESQL = (
    "CREATE INDEX IF NOT EXISTS memory_words ON memories USING gin (to_tsvector('english', text))",
)


def memory_ddl(dialect: str) -> list[str]:
    """Return the statements that create full-text search over `memories`; repeatable."""
    return list(_SQLITE if dialect == "sqlite" else _POSTGRESQL)


@dataclass(frozen=True, slots=True)
class RecallQuery:
    """A search by an agent: `vector` packed, None for keywords only; steps up to `upto` were summarised."""

    task_id: int
    agent_id: int
    space: str
    query: str
    vector: bytes | None = None
    limit: int = 8
    upto: int = 0


def recall(connection: Connection, asked: RecallQuery) -> list[Recalled]:
    """Return the best lines by keywords, by meaning and among the agent's summarised steps, best first."""
    words = words_of(asked.query)
    scope = _scope(asked)
    rankings = [_by_words(connection, words, scope), _old_steps(connection, words, asked)]
    if asked.vector is not None:
        rankings.append(_by_meaning(connection, asked.vector, scope))
    return fuse(rankings, asked.limit)


def kept_for(connection: Connection, space: str, goal: str) -> list[Recalled]:
    """Return what earlier tasks of a space kept for this goal: matching lines first, then the newest."""
    scope = MEMORIES.c.space == space
    newest = connection.execute(
        sa.select(MEMORIES).where(scope).order_by(MEMORIES.c.id.desc()).limit(KEPT_SHOWN)
    )
    fresh = [_line(row) for row in newest]
    return fuse([_by_words(connection, words_of(goal), scope), fresh], KEPT_SHOWN) if fresh else []


def _scope(asked: RecallQuery) -> sa.ColumnElement[bool]:
    of_task = sa.and_(MEMORIES.c.task_id == asked.task_id, MEMORIES.c.agent_id.is_(None))
    return sa.or_(MEMORIES.c.agent_id == asked.agent_id, of_task, MEMORIES.c.space == asked.space)


def _by_words(connection: Connection, words: Sequence[str], scope: sa.ColumnElement[bool]) -> list[Recalled]:
    if not words:
        return []
    dialect = cast(Dialect, connection.dialect.name)
    match = match_text(words, dialect)
    if dialect == "sqlite":
        query = (
            sa.select(MEMORIES)
            .join(sa.text("memories_fts"), sa.text("memories_fts.rowid = memories.id"))
            .where(scope, sa.text("memories_fts MATCH :match"))
            .order_by(sa.text("memories_fts.rank"))
        )
    else:
        vector = sa.func.to_tsvector(sa.literal_column("'english'"), MEMORIES.c.text)
        asked = sa.func.to_tsquery(sa.literal_column("'english'"), sa.bindparam("match"))
        query = (
            sa.select(MEMORIES)
            .where(scope, vector.op("@@")(asked))
            .order_by(sa.func.ts_rank(vector, asked).desc())
        )
    return [_line(row) for row in connection.execute(query.limit(RANKED), {"match": match})]


def _by_meaning(connection: Connection, vector: bytes, scope: sa.ColumnElement[bool]) -> list[Recalled]:
    """Rank by signs first, then exactly: no vector index is needed, and both databases behave alike."""
    signs = connection.execute(
        sa.select(MEMORIES.c.id, MEMORIES.c.signs)
        .where(scope, MEMORIES.c.signs.is_not(None))
        .order_by(MEMORIES.c.id.desc())
        .limit(CANDIDATES)
    )
    near_ids = nearest(signs_of(vector), ((row[0], row[1]) for row in signs), NEAR)
    rows = connection.execute(sa.select(MEMORIES).where(MEMORIES.c.id.in_(near_ids)))
    scored = [(likeness(vector, row.embedding), _line(row)) for row in rows]
    near = sorted((pair for pair in scored if pair[0] >= MIN_LIKENESS), key=lambda pair: -pair[0])
    return [line for _, line in near[:RANKED]]


def _old_steps(connection: Connection, words: Sequence[str], asked: RecallQuery) -> list[Recalled]:
    """Rank the steps that the agent's summary replaced by how many of the words they contain."""
    if not asked.upto or not words:
        return []
    rows = connection.execute(
        sa.select(STEPS)
        .where(STEPS.c.agent_id == asked.agent_id, STEPS.c.step <= asked.upto)
        .order_by(STEPS.c.step.desc())
        .limit(OLD_STEPS)
    )
    scored = [(overlap(words, line.text), line) for row in rows for line in _step_lines(row)]
    found = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])
    return [line for _, line in found[:RANKED]]


def _step_lines(row: AnyRow) -> list[Recalled]:
    source = f"your own step {row.step}"
    texts = [row.input, row.said]
    texts += [f"{name}({arguments}) -> {result}" for _, name, arguments, result, *_ in loads(row.calls_json)]
    return [
        Recalled(f"step{row.step}.{n}", text, source, row.ended_at) for n, text in enumerate(texts) if text
    ]


def _line(row: AnyRow) -> Recalled:
    return Recalled(f"memory{row.id}", row.text, row.source, row.created_at)
