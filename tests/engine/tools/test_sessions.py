"""Programs that go on asking: kept open within a turn, in the real sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

import pytest

from engine.events import CodeRan, FileWritten
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, Sandbox
from tests.engine.autonomy.conftest import Stage
from tests.fakes.cast import Part, View

PROGRAM = """
name = input("name? ")
print("hello", name)
open("greeted.txt", "w").write(name)
input("more? ")
print("bye")
"""
START = ("run", {"command": ["python", "ask.py"], "keep_open": True})


def scripted(*answers: ChatAnswer, heard: list[str]) -> Part:
    """Gives the answers one after another and notes what comes back."""

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        return answers[min(view.steps, len(answers) - 1)]

    return boss


WRITE = call(("write_file", {"path": "ask.py", "content": PROGRAM}))
END = call(("finish", {"report": "done"}))


async def test_a_program_is_talked_to_until_it_ends_and_its_files_are_kept(
    stage: Stage, real: Sandbox
) -> None:
    """It asks, is answered over several steps, exits; what it wrote becomes a revision."""
    heard: list[str] = []
    answers = (
        WRITE,
        call(START),
        call(("send_input", {"text": "Ada\n"})),
        call(("send_input", {"text": "no\n"})),
        call(("send_input", {"text": "still there?\n"})),
        END,
    )
    play = await stage({"Boss": scripted(*answers, heard=heard)}, sandbox=real)
    await play.end()
    assert heard[2].startswith("running") and "name?" in heard[2]
    assert "hello Ada" in heard[3] and heard[3].startswith("running")
    assert heard[4].startswith("exit code 0") and "bye" in heard[4]
    assert play.of(FileWritten, path="greeted.txt", name="Boss")
    [ran] = play.of(CodeRan, command="python ask.py", exit_code=0)
    assert ran.output == "name?\n> Ada\nhello Ada\nmore?\n> no\nbye" and ran.typed == 2
    assert heard[5].startswith("It has ended: exit code 0")


async def test_a_program_ends_with_the_turn_and_the_next_turn_learns_it(stage: Stage, real: Sandbox) -> None:
    """After the turn there is nothing to type into; the message names both reasons there can be."""
    heard: list[str] = []
    answers = (WRITE, call(START), say("I stop here."), call(("send_input", {"text": "Ada\n"})), END)
    play = await stage({"Boss": scripted(*answers, heard=heard)}, sandbox=real)
    await play.end()
    assert "not started in this turn, or the engine was restarted" in heard[4]
    [ran] = play.of(CodeRan)
    assert (ran.ended, ran.output) == ("closed", "name?")


async def test_a_program_can_be_closed(stage: Stage, real: Sandbox) -> None:
    """Closing kills it and still keeps what it wrote."""
    heard: list[str] = []
    answers = (
        WRITE,
        call(START),
        call(("send_input", {"text": "Bo\n"})),
        call(("send_input", {"close": True})),
        END,
    )
    play = await stage({"Boss": scripted(*answers, heard=heard)}, sandbox=real)
    end = await play.end()
    assert play.of(FileWritten, path="greeted.txt")
    [ran] = play.of(CodeRan)
    assert heard[4].startswith("ended by you") and "killed" not in heard[4]
    assert (ran.ended, ran.output) == ("closed", "name?\n> Bo\nhello Bo\nmore?")
    assert "- Boss: python ask.py: 1 line typed in, ended by the agent; last line: more?" in end.runs


async def test_without_a_sandbox_the_model_hears_why(stage: Stage) -> None:
    """Nothing is run uncontained; the refusal says how to go on."""
    heard: list[str] = []
    play = await stage({"Boss": scripted(WRITE, call(START), END, heard=heard)})
    await play.end()
    assert "no sessions in this test" in heard[2] and "Go on without running" in heard[2]


SILENT = "import sys, time\nif len(sys.argv) > 2: print('ready')\ntime.sleep(300)\n"
WRITE_SILENT = call(("write_file", {"path": "silent.py", "content": SILENT}))


def starting(mark: str, *more: str) -> ChatAnswer:
    """Starts the silent program with a word by which its processes are known."""
    return call(("run", {"command": ["python", "silent.py", mark, *more], "keep_open": True}))


def alive(mark: str) -> list[str]:
    """Processes of this machine, inside sandboxes too, that were started with the mark."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if mark.encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
    return found


async def until(true: Callable[[], object]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 processes tell nobody when they begin or end
            await asyncio.sleep(0.02)


async def test_nothing_of_a_program_is_left_when_its_turn_ends(stage: Stage, real: Sandbox) -> None:
    """It sleeps for minutes; once the task is over none of its processes is there."""
    heard, seen, mark = list[str](), list[str](), f"mark-{token_hex(8)}"
    part = scripted(WRITE_SILENT, starting(mark, "speak"), END, heard=heard)

    def boss(view: View) -> ChatAnswer:
        seen.extend(alive(mark))
        return part(view)

    play = await stage({"Boss": boss}, sandbox=real)
    await play.end()
    assert seen and heard[2].startswith("running")
    await until(lambda: not alive(mark))


@pytest.mark.parametrize("drain", [False, True])
async def test_nothing_of_a_program_is_left_when_the_engine_stops(
    stage: Stage, real: Sandbox, drain: bool
) -> None:
    """Stopped while the agent waits for what it typed into it, with and without patience for calls."""
    heard, mark = list[str](), f"mark-{token_hex(8)}"
    typing = call(("send_input", {"text": "hello\n"}))
    parts = {"Boss": scripted(WRITE_SILENT, starting(mark, "speak"), typing, heard=heard)}
    play = await stage(parts, sandbox=real)
    await until(lambda: len(heard) == 3)
    assert alive(mark)
    await play.engine.stop(drain=drain)
    assert not alive(mark)


async def test_nothing_of_a_program_is_left_when_the_engine_stops_as_it_starts(
    stage: Stage, real: Sandbox
) -> None:
    """Nobody has been told of it yet: it has said nothing, and its first output is still waited for."""
    mark = f"mark-{token_hex(8)}"
    play = await stage({"Boss": scripted(WRITE_SILENT, starting(mark), heard=[])}, sandbox=real)
    await until(lambda: alive(mark))
    await play.engine.stop(drain=False)
    assert not alive(mark)


async def test_a_member_can_type_once_it_keeps_a_program_open(stage: Stage, real: Sandbox) -> None:
    """The tool comes last and stays; nothing else of what it has is moved."""
    had: list[list[str]] = []

    def ada(view: View) -> ChatAnswer:
        had.append([tool.name for tool in view.request.tools])
        answers = (WRITE, call(START), call(("send_input", {"text": "Ada\n"})))
        if len(had) <= len(answers):
            return answers[len(had) - 1]
        return call(("submit", {"assignment": view.given, "summary": "asked"}))

    def boss(view: View) -> ChatAnswer:
        member = {"name": "Ada", "role": "asker", "task": "run ask.py"}
        if not view.submitted:
            return call(("recruit", {"members": [member], "wait": True}))
        accept = {"assignment": view.submitted[0], "verdict": "accept"}
        return call(("review", accept), ("finish", {"report": "done"}))

    play = await stage({"Boss": boss, "Ada": ada}, sandbox=real)
    await play.end()
    assert "send_input" not in had[0] and had[1] == had[0]
    assert had[2] == had[3] == [*had[0], "send_input"]
