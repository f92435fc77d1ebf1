"""Agents that people pause, stop or replace stop at once, with all below; changes take effect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa

from engine.commands import (
    Command,
    DismissAgent,
    EditAgent,
    PauseAgent,
    ReplaceAgent,
    ResumeAgent,
    SayToAgent,
    StartTask,
    StopTask,
)
from engine.errors import Invalid, WrongState
from engine.events import AgentChanged, AssignmentChanged, load_event
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import AGENTS, BUDGETS, EVENTS, MESSAGES, STEPS, loads
from tests.contracts.conftest import World

CREW = call(
    ("recruit", {"members": [{"name": n, "role": "w", "instructions": "w"} for n in ("Ada", "Ben")]}),
    ("assign", {"to": "Ada", "title": "months", "details": "a table by month", "wait": True}),
)
MATES = call(
    ("recruit", {"members": [{"name": "Cy", "role": "w", "instructions": "w"}]}),
    ("assign", {"to": "Cy", "title": "rows", "details": "twelve rows", "wait": True}),
)


def asked(request: ChatRequest) -> str:
    """All that a request says."""
    return "\n".join(message.content for message in request.messages)


class Stage:
    """The boss recruits Ada and Ben, Ada recruits Cy, and Cy's model never answers until `answers`."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self.cancelled: list[int] = []
        self.answers = asyncio.Event()
        self.seen: dict[str, list[ChatRequest]] = {}

    def __call__(self, request: ChatRequest) -> object:
        """Answer as the agent that is asked, and keep its requests."""
        name = asked(request).partition("You are ")[2].partition(",")[0]
        self.seen.setdefault(name, []).append(request)
        if name == "Cy":
            return self.think(request)
        first = len(self.seen[name]) == 1
        return {"Boss": CREW, "Ada": MATES}.get(name, say("fine")) if first else say("fine")

    async def think(self, request: ChatRequest) -> ChatAnswer:
        """Wait as a slow endpoint does."""
        self.waiting.append(request.agent_id)
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            self.cancelled.append(request.agent_id)
            raise
        return say("at last")


async def play(world: World) -> tuple[Stage, dict[str, int], int]:
    """The stage at the moment when Cy thinks and all others rest -> it, ids by name, the task."""
    stage = Stage()
    engine = await world.start(stage, models=("usual", "large"))  # type: ignore[arg-type]
    task = await engine.handle(StartTask("g", "ann", "here"))

    async def settled() -> bool:
        busy = await world.rows(sa.select(AGENTS.c.name).where(AGENTS.c.in_turn, AGENTS.c.name != "Cy"))
        return bool(stage.waiting) and not busy

    await world.until(settled)
    rows = await world.rows(sa.select(AGENTS.c.name, AGENTS.c.id))
    return stage, {row.name: row.id for row in rows}, task


def _of(name: str) -> Callable[[dict[str, int], int], Command]:
    made: dict[str, Callable[[dict[str, int], int], Command]] = {
        "pause": lambda ids, _: PauseAgent(ids["Ada"], "ann", "Ann (Editors)"),
        "dismiss": lambda ids, _: DismissAgent(ids["Ada"], "ann", by_name="Ann"),
        "replace": lambda ids, _: ReplaceAgent(ids["Cy"], "ann", by_name="Ann"),
        "stop": lambda _, task: StopTask(task, "ann"),
    }
    return made[name]


@pytest.mark.parametrize("verb", ["pause", "dismiss", "replace", "stop"])
async def test_a_model_call_that_nobody_wants_any_more_is_cancelled(world: World, verb: str) -> None:
    """Its endpoint is left at once and not asked again; the estimate is booked, nothing stays reserved."""
    stage, ids, task = await play(world)
    before = await world.rows(sa.select(BUDGETS))
    await world.engines[0].handle(_of(verb)(ids, task))

    async def free() -> bool:
        cut = stage.cancelled == [ids["Cy"]]
        (now,) = await world.rows(sa.select(BUDGETS))
        booked = now.spent_tokens > before[0].spent_tokens and now.calls > before[0].calls
        return cut and booked and (now.reserved_tokens == 0 or verb == "replace")

    await world.until(free)
    asked_before = [request.agent_id for request in stage.seen["Cy"]]
    assert asked_before.count(ids["Cy"]) == 1
    assert await world.rows(sa.select(STEPS).where(STEPS.c.agent_id == ids["Cy"])) == []


async def test_an_agent_is_paused_and_resumed_with_all_below_it(world: World) -> None:
    """Who was paused alone before stays so; each pause names who made it; work goes on where it was."""
    stage, ids, task = await play(world)
    engine = world.engines[0]
    await engine.handle(PauseAgent(ids["Ben"], "ann", "Ann (Editors)"))
    await engine.handle(PauseAgent(ids["Boss"], "ben", "Ben (owner)"))
    states = {agent.name: agent.state for agent in await engine.look.agents(task)}
    assert set(states.values()) == {"paused"}
    with pytest.raises(WrongState):
        await engine.handle(PauseAgent(ids["Cy"], "ann"))
    stage.answers.set()
    await engine.handle(ResumeAgent(ids["Boss"], "ben", "Ben (owner)"))

    async def went_on() -> bool:
        return bool(await world.rows(sa.select(STEPS).where(STEPS.c.agent_id == ids["Cy"])))

    await world.until(went_on)
    states = {agent.name: agent.state for agent in await engine.look.agents(task)}
    assert states["Ben"] == "paused" and states["Ada"] != "paused"
    told = [body for body in await events(world) if isinstance(body, AgentChanged)]
    assert [(b.name, b.change, b.by_name, b.below) for b in told] == [
        ("Ben", "paused", "Ann (Editors)", 0),
        ("Boss", "paused", "Ben (owner)", 2),
        ("Boss", "resumed", "Ben (owner)", 2),
    ]


async def events(world: World) -> list[object]:
    """All events, in order."""
    rows = await world.rows(sa.select(EVENTS.c.kind, EVENTS.c.payload_json).order_by(EVENTS.c.seq))
    return [load_event(row.kind, loads(row.payload_json)) for row in rows]


async def test_a_correction_to_a_head_reaches_whom_it_concerns(world: World) -> None:
    """The head sees what it gave, changes it, and its member is told the whole changed text."""
    told: list[str] = []
    number = 0

    def script(request: ChatRequest) -> ChatAnswer:
        text = asked(request)
        if "You are Ada" in text:
            told.append(text)
            return say("fine")
        if "quarters" in text and "Assignment #" in text and "is changed" not in text:
            assert "[open work that you gave]" in text and text.count(": months") == 1  # said once
            return call(
                ("amend", {"assignment": number, "details": "a table by quarter", "why": "Ann asks for it"}),
                ("amend", {"assignment": number + 99, "details": "x", "why": "y"}),
            )
        return CREW if "Assignment #" not in text else say("fine")

    engine = await world.start(script)
    task = await engine.handle(StartTask("g", "ann", "here"))

    async def rest() -> bool:
        return bool(told) and not await world.rows(sa.select(AGENTS.c.id).where(AGENTS.c.in_turn))

    await world.until(rest)
    number = (await engine.look.assignments(task))[0].id
    boss = (await engine.look.task(task)).boss_id
    await engine.handle(SayToAgent(boss, "Quarters, please: quarters.", "ann", "Ann"))

    async def heard() -> bool:
        return "a table by quarter" in told[-1]

    await world.until(heard)
    assert "Your assignment" in told[-1] and "Ann asks for it" in told[-1]
    view = (await engine.look.assignments(task))[0]
    assert (view.title, view.details, view.state) == ("months", "a table by quarter", "open")
    changed = [b for b in await events(world) if isinstance(b, AssignmentChanged) and b.state == "amended"]
    assert [(b.assignment_id, b.giver, b.assignee, b.note) for b in changed] == [
        (number, "Boss", "Ada", "Ann asks for it")
    ]


async def test_new_instructions_and_another_model_take_effect_and_are_told(world: World) -> None:
    """The next step is asked of that model; the event says what it was, what it is, and who made it."""
    stage, ids, _ = await play(world)
    engine = world.engines[0]
    before = (await engine.look.agent(ids["Ben"])).instructions
    with pytest.raises(Invalid, match="not one the operator allows"):
        await engine.handle(EditAgent(ids["Ben"], None, "ann", model="dear"))
    await engine.handle(EditAgent(ids["Ben"], "Be brief.", "ann", "Ann (Editors)", model="large"))

    async def used() -> bool:
        return stage.seen["Ben"][-1].model == "large" if "Ben" in stage.seen else False

    await world.until(used)
    assert "Be brief." in asked(stage.seen["Ben"][-1])
    assert {r.model for r in stage.seen["Ada"]} == {""}
    told = [body for body in await events(world) if isinstance(body, AgentChanged)]
    assert [(b.change, b.by_name, b.before, b.after) for b in told] == [
        ("edited", "Ann (Editors)", before, "Be brief."),
        ("model", "Ann (Editors)", "", "large"),
    ]
    assert (await engine.look.agent(ids["Ben"])).model == "large"
    notes = sa.select(MESSAGES.c.text).where(
        MESSAGES.c.to_agent == ids["Ben"], MESSAGES.c.about == "correction"
    )
    assert "Ann (Editors)" in (await world.rows(notes))[0].text
    fresh = await engine.handle(ReplaceAgent(ids["Ben"], "ann"))
    assert (await engine.look.agent(fresh)).model == "large"


async def test_a_paused_colleague_is_shown_as_paused(world: World) -> None:
    """To who works beside it and to its head: it is there, and answers once it is resumed."""
    stage = Stage()
    engine = await world.start(stage)  # type: ignore[arg-type]
    await engine.handle(StartTask("g", "me", "here"))

    async def settled() -> bool:
        return {"Ada", "Cy"} <= set(stage.seen)

    await world.until(settled)
    ids = {agent.name: agent.id for agent in await engine.look.agents(1)}
    await engine.handle(PauseAgent(ids["Ben"], "me"))
    heard: dict[str, str] = {}
    for name in ("Ada", "Boss"):
        before = len(stage.seen[name])
        await engine.handle(SayToAgent(ids[name], "How is it going?", "me", "Me"))
        await world.until(_longer(stage.seen[name], before))
        heard[name] = stage.seen[name][-1].messages[-1].content
    assert "Beside you: Ben (w, paused)" in heard["Ada"]
    assert "Your members: Ada (w), Ben (w, paused)" in heard["Boss"]


def _longer(requests: list[ChatRequest], before: int) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return len(requests) > before

    return holds
