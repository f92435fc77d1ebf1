"""What people are shown of agents: the title of the task, questions, and no false alarm."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.commands import SayToAgent
from engine.events import (
    AgentSpoke,
    EventBody,
    GateClosed,
    GateRaised,
    GroupFormed,
    Intervened,
    PlannedMember,
    PlanProposed,
    TaskNamed,
    dump_event,
    load_event,
)
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, RunResult
from tests.engine.autonomy.conftest import Stage
from tests.fakes.cast import View, boss_of
from tests.fakes.parts import FakeSandbox


def stored(body: EventBody) -> tuple[str, Any]:
    """An event as it comes back from the database."""
    kind, payload = dump_event(body)
    return kind, json.loads(json.dumps(payload))


async def test_the_boss_names_the_task_once(stage: Stage) -> None:
    """Until then the goal's first words do; a member's group, and a second title, change nothing."""

    def boss(view: View) -> ChatAnswer:
        if not view.did("propose_plan"):
            team = [{"name": " Ada ", "part": "the\ntext"}, {"name": "Ada"}, {"name": "Bo"}]
            plan = {"summary": "s", "groups": ["g"], "agents": 2, "title": " sales\nreport. ", "team": team}
            member = {"name": "Ada", "role": "writer", "instructions": "write"}
            return call(("propose_plan", plan), ("recruit", {"members": [member], "group": "Writers"}))
        return call(("finish", {"report": "done"}))

    play = await stage({"Boss": boss})
    await play.end()
    (named,) = play.of(TaskNamed)
    task = await play.engine.look.task(play.task)
    assert named.title == task.title == "sales report" and task.plan_minutes > 0
    (plan,) = play.of(PlanProposed)
    assert plan.team == (PlannedMember("Ada", "the text"), PlannedMember("Bo", ""))
    assert load_event(*stored(plan)) == plan
    assert (await play.engine.look.group(task.root_group_id)).name == "sales report"
    assert play.of(GroupFormed)[0].name not in ("", "headquarters", "sales report")


@pytest.mark.parametrize("by", ["update_todo", "finish"])
async def test_a_boss_that_works_alone_names_the_task(stage: Stage, by: str) -> None:
    """Its list or its report carries the title, without a call of its own; the first one counts."""

    def boss(view: View) -> ChatAnswer:
        listed = {"items": [{"text": "count"}], "title": "bird quiz" if by == "update_todo" else ""}
        if not view.did("update_todo"):
            return call(("update_todo", listed))
        return call(("finish", {"report": "done", "title": "Birds of the lake"}))

    play = await stage({"Boss": boss})
    await play.end()
    (named,) = play.of(TaskNamed)
    task = await play.engine.look.task(play.task)
    wanted = "bird quiz" if by == "update_todo" else "Birds of the lake"
    assert named.title == task.title == wanted
    assert (await play.engine.look.group(task.root_group_id)).name == wanted


async def test_neither_task_nor_group_passes_for_who_speaks(stage: Stage) -> None:
    """Channels and lists bear these names: they say what they name."""

    def member(name: str) -> dict[str, str]:
        return {"name": name, "role": "writer", "instructions": "write", "task": "write"}

    def boss(view: View) -> ChatAnswer:
        if not view.did("propose_plan"):
            plan = {"summary": "s", "groups": ["g"], "agents": 3, "title": "The \u0405ystem"}
            return call(("propose_plan", plan), ("recruit", {"members": [member("Ada")]}))
        return call(("finish", {"report": "done"})) if "Bo is here." in view.all else say("I wait.")

    def ada(view: View) -> ChatAnswer:
        told = ("send_message", {"to": ["Boss"], "text": "Bo is here."})
        return call(("recruit", {"members": [member("Bo")], "group": "[MegaAgent]"}), told)

    play = await stage({"Boss": boss, "Ada": ada})
    await play.until(GroupFormed, depth=1)
    await play.until(TaskNamed)
    names = [group.name for group in await play.engine.look.groups(play.task)]
    assert names == ["The \u0405ystem task", "MegaAgent group"]
    assert (await play.engine.look.task(play.task)).title == names[0]


async def test_who_asks_a_person_is_seen_to_ask(stage: Stage) -> None:
    """A message with which the agent waits for people, or says that it needs an answer, is a question; one
    that says neither, or goes to colleagues, is not."""

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            news = {"to": ["human"], "text": "Done so far.", "needs_answer": False}
            asks = {"to": ["human"], "text": "Ash?", "needs_answer": True}
            begins = {"to": ["human"], "text": "I begin."}
            return call(*(("send_message", each) for each in (begins, news, asks)))
        if view.steps == 1:
            return call(("send_message", {"to": ["human"], "text": "Oak?", "wait": True}))
        return say("I wait.")

    play = await stage({"Boss": boss})
    await play.until(AgentSpoke, text="Oak?")
    assert [(spoke.text, spoke.asks) for spoke in play.of(AgentSpoke)] == [
        ("I begin.", False),
        ("Done so far.", False),
        ("Ash?", True),
        ("Oak?", True),
    ]


async def test_a_question_of_who_hands_in_its_work_without_the_answer_is_closed(stage: Stage) -> None:
    """Nobody needs it any more: it asks for no answer, and the task does not wait for one."""

    def ada(view: View) -> ChatAnswer:
        if "Assignment #" in view.last and not view.did("submit"):
            asks = ("ask_human", {"question": "Which colour?"})
            return call(("write_file", {"path": "ada.txt", "content": "blue"}), asks)
        if "Go on." in view.last:
            return call(("submit", {"assignment": view.given, "summary": "it is blue"}))
        return say("Fine.")

    def boss(view: View) -> ChatAnswer:
        if "A person" in view.last and not view.did("send_message"):
            return call(("send_message", {"to": ["Ada"], "text": "Go on."}))
        return boss_of("Ada")(view)

    play = await stage({"Boss": boss, "Ada": ada})
    gate = await play.until(GateRaised, question="Which colour?")
    await play.do(SayToAgent((await play.engine.look.task(play.task)).boss_id, "A person: go on", "me", "Me"))
    await play.until(GateClosed, gate_id=gate.gate_id, basis="withdrawn")
    assert (await play.end()).state == "done"


async def test_a_program_run_again_after_an_edit_is_no_loop(stage: Stage) -> None:
    """The same command with the same output three times, each after another edit: nobody is alarmed."""

    def boss(view: View) -> ChatAnswer:
        if view.steps >= 4:
            return call(("finish", {"report": "done"}))
        text = f"print('ok')  # {view.steps}\n"
        mode = [] if view.steps == 0 else [("read_file", {"path": "a.py"})]
        return call(
            *mode, ("write_file", {"path": "a.py", "content": text}), ("run", {"command": ["python", "a.py"]})
        )

    play = await stage({"Boss": boss}, sandbox=FakeSandbox(lambda _: RunResult(0, "ok")))
    await play.end()
    assert not [notice for notice in play.of(Intervened) if notice.rule == "loop"]
