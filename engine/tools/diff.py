"""Tool diff: what changed in the files since a revision, an assignment or the agent's last look."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import Connection

from engine.domain.changes import MAX_COMPARED
from engine.domain.outcomes import Read, Refused, ToolResult, Wrote
from engine.errors import NotFound
from engine.lifecycle.agents import subtree
from engine.store.core import ASSIGNMENTS, MESSAGES, REVISIONS, AnyRow
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.files import blob_at, checked_path, current_file, current_files
from engine.workspace.rows import of_records

MAX_DIFF = 6_000
"""Characters of differences that a call shows."""

MAX_RECORDS = 12
"""Lines that are shown of a change of records (CSV, JSON lines) beside other files."""

LAST_LOOK = "last_look"
MAX_UNSEEN = 20


class DiffArguments(Arguments):
    """Arguments of diff."""

    path: str = ""
    since: str = Field(LAST_LOOK, description='revision or assignment, such as "#3": when given, or accepted')


@dataclass(frozen=True, slots=True)
class _Change:
    """A file that changed: its contents before and now (None: there was none), and who changed it."""

    path: str
    before: bytes | None
    now: bytes | None
    by: str


async def diff(context: ToolContext, arguments: DiffArguments) -> ToolResult:
    """Return the differences, bounded. Raises ToolRefused."""
    path = checked_path(arguments.path) if arguments.path else ""
    since, said_since = arguments.since.strip(), ""
    if since == LAST_LOOK:
        bases = _looks(context)
        if path and path not in bases:
            raise ToolRefused(f"You have not looked at {path} yet. Read it, or say since which revision.")
    else:
        start, said_since = await _start(context, since)
        bases = await context.db.read(lambda c: _changed_after(c, context.task.id, start))
        bases |= dict.fromkeys(context.files, start)
    chosen = {p: revision for p, revision in bases.items() if path in ("", p)}
    said = said_since + (await differences(context, chosen, MAX_DIFF) or "Nothing has changed since.")
    return ToolResult(said if path or since != LAST_LOOK else said + await _unseen(context, bases))


async def _unseen(context: ToolContext, looks: Mapping[str, int]) -> str:
    """Return a line with the files that the agent has not looked at, so that it does not take them for
    unchanged; "" for none."""
    rows = await context.db.read(lambda c: current_files(c, context.task.id))
    new = [row for row in rows if row.path not in looks and row.path not in context.files]
    shown = ", ".join(f"{row.path} (by {row.agent})" for row in new[:MAX_UNSEEN])
    more = f" and {len(new) - MAX_UNSEEN} more" if len(new) > MAX_UNSEEN else ""
    return f"\nYou have not looked at: {shown}{more}" if new else ""


def _looks(context: ToolContext) -> dict[str, int]:
    """Return the revision of each file that the agent's calls showed it last."""
    looks: dict[str, int] = {}
    for step in context.facts.past:
        for call in step.calls:
            seen = call.outcome
            if isinstance(seen, Read | Wrote | Refused) and seen.path and isinstance(seen.revision, int):
                looks[seen.path] = seen.revision
    return looks


async def _start(context: ToolContext, since: str) -> tuple[int, str]:
    """Return the revision that `since` means, and a line that says so where it could mean another. Raises
    ToolRefused."""
    digits = since.removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise ToolRefused(f"since is {LAST_LOOK}, a revision such as 12, or an assignment such as #3.")
    if not since.startswith("#"):
        return int(digits), ""
    work = await context.db.read(lambda c: _work(c, context.task.id, int(digits)))
    if work is None:
        raise ToolRefused(f"There is no assignment {since}.", "missing")
    # What was accepted is known to be good: who asks then asks what came after.
    accepted = work.state == "accepted"
    at = work.changed_at if accepted else work.created_at
    start = await context.db.read(lambda c: revision_at(c, context.task.id, at))
    return start, f"Since {since} was accepted:\n" if accepted else ""


def _work(connection: Connection, task_id: int, assignment: int) -> AnyRow | None:
    """Return when an assignment of a task was given and changed last, and its state; None for no such one."""
    query = sa.select(ASSIGNMENTS.c.created_at, ASSIGNMENTS.c.changed_at, ASSIGNMENTS.c.state)
    mine = sa.and_(ASSIGNMENTS.c.task_id == task_id, ASSIGNMENTS.c.id == assignment)
    return connection.execute(query.where(mine)).first()


def revision_at(connection: Connection, task_id: int, at: float) -> int:
    """Return the newest revision of a task at a time, 0 before the first."""
    query = sa.select(sa.func.max(REVISIONS.c.id)).where(REVISIONS.c.task_id == task_id, REVISIONS.c.at <= at)
    return int(connection.scalar(query) or 0)


def _changed_after(connection: Connection, task_id: int, start: int) -> dict[str, int]:
    """Return the paths written after a revision, each with that revision."""
    query = sa.select(REVISIONS.c.path).where(REVISIONS.c.task_id == task_id, REVISIONS.c.id > start)
    return {row.path: start for row in connection.execute(query.distinct())}


def _changed_by(connection: Connection, task_id: int, start: int, agent_id: int) -> dict[str, int]:
    """Return the paths that an agent, or one below it, wrote after a revision, each with that revision."""
    names = [row.name for row in subtree(connection, agent_id, dismissed=True)]
    query = sa.select(REVISIONS.c.path).where(REVISIONS.c.task_id == task_id, REVISIONS.c.id > start)
    return {
        row.path: start for row in connection.execute(query.where(REVISIONS.c.agent.in_(names)).distinct())
    }


async def since_review(context: ToolContext, assignment: int, limit: int) -> str | None:
    """Return what the agent, with all below it, changed since it submitted a work that was rejected, None
    when it never was.

    The reviewer saw the submission: what was changed before the rejection is new to it too.
    """
    handed_in = (
        sa.select(sa.func.max(MESSAGES.c.created_at))
        .where(MESSAGES.c.about == "submission", MESSAGES.c.about_id == assignment)
        .where(MESSAGES.c.task_id == context.task.id)
        .scalar_subquery()
    )
    query = sa.select(sa.func.coalesce(handed_in, ASSIGNMENTS.c.changed_at)).where(
        ASSIGNMENTS.c.id == assignment, ASSIGNMENTS.c.state == "open", ASSIGNMENTS.c.feedback != ""
    )
    at = await context.db.read(lambda c: c.scalar(query))
    if at is None:
        return None
    start = await context.db.read(lambda c: revision_at(c, context.task.id, at))
    return await differences_since(context, start, limit)


async def differences_since(
    context: ToolContext, start: int, limit: int, *, first: Collection[str] = (), whole: bool = False
) -> str:
    """Return what the agent, with all below it, changed since a revision, about `limit` characters; see
    `differences`. The files `first` are there whoever changed them."""
    bases = await context.db.read(lambda c: _changed_by(c, context.task.id, start, context.agent.id))
    bases |= dict.fromkeys([*context.files, *first], start)
    return await differences(context, bases, limit, first=first, whole=whole)


async def differences(
    context: ToolContext,
    bases: Mapping[str, int],
    limit: int,
    *,
    first: Collection[str] = (),
    whole: bool = False,
) -> str:
    """Return the differences of files between their base revisions and now, about `limit` characters.

    `first`: those that come before the others. `whole`: what there is of one file is shown whole or not at
    all; see `_render`.
    """
    paths = sorted(bases, key=lambda path: (path not in first, path))
    changes = [await _change(context, path, bases[path]) for path in paths]
    changed = [change for change in changes if change.before != change.now]
    foremost = sum(change.path in first for change in changed)
    return await asyncio.to_thread(_render, changed, limit, foremost, whole)


async def _change(context: ToolContext, path: str, revision: int) -> _Change:
    current = await current_file(context, path)
    base = await context.db.read(lambda c: blob_at(c, context.task.id, path, revision))
    now = current.blob if current else None
    if base == now:
        return _Change(path, None, None, "")
    before, after = await content_of(context, base), await content_of(context, now)
    names = await context.db.read(lambda c: _writers(c, context.task.id, path, revision))
    if path in context.files and context.agent.name not in names:
        names.append(context.agent.name)
    return _Change(path, before, after, " and ".join(names))


def _writers(connection: Connection, task_id: int, path: str, start: int) -> list[str]:
    """Return who changed a file after a revision, in order."""
    query = sa.select(REVISIONS.c.agent).where(
        REVISIONS.c.task_id == task_id, REVISIONS.c.path == path, REVISIONS.c.id > start
    )
    return list(dict.fromkeys(connection.execute(query.order_by(REVISIONS.c.id)).scalars()))


async def content_of(context: ToolContext, blob: str | None) -> bytes | None:
    """Return the bytes of a blob, None for None. Raises ToolRefused."""
    try:
        return None if blob is None else await context.workspace.get(context.task.id, blob)
    except NotFound as error:
        raise ToolRefused(f"Content of an earlier revision is missing: {error}") from error


def _render(changes: Sequence[_Change], limit: int, first: int, whole: bool) -> str:
    """Return all changes in their order; every changed file is named. Where not all fit, the shorter ones of
    the `first` files, then of the others, are there; one more is cut at a whole line unless `whole`."""
    few = None if len(changes) == 1 else MAX_RECORDS
    bodies = [_few_rows(change.path, _lines(change), few) for change in changes]
    sizes = [sum(len(line) + 1 for line in lines) for lines in bodies]
    shown: dict[int, list[str]] = {}
    for number in sorted(range(len(bodies)), key=lambda n: (n >= first, sizes[n])):
        if sizes[number] <= limit:
            shown[number] = bodies[number]
        elif limit > 0 and not whole:
            shown[number] = _cut(changes[number].path, bodies[number], limit)
        else:
            continue
        limit -= sizes[number]
    left = [change.path for number, change in enumerate(changes) if number not in shown]
    made = [line for _, lines in sorted(shown.items()) for line in lines]
    return "\n".join([*made, *([f"Also changed: {', '.join(left)}"] if left else [])])


def _few_rows(path: str, lines: list[str], most: int | None) -> list[str]:
    """Return the lines of a change, of a file of records only the first `most`: rows say little each."""
    if most is None or len(lines) <= most or not of_records(path):
        return lines
    return [*lines[:most], f"… ({len(lines) - most} more lines of {path})"]


def _cut(path: str, lines: list[str], limit: int) -> list[str]:
    kept: list[str] = []
    for line in lines:
        limit -= len(line) + 1
        if limit < 0:
            return [*kept, f"… ({len(lines) - len(kept)} more lines of {path})"]
        kept.append(line)
    return kept


def _lines(change: _Change) -> list[str]:
    how = "added" if change.before is None else "deleted" if change.now is None else "changed"
    head = f"{change.path} {how} by {change.by}"
    if change.now is None:
        return [head]
    if max(len(change.before or b""), len(change.now)) > MAX_COMPARED:
        return [f"{head} (too large to compare)"]
    try:
        old, new = (change.before or b"").decode("utf-8"), change.now.decode("utf-8")
    except UnicodeDecodeError:
        return [f"{head} (binary)"]
    body = list(unified_diff(_rows(old), _rows(new), n=2, lineterm=""))[2:]
    return [head, *body]


def _rows(text: str) -> list[str]:
    """Return the lines of a text; a last one without its line break says so, as in other diffs."""
    *lines, rest = text.split("\n")
    return [*lines, f"{rest}\n\\ No newline at end of file"] if rest else lines


DIFF = Tool("diff", "What changed in files.", DiffArguments, WORKERS, diff)
