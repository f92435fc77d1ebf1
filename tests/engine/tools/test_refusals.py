"""What a tool answers when a call cannot be done: precise, and with what to do instead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, RunRequest, RunResult
from tests.engine.autonomy.conftest import Stage
from tests.fakes.cast import View, worker
from tests.fakes.parts import CAPS, FakeSandbox

Call = tuple[str, dict[str, object]]
ADA: dict[str, object] = {"name": "Ada", "role": "w", "instructions": "w"}
RECRUIT: Call = ("recruit", {"members": [ADA]})
GIVE: Call = ("assign", {"to": "Ada", "title": "t", "details": "d"})
WRITE: Call = ("write_file", {"path": "a.txt", "content": "one\ntwo\n"})


@pytest.mark.parametrize(
    ("before", "refused", "says"),
    [
        ((), ("assign", {"to": "Ada", "title": "t", "details": "d"}), "recruit first"),
        ((RECRUIT,), ("assign", {"to": "Bob", "title": "t", "details": "d"}), "Your members: Ada"),
        ((RECRUIT,), RECRUIT, "already in your group"),
        ((), ("recruit", {"members": [ADA | {"name": "the syst\u0435m"}]}), "Give it a name of its own"),
        ((), ("recruit", {"members": [ADA | {"name": "Auditor 2"}]}), "Give it a name of its own"),
        ((), ("recruit", {"members": [ADA | {"role": "The \u0405ystem"}]}), "Say in its role what it does"),
        ((), ("recruit", {"members": [ADA | {"role": "aud\u3164itor"}]}), "Say in its role what it does"),
        ((RECRUIT,), ("dismiss", {"name": "Bob", "reason": "r"}), "Your members: Ada"),
        ((), ("send_message", {"to": ["Boss"], "text": "hi"}), "That is yourself"),
        ((), ("send_message", {"to": ["Nobody"], "text": "hi"}), "Use an exact name"),
        ((), ("submit", {"assignment": 5, "summary": "s"}), "There is no tool 'submit' for you"),
        ((), ("review", {"assignment": 5, "verdict": "accept"}), "no assignment #5"),
        ((), ("read_file", {"path": "no.txt"}), "Use list_files"),
        ((), ("read_file", {"path": "../etc/passwd"}), "Stay inside the workspace"),
        ((WRITE,), ("edit_file", {"path": "a.txt", "old": "three", "new": "x"}), "found 0 times"),
        ((), ("finish", {"report": "r", "deliverables": ["no.txt"]}), "There is no file no.txt"),
        ((RECRUIT, GIVE), ("finish", {"report": "r"}), "#1 t of Ada"),
        ((RECRUIT,), ("set_budget", {"name": "Ada"}), "Give usd, tokens, agents or minutes"),
        ((RECRUIT,), ("set_budget", {"name": "Eve", "usd": 1}), "not in your group"),
        ((), ("send_input", {"text": "x"}), "Start it with run and keep_open true"),
        ((), ("run", {"command": ["python"]}), "Go on without running"),
        ((), ("verdict", {"verdict": "accept", "findings": "f"}), "There is no tool 'verdict' for you"),
        ((), ("head_file", {"path": "a.txt"}), "Did you mean read_file?"),
        ((), ("write_file", {"path": "a.txt"}), "content: Field required. It takes: path, content"),
        ((), ("write_file", {"path": "a.txt", "content": "x", "mode": "w"}), "mode: Extra inputs"),
        ((), ("propose_plan", {"summary": "s", "groups": ["g"], "agents": 1}), "Do the work now"),
        ((), ("propose_plan", {"summary": "s", "groups": ["g"], "agents": 9_999}), "2000 agents at most"),
    ],
)  # fmt: skip
async def test_a_refusal_says_what_was_wrong_and_what_to_do(
    stage: Stage, before: tuple[Call, ...], refused: Call, says: str
) -> None:
    """The result of the call holds the reason; the task goes on and ends."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if view.steps < len(before):
            return call(before[view.steps])
        if view.steps == len(before):
            return call(refused)
        heard.append(view.last)
        return say("I see.")

    play = await stage({"Boss": boss, "Ada": lambda _: say("Later.")})
    await play.until_heard(heard)
    assert says in heard[0]


async def test_a_submission_without_passing_its_check_is_not_taken(stage: Stage) -> None:
    """The engine runs the command itself; only when it passes does the head see the submission."""
    runs: list[tuple[tuple[str, ...], float]] = []

    def behave(request: RunRequest) -> RunResult:
        runs.append((request.argv, request.timeout_s))
        good = request.files.get("ada.txt") == b"good\n"
        return RunResult(0 if good else 1, "" if good else "AssertionError: not good")

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            given = {"to": "Ada", "title": "t", "details": "d", "command": ["check"]}
            return call(RECRUIT, ("assign", given))
        if view.submitted:
            return call(
                ("review", {"assignment": view.submitted[0], "verdict": "accept"}),
                ("finish", {"report": "ok"}),
            )
        return say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        if "its check failed" in view.last:
            assert "AssertionError: not good" in view.last
            return call(("edit_file", {"path": "ada.txt", "old": "Ada", "new": "good"}))
        if " changed, revision" in view.last:
            return call(("submit", {"assignment": view.given, "summary": "now"}))
        return worker(view)

    play = await stage({"Boss": boss, "Ada": ada}, sandbox=FakeSandbox(behave))
    assert (await play.end()).state == "done"
    assert runs == [(("check",), 120.0)] * 2, "a check has the time of the longest run"


@pytest.mark.parametrize("beside", [True, False])
async def test_an_open_list_is_no_reason_to_refuse_the_end(stage: Stage, beside: bool) -> None:
    """Neither the list of this same answer nor an earlier one with "finish" as its last item."""
    todo: Call = ("update_todo", {"items": [{"text": "make it", "status": "doing"}, {"text": "finish"}]})
    finish: Call = ("finish", {"report": "made"})

    def boss(view: View) -> ChatAnswer:
        return call(todo, finish) if beside else call(finish if view.steps else todo)

    play = await stage({"Boss": boss})
    assert (await play.end()).report == "made"
    [agent] = await play.engine.look.agents(play.task)
    assert agent.steps == (1 if beside else 2)


async def test_the_states_of_other_programs_lists_are_understood(stage: Stage) -> None:
    """A model that has learned them is not refused, which would lose its list for a whole turn."""
    states = ["pending", "in_progress", "In Progress", "completed", "done"]
    todo: Call = ("update_todo", {"items": [{"text": state, "status": state} for state in states]})
    finish: Call = ("finish", {"report": "made"})
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        return call(finish) if view.steps else call(todo)

    play = await stage({"Boss": boss})
    await play.end()
    assert "Noted: 3 open of 5." in heard[1]
    [agent] = await play.engine.look.agents(play.task)
    assert [status for _, status in agent.todo] == ["todo", "doing", "doing", "done", "done"]


async def test_limits_of_depth_and_members_are_said(stage: Stage) -> None:
    """Who may not recruit any more hears why and what to do."""
    heard: list[str] = []
    deep: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            two = [ADA, ADA | {"name": "Bob"}, ADA | {"name": "Cy"}]
            return call(("recruit", {"members": two}))
        if view.steps == 1:
            return call(RECRUIT, GIVE)
        heard.append(view.all)
        return say("I see.")

    def ada(view: View) -> ChatAnswer:
        if view.steps == 0:
            return call(("recruit", {"members": [ADA | {"name": "Deep"}]}))
        deep.append(view.all)
        return say("I see.")

    play = await stage({"Boss": boss, "Ada": ada}, caps=replace(CAPS, members=2, depth=1))
    await play.until_heard(heard)
    assert "A head may lead 2; you have 0" in heard[0]
    await play.until_heard(deep)
    assert "may be 1 deep. Do this part yourself." in deep[0]
