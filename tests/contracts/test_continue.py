"""A task that has ended goes on where it was, under a budget that is known first; its words are kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import sqlalchemy as sa

from engine.commands import (
    ContinueTask,
    DismissAgent,
    EditMessage,
    Limits,
    PauseTask,
    Quota,
    RaiseCap,
    SayToAgent,
    StartTask,
    StopTask,
    WithdrawMessage,
)
from engine.errors import Invalid, NotFound, WrongState
from engine.events import AgentJoined, MessageRead, TaskContinued, TaskEnded
from engine.llm.scripted import Script, call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import AGENTS, BUDGETS, EVENTS, MEMORIES, MESSAGES, TASKS
from tests.contracts.conftest import World, ended, still

FINISH = call(("finish", {"report": "made", "lessons": ["cut once"]}))
LATER = ContinueTask(1, "ann", "Ann")


def asked(request: ChatRequest) -> str:
    """All that a request says."""
    return "\n".join(message.content for message in request.messages)


def finishing(seen: list[str]) -> Script:
    """Every agent's answer is the end; what it was asked is kept."""

    def script(request: ChatRequest) -> ChatAnswer:
        seen.append(asked(request))
        return FINISH

    return script


async def ends(world: World) -> int:
    """How often a task has ended."""
    query = sa.select(sa.func.count()).where(EVENTS.c.kind == TaskEnded.__name__)
    return int(await world.scalar(query.select_from(EVENTS)))


async def until_ends(world: World, times: int) -> None:
    """Wait until so many ends were told."""

    async def often() -> bool:
        return await ends(world) >= times

    await world.until(often)


async def test_it_goes_on_with_everything_it_had_and_with_what_was_said(world: World) -> None:
    """Same agents, files and past steps; words after the end are read; it ends again, with its lessons."""
    seen: list[str] = []
    engine = await world.start(finishing(seen))
    task = await engine.handle(StartTask("a poem", "ann", "here", attended=False, files={"a.md": b"x"}))
    await ended(engine, task)
    boss = int(await world.scalar(sa.select(AGENTS.c.id)))
    await engine.handle(SayToAgent(boss, "Make it rhyme.", "ben", "Ben (Editors)", ref="5:1"))
    assert await engine.look.task(task) == replace(await engine.look.task(task), state="done")
    await engine.handle(replace(LATER, task_id=task, text="And shorter.", ref="5:2"))
    await until_ends(world, 2)
    last = seen[-1]
    assert "a poem" in last and "Make it rhyme." in last and "And shorter." in last
    assert "Ben (Editors)" in last and "made" in last  # who said it, and its own report
    assert len(await engine.look.agents(task)) == 1 and await engine.look.read_file(task, "a.md") == b"x"
    lessons = await world.rows(sa.select(MEMORIES.c.text))
    assert [row.text for row in lessons] == ["cut once", "cut once"]
    kinds = [row.kind for row in await world.rows(sa.select(EVENTS.c.kind).order_by(EVENTS.c.seq))]
    assert kinds.count(TaskContinued.__name__) == 1 and kinds.count(MessageRead.__name__) == 2
    assert (await engine.look.task(task)).continued == 1


async def test_it_may_use_what_was_said_first_and_no_more(world: World) -> None:
    """Caps count on top of what was used; its minutes begin again; `/task cap` counts from there too."""
    go = asyncio.Event()
    go.set()

    async def finishes(_request: ChatRequest) -> ChatAnswer:
        await go.wait()
        return FINISH

    engine = await world.start(finishes)
    small = Limits(cost_micros=50_000, tokens=900_000, minutes=7)
    task = await engine.handle(StartTask("g", "ann", "here", small, attended=False))
    await ended(engine, task)
    used = (await engine.look.task(task)).spend.cost_micros
    await engine.handle(replace(LATER, task_id=task))
    await until_ends(world, 2)
    view = await engine.look.task(task)
    assert view.given == Limits(cost_micros=50_000, tokens=900_000, minutes=7)
    assert view.limits.cost_micros == used + 50_000 and view.limits.minutes == 7
    go.clear()  # or the task ends before its cap is changed
    await engine.handle(replace(LATER, task_id=task, limits=Limits(cost_micros=20_000, minutes=3)))
    await engine.handle(RaiseCap(task, Limits(minutes=30), "ann"))
    row = (await world.rows(sa.select(TASKS)))[0]
    assert row.deadline_at == pytest.approx(row.continued_at + 30 * 60)
    assert row.max_minutes == 30
    go.set()
    await until_ends(world, 3)


async def test_nothing_that_runs_or_is_not_there_is_continued(world: World) -> None:
    """Each refusal says what to do instead, and changes nothing."""

    async def waits(_request: ChatRequest) -> ChatAnswer:
        raise AssertionError("a paused task asks nothing")

    engine = await world.start(waits, slots=0)
    with pytest.raises(NotFound, match="/task list"):
        await engine.handle(LATER)
    task = await engine.handle(StartTask("g", "ann", "here"))
    with pytest.raises(WrongState, match="has not ended: it is running"):
        await engine.handle(replace(LATER, task_id=task, files={"late.md": b"x"}))
    assert await engine.look.files(task) == []
    await engine.handle(StopTask(task, "ann"))
    with pytest.raises(Invalid):
        await engine.handle(replace(LATER, task_id=task, limits=Limits(tokens=-1)))
    with pytest.raises(Invalid, match=r"path"):
        await engine.handle(replace(LATER, task_id=task, files={"../x": b"x"}))
    assert (await engine.look.task(task)).state == "stopped"


THEM = [{"name": n, "role": "w", "instructions": "w"} for n in ("Ada", "Ben")]
TEAM = call(
    ("recruit", {"members": THEM}),
    ("dismiss", {"name": "Ben", "reason": "not needed"}),
)


async def test_who_left_stays_away_and_who_wrapped_up_is_back(world: World) -> None:
    """Words to one who left go to the boss; a wrap-up's pause ends; the auditor of the end is gone."""

    def script(request: ChatRequest) -> ChatAnswer:
        if request.role != "boss":
            return call(("send_message", {"to": ["Boss"], "text": "hm", "needs_answer": False}))
        return FINISH if "Wrap up" in asked(request) or "continues it" in asked(request) else TEAM

    engine = await world.start(script)
    task = await engine.handle(StartTask("g", "ann", "here"))

    async def recruited() -> bool:
        return len(await engine.look.agents(task)) == 3

    await world.until(recruited)
    await engine.handle(StopTask(task, "ann"))
    await world.write(
        lambda c: c.execute(
            AGENTS.update().where(AGENTS.c.name == "Ada").values(status="paused", paused_with=0)
        )
    )
    agents = {agent.name: agent for agent in await engine.look.agents(task)}
    assert agents["Ben"].state == "dismissed"
    await engine.handle(SayToAgent(agents["Ben"].id, "Why blue?", "ann", "Ann", ref="5:9"))
    await engine.handle(EditMessage("5:9", "Why green?", ("a.md",)))
    await engine.handle(replace(LATER, task_id=task))
    await until_ends(world, 2)
    agents = {agent.name: agent for agent in await engine.look.agents(task)}
    assert agents["Ben"].state == "dismissed" and agents["Ada"].state == "idle"
    (read,) = await world.rows(sa.select(MESSAGES).where(MESSAGES.c.text.contains("Why ")))
    assert read.to_agent == agents["Boss"].id
    assert read.text == "(said to Ben, who has left)\nWhy green?\n(files brought: a.md)"
    joined = sa.select(EVENTS.c.seq).where(EVENTS.c.kind == AgentJoined.__name__)
    assert len(await world.rows(joined)) == 3


async def test_changed_words_still_say_whom_they_were_said_to(world: World) -> None:
    """Two who were to read them leave; only the person's own words are changed then."""
    answers = [call(("recruit", {"members": THEM}))]

    def script(request: ChatRequest) -> ChatAnswer:
        return answers.pop() if request.role == "boss" and answers else say("hm")

    engine = await world.start(script)
    task = await engine.handle(StartTask("g", "ann", "here"))

    async def recruited() -> bool:
        return len(await engine.look.agents(task)) == 3

    await world.until(recruited)
    await engine.handle(PauseTask(task, "ann"))
    await world.until(lambda: still(world))
    agents = {agent.name: agent.id for agent in await engine.look.agents(task)}
    await world.write(
        lambda c: c.execute(AGENTS.update().where(AGENTS.c.name == "Ben").values(head_id=agents["Ada"]))
    )
    await engine.handle(SayToAgent(agents["Ben"], "Blue.", "ann", "Ann", ref="5:1"))
    for name, words in (("Ben", "Green."), ("Ada", "Red.")):
        await engine.handle(DismissAgent(agents[name], "ann"))
        await engine.handle(EditMessage("5:1", words))
    (kept,) = await world.rows(sa.select(MESSAGES).where(MESSAGES.c.ref == "5:1"))
    assert kept.to_agent == agents["Boss"]
    assert kept.text == "(said to Ada, who cannot act on it)\n(said to Ben, who cannot act on it)\nRed."


async def test_kept_words_can_be_taken_back(world: World) -> None:
    """A message written after the end and deleted is not read when the task goes on."""
    seen: list[str] = []
    engine = await world.start(finishing(seen))
    task = await engine.handle(StartTask("g", "ann", "here", attended=False))
    await ended(engine, task)
    boss = int(await world.scalar(sa.select(AGENTS.c.id)))
    await engine.handle(SayToAgent(boss, "Forget this.", "ann", "Ann", ref="5:1"))
    await engine.handle(WithdrawMessage("5:1"))
    await engine.handle(replace(LATER, task_id=task))
    await until_ends(world, 2)
    assert "Forget this." not in seen[-1]


async def test_two_who_continue_at_once_continue_once(world: World) -> None:
    """The second hears that it runs; nothing of its budget is added."""
    engine = await world.start(finishing([]), slots=0)
    task = await engine.handle(StartTask("g", "ann", "here"))
    await engine.handle(StopTask(task, "ann"))
    await engine.handle(replace(LATER, task_id=task))
    with pytest.raises(WrongState):
        await engine.handle(replace(LATER, task_id=task, by="ben"))
    caps = await world.rows(sa.select(BUDGETS.c.cap_micros))
    assert [row.cap_micros for row in caps] == [(await engine.look.task(task)).given.cost_micros]


async def test_a_person_starts_no_more_than_allowed(world: World) -> None:
    """Running tasks, starts a day and their cost, counted per person and space, continuations too."""
    engine = await world.start(finishing([]), slots=0)

    async def start(by: str, micros: int = 1_000_000, **quota: int) -> int:
        limits = Limits(cost_micros=micros)
        return await engine.handle(StartTask("g", by, "here", limits, quota=Quota(**quota)))

    first = await start("ann", running=2, starts=3)
    await start("ann", running=2, starts=3)
    with pytest.raises(Invalid, match=r"2 of 2 tasks running.*/task stop"):
        await start("ann", running=2, starts=3)
    await start("ben", running=2, starts=3)  # somebody else's are not counted
    assert len(await engine.look.tasks("here")) == 3
    with pytest.raises(Invalid, match=r"\$3.50 in 24 hours here, and \$1.50 of yours is left"):
        await start("ann", 1_600_000, cost_micros=3_500_000)
    await engine.handle(StopTask(first, "ann"))  # it used nothing, and counts with that from now on
    assert first not in {task.id for task in await engine.look.tasks("here", unended=True)}
    assert len(await engine.look.tasks("here", 2, unended=True)) == 2
    await start("ann", 1_600_000, cost_micros=3_500_000, running=2)
    with pytest.raises(Invalid, match="started 3 of 3 tasks"):
        await engine.handle(replace(LATER, task_id=first, quota=Quota(starts=3)))
    assert (await engine.look.task(first)).state == "stopped"
    await engine.handle(replace(LATER, task_id=first, by="cleo", quota=Quota(starts=3)))
