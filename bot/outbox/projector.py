"""Read the engine's events and write everything that must reach Discord, each event exactly once.

The read model (tasks, groups, agents), the log's lines, the outbox rows (posts, pings, buttons to take off),
the marks of cards to be brought up to date and the cursor move in one transaction; keys are made from the
event's number, so a repeat changes nothing. Who only shows signs of life is told after the commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from bot.discord.identities import guild_of, origin_channel, owner_id
from bot.features.tasks.log_lines import log_line
from bot.notifications.followers import Followers
from bot.notifications.gate_reminder import Watchers
from bot.outbox.acts import TOLD_AT_ONCE, Act, dump_acts, load_acts
from bot.outbox.ledger import enqueue
from bot.outbox.render import AgentInfo, QuotedMessage, TaskInfo, act_of, acts_alone, acts_post, render
from bot.personas.names import persona_name
from bot.places.layout import Group, Placement, place
from bot.ports import EngineApi
from bot.storage.guild_settings import CARDS, FOLLOWS, GUILDS, LOG, follow_mode_query, split_ids
from bot.storage.tables import agents, cursors, groups, incoming, tasks
from bot.storage.upsert import insert_once, upsert
from engine import events as ev
from engine.errors import NotFound
from engine.ports import Database

_log = logging.getLogger(__name__)

CURSOR = "outbox"

BATCH = 200
"""Most events in one transaction."""


class Projector:
    """Reads events until cancelled; calls `wake` when `seq` advances and `heard` with the events."""

    def __init__(
        self,
        engine: EngineApi,
        database: Database,
        wake: Callable[[], None],
        heard: Callable[[Sequence[ev.Event]], None],
        pause_s: float = 1.0,
    ) -> None:
        self._engine = engine
        self._database = database
        self._wake = wake
        self._heard = heard
        self._pause_s = pause_s
        self.seq = 0

    async def run(self) -> None:
        """Project events until cancelled; errors of the database or engine are logged and retried."""
        while True:
            try:
                await self._follow()
            except Exception:  # noqa: BLE001 - posting must survive whatever the store says; logged, tried again
                _log.exception("events cannot be projected now")
                await asyncio.sleep(self._pause_s)

    async def _follow(self) -> None:
        seq = await self._database.read(_cursor)
        await repair_tasks(self._engine, self._database, seq)
        self.seq = seq
        self._wake()
        waiting: asyncio.Queue[ev.Event] = asyncio.Queue(BATCH)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(waiting))
            group.create_task(self._write(waiting))

    async def _read(self, waiting: asyncio.Queue[ev.Event]) -> None:
        async for event in self._engine.events(after=self.seq):
            await waiting.put(event)

    async def _write(self, waiting: asyncio.Queue[ev.Event]) -> None:
        """Write all events that arrived during the previous transaction in one transaction."""
        while True:
            events = [await waiting.get()]
            while not waiting.empty():
                events.append(waiting.get_nowait())
            await self._database.write(partial(project_all, events=events))
            self.seq = events[-1].seq
            self._heard(events)
            self._wake()


def project_all(connection: Connection, events: Sequence[ev.Event]) -> None:
    """Apply events in order, in the caller's transaction."""
    after = _cursor(connection)
    fresh = [event for event in events if event.seq > after]
    teams: dict[int, ev.Event] = {}
    for event in fresh:
        _apply(connection, event, teams)
    for agent_id, event in teams.items():
        _tell_acts(connection, event, agent_id)
    for task_id, seq in {event.body.task_id: event.seq for event in fresh}.items():
        mark = update(CARDS).where(CARDS.c.task_id == task_id).values(changed_seq=seq)
        connection.execute(mark)
    if fresh:
        upsert(connection, cursors, {"name": CURSOR}, {"seq": fresh[-1].seq})


def _apply(connection: Connection, event: ev.Event, teams: dict[int, ev.Event]) -> None:
    """Apply one event. `teams`: agents that gave work or recruited, with the newest event of that."""
    act = act_of(event.body, _StoredContext(connection))
    if act is not None:
        _did(connection, event, *act)
        if act[1].kind in TOLD_AT_ONCE:
            teams[act[0]] = event
    learn = _LEARN.get(type(event.body))
    if learn is not None:
        learn(connection, event.body)
    line = log_line(event.body, event.by_name)
    if line is not None:
        values = {"seq": event.seq, "task_id": event.body.task_id, "at": event.at, "line": line}
        insert_once(connection, LOG, values)
    _enqueue_all(connection, event)


def _enqueue_all(connection: Connection, event: ev.Event) -> None:
    for i, post in enumerate(render(event, _StoredContext(connection))):
        enqueue(connection, f"{event.seq}:{i}", post, event.at)
        if post.persona and post.agent_id is not None:
            _keep_acts(connection, post.agent_id, ())


def _did(connection: Connection, event: ev.Event, agent_id: int, act: Act) -> None:
    """Keep what an agent did for its next words, or tell it now when it is much."""
    agent = _StoredContext(connection).agent(agent_id)
    if agent is None:
        return
    agent = replace(agent, did=(*agent.did, act))
    alone = acts_alone(agent, event)
    if alone is not None:
        enqueue(connection, f"{event.seq}:acts", alone, event.at)
    _keep_acts(connection, agent_id, () if alone else agent.did)


def _tell_acts(connection: Connection, event: ev.Event, agent_id: int) -> None:
    """Tell now what an agent did, where its group reads it, unless words of its own have."""
    agent = _StoredContext(connection).agent(agent_id)
    if agent is not None and any(act.kind in TOLD_AT_ONCE for act in agent.did):
        group_id: int = getattr(event.body, "group_id", agent.group_id)
        enqueue(connection, f"{event.seq}:acts", acts_post(agent, event, group_id), event.at)
        _keep_acts(connection, agent_id, ())


def _keep_acts(connection: Connection, agent_id: int, acts: Sequence[Act]) -> None:
    mine = update(agents).where(agents.c.agent_id == agent_id)
    connection.execute(mine.values(did=dump_acts(acts)))


def _cursor(connection: Connection) -> int:
    found = connection.execute(select(cursors.c.seq).where(cursors.c.name == CURSOR)).scalar()
    return int(found or 0)


# ---------------------------------------------------------------- the read model


def _task_accepted(connection: Connection, body: ev.TaskAccepted) -> None:
    """Insert the task, and its card in the channel where it was started."""
    origin = origin_channel(body.origin) or 0
    owned = {
        "guild_id": guild_of(body.space) or 0,
        "owner_id": owner_id(body.by) or 0,
        "goal": body.goal,
        "state": "running",
        "demonstration": body.demonstration,
    }
    blank = {"category_id": 0, "category_repairs": 0, "channels_full": False}
    if origin:
        owned["origin_id"] = origin
        insert_once(connection, CARDS, {"task_id": body.task_id, "channel_id": origin, "message_id": 0})
    else:
        blank["origin_id"] = 0
    upsert(connection, tasks, {"task_id": body.task_id}, owned, blank)


def _task_changed(connection: Connection, body: ev.TaskChanged | ev.TaskEnded) -> None:
    connection.execute(update(tasks).where(tasks.c.task_id == body.task_id).values(state=body.state))


def _task_continued(connection: Connection, body: ev.TaskContinued) -> None:
    connection.execute(update(tasks).where(tasks.c.task_id == body.task_id).values(state="running"))


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
        "role": body.role,
        "did": [],
    }
    insert_once(connection, agents, values)


def _task_named(connection: Connection, body: ev.TaskNamed) -> None:
    root = (groups.c.task_id == body.task_id) & groups.c.parent_id.is_(None)
    connection.execute(update(groups).where(root).values(name=body.title))


_LEARN: dict[type, Callable[[Connection, Any], None]] = {
    ev.TaskAccepted: _task_accepted,
    ev.TaskChanged: _task_changed,
    ev.TaskContinued: _task_continued,
    ev.TaskEnded: _task_changed,
    ev.TaskNamed: _task_named,
    ev.GroupFormed: _group_formed,
    ev.AgentJoined: _agent_joined,
}


async def repair_tasks(engine: EngineApi, database: Database, seq: int) -> None:
    """Complete rows of tasks that an older version left blank (server and owner 0), and post what is missing.

    Two writers that came at once could leave such a row; nothing of its task was ever posted then. A task
    that goes on gets its events up to `seq` posted now; of one that has ended the row alone is completed.
    """
    blank = select(tasks.c.task_id).where(tasks.c.guild_id == 0, tasks.c.goal == "")
    going: set[int] = set()
    for task_id in await database.read(lambda c: c.execute(blank).scalars().all()):
        try:
            task = await engine.look.task(task_id)
        except NotFound:
            continue
        _log.warning("the row of task %s was blank and is repaired", task_id)
        values = {
            "guild_id": guild_of(task.space) or 0,
            "owner_id": owner_id(task.by) or 0,
            "goal": task.goal,
            "state": task.state,
        }
        change = update(tasks).where(tasks.c.task_id == task_id).values(**values)
        await database.write(lambda c, change=change: c.execute(change))  # type: ignore[misc]
        if task.ended_at is None:
            going.add(task_id)
    if going:
        await _post_again(engine, database, going, seq)


async def _post_again(engine: EngineApi, database: Database, task_ids: set[int], seq: int) -> None:
    """Enqueue the posts of these tasks' events up to `seq`; existing outbox rows are kept."""
    async for event in engine.events(after=0):
        if event.seq > seq:
            return
        if event.body.task_id in task_ids:
            await database.write(partial(_enqueue_all, event=event))
        if event.seq == seq:
            return


class _StoredContext:
    """Read-model lookups within the transaction; implements `bot.outbox.render.RenderContext`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def task(self, task_id: int) -> TaskInfo | None:
        columns = (tasks.c.guild_id, tasks.c.owner_id, tasks.c.goal, tasks.c.demonstration)
        query = select(*columns).where(tasks.c.task_id == task_id)
        row = self._connection.execute(query).first()
        if row is None or not row.guild_id:
            return None
        root = select(groups.c.group_id).where(groups.c.task_id == task_id, groups.c.parent_id.is_(None))
        root_id = self._connection.execute(root).scalar() or 0
        mode = self._connection.execute(follow_mode_query(task_id, row.owner_id)).scalar()
        told = mode != "off"
        return TaskInfo(task_id, row.guild_id, row.owner_id, root_id, told, row.goal, row.demonstration)

    def agent(self, agent_id: int) -> AgentInfo | None:
        return self._agent(agents.c.agent_id == agent_id)

    def named(self, task_id: int, name: str) -> AgentInfo | None:
        return self._agent((agents.c.task_id == task_id) & (agents.c.name == name))

    def head(self, group_id: int) -> AgentInfo | None:
        head = select(groups.c.head_id).where(groups.c.group_id == group_id).scalar_subquery()
        return self._agent(agents.c.agent_id == head)

    def _agent(self, which: ColumnElement[bool]) -> AgentInfo | None:
        names = ("agent_id", "name", "persona", "leads", "role", "group_id", "did")
        row = self._connection.execute(select(*(agents.c[name] for name in names)).where(which)).first()
        if row is None:
            return None
        did = load_acts(row.did)
        return AgentInfo(row.agent_id, row.name, row.persona, row.leads, row.role, did, row.group_id)

    def followers(self, task_id: int) -> Followers:
        query = select(FOLLOWS.c.user_id, FOLLOWS.c.mode).where(FOLLOWS.c.task_id == task_id)
        rows = self._connection.execute(query.order_by(FOLLOWS.c.user_id)).all()
        return Followers(*(tuple(r.user_id for r in rows if r.mode == mode) for mode in ("answers", "all")))

    def watchers(self, guild_id: int) -> Watchers:
        query = select(GUILDS.c.approve_roles, GUILDS.c.alerts_id).where(GUILDS.c.guild_id == guild_id)
        row = self._connection.execute(query).first()
        if row is None:
            return Watchers()
        return Watchers(tuple(sorted(split_ids(row.approve_roles))), row.alerts_id or 0)

    def place_of(self, group_id: int) -> int:
        query = select(groups.c.channel_id, groups.c.thread_id).where(groups.c.group_id == group_id)
        row = self._connection.execute(query).first()
        return (row.thread_id or row.channel_id) if row else 0

    def asked(self, ref: str) -> QuotedMessage | None:
        columns = (incoming.c.user_id, incoming.c.excerpt)
        row = self._connection.execute(select(*columns).where(incoming.c.ref == ref)).first()
        return QuotedMessage(*row) if row else None
