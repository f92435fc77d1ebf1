"""Who answered a question is named to agents: where people disagree, it decides whose words count."""

from __future__ import annotations

import asyncio

from engine.commands import AnswerGate, SayToAgent, StopTask
from engine.domain.prompt import extend_summary
from engine.domain.state import InboxMessage, PastStep
from engine.events import FileWritten, GateRaised, PlanProposed
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer
from tests.engine.autonomy.conftest import Play, Stage
from tests.fakes.cast import View

PLAN = {"summary": "ten writers", "groups": ["writers: one chapter each"], "agents": 11}
QUESTION = call(("ask_human", {"question": "Red or blue?"}))


async def answered(play: Play, text: str, by_name: str) -> None:
    """Answer the task's first question."""
    gate = await play.until(GateRaised)
    await play.do(AnswerGate(gate.gate_id, "person:7", text=text, by_name=by_name))


async def test_the_agent_that_asked_and_the_auditor_hear_who_answered(stage: Stage) -> None:
    """An auditor reads an answer beside what others said, and has to know whose it is."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if "answered your question" in view.last:
            heard.append(view.last)
            return call(("finish", {"report": "blue", "deliverables": []}))
        return say("I wait.") if view.did("ask_human") else QUESTION

    def auditor(view: View) -> ChatAnswer:
        heard.append(view.all)
        return call(("verdict", {"verdict": "accept", "findings": "blue"}))

    play = await stage({"Boss": boss, "Auditor": auditor}, audit_rounds=1)
    await answered(play, "blue", "Ann (started the task)")
    await play.end()
    assert 'Ann (started the task) answered your question "Red or blue?": blue' in heard[0]
    assert "[from a person who watches this task: Ann (started the task)]" in heard[1]


async def test_a_plan_is_approved_by_somebody(stage: Stage) -> None:
    """Also where the answer is a choice."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if "approved your plan" in view.last:
            heard.append(view.last)
            return call(("finish", {"report": "done"}))
        return say("I wait.") if view.did("propose_plan") else call(("propose_plan", PLAN))

    play = await stage({"Boss": boss})
    plan = await play.until(PlanProposed)
    assert plan.gate_id is not None
    await play.do(AnswerGate(plan.gate_id, "person:7", "approve", by_name="Ann"))
    await play.end()
    assert "Ann approved your plan. Continue." in heard[0]


async def test_a_stop_names_only_words_that_nothing_came_of(stage: Stage) -> None:
    """An agent in the middle of a turn has acted on what it read before; the end says so of no other."""
    deep = asyncio.Event()

    async def boss(view: View) -> ChatAnswer:
        if "and green" in view.all:
            deep.set()
            await asyncio.Event().wait()
        if "blue" in view.all and view.did("ask_human"):
            await asyncio.sleep(0.02)
            return call(("write_file", {"path": f"blue{view.steps}.txt", "content": "blue"}))
        return say("I wait.") if view.did("ask_human") else QUESTION

    play = await stage({"Boss": boss})
    await answered(play, "blue", "Ann")
    await play.until(FileWritten)
    boss_id = (await play.engine.look.task(play.task)).boss_id
    await play.do(SayToAgent(boss_id, "and green", "person:8", "Bob"))
    await asyncio.wait_for(deep.wait(), 60)
    await play.do(StopTask(play.task, "person:7", "Ann"))
    end = await play.end()
    assert [(each.said_by, each.text) for each in end.unheeded] == [("Bob", "and green")]


async def test_a_plan_alone_is_nothing_that_came_of_words_at_a_stop(stage: Stage) -> None:
    """A turn that goes on carries it out; one that a stop cuts short does not."""
    deep = asyncio.Event()

    async def boss(view: View) -> ChatAnswer:
        if view.did("update_todo"):
            deep.set()
            await asyncio.Event().wait()
        if "and green" in view.all:
            return call(("update_todo", {"items": [{"text": "green", "status": "open"}]}))
        return say("I wait.") if view.did("ask_human") else QUESTION

    play = await stage({"Boss": boss})
    boss_id = (await play.engine.look.task(play.task)).boss_id
    await play.do(SayToAgent(boss_id, "and green", "person:8", "Bob"))
    await asyncio.wait_for(deep.wait(), 60)
    await play.do(StopTask(play.task, "person:7", "Ann"))
    end = await play.end()
    assert ("Bob", "and green") in [(each.said_by, each.text) for each in end.unheeded]


def test_a_summary_keeps_answers_as_it_keeps_words_of_people() -> None:
    """An answer comes through the engine, and is a person's decision all the same."""
    text = "Ann answered your question: " + "a long answer " * 30 + "with its point at the end"
    answer = InboxMessage(1, "system", "Ann", text, None, 0, True, "answer", None)
    note = InboxMessage(2, "agent", "Bob", "b" * 400, None, 0, True, "", None)
    summary = extend_summary((), [PastStep(1, "", "", (), (answer, note))], 1_000)
    assert summary[0].by_person and summary[0].text.endswith("with its point at the end")
    assert not summary[1].by_person
