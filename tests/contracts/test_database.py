"""The contract of the Database port and of committed steps under contention."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from engine.budget.settlement import spend_dropped
from engine.commands import StartTask
from engine.domain.effects import ChangeFile, SendMessage, StepOutcome
from engine.domain.limits import Caps
from engine.domain.naming import name_key
from engine.domain.prompt import compose
from engine.domain.state import StepFacts, Turn
from engine.errors import Fenced, Stale
from engine.events import ModelBack
from engine.handlers.tasks import start_task
from engine.lifecycle.agents import NewAgent, add_agent
from engine.ports import ChatAnswer, Quote, Usage, Wake
from engine.runtime.procrastinate import ProcrastinateDispatcher, QueueOptions
from engine.steps.commit import commit_step
from engine.steps.load import CapHit, load_turn
from engine.store.core import AGENTS, BUDGETS, EVENTS, FILES, MESSAGES, REVISIONS, append_events
from engine.store.database import conninfo_of
from engine.store.prepared import driver_of
from tests.contracts.conftest import World
from tests.fakes.parts import CAPS

SHARED_QUEUE = pytest.mark.parametrize("world", ["postgresql-procrastinate"], indirect=True)
"""For what only a queue in a database that processes share can do."""


def composing(tokens: int = 100, micros: int = 50):  # type: ignore[no-untyped-def]
    """A composer whose prompts quote what is given."""

    def made(facts: StepFacts) -> Turn:
        return compose(facts, (), 10_000, lambda _request: Quote(tokens, micros))

    return made


def begin(connection: Connection, members: int = 2, caps: Caps = CAPS) -> tuple[int, list[int]]:
    """A task with a boss, who has messages, and members -> (task, [boss, *members])."""
    task = start_task(connection, StartTask("g", "me", "here"), caps, 1.0).id
    boss = connection.execute(sa.select(AGENTS).where(AGENTS.c.task_id == task)).one()
    made = [
        add_agent(
            connection,
            NewAgent(task, boss.group_id, boss.id, boss.budget_id, f"M{n}", "m", "i", "member", 1),
            1.0,
        )[0]
        for n in range(members)
    ]
    return task, [boss.id, *made]


def outcome(*effects, said: str = "", ends: bool = True) -> StepOutcome:  # type: ignore[no-untyped-def]
    """What a step comes to."""
    return StepOutcome(said, (), tuple(effects), ends, Usage(10, 0, 5), 7, "m", 1.0, 2.0)


def note(to: str, group: int = 1) -> SendMessage:
    """A message to one agent."""
    return SendMessage((name_key(to),), "hello", (to,), group)


async def load(world: World, agent: int, **quote: int) -> Turn:
    """The agent's next step."""
    turn = await world.write(lambda c: load_turn(c, agent, composing(**quote), 1.0))
    assert turn is not None
    return turn


async def test_an_error_rolls_back_its_own_work_and_no_other(world: World) -> None:
    """Of many writes at once the failing one leaves nothing, the others all stay."""

    def tell(number: int, connection: Connection) -> None:
        append_events(connection, [(f"k{number}", ModelBack(number))], 1.0)
        if number == 7:
            raise Stale("seven")

    written = await asyncio.gather(
        *(world.write(partial(tell, n)) for n in range(20)), return_exceptions=True
    )
    assert [type(one) for one in written if one is not None] == [Stale]
    kept = {row.task_id for row in await world.rows(sa.select(EVENTS.c.task_id))}
    assert kept == set(range(20)) - {7}


async def test_what_was_written_is_read_to_be_passed_on(world: World) -> None:
    """Also what nobody has flushed yet, seen by a write of its own before."""
    task, _ = await world.write(begin)
    await world.db.write(lambda c: append_events(c, [("k", ModelBack(task))], 1.0), durable=False)
    find = sa.select(EVENTS.c.key).where(EVENTS.c.key == "k")
    assert await world.db.read_durable(lambda c: c.execute(find).scalar()) == "k"


async def test_a_repeated_key_is_an_integrity_error_of_sqlalchemy(world: World) -> None:
    """Prepared statements run on the driver, yet their errors carry SQLAlchemy's names."""
    await world.write(lambda c: append_events(c, [("same", ModelBack(1))], 1.0))
    with pytest.raises(IntegrityError):
        await world.write(lambda c: append_events(c, [("same", ModelBack(1))], 1.0))


async def test_readers_never_pass_an_event_that_is_still_to_come(world: World) -> None:
    """While many transactions number events, a reader that follows seq sees every one exactly once."""

    def slowly(number: int, connection: Connection) -> None:
        append_events(connection, [(f"a{number}", ModelBack(number))], 1.0)
        if number % 3 == 0:
            time.sleep(0.005)
        append_events(connection, [(f"b{number}", ModelBack(number))], 1.0)

    writing = asyncio.gather(*(world.write(partial(slowly, n)) for n in range(40)))
    seen: list[int] = []
    while len(seen) < 80:
        after = seen[-1] if seen else 0
        query = sa.select(EVENTS.c.seq).where(EVENTS.c.seq > after).order_by(EVENTS.c.seq)
        seen += [row.seq for row in await world.rows(query)]
    await writing
    stored = [row.seq for row in await world.rows(sa.select(EVENTS.c.seq).order_by(EVENTS.c.seq))]
    assert seen == stored


async def test_a_message_that_wakes_is_found_behind_more_than_are_read_at_once(world: World) -> None:
    """Of a thousand reports only the last asks for an answer; all are read, the first first."""
    task, agents = await world.write(begin)
    row = {"task_id": task, "to_agent": agents[1], "from_kind": "agent", "from_name": "s", "text": "t"}
    for number in range(4):
        message = row | {"key": f"seed{number}", "created_at": 1.0, "wakes": number == 3}
        await world.write(lambda c, message=message: c.execute(MESSAGES.insert(), message) and None)  # type: ignore[misc]
        turn = await world.write(lambda c: load_turn(c, agents[1], composing(), 1.0, 2))
        assert (turn is not None) == (number == 3)
    assert turn is not None
    assert len(turn.facts.inbox) == 2
    committed = await world.write(lambda c: commit_step(c, turn, outcome(), 2.0))
    assert committed.again


async def test_only_the_first_of_two_commits_of_one_turn_counts(world: World) -> None:
    """A worker that was taken over is fenced: its step leaves nothing behind."""
    _, agents = await world.write(begin)
    first, second = await load(world, agents[0]), await load(world, agents[0])
    await world.write(lambda c: commit_step(c, first, outcome(note("M0")), 2.0))
    with pytest.raises(Fenced):
        await world.write(lambda c: commit_step(c, second, outcome(note("M1")), 2.0))
    to = [row.to_agent for row in await world.rows(sa.select(MESSAGES.c.to_agent).order_by(MESSAGES.c.id))]
    assert to == [agents[0], agents[1]]
    budget = (await world.rows(sa.select(BUDGETS)))[0]
    assert (budget.reserved_tokens, budget.calls, budget.spent_micros) == (0, 1, 7)


async def test_a_stale_commit_changes_nothing_and_can_be_made_again(world: World) -> None:
    """A name that is nobody makes the whole step stale; messages stay unread, the fence stays."""
    _, agents = await world.write(begin)
    turn = await load(world, agents[0])
    with pytest.raises(Stale):
        await world.write(lambda c: commit_step(c, turn, outcome(note("M0"), note("nobody")), 2.0))
    assert await world.scalar(sa.select(AGENTS.c.fence).where(AGENTS.c.id == agents[0])) == 0
    done = await world.write(lambda c: commit_step(c, turn, outcome(note("M0")), 2.0))
    assert [wake.agent_id for wake in done.wakes] == [agents[1]]


async def test_of_two_writers_of_one_file_the_second_must_look_again(world: World) -> None:
    """The current content is compared in the commit; revisions and files agree afterwards."""
    _, agents = await world.write(begin)
    await world.write(lambda c: commit_messages(c, agents[1:]))
    turns = [await load(world, agent) for agent in agents[1:]]
    change = [ChangeFile(1, "a.txt", blob, None, 3, "added") for blob in ("aaa", "bbb")]
    await world.write(lambda c: commit_step(c, turns[0], outcome(change[0]), 2.0))
    with pytest.raises((Stale, IntegrityError)):
        await world.write(lambda c: commit_step(c, turns[1], outcome(change[1]), 2.0))
    onto = ChangeFile(1, "a.txt", "bbb", "aaa", 3, "merged")
    await world.write(lambda c: commit_step(c, turns[1], outcome(onto), 2.0))
    revisions = await world.rows(sa.select(REVISIONS.c.blob, REVISIONS.c.id).order_by(REVISIONS.c.id))
    file = (await world.rows(sa.select(FILES)))[0]
    assert [row.blob for row in revisions] == ["aaa", "bbb"]
    assert (file.blob, file.revision) == ("bbb", revisions[-1].id)


def commit_messages(connection: Connection, agents: list[int]) -> None:
    """A message to each."""
    task = connection.execute(sa.select(AGENTS.c.task_id).limit(1)).scalar_one()
    for agent in agents:
        row = {
            "task_id": task,
            "to_agent": agent,
            "from_kind": "system",
            "from_name": "s",
            "text": "t",
            "key": f"seed{agent}",
            "created_at": 1.0,
        }
        connection.execute(MESSAGES.insert(), row)


async def test_many_who_write_to_each_other_at_once_neither_lock_up_nor_lose(world: World) -> None:
    """Twelve agents commit messages to all others at the same time: every message arrives."""
    _, agents = await world.write(lambda c: begin(c, 12))
    members = agents[1:]
    await world.write(lambda c: commit_messages(c, members))
    turns = [await load(world, agent) for agent in members]

    async def commit(turn: Turn) -> None:
        others = [note(f"M{n}") for n in range(12) if f"M{n}" != turn.facts.agent.name]
        await world.write(lambda c: commit_step(c, turn, outcome(*others), 2.0))

    async with asyncio.timeout(60):
        await asyncio.gather(*(commit(turn) for turn in turns))
    unread = sa.select(sa.func.count()).select_from(MESSAGES).where(MESSAGES.c.consumed_step.is_(None))
    assert await world.scalar(unread) == 12 * 11 + 1


async def test_reservations_cannot_overshoot_a_cap(world: World) -> None:
    """A call that might pass the cap together with those under way is refused; nothing of it is held."""
    caps = Caps(10, 5, 10, 10, 10**9, 250, 60)
    _, agents = await world.write(lambda c: begin(c, 3, caps))
    await world.write(lambda c: commit_messages(c, agents[1:]))
    turns = [await load(world, agent) for agent in agents[1:3]]
    with pytest.raises(CapHit):
        await load(world, agents[3])
    assert await world.scalar(sa.select(BUDGETS.c.reserved_tokens)) == 200
    await world.write(lambda c: spend_dropped(c, turns[0], _answer(), 1.0))
    assert await world.scalar(sa.select(BUDGETS.c.spent_tokens)) == 15
    for turn in turns:
        await world.write(partial(commit_step, turn=turn, outcome=outcome(), now=2.0))
    assert await world.scalar(sa.select(BUDGETS.c.reserved_tokens)) == 0


def _answer() -> ChatAnswer:
    return ChatAnswer("x", usage=Usage(10, 0, 5), cost_micros=7)


@SHARED_QUEUE
async def test_the_job_of_a_dead_worker_is_finished_and_its_agent_runs(world: World) -> None:
    """A job left in doing by a worker that is no more blocks nobody for longer than the silence allowed."""
    _, agents = await world.write(begin)
    sender = ProcrastinateDispatcher(world.db, 0)
    await world.write(lambda c: sender.enlist(c, [Wake(agents[0], 1)]))
    await world.write(
        lambda c: (
            driver_of(c).execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL") and None
        )
    )
    ran = asyncio.Event()

    async def run(agent: int) -> None:
        assert agent == agents[0]
        ran.set()

    worker = ProcrastinateDispatcher(world.db, 4, QueueOptions(0.2, 1.0, 0.1, 2.0))
    await worker.start(run)
    async with asyncio.timeout(60):
        await ran.wait()
    await worker.stop()


async def test_wake_ups_that_wait_are_folded_into_one(world: World) -> None:
    """However often an agent is woken before it runs, it runs once."""
    _, agents = await world.write(begin)
    dispatcher = world.dispatcher(1)
    runs: list[int] = []

    async def run(agent: int) -> None:
        runs.append(agent)

    # With one place all run in order, so a second run of the first would come before the other's.
    for agent in [agents[0]] * 5 + [agents[1]]:
        wakes = [Wake(agent, 1)]
        dispatcher.wake(await world.write(lambda c, w=wakes: list(dispatcher.enlist(c, w))))  # type: ignore[misc]
    await dispatcher.start(run)
    await world.until(lambda: _holds(agents[1] in runs))
    await dispatcher.stop()
    assert runs == agents[:2]


async def test_a_small_task_waits_behind_no_more_than_one_of_a_large_one(world: World) -> None:
    """With one place, tasks take turns, however much a large task enlisted before: then first come first."""
    large, many = await world.write(lambda c: begin(c, 12))
    small, few = await world.write(lambda c: begin(c, 2))
    dispatcher, order = world.dispatcher(1), list[int]()
    for task, agents in ((large, many), (small, few)):
        for agent in agents:
            wakes = [Wake(agent, task)]
            dispatcher.wake(await world.write(lambda c, w=wakes: list(dispatcher.enlist(c, w))))  # type: ignore[misc]

    async def run(agent: int) -> None:
        order.append(agent)

    await dispatcher.start(run)
    await world.until(lambda: _holds(len(order) == len(many) + len(few)))
    await dispatcher.stop()
    assert [agent for agent in order if agent in many] == many
    assert max(order.index(agent) for agent in few) <= 2 * len(few)


@SHARED_QUEUE
async def test_a_worker_outlives_the_loss_of_its_connections(world: World) -> None:
    """The server ends every connection, as at its restart: agents woken afterwards still run."""
    _, agents = await world.write(begin)
    worker, ran = world.dispatcher(4), list[int]()

    async def run(agent: int) -> None:
        ran.append(agent)

    await worker.start(run)
    await world.write(lambda c: worker.enlist(c, [Wake(agents[0], 1)]))
    await world.until(lambda: _holds(ran == agents[:1]))
    with psycopg.connect(conninfo_of(world.url), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await world.write(lambda c: worker.enlist(c, [Wake(agents[1], 1)]))
    await world.until(lambda: _holds(ran == agents[:2]))
    await worker.stop()


async def _holds(value: bool) -> bool:
    return value
