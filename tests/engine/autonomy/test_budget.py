"""The budget tree in whole tasks: nothing is overspent, subtrees stop alone, people and heads decide."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import sqlalchemy as sa

from engine.commands import AnswerGate, Limits, PauseAgent, RaiseCap, SayToAgent
from engine.events import (
    AgentJoined,
    CapReached,
    CapsChanged,
    FileWritten,
    GateRaised,
    Intervened,
    TaskChanged,
)
from engine.lifecycle.open_messages import said_in
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer
from engine.store.core import BUDGETS, TASKS
from tests.engine.autonomy.conftest import CALM, Play, Stage
from tests.fakes.cast import View, boss_of, reviewing, worker
from tests.fakes.parts import CAPS

QUOTE = 100
"""Micro-dollars that the scripted model quotes for a call."""


async def spent(play: Play) -> list[tuple[int | None, int, int]]:
    """(whose subtree, spent, still reserved) of every budget in micro-dollars."""
    query = sa.select(BUDGETS.c.agent_id, BUDGETS.c.spent_micros, BUDGETS.c.reserved_micros)
    return [tuple(row) for row in await play.db.read(lambda c: c.execute(query.order_by(BUDGETS.c.id)).all())]


async def test_the_people_raise_a_cap_and_the_task_goes_on(stage: Stage) -> None:
    """At the cap everything rests; the answer decides."""
    play = await stage({"Boss": boss_of("Ada"), "Ada": worker}, caps=replace(CAPS, cost_micros=QUOTE + 15))
    gate = await play.until(GateRaised, kind="cap")
    assert play.of(CapReached, percent=100, cap="cost")
    await play.do(RaiseCap(play.task, Limits(cost_micros=10**6), "me"))
    assert (await play.end()).state == "done"
    assert (await play.engine.look.gate(gate.gate_id)).basis == "cap_raised"


async def test_wrapping_up_stops_everyone_but_the_boss(stage: Stage) -> None:
    """Open work is cancelled and the boss finishes with what there is, within a tenth more."""

    def boss(view: View) -> ChatAnswer:
        if "Wrap up:" in view.last:
            return call(("finish", {"report": "half of it"}))
        return boss_of("Ada", "Bob")(view)

    def endless(view: View) -> ChatAnswer:
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    caps = replace(CAPS, cost_micros=1_500, steps=9_000)
    play = await stage({"Boss": boss, "Ada": endless, "Bob": endless}, caps=caps)
    gate = await play.until(GateRaised, kind="cap")
    await play.do(AnswerGate(gate.gate_id, "me", "wrap_up"))
    end = await play.end()
    assert (end.state, end.report) == ("done", "half of it")
    assert {a.state for a in await play.engine.look.assignments(play.task)} == {"cancelled"}


async def test_what_was_handed_in_is_reviewed_while_wrapping_up(stage: Stage) -> None:
    """The boss accepts it and finishes in one answer: the tenth more is enough for no second one."""

    def boss(view: View) -> ChatAnswer:
        if "Wrap up:" in view.last:
            return call(("review", {"assignment": 1, "verdict": "accept"}), ("finish", {"report": "half"}))
        if not view.did("recruit"):
            return boss_of("Ada", "Bob")(view)
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    def bob(view: View) -> ChatAnswer:
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    caps = replace(CAPS, cost_micros=1_500, steps=9_000)
    play = await stage({"Boss": boss, "Ada": worker, "Bob": bob}, caps=caps)
    gate = await play.until(GateRaised, kind="cap")
    await play.do(AnswerGate(gate.gate_id, "me", "wrap_up"))
    end = await play.end()
    assert (end.state, end.report) == ("done", "half")
    assert [a.state for a in await play.engine.look.assignments(play.task)] == ["accepted", "cancelled"]
    assert len(play.of(GateRaised)) == 1


async def test_a_second_wrap_up_is_not_offered(stage: Stage) -> None:
    """The tenth more is given once, and a question offers only what is done then."""

    def boss(view: View) -> ChatAnswer:
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    caps = replace(CAPS, cost_micros=1_500, steps=9_000)
    play = await stage({"Boss": boss}, caps=caps)
    gate = await play.until(GateRaised, kind="cap")
    assert [choice.effect for choice in gate.choices] == ["raise_half", "wrap_up", "stop"]
    await play.do(AnswerGate(gate.gate_id, "me", "wrap_up"))
    again = await play.until(GateRaised, gate_id=gate.gate_id + 1)
    assert [choice.effect for choice in again.choices] == ["raise_half", "stop"]


async def test_an_unattended_task_wraps_up_by_itself(stage: Stage) -> None:
    """No gate, no waiting; what the boss reports is the end."""

    def boss(view: View) -> ChatAnswer:
        if "Wrap up:" in view.last:
            return call(("finish", {"report": "what there is"}))
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    caps = replace(CAPS, cost_micros=500, steps=9_000)
    play = await stage({"Boss": boss}, caps=caps, attended=False)
    assert (await play.end()).report == "what there is"
    assert not play.of(GateRaised) and not play.of(TaskChanged)


async def test_eighty_percent_is_said_once(stage: Stage) -> None:
    """People see it, and the boss reads it with its next messages."""
    told: list[bool] = []

    def boss(view: View) -> ChatAnswer:
        told.append("80% of what this task may use is used" in view.all)
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    caps = replace(CAPS, cost_micros=1_500, steps=9_000)
    play = await stage({"Boss": boss}, caps=caps)
    sweeps = asyncio.create_task(_sweep(play))  # the clock alone may be late between 80 % and the cap
    await play.until(GateRaised, kind="cap")
    sweeps.cancel()
    assert len(play.of(CapReached, percent=80, cap="cost")) == 1
    assert told[-1]


async def test_a_raised_cap_leaves_no_warning_of_the_old_one_unread(stage: Stage) -> None:
    """The boss waits when 80 % is used; before it reads that, people give more."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        if view.steps >= 40:  # a question, so that nothing else wakes it
            return call(("ask_human", {"question": "Which?"})) if view.steps == 40 else say("I wait.")
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    play = await stage({"Boss": boss}, caps=replace(CAPS, cost_micros=510, steps=9_000))
    sweeps = asyncio.create_task(_sweep(play))
    await play.until(CapReached, percent=80, cap="cost")
    sweeps.cancel()
    await play.do(RaiseCap(play.task, Limits(cost_micros=10_000), "me"))
    await play.do(SayToAgent((await play.engine.look.task(play.task)).boss_id, "Go on.", "me", "Ann"))
    while "Go on." not in heard[-1]:
        await play.more()
    assert "is used. Start nothing large" not in heard[-1]
    assert "The task's caps were changed: now at most" in heard[-1] and "$0.01" in heard[-1]
    (changed,) = play.of(CapsChanged)
    assert (changed.limits, changed.by) == (Limits(cost_micros=10_000), "me")


async def test_who_has_read_of_the_old_cap_is_told_the_new_one(stage: Stage) -> None:
    """The boss read that it should start nothing large; that is over when people give more."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        if view.steps >= 40:
            return call(("ask_human", {"question": "Which?"})) if view.steps == 40 else say("I wait.")
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    async def until_heard(words: str) -> str:
        await play.do(SayToAgent((await play.engine.look.task(play.task)).boss_id, words, "me", "Ann"))
        while words not in heard[-1]:
            await play.more()
        return heard[-1]

    play = await stage({"Boss": boss}, caps=replace(CAPS, cost_micros=510, steps=9_000))
    sweeps = asyncio.create_task(_sweep(play))
    await play.until(CapReached, percent=80, cap="cost")
    sweeps.cancel()
    assert "is used. Start nothing large" in await until_heard("What now?")
    await play.do(RaiseCap(play.task, Limits(cost_micros=50_000), "me"))
    after = await until_heard("Go on.")
    assert "The task's caps were changed: now at most" in after and "$0.05" in after


async def test_a_raised_cap_on_agents_is_said_again_when_it_is_full(stage: Stage) -> None:
    """Nobody was told of the second time, at which the task could recruit no more."""

    def boss(view: View) -> ChatAnswer:
        name = f"Ada {view.steps}"
        return call(
            ("recruit", {"members": [{"name": name, "role": "w", "instructions": "w"}], "wait": True})
        )

    play = await stage({"Boss": boss}, caps=replace(CAPS, agents=2))
    sweeps = asyncio.create_task(_sweep(play))
    await play.until(CapReached, percent=100, cap="agents", limit=2)
    await play.do(RaiseCap(play.task, Limits(agents=3), "me"))
    await play.do(SayToAgent((await play.engine.look.task(play.task)).boss_id, "One more.", "me", "Ann"))
    await play.until(CapReached, percent=100, cap="agents", limit=3)
    sweeps.cancel()


async def test_an_auditor_uses_up_no_room_of_the_cap_on_agents(stage: Stage) -> None:
    """The engine calls it: nothing is full for anybody, and people are told nothing."""

    def boss(view: View) -> ChatAnswer:
        return say("Waiting.") if view.did("finish") else call(("finish", {"report": "done"}))

    async def auditor(view: View) -> ChatAnswer:
        await asyncio.sleep(0.3)
        return call(("verdict", {"verdict": "accept", "findings": "fine"}))

    play = await stage({"Boss": boss, "Auditor": auditor}, caps=replace(CAPS, agents=2), audit_rounds=1)
    sweeps = asyncio.create_task(_sweep(play))
    await play.end()
    sweeps.cancel()
    assert not play.of(CapReached)


async def test_who_raises_a_cap_is_who_resumes_the_task(stage: Stage) -> None:
    """Others see in the channel who did it."""
    play = await stage({"Boss": lambda view: call(("list_files", {}))}, caps=replace(CAPS, cost_micros=1))
    await play.until(TaskChanged, state="paused")
    await play.do(RaiseCap(play.task, Limits(cost_micros=1_000_000), "person:7"))
    assert (await play.until(TaskChanged, state="running")).by == "person:7"


async def _sweep(play: Play) -> None:
    while True:
        await play.engine.sweep()


def _funded(usd: float) -> dict[str, object]:
    return {"name": "Ada", "role": "w", "instructions": "w", "budget_usd": usd}


async def test_a_subtree_stops_alone_at_its_budget_and_its_head_raises_it(stage: Stage) -> None:
    """Ada's share is used up: Bob goes on, the boss is asked and gives more, Ada finishes."""

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            members = [_funded(0.000200), {"name": "Bob", "role": "w", "instructions": "w"}]
            given = [("assign", {"to": n, "title": n, "details": "do"}) for n in ("Ada", "Bob")]
            return call(("recruit", {"members": members}), *given)
        if "Ada has no budget left" in view.last:
            return call(("set_budget", {"name": "Ada", "usd": 0.01}))
        return reviewing(view, 2)

    def ada(view: View) -> ChatAnswer:
        if view.steps < 15:
            return call(("search_files", {"pattern": f"x{view.steps}"}))
        return worker(view)

    play = await stage({"Boss": boss, "Ada": ada, "Bob": worker})
    assert (await play.end()).state == "done"
    assert play.of(Intervened, rule="budget", action="paused", name="Ada")
    assert not play.of(GateRaised) and not play.of(TaskChanged)
    root, share = await spent(play)
    assert share[0] is not None and share[1] <= 200 + 10_000
    assert root[1] > share[1] and root[2] == share[2] == 0


async def test_people_can_cap_and_free_one_agent(stage: Stage) -> None:
    """RaiseCap with an agent: its budget is made, stops it, and raised lets it go on."""
    go = asyncio.Event()

    def ada(view: View) -> ChatAnswer:
        if view.steps < 40 or not go.is_set():
            return call(("search_files", {"pattern": f"x{view.steps}"}))
        return worker(view)

    play = await stage({"Boss": boss_of("Ada"), "Ada": ada}, caps=replace(CAPS, steps=9_000))
    number = (await play.until(AgentJoined, name="Ada")).agent_id
    await play.do(RaiseCap(play.task, Limits(cost_micros=120), "me", number))
    await play.until(Intervened, rule="budget", action="asked")
    seen = (await play.engine.look.agent(number)).budget
    assert seen is not None and seen.caps == Limits(cost_micros=120)
    assert seen.stopped and seen.agents == 1 and 0 < seen.spent_micros <= 120
    go.set()
    await play.do(RaiseCap(play.task, Limits(cost_micros=10**6), "me", number))
    assert (await play.end()).state == "done"
    raised = (await play.engine.look.agent(number)).budget
    assert raised is not None and not raised.stopped
    assert all(a.budget is None for a in await play.engine.look.agents(play.task) if a.id != number)


async def test_minutes_are_a_cap_too(stage: Stage) -> None:
    """A task past its deadline pauses and asks. The answer is nothing that the work is judged by."""
    play = await stage({"Boss": lambda _: say("Waiting.")}, watch=replace(CALM, quiet_s=60))
    await play.db.write(lambda c: c.execute(TASKS.update().values(deadline_at=1.0, created_at=0.0)))
    gate = await play.until(GateRaised, kind="cap")
    assert "minutes" in gate.question
    assert play.of(CapReached, cap="minutes", percent=100)
    await play.do(AnswerGate(gate.gate_id, "me", "raise_half"))
    task = await play.engine.look.task(play.task)
    assert task.state == "running"
    assert (task.limits.minutes or 0) * 60 >= time.time() + CAPS.minutes * 30
    assert await play.db.read(lambda c: said_in(c, play.task)) == ()


async def test_the_cap_on_agents_is_said_and_recruiting_refused(stage: Stage) -> None:
    """The boss hears how many there may be; people see that the cap is reached; nothing pauses."""
    said: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if "Recruit fewer" in view.last:
            said.append(view.last)
            return call(("search_files", {"pattern": "x"}), ("finish", {"report": "with three"}))
        count = 2 if view.steps == 0 else 1
        members = [{"name": f"W{view.steps}{n}", "role": "w", "instructions": "w"} for n in range(count)]
        return call(("recruit", {"members": members}))

    play = await stage({"Boss": boss}, caps=replace(CAPS, agents=3), watch=replace(CALM, sweep_s=0.02))
    assert (await play.end()).report == "with three"
    assert "may have 3 agents" in said[0]


async def test_a_subtree_has_a_cap_on_agents_of_its_own(stage: Stage) -> None:
    """A head within its share may not recruit beyond it, whatever the task still allows."""

    seen: asyncio.Queue[str] = asyncio.Queue()

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            share = ("set_budget", {"name": "Ada", "agents": 3})
            given = ("assign", {"to": "Ada", "title": "t", "details": "d"})
            return call(("recruit", {"members": [_member("Ada")]}), share, given)
        return say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        if view.steps == 0:
            return call(("recruit", {"members": [_member(n) for n in ("A1", "A2", "A3")]}))
        if view.steps == 1:
            return call(("recruit", {"members": [_member("A1"), _member("A2")]}))
        if view.steps == 2:
            return call(("recruit", {"members": [_member("A3")]}))
        seen.put_nowait(view.all)
        return say("Waiting.")

    await stage({"Boss": boss, "Ada": ada})
    text = await asyncio.wait_for(seen.get(), 60)
    assert text.index("may have 2 more agents") < text.index("Joined your group: A1, A2")
    assert "may have 0 more agents" in text


def _member(name: str) -> dict[str, object]:
    return {"name": name, "role": "w", "instructions": "w"}


async def test_a_subtree_whose_minutes_are_over_stops_and_its_head_is_asked(stage: Stage) -> None:
    """The rest of the task goes on; more minutes set it going again."""

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            share = ("set_budget", {"name": "Ada", "minutes": 5})
            given = ("assign", {"to": "Ada", "title": "t", "details": "d"})
            return call(("recruit", {"members": [_member("Ada")]}), share, given)
        if "has no budget left for its next call (5 of 5 minutes used)" in view.last:
            return call(("set_budget", {"name": "Ada", "minutes": 5}))
        return reviewing(view, 1)

    def ada(view: View) -> ChatAnswer:
        return worker(view) if late.is_set() else call(("search_files", {"pattern": f"x{view.steps}"}))

    late = asyncio.Event()
    play = await stage({"Boss": boss, "Ada": ada}, caps=replace(CAPS, steps=9_000))
    await play.until(AgentJoined, name="Ada")
    share = BUDGETS.update().where(BUDGETS.c.deadline_at.is_not(None))
    await play.db.write(lambda c: c.execute(share.values(deadline_at=time.time() + 50)))
    near = await play.until(Intervened, rule="budget", action="nudged", name="Ada")
    assert near.detail == "4 of 5 minutes of the budget of Ada are used"
    await play.db.write(lambda c: c.execute(share.values(deadline_at=1.0)))
    await play.until(Intervened, rule="budget", action="paused", name="Ada")
    late.set()
    assert (await play.end()).state == "done"


async def test_work_whose_agent_cannot_run_is_brought_to_its_giver(stage: Stage) -> None:
    """A member paused by a person does nothing: its head hears why, and gives the work to another."""

    def boss(view: View) -> ChatAnswer:
        if "cannot continue: its agent is paused" in view.last:
            given = ("assign", {"to": "Bob", "title": "t", "details": "d"})
            return call(("dismiss", {"name": "Ada", "reason": "paused"}), given)
        if not view.did("recruit"):
            members = [_member("Ada"), _member("Bob")]
            return call(
                ("recruit", {"members": members}), ("assign", {"to": "Ada", "title": "t", "details": "d"})
            )
        return reviewing(view, 1)

    def ada(view: View) -> ChatAnswer:
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    play = await stage({"Boss": boss, "Ada": ada, "Bob": worker}, caps=replace(CAPS, steps=9_000))
    joined = await play.until(AgentJoined, name="Ada")
    await play.do(PauseAgent(joined.agent_id, "me"))
    assert (await play.end()).state == "done"
    assert play.of(FileWritten, name="Bob")
