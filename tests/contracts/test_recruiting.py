"""Recruiting, every backend: names, and what is said and given to those recruited in the same answer."""

from __future__ import annotations

import json
import re

import sqlalchemy as sa

from engine.commands import PauseTask, ResumeTask, SayToAgent, StartTask
from engine.errors import ModelRefused
from engine.events import AgentSpoke, RemarkNoted
from engine.lifecycle.agents import NewAgent, add_agent
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest, RunResult
from engine.store.core import AGENTS, ASSIGNMENTS, BUDGETS, EVENTS, MESSAGES, STEPS, TASKS
from tests.contracts.conftest import World, still
from tests.fakes.cast import View
from tests.fakes.parts import FakeSandbox


async def test_two_who_recruit_the_same_name_at_once_both_get_an_agent(world: World) -> None:
    """Names stay unique, both groups get their member, nothing is lost to the collision."""

    def script(request: ChatRequest) -> ChatAnswer:
        newest = request.messages[-1].content
        members = [{"name": n, "role": "head", "instructions": "recruit"} for n in ("Left", "Right")]
        if request.role == "boss" and "begins" in newest:
            notes = {"to": ["Left", "Right"], "text": "recruit now", "wait": True}
            return call(("recruit", {"members": members}), ("send_message", notes))
        if "recruit now" in newest:
            twins = [{"name": f"Twin{n}", "role": "w", "instructions": "i"} for n in range(4)]
            return call(("recruit", {"members": twins}))
        return say("ok")

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    names = [row.name_key for row in await world.rows(sa.select(AGENTS.c.name_key))]
    assert len(names) == len(set(names)) == 3 + 8


async def test_messages_to_the_group_reach_agents_recruited_in_the_same_step(world: World) -> None:
    """Recruiting and addressing the new group in one answer works: each new member hears it."""
    heard: list[str] = []

    def script(request: ChatRequest) -> ChatAnswer:
        newest = request.messages[-1].content
        if request.role == "boss" and "begins" in newest:
            members = [{"name": f"N{n}", "role": "w", "instructions": "i"} for n in range(3)]
            return call(
                ("recruit", {"members": members}),
                ("send_message", {"to": ["group"], "text": "welcome", "wait": True}),
            )
        heard.extend(["welcome"] * ("welcome" in newest))
        return say("ok")

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    assert len(heard) == 3


async def test_messages_to_the_group_of_a_new_head_go_to_its_own_members(world: World) -> None:
    """A member that recruits and writes to "group" in one answer means its recruits, not its peers."""

    def script(request: ChatRequest) -> ChatAnswer:
        newest = request.messages[-1].content
        if request.role == "boss" and "begins" in newest:
            members = [{"name": n, "role": "head", "instructions": "i"} for n in ("Lead", "Peer")]
            notes = {"to": ["Lead"], "text": "recruit now", "wait": True}
            return call(("recruit", {"members": members}), ("send_message", notes))
        if "recruit now" in newest:
            members = [{"name": f"N{n}", "role": "w", "instructions": "i"} for n in range(3)]
            welcome = ("send_message", {"to": ["group"], "text": "welcome", "wait": True})
            return call(("recruit", {"members": members}), welcome)
        return say("ok")

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    hearers = sa.select(AGENTS.c.name, AGENTS.c.group_id).join(MESSAGES, MESSAGES.c.to_agent == AGENTS.c.id)
    heard = await world.rows(hearers.where(MESSAGES.c.text == "welcome").order_by(AGENTS.c.name))
    assert [row.name for row in heard] == ["N0", "N1", "N2"]
    spoken = await world.rows(sa.select(EVENTS.c.payload_json).where(EVENTS.c.kind == AgentSpoke.__name__))
    shown = [json.loads(row.payload_json) for row in spoken if "welcome" in row.payload_json]
    assert [body["group_id"] for body in shown] == [heard[0].group_id]


async def test_a_member_gives_those_it_recruits_work_and_a_cap_in_the_same_answer(world: World) -> None:
    """Whoever recruits becomes a head at once: it need not be asked again before it may assign."""

    def script(request: ChatRequest) -> ChatAnswer:
        newest = request.messages[-1].content
        if request.role == "boss" and "begins" in newest:
            lead = {"name": "Lead", "role": "lead", "instructions": "i"}
            notes = {"to": ["Lead"], "text": "recruit now", "wait": True}
            return call(("recruit", {"members": [lead]}), ("send_message", notes))
        if "recruit now" in newest:
            member = {"name": "Ada", "role": "w", "instructions": "i"}
            work = {"to": "Ada", "title": "part", "details": "Write part.md."}
            cap = {"name": "Ada", "tokens": 5_000}
            return call(("recruit", {"members": [member]}), ("assign", work), ("set_budget", cap))
        return say("ok")

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    heard = sa.select(MESSAGES.c.text).join(AGENTS, MESSAGES.c.to_agent == AGENTS.c.id)
    assert "Write part.md." in (await world.rows(heard.where(AGENTS.c.name == "Ada")))[0].text
    budgets = await world.rows(sa.select(BUDGETS.c.cap_tokens).where(BUDGETS.c.cap_tokens == 5_000))
    assert len(budgets) == 1


async def test_a_head_who_gave_very_much_sees_first_what_waits_for_its_review(world: World) -> None:
    """Not all it gave is read whenever it wakes; the last of 35, handed in, is among the shown."""
    shown: list[str] = []

    def script(request: ChatRequest) -> ChatAnswer:
        newest = request.messages[-1].content
        if request.role == "boss":
            if "begins" in newest:
                ada = {"name": "Ada", "role": "w", "instructions": "i"}
                parts = [("assign", {"to": "Ada", "title": f"p{n}", "details": "d"}) for n in range(35)]
                return call(("recruit", {"members": [ada]}), *parts)
            shown.append(newest)
            return say("ok")
        if "p34" in newest:
            number = int(re.findall(r"Assignment #(\d+): p34", newest)[0])
            return call(("submit", {"assignment": number, "summary": "done"}))
        return say("ok")

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    assert "(submitted - review it): p34" in shown[-1]
    assert shown[-1].count("You gave #") == 30 and "You gave more" in shown[-1]


async def test_a_first_assignment_comes_with_the_recruiting(world: World) -> None:
    """One answer recruits, gives the work with its check, and ends the turn; who has neither is refused, and
    then the turn goes on."""
    heard: list[str] = []

    def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        heard.append(f"{view.name}: {view.last}")
        if view.name == "Ada":
            return call(("submit", {"assignment": view.given, "summary": "done"}))
        if view.steps > 1:
            return say("fine")
        ada = {"name": "Ada", "role": "the writer of a.md", "task": "Write a.md.", "command": ["true"]}
        nobody = {"name": "Bob", "role": "idler"}
        return call(("recruit", {"members": [nobody] if view.steps == 0 else [ada], "wait": True}))

    sandbox = FakeSandbox(lambda _: RunResult(0, "ok"))
    engine = await world.start(script, sandbox=sandbox)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    (work,) = await world.rows(sa.select(ASSIGNMENTS))
    assert (work.title, work.details, work.state) == ("Write a.md", "Write a.md.", "submitted")
    assert [request.argv for request in sandbox.requests] == [("true",)]
    assert [line.split(":")[0] for line in heard] == ["Boss", "Boss", "Ada", "Boss"]
    assert "Assignment #1: Write a.md\n" in heard[2]
    taken = sa.select(STEPS.c.calls_json).order_by(STEPS.c.step)
    results = [c for row in await world.rows(taken) for c in json.loads(row.calls_json)]
    texts = [result for _, name, _, result, *_ in results if name == "recruit"]
    assert "Bob has neither instructions nor a task" in texts[0]
    assert texts[1] == "Joined your group: Ada. Assignments: #1 for Ada."


async def test_words_of_who_waits_are_noted_and_all_others_are_shown(world: World) -> None:
    """While a member works the boss's few words are in its transcript and the log. A person who asks gets
    them as an answer, also beside a call that ends the turn; long ones, and those of a member that stops
    with its work open, are shown."""
    long = "The figures of March are missing, so those of February stand in. " * 5
    note = {"to": ["Ada"], "text": "Go on.", "needs_answer": False, "wait": True}
    answers = {
        "how is it": say("Ada is at work."),
        "and now": call(("send_message", note), text="Ada goes on now."),
        "tell all": call(("wait_for", {"what": ["a.md"]})),
        "First answer Me": call(("wait_for", {"what": ["a.md"]}), text="All is told."),
        "noise": say(long),
    }

    def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name == "Ada":
            noise = call(("send_message", {"to": ["Boss"], "text": "noise"}))
            return noise if "Go on." in view.last else say("I cannot write here.")
        heard = next((words for words in answers if words in view.last), "")
        if heard or view.did("recruit"):
            return answers.get(heard) or say("I wait for Ada.")
        return call(("recruit", {"members": [{"name": "Ada", "role": "writer", "task": "Write a.md."}]}))

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    boss = await world.scalar(sa.select(AGENTS.c.id).where(AGENTS.c.role == "boss"))
    ada = await world.scalar(sa.select(AGENTS.c.id).where(AGENTS.c.name == "Ada"))
    for words in ("how is it?", "and now?", "tell all"):
        await engine.handle(SayToAgent(boss, words, "me", "Me", ref=words))
        await world.until(lambda: still(world))
    events = sa.select(EVENTS).where(EVENTS.c.kind.in_([AgentSpoke.__name__, RemarkNoted.__name__]))
    said = [(row.kind, json.loads(row.payload_json)) for row in await world.rows(events)]
    spoken = [(body["agent_id"], body["text"]) for kind, body in said if kind == "AgentSpoke"]
    stops = (ada, "I cannot write here.")  # noted where the boss has not answered her before she says it
    assert spoken.count(stops) >= 2
    assert sorted(each for each in spoken if each != stops) == sorted(
        [
            (boss, "Ada is at work."),
            (boss, "Ada goes on now."),
            (boss, "Go on."),
            (ada, "noise"),
            (boss, "All is told."),
            (boss, long),
        ]
    )
    noted = [body["text"] for kind, body in said if kind == "RemarkNoted"]
    assert "I wait for Ada." in noted and set(noted) <= {"I wait for Ada.", stops[1]}
    assert noted[0] in [row.said for row in await world.rows(sa.select(STEPS.c.said))]


async def test_a_newcomer_is_addressed_by_the_name_its_head_wrote(world: World) -> None:
    """A name that was cut or cleaned is found by what was written, whatever is done to it."""
    long = "Ada (the person who keeps all of the accounts of the shop)"
    said: list[str] = []

    def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name != "Boss":
            return say("fine")
        said.append(view.last)
        member = {"name": long, "role": "w", "instructions": "i"}
        steps = [
            call(("recruit", {"members": [member]}), ("assign", {"to": long, "title": "a", "details": "d"})),
            call(("send_message", {"to": [long], "text": "hi"}), ("set_budget", {"name": long, "usd": 0.01})),
            call(("dismiss", {"name": long, "reason": "done"})),
        ]
        return steps[view.steps] if view.steps < len(steps) else say("all said")

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    rows = await world.rows(sa.select(AGENTS.c.name, AGENTS.c.status).where(AGENTS.c.role == "member"))
    assert [(row.name, row.status) for row in rows] == [
        ("Ada the person who keeps all of the acco", "dismissed")
    ]
    calls = [c for row in await world.rows(sa.select(STEPS.c.calls_json)) for c in json.loads(row.calls_json)]
    assert {name: out for _, name, _, out, *_ in calls if "Nobody" in out or "no member" in out.lower()} == {}


async def test_what_an_endpoint_refuses_for_a_role_is_asked_twice_in_a_whole_task(world: World) -> None:
    """A member of a team that is answered gives up at its first refusal, and the second refusal is the last
    of the task; once a person writes to who gave up, it is asked again."""
    asked: list[str] = []

    def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name != "Boss":
            asked.append(view.name)
            raise ModelRefused("The endpoint refused the request (400). Change the request.")
        names = [name for name in ("Ada", "Bob") if f"Joined your group: {name}" not in view.all]
        if not names:
            return say("Both cannot work.")
        member = {"name": names[0], "role": "writer", "task": "Write."}
        return call(("recruit", {"members": [member], "wait": True}))

    engine = await world.start(script)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: _both_gave_up(world))
    assert asked == ["Ada", "Bob"]
    bob = await world.scalar(sa.select(AGENTS.c.id).where(AGENTS.c.name == "Bob"))
    await engine.handle(SayToAgent(bob, "It is repaired, try again.", "me", "Me", ref="r"))
    await world.until(lambda: _both_gave_up(world))
    assert set(asked[2:]) == {"Bob"}


async def _both_gave_up(world: World) -> bool:
    gave_up = sa.select(sa.func.count()).select_from(AGENTS).where(AGENTS.c.refused != "")
    return bool(await world.scalar(gave_up) == 2)


async def test_no_agent_is_called_like_a_person_of_its_task(world: World) -> None:
    """Whoever started it, spoke in it or decided in it, however the name is written; a person of another task
    is nobody here."""
    told: list[str] = []
    names = ("ANN", "\u0410nn", "B\u043eb", "C\u00e9cile", "Dora")

    def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name != "Boss":
            return say("ok")
        tries = sum("would pass for a person who takes part" in m.content for m in request.messages)
        if "would pass" in request.messages[-1].content:
            told.append(request.messages[-1].content)
        if "Now recruit" not in view.all or "Joined your group" in view.all:
            return say("I wait.")
        member = {"name": names[tries], "role": "writer", "instructions": "Write."}
        return call(("recruit", {"members": [member]}))

    engine = await world.start(script)
    other = await engine.handle(StartTask("g", "d", "here", by_name="Dora (crew)"))
    await world.until(lambda: still(world))
    task = await engine.handle(StartTask("g", "a", "here", by_name="Ann (started the task)"))
    await world.until(lambda: still(world))
    boss = await world.scalar(sa.select(TASKS.c.boss_id).where(TASKS.c.id == task))
    await engine.handle(PauseTask(task, "c", "C\u00e9cile (Crew (EU))"))
    await engine.handle(ResumeTask(task, "c", "C\u00e9cile (Crew (EU))"))
    await engine.handle(SayToAgent(boss, "Now recruit.", "b", "Bob (crew)", ref="r"))
    await world.until(lambda: still(world))
    assert other != task and len(told) == 4
    members = sa.select(AGENTS.c.name).where(AGENTS.c.role == "member")
    assert [row.name for row in await world.rows(members)] == ["Dora"]


async def test_an_agent_that_a_person_forestalled_is_numbered(world: World) -> None:
    """The person spoke between the call and its commit; roles that the engine names keep their names."""
    engine = await world.start(lambda _request: say("I wait."))
    task = await engine.handle(StartTask("g", "a", "here", by_name="Boss (crew)"))
    await world.until(lambda: still(world))
    boss = (await world.rows(sa.select(AGENTS).where(AGENTS.c.task_id == task)))[0]
    assert boss.name == "Boss"
    await engine.handle(SayToAgent(boss.id, "Hello.", "b", "\u0412\u043eb", ref="r"))
    made = []
    for wanted in ("Bob", "Bob", "Bo"):
        new = NewAgent(task, boss.group_id, boss.id, boss.budget_id, wanted, "t", "i", "member", 1)
        made.append((await world.write(lambda c, new=new: add_agent(c, new, 1.0)))[1])  # type: ignore[misc]
    assert made == ["Bob 2", "Bob 3", "Bo"]
