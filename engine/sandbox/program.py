"""One program in its sandbox, from spawn to the death of every process in it, on one thread.

The thread that spawns must live as long as the program: bubblewrap dies with the *thread* that started it.
"""

from __future__ import annotations

import json
import os
import resource
import select
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Literal

from engine.errors import NotConfigured
from engine.ports import RunRequest, RunResult
from engine.sandbox.command import SHM, TMP
from engine.sandbox.environment import WORK
from engine.sandbox.limits import SandboxLimits
from engine.sandbox.output import Output
from engine.sandbox.stage import put_in, take_out
from engine.sandbox.watch import Handles, entries_held, look_again_in, memory_held

Ended = Literal["exit", "timeout", "memory", "output", "files", "killed"]
Command = Callable[[int, int, int], list[str]]

_SETUP_S = 20.0
_DEATH_S = 10.0
_PIECE = 65536
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.003, 0.01
_FIRST_TO_GO = b"1000"
# Setting up is work for a processor alone; many at a time only wait for each other, and look up more often.
_SETTING_UP = threading.BoundedSemaphore(os.cpu_count() or 1)
_NOT_STARTED = "bwrap: execvp "
_KILLED = 128 + signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Inside:
    """A set-up sandbox that waits for the word: bubblewrap, its namespace's first process, handles."""

    process: subprocess.Popen[bytes]
    first: int
    handles: Handles
    go: int


class Program:
    """`work` is the blocking life of the program; the other methods may be called from any thread."""

    def __init__(
        self,
        request: RunRequest,
        limits: SandboxLimits,
        command: Command,
        system_filter: bytes,
        lasts_s: float,
        interactive: bool,
    ) -> None:
        self._request = request
        self._limits = limits
        self._command = command
        self._filter = system_filter
        self._lasts_s = lasts_s
        self._lock = threading.Lock()
        self._output = Output(limits.output)
        self._to_write = bytearray(request.stdin)
        self._input_ends = not interactive
        self._stop = False
        self._over_for_good = False
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.started = threading.Event()
        self.last_output = time.monotonic()

    # ------------------------------------------------------------ from any thread

    def write(self, text: bytes) -> None:
        """Queue input."""
        with self._lock:
            self._to_write += text
        self._wake()

    def stop(self) -> None:
        """Kill everything soon."""
        self._stop = True
        self._wake()

    def waiting(self) -> bool:
        """Whether output waits to be taken."""
        with self._lock:
            return self._output.waiting

    def take(self, last: bool) -> tuple[str, bool]:
        """Cleaned output since last time, and whether some is missing."""
        with self._lock:
            return self._output.take(last)

    def _wake(self) -> None:
        with self._lock:
            if not self._over_for_good:
                with suppress(BlockingIOError):  # a full pipe: it is awake already
                    os.write(self._wake_write, b"x")

    # ------------------------------------------------------------ on the program's thread

    def work(self) -> RunResult:
        """Set up, run, watch, kill, copy out. Raises NotConfigured when the sandbox cannot be set up."""
        begun = time.monotonic()
        with ExitStack() as cleanup:
            cleanup.callback(self._close_wake)
            with _SETTING_UP:
                inside = self._set_up(cleanup)
            put_in(inside.handles.places[0], self._request.files)
            ended = self._run(inside)
            code = self._end(inside, ended)
            haul = take_out(inside.handles.places[0], self._request.files, self._limits)
            text, missing = self.take(last=True)
        code, text = _unless_missing(code, text)
        return RunResult(
            exit_code=code,
            output=text,
            ended=ended,
            truncated=missing,
            seconds=time.monotonic() - begun,
            changed=haul.changed,
            deleted=haul.deleted,
            refused=tuple(haul.refused),
        )

    def _close_wake(self) -> None:
        with self._lock:
            self._over_for_good = True
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _set_up(self, cleanup: ExitStack) -> Inside:
        process, info, go = self._spawn()
        cleanup.callback(os.close, go)
        cleanup.callback(_bury, process)
        with os.fdopen(info, "rb") as file:
            told = file.read()
        if not told:
            raise _refusal(process)
        first = json.loads(told)["child-pid"]
        first_handle = _handle_of(first, process)
        cleanup.callback(os.close, first_handle)
        cleanup.callback(_kill_and_wait, first_handle)
        return Inside(process, first_handle, self._await_root(process, first, cleanup), go)

    def _await_root(self, process: subprocess.Popen[bytes], first: int, cleanup: ExitStack) -> Handles:
        """Wait until bubblewrap has made the new root (it says so to nobody), then set the limits."""
        ends, wait = time.monotonic() + _SETUP_S, _SHORTEST_WAIT_S
        while time.monotonic() < ends and process.poll() is None:
            with suppress(FileNotFoundError, PermissionError, ProcessLookupError), ExitStack() as opened:
                handles = _open_handles(first, opened)
                _limit(first, self._limits, self._lasts_s)
                cleanup.push(opened.pop_all())
                return handles
            time.sleep(wait)
            wait = min(1.5 * wait, _LONGEST_WAIT_S)
        raise _refusal(process)

    def _spawn(self) -> tuple[subprocess.Popen[bytes], int, int]:
        """bubblewrap, where its word about itself is read, and where ours to it is written."""
        with ExitStack() as theirs, ExitStack() as ours:
            filter_read, filter_write = _pipe(theirs, theirs)
            info_read, info_write = _pipe(ours, theirs)
            go_read, go_write = _pipe(theirs, ours)
            with os.fdopen(os.dup(filter_write), "wb") as file:
                file.write(self._filter)
            process = subprocess.Popen(  # noqa: S603 the words are ours up to the program, which runs inside
                self._command(filter_read, info_write, go_read),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(filter_read, info_write, go_read),
                env={"PATH": "/usr/bin:/bin"},
                cwd="/",
                start_new_session=True,
                bufsize=0,
            )
            ours.pop_all()
        return process, info_read, go_write

    def _run(self, inside: Inside) -> Ended:
        assert inside.process.stdin is not None
        os.set_blocking(inside.process.stdin.fileno(), False)
        with selectors.DefaultSelector() as selector:
            assert inside.process.stdout is not None
            selector.register(inside.process.stdout, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            exit_handle = os.pidfd_open(inside.process.pid)
            try:
                selector.register(exit_handle, selectors.EVENT_READ)
                return self._pump(inside, selector, exit_handle)
            finally:
                os.close(exit_handle)

    def _pump(self, inside: Inside, selector: selectors.BaseSelector, exited: int) -> Ended:
        ends = time.monotonic() + self._lasts_s
        look_at = time.monotonic() + look_again_in(0, self._limits.memory)
        self._feed(inside.process)
        with suppress(BrokenPipeError):  # it died meanwhile, which shows below
            os.write(inside.go, b"x")
        self.started.set()
        while True:
            ready = set()
            for key, _ in selector.select(max(0.0, min(look_at, ends) - time.monotonic())):
                ready.add(key.fd)
                if key.fileobj is inside.process.stdout and not self._listen(inside.process):
                    selector.unregister(inside.process.stdout)
                elif key.fd == self._wake_read:
                    os.read(self._wake_read, _PIECE)
            if exited in ready and inside.process.poll() is not None:
                return "exit"
            self._feed(inside.process)
            if over := self._told_to_end(time.monotonic() > ends):
                return over
            if time.monotonic() >= look_at:
                held = memory_held(inside.handles.proc, self._limits.memory)
                if over := self._too_much(inside, held):
                    return over
                look_at = time.monotonic() + look_again_in(held, self._limits.memory)

    def _told_to_end(self, late: bool) -> Ended | None:
        if self._stop:
            return "killed"
        if late:
            return "timeout"
        return "output" if self._output.total > self._limits.flood else None

    def _too_much(self, inside: Inside, held: int) -> Ended | None:
        if held > self._limits.memory:
            return "memory"
        crowded = any(entries_held(place) > self._limits.files for place in inside.handles.places)
        return "files" if crowded else None

    def _listen(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.stdout is not None
        data = os.read(process.stdout.fileno(), _PIECE)
        with self._lock:
            self._output.add(data)
        self.last_output = time.monotonic()
        return bool(data)

    def _feed(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        if process.stdin.closed:
            return
        with self._lock:
            try:
                del self._to_write[: os.write(process.stdin.fileno(), self._to_write)]
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._to_write.clear()
            if not self._to_write and self._input_ends:
                process.stdin.close()

    def _end(self, inside: Inside, ended: Ended) -> int:
        _kill_and_wait(inside.first)
        code = inside.process.wait(_DEATH_S)
        _reap(inside.first)
        while self._listen(inside.process):
            continue
        return code if ended == "exit" and code >= 0 else _KILLED


def _unless_missing(code: int, text: str) -> tuple[int, str]:
    """What a shell says where a program cannot be started (one that feigns it gains nothing)."""
    if code != 1 or not text.startswith(_NOT_STARTED):
        return code, text
    name, _, reason = text.removeprefix(_NOT_STARTED).strip().rpartition(": ")
    return (127, f"{name}: not found\n") if reason.startswith("No such") else (126, f"{name}: {reason}\n")


def _pipe(read: ExitStack, write: ExitStack) -> tuple[int, int]:
    ends = os.pipe2(os.O_CLOEXEC)
    read.callback(os.close, ends[0])
    write.callback(os.close, ends[1])
    return ends


def _refusal(process: subprocess.Popen[bytes]) -> NotConfigured:
    assert process.stdout is not None
    process.kill()
    told = process.stdout.read().decode("utf-8", "replace").strip()
    return NotConfigured(f"The sandbox could not be set up: {told or 'it gave no sign of life'}.")


def _handle_of(first: int, process: subprocess.Popen[bytes]) -> int:
    try:
        return os.pidfd_open(first)
    except ProcessLookupError:
        raise _refusal(process) from None


def _open_handles(first: int, opened: ExitStack) -> Handles:
    """Raises FileNotFoundError or PermissionError while bubblewrap is still at work on the root."""
    way = f"/proc/{first}/root"
    os.stat(way + WORK)  # noqa: PTH116 the quickest way to fail
    with ExitStack() as passing:
        root = os.open(way, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        passing.callback(os.close, root)
        if os.path.samestat(os.fstat(root), os.stat("/")):  # noqa: PTH116 compared with a handle
            raise FileNotFoundError("that is still the root of the host")
        proc, *places = [_open_place(root, place, opened) for place in ("/proc", WORK, TMP, SHM)]
    return Handles(proc, tuple(places))


def _open_place(root: int, place: str, opened: ExitStack) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(place.lstrip("/"), flags, dir_fd=root)
    opened.callback(os.close, handle)
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
    # When memory runs out the host stays. (Niced as well, runs took twice as long on a busy machine.)
    handle = os.open(f"/proc/{first}/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, _FIRST_TO_GO)
    finally:
        os.close(handle)


def _kill_and_wait(handle: int) -> None:
    """Kill a pid namespace by its first process; return when every process in it is gone."""
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return
    ready, _, _ = select.select([handle], [], [], _DEATH_S)
    if not ready:
        raise RuntimeError("a sandbox outlived its kill signal")


def _reap(handle: int) -> None:
    """Where orphans come to this process (the first of a container), nobody else takes their remains away."""
    with suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, handle, os.WEXITED | os.WNOHANG)


def _bury(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(_DEATH_S)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None and not pipe.closed:
            pipe.close()
