"""Unit of work: state of one commit, with its connection, new ids, events and wake-ups."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.effects import slot_mark
from engine.domain.outcomes import Slot
from engine.domain.outside import Source
from engine.domain.state import About, AgentFacts, SenderKind, Turn
from engine.domain.waits import Awaited
from engine.errors import Stale
from engine.events import EventBody
from engine.ports import Wake
from engine.store.core import AGENTS, MESSAGES, WAITS
from engine.store.prepared import FetchedRow, Prepared, insert_into

_LEFTOVER = re.compile("\x00[a-z]+:\\d+\x00")
_insert_message = insert_into(
    MESSAGES,
    "task_id",
    "to_agent",
    "from_agent",
    "from_kind",
    "from_name",
    "text",
    "key",
    "wakes",
    "priority",
    "about",
    "about_id",
    "created_at",
)
_by_id = Prepared(
    sa.select(
        AGENTS.c.id,
        AGENTS.c.name,
        AGENTS.c.status,
        AGENTS.c.refused,
        AGENTS.c.group_id,
        AGENTS.c.leads_group_id,
        AGENTS.c.name_key,
        sa.literal_column("0").label("waits"),
    ).where(AGENTS.c.id == sa.bindparam("agent"))
)
_awaited = Prepared(sa.select(WAITS.c.path).where(WAITS.c.task_id == sa.bindparam("task"), WAITS.c.path > ""))
_by_name = Prepared(
    sa.select(
        AGENTS.c.id,
        AGENTS.c.name,
        AGENTS.c.status,
        AGENTS.c.refused,
        AGENTS.c.group_id,
        AGENTS.c.name_key,
    ).where(AGENTS.c.task_id == sa.bindparam("task"), AGENTS.c.name_key == sa.bindparam("name"))
)


@dataclass(slots=True)
class UnitOfWork:
    """Mutable state of one commit; lives only inside its transaction. `reopened`: changed paths by the
    accepted assignment that they belong to; `written`: all changed paths;
    `answered`: the people's messages that words of this step answer already; `asked`: the answers that this
    step waits for; `askers`: the colleagues whose question the words of this step may answer."""

    connection: Connection
    turn: Turn
    now: float
    events: list[tuple[str, EventBody]] = field(default_factory=list)
    wakes: dict[int, Wake] = field(default_factory=dict)
    known: dict[str, FetchedRow] = field(default_factory=dict)
    taken: list[FetchedRow] = field(default_factory=list)
    ids: dict[Slot, int | str] = field(default_factory=dict)
    leads: int | None = None
    message_count: int = 0
    sources: tuple[Source, ...] = ()
    wrote_files: bool = False
    reopened: dict[int, list[str]] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    answered: frozenset[str] = frozenset()
    awaited: frozenset[str] | None = None
    asked: dict[Awaited, None] = field(default_factory=dict)
    askers: tuple[FetchedRow, ...] = ()

    def __post_init__(self) -> None:
        self.leads = self.agent.leads_group_id

    @property
    def agent(self) -> AgentFacts:
        """Return the agent whose step this is."""
        return self.turn.facts.agent

    @property
    def task_id(self) -> int:
        """Return the id of the agent's task."""
        return self.turn.facts.task.id

    @property
    def step_key(self) -> str:
        """Return the step's name in keys, trailers and logs: `agent.step`."""
        return f"{self.agent.id}.{self.turn.facts.step}"

    @property
    def own_group(self) -> int:
        """Return the group that the agent is a member of."""
        return self.agent.group_id

    @property
    def bodies(self) -> tuple[EventBody, ...]:
        """Return the events appended so far, which are not stored before the commit's end."""
        return tuple(body for _, body in self.events)

    def event(self, body: EventBody) -> None:
        """Append an event; its key makes a repeat harmless."""
        self.events.append((f"{self.step_key}.e{len(self.events)}", body))

    def add_message(
        self,
        to: int,
        text: str,
        *,
        wakes: bool = True,
        kind: SenderKind = "agent",
        name: str = "",
        priority: int = 5,
        about: tuple[About, int | None] = ("", None),
        key: str = "",
    ) -> None:
        """Insert a message into an agent's inbox and, with `wakes`, wake the agent after the commit.

        `key` identifies it where its fate matters later.
        """
        self.message_count += 1
        _insert_message.run(
            self.connection,
            task_id=self.task_id,
            to_agent=to,
            from_agent=None if kind == "system" else self.agent.id,
            from_kind=kind,
            from_name=name or self.agent.name,
            text=text,
            key=key or f"{self.step_key}.m{self.message_count}",
            wakes=wakes,
            priority=priority,
            about=about[0],
            about_id=about[1],
            created_at=self.now,
        )
        if wakes:
            self.wake(to, priority)

    def wake(self, agent_id: int, priority: int = 5) -> None:
        """Wake an agent after the commit."""
        self.wakes[agent_id] = Wake(agent_id, self.task_id, priority)

    def find(self, name_key: str) -> FetchedRow:
        """Return the active agent of that name. Raises Stale, so that the repeated call names those that
        exist."""
        row = self.known.get(name_key)
        if row is None:
            row = _by_name.first(self.connection, task=self.task_id, name=name_key)
        if row is None or row.status == "dismissed":
            raise Stale(f"nobody is called {name_key!r}")
        self.known[name_key] = row
        return row

    def look_up(self, agent_id: int) -> FetchedRow:
        """Return the agent's row. Raises Stale when it does not exist."""
        row = _by_id.first(self.connection, agent=agent_id)
        if row is None:
            raise Stale(f"agent {agent_id} does not exist")
        return row

    def awaited_paths(self) -> frozenset[str]:
        """Return the paths that agents of the task wait for, read once: the order of changes is locked."""
        if self.awaited is None:
            self.awaited = frozenset(row.path for row in _awaited.all(self.connection, task=self.task_id))
        return self.awaited

    def group_ids(self, group: int) -> set[int]:
        """Return ids of head and active members of a group whose agents this commit has locked."""
        rows = [row for row in self.taken if group in (row.group_id, row.leads_group_id)]
        return {row.id for row in rows if row.status != "dismissed"}

    def fill(self, result: str) -> str:
        """Return a tool result with the ids that this commit assigned; "?" for effects that were not
        applied."""
        if "\0" not in result:
            return result
        for slot, value in self.ids.items():
            result = result.replace(slot_mark(slot.kind, slot.number), str(value))
        return _LEFTOVER.sub("?", result)

    def scalar(self, query: sa.Select[Any]) -> Any:
        """Return the first column of the first row."""
        return self.connection.execute(query).scalar()
