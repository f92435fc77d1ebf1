"""Reads inside steps find what belongs to their own task or agent, and nothing of the tasks beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.team import team_of
from engine.connectors import ledger
from engine.connectors.leaving import _agreed_at, _marks, holds_foreign
from engine.connectors.recovery import has_untold
from engine.domain.outcomes import Read, outcome_json
from engine.domain.waits import Awaited
from engine.events import AcceptedWorkChanged
from engine.lifecycle.agents import _free_name
from engine.lifecycle.ending import _sources
from engine.lifecycle.open_messages import open_messages, read_in_silence, said_in
from engine.lifecycle.replacement import _notes_of
from engine.lifecycle.run_evidence import account, last_run
from engine.lifecycle.waits import awaited_by, true_now
from engine.monitoring import snapshot
from engine.ports import OutsideLimits
from engine.steps.finish import _reopened
from engine.steps.load import _look
from engine.steps.unit_of_work import UnitOfWork
from engine.store.addresses import bases_of
from engine.store.core import (
    ACTION_REQUESTS,
    AGENTS,
    ASSIGNMENTS,
    EVENTS,
    FILES,
    GATES,
    INTERVENTIONS,
    MEMORIES,
    MESSAGES,
    OUTSIDE_CALLS,
    PACKAGE_REQUESTS,
    REVISIONS,
    SPENDING,
    STARTS,
    STEPS,
    TASK_ADDRESSES,
    TASKS,
    WAITS,
    dumps,
)
from engine.store.gates import answers_to
from engine.store.memory import RecallQuery, _old_steps
from engine.store.messages import owing_answers
from engine.store.model_calls import note_sent
from engine.store.months import spent_since
from engine.store.packages import asked_of
from engine.store.people import people_keys
from engine.store.protected import count_open, request_of
from engine.store.refusals import Lane, count_refusal, refused_so_far, still_refuses
from engine.store.starts import given
from engine.tools.base import ToolContext
from engine.tools.changes import _touches, _writers, paths_ever
from engine.tools.completeness import _loaded
from engine.tools.diff import _changed_after, _work, revision_at
from engine.tools.directory import _active_names, _find, _members
from engine.tools.files import _committed, blob_at
from engine.tools.finish import _is_judged, _open_work
from engine.tools.path_index import _changed
from engine.tools.reading import _documents, _seen
from tests.fakes.bystanders import NOW, Side, StoreOnOneConnection, Trio, make_trio, untouched
from tests.fakes.outside import tool as outside_tool
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


def numbers(connection: Connection, table: sa.Table) -> list[int]:
    """Every id that a table holds, of any task."""
    return list(connection.execute(sa.select(table.c.id).order_by(table.c.id)).scalars())


def of_agents(read: Callable[[Connection, int], object]) -> Callable[[Connection, Side], object]:
    """What is read of each agent of a task."""
    return lambda c, s: [read(c, agent) for agent in s.agents.values()]


def of_calls(read: Callable[[Connection, int, str], object]) -> Callable[[Connection, Side], object]:
    """What is read of each call that any task made."""
    return lambda c, s: [read(c, s.task, digest) for digest in digests(c, OUTSIDE_CALLS)]


def _task_of(connection: Connection, agent: int) -> int:
    return int(connection.execute(sa.select(AGENTS.c.task_id).where(AGENTS.c.id == agent)).scalar() or -1)


def _silent(connection: Connection, agent: int) -> object:
    return read_in_silence(connection, _task_of(connection, agent), agent, 1)


def _left(connection: Connection, side: Side) -> object:
    old = {"name": "Bob", "turn": 1, "in_turn": True, "summary_json": "[]", "todo_json": "[]"}
    left = SimpleNamespace(id=side.cy, task_id=side.task, **old)
    return _notes_of(connection, cast(Any, left))


def _unit(connection: Connection, side: Side) -> UnitOfWork:
    facts = SimpleNamespace(agent=SimpleNamespace(leads_group_id=None), task=SimpleNamespace(id=side.task))
    return UnitOfWork(connection, cast(Any, SimpleNamespace(facts=facts)), NOW)


def _changed_later(connection: Connection, side: Side) -> object:
    return _reopened(cast(UnitOfWork, SimpleNamespace(connection=connection, task_id=side.task)))


def _refusals(connection: Connection, agent: int) -> object:
    found = _look(connection, agent, 9, NOW)
    return found and found.agent.task_refusals


def _asked_again(side: Side) -> ledger.NewCall:
    return ledger.NewCall(side.task, side.ada, 1, 2, "again", replace(SHOP, reads_only=True), "d", "{}")


PATHS = ("a.py", "b.py", "notes.md")
SHOP = outside_tool("buy")
LANE, LATER = Lane("k", ("boss", "member")), 10**9
READS: dict[str, tuple[tuple[sa.Table, ...], Callable[[Connection, Side], object]]] = {
    "foreign text": ((OUTSIDE_CALLS, REVISIONS, MEMORIES), lambda c, s: holds_foreign(c, s.task)),
    "numbers in calls": ((OUTSIDE_CALLS,), lambda c, s: _marks(c, s.task, "shop", 0.0)),
    "agreed for the task": ((OUTSIDE_CALLS,), lambda c, s: _agreed_at(c, s.task, SHOP)),
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
    "files at a revision": ((REVISIONS,), lambda c, s: [blob_at(c, s.task, path, LATER) for path in PATHS]),
    "a file as it is": ((FILES,), lambda c, s: [_committed(c, s.task, path) for path in PATHS]),
    "revision at a time": ((REVISIONS,), lambda c, s: revision_at(c, s.task, NOW)),
    "changed after a revision": ((REVISIONS,), lambda c, s: _changed_after(c, s.task, 0)),
    "who changed what": ((REVISIONS,), lambda c, s: _writers(c, s.task, 0)),
    "work that is open": ((ASSIGNMENTS,), lambda c, s: _open_work(c, s.task, set())),
    "assignments by number": (
        (ASSIGNMENTS,),
        lambda c, s: [_work(c, s.task, number) for number in numbers(c, ASSIGNMENTS)],
    ),
    "members": ((AGENTS,), lambda c, s: [_members(c, group, -1) for group in s.groups.values()]),
    "names in a text": ((AGENTS,), lambda c, s: _loaded(c, s.task, "")[1]),
    "paths that are there": ((FILES,), lambda c, s: _changed(c, s.task, 0)),
    "a server that is away": ((OUTSIDE_CALLS,), lambda c, s: ledger.is_known_away(c, s.task, "shop", LATER)),
    "runs": ((EVENTS,), of_agents(lambda c, agent: last_run(c, _task_of(c, agent), agent))),
    "words read": ((MESSAGES,), of_agents(_silent)),
    "steps without an answer": ((STEPS,), of_agents(_silent)),
    "lines that were shown": ((STEPS,), of_agents(lambda c, agent: _seen(c, agent, begun=False))),
    "refusals": ((INTERVENTIONS,), lambda c, s: refused_so_far(c, s.task, LANE, "c").times),
    "refusals of a lane": ((INTERVENTIONS,), lambda c, s: still_refuses(c, s.task, LANE, 1)),
    "refusals of a task": ((INTERVENTIONS,), of_agents(_refusals)),
    "words for a successor": ((STEPS,), _left),
    "files for a successor": ((REVISIONS,), _left),
    "accepted work that changed": ((EVENTS,), _changed_later),
    "what is there already": ((FILES,), lambda c, s: true_now(c, s.task, [Awaited(one) for one in PATHS])),
    "work that is handed in": (
        (ASSIGNMENTS,),
        lambda c, s: true_now(c, s.task, [Awaited(assignment=one) for one in numbers(c, ASSIGNMENTS)]),
    ),
    "who waits": ((WAITS,), lambda c, s: awaited_by(c, s.task)),
    "who is watched to wait": ((WAITS,), lambda c, s: snapshot._waiting(c, s.task)),
    "who is watched": ((AGENTS,), lambda c, s: [row.id for row in snapshot._agents(c, s.task)]),
    "who had work": ((ASSIGNMENTS,), lambda c, s: snapshot._assigned(c, s.task)),
    "work that is watched": ((ASSIGNMENTS,), lambda c, s: snapshot.open_work(c, s.task)),
    "who asks people": ((GATES,), lambda c, s: snapshot._asking(c, s.task)),
    "what was done before": ((INTERVENTIONS,), lambda c, s: snapshot._acted(c, s.task)),
    "sources": ((OUTSIDE_CALLS,), lambda c, s: _sources(c, s.task)),
    "files of a report": ((FILES,), lambda c, s: account(c, s.task)),
    "runs of a report": ((EVENTS,), lambda c, s: account(c, s.task)),
    "people's words": ((MESSAGES,), lambda c, s: said_in(c, s.task)),
    "words in work": ((STEPS,), lambda c, s: open_messages(c, s.task)),
    "who wrote lately": ((REVISIONS,), lambda c, s: snapshot._written(c, s.task, NOW - 900)),
    "who talked": ((MESSAGES,), lambda c, s: snapshot._messages(c, s.task)),
    "steps that were summed up": (
        (STEPS,),
        of_agents(lambda c, agent: _old_steps(c, ["read_file"], RecallQuery(-1, agent, "", "", upto=LATER))),
    ),
    "results to use again": ((OUTSIDE_CALLS,), lambda c, s: ledger._reusable(c, _asked_again(s), NOW)),
    "questions that wait": (
        (AGENTS,),
        lambda c, s: [owing_answers(c, s.task, agent) for agent in s.agents.values()],
    ),
    "people who acted": ((EVENTS,), lambda c, s: people_keys(c, s.task)),
    "people who spoke": ((MESSAGES,), lambda c, s: people_keys(c, s.task)),
    "files that are awaited": ((WAITS,), lambda c, s: _unit(c, s).awaited_paths()),
    "what was given": ((STARTS,), lambda c, s: given(c, s.task)),
    "spent in a month": ((SPENDING,), lambda c, s: [spent_since(c, s.space, by, 0.0) for by in ("", "me")]),
    "answers of a lane": ((STEPS,), lambda c, s: refused_so_far(c, s.task, LANE, "other").answered),
}


FIRST_AGENT = sa.select(sa.func.min(AGENTS.c.id)).where(AGENTS.c.task_id == GATES.c.task_id).scalar_subquery()
QUIETLY: tuple[tuple[sa.Table, dict[str, object]], ...] = (
    (MESSAGES, {"from_kind": "person", "consumed_step": 1}),
    (STEPS, {"said": "", "calls_json": "[]"}),
)
LATER_CHANGED = AcceptedWorkChanged(1, 1, 1, "logo", "Ada", 1, "Cy", ("a.py",))
SHOWN = outcome_json(Read("a.md", 1, True, (1, 9, 9)))
GIVEN: dict[str, tuple[tuple[sa.Table, dict[str, object]], ...]] = {
    "foreign text": ((REVISIONS, {"note": "brought"}),),
    "numbers in calls": ((OUTSIDE_CALLS, {"arguments_json": '{"page": 1234}', "gate_id": None}),),
    "agreed for the task": ((OUTSIDE_CALLS, {"standing": True}),),
    "unknown calls": ((OUTSIDE_CALLS, {"state": "unknown"}),),
    "actions that wait": ((GATES, {"kind": "action", "basis": None}),),
    "agreed actions": ((GATES, {"agent_id": FIRST_AGENT}),),
    "a server that is away": ((OUTSIDE_CALLS, {"state": "failed"}),),
    "results to use again": ((OUTSIDE_CALLS, {"reads_only": True}),),
    "people who acted": ((EVENTS, {"by_name": "Zed"}), (MESSAGES, {"from_kind": "agent"})),
    "people who spoke": ((EVENTS, {"by_name": ""}),),
    "what was given": ((STARTS, {"limits_json": '{"agents": 3}'}),),
    "spent in a month": ((SPENDING, {"by": "me"}),),
    "accepted work that changed": (
        (EVENTS, {"kind": "AcceptedWorkChanged", "payload_json": dumps(asdict(LATER_CHANGED))}),
    ),
    "words in work": (*QUIETLY, (AGENTS, {"in_turn": True, "turn": 1})),
    "files of a report": ((EVENTS, {"kind": "Spoke"}),),
    "runs of a report": ((FILES, {"blob": None}),),
    "words for a successor": ((REVISIONS, {"agent": "Eve"}),),
    "files for a successor": ((STEPS, {"said": ""}),),
    "words read": QUIETLY,
    "steps without an answer": QUIETLY,
    "lines that were shown": ((STEPS, {"calls_json": dumps([("1", "read_file", "{}", "", SHOWN)])}),),
    "steps that were summed up": ((STEPS, {"calls_json": dumps([("1", "read_file", "{}", "", SHOWN)])}),),
    "refusals": ((STEPS, {"ended_at": NOW - 900}),),
    "refusals of a lane": ((STEPS, {"ended_at": NOW - 900}),),
}
"""What the rows of all have to hold, so that those of the others would be found."""


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
    nobody = replace(trio.subject, task=-1, space="none", agents=dict.fromkeys(trio.subject.agents, -1))
    for table, values in GIVEN.get(name, ()):
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


async def test_paths_are_those_that_the_task_ever_had(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """A path that only another task had is none of them."""
    store, trio = made
    store.undo()
    others = REVISIONS.c.task_id.in_([side.task for side in trio.bystanders])
    store.connection.execute(REVISIONS.update().where(others).values(path="theirs.py"))
    context = SimpleNamespace(task=SimpleNamespace(id=trio.subject.task), db=store, files={"new.py": None})
    assert await paths_ever(cast(ToolContext, context)) == {"a.py", "b.py", "new.py"}


def test_the_answer_under_way_is_the_agents_own(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """A later step of another agent does not make this one's newest step an earlier one."""
    store, trio = made
    store.undo()
    values: dict[str, Any] = {"calls_json": dumps([("1", "read_file", "{}", "", SHOWN)])}
    store.connection.execute(STEPS.update().values(**values))
    store.connection.execute(STEPS.update().where(STEPS.c.agent_id != trio.subject.cy).values(step=7))
    assert _seen(store.connection, trio.subject.cy, begun=True) == {}
    assert _seen(store.connection, trio.subject.cy, begun=False) == {("a.md", 1): set(range(1, 10))}


def test_a_task_is_judged_when_its_own_auditor_is_there(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """The auditors of other tasks judge theirs."""
    store, trio = made
    store.undo()
    others = TASKS.c.id.in_([side.task for side in trio.bystanders])
    store.connection.execute(TASKS.update().where(others).values(auditor_id=trio.before.ada))
    store.connection.execute(TASKS.update().where(TASKS.c.id == trio.subject.task).values(auditor_id=None))
    assert not _is_judged(store.connection, trio.subject.task)
    assert all(_is_judged(store.connection, side.task) for side in trio.bystanders)


def test_a_name_is_numbered_among_its_own_task(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """Numbers that another task has given away are free."""
    store, trio = made
    store.undo()
    taken = AGENTS.c.id == trio.before.bob
    store.connection.execute(AGENTS.update().where(taken).values(name="Ada 2", name_key="ada 2"))
    assert _free_name(store.connection, trio.subject.task, "Ada", frozenset()) == "Ada 2"
    assert _free_name(store.connection, trio.before.task, "Ada", frozenset()) == "Ada 3"


def test_calls_are_limited_for_each_task(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """The calls of others do not use up what one task may make."""
    store, trio = made
    store.undo()
    without_own(store.connection, trio.subject, (OUTSIDE_CALLS,))
    one = replace(SHOP, limits=OutsideLimits(per_task=1))
    ledger.check_limits(store.connection, trio.subject.task, one, NOW)
    for other in trio.bystanders:
        with pytest.raises(ledger.CallRefused):
            ledger.check_limits(store.connection, other.task, one, NOW)


def test_a_memory_brings_what_its_own_task_had_read(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """Files that people brought to one task make the memories of another none of outsiders."""
    store, trio = made
    store.undo()
    store.connection.execute(OUTSIDE_CALLS.delete())
    store.connection.execute(REVISIONS.update().values(note=""))
    brought = REVISIONS.c.task_id == trio.before.task
    store.connection.execute(REVISIONS.update().where(brought).values(note="brought"))
    for source, found in ((trio.after.task, False), (trio.before.task, True)):
        store.connection.execute(MEMORIES.update().values(task_id=source, space=trio.subject.space))
        assert holds_foreign(store.connection, trio.subject.task) is found


def test_a_memory_of_another_space_brings_nothing(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """Whatever the task that left it had read."""
    store, trio = made
    store.undo()
    store.connection.execute(OUTSIDE_CALLS.delete())
    theirs = REVISIONS.c.task_id == trio.before.task
    store.connection.execute(REVISIONS.update().values(note=""))
    store.connection.execute(REVISIONS.update().where(theirs).values(note="brought"))
    for space, found in ((trio.before.space, False), (trio.subject.space, True)):
        store.connection.execute(MEMORIES.update().values(task_id=trio.before.task, space=space))
        assert holds_foreign(store.connection, trio.subject.task) is found


def test_a_team_is_that_of_its_agents_task(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """Its size and the limits of the task, and of each agent the members that it leads."""
    store, trio = made
    store.undo()
    for number, side in enumerate((trio.before, trio.subject, trio.after), 6):
        here = TASKS.c.id == side.task
        store.connection.execute(TASKS.update().where(here).values(agents=number, max_agents=number + 10))
    for number, side in enumerate((trio.before, trio.subject, trio.after), 6):
        teams = {name: team_of(store.connection, side.agents[name]) for name in ("boss", "ada", "bob")}
        assert {(team.agents, team.max_agents) for team in teams.values()} == {(number, number + 10)}
        assert {name: team.members for name, team in teams.items()} == {"boss": 3, "ada": 1, "bob": 0}
        assert {name: team.room is None for name, team in teams.items()} == {
            "boss": True,
            "ada": False,
            "bob": False,
        }


def test_what_was_summed_up_is_not_read_again(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """The steps of an agent up to its own summary."""
    store, trio = made
    store.undo()

    def past() -> int:
        found = _look(store.connection, trio.subject.cy, 9, NOW)
        assert found is not None
        return len(found.past)

    others = AGENTS.c.id != trio.subject.cy
    store.connection.execute(AGENTS.update().where(others).values(summary_upto=1))
    assert past() == 1
    store.connection.execute(AGENTS.update().values(summary_upto=1))
    assert past() == 0


def test_an_agent_knows_the_people_of_its_own_groups(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """Beside it and below it; nobody of another group or task."""
    store, trio = made
    store.undo()

    def known(agent: int) -> tuple[set[int], set[int]]:
        found = _look(store.connection, agent, 9, NOW)
        assert found is not None
        return {row.id for row in found.peers}, {row.id for row in found.members}

    for side in (trio.before, trio.subject, trio.after):
        below = {side.ada, side.cy, side.agents["dee"], side.agents["auditor"]}
        assert known(side.boss) == (set(), below), "one that is paused, too"
        assert known(side.ada) == (below - {side.ada} | {side.boss}, {side.bob})
        assert known(side.bob) == (set(), set())


def test_words_read_in_silence_are_those_of_their_reader(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """What a colleague read in a step of the same number is the colleague's."""
    store, trio = made
    store.undo()
    for table, values in QUIETLY:
        store.connection.execute(table.update().values(**values))
    found = read_in_silence(store.connection, trio.subject.task, trio.subject.cy, 1)
    assert found and {each.to_id for each in found} == {trio.subject.cy}


def test_a_refusal_is_counted_for_its_task_alone(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """Where others were refused for the same reason, their counts stay."""
    store, trio = made
    store.undo()
    store.connection.execute(STEPS.update().values(ended_at=NOW - 900))
    with untouched(store.connection, trio.bystanders):
        count_refusal(store.connection, trio.subject.task, LANE, "c", NOW)
    assert refused_so_far(store.connection, trio.subject.task, LANE, "c").times == 4


def test_documents_are_those_that_the_task_names(made: tuple[StoreOnOneConnection, Trio]) -> None:
    """Other tasks name others."""
    store, trio = made
    store.undo()
    here = TASKS.c.id == trio.subject.task
    store.connection.execute(FILES.update().where(FILES.c.path == "a.py").values(path="a.md"))
    store.connection.execute(TASKS.update().values(deliverables_json='["b.md"]'))
    store.connection.execute(TASKS.update().where(here).values(deliverables_json='["a.md"]'))
    assert [row.path for row in _documents(store.connection, trio.subject.task)] == ["a.md"]
