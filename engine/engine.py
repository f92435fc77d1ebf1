"""The engine's facade: `await engine.handle(command)`, `engine.events(after=seq)`, `engine.look`
(queries)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from engine import commands as c
from engine.domain import limits
from engine.domain.goals import checked_goal
from engine.domain.limits import Caps
from engine.domain.models import DEMONSTRATION, check_model
from engine.errors import Invalid
from engine.events import Event, EventBody, load_event
from engine.handlers import (
    agents,
    attachments,
    continuation,
    decisions,
    gate_deadlines,
    gates,
    memories,
    messages,
    months,
    protections,
    recorded,
    repeats,
    tasks,
)
from engine.handlers.attachments import ImportedFile
from engine.handlers.result import HandlerResult
from engine.lifecycle import task_state
from engine.llm.demonstration import recording
from engine.monitoring.sweep import running_tasks
from engine.ports import Dispatcher, Record, StartRight, Wake
from engine.queries import Queries
from engine.runtime.git_history import GitHistory
from engine.runtime.monitor import Monitor
from engine.runtime.turn import EngineParts, TurnOptions, TurnRunner
from engine.settings import EngineSettings
from engine.steps.commit import Committed
from engine.store import lookup
from engine.store.core import EVENTS, acting, append_events, loads, new_key
from engine.store.prepared import Prepared
from engine.store.sql_queries import SqlQueries
from engine.workspace import normal_path, unpack

log = logging.getLogger(__name__)

PAGE = 500
IMPORTED_AT_ONCE = 250
POLL_S = 1.0
DEMONSTRATION_CAPS = {
    "agents": 8,
    "depth": 3,
    "members": 5,
    "steps": 30,
    "minutes": 60,
    "cost_micros": 10_000,
}
"""Room for the recorded team; of the money nothing is spent."""

SHARED_POLL_S = 0.25
"""Seconds between polls for events on PostgreSQL, where other processes write some too."""

_page = Prepared(
    sa.select(EVENTS.c.seq, EVENTS.c.at, EVENTS.c.kind, EVENTS.c.payload_json, EVENTS.c.by, EVENTS.c.by_name)
    .where(EVENTS.c.seq > sa.bindparam("after"))
    .order_by(EVENTS.c.seq)
    .limit(PAGE)
)
Files = TypeVar("Files", c.StartTask, c.ContinueTask, c.SayToAgent)
_Work = Callable[[Connection, Any, float], HandlerResult]
_HANDLERS: dict[type, _Work] = {
    c.EditMessage: messages.edit_message,
    c.WithdrawMessage: messages.withdraw_message,
    c.AnswerGate: gates.answer_gate,
    c.SetGateRule: gate_deadlines.set_gate_rule,
    c.SetMonthRule: months.set_month_rule,
    c.SetProtections: protections.set_protections,
    c.RecordRules: recorded.record_only,
    c.RecordSignIn: recorded.record_only,
    c.RecordSignOut: recorded.record_only,
    c.RecordArchive: recorded.record_archive,
    c.PauseTask: tasks.pause_task,
    c.ResumeTask: tasks.resume_task,
    c.StopTask: tasks.stop_task,
    c.RaiseCap: tasks.raise_cap,
    c.PauseAgent: agents.pause_agent,
    c.ResumeAgent: agents.resume_agent,
    c.EditAgent: agents.edit_agent,
    c.DismissAgent: agents.dismiss_agent,
    c.ReplaceAgent: agents.replace_agent,
    c.ForgetMemory: memories.forget_memory,
    c.EndRepeat: repeats.end_repeat,
    c.ResumeRepeat: repeats.resume_repeat,
}


_CUTS_OFF = (c.AnswerGate, c.StopTask, c.PauseAgent, c.DismissAgent, c.ReplaceAgent)
"""Commands after which model calls under way may have to be cancelled."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Options of an engine.

    `caps`: defaults of a task. `sweeps`: whether this process sweeps; one must. `asks_people`: False with a
    small model, whose tasks always end by themselves. `models`: those a task may name, None for any.
    """

    caps: Caps
    turn: TurnOptions = field(default_factory=TurnOptions)
    sweeps: bool = True
    asks_people: bool = True
    models: tuple[str, ...] | None = None

    @classmethod
    def of(cls, settings: EngineSettings, turn: TurnOptions | None = None) -> EngineOptions:
        """Build the options from the settings."""
        caps = Caps(
            agents=settings.max_agents,
            depth=settings.max_depth,
            members=settings.max_members,
            steps=settings.max_steps,
            cost_micros=int(settings.max_cost_usd * 1e6),
            tokens=settings.max_tokens,
            minutes=settings.max_minutes,
        )
        asks_people = settings.tool_profile == "full"
        return cls(caps, turn or TurnOptions(), asks_people=asks_people, models=settings.models())


class Engine:
    """Runs tasks. Construct with real parts, `await start()`, use, `await stop()`."""

    look: Queries

    def __init__(self, parts: EngineParts, dispatcher: Dispatcher, options: EngineOptions) -> None:
        self._parts, self._dispatcher, self._options = parts, dispatcher, options
        self._runner = TurnRunner(parts, options.turn, self._after_commit, dispatcher)
        self._git_history = GitHistory(parts.db, parts.workspace)
        watch = options.turn.tools.watch
        self._file_limits, self._unpacking = options.turn.tools.files, asyncio.Lock()
        self._new_events, self._has_waiters = asyncio.Event(), False
        self._shared = parts.db.url.startswith("postgres")
        wakes = (dispatcher.enlist, self._wake)
        self._monitor = Monitor(parts.db, parts.clock, wakes, self._notify_readers, watch, self._swept)
        self._monitor.models = options.models
        self.look = SqlQueries(parts.db, parts.workspace, self._git_history.catch_up)

    async def start(self) -> None:
        """Recover the work that a stop or crash left, then run."""
        if self._parts.outside is not None:
            self._parts.outside.listen(self._dispatcher.enlist, self._wake, self._notify_readers)
            await self._parts.outside.start()
        await self._dispatcher.start(self._runner.run_turn)
        if self._options.sweeps:
            await self._git_history.start()
        await self.resume_ready()
        if self._options.sweeps:
            await self._monitor.start()

    def ask_before_starts(self, right: StartRight) -> None:
        """Let the schedule start a repeated task only while `right` permits it to its creator."""
        self._monitor.right = right

    async def resume_ready(self) -> None:
        """Wake every agent with unread messages, an open turn or a reservation that it may not use: all that
        recovery needs, safe to repeat."""
        self._dispatcher.wake(await self._parts.db.read(task_state.ready_agents))
        self._dispatcher.wake(await self._parts.db.read(task_state.stranded_agents))

    async def stop(self, drain: bool = True) -> None:
        """Start no new turns; running steps reach their commit or are repeated at the next start."""
        await self._monitor.stop()
        self._runner.drain()
        await self._dispatcher.stop(drain)
        await self._runner.stop()
        await self._git_history.stop()
        if self._parts.outside is not None:
            await self._parts.outside.close()

    async def sweep(self) -> None:
        """Do what is due now: start repeats, remind people of open gates, check running tasks.

        The schedule calls this every few seconds in the process that sweeps; calls run one at a time.
        """
        await self._monitor.sweep()

    async def _swept(self) -> None:
        await self._git_history.look()
        if self._parts.outside is not None:
            await self._parts.outside.sweep()

    async def handle(self, command: c.Command) -> int:
        """Carry out one command. Return its id. Raises NotFound, WrongState, Invalid, NotConfigured."""
        now = self._parts.clock.now()
        if isinstance(command, c.StartTask):
            return await self._start_task(command, now)
        if isinstance(command, c.StartDemonstration):
            return await self._demonstrate(command, now)
        if isinstance(command, c.SayToAgent):
            return await self._send_to_agent(command, now)
        if isinstance(command, c.ContinueTask):
            return await self._continue_task(command, now)
        if isinstance(command, c.RepeatTask):
            limits.check_limits(command.limits)
            check_model(command.model, self._options.models)
            repeated, caps = command, _with_defaults(command.limits, self._options.caps)
            return await self._carry_out(
                command, now, lambda db: repeats.repeat_task(db, repeated, caps, now)
            )
        if isinstance(command, c.EditAgent):
            check_model(command.model, self._options.models)
        work = _HANDLERS[type(command)]
        done = await self._carry_out(command, now, lambda db: work(db, command, now))
        if isinstance(command, _CUTS_OFF):
            await self._runner.look()
        if self._parts.outside is not None and isinstance(command, c.AnswerGate | c.ResumeTask | c.RaiseCap):
            await self._parts.outside.make_approved()
        return done

    def recording(self, command: c.RecordRules | c.RecordSignIn | c.RecordSignOut) -> Record:
        """Return what adds a decision that is carried out elsewhere to the audit trail, for the transaction
        that carries it out."""

        def record(connection: Connection) -> None:
            subject = decisions.subject_of(connection, command)
            assert subject is not None
            decisions.record_decision(connection, command, subject, 0, self._parts.clock.now())

        return record

    async def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Yield every event with seq > `after` in order, then each new one; never ends by itself."""
        while True:
            new_events, self._has_waiters = self._new_events, True
            find = partial(_events_after, after=after)
            page = await self._parts.db.read(find)
            if page and self._shared:  # by other processes, which may not have flushed them
                page = await self._parts.db.read_durable(find)
            for event in page:
                yield event
                after = event.seq
            if not page:
                await _first_of(new_events, SHARED_POLL_S if self._shared else POLL_S)

    async def export_bundle(self, task_id: int, target: Path) -> None:
        """Write the task's file history as a git bundle to `target`. Raises NotFound when it has no files."""
        await self._git_history.catch_up(task_id)
        await self._parts.workspace.export_bundle(task_id, target)

    async def append_to_running(self, make: Callable[[int], EventBody | None]) -> tuple[int, ...]:
        """Append an event to every running task for which `make` returns one, for example that the model is
        unavailable. Return these tasks."""
        now = self._parts.clock.now()
        tasks = await self._parts.db.write(lambda db: _append_to_running(db, make, now))
        self._notify_readers()
        return tasks

    async def _carry_out(
        self, command: c.Command, now: float, work: Callable[[Connection], HandlerResult]
    ) -> int:
        """Carry out a command and add it to the audit trail, in one transaction; its events say whose it
        is."""

        def enlisting(connection: Connection) -> HandlerResult:
            subject = decisions.subject_of(connection, command)
            with acting(connection, *_person_of(command)):
                done = work(connection)
            if subject is not None:
                decisions.record_decision(connection, command, subject, done.id, now)
            return HandlerResult(done.id, tuple(self._dispatcher.enlist(connection, done.wakes)))

        done = await self._parts.db.write(enlisting)
        self._dispatcher.wake(done.wakes)
        self._notify_readers()
        return done.id

    def _after_commit(self, task_id: int, committed: Committed) -> None:
        if committed.wakes:
            self._dispatcher.wake(committed.wakes)
        # One process writes the git history; it finds the files of workers by its sweeps.
        if committed.files and self._options.sweeps:
            self._git_history.note(task_id)
        if self._options.sweeps and not committed.again and not committed.woke:
            self._monitor.check_soon(task_id)
        self._notify_readers()

    def _wake(self, wakes: tuple[Wake, ...]) -> None:
        if wakes:
            self._dispatcher.wake(wakes)

    def _notify_readers(self) -> None:
        """Wake the readers of events: some were committed."""
        if self._has_waiters:
            self._new_events.set()
            self._new_events, self._has_waiters = asyncio.Event(), False

    async def _start_task(self, command: c.StartTask, now: float) -> int:
        command = command if self._options.asks_people else replace(command, attended=False)
        checked_goal(command.goal)
        limits.check_limits(command.limits)
        check_model(command.model, self._options.models)
        caps = _with_defaults(command.limits, self._options.caps)
        command = await self._unpacked(command)
        if not command.files:
            return await self._carry_out(command, now, lambda db: tasks.start_task(db, command, caps, now))

        # The files need the task's id, so the task is held until they are stored, even across a crash.
        def hold(connection: Connection) -> HandlerResult:
            with acting(connection, *_person_of(command)):
                return tasks.start_held(connection, command, caps, now)

        held = await self._parts.db.write(hold)
        await self._import_files(
            held.id, command.files, command.by_name or command.by, f"t{held.id}.goal", now
        )
        return await self._carry_out(command, now, lambda db: tasks.release_held(db, held))

    async def _demonstrate(self, command: c.StartDemonstration, now: float) -> int:
        """Start the recorded task; its caps leave room for the recorded team whatever the settings are."""
        recorded = c.StartTask(
            recording().goal,
            command.by,
            command.space,
            model=DEMONSTRATION,
            origin=command.origin,
            quota=command.quota,
        )
        caps = replace(self._options.caps, **DEMONSTRATION_CAPS)
        return await self._carry_out(command, now, lambda db: tasks.start_task(db, recorded, caps, now))

    async def _continue_task(self, command: c.ContinueTask, now: float) -> int:
        command, caps = await self._unpacked(command), self._options.caps
        if command.files:
            await self._parts.db.write(lambda db: continuation.check_ended(db, command.task_id))
            key = f"continue.{command.task_id}.{new_key()}"
            await self._import_files(command.task_id, command.files, command.by_name, key, now)
        return await self._carry_out(
            command, now, lambda db: continuation.continue_task(db, command, caps, now)
        )

    async def _send_to_agent(self, command: c.SayToAgent, now: float) -> int:
        command = await self._unpacked(command)
        if command.files:
            agent = await self._parts.db.read(lambda db: lookup.get_agent(db, command.agent_id))
            key = f"say.{command.ref or f'{agent.id}.{new_key()}'}"
            await self._import_files(agent.task_id, command.files, command.by_name, key, now)
        return await self._carry_out(command, now, lambda db: messages.say_to_agent(db, command, now))

    async def _unpacked(self, command: Files) -> Files:
        """Return a command with checked paths and with archives unpacked, one command at a time: what they
        hold is in memory meanwhile. Raises Invalid."""
        if not command.files:
            return command
        async with self._unpacking:
            brought = await asyncio.to_thread(unpack, _checked_paths(command.files), self._file_limits)
        return replace(command, files=brought.files, left_out=tuple(brought.left_out))

    async def _import_files(
        self, task_id: int, files: Mapping[str, bytes], by: str, key: str, now: float
    ) -> None:
        """Import files in batches, so that other writes come in between; the task or message that needs them
        is written afterwards. Raises Invalid."""
        check = partial(attachments.check_room_for, task=task_id, files=files, limits=self._file_limits)
        await self._parts.db.read(check)
        paths = list(files)
        for first in range(0, len(paths), IMPORTED_AT_ONCE):
            part = paths[first : first + IMPORTED_AT_ONCE]
            blobs = await self._parts.workspace.put_many(task_id, [files[path] for path in part])
            imported = tuple(ImportedFile(p, b, len(files[p])) for p, b in zip(part, blobs, strict=True))
            await self._parts.db.write(
                partial(
                    attachments.import_files,
                    task=task_id,
                    files=imported,
                    by=by,
                    key=f"{key}.{first}",
                    now=now,
                )
            )
        self._git_history.note(task_id)


def _person_of(command: c.Command) -> tuple[str, str]:
    """Return who gave a command: the key, and the name as shown; "" where it names nobody."""
    return getattr(command, "by", ""), getattr(command, "by_name", "")


def _append_to_running(
    connection: Connection, make: Callable[[int], EventBody | None], now: float
) -> tuple[int, ...]:
    bodies = [body for task_id in running_tasks(connection) if (body := make(task_id)) is not None]
    append_events(connection, [(f"t{b.task_id}.{type(b).__name__}.{new_key()}", b) for b in bodies], now)
    return tuple(body.task_id for body in bodies)


def _checked_paths(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {normal_path(path): data for path, data in files.items()}


def _with_defaults(limits: c.Limits, caps: Caps) -> Caps:
    chosen = {name: getattr(limits, name) or getattr(caps, name) for name in Caps.__dataclass_fields__}
    if chosen["members"] < 1:
        raise Invalid("A head needs at least one member.", "Choose 1 or more.")
    return Caps(**chosen)


def _events_after(connection: Connection, after: int) -> list[Event]:
    rows = _page.all(connection, after=after)
    return [Event(r.seq, r.at, load_event(r.kind, loads(r.payload_json)), r.by, r.by_name) for r in rows]


async def _first_of(new_events: asyncio.Event, seconds: float) -> None:
    # Not asyncio.wait_for: before Python 3.12 it swallows a cancellation that comes together with the event.
    try:
        async with asyncio.timeout(seconds):
            await new_events.wait()
    except TimeoutError:
        return
