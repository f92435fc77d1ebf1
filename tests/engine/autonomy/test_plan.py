"""The plan before a large organisation: shown, held for the people, or gone on with when nobody answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.commands import AnswerGate, Limits
from engine.errors import Invalid
from engine.events import GateRaised, PlanProposed
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer
from tests.engine.autonomy.conftest import Stage
from tests.fakes.cast import View, reviewing
from tests.fakes.parts import CAPS

PLAN = {"summary": "ten writers", "groups": ["writers: one chapter each"], "agents": 11}


def planner(view: View) -> ChatAnswer:
    """Recruits ten; refused, it proposes the plan, and then does what the people say."""
    if "call propose_plan first" in view.last:
        return call(("propose_plan", PLAN))
    if "answered your plan" in view.last:
        return call(("finish", {"report": view.last.split("plan: ")[1].split("\n")[0]}))
    if "Joined your group" in view.all:
        return call(("finish", {"report": "recruited"}))
    if "waits for approval" in view.last:
        return say("I wait.")
    members = [{"name": f"W{n}", "role": "writer", "instructions": "write"} for n in range(10)]
    return call(("recruit", {"members": members}))


async def test_a_large_plan_waits_and_goes_on_when_approved(stage: Stage) -> None:
    """Recruiting is refused before the plan; the engine estimates tokens, money and minutes itself."""
    play = await stage({"Boss": planner})
    plan = await play.until(PlanProposed)
    assert plan.gate_id is not None
    assert plan.tokens > 0 and plan.cost_micros == plan.tokens * 100 // 1_000
    assert plan.minutes == 13
    assert (await play.engine.look.task(play.task)).agents == 1
    await play.do(AnswerGate(plan.gate_id, "me", "approve"))
    assert (await play.end()).report == "recruited"


async def test_an_approval_can_name_caps(stage: Stage) -> None:
    """They lower the task's own, one that would raise them is refused whole, and the boss hears of them."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        return planner(view)

    play = await stage({"Boss": boss})
    plan = await play.until(PlanProposed)
    assert plan.gate_id is not None
    before = (await play.engine.look.task(play.task)).limits
    for limits in (Limits(agents=11, minutes=9_000_000), Limits(steps=1), Limits(agents=0)):
        with pytest.raises(Invalid):
            await play.do(AnswerGate(plan.gate_id, "me", "approve", limits=limits))
    assert (await play.engine.look.task(play.task)).limits == before
    lower = Limits(agents=11, cost_micros=3_000_000)
    await play.do(AnswerGate(plan.gate_id, "me", "approve", limits=lower))
    assert (await play.end()).report == "recruited"
    now = (await play.engine.look.task(play.task)).limits
    assert (now.agents, now.cost_micros, now.minutes) == (11, 3_000_000, CAPS.minutes)
    assert (await play.engine.look.gate(plan.gate_id)).limits == lower
    assert any("approved your plan" in words and "11 agents, $3.00" in words for words in heard)


async def test_free_text_instead_of_approval_reaches_the_boss(stage: Stage) -> None:
    """An edit in words is handed on as it is."""
    play = await stage({"Boss": planner})
    plan = await play.until(PlanProposed)
    assert plan.gate_id is not None
    await play.do(AnswerGate(plan.gate_id, "me", text="only three writers"))
    assert (await play.end()).report == "only three writers"


async def test_a_plan_changed_by_free_text_is_shown_again_before_many_are_recruited(stage: Stage) -> None:
    """Words approve nothing: the changed plan waits for its own answer, then the boss goes on."""

    def boss(view: View) -> ChatAnswer:
        if "answered your plan" in view.last:
            return call(("recruit", {"members": _writers(9)}))
        if "call propose_plan first" in view.last and "answered your plan" in view.all:
            return call(("propose_plan", PLAN | {"summary": "nine writers", "agents": 10}))
        return planner(view)

    play = await stage({"Boss": boss})
    first = await play.until(PlanProposed)
    assert first.gate_id is not None
    await play.do(AnswerGate(first.gate_id, "me", text="nine are enough"))
    second = await play.until(PlanProposed, summary="nine writers")
    assert second.gate_id is not None
    assert (await play.engine.look.task(play.task)).agents == 1
    await play.do(AnswerGate(second.gate_id, "me", "approve"))
    assert (await play.end()).report == "recruited"


def _writers(count: int) -> list[dict[str, str]]:
    return [{"name": f"W{n}", "role": "writer", "instructions": "write"} for n in range(count)]


async def test_a_small_plan_allows_no_large_organisation(stage: Stage) -> None:
    """Shown two agents, people are asked before there are ten."""

    def boss(view: View) -> ChatAnswer:
        if not view.did("propose_plan"):
            return call(("propose_plan", PLAN | {"summary": "two writers", "agents": 3}))
        return planner(view)

    play = await stage({"Boss": boss})
    large = await play.until(PlanProposed, summary=PLAN["summary"])
    assert [(plan.summary, plan.gate_id is None) for plan in play.of(PlanProposed)] == [
        ("two writers", True),
        ("ten writers", False),
    ]
    assert (await play.engine.look.task(play.task)).agents == 1
    await play.do(AnswerGate(large.gate_id or 0, "me", "approve"))
    assert (await play.end()).report == "recruited"


async def test_a_later_plan_can_be_refused_and_work_goes_on(stage: Stage) -> None:
    """With a team at work, people may say no without ending the task; what was approved holds still."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        if not view.did("propose_plan"):
            return call(("propose_plan", PLAN))
        if "approved your plan" in view.last:
            return call(
                ("recruit", {"members": _writers(9)}),
                ("propose_plan", PLAN | {"summary": "twenty", "agents": 20}),
            )
        if "refused your plan" in view.last:
            one_more = [{"name": "W9", "role": "writer", "instructions": "write"}]
            return call(("recruit", {"members": one_more}))
        if "Joined your group: W9" in view.last:
            return call(("finish", {"report": "with ten"}))
        return say("I wait.")

    play = await stage({"Boss": boss})
    first = await play.until(PlanProposed)
    gate = await play.engine.look.gate(first.gate_id or 0)
    assert [choice.effect for choice in gate.choices] == ["approve", "cancel"]
    await play.do(AnswerGate(gate.id, "me", "approve"))
    second = await play.until(PlanProposed, summary="twenty")
    gate = await play.engine.look.gate(second.gate_id or 0)
    assert [choice.effect for choice in gate.choices] == ["approve", "refuse_plan"]
    await play.do(AnswerGate(gate.id, "me", "refuse_plan", "Ten are enough.", by_name="Ann"))
    assert (await play.end()).report == "with ten"
    told = next(words for words in heard if "refused your plan" in words)
    assert "Ann refused your plan. Go on with the team there is." in told and "Ten are enough." in told


@pytest.mark.parametrize("enough", [True, False])
async def test_a_plan_that_needs_more_than_the_task_may_use_is_said(stage: Stage, enough: bool) -> None:
    """To the boss with the plan's result and to people with the plan, before they approve it."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        if not view.did("propose_plan"):
            return call(("propose_plan", PLAN | {"agents": 3, "tokens": 400_000}))
        return call(("finish", {"report": "as planned"}))

    caps = replace(CAPS, tokens=10**9 if enough else 300_000)
    play = await stage({"Boss": boss}, caps=caps)
    await play.end()
    [plan] = play.of(PlanProposed)
    assert plan.room_micros is None and (plan.room_tokens is None) is enough
    assert ("more than this task may still use" in heard[1]) is not enough


async def test_a_question_is_answered_by_one_agent(stage: Stage) -> None:
    """A boss that would plan an organisation of one is told to do it; nobody is shown or asked anything."""

    def boss(view: View) -> ChatAnswer:
        if "One agent needs no plan" in view.last:
            return call(("finish", {"report": "forty-two"}))
        return call(("propose_plan", PLAN | {"agents": 1}))

    play = await stage({"Boss": boss})
    assert (await play.end()).report == "forty-two"
    assert (await play.engine.look.task(play.task)).agents == 1
    assert not play.of(PlanProposed) and not play.of(GateRaised)


async def test_a_plan_can_be_cancelled(stage: Stage) -> None:
    """Cancelling stops the task."""
    play = await stage({"Boss": planner})
    plan = await play.until(PlanProposed)
    assert plan.gate_id is not None
    await play.do(AnswerGate(plan.gate_id, "me", "cancel"))
    assert (await play.end()).state == "stopped"


async def test_an_unattended_task_never_waits_for_a_plan(stage: Stage) -> None:
    """The plan is shown and work goes on at once."""
    play = await stage({"Boss": planner}, attended=False)
    assert (await play.end()).report == "recruited"
    assert not play.of(GateRaised)
    assert play.of(PlanProposed)[0].gate_id is None


async def test_an_unattended_task_asks_nobody(stage: Stage) -> None:
    """ask_human tells the model to decide itself."""

    def asks(view: View) -> ChatAnswer:
        if "Nobody attends" in view.last:
            return call(("finish", {"report": "assumed blue"}))
        return call(("ask_human", {"question": "Which colour?"}))

    play = await stage({"Boss": asks}, attended=False)
    assert (await play.end()).report == "assumed blue"
    assert not play.of(GateRaised)


async def test_heads_cannot_grow_a_task_past_the_handful_without_a_plan(stage: Stage) -> None:
    """A member that wants ten of its own is sent to the boss, who shows a plan first."""

    def boss(view: View) -> ChatAnswer:
        if "Please plan." in view.last:
            return call(("propose_plan", PLAN))
        if not view.did("recruit"):
            return call(
                ("recruit", {"members": [{"name": "Ada", "role": "head", "instructions": "lead"}]}),
                ("assign", {"to": "Ada", "title": "lead", "details": "recruit ten"}),
            )
        if "approved your plan" in view.last:
            return call(("send_message", {"to": ["Ada"], "text": "Approved."}))
        return reviewing(view, 1)

    def ada(view: View) -> ChatAnswer:
        if "Joined your group" in view.last:
            return call(("submit", {"assignment": view.given, "summary": "recruited"}))
        if "Ask the boss to call propose_plan" in view.last:
            return call(("send_message", {"to": ["Boss"], "text": "Please plan.", "wait": True}))
        members = [{"name": f"W{n}", "role": "writer", "instructions": "write"} for n in range(10)]
        return (
            call(("recruit", {"members": members}))
            if view.last.startswith("[from agent Boss]")
            else say("Idle.")
        )

    play = await stage({"Boss": boss, "Ada": ada})
    plan = await play.until(PlanProposed)
    assert plan.gate_id is not None
    await play.do(AnswerGate(plan.gate_id, "me", "approve"))
    assert (await play.end()).state == "done"
    assert (await play.engine.look.task(play.task)).agents == 12


@pytest.mark.parametrize("attended", [True, False])
async def test_outgrowing_the_plan_is_asked_about_once(stage: Stage, attended: bool) -> None:
    """A plan of ten that becomes nineteen: people are asked, an unattended task goes on."""

    def grows(view: View) -> ChatAnswer:
        if "answered your question" in view.last or (not attended and view.steps > 60):
            return call(("finish", {"report": "grown"}))
        if not view.did("propose_plan"):
            return call(("propose_plan", PLAN | {"agents": 10}))
        if "waits for approval" in view.last:
            return say("I wait.")
        if not view.did("recruit"):
            members = [{"name": f"W{n}", "role": "w", "instructions": "w"} for n in range(18)]
            return call(("recruit", {"members": members}))
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    play = await stage({"Boss": grows}, attended=attended, caps=replace(CAPS, steps=9_000))
    if attended:
        plan = await play.until(PlanProposed)
        await play.do(AnswerGate(plan.gate_id or 0, "me", "approve"))
        gate = await play.until(GateRaised, kind="stall")
        assert "The plan named 10 agents" in gate.question
        await play.do(AnswerGate(gate.gate_id, "me", "retry"))
    assert (await play.end()).report == "grown"
    assert len(play.of(GateRaised, kind="stall")) == int(attended)
