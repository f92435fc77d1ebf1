"""Memory, monitoring and the budget tree behave alike on every backend."""

from __future__ import annotations

import random
from collections.abc import Mapping

import sqlalchemy as sa

from engine import TurnOptions
from engine.commands import StartTask
from engine.domain.recall import pack, signs_of
from engine.domain.snapshot import Finding, WatchOptions
from engine.events import AssignmentChanged, Intervened, TaskEnded
from engine.llm.scripted import call, say
from engine.monitoring.intervention import intervene
from engine.ports import ChatAnswer
from engine.store.core import AGENTS, BUDGETS, MEMORIES, STEPS, TASKS
from engine.store.memory import RecallQuery, kept_for, recall
from engine.tools import ToolOptions
from tests.contracts.conftest import World, ended
from tests.fakes.cast import Part, View, boss_of, cast, reviewing, worker

WATCH = WatchOptions(sweep_s=0.1, quiet_s=0.05, cooldown_s=0.1, silent_s=0.4)


async def play(world: World, parts: Mapping[str, Part]) -> tuple[TaskEnded, list[Intervened]]:
    """A task by these parts -> its end and what the monitor did."""
    tools = ToolOptions(audit_rounds=0, watch=WATCH)
    engine = await world.start(cast(parts), turn=TurnOptions(tools=tools), sweeps=True)
    events = await ended(engine, await engine.handle(StartTask("make it", "me", "guild:1")))
    bodies = [event.body for event in events]
    (end,) = [body for body in bodies if isinstance(body, TaskEnded)]
    return end, [body for body in bodies if isinstance(body, Intervened)]


def memory(text: str, **values: object) -> dict[str, object]:
    """A row of what is remembered."""
    base: dict[str, object] = {
        "task_id": 1,
        "agent_id": 1,
        "space": None,
        "text": text,
        "source": "Boss, step 1",
        "embedding": None,
        "key": text,
        "created_at": 1.0,
    }
    row = base | values
    packed = row["embedding"]
    return row | {"signs": signs_of(packed) if isinstance(packed, bytes) else None}


async def test_words_and_meanings_find_lines_within_their_scope(world: World) -> None:
    """Stems match, quotes and operators in the query do no harm, other agents' and spaces' lines stay out."""
    rows = [
        memory("The parsers were failing on tabs."),
        memory("A kitten sat.", embedding=pack([1.0, 0.0])),
        memory("Rain fell.", embedding=pack([0.0, 1.0])),
        memory("Somebody else's parser notes.", agent_id=2),
        memory("The team parses with regexes.", agent_id=None),
        memory("Earlier tasks parsed slowly.", task_id=9, agent_id=None, space="guild:1"),
        memory("Strangers parse too.", task_id=8, agent_id=None, space="guild:2"),
    ]
    await world.write(lambda c: c.execute(MEMORIES.insert(), rows))
    words = RecallQuery(1, 1, "guild:1", "parser' OR (parse:* & NEAR) \" --")
    found = {line.text for line in await world.db.read(lambda c: recall(c, words))}
    assert found == {rows[0]["text"], rows[4]["text"], rows[5]["text"]}
    meant = RecallQuery(1, 1, "guild:1", "feline", pack([1.0, 0.1]))
    assert [line.text for line in await world.db.read(lambda c: recall(c, meant))] == ["A kitten sat."]
    kept = await world.db.read(lambda c: kept_for(c, "guild:1", "parse it"))
    assert [line.text for line in kept] == ["Earlier tasks parsed slowly."]


async def test_meaning_reaches_far_back(world: World) -> None:
    """The line nearest in meaning is found first though thousands came after it."""
    dice = random.Random(8)

    def vector(like: list[float] | None = None) -> list[float]:
        return [dice.gauss(0, 1) if like is None else x + dice.gauss(0, 0.4) for x in like or range(96)]

    old = vector()
    rows = [memory("Long ago: the cat sat.", embedding=pack(old))]
    rows += [memory(f"Later line {n}.", embedding=pack(vector())) for n in range(3_000)]
    await world.write(lambda c: c.execute(MEMORIES.insert(), rows))
    found = await world.db.read(
        lambda c: recall(c, RecallQuery(1, 1, "guild:1", "feline", pack(vector(old))))
    )
    assert found[0].text == "Long ago: the cat sat."


async def test_forgotten_lines_are_not_found(world: World) -> None:
    """The index follows deletion."""
    await world.write(lambda c: c.execute(MEMORIES.insert(), [memory("The parser fails.")]))
    await world.write(lambda c: c.execute(MEMORIES.delete()))
    asking = RecallQuery(1, 1, "guild:1", "parser")
    assert await world.db.read(lambda c: recall(c, asking)) == []


async def test_a_fresh_agent_takes_over_the_work_of_a_replaced_one(world: World) -> None:
    """The old one leaves, its open assignment is not cancelled but handed over, the fresh one is woken."""

    def ada(view: View) -> ChatAnswer:
        return say("Later.")

    def fresh(view: View) -> ChatAnswer:
        if view.did("submit"):
            return say("Idle.")
        number = int(view.all.split("Assignment #")[1].split(",")[0])
        return call(("submit", {"assignment": number, "summary": "done"}))

    script = cast({"Boss": boss_of("Ada"), "Ada": ada, "Ada 2": fresh})
    engine = await world.start(script, turn=TurnOptions(tools=ToolOptions(audit_rounds=0)))
    task = await engine.handle(StartTask("make it", "me", "guild:1"))
    said = sa.select(sa.func.count()).where(STEPS.c.said == "Later.")

    async def ada_spoke() -> bool:
        return bool(await world.scalar(said))

    await world.until(ada_spoke)
    row = (await world.rows(sa.select(TASKS)))[0]
    ada_id = await world.scalar(sa.select(AGENTS.c.id).where(AGENTS.c.name == "Ada"))
    finding = Finding("silence", "#1", "replaced", ada_id, "Ada is silent", replace=ada_id)
    wakes = await world.write(lambda c: intervene(c, row, [finding], 2.0))
    assert len(wakes) == 1
    await engine.stop(drain=True)
    world.engines.remove(engine)
    again = await world.start(script, turn=TurnOptions(tools=ToolOptions(audit_rounds=0)))
    events = [event.body for event in await ended(again, task)]
    assert not [e for e in events if isinstance(e, AssignmentChanged) and e.state == "cancelled"]
    accepted = [e for e in events if isinstance(e, AssignmentChanged) and e.state == "accepted"]
    assert [e.assignee for e in accepted] == ["Ada 2"]


async def test_a_subtree_stops_at_its_budget_and_resumes_when_it_is_raised(world: World) -> None:
    """Its reservations settle to nothing and its spending counts in the task's too."""

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            ada = {"name": "Ada", "role": "w", "instructions": "w", "budget_usd": 0.000150}
            given = ("assign", {"to": "Ada", "title": "part", "details": "do"})
            return call(("recruit", {"members": [ada]}), given)
        if "Ada has no budget left" in view.last:
            return call(("set_budget", {"name": "Ada", "usd": 0.01}))
        return reviewing(view, 1)

    def ada(view: View) -> ChatAnswer:
        if view.steps < 12:
            return call(("search_files", {"pattern": f"x{view.steps}"}))
        return worker(view)

    end, acted = await play(world, {"Boss": boss, "Ada": ada})
    assert end.state == "done"
    assert ("budget", "paused") in {(seen.rule, seen.action) for seen in acted}
    query = sa.select(BUDGETS.c.spent_micros, BUDGETS.c.reserved_micros, BUDGETS.c.frozen).order_by(
        BUDGETS.c.id
    )
    root, share = await world.rows(query)
    assert root.spent_micros > share.spent_micros > 0
    assert (root.reserved_micros, share.reserved_micros, bool(share.frozen)) == (0, 0, False)
