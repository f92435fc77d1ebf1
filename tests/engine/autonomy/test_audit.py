"""The auditor: a fresh agent each round, and what happens when it does not judge."""

from __future__ import annotations

import re
from dataclasses import replace

from engine.commands import AnswerGate, PauseAgent, SayToAgent, StopTask
from engine.events import (
    AgentJoined,
    AgentLeft,
    Audited,
    GateRaised,
    Intervened,
    MessageRead,
    TaskEnded,
    Unheeded,
)
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest, RunResult
from tests.engine.autonomy.conftest import Stage
from tests.fakes.cast import View, accepting
from tests.fakes.parts import CAPS, FakeSandbox


def boss(view: View) -> ChatAnswer:
    """Finishes; fixes what the auditor rejects and finishes again."""
    if "The auditor rejected the result" in view.last:
        path = f"repaired{view.steps}.txt"
        return call(
            ("write_file", {"path": path, "content": "x\n"}),
            ("finish", {"report": "repaired", "deliverables": [path]}),
        )
    if "answered your question" in view.last:
        return call(("finish", {"report": "tried again"}))
    return say("Waiting.") if view.did("finish") else call(("finish", {"report": "first"}))


async def test_a_rejection_goes_back_to_the_boss_and_a_new_auditor_judges(stage: Stage) -> None:
    """The second auditor has seen nothing of the first round; its acceptance verifies the task. The first,
    which has left, waits for nobody's answer."""
    saw: list[str] = []
    told: list[str] = []

    def listening(view: View) -> ChatAnswer:
        if "The auditor rejected the result" in view.last:
            told.append(view.last)
        return boss(view)

    def first(view: View) -> ChatAnswer:
        return call(("verdict", {"verdict": "reject", "findings": "repaired.txt is missing"}))

    def second(view: View) -> ChatAnswer:
        saw.append(view.all)
        if view.steps == 0:
            return call(("list_files", {}), ("read_file", {"path": "repaired1.txt"}))
        return call(("verdict", {"verdict": "accept", "findings": "it is there"}))

    play = await stage({"Boss": listening, "Auditor": first, "Auditor 2": second}, audit_rounds=2)
    end = await play.end()
    assert told and "waits for your answer" not in told[0]
    assert end.verified and end.report == "repaired"
    assert [(a.verdict, a.round) for a in play.of(Audited)] == [("rejected", 1), ("accepted", 2)]
    assert "repaired.txt is missing" not in saw[0]
    assert [left.name for left in play.of(AgentLeft)][:1] == ["Auditor"]
    assert len(play.of(AgentJoined, title="auditor")) == 2


async def test_an_auditor_has_tools_to_read_run_and_judge_and_no_others(stage: Stage) -> None:
    """It can change nothing, recruit nobody and talk to nobody."""
    offered: list[set[str]] = []

    def auditor(view: View) -> ChatAnswer:
        offered.append({tool.name for tool in view.request.tools})
        return call(("verdict", {"verdict": "accept", "findings": "fine"}))

    play = await stage({"Boss": boss, "Auditor": auditor}, audit_rounds=1)
    await play.end()
    assert offered[0] == {"list_files", "read_file", "search_files", "run", "send_input", "verdict"}


def _rejects(view: View) -> ChatAnswer:
    return call(("verdict", {"verdict": "reject", "findings": "not good"}))


async def test_after_the_last_round_a_person_decides(stage: Stage) -> None:
    """Two rejections raise a gate; accepting there ends the task, unverified."""
    play = await stage({"Boss": boss, "Auditor": _rejects}, audit_rounds=2)
    gate = await play.until(GateRaised, kind="audit")
    assert "2 times" in gate.question
    await play.do(AnswerGate(gate.gate_id, "me", "accept"))
    end = await play.end()
    assert (end.state, end.verified) == ("done", False)


async def test_another_round_can_be_asked_for(stage: Stage) -> None:
    """The boss goes on and the next auditor may accept."""
    parts = {"Boss": boss, "Auditor": _rejects, "Auditor 3": accepting("now it is")}
    play = await stage(parts, audit_rounds=2)
    gate = await play.until(GateRaised, kind="audit")
    await play.do(AnswerGate(gate.gate_id, "me", "another_round"))
    assert (await play.end()).verified


async def test_an_unattended_task_ends_unverified_with_the_findings(stage: Stage) -> None:
    """Nobody is there to decide: what there is, and what is wrong with it, is said truthfully."""
    play = await stage({"Boss": boss, "Auditor": _rejects}, audit_rounds=1, attended=False)
    end = await play.end()
    assert (end.state, end.verified) == ("done", False)
    assert "not good" in end.report


async def test_an_auditor_that_ends_with_text_is_asked_for_its_verdict(stage: Stage) -> None:
    """Plain text is no judgement: it is nudged, and then judges."""

    def talks(view: View) -> ChatAnswer:
        if "Your judgement is still open" in view.last:
            return call(("verdict", {"verdict": "accept", "findings": "fine"}))
        return say("Looks good to me!")

    play = await stage({"Boss": boss, "Auditor": talks}, audit_rounds=1)
    assert (await play.end()).verified


async def test_an_auditor_that_never_judges_is_put_to_the_people(stage: Stage) -> None:
    """After the nudges a gate asks whether to accept; another round brings a fresh auditor."""

    def fresh(view: View) -> ChatAnswer:
        return call(("verdict", {"verdict": "accept", "findings": "fine"}))

    parts = {"Boss": boss, "Auditor": lambda _: say("Nice!"), "Auditor 2": fresh}
    play = await stage(parts, audit_rounds=2)
    gate = await play.until(GateRaised, kind="audit")
    await play.do(AnswerGate(gate.gate_id, "me", "another_round"))
    assert (await play.end()).verified


async def test_an_auditor_that_loops_is_stopped(stage: Stage) -> None:
    """Its turn is ended by the loop rule; unattended, the task ends unverified and says why."""
    parts = {"Boss": boss, "Auditor": lambda _: call(("list_files", {}))}
    play = await stage(parts, audit_rounds=1, attended=False)
    end = await play.end()
    assert play.of(Intervened, rule="loop", action="paused")
    assert not end.verified and "gave no judgement" in end.report


async def test_a_cap_reached_in_the_audit_ends_an_unattended_task_with_what_there_is(stage: Stage) -> None:
    """The result stands, not verified, instead of being lost."""
    caps = replace(CAPS, cost_micros=125)
    parts = {"Boss": boss, "Auditor": lambda v: call(("search_files", {"pattern": f"x{v.steps}"}))}
    play = await stage(parts, audit_rounds=1, attended=False, caps=caps)
    end = await play.end()
    assert (end.state, end.verified) == ("done", False)
    assert "the cap on cost is reached" in end.report


async def test_words_said_during_the_audit_void_its_acceptance(stage: Stage) -> None:
    """The boss acts on them and finishes again; a fresh auditor gets them word for word and accepts."""
    briefed: list[str] = []
    spoken: list[bool] = []

    def writer(view: View) -> ChatAnswer:
        if "1,200 EUR" in view.last:
            write = ("write_file", {"path": "terms.md", "content": "1,200 EUR\n"})
            return call(write, ("finish", {"report": "with 1,200 EUR"}))
        if "said something since you called finish" in view.last:
            return call(("finish", {"report": "with 1,200 EUR"}))
        return say("Waiting.") if view.did("finish") else call(("finish", {"report": "first"}))

    def auditor(view: View) -> ChatAnswer:
        if not spoken:
            return call(("search_files", {"pattern": f"x{view.steps}"}))
        briefed.append(view.all)
        return accepting("fine")(view)

    play = await stage({"Boss": writer, "Auditor": auditor}, audit_rounds=2, caps=replace(CAPS, steps=10_000))
    await play.until(AgentJoined, title="auditor")
    boss_id = (await play.engine.look.task(play.task)).boss_id
    await play.do(SayToAgent(boss_id, "make it 1,200 EUR", "me", "Ann", ref="r1"))
    spoken.append(True)
    end = await play.end()
    assert end.verified and end.report == "with 1,200 EUR" and end.unheeded == ()
    assert "Ann" not in briefed[0]
    assert "Ann]\n  To Boss:\n  make it 1,200 EUR" in briefed[1]
    kinds = [type(event) for event in play.events]
    assert kinds.index(MessageRead) < kinds.index(TaskEnded)


async def test_documents_are_read_to_their_end_before_they_are_accepted(stage: Stage) -> None:
    """Reading the first part is not enough, nor reading in the same answer or an older revision; programs
    and data need no reading. What is left is named with its line."""
    heard: list[str] = []
    lines = "".join(f"{number}: {'word ' * 20}\n" for number in range(300))
    accept = ("verdict", {"verdict": "accept", "findings": "fine"})

    def writer(view: View) -> ChatAnswer:
        files = {
            "hand/book.md": lines,
            "short.txt": "x\n",
            "main.py": f'x = """{lines}"""\n',
            "other.md": lines,
        }
        wrote = [("write_file", {"path": path, "content": text}) for path, text in files.items()]
        named = ["hand/book.md", "short.txt", "main.py"]
        return call(*wrote, ("finish", {"report": "done", "deliverables": named}))

    def auditor(view: View) -> ChatAnswer:
        heard.append(view.last)
        start = {"path": "hand/book.md"}
        rest = {"path": "hand/book.md", "start_line": 100}
        short = ("read_file", {"path": "short.txt"})
        first = (short, ("read_file", start), accept)
        return (
            call(*first),
            call(accept),
            call(("read_file", rest)),
            call(("read_file", rest | {"start_line": 200})),
            call(accept),
        )[min(view.steps, 4)]

    play = await stage({"Boss": writer, "Auditor": auditor}, audit_rounds=1)
    assert (await play.end()).verified
    first = re.search(r"read_file hand/book.md from start_line=(\d+) \(of 300\)\. Then judge", heard[1])
    assert first is not None and 100 < int(first[1]) < 120
    assert "This same answer read short.txt, whose text comes to you only now" in heard[1]
    left = re.search(r"read_file hand/book.md from start_line=(\d+) \(of 300\)\. Then judge", heard[2])
    assert left is not None and 100 < int(left[1]) < 120
    assert "main.py" not in heard[1] and "other.md" not in heard[1]


async def test_a_stop_names_what_was_not_acted_on(stage: Stage) -> None:
    """A person's stop cannot wait: the end says which words nobody acted on, and who said them to whom."""
    play = await stage({"Boss": lambda _: say("I wait.")})
    boss_id = (await play.engine.look.task(play.task)).boss_id
    await play.do(PauseAgent(boss_id, "me"))
    await play.do(SayToAgent(boss_id, "make it 1,200 EUR", "me", "Ann", ref="r1"))
    await play.do(StopTask(play.task, "me"))
    end = await play.end()
    assert end.unheeded == (Unheeded("Ann", "Boss", "make it 1,200 EUR"),)
    assert not play.of(MessageRead)


async def test_an_auditor_sees_that_a_run_is_older_than_a_change_made_with_finish(stage: Stage) -> None:
    """The change is of the very answer that finishes, and not stored yet when the message is written."""
    heard: list[ChatRequest] = []

    def hasty(view: View) -> ChatAnswer:
        write = ("write_file", {"path": "main.py", "content": f"print({view.steps})\n"})
        run = ("run", {"command": ["python", "main.py"]})
        return call(write, ("finish", {"report": "done"})) if view.did("run") else call(write, run)

    def auditor(view: View) -> ChatAnswer:
        heard.append(view.request)
        return call(("verdict", {"verdict": "accept", "findings": "fine"}))

    sandbox = FakeSandbox(lambda _: RunResult(0, "five\n"))
    await (await stage({"Boss": hasty, "Auditor": auditor}, audit_rounds=1, sandbox=sandbox)).end()
    system, given = (message.content for message in heard[0].messages)
    assert "Boss: python main.py: exit code 0" in given and "before the last change" in given
    assert "needs_answer" not in system and "to its end" in system
