"""Limits count what is staged: no mix of calls in one answer, nor answers of many at once, gets past."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.commands import StartTask
from engine.events import AgentJoined, AgentLeft, EventBody, FileWritten, GateRaised
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, RunResult
from engine.store.core import AGENTS, FILES, GATES, STEPS
from engine.tools import ToolOptions
from engine.workspace import WorkspaceLimits
from tests.engine.autonomy.conftest import CALM, Stage
from tests.fakes.cast import View, cast
from tests.fakes.parts import CAPS, FakeSandbox, build_engine, make_tables, sqlite_url

Call = tuple[str, dict[str, object]]
LIMITS = replace(CAPS, agents=9, depth=3, members=4)
FILES_LIMITS = WorkspaceLimits(files=12, total_bytes=400, file_bytes=200)
OVER = 5
"""More agents than these need the people's approval, which nobody gives."""

NAMES = [f"N{number}" for number in range(14)]


def recruits(*names: str) -> Call:
    """A call that recruits."""
    return ("recruit", {"members": [{"name": n, "role": "w", "instructions": "w"} for n in names]})


_name = st.sampled_from(NAMES)
_CALLS: st.SearchStrategy[Call] = st.one_of(
    st.lists(_name, min_size=1, max_size=4).map(lambda names: recruits(*names)),
    st.builds(lambda n: ("assign", {"to": n, "title": "t", "details": "d"}), _name),
    st.builds(lambda n: ("dismiss", {"name": n, "reason": "r"}), _name),
    st.builds(lambda n, k: ("set_budget", {"name": n, "agents": k}), _name, st.integers(1, 3)),
    st.builds(lambda k: ("propose_plan", {"summary": "s", "groups": ["g"], "agents": k}), st.integers(2, 9)),
    st.just(("ask_human", {"question": "Which?"})),
    st.builds(
        lambda n, k: ("write_file", {"path": f"{n}.txt", "content": "x" * k}), _name, st.integers(1, 150)
    ),
    st.just(("run", {"command": ["make"]})),
    st.builds(lambda k, v: ("review", {"assignment": k, "verdict": v}), st.integers(1, 4), st.just("accept")),
    st.builds(lambda k: ("submit", {"assignment": k, "summary": "s"}), st.integers(1, 4)),
    st.just(("finish", {"report": "r"})),
)
_ANSWERS = st.lists(st.lists(_CALLS, min_size=1, max_size=8), min_size=4, max_size=10)


@dataclass
class World:
    """What one play came to."""

    events: list[EventBody] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    open_questions: list[int] = field(default_factory=list)
    files: tuple[int, int] = (0, 0)


async def _played(answers: list[list[Call]], folder: Path, steps: int, over: int = OVER) -> World:
    """Every agent gives these answers, each beginning elsewhere, until `steps` were taken in all."""
    taken = 0
    enough = asyncio.Event()
    runs = 0

    def part(view: View) -> ChatAnswer:
        nonlocal taken
        taken += 1
        if taken >= steps or (view.steps > len(answers) and view.name != "Boss"):
            enough.set()
            return say("Idle.")
        given = [("assign", {"to": n, "title": "t", "details": "d"}) for n in NAMES]
        if view.steps % 2 == 1:
            return call(*given)  # all go to work at once
        start = sum(map(ord, view.name))
        return call(*answers[(start + view.steps) % len(answers)])

    def make(_: object) -> RunResult:
        nonlocal runs
        runs += 1
        return RunResult(0, "", changed={f"made{runs}-{n}": bytes(60) for n in range(3)})

    make_tables(sqlite_url(folder))
    options = ToolOptions(audit_rounds=0, watch=CALM, plan_approval_over=over, files=FILES_LIMITS)
    script = cast(dict.fromkeys(["Boss", *NAMES], part))
    engine, db = build_engine(
        sqlite_url(folder), folder, script, sandbox=FakeSandbox(make), options=options, caps=LIMITS
    )
    world = World()
    await engine.start()
    await engine.handle(StartTask("make the thing", "me", "guild:1"))

    async def listen() -> None:
        async for event in engine.events():
            world.events.append(event.body)

    listener = asyncio.create_task(listen())
    before = -1
    while not enough.is_set() and before != taken:  # nobody answered for a while: all wait for the people
        before = taken
        with suppress(TimeoutError):
            await asyncio.wait_for(enough.wait(), 0.3)
    await engine.stop(drain=True)
    listener.cancel()
    await db.read(lambda c: _look(c, world))
    await db.close()
    return world


def _look(c: sa.Connection, world: World) -> None:
    there = sa.select(sa.func.count(), sa.func.sum(FILES.c.size)).where(FILES.c.blob.is_not(None))
    count, total = c.execute(there).one()
    world.files = (count, total or 0)
    waiting = sa.select(sa.func.count()).where(GATES.c.kind == "question", GATES.c.basis.is_(None))
    world.open_questions = list(c.execute(waiting.group_by(GATES.c.agent_id)).scalars())
    world.results = list(c.execute(sa.select(STEPS.c.calls_json)).scalars())


def _most(world: World) -> tuple[int, int]:
    """The most agents a task, and the most members a group ever had at once."""
    groups: Counter[int] = Counter()
    of: dict[int, int] = {}
    most = most_members = 1
    for event in world.events:
        if isinstance(event, AgentJoined) and event.title != "auditor":
            groups[event.group_id] += 1
            of[event.agent_id] = event.group_id
        elif isinstance(event, AgentLeft) and event.agent_id in of:
            groups[of.pop(event.agent_id)] -= 1
        most = max(most, len(of))
        most_members = max(most_members, *groups.values(), 0)
    return most, most_members


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_ANSWERS)
def test_no_mix_of_calls_gets_past_a_limit(answers: list[list[Call]]) -> None:
    """Agents, members, an approval nobody gave, files, bytes, questions; and no answer is lost for it."""
    with tempfile.TemporaryDirectory() as folder:
        world = asyncio.run(_played(answers, Path(folder), steps=40))
    most, members = _most(world)
    assert most <= OVER
    assert members <= LIMITS.members + 1  # the root group's own head is one of it
    assert world.files[0] <= FILES_LIMITS.files and world.files[1] <= FILES_LIMITS.total_bytes
    assert max(world.open_questions, default=0) <= 3
    assert sum(isinstance(event, GateRaised) and event.kind == "plan" for event in world.events) <= 1
    assert not [text for text in world.results if "Not done: others kept changing" in text]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_ANSWERS)
def test_with_approval_the_caps_hold(answers: list[list[Call]]) -> None:
    """The same where no approval stands in the way before the caps do."""
    with tempfile.TemporaryDirectory() as folder:
        world = asyncio.run(_played(answers, Path(folder), steps=60, over=1000))
    most, members = _most(world)
    assert most <= LIMITS.agents
    assert members <= LIMITS.members + 1
    assert not [text for text in world.results if "Not done: others kept changing" in text]


async def test_many_recruit_calls_in_one_answer_count_together(stage: Stage) -> None:
    """Three calls of three: what is over is refused with the reason, the rest of the answer is done."""
    heard: list[str] = []
    joining = [recruits(*NAMES[at : at + 3]) for at in (0, 3, 6)]

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            return call(*joining, ("write_file", {"path": "plan.md", "content": "x"}))
        heard.append(view.all)
        return say("Waiting.")

    play = await stage({"Boss": boss}, plan_approval_over=5)
    await play.until_heard(heard)
    assert heard[0].count("Joined your group") == 1
    assert heard[0].count("More than 5 agents: call propose_plan first") == 2
    await play.until(FileWritten, path="plan.md")


async def test_recruits_beyond_the_cap_lose_nothing_else(stage: Stage) -> None:
    """Where it was the commit that refused, twelve times, the whole answer was lost."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            return call(*(recruits(name) for name in NAMES), ("write_file", {"path": "a", "content": "x"}))
        heard.append(view.all)
        return say("Waiting.")

    play = await stage({"Boss": boss}, caps=replace(CAPS, agents=4), plan_approval_over=100)
    await play.until_heard(heard)
    assert heard[0].count("Joined your group") == 3
    assert "This task may have 4 agents and has 4" in heard[0]
    await play.until(FileWritten, path="a")


@pytest.mark.parametrize("cap", ["agents", "approval"])
async def test_members_that_recruit_at_once_stay_within_what_is_left(stage: Stage, cap: str) -> None:
    """Each alone would fit; together they do not, and the second hears so."""
    both = asyncio.Event()
    heard: dict[str, str] = {}

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            work = [("assign", {"to": n, "title": "t", "details": "d"}) for n in ("N0", "N1")]
            return call(recruits("N0", "N1"), *work)
        return say("Waiting.")

    def member(view: View) -> ChatAnswer:
        if "Assignment #" not in view.all or view.did("recruit"):
            if view.did("recruit"):
                heard[view.name] = view.all
                both.set()
            return say("Idle.")
        return call(recruits(*(f"{view.name}x{n}" for n in range(3))))

    caps = replace(CAPS, agents=7 if cap == "agents" else 100)
    over = 7 if cap == "approval" else 100
    play = await stage({"Boss": boss, "N0": member, "N1": member}, caps=caps, plan_approval_over=over)
    while len(heard) < 2:
        both.clear()
        await asyncio.wait_for(both.wait(), 60)
    count = sa.select(sa.func.count()).select_from(AGENTS)
    assert await play.db.read(lambda c: c.execute(count).scalar_one()) == 1 + 2 + 3
    assert sum("Joined your group" in text for text in heard.values()) == 1


async def test_calls_of_one_answer_stay_within_a_share_together(stage: Stage) -> None:
    """A group capped at four agents: its head recruits two, and two more are refused."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            given = ("assign", {"to": "N0", "title": "t", "details": "d"})
            return call(recruits("N0"), ("set_budget", {"name": "N0", "agents": 4}), given)
        return say("Waiting.")

    def member(view: View) -> ChatAnswer:
        if "Assignment #" not in view.all:
            return say("Idle.")
        if not view.did("recruit"):
            return call(recruits("N1", "N2"), recruits("N3", "N4"))
        heard.append(view.all)
        return say("Waiting.")

    play = await stage({"Boss": boss, "N0": member})
    await play.until_heard(heard)
    assert "Your group may have 1 more agents" in heard[0]
    names = await play.db.read(lambda c: set(c.execute(sa.select(AGENTS.c.name)).scalars()))
    assert names == {"Boss", "N0", "N1", "N2"}


async def test_options_of_a_question_are_clean_and_distinct(stage: Stage) -> None:
    """They become buttons: nothing hidden tells two apart, and none is empty."""
    options = ["Yes", "Y\u200bes", "\u3164", "\x1b[31mNo\u202e"]

    def boss(view: View) -> ChatAnswer:
        return (
            call(("ask_human", {"question": "Which?", "options": options})) if not view.steps else say("ok")
        )

    play = await stage({"Boss": boss})
    raised = await play.until(GateRaised, kind="question")
    assert [choice.text for choice in raised.choices if choice.text] == ["Yes", "No"]


async def test_states_count_what_the_same_answer_did(stage: Stage) -> None:
    """A second review, a second plan, a member dismissed and an assignment given are seen by later calls."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            given = ("assign", {"to": "N0", "title": "t", "details": "d"})
            plan = ("propose_plan", {"summary": "s", "groups": ["g"], "agents": 9})
            gone = ("dismiss", {"name": "N1", "reason": "r"})
            todo = ("update_todo", {"items": [{"text": "think"}]})
            asks = [("ask_human", {"question": f"q{n}"}) for n in range(5)]
            late = ("assign", {"to": "N1", "title": "t", "details": "d"})
            return call(recruits("N0", "N1"), gone, late, given, todo, *asks, plan, plan, recruits("N2"))
        heard.append(view.all)
        return say("Waiting.")

    play = await stage({"Boss": boss}, plan_approval_over=5)
    await play.until(GateRaised, kind="plan")
    assert len(play.of(GateRaised, kind="question")) == 3
    assert len(play.of(GateRaised, kind="plan")) == 1
    assert {event.name for event in play.of(AgentJoined)} == {"Boss", "N0", "N1"}
