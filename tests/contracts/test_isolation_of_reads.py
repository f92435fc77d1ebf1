"""Reads inside steps find what belongs to their own task or agent, and nothing of the tasks beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from engine.connectors import ledger
from engine.connectors.leaving import holds_foreign
from engine.connectors.recovery import has_untold
from engine.store.addresses import bases_of
from engine.store.core import (
    ACTION_REQUESTS,
    AGENTS,
    GATES,
    MEMORIES,
    OUTSIDE_CALLS,
    PACKAGE_REQUESTS,
    REVISIONS,
    TASK_ADDRESSES,
)
from engine.store.gates import answers_to
from engine.store.model_calls import note_sent
from engine.store.packages import asked_of
from engine.store.protected import count_open, request_of
from engine.tools.changes import _touches
from engine.tools.directory import _active_names, _find
from tests.fakes.bystanders import Side, StoreOnOneConnection, Trio, make_trio, untouched
from tests.fakes.parts import make_tables


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StoreOnOneConnection, Trio]]:
    """Three tasks in one store."""
    url = f"sqlite:///{tmp_path_factory.mktemp('reads') / 'world.db'}"
    make_tables(url)
    store = StoreOnOneConnection(url)
    trio = store.write_now(make_trio)
    store.keep()
    yield store, trio
    store.dispose()


def digests(connection: Connection, table: sa.Table) -> list[str]:
    """Every digest that a table holds, of any task."""
    return list(connection.execute(sa.select(table.c.digest).order_by(table.c.digest)).scalars())


def of_agents(read: Callable[[Connection, int], object]) -> Callable[[Connection, Side], object]:
    """What is read of each agent of a task."""
    return lambda c, s: [read(c, agent) for agent in s.agents.values()]


def of_calls(read: Callable[[Connection, int, str], object]) -> Callable[[Connection, Side], object]:
    """What is read of each call that any task made."""
    return lambda c, s: [read(c, s.task, digest) for digest in digests(c, OUTSIDE_CALLS)]


PATHS = ("a.py", "b.py", "notes.md")
READS: dict[str, tuple[tuple[sa.Table, ...], Callable[[Connection, Side], object]]] = {
    "foreign text": ((OUTSIDE_CALLS, REVISIONS, MEMORIES), lambda c, s: holds_foreign(c, s.task)),
    "unknown calls": ((OUTSIDE_CALLS,), of_calls(ledger.is_unknown)),
    "asked calls": ((OUTSIDE_CALLS,), of_calls(ledger.is_asked)),
    "calls that wait": ((OUTSIDE_CALLS,), of_agents(ledger.count_asked)),
    "untold calls": ((OUTSIDE_CALLS,), of_agents(has_untold)),
    "addresses": ((TASK_ADDRESSES,), lambda c, s: bases_of(c, s.task, ["https://games.example/"])),
    "answers": ((GATES,), of_agents(answers_to)),
    "packages": ((PACKAGE_REQUESTS,), lambda c, s: asked_of(c, s.task)),
    "actions that wait": ((GATES,), of_agents(count_open)),
    "agreed actions": (
        (ACTION_REQUESTS,),
        lambda c, s: [
            request_of(c, agent, digest)
            for agent in s.agents.values()
            for digest in digests(c, ACTION_REQUESTS)
        ],
    ),
    "agents by name": ((AGENTS,), lambda c, s: _find(c, s.task, {"ada", "bob"})),
    "names": ((AGENTS,), lambda c, s: _active_names(c, s.task)),
    "changes of files": ((REVISIONS,), lambda c, s: _touches(c, s.task, PATHS)),
}


FIRST_AGENT = sa.select(sa.func.min(AGENTS.c.id)).where(AGENTS.c.task_id == GATES.c.task_id).scalar_subquery()
GIVEN: dict[str, tuple[sa.Table, dict[str, object]]] = {
    "foreign text": (REVISIONS, {"note": "brought"}),
    "unknown calls": (OUTSIDE_CALLS, {"state": "unknown"}),
    "actions that wait": (GATES, {"kind": "action", "basis": None}),
    "agreed actions": (GATES, {"agent_id": FIRST_AGENT}),
}
"""What the rows of the others have to hold to be found."""


def without_own(connection: Connection, side: Side, tables: tuple[sa.Table, ...]) -> None:
    """Delete the rows of one task, in a world that is put back afterwards; memories of all."""
    connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    for table in tables:
        if table is MEMORIES:
            mine: sa.ColumnElement[bool] = sa.true()
        elif "task_id" in table.c:
            mine = table.c.task_id == side.task
        else:
            mine = table.c.agent_id.in_(side.agents.values())
        connection.execute(table.delete().where(mine))


@pytest.mark.parametrize("name", READS)
def test_a_read_inside_a_step_finds_nothing_of_other_tasks(
    made: tuple[StoreOnOneConnection, Trio], name: str
) -> None:
    """Where the task has nothing, it finds what a task that never was would find, though others have it."""
    store, trio = made
    store.undo()
    tables, read = READS[name]
    nobody = replace(trio.subject, task=-1, agents=dict.fromkeys(trio.subject.agents, -1))
    if name in GIVEN:
        table, values = GIVEN[name]
        store.connection.execute(table.update().values(**values))
    without_own(store.connection, trio.subject, tables)
    nothing = read(store.connection, nobody)
    assert read(store.connection, trio.subject) == nothing
    assert all(read(store.connection, other) != nothing for other in trio.bystanders)


def test_a_call_that_is_sent_is_noted_for_its_agent_alone(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """A call of another agent is left as it was."""
    store, trio = made
    store.undo()
    agents = [agent for side in (trio.subject, *trio.bystanders) for agent in side.agents.values()]
    store.connection.execute(AGENTS.update().where(AGENTS.c.id.in_(agents)).values(call=""))
    with untouched(store.connection, trio.bystanders):
        assert note_sent(store.connection, trio.subject.ada, "a call")
    calls = sa.select(AGENTS.c.id).where(AGENTS.c.call == "a call")
    assert store.connection.execute(calls).scalars().all() == [trio.subject.ada]
