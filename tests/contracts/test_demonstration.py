"""The demonstration on every backend: a recorded team through the real engine, whoever answers what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from engine import Engine, TurnOptions
from engine.commands import (
    AnswerGate,
    Limits,
    PauseTask,
    Quota,
    RaiseCap,
    RepeatTask,
    ResumeTask,
    SayToAgent,
    StartDemonstration,
    StartTask,
)
from engine.domain.gate_rules import IN_A_DEMONSTRATION
from engine.domain.models import DEMONSTRATION
from engine.errors import Invalid, WrongState
from engine.events import (
    AgentSpoke,
    AssignmentChanged,
    Audited,
    CodeRan,
    Event,
    GateClosed,
    GateRaised,
    TaskAccepted,
    TaskEnded,
)
from engine.llm.demonstration import recording
from engine.ports import ChatAnswer, ChatRequest, RunRequest, RunResult
from tests.contracts.conftest import PATIENCE_S, World, ended
from tests.fakes.parts import FakeSandbox

NO_WAITS = TurnOptions(demo_pace=0.0)
T = TypeVar("T")
Answer = Callable[[Engine, GateRaised], Awaitable[Any]]


def no_model(request: ChatRequest) -> ChatAnswer:
    """The configured endpoint, which a demonstration never asks."""
    raise AssertionError(f"the endpoint was asked by agent {request.agent_id}")


def card(request: RunRequest) -> RunResult:
    """What the recorded programs do: card.py keeps the card."""
    made = {"card.txt": b"the card\n"} if request.argv[-1] == "card.py" else {}
    return RunResult(0, "fine", changed=made)


async def play(engine: Engine, answer: Answer) -> list[Event]:
    """Start the demonstration, answer its questions, and return its events."""
    task = await engine.handle(StartDemonstration("discord:1", "guild:1", "channel:5"))
    return await watch(engine, task, answer)


async def watch(engine: Engine, task: int, answer: Answer, after: int = 0) -> list[Event]:
    """All events up to the task's end; gates are answered as they come."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in engine.events(after):
            if isinstance(event.body, GateRaised):
                await answer(engine, event.body)
            if isinstance(event.body, TaskEnded):
                return await ended(engine, task)
    raise AssertionError("unreachable: events never end")


def choosing(choice: str | None, text: str = "") -> Answer:
    """Approve the plan and answer the question so."""

    async def answer(engine: Engine, gate: GateRaised) -> None:
        given = AnswerGate(gate.gate_id, "discord:1", choice, text)
        plan = AnswerGate(gate.gate_id, "discord:1", "approve")
        await engine.handle(plan if gate.kind == "plan" else given)

    return answer


def of(events: Sequence[Event], kind: type[T]) -> list[T]:
    """The bodies of one kind."""
    return [event.body for event in events if isinstance(event.body, kind)]


async def test_the_recorded_team_does_its_whole_work(world: World) -> None:
    """Plan, question, work returned and corrected, runs, an audit, files; no endpoint is asked."""
    engine = await world.start(no_model, turn=NO_WAITS, sandbox=FakeSandbox(card))
    events = await play(engine, choosing("o2"))
    (accepted,) = of(events, TaskAccepted)
    assert accepted.demonstration and accepted.goal == recording().goal
    assert [gate.kind for gate in of(events, GateRaised)] == ["plan", "question"]
    states = [change.state for change in of(events, AssignmentChanged) if change.assignee == "Finn"]
    assert states == ["open", "submitted", "rejected", "submitted", "accepted"]
    assert {run.command for run in of(events, CodeRan)} == {"python card.py", "python check.py"}
    assert [audit.verdict for audit in of(events, Audited)] == ["accepted"]
    (end,) = of(events, TaskEnded)
    assert (end.state, end.verified, end.deliverables[0]) == ("done", True, "card.txt")
    task = await engine.look.task(accepted.task_id)
    assert task.demonstration and (task.spend.cost_micros, task.spend.prompt_tokens) == (0, 0)
    assert b"nine candles" in await engine.look.read_file(task.id, "poem.txt")
    assert b".-----------." in await engine.look.read_file(task.id, "picture.txt")


async def test_it_goes_on_after_a_stop_at_any_step(world: World) -> None:
    """What comes next is in the store alone: a new engine after each few events ends it, nothing twice."""
    engine = await world.start(no_model, turn=NO_WAITS, sandbox=FakeSandbox(card), sweeps=True)
    task = await engine.handle(StartDemonstration("discord:1", "guild:1"))
    seen = after = 0
    while (await engine.look.task(task)).ended_at is None:
        async for event in engine.events(after):
            after, seen = event.seq, seen + 1
            if isinstance(event.body, GateRaised):
                await choosing("o1")(engine, event.body)
            if seen % 5 == 0 or isinstance(event.body, TaskEnded):
                break
        if seen % 5 == 0:
            await world.stop(engine, drain=False)
            engine = await world.start(no_model, turn=NO_WAITS, sandbox=FakeSandbox(card), sweeps=True)
    said = [(spoke.name, spoke.text) for spoke in of(await ended(engine, task), AgentSpoke)]
    once = [words for words in said if words[1] not in recording().idle.values()]
    assert len(once) == len(set(once))
    assert (await engine.look.task(task)).verified


# ---------------------------------------------------------------- what people do with it, on one backend

one_backend = pytest.mark.parametrize("world", ["sqlite-local"], indirect=True)


@one_backend
async def test_an_answer_in_words_is_read_and_told_what_a_recording_can_do(world: World) -> None:
    """The boss quotes the words, says that it is recorded, and the card is made with the first picture."""
    engine = await world.start(no_model, turn=NO_WAITS, sandbox=FakeSandbox(card))
    events = await play(engine, choosing(None, "a dragon, please"))
    said = " ".join(spoke.text for spoke in of(events, AgentSpoke))
    assert "“a dragon, please” would be lovely, but I am recorded" in said
    assert of(events, TaskEnded)[0].verified
    titles = {change.title for change in of(events, AssignmentChanged)}
    assert "Draw a rocket" in titles and "Draw a whale" not in titles


@one_backend
async def test_without_an_answer_the_defaults_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan is approved and the first option taken, and the boss says that nobody answered."""
    at_once = {kind: replace(rule, wait_s=0.0) for kind, rule in IN_A_DEMONSTRATION.items()}
    monkeypatch.setattr("engine.store.gate_rules.IN_A_DEMONSTRATION", at_once)

    async def nobody(engine: Engine, gate: GateRaised) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while (await engine.look.gate(gate.gate_id)).basis is None:
                await engine.sweep()

    engine = await world.start(no_model, turn=NO_WAITS, sandbox=FakeSandbox(card))
    events = await play(engine, nobody)
    assert [closed.basis for closed in of(events, GateClosed)] == ["timeout", "timeout"]
    assert "Nobody has answered yet" in " ".join(spoke.text for spoke in of(events, AgentSpoke))
    assert of(events, TaskEnded)[0].verified


@one_backend
async def test_without_a_sandbox_it_ends_and_says_that_nothing_was_run(world: World) -> None:
    """No run is claimed, and no card.txt is promised."""
    engine = await world.start(no_model, turn=NO_WAITS)
    events = await play(engine, choosing("o1"))
    (end,) = of(events, TaskEnded)
    assert "nothing was run" in end.report and "card.txt" not in end.deliverables
    assert not of(events, CodeRan)
    assert "not run" in of(events, Audited)[0].findings


@one_backend
async def test_every_word_of_a_person_is_read_and_answered(world: World) -> None:
    """Each agent that is written to says that it is a recording, and the play still comes to its end."""
    engine = await world.start(no_model, turn=NO_WAITS, sandbox=FakeSandbox(card))
    written = 0

    async def talking(engine: Engine, gate: GateRaised) -> None:
        nonlocal written
        for agent in await engine.look.agents(gate.task_id):
            written += 1
            words = SayToAgent(agent.id, "Hello there!", "discord:1", "Ann", f"5:{written}")
            await engine.handle(words)
        await choosing("o1")(engine, gate)

    events = await play(engine, talking)
    refs = [ref for spoke in of(events, AgentSpoke) for ref in spoke.refs]
    assert sorted(refs) == [f"5:{n}" for n in range(1, written + 1)]
    answered = [spoke.text for spoke in of(events, AgentSpoke) if spoke.refs]
    assert all("record" in text for text in answered)
    assert of(events, TaskEnded)[0].unheeded == ()


@one_backend
async def test_a_plan_that_people_want_changed_is_shown_again(world: World) -> None:
    """The boss says that it cannot change it; approving the second card goes on."""
    engine = await world.start(no_model, turn=NO_WAITS, sandbox=FakeSandbox(card))
    plans = 0

    async def picky(engine: Engine, gate: GateRaised) -> None:
        nonlocal plans
        plans += gate.kind == "plan"
        if gate.kind == "plan" and plans == 1:
            await engine.handle(AnswerGate(gate.gate_id, "discord:1", None, "Use ten agents."))
        else:
            await choosing("o1")(engine, gate)

    events = await play(engine, picky)
    assert plans == 2 and of(events, TaskEnded)[0].verified
    assert "I cannot change this plan" in " ".join(spoke.text for spoke in of(events, AgentSpoke))


@one_backend
async def test_caps_too_low_for_the_recording_are_said_and_can_be_raised(world: World) -> None:
    """With room for two agents the team cannot form; after the cap is raised it does."""
    engine = await world.start(no_model, turn=NO_WAITS, sandbox=FakeSandbox(card), sweeps=True)
    low = Limits(agents=2)

    async def mean(engine: Engine, gate: GateRaised) -> None:
        if gate.kind == "plan":
            await engine.handle(AnswerGate(gate.gate_id, "discord:1", "approve", limits=low))
        elif gate.kind == "stall":
            await engine.handle(RaiseCap(gate.task_id, Limits(agents=8), "discord:1"))
            await engine.handle(AnswerGate(gate.gate_id, "discord:1", "retry"))
        else:
            await choosing("o1")(engine, gate)

    events = await play(engine, mean)
    assert recording().stuck.text in {spoke.text for spoke in of(events, AgentSpoke)}
    assert of(events, TaskEnded)[0].verified


@one_backend
async def test_it_can_be_paused_and_wrapped_up(world: World) -> None:
    """Paused nothing goes on; at its end by a person's wish the boss reports what is missing."""
    engine = await world.start(no_model, turn=NO_WAITS, sandbox=FakeSandbox(card))
    task = await engine.handle(StartDemonstration("discord:1", "guild:1"))
    await engine.handle(PauseTask(task, "discord:1"))
    assert (await engine.look.task(task)).state == "paused"
    await engine.handle(ResumeTask(task, "discord:1"))
    events = await watch(engine, task, choosing("o1"))
    assert of(events, TaskEnded)[0].state == "done"


@one_backend
async def test_no_task_may_name_the_recording_as_its_model(world: World) -> None:
    """Whatever models the operator allows, a goal of one's own is never answered by the recording."""
    engine = await world.start(no_model, models=None)
    with pytest.raises(Invalid, match="/task demo"):
        await engine.handle(StartTask("Write a poem.", "discord:1", "guild:1", model=DEMONSTRATION))
    with pytest.raises(Invalid, match="/task demo"):
        await engine.handle(
            RepeatTask("Write a poem.", "discord:1", "guild:1", "0 9 * * *", "UTC", model=DEMONSTRATION)
        )


@one_backend
async def test_it_counts_as_a_start_of_a_person_and_costs_nothing(world: World) -> None:
    """Whoever may start no more tasks may start no more demonstrations; a limit on money does not matter."""
    engine = await world.start(no_model, turn=NO_WAITS, sandbox=FakeSandbox(card))
    first = StartDemonstration("discord:1", "guild:1", quota=Quota(starts=1, cost_micros=1))
    assert await engine.handle(first)
    with pytest.raises(Invalid, match="the most one person may start here"):
        await engine.handle(first)


@one_backend
async def test_after_its_end_it_takes_no_words(world: World) -> None:
    """They would be kept for a continuation that there cannot be."""
    engine = await world.start(no_model, turn=NO_WAITS, sandbox=FakeSandbox(card))
    (accepted,) = of(await play(engine, choosing("o1")), TaskAccepted)
    task = await engine.look.task(accepted.task_id)
    with pytest.raises(WrongState, match=r"recorded.*Start a task of your own"):
        await engine.handle(SayToAgent(task.boss_id, "And a dragon?", "discord:1", "Kim", "5:6"))
