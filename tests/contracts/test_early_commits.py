"""A step commits what it did before a program runs: seen at once, done once, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from engine.commands import PauseTask, ResumeTask, SayToAgent, StartTask
from engine.events import AgentSpoke, CodeRan, FileWritten
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatMessage, ChatRequest, RunRequest, RunResult
from engine.store.core import AGENTS, BUDGETS, EVENTS, FILES, MESSAGES, REVISIONS, STEPS, loads
from engine.workspace import GitWorkspace
from tests.contracts.conftest import World, still
from tests.fakes.parts import FakeSandbox


class Held(FakeSandbox):
    """A sandbox whose programs run until the test lets them end."""

    def __init__(self, changed: Mapping[str, bytes] | None = None) -> None:
        super().__init__(lambda _: RunResult(0, "ran", changed=changed or {}))
        self.began, self.go = asyncio.Event(), asyncio.Event()

    async def run(self, request: RunRequest) -> RunResult:
        """Wait, then say that it ran."""
        self.began.set()
        await self.go.wait()
        return await super().run(request)


class Once:
    """The boss gives one answer of several calls, then only says that it is done."""

    def __init__(self, answer: ChatAnswer) -> None:
        self.answer, self.asked = answer, list[tuple[ChatMessage, ...]]()

    def __call__(self, request: ChatRequest) -> ChatAnswer:
        """The answer, once."""
        self.asked.append(request.messages)
        return self.answer if len(self.asked) == 1 else say("done")


WORKS = call(
    ("write_file", {"path": "a.md", "content": "a"}),
    ("send_message", {"to": ["human"], "text": "a is there"}),
    ("run", {"command": ["python", "x.py"]}),
    ("write_file", {"path": "b.md", "content": "b"}),
    text="I write, then I run it.",
)


async def paths(world: World) -> list[str]:
    """Files that others see."""
    return [row.path for row in await world.rows(sa.select(FILES.c.path).order_by(FILES.c.path))]


async def kinds(world: World) -> list[str]:
    """Kinds of the events so far."""
    return [row.kind for row in await world.rows(sa.select(EVENTS.c.kind).order_by(EVENTS.c.seq))]


async def boss_of(world: World) -> int:
    """The boss' id."""
    return int(await world.scalar(sa.select(AGENTS.c.id).where(AGENTS.c.role == "boss")))


async def test_what_comes_before_a_program_is_seen_while_it_runs(world: World) -> None:
    """Words, file and message are there; what comes after is not; the answer was paid for and read once."""
    model, sandbox = Once(WORKS), Held()
    engine = await world.start(model, sandbox=sandbox)
    await engine.handle(StartTask("g", "me", "here"))
    await sandbox.began.wait()
    assert await paths(world) == ["a.md"]
    seen = await kinds(world)
    assert seen.count(AgentSpoke.__name__) == 2 and FileWritten.__name__ in seen
    assert CodeRan.__name__ not in seen
    assert (
        await world.scalar(sa.select(AGENTS.c.doing_json))
        == '[["run",["python x.py"]],["write_file",["b.md"]]]'
    )
    spoke = sa.select(EVENTS.c.at).where(EVENTS.c.kind == AgentSpoke.__name__)
    for row in await world.rows(spoke):
        (behind,) = await engine.look.steps(await boss_of(world), 1, until=row.at)
        assert behind.said == "I write, then I run it.", "what was posted leads to its step"
    sandbox.go.set()
    await world.until(lambda: still(world))
    assert await paths(world) == ["a.md", "b.md"]
    (answer,) = [m for m in model.asked[1] if m.role == "assistant"]
    assert (answer.content, [c.name for c in answer.tool_calls]) == (
        "I write, then I run it.",
        ["write_file", "send_message", "run", "write_file"],
    )
    assert [m.content[:5] for m in model.asked[1] if m.role == "tool"][1:3] == ["Shown", "exit "]
    assert await world.scalar(sa.select(BUDGETS.c.calls)) == len(model.asked) == 2
    steps = [row.step for row in await world.rows(sa.select(STEPS.c.step).order_by(STEPS.c.step))]
    assert steps == [1, 2, 3]
    view = (await engine.look.agents(1))[0]
    assert view.spend.calls == 2


async def test_a_death_while_a_program_runs_loses_and_doubles_nothing(world: World) -> None:
    """The rest of the answer is run by whoever comes next, without asking the model again."""
    model, sandbox = Once(WORKS), Held()
    engine = await world.start(model, sandbox=sandbox)
    await engine.handle(StartTask("g", "me", "here"))
    await sandbox.began.wait()
    await world.stop(engine, drain=False)
    assert await paths(world) == ["a.md"]
    again = FakeSandbox(lambda _: RunResult(0, "ran"))
    await world.start(model, sandbox=again)
    await world.until(lambda: still(world))
    assert await paths(world) == ["a.md", "b.md"]
    assert len(await world.rows(sa.select(REVISIONS.c.id))) == 2
    seen = await kinds(world)
    assert (seen.count(AgentSpoke.__name__), seen.count(CodeRan.__name__)) == (3, 1)
    assert (len(model.asked), len(again.requests)) == (2, 1)
    rows = await world.rows(sa.select(STEPS.c.calls_json).order_by(STEPS.c.step))
    assert [len(loads(row.calls_json)) for row in rows] == [2, 2, 0]


class Racing(GitWorkspace):
    """A workspace in which somebody else writes the same path just before a commit."""

    world: World

    async def put_many(self, task_id: int, contents: Sequence[bytes]) -> list[str]:
        """Store; for the file of the run, another agent is faster."""
        blobs = await super().put_many(task_id, contents)
        if list(contents) == [b"by the run"] and not await paths(self.world):
            theirs = await super().put(task_id, b"by another")
            row = {"task_id": task_id, "path": "made.md", "blob": theirs, "revision": 1, "size": 10}
            await self.world.write(lambda c: c.execute(FILES.insert().values(row | {"agent": "Ada"})))
        return blobs


async def test_a_program_is_not_run_again_because_others_committed(world: World) -> None:
    """The commit is stale, the answer is acted on again, and the program's result is still there."""
    sandbox = FakeSandbox(lambda _: RunResult(0, "ran", changed={"made.md": b"by the run"}))
    workspace = Racing(world.folder / "workspaces")
    workspace.world = world
    model = Once(call(("run", {"command": ["python", "x.py"]})))
    engine = await world.start(model, sandbox=sandbox, workspace=workspace)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    assert len(sandbox.requests) == 1
    assert (await kinds(world)).count(CodeRan.__name__) == 1
    assert "theirs stays" in model.asked[1][-1].content


async def test_words_that_come_while_a_program_runs_are_read_by_the_next_answer(world: World) -> None:
    """The rest of an answer that did not know them does not mark them as read."""
    model, sandbox = Once(WORKS), Held()
    engine = await world.start(model, sandbox=sandbox)
    await engine.handle(StartTask("g", "me", "here"))
    await sandbox.began.wait()
    await engine.handle(SayToAgent(await boss_of(world), "HALT", "me", "Me", ref="r"))
    sandbox.go.set()
    await world.until(lambda: still(world))
    assert "HALT" in model.asked[1][-1].content
    halt = sa.select(MESSAGES.c.consumed_step).where(MESSAGES.c.ref == "r")
    assert await world.scalar(halt) == 3


async def test_a_task_paused_while_a_program_runs_goes_on_with_the_rest(world: World) -> None:
    """What was not committed when it was paused comes once it is resumed, and the model is not asked."""
    answer = call(*[("run", {"command": ["python", f"{n}.py"]}) for n in range(3)])
    model, sandbox = Once(answer), Held()
    engine = await world.start(model, sandbox=sandbox)
    task = await engine.handle(StartTask("g", "me", "here"))
    await sandbox.began.wait()
    await engine.handle(PauseTask(task, "me"))
    sandbox.go.set()
    await world.until(lambda: _has_run(world))
    await world.until(lambda: _rests(world))
    assert (len(sandbox.requests), len(model.asked)) == (1, 1)
    await engine.handle(ResumeTask(task, "me"))
    await world.until(lambda: still(world))
    assert (len(sandbox.requests), len(model.asked)) == (3, 2)


async def _has_run(world: World) -> bool:
    return CodeRan.__name__ in await kinds(world)


async def _rests(world: World) -> bool:
    return bool(await world.scalar(sa.select(AGENTS.c.rest_json)))
