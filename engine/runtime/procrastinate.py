"""The dispatcher for many machines: wake-ups are Procrastinate jobs, inserted in the sender's transaction.

One job runs one agent: `lock` is the agent (one turn at a time over all workers), `queueing_lock` merges
waiting wake-ups. Unread messages decide which agents have work, so a lost or repeated job costs only time.
A waiting job also covers new messages, because the sender holds the agent's row until its commit, and a
turn locks that row before it reads the inbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import procrastinate
import psycopg
import sqlalchemy as sa
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection

from engine.ports import Database, Wake
from engine.runtime.jobs import BatchedJobs, Places, open_connector
from engine.store.database import conninfo_of
from engine.store.prepared import Prepared, together

log = logging.getLogger(__name__)

QUEUE, QUEUE_OF_FEW = "agents", "agents-of-few"
CHANNEL = "procrastinate_any_queue_v1"
FEW, SPARE_PART = 8, 4
"""A job goes to the queue of few while its task has fewer than FEW waiting jobs; a quarter more slots serve
only that queue. The other slots become free in waves, when many calls end together."""
TASK = "turn"
RETRY_S = 2.0
NAMED = 10
_STEP = 100_000_000
"""Width of a priority class (people's messages, all else). Within a class a job queues behind waiting jobs
of its own task, not of others (start-time fair queueing), so a small task is served beside a large one."""

_lock = Prepared(
    sa.text("SELECT id FROM agents WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE")
)
_enlist = Prepared(
    sa.text("""
SELECT procrastinate_defer_jobs_v1(jobs) FROM (
SELECT array_agg(
    ROW(CASE WHEN backlog.size + w.place < :few THEN 'agents-of-few' ELSE 'agents' END,
        'turn', GREATEST(w.class - :span + 1, LEAST(w.class, head.at, tail.at - 1) - w.place),
        'agent:' || w.agent, 'agent:' || w.agent, jsonb_build_object('agent', w.agent, 'task', w.task),
        to_timestamp(w.due))::procrastinate_job_to_defer_v1) AS jobs
FROM (SELECT u.agent, a.task_id AS task, u.class, u.due,
             (row_number() OVER (PARTITION BY a.task_id, u.class ORDER BY u.number) - 1)::int AS place
      FROM unnest(CAST(:agents AS bigint[]), CAST(:classes AS int[]), CAST(:dues AS float8[]))
           WITH ORDINALITY AS u(agent, class, due, number)
      JOIN agents a ON a.id = u.agent
      WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs j
                        WHERE j.queueing_lock = 'agent:' || u.agent AND j.status = 'todo')
        AND NOT (CAST(:unless_busy AS boolean) AND a.reserved_tokens > 0)) AS w,
LATERAL (SELECT max(j.priority) AS at FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.priority <= w.class AND j.priority > w.class - :span) AS head,
LATERAL (SELECT min(j.priority) AS at FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.args->>'task' = w.task::text
           AND j.priority <= w.class AND j.priority > w.class - :span) AS tail,
LATERAL (SELECT count(*) AS size FROM (SELECT FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.args->>'task' = w.task::text LIMIT :few) AS those) AS backlog
) AS wanted WHERE jobs IS NOT NULL
""")
)
_BY_TASK = """
CREATE INDEX IF NOT EXISTS megaagent_jobs_by_task ON procrastinate_jobs ((args->>'task'), priority)
WHERE status = 'todo'
"""
_idle = Prepared(
    sa.text("""
SELECT a FROM unnest(CAST(:agents AS bigint[])) AS a
WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs j
                  WHERE j.lock = 'agent:' || a AND j.status IN ('todo', 'doing'))
""")
)
_stalled = Prepared(
    sa.text("""
SELECT j.id, (j.args->>'agent')::bigint FROM procrastinate_jobs j
LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
WHERE j.status = 'doing' AND j.queue_name IN ('agents', 'agents-of-few')
  AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => CAST(:after AS float8)))
""")
)
_still_doing = Prepared(
    sa.text("SELECT 1 FROM procrastinate_jobs WHERE id = :job AND status = 'doing' FOR UPDATE SKIP LOCKED")
)
_finish = Prepared(sa.text("SELECT procrastinate_finish_job_v1(:job, 'failed', true)"))


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """Times in seconds: heartbeat interval of a worker, silence after which it counts as dead, poll interval,
    and how long a stop waits for running turns."""

    heartbeat_s: float = 2.0
    stalled_s: float = 10.0
    poll_s: float = 0.5
    drain_s: float = 30.0


def create_queue(url: str) -> None:
    """Create Procrastinate's tables where they are missing. Blocking."""
    with psycopg.connect(conninfo_of(url), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('megaagent.queue'))")
        found = connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone()
        if found is None or found[0] is None:
            connection.execute(SchemaManager.get_schema().encode())
        connection.execute(_BY_TASK)


class ProcrastinateDispatcher:
    """Runs at most `slots` turns at once in this process, and a quarter more for tasks with few waiting jobs;
    with 0 it only enlists for workers elsewhere."""

    def __init__(self, db: Database, slots: int, options: QueueOptions | None = None) -> None:
        self._db, self._slots, self._options = db, slots, options or QueueOptions()
        conninfo = conninfo_of(db.url)
        connector = open_connector(conninfo)
        self._app = procrastinate.App(connector=connector)
        self._spare = slots // SPARE_PART
        self._jobs = BatchedJobs(connector, conninfo, CHANNEL, Places(slots, self._spare, QUEUE_OF_FEW))
        self._app.job_manager = self._jobs
        self._run: Callable[[int], Awaitable[None]] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._dead_job_task: asyncio.Task[None] | None = None
        self._turns: set[asyncio.Task[Any]] = set()
        self._waking: set[asyncio.Task[None]] = set()
        self._open = False

    async def start(self, run_turn: Callable[[int], Awaitable[None]]) -> None:
        """See `Dispatcher.start`."""
        self._run, self._open = run_turn, True
        self._app.task(name=TASK, queue=QUEUE)(self._turn)
        await self._app.open_async()
        if not self._slots:
            return
        self._worker = asyncio.create_task(self._work(), name="procrastinate")
        self._dead_job_task = asyncio.create_task(self._finish_dead_jobs(), name="dead-jobs")

    async def _work(self) -> None:
        """Run Procrastinate's worker; restart it when it fails because the server was unavailable."""
        options = self._options
        while self._open:
            try:
                await self._app.run_worker_async(
                    queues=[QUEUE, QUEUE_OF_FEW],
                    concurrency=self._slots + self._spare,
                    fetch_job_polling_interval=options.poll_s,
                    update_heartbeat_interval=options.heartbeat_s,
                    stalled_worker_timeout=options.stalled_s,
                    shutdown_graceful_timeout=options.drain_s,
                    delete_jobs="successful",
                    install_signal_handlers=False,
                )
            except Exception:
                log.exception("the queue's worker failed; restarting it")
            await self._give_back()
            if self._open:
                await asyncio.sleep(RETRY_S)

    async def _give_back(self) -> None:
        """Requeue the jobs that were fetched and not started, so that other workers get them at once."""
        jobs = [(job.id, int(str(job.task_kwargs["agent"]))) for job in self._jobs.give_back() if job.id]

        def work(connection: Connection) -> None:
            for number, agent in sorted(jobs, key=lambda pair: pair[1]):
                self._requeue(connection, number, agent)

        try:
            if jobs:
                await self._db.write(work)
        except Exception:
            log.exception("%s jobs could not be requeued; the check for dead jobs will do it", len(jobs))

    def enlist(self, connection: Connection, wakes: Sequence[Wake]) -> Sequence[Wake]:
        """See `Dispatcher.enlist`: inserts the wake-ups as jobs in this transaction.

        An agent with a reservation has a running call: its commit, which waits for this transaction's lock,
        sees the message and continues without a job. If its worker dies, `_finish_dead_jobs` wakes the agent.
        """
        self._defer(connection, [(wake.agent_id, wake.priority) for wake in wakes], unless_busy=True)
        return ()

    def wake(self, wakes: Sequence[Wake]) -> None:
        """See `Dispatcher.wake`. Only agents without a job need one; for others it was enlisted."""
        if wakes and self._open:
            waking = asyncio.create_task(self._wake_idle(tuple(wakes)), name="wake")
            self._waking.add(waking)
            waking.add_done_callback(self._waking.discard)

    def crowded(self) -> bool:
        """See `Dispatcher.crowded`: slots are many here, and continuing is cheaper than another job."""
        return False

    async def stop(self, drain: bool = True) -> None:
        """See `Dispatcher.stop`. Turns that do not end in time are cancelled and enlisted again."""
        self._open = False
        if not drain:
            for turn in self._turns:
                turn.cancel()
        for task in (self._dead_job_task, self._worker):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await self._give_back()
        await asyncio.gather(*self._waking, return_exceptions=True)
        await self._app.close_async()

    async def _turn(self, agent: int, **_for_fairness: int) -> None:
        if self._run is None:
            raise RuntimeError("the dispatcher was not started")
        turn = asyncio.ensure_future(self._run(agent))
        self._turns.add(turn)
        try:
            await turn
        except asyncio.CancelledError:
            turn.cancel()
            await self._again(agent, 0.0)
        except Exception:
            log.exception("turn of agent %s failed; retrying", agent)
            await self._again(agent, RETRY_S)
        finally:
            self._turns.discard(turn)

    async def _again(self, agent: int, later_s: float) -> None:
        """Enlist `agent` after a failed turn, when the database is back.

        The agent keeps the reservation of its call, so that no sweep would find it.
        """
        while True:
            try:
                return await self._db.write(lambda c: self._defer(c, [(agent, 5)], later_s))
            except Exception:
                if not self._open:
                    raise
                log.exception("agent %s could not be enlisted again; retrying", agent)
            with contextlib.suppress(asyncio.CancelledError):  # a stop: one last try
                await asyncio.sleep(RETRY_S)

    async def _wake_idle(self, wakes: tuple[Wake, ...]) -> None:
        priorities = {wake.agent_id: wake.priority for wake in wakes}

        def work(connection: Connection) -> None:
            idle = _idle.run(connection, agents=list(priorities)).fetchall()
            self._defer(connection, [(agent, priorities[agent]) for (agent,) in idle])

        try:
            await self._db.write(work)
        except Exception:
            log.exception("%s agents could not be woken; the next sweep tries again", len(wakes))

    def _defer(
        self,
        connection: Connection,
        agents: Sequence[tuple[int, int]],
        later_s: float = 0.0,
        *,
        unless_busy: bool = False,
    ) -> None:
        if not agents:
            return
        ids = [agent for agent, _ in agents]
        classes = [(10 - priority) * _STEP for _, priority in agents]
        due = time.time() + later_s if later_s else None
        with together(connection):
            _lock.run(connection, ids=ids)
            _enlist.run(
                connection,
                span=_STEP,
                few=FEW,
                agents=ids,
                classes=classes,
                dues=[due] * len(ids),
                unless_busy=unless_busy,
            )

    async def _finish_dead_jobs(self) -> None:
        """Finish jobs of dead workers and wake their agents again, each under the agent's lock."""
        while True:
            await asyncio.sleep(self._options.stalled_s / 2)
            try:
                dead = sorted(await self._db.read(self._stalled), key=lambda job: job[1])
                for job, agent in dead:
                    await self._db.write(lambda c, job=job, agent=agent: self._requeue(c, job, agent))  # type: ignore[misc]
                if dead:
                    agents = ", ".join(str(agent) for _, agent in dead[:NAMED])
                    more = f" and {len(dead) - NAMED} more" if len(dead) > NAMED else ""
                    log.warning("a worker has died; its agents are woken again: %s%s", agents, more)
            except Exception:
                log.exception("jobs of dead workers could not be read; retrying")

    def _stalled(self, connection: Connection) -> list[tuple[int, int]]:
        rows = _stalled.run(connection, after=self._options.stalled_s).fetchall()
        return [(int(job), int(agent)) for job, agent in rows]

    def _requeue(self, connection: Connection, job: int, agent: int) -> None:
        _lock.run(connection, ids=[agent])
        if _still_doing.run(connection, job=job).fetchone() is None:
            return
        _finish.run(connection, job=job)
        self._defer(connection, [(agent, 5)])
