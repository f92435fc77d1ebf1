"""Protected actions on every backend: asked for exactly, done once, over a restart; the rest goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from engine import Engine
from engine.commands import (
    AnswerGate,
    MonthRule,
    Protections,
    SetGateRule,
    SetMonthRule,
    SetProtections,
    StartTask,
)
from engine.errors import Invalid
from engine.events import CodeRan, GateRaised, load_event
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest, RunRequest, RunResult
from engine.store.core import AGENTS, DECISIONS, EVENTS, MESSAGES, STEPS, loads
from tests.contracts.conftest import World
from tests.fakes.outside import Shop, tool
from tests.fakes.parts import FakeSandbox

Call = tuple[str, dict[str, Any]]
RUN: Call = ("run", {"command": ["python", "a.py"]})
WRITE: Call = ("write_file", {"path": "a.py", "content": "print(1)\n"})
AGAIN: Call = ("write_file", {"path": "a.py", "content": "print(2)\n"})
DONE: Call = ("finish", {"report": "All is done."})
TEA: Call = ("shop__buy", {"item": "tea"})


def boss(*turns: tuple[Call, ...]) -> Callable[[ChatRequest], ChatAnswer]:
    """A boss that makes these calls, one a step; each of `turns` when it is woken, after which it waits."""

    def script(request: ChatRequest) -> ChatAnswer:
        said = [message for message in request.messages if message.role == "assistant"]
        waits = sum(not message.tool_calls for message in said)
        made = sum(bool(message.tool_calls) for message in said)
        before = sum(len(turn) for turn in turns[:waits])
        left = turns[waits][made - before :] if waits < len(turns) else ()
        return call(left[0]) if left else say("I wait.")

    return script


async def protect(engine: Engine, **what: Any) -> None:
    """Protect actions of the space "s"."""
    await engine.handle(SetProtections("s", Protections(**what), "ann", "Ann"))


async def open_gate(world: World, engine: Engine, task: int) -> Any:
    """The open gate about an action, once there is one."""

    async def asked() -> bool:
        return bool(await engine.look.gates(task))

    await world.until(asked)
    (gate,) = await engine.look.gates(task)
    return gate


async def told(world: World, words: str) -> bool:
    """Whether an agent was sent these words."""
    query = sa.select(sa.func.count()).where(MESSAGES.c.text.contains(words))
    return bool(await world.scalar(query))


async def test_a_run_is_asked_for_exactly_done_once_and_survives_a_restart(world: World) -> None:
    """The same run needs a second agreement; changed files are another run; who answered is in the trail."""
    ran: list[tuple[str, ...]] = []

    def behave(request: RunRequest) -> RunResult:
        ran.append(request.argv)
        return RunResult(0, "1")

    script = boss((WRITE, RUN), (RUN, RUN), (AGAIN, RUN))
    begun = await world.start(script, sandbox=FakeSandbox(behave))
    await protect(begun, run=True)
    task = await begun.handle(StartTask("g", "ann", "s"))
    gate = await open_gate(world, begun, task)
    assert (gate.kind, gate.default, ran) == ("action", "refuse_action", [])
    assert gate.call.tool == "run" and "a.py" in gate.call.arguments and len(gate.call.digest) == 64
    await world.stop(begun)
    engine = await world.start(script, sandbox=FakeSandbox(behave))
    await engine.handle(AnswerGate(gate.id, "ann", "allow_action", by_name="Ann"))
    await world.until(lambda: told(world, "once and exactly so"))
    second = await open_gate(world, engine, task)
    assert ran == [("python", "a.py")] and second.call.digest == gate.call.digest
    await engine.handle(AnswerGate(second.id, "ann", "refuse_action"))
    await world.until(lambda: told(world, "Do without it"))
    third = await open_gate(world, engine, task)
    assert third.call.digest != gate.call.digest and len(ran) == 1
    raised = await world.rows(sa.select(EVENTS).where(EVENTS.c.kind == GateRaised.__name__))
    shown = [load_event(row.kind, loads(row.payload_json)) for row in raised]
    assert all(isinstance(each, GateRaised) and each.call and each.agent_id for each in shown)
    runs = sa.select(sa.func.count()).where(EVENTS.c.kind == CodeRan.__name__)
    assert await world.scalar(runs) == 1
    answers = await world.rows(sa.select(DECISIONS.c.digest).where(DECISIONS.c.kind == "AnswerGate"))
    assert len(answers) == 2


async def test_an_end_a_large_team_and_every_tool_outside_wait_for_a_person(world: World) -> None:
    """Recruiting up to the number goes on by itself; what only reads asks too; after the agreement it is
    done, and the task ends."""
    people = [{"name": f"M{n}", "role": "w", "instructions": "work"} for n in range(3)]
    shop = Shop(tool("buy", reads_only=True))
    small: Call = ("recruit", {"members": people[:1]})
    large: Call = ("recruit", {"members": people[1:]})
    leads = boss((small, large, TEA, DONE))

    async def script(request: ChatRequest) -> ChatAnswer:
        if "You are Boss" not in request.messages[0].content:
            return say("ok")
        if "agreed that you finish" in request.messages[-1].content:
            return call(DONE)
        return leads(request)

    engine = await world.start(script, outside=shop)
    await protect(engine, recruit_over=2, finish=True, tools=True)
    task = await engine.handle(StartTask("g", "ann", "s"))

    async def all_asked() -> bool:
        return len(await engine.look.gates(task)) == 3

    await world.until(all_asked)
    gates = {gate.call.tool: gate for gate in await engine.look.gates(task) if gate.call}
    assert set(gates) == {"recruit", "buy", "finish"} and shop.made == []
    assert await world.scalar(sa.select(sa.func.count()).select_from(AGENTS)) == 2
    await engine.handle(AnswerGate(gates["buy"].id, "ann", "allow_call"))

    async def bought() -> bool:
        return shop.made == [("buy", "tea")]

    await world.until(bought)
    await engine.handle(AnswerGate(gates["recruit"].id, "ann", "refuse_action", "Two are enough."))
    await world.until(lambda: told(world, "Two are enough."))
    await engine.handle(AnswerGate(gates["finish"].id, "ann", "allow_action"))

    async def over() -> bool:
        return (await engine.look.task(task)).state == "done"

    await world.until(over)
    assert len(shop.made) == 1


async def test_two_who_change_different_rules_in_the_same_instant_keep_both(world: World) -> None:
    """Each sets its own fields alone, whichever is first; a refused one changes nothing."""
    engine = await world.start(lambda _: say("hm"))
    rules: list[Any] = [
        SetProtections("s", Protections(run=True), "ann", only=("run",)),
        SetProtections("s", Protections(recruit_over=4), "bob", only=("recruit_over",)),
        SetMonthRule("s", MonthRule(space_micros=50), "ann", only=("space_micros",)),
        SetMonthRule("s", MonthRule("Europe/Berlin", person_tokens=7), "bob", only=("zone", "person_tokens")),
        SetGateRule("s", "plan", 7_200.0, None, "ann"),
        SetGateRule("s", "plan", None, "approve", "bob"),
    ]
    await asyncio.gather(*map(engine.handle, rules))
    look = engine.look
    assert await look.protections("s") == Protections(run=True, recruit_over=4)
    assert await look.month_rule("s") == MonthRule("Europe/Berlin", 50, None, None, 7)
    plan = (await look.gate_rules("s"))["plan"]
    assert (plan.wait_s, plan.default) == (7_200.0, "approve")
    with pytest.raises(Invalid):
        await engine.handle(SetGateRule("s", "plan", None, "raise_half", "ann"))
    await engine.handle(SetProtections("s", Protections(), "ann"))
    assert await look.protections("s") == Protections()


async def test_an_agent_asks_for_at_most_three_at_a_time_of_each(world: World) -> None:
    """Counted over its steps: of five calls outside and five programs three each wait for people; one that is
    answered makes room, and colleagues' and other tasks' open ones take none."""
    shop = Shop(tool("buy"))
    buys: list[Call] = [("shop__buy", {"item": f"tea {n}"}) for n in range(5)]
    runs: list[Call] = [("run", {"command": ["python", f"{n}.py"]}) for n in range(5)]
    begun = await world.start(boss((*buys, *runs)), outside=shop)
    await protect(begun, run=True, tools=True)
    tasks = [await begun.handle(StartTask(goal, "ann", "s")) for goal in ("g", "h")]

    async def all_refused() -> bool:
        query = sa.select(sa.func.count()).where(STEPS.c.calls_json.contains("wait for the people"))
        return bool(await world.scalar(query) == 2 * 4)

    await world.until(all_refused)
    for task in tasks:
        asked = [gate.call.tool for gate in await begun.look.gates(task) if gate.call]
        assert sorted(asked) == ["buy"] * 3 + ["run"] * 3
    assert shop.made == []
