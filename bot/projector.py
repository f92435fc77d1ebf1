"""Reads the engine's events and writes what is to be posted, each event exactly once.

The read model (tasks, groups, agents), the outbox rows and the cursor move in one transaction; keys are
made from the event's number, so a repeat changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table, select, update

from bot.book import follow_mode_query
from bot.outbox.ledger import enqueue, insert_once
from bot.outbox.render import AgentFacts, Asked, TaskFacts, render
from bot.personas import persona_name
from bot.places.layout import Group, Placement, place
from bot.ports import EngineApi
from bot.tables import agents, cursors, groups, incoming, tasks
from engine import events as ev
from engine.ports import Database

_log = logging.getLogger(__name__)

CURSOR = "outbox"

BATCH = 200
"""Most events in one transaction."""


class Projector:
    """Runs until cancelled; `wake` is called whenever `seq` moved, `joined` with every agent's name."""

    def __init__(
        self,
        engine: EngineApi,
        database: Database,
        wake: Callable[[], None],
        joined: Callable[[str], None],
        pause_s: float = 1.0,
    ) -> None:
        self._engine = engine
        self._database = database
        self._wake = wake
        self._joined = joined
        self._pause_s = pause_s
        self.seq = 0

    async def run(self) -> None:
        """Project for ever; a fault of the database or the engine is logged and tried again."""
        while True:
            try:
                await self._follow()
            except Exception:  # noqa: BLE001 - posting must survive whatever the store says; logged, tried again
                _log.exception("events cannot be projected now")
                await asyncio.sleep(self._pause_s)

    async def _follow(self) -> None:
        self.seq = await self._database.read(_cursor)
        self._wake()
        waiting: asyncio.Queue[ev.Event] = asyncio.Queue(BATCH)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(waiting))
            group.create_task(self._write(waiting))

    async def _read(self, waiting: asyncio.Queue[ev.Event]) -> None:
        async for event in self._engine.events(after=self.seq):
            await waiting.put(event)

    async def _write(self, waiting: asyncio.Queue[ev.Event]) -> None:
        """One transaction for all that came while the last one was written."""
        while True:
            events = [await waiting.get()]
            while not waiting.empty():
                events.append(waiting.get_nowait())
            await self._database.write(partial(project_all, events=events))
            self.seq = events[-1].seq
            for event in events:
                if isinstance(event.body, ev.AgentJoined):
                    self._joined(event.body.name)
            self._wake()


def project_all(connection: Connection, events: Sequence[ev.Event]) -> None:
    """Apply events in order, in the caller's transaction."""
    for event in events:
        project(connection, event)


def project(connection: Connection, event: ev.Event) -> None:
    """Apply one event: read model, outbox, cursor; in the caller's transaction."""
    if event.seq <= _cursor(connection):
        return
    learn = _LEARN.get(type(event.body))
    if learn is not None:
        learn(connection, event.body)
    for i, post in enumerate(render(event, _Scene(connection))):
        enqueue(connection, f"{event.seq}:{i}", post, event.at)
    _put(connection, cursors, {"name": CURSOR}, {"seq": event.seq})


def _cursor(connection: Connection) -> int:
    found = connection.execute(select(cursors.c.seq).where(cursors.c.name == CURSOR)).scalar()
    return int(found or 0)


def _put(connection: Connection, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    matches = [table.c[name] == value for name, value in key.items()]
    if not connection.execute(update(table).where(*matches).values(**values)).rowcount:
        insert_once(connection, table, key | values)


# ---------------------------------------------------------------- the read model


def _number(name: str, kind: str) -> int:
    """Discord's id out of an engine name ("guild:9"), 0 when it names nothing on Discord."""
    head, _, rest = name.partition(":")
    return int(rest) if head == kind and rest.isdecimal() else 0


def _task_accepted(connection: Connection, body: ev.TaskAccepted) -> None:
    values = {
        "guild_id": _number(body.space, "guild"),
        "owner_id": _number(body.by, "discord"),
        "goal": body.goal,
        "state": "running",
    }
    blank = {"home_id": 0, "category_id": 0, "category_repairs": 0, "channels_full": False}
    known = {"task_id": body.task_id}
    if not connection.execute(update(tasks).where(tasks.c.task_id == body.task_id).values(**values)).rowcount:
        insert_once(connection, tasks, known | values | blank)


def _task_changed(connection: Connection, body: ev.TaskChanged | ev.TaskEnded) -> None:
    connection.execute(update(tasks).where(tasks.c.task_id == body.task_id).values(state=body.state))


def _group_formed(connection: Connection, body: ev.GroupFormed) -> None:
    where = _placement(connection, body)
    values = {
        "group_id": body.group_id,
        "task_id": body.task_id,
        "parent_id": body.parent_id,
        "head_id": body.head_id,
        "name": body.name,
        "depth": body.depth,
        "kind": where.kind,
        "host_id": where.host_id,
        "channel_id": 0,
        "thread_id": 0,
        "repairs": 0,
        "archived": False,
    }
    insert_once(connection, groups, values)
    connection.execute(update(agents).where(agents.c.agent_id == body.head_id).values(leads=True))


def _placement(connection: Connection, body: ev.GroupFormed) -> Placement:
    columns = (groups.c.group_id, groups.c.kind, groups.c.host_id)
    rows = connection.execute(select(*columns).where(groups.c.task_id == body.task_id)).all()
    placed = {group_id: Placement(kind, host_id) for group_id, kind, host_id in rows}
    full = connection.execute(select(tasks.c.channels_full).where(tasks.c.task_id == body.task_id)).scalar()
    return place(Group(body.group_id, body.parent_id, body.depth), placed, bool(full))


def _agent_joined(connection: Connection, body: ev.AgentJoined) -> None:
    if body.leads_group_id is not None:
        led = update(groups).where(groups.c.group_id == body.leads_group_id)
        connection.execute(led.values(head_id=body.agent_id))
    mine = agents.c.task_id == body.task_id
    taken = connection.execute(select(agents.c.persona).where(mine)).scalars().all()
    head_of = select(groups.c.group_id).where(groups.c.head_id == body.agent_id)
    values = {
        "agent_id": body.agent_id,
        "task_id": body.task_id,
        "group_id": body.group_id,
        "name": body.name,
        "title": body.title,
        "persona": persona_name(body.name, body.title, taken),
        "leads": connection.execute(head_of).first() is not None,
    }
    insert_once(connection, agents, values)


_LEARN: dict[type, Callable[[Connection, Any], None]] = {
    ev.TaskAccepted: _task_accepted,
    ev.TaskChanged: _task_changed,
    ev.TaskEnded: _task_changed,
    ev.GroupFormed: _group_formed,
    ev.AgentJoined: _agent_joined,
}


class _Scene:
    """What is known, read within the transaction; see `bot.outbox.render.Scene`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def task(self, task_id: int) -> TaskFacts | None:
        columns = (tasks.c.guild_id, tasks.c.owner_id, tasks.c.goal)
        query = select(*columns).where(tasks.c.task_id == task_id)
        row = self._connection.execute(query).first()
        if row is None or not row.guild_id:
            return None
        root = select(groups.c.group_id).where(groups.c.task_id == task_id, groups.c.parent_id.is_(None))
        root_id = self._connection.execute(root).scalar() or 0
        mode = self._connection.execute(follow_mode_query(task_id, row.owner_id)).scalar()
        return TaskFacts(task_id, row.guild_id, row.owner_id, root_id, mode != "off", row.goal)

    def agent(self, agent_id: int) -> AgentFacts | None:
        columns = (agents.c.agent_id, agents.c.name, agents.c.persona, agents.c.leads)
        row = self._connection.execute(select(*columns).where(agents.c.agent_id == agent_id)).first()
        return AgentFacts(*row) if row else None

    def asked(self, ref: str) -> Asked | None:
        columns = (incoming.c.user_id, incoming.c.excerpt)
        row = self._connection.execute(select(*columns).where(incoming.c.ref == ref)).first()
        return Asked(*row) if row else None
