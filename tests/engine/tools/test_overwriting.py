"""Nobody overwrites what it has not read, whatever it repeats or names."""

from __future__ import annotations

from typing import Any

import pytest

from engine.llm.scripted import call, say
from engine.ports import ChatAnswer
from tests.engine.autonomy.conftest import Play, Stage
from tests.fakes.cast import View

Call = tuple[str, dict[str, Any]]
ADA = {"name": "Ada", "role": "w", "instructions": "w"}
SMALL = "hers\n"
LARGE = "".join(f"line {number} of hers\n" for number in range(900))


def write(content: str, **more: object) -> Call:
    """A write of the one file."""
    return ("write_file", {"path": "hers.txt", "content": content, **more})


def read(**lines: int) -> Call:
    """A read of it."""
    return ("read_file", {"path": "hers.txt", **lines})


async def told(stage: Stage, hers: str, calls: list[Call]) -> tuple[Play, list[str]]:
    """Ada writes the file, then Boss makes these calls -> what Boss hears after each."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            message = ("send_message", {"to": ["Ada"], "text": "write it"})
            return call(("recruit", {"members": [ADA]}), message)
        if "it is written" not in view.all:
            return say("Waiting.")
        if "it is written" not in view.last:
            heard.append(view.last)
        return call(calls[len(heard)]) if len(heard) < len(calls) else say("I see.")

    def ada(view: View) -> ChatAnswer:
        if view.did("write_file"):
            return say("Later.")
        return call(write(hers), ("send_message", {"to": ["Boss"], "text": "it is written"}))

    play = await stage({"Boss": boss, "Ada": ada})
    while len(heard) < len(calls):
        await play.more()
    return play, heard


async def content(play: Play) -> str:
    """The file as it stands."""
    return (await play.engine.look.read_file(play.task, "hers.txt")).decode()


async def test_what_came_whole_with_the_work_is_read(stage: Stage) -> None:
    """Who was given the file with its assignment replaces it at once; what changed since is not known."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            task = {"name": "Ada", "role": "w", "task": "Say more in hers.txt and mine.txt."}
            mine = ("write_file", {"path": "mine.txt", "content": "mine\n"})
            return call(write(SMALL), mine, ("recruit", {"members": [task]}))
        return say("Waiting.")

    def ada(view: View) -> ChatAnswer:
        heard.append(view.last)
        if len(heard) == 1:
            move = ("move_file", {"path": "mine.txt", "to": "more.txt"})
            return call(
                move, ("write_file", {"path": "more.txt", "content": "both\n"}), write("more of hers\n")
            )
        return say("Idle.")

    play = await stage({"Boss": boss, "Ada": ada})
    while len(heard) < 2:
        await play.more()
    assert "hers.txt as it is now:\n  hers" in heard[0]
    assert await content(play) == "more of hers\n"
    assert await play.engine.look.read_file(play.task, "more.txt") == b"both\n"


async def test_the_refusal_of_a_small_file_carries_it_and_counts_as_read(stage: Stage) -> None:
    """What it holds is told at once; after that the same write is a decision."""
    play, heard = await told(stage, SMALL, [write("mine\n"), write("hers\nmine\n")])
    assert "It holds:\nhers\n" in heard[0] and "changed, revision" in heard[1]
    assert await content(play) == "hers\nmine\n"


@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param([write("mine\n")] * 3, id="repeated"),
        pytest.param([write("mine\n", base_revision=1)] * 3, id="the revision named"),
        pytest.param([read(start_line=2, end_line=3), write("mine\n")], id="read in part"),
        pytest.param([read(), write("mine\n", base_revision=1)], id="read with a part left out"),
        pytest.param(
            [("edit_file", {"path": "hers.txt", "old": "line 7 of", "new": "7"}), write("mine\n")],
            id="edited by heart",
        ),
    ],
)
async def test_a_large_file_that_was_not_read_whole_stays(stage: Stage, attempt: list[Call]) -> None:
    """No number of tries and no number named is a look at it."""
    play, heard = await told(stage, LARGE, attempt)
    assert "Read it first" in heard[-1]
    assert "line 599 of hers" in await content(play)


async def test_parts_that_make_up_the_whole_are_a_look_at_it(stage: Stage) -> None:
    """A file too large for one answer is read in parts."""
    parts = [read(end_line=450), read(start_line=451), write("mine\n")]
    play, heard = await told(stage, LARGE, parts)
    assert "changed, revision" in heard[-1] and await content(play) == "mine\n"
