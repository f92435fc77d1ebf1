"""The Sandbox port on bubblewrap: what a program gets, and how runs and sessions end."""

from __future__ import annotations

import asyncio
import ctypes
import os
import platform
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import Invalid
from engine.ports import RunRequest, Sandbox
from engine.sandbox import choose_sandbox
from engine.sandbox.syscalls import MACHINES
from tests.engine.sandbox.arena import LIMITS


def python(source: str, **more: object) -> RunRequest:
    """A run of one line of Python."""
    return RunRequest(("python", "-c", source), {}, **more)  # type: ignore[arg-type]


def handles() -> int:
    """Open handles of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_exit_code_and_output(sandbox: Sandbox) -> None:
    """Both streams come back together with the exit code."""
    result = await sandbox.run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (result.exit_code, result.output, result.ended) == (3, "out\nerr\n", "exit")


async def test_stdin_reaches_the_program_and_ends(sandbox: Sandbox) -> None:
    """All input arrives, then the end of the file."""
    text = b"line\n" * 50_000
    result = await sandbox.run(python("import sys; print(len(sys.stdin.read()))", stdin=text))
    assert result.output == f"{len(text)}\n"


async def test_a_missing_program_is_told(sandbox: Sandbox) -> None:
    """127, as a shell would say."""
    result = await sandbox.run(RunRequest(("no-such-program",), {}))
    assert result.exit_code == 127
    assert "not found" in result.output


async def test_files_come_back_changed_added_and_deleted(sandbox: Sandbox) -> None:
    """Only what differs from what was sent comes back."""
    files = {
        "same.txt": b"same",
        "a/changed.txt": b"old",
        "a/gone.txt": b"gone",
        "a/binary": bytes(range(256)),
    }
    source = (
        "import os; open('a/changed.txt','w').write('new'); os.remove('a/gone.txt');"
        "os.makedirs('b/c'); open('b/c/added.bin','wb').write(bytes(range(256))); open('same.txt').read()"
    )
    result = await sandbox.run(RunRequest(("python", "-c", source), files))
    assert result.output == ""
    assert result.changed == {"a/changed.txt": b"new", "b/c/added.bin": bytes(range(256))}
    assert result.deleted == ("a/gone.txt",)
    assert result.refused == ()


async def test_pytest_runs_inside(sandbox: Sandbox) -> None:
    """Tests beside and below the code find it, pass and fail as they should, and leave no caches."""
    files = {
        "app.py": b"def double(n): return 2 * n\n",
        "tests/test_app.py": b"from app import double\ndef test_good(): assert double(2) == 4\n"
        b"def test_bad(): assert double(2) == 5\n",
    }
    for argv in (("pytest", "-q"), ("python", "-m", "pytest", "-q")):
        result = await sandbox.run(RunRequest(argv, files))
        assert "1 failed, 1 passed" in result.output
        assert (result.exit_code, result.changed) == (1, {})


async def test_only_allowed_packages_are_there(sandbox: Sandbox) -> None:
    """The standard library works; the host's packages and those of the bot do not exist."""
    source = (
        "import json, sqlite3, ssl, ctypes, asyncio, multiprocessing, unittest, zlib, importlib.util as u;"
        "print([n for n in ['discord', 'pygit2', 'apt', 'pip', 'sqlalchemy', 'yaml'] if u.find_spec(n)])"
    )
    assert (await sandbox.run(python(source))).output == "[]\n"
    outside = await sandbox.run(RunRequest(("/usr/bin/python3", "-c", "import apt, yaml, pip"), {}))
    assert "ModuleNotFoundError" in outside.output or "not found" in outside.output


async def test_a_server_and_its_client_meet_inside(sandbox: Sandbox) -> None:
    """The private network has a loopback with a name, so programs can test their own servers."""
    source = (
        "import http.server, threading, urllib.request;"
        "s = http.server.HTTPServer(('localhost', 0), http.server.SimpleHTTPRequestHandler);"
        "threading.Thread(target=s.serve_forever, daemon=True).start();"
        "print(urllib.request.urlopen('http://localhost:%d/' % s.server_port).status)"
    )
    assert "200" in (await sandbox.run(python(source))).output


async def test_the_host_stays_when_memory_runs_out(sandbox: Sandbox) -> None:
    """Programs inside are the kernel's first choice, and cannot take themselves out of the line."""
    source = (
        "import os\n"
        "for path in ('/proc/self/oom_score_adj', '/proc/1/oom_score_adj', '/proc/self/oom_adj'):\n"
        "    try: os.write(os.open(path, os.O_WRONLY), b'0')\n"
        "    except OSError: pass\n"
        "print(open('/proc/self/oom_score_adj').read())"
    )
    assert (await sandbox.run(python(source))).output.split() == ["1000"]


async def test_files_in_memory_count_as_memory(sandbox: Sandbox) -> None:
    """What lies in the three places and what processes hold stay below one limit together."""
    source = (
        "import time\n"
        "for place, size in (('/task', 20), ('/tmp', 14), ('/dev/shm', 14)):\n"
        "    for n in range(size): open(f'{place}/{n}', 'wb').write(bytes(1 << 20))\n"
        "held = bytearray(150 << 20)\n"
        "print('all of it', flush=True)\n"
        "time.sleep(5)"
    )
    result = await sandbox.run(python(source))
    assert (result.ended, result.exit_code) == ("memory", 137)


async def test_given_files_are_not_the_programs_memory(sandbox: Sandbox) -> None:
    """A run may be given much and hold as much itself."""
    given = {f"given{n}": bytes(1 << 20) for n in range(12)}
    source = "import time; held = bytearray(150 << 20); time.sleep(0.6); print('well')"
    result = await sandbox.run(RunRequest(("python", "-c", source), given))
    assert (result.ended, result.output) == ("exit", "well\n")


async def test_locked_ranges_are_memory_of_the_kernel(sandbox: Sandbox) -> None:
    """More locks than any program needs end the run; a database's few do not."""
    flood = (
        "import fcntl, time\n"
        "files = [open(f'/tmp/{n}', 'w') for n in range(20)]\n"
        "for file in files:\n"
        "    for n in range(3000): fcntl.lockf(file, fcntl.LOCK_EX, 1, 2 * n)\n"
        "print('all of it', flush=True)\n"
        "time.sleep(5)"
    )
    assert (await sandbox.run(python(flood))).ended == "memory"
    few = "import sqlite3; c = sqlite3.connect('a.db'); c.execute('create table t(x)'); print('well')"
    assert (await sandbox.run(python(few))).output == "well\n"


@pytest.mark.parametrize("name", ["io_setup", "landlock_create_ruleset"])
async def test_what_the_host_counts_for_all_is_denied(sandbox: Sandbox, name: str) -> None:
    """AIO contexts are one pool of the machine; Landlock rules are kernel memory that nobody counts."""
    number = MACHINES[platform.machine()].numbers[name]
    source = (
        "import ctypes; c = ctypes.CDLL(None, use_errno=True); "
        f"print(c.syscall({number}, 1, ctypes.byref(ctypes.c_ulong())), ctypes.get_errno())"
    )
    assert (await sandbox.run(python(source))).output.split() == ["-1", "1"]


async def test_timeout_keeps_what_was_done(sandbox: Sandbox) -> None:
    """Output and files up to the end of time are there."""
    source = "import time; open('half','w').write('done'); print('begun'); time.sleep(60)"
    result = await sandbox.run(python(source, timeout_s=1.0))
    assert (result.ended, result.output, result.changed) == ("timeout", "begun\n", {"half": b"done"})
    assert result.exit_code != 0


async def test_long_output_keeps_both_ends(sandbox: Sandbox) -> None:
    """The middle is left out and said so; the program is let live."""
    result = await sandbox.run(python("print('first'); print('x' * 200_000); print('last')"))
    assert result.output.startswith("first\n")
    assert result.output.endswith("last\n")
    assert "bytes left out" in result.output
    assert (result.ended, result.truncated, result.exit_code) == ("exit", True, 0)


@pytest.mark.parametrize(
    "request_",
    [
        RunRequest((), {}),
        RunRequest(("",), {}),
        RunRequest(("a\0b",), {}),
        RunRequest(("true",), {"../x": b""}),
        RunRequest(("true",), {"/etc/x": b""}),
        RunRequest(("true",), {".git/config": b""}),
        RunRequest(("true",), {"a//b": b""}),
        RunRequest(("true",), {"a": b"", "a/b": b""}),
        RunRequest(("true",), {"a": b"", "A": b""}),
        RunRequest(("echo", "\ud800"), {}),
        RunRequest(("true",), {"big": bytes(LIMITS.work)}),
        RunRequest(("true",), {}, timeout_s=0),
        RunRequest(("x" * 100_000,), {}),
    ],
)
async def test_bad_requests_are_refused(sandbox: Sandbox, request_: RunRequest) -> None:
    """Nothing is started for a request that makes no sense."""
    with pytest.raises(Invalid):
        await sandbox.run(request_)


async def test_many_runs_at_once_stay_apart(sandbox: Sandbox) -> None:
    """Forty at once see only their own files."""
    source = "import os; print(sorted(os.listdir('.')), open('mine').read())"
    requests = [RunRequest(("python", "-c", source), {"mine": b"%d" % n}) for n in range(40)]
    results = await asyncio.gather(*map(sandbox.run, requests))
    assert [result.output for result in results] == [f"['mine'] {n}\n" for n in range(40)]


async def test_cancelling_kills(sandbox: Sandbox) -> None:
    """A cancelled run leaves no process and no open handle."""
    await sandbox.run(python("pass"))
    before = handles()
    marker = "31415.9265"
    task = asyncio.create_task(sandbox.run(RunRequest(("sleep", marker), {})))
    await asyncio.to_thread(_until_running, marker)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _processes_with(marker)
    await asyncio.to_thread(_until_no_more_handles, before)  # the bystander may have ended meanwhile


def _until_no_more_handles(most: int) -> None:
    """Return once the process holds at most so many: other threads of it open files for a moment."""
    until = time.monotonic() + 30
    while handles() > most:
        assert time.monotonic() < until, f"{handles()} handles, {most} before"
        time.sleep(0.02)


def _until_running(marker: str) -> None:
    while not _processes_with(marker):
        time.sleep(0.02)


def _processes_with(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if word.encode() in words:
            found.append(path.parent.name)
    return found


async def test_runs_leave_nothing_behind(sandbox: Sandbox) -> None:
    """After runs that end in every way no handle and no thread stays."""
    await sandbox.run(python("pass"))
    before = handles()
    for request in (python("pass"), python("while 1: pass", timeout_s=0.3), RunRequest(("nope",), {})):
        await sandbox.run(request)
    await asyncio.to_thread(_until_no_more_handles, before)  # the bystander may have ended meanwhile


async def test_as_the_first_process_of_a_container_no_zombies_stay(sandbox: Sandbox) -> None:
    """When orphans are given to the bot, it takes their remains away."""
    libc, orphans_come_here = ctypes.CDLL(None), 36  # PR_SET_CHILD_SUBREAPER
    assert libc.prctl(orphans_come_here, 1, 0, 0, 0) == 0
    try:
        for source in ("pass", "import os; os.fork(); os.fork()", "while 1: pass"):
            await sandbox.run(python(source, timeout_s=0.5))
        assert _own_zombies() == []
    finally:
        libc.prctl(orphans_come_here, 0, 0, 0, 0)


def _own_zombies() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if state == "Z" and int(parent) == os.getpid():
                found.append(path.parent.name)
    return found


async def test_session_talks(sandbox: Sandbox) -> None:
    """A program that asks gets answers, and its files come at the end."""
    source = (
        "n = input('name? '); print('hello', n); open('guest.txt', 'w').write(n)\n"
        "while (line := input('> ')) != 'quit': print(line.upper())\nprint('bye')"
    )
    session, first = await sandbox.open(RunRequest(("python", "-c", source), {}))
    assert (first.output, first.exit_code, first.ended) == ("name? ", -1, "exit")
    assert (await session.send("Ada\n")).output == "hello Ada\n> "
    assert (await session.send("loud\n")).output == "LOUD\n> "
    last = await session.send("quit\n")
    assert (last.output, last.exit_code) == ("bye\n", 0)
    assert last.changed == {"guest.txt": b"Ada"}
    closed = await session.close()
    assert (closed.output, closed.exit_code, closed.changed) == ("", 0, {"guest.txt": b"Ada"})


async def test_session_closes_a_running_program(sandbox: Sandbox) -> None:
    """close kills the tree, keeps the files, and may be repeated."""
    session, first = await sandbox.open(RunRequest(("sh", "-c", "echo a > a; echo up; sleep 27182.8"), {}))
    assert first.output == "up\n"
    closed = await session.close()
    assert (closed.ended, closed.changed) == ("killed", {"a": b"a\n"})
    assert not _processes_with("27182.8")
    assert (await session.close()).ended == "killed"
    assert (await session.send("x")).ended == "killed"


async def test_a_session_ends_with_its_time(environment: Path) -> None:
    """One nobody closes is killed with all it started, and what it wrote is kept."""
    short = choose_sandbox(environment, replace(LIMITS, session_s=0.6))
    request = RunRequest(("sh", "-c", "echo a > a; setsid sleep 16180.3 & sleep 16180.3"), {}, timeout_s=0.2)
    session, _ = await short.open(request)
    result = await session.send("", wait_s=10.0)
    assert (result.ended, result.changed) == ("timeout", {"a": b"a\n"})
    assert not _processes_with("16180.3")


async def test_session_waits_no_longer_than_asked(sandbox: Sandbox) -> None:
    """A silent program gives an empty answer while it runs."""
    session, _ = await sandbox.open(RunRequest(("sleep", "60"), {}, timeout_s=0.2))
    result = await session.send("anybody?\n", wait_s=0.2)
    assert (result.output, result.exit_code) == ("", -1)
    await session.close()


async def test_session_reads_a_long_answer_in_pieces(sandbox: Sandbox) -> None:
    """Characters and escapes cut in the middle are joined, not shown broken."""
    source = (
        "import sys, time; w = sys.stdout.buffer.write\n"
        "for part in [b'\\xc3', b'\\xa9 \\x1b[3', b'1mred', b'\\n']:\n"
        "    w(part); sys.stdout.flush(); time.sleep(0.4)\n"
        "time.sleep(60)"
    )
    session, first = await sandbox.open(RunRequest(("python", "-c", source), {}))
    text = first.output
    for _ in range(4):
        text += (await session.send("", wait_s=0.6)).output
    await session.close()
    assert text == "é red\n"


@pytest.mark.parametrize("name", ["DISCORD_TOKEN", "OPENAI_API_KEY", "DATABASE_URL"])
async def test_no_setting_of_the_host_is_inherited(
    sandbox: Sandbox, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment inside is made again."""
    monkeypatch.setenv(name, "secret-value")
    result = await sandbox.run(RunRequest(("env",), {}))
    assert name not in result.output
    assert os.environ["PATH"] not in result.output


async def test_tools_that_copy_permissions_do_not_complain(sandbox: Sandbox) -> None:
    """Extended attributes are refused as by a file system that has none: edits in place and copies go on."""
    line = (
        "sed -i s/a/b/ f.txt && cp -a f.txt g.txt && cp -p f.txt h.txt && tar c f.txt | tar x -O && cat g.txt"
    )
    result = await sandbox.run(RunRequest(("sh", "-c", line), {"f.txt": b"a\n"}))
    assert (result.output, result.exit_code) == ("b\nb\n", 0)
