"""Questions that nobody answers: reminders one stage after another, then the default of their kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import sqlalchemy as sa

from engine import Engine, EngineOptions, EngineParts, TurnOptions
from engine.commands import AnswerGate, Limits, PauseTask, ResumeTask, SayToAgent, SetGateRule, StartTask
from engine.domain.gate_rules import STAGES
from engine.errors import Invalid
from engine.events import CapReached, EventBody, GateClosed, GateReminded, TaskEnded, load_event
from engine.llm.scripted import Script, ScriptedModel, call, say
from engine.ports import ChatAnswer, ChatRequest, Dispatcher
from engine.store.core import EVENTS, TASKS, loads
from engine.tools import ToolOptions
from engine.workspace import GitWorkspace
from tests.contracts.conftest import World
from tests.fakes.cast import View
from tests.fakes.parts import CAPS, FakeSandbox

HOUR_S = 3_600.0
PLAN = {"summary": "three parts", "groups": ["A", "B", "C"], "agents": 12}


@dataclass
class HandClock:
    """A clock that a test moves."""

    at: float = 1_700_000_000.0

    def now(self) -> float:
        """Return the time that the test has set."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Nothing here waits."""
        raise AssertionError(f"something waits for {seconds} s")


def planner(request: ChatRequest) -> ChatAnswer:
    """A boss that proposes a plan of twelve, then finishes by what it heard."""
    view = View(request)
    if not view.did("propose_plan"):
        return call(("propose_plan", PLAN))
    return call(("finish", {"report": f"heard: {view.last[-300:]}"}))


def asker(request: ChatRequest) -> ChatAnswer:
    """A boss that asks, then finishes by what it heard."""
    view = View(request)
    if not view.did("ask_human"):
        return call(("ask_human", {"question": "Which?", "options": ["this", "that"]}))
    return call(("finish", {"report": f"heard: {view.last[-300:]}"}))


class Wait:
    """An engine on a clock of its own whose sweeps are called by hand."""

    def __init__(
        self, world: World, script: Script, minutes: int = 60_000, dispatcher: Dispatcher | None = None
    ) -> None:
        self.world, self.clock, self.minutes = world, HandClock(), minutes
        parts = EngineParts(
            db=world.db,
            model=ScriptedModel(script),
            workspace=GitWorkspace(world.folder / "workspaces"),
            sandbox=FakeSandbox(),
            clock=self.clock,
        )
        turn = TurnOptions(tools=ToolOptions(plan_approval_over=8, audit_rounds=0))
        options = EngineOptions(CAPS, turn, sweeps=False)
        self.engine = Engine(parts, dispatcher or world.dispatcher(8), options)

    async def start(self) -> int:
        """Start a task and wait until it asks."""
        self.world.engines.append(self.engine)
        await self.engine.start()
        task = await self.engine.handle(StartTask("make it", "me", "here", Limits(minutes=self.minutes)))

        async def asked() -> bool:
            return bool(await self.engine.look.gates(task))

        await self.world.until(asked)
        return task

    async def pass_hours(self, hours: float) -> None:
        """Let time pass and sweep once."""
        self.clock.at += hours * HOUR_S
        await self.engine.sweep()

    async def told(self, kind: type[EventBody]) -> list[EventBody]:
        """Return the events of a kind so far."""
        query = sa.select(EVENTS).where(EVENTS.c.kind == kind.__name__).order_by(EVENTS.c.seq)
        return [load_event(row.kind, loads(row.payload_json)) for row in await self.world.rows(query)]

    async def end(self) -> TaskEnded:
        """Wait for the end."""

        async def ended() -> bool:
            return bool(await self.told(TaskEnded))

        await self.world.until(ended)
        (end,) = await self.told(TaskEnded)
        assert isinstance(end, TaskEnded)
        return end


async def test_people_are_reminded_stage_by_stage_before_a_default_applies(world: World) -> None:
    """Owner, approvers, administrators, a quarter of the wait apart, each once; then the default."""
    wait = Wait(world, planner)
    await wait.start()
    await wait.pass_hours(5.9)
    assert await wait.told(GateReminded) == []
    for number, stage in enumerate(STAGES, 1):
        await wait.pass_hours(6)
        await wait.engine.sweep()
        reminded = await wait.told(GateReminded)
        assert [each.stage for each in reminded] == list(STAGES[:number])  # type: ignore[union-attr]
        assert reminded[-1].stage == stage  # type: ignore[union-attr]
        assert await wait.told(GateClosed) == []
    await wait.pass_hours(6)
    assert (await wait.end()).state == "stopped"
    (closed,) = await wait.told(GateClosed)
    assert isinstance(closed, GateClosed)
    assert (closed.basis, closed.by) == ("timeout", "")
    assert closed.choice is not None and closed.choice.effect == "cancel"


async def test_a_plan_is_approved_unanswered_only_where_the_space_says_so(world: World) -> None:
    """The rule is set by a person, and both are in the audit trail."""
    wait = Wait(world, planner)
    await wait.engine.handle(SetGateRule("here", "plan", 4 * HOUR_S, "approve", "ann"))
    task = await wait.start()
    for _ in range(4):
        await wait.pass_hours(1.01)
    assert "work by your plan" in (await wait.end()).report
    newest = await wait.engine.look.decisions("here")
    assert [(each.kind, each.by) for each in newest] == [
        ("AnswerGate", ""),
        ("StartTask", "me"),
        ("SetGateRule", "ann"),
    ]
    assert (newest[0].task_id, newest[0].content["basis"]) == (task, "timeout")


async def test_silence_refuses_a_plan_that_comes_when_a_team_is_at_work(world: World) -> None:
    """A plan that nobody approved must not end the work that was started before it."""

    def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name != "Boss":
            return say("I wait.")
        if not view.did("recruit"):
            member = {"name": "Ada", "role": "writer", "instructions": "write"}
            return call(("recruit", {"members": [member]}), ("propose_plan", PLAN))
        return call(("finish", {"report": f"heard: {view.last[-300:]}"}))

    wait = Wait(world, script)
    await wait.start()
    for _ in range(4):
        await wait.pass_hours(6.1)
    end = await wait.end()
    assert end.state == "done"
    assert "Nobody approved your plan in time. Go on with the team there is." in end.report
    (closed,) = await wait.told(GateClosed)
    assert isinstance(closed, GateClosed)
    assert closed.choice is not None and (closed.basis, closed.choice.effect) == ("timeout", "refuse_plan")


@dataclass
class LingeringEnds:
    """Turns that have looked for work for the last time, and do not end before `go`."""

    dispatcher: Dispatcher
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self, run_turn: Callable[[int], Awaitable[None]]) -> None:
        """Start turns that linger."""

        async def lingering(agent_id: int) -> None:
            await run_turn(agent_id)
            self.looked.set()
            await self.go.wait()

        await self.dispatcher.start(lingering)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dispatcher, name)


async def test_a_default_reaches_an_agent_whose_turn_is_about_to_end(world: World) -> None:
    """What a sweep gives it to do is done without another sweep, however late its last turn ends."""
    ends = LingeringEnds(world.dispatcher(8))
    wait = Wait(world, planner, dispatcher=cast(Dispatcher, ends))
    await wait.engine.handle(SetGateRule("here", "plan", 4 * HOUR_S, "approve", "ann"))
    await wait.start()
    await ends.looked.wait()
    for _ in range(4):
        await wait.pass_hours(1.01)
    ends.go.set()
    assert "work by your plan" in (await wait.end()).report


async def test_an_agent_decides_by_itself_when_nobody_answers(world: World) -> None:
    """Its question is not answered in anybody's name."""
    wait = Wait(world, asker)
    await wait.start()
    for _ in range(4):
        await wait.pass_hours(6.01)
    report = (await wait.end()).report
    assert "Nobody answered your question" in report
    assert "decide yourself" in report


async def test_after_a_stop_of_the_engine_people_still_get_their_reminders(world: World) -> None:
    """A week later the first reminder comes, not the default."""
    wait = Wait(world, planner)
    task = await wait.start()
    await wait.pass_hours(24 * 7)
    await wait.engine.sweep()
    assert [type(each) for each in await wait.told(GateReminded)] == [GateReminded]
    gate = (await wait.engine.look.gates(task))[0]
    assert gate.due_at == pytest.approx(wait.clock.at + 18 * HOUR_S)
    await wait.engine.handle(AnswerGate(gate.id, "me", "approve"))
    await wait.pass_hours(24)
    assert len(await wait.told(GateReminded)) == 1
    assert "approved your plan" in (await wait.end()).report


@pytest.mark.parametrize(
    ("kind", "wait_s", "default"),
    [
        ("plan", 1.0, "cancel"),
        ("plan", 10**9, "cancel"),
        ("plan", HOUR_S, "raise_half"),
        ("tool", HOUR_S, "allow_call"),
        ("tool", HOUR_S, "allow_tool"),
        ("cap", HOUR_S, "raise_half"),
        ("share", HOUR_S, "raise_half"),
        ("question", HOUR_S, "approve"),
        ("nothing", HOUR_S, "stop"),
    ],
)
async def test_silence_never_spends_more_and_never_calls_out(
    world: World, kind: str, wait_s: float, default: str
) -> None:
    """Such rules are refused, with what can be chosen."""
    engine = await world.start(lambda _: say("hm"))
    before = await engine.look.gate_rules("here")
    with pytest.raises(Invalid):
        await engine.handle(SetGateRule("here", kind, wait_s, default, "me"))
    assert await engine.look.gate_rules("here") == before


async def test_rules_are_of_one_space(world: World) -> None:
    """What one server sets changes nothing in another."""
    engine = await world.start(lambda _: say("hm"))
    await engine.handle(SetGateRule("here", "audit", 2 * HOUR_S, "accept", "me"))
    assert (await engine.look.gate_rules("here"))["audit"].default == "accept"
    assert (await engine.look.gate_rules("there"))["audit"].default == "stop"


async def test_minutes_do_not_run_while_the_whole_task_waits_for_an_answer(world: World) -> None:
    """A question may wait for twenty hours in a task of 240 minutes, and a pause takes none of them either;
    what was worked before and after counts."""

    async def script(request: ChatRequest) -> ChatAnswer:
        if View(request).did("ask_human") and "hello" in View(request).all:
            await asyncio.Event().wait()
        return asker(request) if not View(request).did("ask_human") else say("I wait.")

    wait = Wait(world, script, minutes=240)
    task = await wait.start()
    await wait.pass_hours(0)
    await wait.pass_hours(20)
    (gate,) = await wait.engine.look.gates(task)
    assert gate.kind == "question"
    await wait.engine.handle(PauseTask(task, "me"))
    await wait.pass_hours(30)
    await wait.engine.handle(ResumeTask(task, "me"))
    row = (await world.rows(sa.select(TASKS)))[0]
    assert (row.waited_s, row.deadline_at - wait.clock.at) == (50 * HOUR_S, 4 * HOUR_S)
    # A message gives its boss work, so minutes run though the question is still open.
    boss = (await wait.engine.look.task(task)).boss_id
    await wait.engine.handle(SayToAgent(boss, "hello", "me", "Me"))
    await wait.pass_hours(0)
    await wait.pass_hours(3)
    assert (await wait.engine.look.task(task)).state == "running"
    await wait.pass_hours(1.1)
    paused = await wait.engine.look.task(task)
    assert (paused.state, paused.reason) == ("paused", "cap on minutes reached")
    reached = [each for each in await wait.told(CapReached) if isinstance(each, CapReached)]
    assert [(each.percent, each.spent) for each in reached if each.cap == "minutes"][-1] == (100, 246)
