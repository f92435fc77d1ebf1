"""Files that runs leave: each kept or refused by itself, deletions count, and nothing ends all running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from engine.events import FileWritten
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, RunRequest, RunResult, Sandbox, SandboxStatus
from engine.workspace import WorkspaceLimits
from tests.engine.autonomy.conftest import Play, Stage
from tests.fakes.cast import View
from tests.fakes.parts import FakeSandbox

Call = tuple[str, dict[str, object]]
RUN: Call = ("run", {"command": ["python", "main.py"]})


def write(path: str, content: str = "x\n") -> Call:
    """A call that writes a file."""
    return ("write_file", {"path": path, "content": content})


@dataclass
class Told:
    """What the boss was answered, call by call."""

    texts: list[str] = field(default_factory=list)

    def part(self, *answers: tuple[Call, ...]) -> Callable[[View], ChatAnswer]:
        """A boss who gives these answers, one a step, then finishes."""

        def boss(view: View) -> ChatAnswer:
            if 0 < view.steps <= len(answers):
                self.texts.append(view.last)
            if view.steps < len(answers):
                return call(*answers[view.steps])
            return call(("finish", {"report": "ok"}))

        return boss


def python(source: str) -> Call:
    """A call that runs a Python program."""
    return ("run", {"command": ["python", "-c", source]})


def states(play: Play) -> dict[str, str]:
    """The last change of each path."""
    return {event.path: event.change for event in play.of(FileWritten)}


async def test_what_a_run_deletes_and_renames_is_deleted_and_renamed(stage: Stage, real: Sandbox) -> None:
    """After `rm a; mv b c` the task holds c alone."""
    told = Told()
    both = (write("a.txt"), write("b.txt", "b\n"))
    command: Call = ("run", {"command": ["sh", "-c", "rm a.txt; mv b.txt c.txt; mv Read.me readme || true"]})
    play = await stage({"Boss": told.part(both, (command,), (("list_files", {}),))}, sandbox=real)
    await play.end()
    assert "files written: c.txt" in told.texts[1]
    assert "files deleted: a.txt, b.txt" in told.texts[1]
    assert told.texts[2].splitlines()[0].startswith("c.txt") and "b.txt" not in told.texts[2]
    assert states(play) == {"a.txt": "deleted", "b.txt": "deleted", "c.txt": "added"}


async def test_a_name_that_only_changes_its_case_keeps_its_content(stage: Stage, real: Sandbox) -> None:
    """The new spelling takes the place of the old one instead of being refused beside it."""
    told = Told()
    rename: Call = ("run", {"command": ["mv", "readme", "README"]})
    play = await stage({"Boss": told.part((write("readme"),), (rename,))}, sandbox=real)
    await play.end()
    assert states(play) == {"readme": "deleted", "README": "added"}


async def test_compiled_files_and_links_do_not_look_deleted(stage: Stage, real: Sandbox) -> None:
    """What is not taken out of a run although it is there stays as it was."""
    told = Told()
    files = (write("old.pyc"), write("link.txt"))
    source = "import os; os.remove('link.txt'); os.symlink('/etc/passwd', 'link.txt')"
    play = await stage({"Boss": told.part(files, (python(source),))}, sandbox=real)
    await play.end()
    assert "deleted" not in states(play).values()
    assert "link.txt: only files and folders are kept" in told.texts[1]


async def test_a_file_too_large_is_refused_alone(stage: Stage, real: Sandbox) -> None:
    """Output, exit code and the small result beside it are there."""
    told = Told()
    source = (
        "open('small.txt', 'w').write('s'); open('big.bin', 'wb').write(bytes(20_000_000)); "
        "print('said'); raise SystemExit(3)"
    )
    play = await stage({"Boss": told.part((python(source),))}, sandbox=real)
    await play.end()
    assert told.texts[0].startswith("exit code 3") and "said" in told.texts[0]
    assert "files written: small.txt" in told.texts[0]
    assert "not kept: big.bin: The content is 20,000,000 bytes" in told.texts[0]


async def test_too_many_files_are_refused_by_name_and_running_goes_on(stage: Stage) -> None:
    """The task is full and not over; the next run is given all of it."""
    told = Told()
    many = {f"f{number:02}.txt": b"x" for number in range(12)}
    requests: list[RunRequest] = []

    def behave(request: RunRequest) -> RunResult:
        requests.append(request)
        return RunResult(0, "ran", changed=many if len(requests) == 1 else {})

    full = write("one-more.txt")
    play = await stage(
        {"Boss": told.part((RUN,), (RUN,), (full,))},
        sandbox=FakeSandbox(behave),
        files=WorkspaceLimits(files=10),
    )
    await play.end()
    assert "ran" in told.texts[0]
    assert "not kept: f10.txt: A task may hold 10 files" in told.texts[0] and "f11.txt" in told.texts[0]
    assert len(requests[1].files) == 10
    assert "A task may hold 10 files" in told.texts[2]


async def test_three_thousand_files_of_a_run_end_nothing(stage: Stage, real: Sandbox) -> None:
    """More than a run took before; the next run sees them all and may take them away."""
    told = Told()
    make = python("for n in range(3000): open(f'f{n}', 'w').write('x')")
    count = python("import os; print(len(os.listdir()), 'there')")
    remove = python("import os; [os.remove(name) for name in os.listdir()]")
    play = await stage({"Boss": told.part((make,), (count,), (remove,), (count,))}, sandbox=real)
    await play.end()
    assert "3000 there" in told.texts[1]
    assert "files deleted: f0" in told.texts[2] and "2,980 more" in told.texts[2]
    assert "0 there" in told.texts[3]


class _Narrow(FakeSandbox):
    """Takes two files of three bytes in all."""

    def status(self) -> SandboxStatus:
        return replace(super().status(), files=2, size=3)


async def test_what_does_not_fit_into_a_run_is_left_out_and_named(stage: Stage) -> None:
    """A task that grew beyond what runs take goes on running, without the largest files."""
    told, requests = Told(), list[RunRequest]()

    def behave(request: RunRequest) -> RunResult:
        requests.append(request)
        return RunResult(0, "ran", deleted=("a",))

    files = (write("a", "1"), write("b", "22"), write("c", "333"), write("big", "4444"))
    play = await stage({"Boss": told.part(files, (RUN,))}, sandbox=_Narrow(behave))
    await play.end()
    assert sorted(requests[0].files) == ["a", "b"]
    assert "not in the run, it takes no more: big, c" in told.texts[1]
    assert states(play)["a"] == "deleted" and states(play)["big"] == "added"


async def test_what_a_colleague_wrote_during_the_run_stays(stage: Stage) -> None:
    """Neither a stale content nor a deletion of the run goes over what was committed meanwhile."""
    begun, wrote = asyncio.Event(), asyncio.Event()
    heard: list[str] = []

    class Slow(FakeSandbox):
        async def run(self, request: RunRequest) -> RunResult:
            if not begun.is_set():
                begun.set()
                await wrote.wait()
            changed = {"a.txt": b"from the run\n", "both.txt": b"run\n2\n3\n4\n5\n6\n7\n"}
            return RunResult(0, "ran", changed=changed, deleted=("gone.txt",))

    lines = "1\n2\n3\n4\n5\n6\n7\n"
    files = (write("a.txt"), write("gone.txt"), write("both.txt", lines))
    recruit: Call = ("recruit", {"members": [{"name": "Ada", "role": "w", "instructions": "w"}]})
    give: Call = ("assign", {"to": "Ada", "title": "t", "details": "d"})

    def boss(view: View) -> ChatAnswer:
        if view.steps < 2:
            return call(*((*files, recruit, give) if view.steps == 0 else (RUN,)))
        heard.append(view.all)
        return say("Seen.")

    def ada(view: View) -> ChatAnswer:
        if "Assignment #" not in view.all or view.did("edit_file"):
            return say("Idle.")
        if not begun.is_set():
            return call(("list_files", {"prefix": "zz"}))
        edits = (("a.txt", "x"), ("gone.txt", "x"), ("both.txt", "7"))
        return call(*(("edit_file", {"path": path, "old": old, "new": "Ada"}) for path, old in edits))

    play = await stage({"Boss": boss, "Ada": ada}, sandbox=Slow(lambda _: RunResult(0, "")))
    for path in ("a.txt", "gone.txt", "both.txt"):
        await play.until(FileWritten, path=path, change="changed")
    wrote.set()
    await play.until_heard(heard)
    assert "a.txt: Ada changed the same lines or some beside them meanwhile" in heard[0]
    assert "gone.txt: not deleted, Ada wrote it meanwhile" in heard[0]
    assert states(play) == {"a.txt": "changed", "gone.txt": "changed", "both.txt": "merged"}


@pytest.mark.parametrize("size", [400, 500])
async def test_growing_files_stay_within_the_task_too(stage: Stage, size: int) -> None:
    """A change counts like a new file, with what the same answer staged before."""
    told = Told()
    limits = WorkspaceLimits(total_bytes=1000)
    grow: Call = ("edit_file", {"path": "b", "old": "x", "new": "y" * size})
    play = await stage({"Boss": told.part((write("a", "z" * 600), write("b", "x"), grow))}, files=limits)
    await play.end()
    assert ("may have 1,000" in told.texts[0]) == (size == 500)
    assert states(play)["b"] == "added"
    assert len(await play.engine.look.read_file(play.task, "b")) == (400 if size == 400 else 1)


async def test_what_a_passing_check_wrote_is_kept_as_of_any_run(stage: Stage) -> None:
    """The member that counts on its check to make a file has not made less; of a failed one nothing stays."""
    codes = iter([1, 0])
    told: list[str] = []

    def behave(request: RunRequest) -> RunResult:
        code = next(codes)
        made = f"made with {code}\n".encode()
        return RunResult(code, "", changed={"stats.txt": made, "old.txt": made}, deleted=("gone.txt",))

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            ada = {"name": "Ada", "role": "w", "task": "make stats.txt", "command": ["python", "stats.py"]}
            return call(write("old.txt"), write("gone.txt"), ("recruit", {"members": [ada], "wait": True}))
        told.append(view.last)
        return call(("review", {"assignment": 1, "verdict": "accept"}), ("finish", {"report": "made"}))

    def ada(view: View) -> ChatAnswer:
        made = () if view.did("write_file") else (write("stats.py", "1\n"),)
        return call(*made, ("submit", {"assignment": view.given, "summary": "made"}))

    play = await stage({"Boss": boss, "Ada": ada}, sandbox=FakeSandbox(behave))
    await play.end()
    assert await play.engine.look.read_file(play.task, "stats.txt") == b"made with 0\n"
    assert await play.engine.look.read_file(play.task, "old.txt") == b"made with 0\n"
    assert states(play)["gone.txt"] == "deleted"
    written = [event for event in play.of(FileWritten, path="stats.txt") if event.by_run]
    assert len(written) == 1 and "stats.txt (added +1 -0 by Ada)" in told[0]
