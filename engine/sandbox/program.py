"""One program in its sandbox, from spawn to the death of every process in it, on one thread.

The thread that spawns must live as long as the program: bubblewrap dies with the *thread* that started it.
"""

from __future__ import annotations

import json
import math
import os
import resource
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from engine.errors import NotConfigured
from engine.ports import RunRequest, RunResult
from engine.sandbox.cgroup import RunsGroup
from engine.sandbox.command import SHM, TMP
from engine.sandbox.environment import WORK
from engine.sandbox.host import Host
from engine.sandbox.limits import SandboxLimits
from engine.sandbox.output import Output
from engine.sandbox.stage import put_in, take_out
from engine.sandbox.testimony import judged, new_secret, read_report, refereed
from engine.sandbox.watch import Handles, entries_held, look_again_in, memory_held, stored

Ended = Literal["exit", "timeout", "memory", "output", "files", "killed"]
Command = Callable[[int, int, int, Sequence[str]], list[str]]

_SETUP_S = 20.0
_DEATH_S = 10.0
_LAST_WORDS_S = 1.0
_PIECE = 65536
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.003, 0.01
_FIRST_TO_GO = b"1000"
# Setting up is work for a processor alone; many at a time only wait for each other, and look up more often.
_SETTING_UP = threading.BoundedSemaphore(os.cpu_count() or 1)
_NOT_STARTED = "bwrap: execvp "
_KILLED = 128 + signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Inside:
    """A sandbox that is set up and waits for the start signal, sent through `go`: process, handles, pipes."""

    process: subprocess.Popen[bytes]
    first: int
    handles: Handles
    stdin: int
    stdout: int
    go: int


@dataclass(frozen=True, slots=True)
class Shared:
    """What all runs have together: the machine's memory, and the control group that bounds it."""

    host: Host
    group: RunsGroup


class Program:
    """One program run. `work` blocks for its whole life; the other methods may be called from any thread."""

    def __init__(
        self,
        request: RunRequest,
        limits: SandboxLimits,
        command: Command,
        system_filter: bytes,
        lasts_s: float,
        interactive: bool,
        shared: Shared,
    ) -> None:
        self._request = request
        self._limits = limits
        self._command = command
        self._filter = system_filter
        self._lasts_s = lasts_s
        self._lock = threading.Lock()
        self._output = Output(limits.output)
        self._refereed = refereed(request.argv) if request.guarded else None
        self._secret, self._report = new_secret(), -1
        self._to_write = bytearray(request.stdin)
        self._input_ends = not interactive
        self._host, self._group = shared.host, shared.group
        self._stop = self._too_large = False
        self._finished = False
        self._waker = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._handles: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._first: int | None = None
        self._input_closed = self._input_waits = False
        self.started = threading.Event()
        self.last_output = time.monotonic()

    # ------------------------------------------------------------ from any thread

    def write(self, text: bytes) -> None:
        """Queue input."""
        with self._lock:
            self._to_write += text
        self._wake()

    def stop(self) -> None:
        """Kill all processes soon."""
        self._stop = True
        self._wake()

    def end_for_memory(self) -> None:
        """Kill all processes soon, as if the run's own memory limit was reached."""
        self._too_large = True
        self._wake()

    def waiting(self) -> bool:
        """Return True if output waits to be taken."""
        with self._lock:
            return self._output.waiting

    def take(self, last: bool) -> tuple[str, bool]:
        """Return (cleaned output since the last call, whether some is missing)."""
        with self._lock:
            return self._output.take(last)

    def _wake(self) -> None:
        with self._lock:
            if not self._finished:
                os.eventfd_write(self._waker, 1)

    # ------------------------------------------------------------ on the program's thread

    def work(self) -> RunResult:
        """Set up, run, watch, kill, and copy the files out. Raises NotConfigured if the sandbox cannot be
        set up."""
        started, killed_before = time.monotonic(), self._group.kills()
        try:
            with _SETTING_UP:
                inside = self._set_up()
            put_in(inside.handles.places[0], self._request.files)
            handles = replace(inside.handles, given=stored(inside.handles.places))
            inside = replace(inside, handles=handles)
            ended = self._run(inside)
            code = self._end(inside, ended)
            if ended == "exit" and code == _KILLED and self._group.kills() > killed_before:
                ended = "memory"  # the kernel was quicker than this thread's next look
            haul = take_out(inside.handles.places[0], self._request.files, self._limits)
            text, missing = self.take(last=True)
            report = _all_of(self._report) if self._refereed is not None else b""
        finally:
            self._clean_up()
        code, text = _unless_missing(code, text)
        tests = None
        if self._refereed is not None and ended == "exit":
            tests = read_report(report, self._secret, self._refereed.runner)
            ran = self._refereed
            code, text = judged(code, text, tests, ran.runner, ran.arguments)
        return RunResult(
            tests=tests,
            exit_code=code,
            output=text,
            ended=ended,
            truncated=missing,
            seconds=time.monotonic() - started,
            changed=haul.changed,
            deleted=haul.deleted,
            refused=tuple(haul.refused),
        )

    def _clean_up(self) -> None:
        self._host.forget(self)
        with self._lock:
            self._finished = True
            os.close(self._waker)
        try:
            if self._first is not None:
                _kill_and_wait(self._first)
        finally:
            if self._process is not None:
                _kill_group(self._process)
                self._process.wait(_DEATH_S)
            for handle in self._handles:
                os.close(handle)

    def _close(self, handle: int) -> None:
        self._handles.remove(handle)
        os.close(handle)

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe2(os.O_CLOEXEC)
        self._handles += ends
        return ends

    def _set_up(self) -> Inside:
        """Raises NotConfigured. Whatever was opened or started until then is known to `_clean_up`."""
        stdin, stdout, info, go = (self._pipe() for _ in range(4))
        process = self._spawn(stdin[0], stdout[1], info[1], go[0])
        output = _said(info[0], time.monotonic() + _SETUP_S)
        if not output:
            raise _refusal(process, stdout[0])
        child = json.loads(output)["child-pid"]
        try:
            first = self._first = os.pidfd_open(child)
        except ProcessLookupError:
            raise _refusal(process, stdout[0]) from None
        self._handles.append(first)
        return Inside(process, first, self._await_root(child, stdout[0]), stdin[1], stdout[0], go[1])

    def _spawn(self, stdin: int, stdout: int, info: int, go: int) -> subprocess.Popen[bytes]:
        filter_read, filter_write = self._pipe()
        os.write(filter_write, self._filter)
        self._close(filter_write)
        argv, channel = self._program()
        theirs = (filter_read, info, go, *channel)
        # A process group of its own: Ctrl+C is the bot's to handle. (A session costs the kernel far more.)
        self._process = subprocess.Popen(  # noqa: S603 the words are ours up to the program, which runs inside
            self._command(filter_read, info, go, argv),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            pass_fds=theirs,
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
            umask=0o022,
            process_group=0,
        )
        for handle in (*theirs, stdin, stdout):
            self._close(handle)
        return self._process

    def _program(self) -> tuple[Sequence[str], tuple[int, ...]]:
        """Return argv and inherited handles; a test runner's referee gets a secret and a report pipe."""
        if self._refereed is None:
            return self._request.argv, ()
        secret, report = self._pipe(), self._pipe()
        os.write(secret[1], self._secret)
        self._close(secret[1])
        self._report = report[0]
        channel = (secret[0], report[1])
        return self._refereed.words(*channel), channel

    def _await_root(self, child: int, stdout: int) -> Handles:
        """Wait until bubblewrap has made the new root (it does not report that), then set the limits."""
        assert self._process is not None
        ends, wait = time.monotonic() + _SETUP_S, _SHORTEST_WAIT_S
        while time.monotonic() < ends and self._process.poll() is None:
            try:
                handles = _open_handles(child, self._handles)
                _limit(child, self._limits, self._lasts_s)
                _first_to_go(child)
                self._group.add(child)
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                time.sleep(wait)
                wait = min(1.5 * wait, _LONGEST_WAIT_S)
            else:
                return handles
        raise _refusal(self._process, stdout)

    def _run(self, inside: Inside) -> Ended:
        os.set_blocking(inside.stdin, False)
        exited = os.pidfd_open(inside.process.pid)
        self._handles.append(exited)
        poll = select.poll()
        for handle in (inside.stdout, self._waker, exited):
            poll.register(handle, select.POLLIN)
        return self._pump(inside, poll, exited)

    def _pump(self, inside: Inside, poll: select.poll, exited: int) -> Ended:
        ends = time.monotonic() + self._lasts_s
        look_at = time.monotonic() + look_again_in(0, self._limits.memory)
        self._feed(inside.stdin, poll)
        with suppress(BrokenPipeError):  # it died meanwhile, which shows below
            os.write(inside.go, b"x")
        self.started.set()
        while True:
            wait = max(0.0, min(look_at, ends) - time.monotonic())
            ready = {handle for handle, _ in poll.poll(math.ceil(wait * 1000))}
            if inside.stdout in ready and not self._listen(inside.stdout):
                poll.unregister(inside.stdout)
            if self._waker in ready:
                os.eventfd_read(self._waker)
            if exited in ready and inside.process.poll() is not None:
                # How it ended does not depend on when it was looked at last.
                return "files" if self._crowded(inside) else "exit"
            self._feed(inside.stdin, poll)
            if over := self._end_requested(time.monotonic() > ends):
                return over
            if time.monotonic() >= look_at:
                held = memory_held(inside.handles, self._limits.memory)
                self._host.holds(self, held + inside.handles.given)
                if over := self._too_much(inside, held):
                    return over
                look_at = time.monotonic() + look_again_in(held, self._limits.memory)

    def _end_requested(self, late: bool) -> Ended | None:
        if self._stop:
            return "killed"
        if self._too_large:
            return "memory"
        if late:
            return "timeout"
        return "output" if self._output.total > self._limits.flood else None

    def _too_much(self, inside: Inside, held: int) -> Ended | None:
        if held > self._limits.memory:
            return "memory"
        return "files" if self._crowded(inside) else None

    def _crowded(self, inside: Inside) -> bool:
        return any(entries_held(place) > self._limits.files for place in inside.handles.places)

    def _listen(self, stdout: int) -> bool:
        data = os.read(stdout, _PIECE)
        with self._lock:
            self._output.add(data)
        self.last_output = time.monotonic()
        return bool(data)

    def _feed(self, stdin: int, poll: select.poll) -> None:
        """Write the queued input; what does not fit waits until it does."""
        if self._input_closed:
            return
        with self._lock:
            try:
                del self._to_write[: os.write(stdin, self._to_write)]
            except BlockingIOError:
                pass
            except BrokenPipeError:
                self._to_write.clear()
            if self._to_write:
                poll.register(stdin, select.POLLOUT)
                self._input_waits = True
            elif self._input_waits:
                poll.unregister(stdin)
                self._input_waits = False
            if not self._to_write and self._input_ends:
                self._input_closed = True
                self._close(stdin)

    def _end(self, inside: Inside, ended: Ended) -> int:
        _kill_and_wait(inside.first)
        self._first = None
        code = inside.process.wait(_DEATH_S)
        _reap(inside.first)
        while self._listen(inside.stdout):
            continue
        return code if ended == "exit" and code >= 0 else _KILLED


def _all_of(handle: int) -> bytes:
    """Return everything in a pipe that has no writers left."""
    os.set_blocking(handle, False)
    with suppress(BlockingIOError):
        return b"".join(iter(lambda: os.read(handle, _PIECE), b""))
    return b""


def _unless_missing(code: int, text: str) -> tuple[int, str]:
    """Return a shell's code and message if the program cannot be started (imitating it gains nothing)."""
    if code != 1 or not text.startswith(_NOT_STARTED):
        return code, text
    name, _, reason = text.removeprefix(_NOT_STARTED).strip().rpartition(": ")
    return (127, f"{name}: not found\n") if reason.startswith("No such") else (126, f"{name}: {reason}\n")


def _refusal(process: subprocess.Popen[bytes], stdout: int) -> NotConfigured:
    """Kill what was set up and return its last words. A process that left its group may live on and hold the
    pipe, so its end is not waited for."""
    _kill_group(process)
    output = _said(stdout, time.monotonic() + _LAST_WORDS_S).decode("utf-8", "replace").strip()
    return NotConfigured(f"The sandbox could not be set up: {output or 'it printed nothing'}.")


def _said(handle: int, ends: float) -> bytes:
    """Return what comes through a pipe until its writers are gone, or until that time."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    pieces: list[bytes] = []
    while (left := ends - time.monotonic()) > 0 and poll.poll(math.ceil(left * 1000)):
        if not (piece := os.read(handle, _PIECE)):
            break
        pieces.append(piece)
    return b"".join(pieces)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that was started as a group of its own, with those in it, unless it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def _open_handles(child: int, opened: list[int]) -> Handles:
    """Raises FileNotFoundError or PermissionError while bubblewrap is still at work on the root."""
    way = f"/proc/{child}/root"
    os.stat(way + WORK)  # noqa: PTH116 the quickest way to fail
    root = os.open(way, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    opened.append(root)
    if os.path.samestat(os.fstat(root), os.stat("/")):  # noqa: PTH116 compared with a handle
        raise FileNotFoundError("that is still the root of the host")
    proc, *places = [_open_place(root, place, opened) for place in ("/proc", WORK, TMP, SHM)]
    return Handles(proc, tuple(places))


def _open_place(root: int, place: str, opened: list[int]) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(place.lstrip("/"), flags, dir_fd=root)
    opened.append(handle)
    return handle


def _limit(first: int, limits: SandboxLimits, lasts_s: float) -> None:
    """Limits for bubblewrap's inner process, which the program and all children inherit (they only sink).

    Set from here, after the namespaces were made: the number of processes counts in the inner one.
    """
    values = {
        resource.RLIMIT_AS: limits.memory,
        resource.RLIMIT_NPROC: limits.processes,
        resource.RLIMIT_FSIZE: limits.file,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CPU: int(lasts_s) + 1,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 65536,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: 256,
    }
    for kind, value in values.items():
        resource.prlimit(first, kind, (value, value))


def _first_to_go(first: int) -> None:
    """Make the run the kernel's first choice when memory runs out; /proc is read-only inside, so it stays so.

    (Niced as well, runs took twice as long on a busy machine.)
    """
    handle = os.open(f"/proc/{first}/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, _FIRST_TO_GO)
    finally:
        os.close(handle)


def _kill_and_wait(handle: int) -> None:
    """Kill a pid namespace by its first process; return when every process in it has ended."""
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return
    death = select.poll()  # not select.select, which knows no handle above 1,023
    death.register(handle, select.POLLIN)
    if not death.poll(_DEATH_S * 1000):
        raise RuntimeError("a sandbox outlived its kill signal")


def _reap(handle: int) -> None:
    """Reap a process that is this one's orphan (it is the first of a container): nobody else does."""
    with suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, handle, os.WEXITED | os.WNOHANG)
