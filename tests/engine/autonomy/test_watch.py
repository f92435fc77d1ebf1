"""Each monitoring rule in a task that comes to no good without it."""

from __future__ import annotations

import time
from dataclasses import replace

from engine.commands import AnswerGate, PauseAgent, ResumeAgent, SayToAgent
from engine.domain.limits import Caps
from engine.events import AgentLeft, AgentSpoke, AssignmentChanged, FileWritten, GateRaised, Intervened
from engine.llm.scripted import call, say
from engine.monitoring.sweep import sweep_task
from engine.ports import ChatAnswer
from tests.engine.autonomy.conftest import CALM, FAST, Stage
from tests.fakes.cast import Part, View, boss_of, reviewing, worker
from tests.fakes.parts import CAPS


async def test_an_idle_task_with_open_work_is_nudged(stage: Stage) -> None:
    """A member that forgot its assignment is woken with what is open, and the task ends."""

    def forgetful(view: View) -> ChatAnswer:
        return worker(view) if "still open" in view.all else say("Understood.")

    def lazy(view: View) -> ChatAnswer:
        if "is still open" in view.last:
            return call(("write_file", {"path": "ada.txt", "content": "Ada\n"}))
        return forgetful(view)

    play = await stage({"Boss": boss_of("Ada"), "Ada": lazy})
    assert (await play.end()).state == "done"
    assert play.of(Intervened, rule="stall", action="nudged", name="Ada")


async def test_a_standstill_that_nudges_cannot_end_is_put_to_the_people(stage: Stage) -> None:
    """After the set number of nudges a gate is raised, and its answer sets the boss going."""

    def stubborn(view: View) -> ChatAnswer:
        if "answered your question" in view.last:
            return call(("finish", {"report": "nothing was needed"}))
        return say("Hm.")

    play = await stage({"Boss": stubborn})
    gate = await play.until(GateRaised, kind="stall")
    assert len(play.of(Intervened, rule="stall", action="nudged")) == CALM.quiet_rounds
    await play.do(AnswerGate(gate.gate_id, "me", "retry"))
    assert (await play.end()).report == "nothing was needed"


async def test_a_task_whose_boss_people_paused_is_left_in_peace(stage: Stage) -> None:
    """However long it is paused, nothing is asked: it goes on when they say so."""
    often = replace(CALM, quiet_rounds=50)
    play = await stage({"Boss": lambda view: say("Nothing yet.")}, watch=often)
    await play.until(Intervened, rule="stall", action="nudged")
    await play.do(PauseAgent(1, "discord:7"))
    for _ in range(60):
        await play.db.write(lambda c: sweep_task(c, play.task, time.time(), often))
    assert not await play.engine.look.gates(play.task)
    await play.do(ResumeAgent(1, "discord:7"))
    nudges = len(play.of(Intervened, rule="stall"))
    while len(play.of(Intervened, rule="stall")) == nudges:
        await play.more()


async def test_the_same_call_with_the_same_result_is_pointed_out_reported_and_ended(stage: Stage) -> None:
    """A member in a loop hears so, its head hears of it, and its turn ends before its steps run out."""

    def looping(view: View) -> ChatAnswer:
        return call(("list_files", {}))

    def boss(view: View) -> ChatAnswer:
        if "is in trouble" in view.last and not view.did("dismiss"):
            return call(("dismiss", {"name": "Ada", "reason": "loops"}))
        if view.did("dismiss"):
            return call(("finish", {"report": "Ada could not do it"}))
        return boss_of("Ada")(view)

    play = await stage({"Boss": boss, "Ada": looping})
    assert (await play.end()).state == "done"
    assert [e.action for e in play.of(Intervened, rule="loop", name="Ada")][:2] == ["nudged", "reported"]


async def test_a_refused_call_between_many_others_is_a_loop_too(stage: Stage) -> None:
    """An agent that asks for what it was refused after each dozen of other calls is noticed."""
    asked = 0

    def looping(view: View) -> ChatAnswer:
        nonlocal asked
        asked += 1
        others = [("remember", {"text": f"{asked} {number}"}) for number in range(13)]
        return call(("submit", {"assignment": 99, "summary": "so"}), *others)

    play = await stage({"Boss": boss_of("Ada"), "Ada": looping})
    await play.until(Intervened, rule="loop", action="paused")


async def test_a_loop_ends_its_turn_even_when_nobody_dismisses_it(stage: Stage) -> None:
    """The ninth time the turn is over; the step limit of 30 is never reached."""

    def looping(view: View) -> ChatAnswer:
        return say("I give up.") if "still open" in view.all else call(("list_files", {}))

    play = await stage({"Boss": boss_of("Ada"), "Ada": looping})
    await play.until(Intervened, rule="loop", action="paused")
    await play.until(Intervened, rule="stall", name="Ada")
    ada = next(a for a in await play.engine.look.agents(play.task) if a.name == "Ada")
    assert ada.steps <= CALM.loop * 3 + 1


async def test_a_silent_agent_is_nudged_while_others_work(stage: Stage) -> None:
    """One member keeps the task busy; the other, silent with work open, is nudged and goes on."""

    def silent(view: View) -> ChatAnswer:
        if "You have stopped working on" in view.last:
            return call(("write_file", {"path": "ada.txt", "content": "Ada\n"}))
        return worker(view) if view.last.startswith("ada.txt") else say("Later.")

    play = await stage({"Boss": _never_still, "Ada": silent}, watch=FAST, caps=_caps(900))
    assert (await play.end()).state == "done"
    assert play.of(Intervened, rule="silence", action="nudged", name="Ada")
    assert not play.of(Intervened, rule="stall")


def _never_still(view: View) -> ChatAnswer:
    """A boss that polls its files without end until Ada's part is accepted."""
    if not view.did("recruit") or view.submitted or " accepted." in view.all:
        return boss_of("Ada")(view)
    return call(("search_files", {"pattern": f"x{view.steps}"}))


async def test_an_agent_whose_model_fails_is_reported_and_replaced(stage: Stage) -> None:
    """Nudge, report to the head, then a fresh agent takes over the open work and does it."""

    def silent(view: View) -> ChatAnswer:
        return worker(view) if view.name != "Ada" else say("")

    def fresh(view: View) -> ChatAnswer:
        if "taken over from Ada" in view.last:
            return call(("write_file", {"path": "part.txt", "content": "x\n"}))
        if " added, revision" in view.last:
            number = int(view.all.split("Assignment #")[1].split(",")[0])
            return call(("submit", {"assignment": number, "summary": "done", "files": ["part.txt"]}))
        return say("Idle.")

    play = await stage(
        {"Boss": _never_still, "Ada": silent, "Ada 2": fresh}, watch=replace(FAST, loop=1000), caps=_caps(900)
    )
    assert (await play.end()).state == "done"
    actions = [e.action for e in play.of(Intervened, rule="silence")]
    assert actions == ["nudged", "reported", "replaced"]
    assert [e.name for e in play.of(AgentLeft)] == ["Ada"]
    assert play.of(AssignmentChanged, assignee="Ada 2", state="accepted")
    assert not play.of(AssignmentChanged, state="cancelled")


def _caps(steps: int) -> Caps:
    return replace(CAPS, steps=steps)


async def test_a_circle_of_waiting_agents_is_named_to_all_of_them(stage: Stage) -> None:
    """Three members wait for each other's answer; told so, they go on. Nobody else would wake them."""
    parts: dict[str, Part] = {
        "Boss": boss_of("Ada", "Bob", "Cy"),
        "Ada": _asks("Bob"),
        "Bob": _asks("Cy"),
        "Cy": _asks("Ada"),
    }
    play = await stage(parts)
    assert (await play.end()).state == "done"
    named = play.of(Intervened, rule="cycle", action="nudged")
    assert named and all(name in named[0].detail for name in ("Ada", "Bob", "Cy"))


def _asks(other: str) -> Part:
    """Asks another before doing anything, answers nobody, and works once the circle is named."""

    def part(view: View) -> ChatAnswer:
        if "wait in a circle" in view.last:
            return call(("write_file", {"path": f"{view.name.lower()}.txt", "content": "x\n"}))
        if "Assignment #" in view.last:
            return call(("send_message", {"to": [other], "text": "Which format do you use?", "wait": True}))
        if " added, revision" in view.last:
            return call(("submit", {"assignment": view.given, "summary": "done"}))
        return say("I wait.")

    return part


async def test_an_answer_that_work_waits_for_is_reminded_of(stage: Stage) -> None:
    """Bob reads a question and answers nobody; reminded while others work, he answers, and Ada goes on."""

    def ada(view: View) -> ChatAnswer:
        if "It is blue." in view.all:
            return worker(view)
        if not view.did("send_message"):
            return call(("send_message", {"to": ["Bob"], "text": "Which colour?", "wait": True}))
        return say("I wait for Bob.")

    def bob(view: View) -> ChatAnswer:
        if "still waits for an answer" in view.last:
            return call(("send_message", {"to": ["Ada"], "text": "It is blue."}))
        return call(("wait_for", {"what": ["plan.md"]}))

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            members = [{"name": n, "role": "w", "instructions": "w"} for n in ("Ada", "Bob")]
            given = ("assign", {"to": "Ada", "title": "t", "details": "d"})
            return call(("recruit", {"members": members}), given)
        if view.submitted or " accepted." in view.all:
            return reviewing(view, 1)
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    watch = replace(FAST, silent_s=0.8)
    play = await stage({"Boss": boss, "Ada": ada, "Bob": bob}, watch=watch, caps=_caps(9_000))
    assert (await play.end()).state == "done"
    assert play.of(Intervened, rule="unanswered", name="Bob")


def _polite(other: str) -> Part:
    def part(view: View) -> ChatAnswer:
        thanks = ("send_message", {"to": [other], "text": f"Thank you too! ({view.steps})", "wait": True})
        if "Assignment #" in view.last and not view.did("submit"):
            done = ("submit", {"assignment": view.given, "summary": "done"})
            return call(done, thanks) if view.name == "Ada" else call(done)
        return call(thanks) if f"[from agent {other}]" in view.last else say("Idle.")

    return part


async def test_politeness_without_end_is_cut_off(stage: Stage) -> None:
    """Two agents thank each other for ever; they are told, then their talk wakes nobody, and all is still."""
    seen: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if "no longer wakes them" in view.last:
            seen.append("told")
            return say("Then they are done.")
        if "Nobody has anything to do" in view.last:
            return call(("finish", {"report": "both are done"}))
        if view.submitted:
            return call(*(("review", {"assignment": n, "verdict": "accept"}) for n in view.submitted))
        return boss_of("Ada", "Bob")(view) if not view.did("recruit") else say("Waiting.")

    play = await stage({"Boss": boss, "Ada": _polite("Bob"), "Bob": _polite("Ada")})
    assert (await play.end()).state == "done"
    assert "told" in seen
    assert [e.action for e in play.of(Intervened, rule="chatter")][:2] == ["nudged", "reported"]


async def test_messages_that_need_no_answer_wake_nobody(stage: Stage) -> None:
    """Thanks marked as needing no answer lie in the inbox; the receiver takes no step for them."""
    woken: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            members = [{"name": n, "role": "w", "instructions": "w"} for n in ("Ada", "Bob")]
            given = {"to": "Ada", "title": "part", "details": "write"}
            return call(("recruit", {"members": members}), ("assign", given))
        return reviewing(view, 1)

    def ada(view: View) -> ChatAnswer:
        if "Assignment #" not in view.last:
            return say("Idle.")
        thanks = {"to": ["Bob"], "text": "Thanks, all good!", "needs_answer": False}
        return call(("send_message", thanks), ("submit", {"assignment": view.given, "summary": "done"}))

    def bob(view: View) -> ChatAnswer:
        woken.append(view.last)
        return say("You are welcome.")

    play = await stage({"Boss": boss, "Ada": ada, "Bob": bob})
    assert (await play.end()).state == "done"
    assert play.of(AgentSpoke, name="Ada", to=("Bob",))
    assert woken == []


async def test_a_head_that_does_its_members_work_is_nudged(stage: Stage) -> None:
    """A boss writes every file itself while its member idles; told so, it gives the rest away."""

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            return call(("recruit", {"members": [{"name": "Ada", "role": "w", "instructions": "w"}]}))
        if view.submitted or " accepted." in view.all:
            return reviewing(view, 1)
        if "You do your members' work" in view.all:
            if view.did("assign"):
                return say("Waiting.")
            return call(("assign", {"to": "Ada", "title": "rest", "details": "write the rest"}))
        return call(("write_file", {"path": f"f{view.steps}.txt", "content": "x\n"}))

    watch = replace(CALM, sweep_s=0.05)
    play = await stage({"Boss": boss, "Ada": worker}, watch=watch, caps=_caps(900))
    assert (await play.end()).state == "done"
    assert play.of(Intervened, rule="overreach", action="nudged", name="Boss")
    assert play.of(FileWritten, name="Ada")


async def test_recruiting_without_assigning_is_nudged_and_then_asked_about(stage: Stage) -> None:
    """Idle recruits are named to their head; when that does not help, the people are asked."""

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            members = [{"name": f"Idle {n}", "role": "w", "instructions": "w"} for n in range(5)]
            return call(("recruit", {"members": members}))
        if "answered your question" in view.last:
            return call(("finish", {"report": "done alone"}))
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    play = await stage({"Boss": boss}, watch=FAST, caps=_caps(5_000))
    gate = await play.until(GateRaised, kind="stall")
    assert [e.action for e in play.of(Intervened, rule="recruiting")] == ["nudged", "asked"]
    await play.do(AnswerGate(gate.gate_id, "me", text="do it alone"))
    assert (await play.end()).report == "done alone"


async def test_work_handed_down_a_chain_is_stopped_at_its_end(stage: Stage) -> None:
    """Each recruits one more and hands the work on; the last is told to do it, and does."""

    def does_it(view: View) -> ChatAnswer:
        if not view.did("write_file"):
            return call(("write_file", {"path": "it.txt", "content": "x\n"}))
        if not view.did("submit"):
            return call(("submit", {"assignment": view.given, "summary": "done"}))
        return say("Idle.")

    def hands_on(view: View) -> ChatAnswer:
        if "do this work yourself" in view.all:
            return does_it(view)
        if view.submitted:
            return reviewing(view, 99)
        if view.did("recruit"):
            return call(("search_files", {"pattern": f"x{view.steps}"}))
        below = f"L{int(view.name[1:]) + 1}" if view.name != "Boss" else "L1"
        member = {"name": below, "role": "w", "instructions": "w"}
        given = {"to": below, "title": "it", "details": "do it"}
        return call(("recruit", {"members": [member]}), ("assign", given))

    parts = dict.fromkeys(("Boss", *(f"L{n}" for n in range(1, 6))), hands_on)
    caps = replace(_caps(900), depth=5)
    play = await stage(parts, watch=replace(CALM, sweep_s=0.05), caps=caps)
    assert await play.until(Intervened, rule="relay", action="nudged")
    assert await play.until(FileWritten, path="it.txt")


async def test_an_answer_wakes_who_waits_for_it_whatever_its_flags(stage: Stage) -> None:
    """No rule of the watch has to wake it, and the asked one sees who waits; who reads the answer is not
    asked for another."""
    seen: list[str] = []
    heard: list[str] = []

    def asks(view: View) -> ChatAnswer:
        if "it is 7" in view.last:
            heard.append(view.last)
            return say("Thanks to nobody.")
        if "ask Bob" in view.last and not view.did("send_message"):
            return call(("send_message", {"to": ["Bob"], "text": "how many?", "wait": True}))
        return say("Later.")

    def answers(view: View) -> ChatAnswer:
        if "how many?" in view.last and not view.did("send_message"):
            seen.append(view.last)
            return call(("send_message", {"to": ["Ada"], "text": "it is 7", "needs_answer": False}))
        return say("Done.")

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            members = [{"name": n, "role": "w", "instructions": "w"} for n in ("Ada", "Bob")]
            told = {"to": ["Ada"], "text": "ask Bob", "needs_answer": True, "wait": True}
            return call(("recruit", {"members": members}), ("send_message", told))
        return say("Waiting.")

    calm = replace(CALM, quiet_s=1e6, sweep_s=1e6)
    play = await stage({"Boss": boss, "Ada": asks, "Bob": answers}, watch=calm)
    await play.until(AgentSpoke, name="Ada", text="Thanks to nobody.")
    assert "[its sender waits for your answer]" in seen[0]
    assert heard and "[its sender waits" not in heard[0]


async def test_work_can_be_given_and_reviewed_without_a_call_only_to_end_the_turn(stage: Stage) -> None:
    """`wait` beside assign and review ends the turn: three calls of the boss make a whole task."""
    calls: list[int] = []

    def boss(view: View) -> ChatAnswer:
        calls.append(view.steps)
        if view.steps == 0:
            ada = {"name": "Ada", "role": "w", "instructions": "w"}
            given = {"to": "Ada", "title": "part", "details": "write your file", "wait": True}
            return call(("recruit", {"members": [ada]}), ("assign", given))
        if view.submitted:
            judged = {"assignment": view.submitted[0], "verdict": "accept"}
            todo = {"items": [{"text": "finish", "status": "doing"}]}
            return call(("review", judged), ("update_todo", todo), ("finish", {"report": "all there"}))
        return say("Waiting.")

    play = await stage({"Boss": boss, "Ada": worker})
    assert (await play.end()).report == "all there"
    assert calls == [0, 1]


async def test_one_answer_of_an_agent_notifies_a_person_once(stage: Stage) -> None:
    """Words beside a message to people are one answer: only the first is a reply to what the person wrote."""

    def boss(view: View) -> ChatAnswer:
        if "make it blue" in view.last:
            told = ("send_message", {"to": ["human"], "text": "It is blue.", "needs_answer": False})
            return call(told, text="I make it blue.")
        return call(("finish", {"report": "blue"})) if view.did("send_message") else say("Nothing yet.")

    play = await stage({"Boss": boss})
    await play.until(AgentSpoke, text="Nothing yet.")
    boss_id = (await play.engine.look.task(play.task)).boss_id
    await play.do(SayToAgent(boss_id, "make it blue", "me", "Ann", ref="r1"))
    await play.end()
    spoken = {event.text: event.refs for event in play.of(AgentSpoke)}
    assert (spoken["I make it blue."], spoken["It is blue."]) == (("r1",), ())


async def test_an_empty_answer_ends_a_turn_whose_work_is_with_others(stage: Stage) -> None:
    """Many models end a turn without a word; one with work of its own left is asked for a call, as before."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        if view.submitted:
            return call(("review", {"assignment": view.submitted[0], "verdict": "accept"}), FINISH)
        return say("") if view.did("recruit") else call(("recruit", {"members": [ADA]}))

    def ada(view: View) -> ChatAnswer:
        if "Your answer was empty" in view.last:
            heard.append("Ada is asked")
            return call(("submit", {"assignment": 1, "summary": "done"}))
        return say("") if view.did("list_files") else call(("list_files", {}))

    play = await stage({"Boss": boss, "Ada": ada})
    await play.end()
    assert "Ada is asked" in heard
    assert not any("Your answer was empty" in each for each in heard)


ADA = {"name": "Ada", "role": "w", "task": "do it"}
FINISH = ("finish", {"report": "done"})
