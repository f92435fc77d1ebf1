"""The contract of turns on every backend: nothing lost, nothing twice, no agent left with unread messages.

The steps of a turn: docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import re

import sqlalchemy as sa

from engine import TurnOptions
from engine.commands import (
    DismissAgent,
    EditMessage,
    PauseAgent,
    PauseTask,
    ResumeAgent,
    ResumeTask,
    SayToAgent,
    StartTask,
    StopTask,
    WithdrawMessage,
)
from engine.events import AgentJoined, AgentSpoke, MessageRead
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import AGENTS, BUDGETS, EVENTS, MESSAGES, STEPS
from tests.contracts.conftest import World, ended, still, unread

HOPS = 6
CREW = 8


def crew(request: ChatRequest) -> ChatAnswer:
    """The boss recruits a crew and sends each a ball; everyone passes the ball on, HOPS times."""
    newest = request.messages[-1].content
    if request.role == "boss":
        if "begins" in newest:
            names = [{"name": f"P{n}", "role": "player", "instructions": "pass it on"} for n in range(CREW)]
            throws = [
                ("send_message", {"to": [f"P{n}"], "text": f"ball {n}.{HOPS}", "wait": True})
                for n in range(CREW)
            ]
            return call(("recruit", {"members": names}), *throws)
        return say("watching")
    balls = [(int(b), int(h)) for b, h in re.findall(r"ball (\d+)\.(\d+)", newest) if int(h) > 1]
    if not balls:
        return say("caught")
    passes = [
        ("send_message", {"to": [f"P{(b + h) % CREW}"], "text": f"ball {b}.{h - 1}", "wait": True})
        for b, h in balls
        if f"P{(b + h) % CREW}" != _name(request)
    ]
    kept = [say(f"dropped {b}.{h}") for b, h in balls if f"P{(b + h) % CREW}" == _name(request)]
    return call(*passes) if passes else kept[0]


def _name(request: ChatRequest) -> str:
    found = re.search(r"\bP\d+\b", request.messages[0].content)
    return found[0] if found else ""


async def test_all_messages_are_read_once_with_the_dispatcher_alone(world: World) -> None:
    """Every message ends in exactly one committed step of its addressee; steps and events have no holes."""
    engine = await world.start(crew)
    await engine.handle(StartTask("play", "me", "here"))
    await world.until(lambda: still(world))
    inbox_limit = await world.rows(sa.select(MESSAGES.c.to_agent, MESSAGES.c.consumed_step, MESSAGES.c.key))
    assert len({row.key for row in inbox_limit}) == len(inbox_limit) > CREW * 3
    steps = await world.rows(sa.select(STEPS.c.agent_id, STEPS.c.step))
    made = {(row.agent_id, row.step) for row in steps}
    assert all((row.to_agent, row.consumed_step) in made for row in inbox_limit)
    for agent in {row.agent_id for row in steps}:
        mine = sorted(row.step for row in steps if row.agent_id == agent)
        assert mine == list(range(1, len(mine) + 1))


async def test_reservations_end_at_nothing_and_spending_is_the_sum_of_steps(world: World) -> None:
    """After the work no money or token is held, and the budget says what the steps cost."""
    engine = await world.start(crew)
    await engine.handle(StartTask("play", "me", "here"))
    await world.until(lambda: still(world))
    budget = (await world.rows(sa.select(BUDGETS)))[0]
    cost = await world.scalar(sa.select(sa.func.sum(STEPS.c.cost_micros)))
    calls = await world.scalar(sa.select(sa.func.count()).select_from(STEPS))
    assert (budget.reserved_micros, budget.reserved_tokens) == (0, 0)
    assert (budget.spent_micros, budget.calls) == (cost, calls)


async def test_events_come_in_order_without_gaps_also_after_a_restart(world: World) -> None:
    """A reader that stops in the middle and comes back to another engine sees each event exactly once."""
    engine = await world.start(crew)
    seen = []
    task = await engine.handle(StartTask("play", "me", "here"))
    async for event in engine.events():
        seen.append(event.seq)
        if len(seen) == 9:
            break
    await world.stop(engine)
    engine = await world.start(crew)
    await world.until(lambda: still(world))
    await engine.handle(StopTask(task, "me"))
    rest = [event.seq for event in await ended(engine, task) if event.seq > seen[-1]]
    stored = [row.seq for row in await world.rows(sa.select(EVENTS.c.seq).order_by(EVENTS.c.seq))]
    assert seen + rest == stored


class Slow:
    """A model whose first call of a role waits until the test lets it go."""

    def __init__(self, role: str, answers: list[ChatAnswer]) -> None:
        self.role, self.answers = role, answers
        self.began, self.go = asyncio.Event(), asyncio.Event()
        self.prompts: list[str] = []

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        """The next of the answers."""
        if request.role != self.role:
            return say("nothing")
        self.prompts.append("\n".join(m.content for m in request.messages))
        self.began.set()
        await self.go.wait()
        return self.answers.pop(0) if self.answers else say("idle")


async def boss_of(world: World, task: int) -> int:
    """The boss' id."""
    query = sa.select(AGENTS.c.id).where(AGENTS.c.task_id == task, AGENTS.c.role == "boss")
    return int(await world.scalar(query))


async def test_a_message_withdrawn_while_it_is_read_repeats_the_model_call(world: World) -> None:
    """The answer made from withdrawn words is dropped, though paid for; the next prompt lacks them."""
    model = Slow("boss", [say("first"), say("second")])
    engine = await world.start(model)
    task = await engine.handle(StartTask("g", "me", "here"))
    boss = await boss_of(world, task)
    await model.began.wait()
    model.go.set()
    await world.until(lambda: still(world))
    model.go.clear()
    model.began.clear()
    await engine.handle(SayToAgent(boss, "SECRET", "me", "Me", ref="r1"))
    await engine.handle(SayToAgent(boss, "PLAIN", "me", "Me", ref="r2"))
    await model.began.wait()
    await world.until(lambda: _true("SECRET" in model.prompts[-1]))
    await engine.handle(WithdrawMessage("r1"))
    model.go.set()
    await world.until(lambda: still(world))
    assert "SECRET" not in model.prompts[-1]
    assert "PLAIN" in "".join(model.prompts)
    calls = await world.scalar(sa.select(BUDGETS.c.calls))
    assert calls == len(model.prompts)


async def _true(value: bool) -> bool:
    return value


async def test_an_edit_while_it_is_read_reaches_the_agent_once(world: World) -> None:
    """The agent answers the new words, and reading is announced once."""
    model = Slow("boss", [])
    model.go.set()
    engine = await world.start(model)
    boss = await boss_of(world, await engine.handle(StartTask("g", "me", "here")))
    await world.until(lambda: still(world))
    model.go.clear()
    model.began.clear()
    await engine.handle(SayToAgent(boss, "OLD words", "me", "Me", ref="r"))
    await model.began.wait()
    await engine.handle(EditMessage("r", "NEW words"))
    model.go.set()
    await world.until(lambda: still(world))
    assert "NEW words" in model.prompts[-1]
    assert "OLD words" not in model.prompts[-1]
    kinds = await world.rows(sa.select(EVENTS.c.kind).where(EVENTS.c.kind == MessageRead.__name__))
    assert len(kinds) == 1


async def _paid(world: World) -> bool:
    """Whether the first call is settled."""
    return bool(await world.scalar(sa.select(BUDGETS.c.calls)))


async def test_a_task_stopped_while_its_boss_thinks_keeps_only_the_spending(world: World) -> None:
    """Its call is given up at once and counts by its estimate; nobody continues."""
    recruits = call(("recruit", {"members": [{"name": "X", "role": "r", "instructions": "i"}]}))
    model = Slow("boss", [recruits])
    engine = await world.start(model)
    task = await engine.handle(StartTask("g", "me", "here"))
    await model.began.wait()
    await engine.handle(StopTask(task, "me"))
    await world.until(lambda: _paid(world))
    kinds = [row.kind for row in await world.rows(sa.select(EVENTS.c.kind).order_by(EVENTS.c.seq))]
    assert kinds[-1] == "TaskEnded"
    assert kinds.count(AgentJoined.__name__) == 1
    budget = (await world.rows(sa.select(BUDGETS)))[0]
    assert (budget.calls, budget.spent_micros, budget.reserved_tokens) == (1, 100, 0)


async def test_an_agent_dismissed_while_it_thinks_says_nothing_more(world: World) -> None:
    """After AgentLeft there is no word or file of it; its call is given up, and counts by its estimate."""
    speaks = call(("send_message", {"to": ["human"], "text": "too late"}), ("bad", {}))
    model = Slow("member", [speaks])

    async def script(request: ChatRequest) -> ChatAnswer:
        if request.role == "boss" and "begins" in request.messages[-1].content:
            member = {"name": "X", "role": "r", "instructions": "i"}
            note = {"to": ["X"], "text": "go", "wait": True}
            return call(("recruit", {"members": [member]}), ("send_message", note))
        return await model(request)

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await model.began.wait()
    member = await world.scalar(sa.select(AGENTS.c.id).where(AGENTS.c.name == "X"))
    await engine.handle(DismissAgent(member, "me"))

    async def booked() -> bool:
        budget = (await world.rows(sa.select(BUDGETS)))[0]
        steps = await world.scalar(sa.select(sa.func.count()).select_from(STEPS))
        return (budget.reserved_tokens, budget.calls) == (0, steps + 1) and await still(world)

    await world.until(booked)
    spoke = await world.rows(sa.select(EVENTS.c.payload_json).where(EVENTS.c.kind == AgentSpoke.__name__))
    assert not any("too late" in row.payload_json for row in spoke)
    assert await world.scalar(sa.select(BUDGETS.c.reserved_micros)) == 0


async def test_paused_tasks_and_agents_wait_and_resume(world: World) -> None:
    """While paused no model is called though there are messages; on resume the messages are read."""
    model = Slow("boss", [])
    model.go.set()
    engine = await world.start(model)
    task = await engine.handle(StartTask("g", "me", "here"))
    boss = await boss_of(world, task)
    for pause, resume in (
        (PauseTask(task, "me"), ResumeTask(task, "me")),
        (PauseAgent(boss, "me"), ResumeAgent(boss, "me")),
    ):
        await world.until(lambda: still(world))
        await engine.handle(pause)
        calls = len(model.prompts)
        await engine.handle(SayToAgent(boss, "are you there?", "me", "Me"))
        await asyncio.sleep(0.15)
        assert len(model.prompts) == calls
        assert await unread(world) == 1
        await engine.handle(resume)
        await world.until(lambda: still(world))
        assert "are you there?" in model.prompts[-1]


async def test_a_drained_stop_ends_at_the_next_commit_and_the_turn_resumes_later(world: World) -> None:
    """Stopping waits for the step under way; its turn resumes in the next engine, no step made twice."""
    model = Slow("boss", [call(("update_todo", {"items": []})), say("done")])
    engine = await world.start(model)
    await engine.handle(StartTask("g", "me", "here"))
    await model.began.wait()
    stopping = asyncio.create_task(world.stop(engine))
    await asyncio.sleep(0.05)
    model.go.set()
    await stopping
    assert len(model.prompts) == 1
    rows = await world.rows(sa.select(AGENTS.c.fence, AGENTS.c.in_turn))
    assert [(row.fence, bool(row.in_turn)) for row in rows] == [(1, True)]
    await world.start(model)
    await world.until(lambda: still(world))
    assert len(model.prompts) == 2


async def test_a_call_cut_off_by_a_stop_is_made_again(world: World) -> None:
    """Without drain the call is dropped and booked; the next engine repeats it and holds it once."""
    model = Slow("boss", [say("done")])
    engine = await world.start(model)
    await engine.handle(StartTask("g", "me", "here"))
    await model.began.wait()
    await world.stop(engine, drain=False)
    model.go.set()
    await world.start(model)
    await world.until(lambda: still(world))
    budget = (await world.rows(sa.select(BUDGETS)))[0]
    assert (len(model.prompts), budget.calls, budget.reserved_tokens) == (2, 2, 0)


async def test_one_message_at_a_time_reads_the_inbox_in_order(world: World) -> None:
    """With `inbox_limit=1` each step reads the oldest unread message."""
    model = Slow("boss", [])
    engine = await world.start(model, turn=TurnOptions(inbox_limit=1))
    boss = await boss_of(world, await engine.handle(StartTask("g", "me", "here")))
    await model.began.wait()
    for word in ("one", "two", "three"):
        await engine.handle(SayToAgent(boss, f"word {word}", "me", "Me"))
    model.go.set()
    await world.until(lambda: still(world))
    inputs = [row.input for row in await world.rows(sa.select(STEPS.c.input).order_by(STEPS.c.step))]
    found = [re.findall(r"word (\w+)", text) for text in inputs]
    assert [words for words in found if words] == [["one"], ["two"], ["three"]]


async def test_a_dropped_answer_with_nothing_left_to_do_holds_nothing(world: World) -> None:
    """The only message withdrawn while it was read: the reservation goes back, later words wake the agent."""
    model = Slow("boss", [])
    model.go.set()
    engine = await world.start(model)
    boss = await boss_of(world, await engine.handle(StartTask("g", "me", "here")))
    await world.until(lambda: still(world))
    model.go.clear()
    model.began.clear()
    await engine.handle(SayToAgent(boss, "never mind", "me", "Me", ref="r"))
    await model.began.wait()
    await engine.handle(WithdrawMessage("r"))
    model.go.set()
    await world.until(lambda: _held_nothing(world))
    await engine.handle(SayToAgent(boss, "after all", "me", "Me"))
    await world.until(lambda: still(world))
    assert "after all" in model.prompts[-1]


async def _held_nothing(world: World) -> bool:
    row = (await world.rows(sa.select(BUDGETS.c.reserved_tokens, BUDGETS.c.calls)))[0]
    return (row.reserved_tokens, row.calls) == (0, 2)
