"""What comes with an assignment or a submission, so that its reader needs no call to read it.

Small files that an assignment names, documents that its giver wrote just before, which fix how the parts fit
together, and what a first submission added or changed. What the reader knows already is only named.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.encodings import Decoded, decode
from engine.domain.outcomes import Wrote
from engine.domain.reading import is_document
from engine.domain.speech import turn_so_far
from engine.domain.state import AssignmentFacts, PastStep
from engine.domain.wanted import names_of_files
from engine.store.core import AGENTS, MESSAGES, STEPS
from engine.store.transcript import past_answers
from engine.tools.base import ToolContext
from engine.tools.changes import given_at
from engine.tools.diff import differences_since
from engine.tools.files import current_file, files_now
from engine.tools.seen import as_it_is, came_whole, messages_of, seen_revisions

MAX_NAMED = 4_096
"""Bytes of the files that come with an assignment, together."""

MAX_BEGINNING = 400
"""Characters of a file that is too large for that, from its beginning: enough for the columns of a table."""

MOST_READ = 1_000_000
"""Bytes above which a file is only listed."""

MAX_SUBMITTED = 6_000
"""Characters of what was made since the assignment, in the message of a first submission."""

MAX_LISTED = 30

MOST_GIVEN = 50
"""Newest messages with work that are looked through for what came with them."""


class NamedFiles:
    """The files that the assignments of one call name; what there is is looked up once."""

    def __init__(self, context: ToolContext) -> None:
        self._context = context
        self._there: dict[str, tuple[str, int]] | None = None

    async def shown(self, text: str, reader: str = "") -> str:
        """Return the small text files that an assignment's text names, or else the documents that the giver
        wrote in this turn, with what else there is; "" for none.

        Small ones come first and whole; of each that does not fit any more, its first lines. `reader`: the
        name key of the member that gets them, "" for a newcomer; what its steps show as it is now, such as
        its own work, is named and not repeated.
        """
        named = list(dict.fromkeys([*names_of_files(text), *_documents_of_turn(self._context)]))
        if not named:
            return ""
        if self._there is None:
            self._there = await files_now(self._context)
        known = await self._known(reader, [path for path in named if path in self._there])
        shown, room = dict[str, str](), MAX_NAMED
        there = [path for path in named if path in self._there and path not in known]
        for path in sorted(there, key=self._size):
            size = self._size(path)
            found = await self._decoded(path) if 0 < size <= MOST_READ else Decoded("")
            content = found.text
            odd = f"; it {found.note}" if found.note else ""
            if content and size <= room:
                shown[path] = as_it_is(f"{path}{odd};" if odd else path, content).removesuffix("\n")
                room -= size
            elif start := _first_lines(content):
                shown[path] = f"{path} begins (of {size:,} bytes{odd}):\n{start}"
        parts = [shown[path] for path in there if path in shown]
        if known:
            parts.append(f"Unchanged since you saw them: {', '.join(known)}")
        if not parts:
            return ""
        names = sorted(self._there)
        more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
        return "\n".join([*parts, f"Files there are: {', '.join(names[:MAX_LISTED])}{more}"])

    async def newer(self, text: str, reader: str) -> str:
        """Return, as they are now, the small files that a text names and that came to an agent with its work
        as they were before, unless it has seen them since; "" for none."""
        task, read = self._context.task.id, self._context.db.read
        given = await read(lambda c: _work_of(c, task, reader))
        named = dict.fromkeys(names_of_files(text))
        old = [path for path in named if any(f"{path} as it is now:\n" in each for each in given)]
        if not old:
            return ""
        if self._there is None:
            self._there = await files_now(self._context)
        known = await self._known(reader, [path for path in old if path in self._there])
        shown, room = list[str](), MAX_NAMED
        for path in old:
            content = "" if path in known else await self._small(path)
            now = as_it_is(path, content)
            if content.strip("\0") and self._size(path) <= room and not any(now in each for each in given):
                shown.append(now)
                room -= self._size(path)
        return "".join(shown)

    async def _known(self, reader: str, paths: list[str]) -> list[str]:
        """Return those of the paths that the reader's steps show whole, as they are now."""
        task = self._context.task.id
        if not reader or not paths:
            return []
        past = await self._context.db.read(lambda c: _past_of(c, task, reader))
        seen = {path: seen_revisions(past, path) for path in paths}
        now = {path: await current_file(self._context, path) for path in paths if seen[path]}
        known = [path for path, file in now.items() if file is not None and file.revision in seen[path]]
        read = list(messages_of(past))
        return [path for path in paths if path in known or came_whole(read, path, await self._small(path))]

    async def _small(self, path: str) -> str:
        """Return the text of a file that can come whole, else what no message shows."""
        return (await self._decoded(path)).text if 0 < self._size(path) <= MAX_NAMED else "\0"

    def _size(self, path: str) -> int:
        return (self._there or {}).get(path, ("", 0))[1]

    async def _decoded(self, path: str) -> Decoded:
        """Return a file as text; an empty one for a binary file."""
        blob = (self._there or {})[path][0]
        return decode(await self._context.workspace.get(self._context.task.id, blob)) or Decoded("")


def _first_lines(content: str) -> str:
    """Return the lines with which a text begins, as many as fit into MAX_BEGINNING characters."""
    whole, _, _ = content[:MAX_BEGINNING].rpartition("\n")
    return whole.rstrip()


def _past_of(connection: Connection, task_id: int, name: str) -> tuple[PastStep, ...]:
    """Return the steps that an agent is still shown in full, oldest first."""
    query = (
        sa.select(STEPS.c.step, STEPS.c.input, STEPS.c.said, STEPS.c.calls_json, STEPS.c.messages_json)
        .add_columns(STEPS.c.kept, STEPS.c.continues)
        .join(AGENTS, AGENTS.c.id == STEPS.c.agent_id)
        .where(AGENTS.c.task_id == task_id, AGENTS.c.name_key == name, AGENTS.c.status != "dismissed")
        .where(STEPS.c.step > AGENTS.c.summary_upto)
        .order_by(STEPS.c.step)
    )
    return past_answers(connection.execute(query).all())


def _work_of(connection: Connection, task_id: int, name: str) -> list[str]:
    """Return the texts of the messages that gave work to an agent, read or not."""
    query = (
        sa.select(MESSAGES.c.text)
        .join(AGENTS, AGENTS.c.id == MESSAGES.c.to_agent)
        .where(AGENTS.c.task_id == task_id, AGENTS.c.name_key == name, MESSAGES.c.from_kind == "work")
        .order_by(MESSAGES.c.id.desc())
        .limit(MOST_GIVEN)
    )
    return list(connection.execute(query).scalars())


def _documents_of_turn(context: ToolContext) -> list[str]:
    """Return the documents that the agent wrote in this turn, this answer included."""
    made = [call.outcome for step in turn_so_far(context.facts) for call in step.calls]
    paths = [outcome.path for outcome in made if isinstance(outcome, Wrote)]
    return [path for path in dict.fromkeys([*paths, *context.files]) if is_document(path)]


async def made_since(context: ToolContext, work: AssignmentFacts, listed: Collection[str]) -> str:
    """Return what the assignee, with all below it, made since an assignment was given, and what became of the
    files `listed` in its submission, these first; each file whole or by name only."""
    start = await context.db.read(lambda c: given_at(c, work.id))
    limit = min(MAX_SUBMITTED, context.options.output_chars)
    return await differences_since(context, start, limit, first=listed, whole=True)
