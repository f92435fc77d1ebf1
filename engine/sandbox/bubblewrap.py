"""The Sandbox port on bubblewrap: Linux namespaces, a system-call filter, limits and a watcher."""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from engine.errors import Invalid
from engine.ports import RunRequest, RunResult, SandboxSession, SandboxStatus
from engine.sandbox.cgroup import RunsGroup, runs_group
from engine.sandbox.command import Bubblewrap, command, settings
from engine.sandbox.environment import Environment
from engine.sandbox.host import Host, at_once, machine_memory, share_of
from engine.sandbox.lanes import Lanes
from engine.sandbox.limits import SandboxLimits
from engine.sandbox.program import Program, Shared
from engine.sandbox.seccomp import filter_for
from engine.sandbox.stage import check_files

# systemd's table of user ids (UIDS-GIDS.md) leaves 60706-61183 unused; one for each run that goes at once,
# so that what the kernel counts by user is counted by run.
SPARE_UIDS = range(60_800, 61_100)

_QUIET_S = 0.15
_GLANCE_S = 0.02
_FIRST_WAIT_S = 5.0
_MAX_ARGUMENTS = 64 * 1024


def _spread(uids: Sequence[int]) -> list[int]:
    """Return the ids from a random one on: claims of bots in other containers are not seen, but their runs
    are counted by the same users."""
    first = secrets.randbelow(len(uids))
    return [*uids[first:], *uids[:first]]


class BubblewrapSandbox:
    """Runs programs in bubblewrap; as root each run first drops to one of `uids` that no other bot uses."""

    def __init__(
        self,
        bwrap: Bubblewrap,
        environment: Environment,
        limits: SandboxLimits | None = None,
        uids: Sequence[int] = SPARE_UIDS,
        group: RunsGroup | None = None,
    ) -> None:
        self.limits = limits or SandboxLimits()
        self._packages = environment.names
        self._settings = settings(bwrap, environment, self.limits)
        self._filter = filter_for(platform.machine())
        memory = machine_memory()
        parallel = at_once(self.limits, memory)
        if os.geteuid() == 0 and len(uids) < parallel:
            raise Invalid(
                f"{parallel} runs at once need as many user ids, {len(uids)} were given.", "Give more."
            )
        self._lanes = Lanes(parallel, _spread(uids) if os.geteuid() == 0 else ())
        self._host = Host(memory)
        # Before any run: its threads are ordinary users, who could not open the group.
        self._group = group or runs_group(share_of(memory))

    def status(self) -> SandboxStatus:
        """Return available: `choose_sandbox` made this one only after its containment test passed."""
        return SandboxStatus(
            available=True,
            mechanism="bubblewrap",
            packages=self._packages,
            files=self.limits.files // 2,
            size=self.limits.work // 2,
            bound=self._group.words,
        )

    async def run(self, request: RunRequest) -> RunResult:
        """Run to the end. Raises Invalid for bad argv or files; a cancelled run is dead when this returns."""
        self._check(request)
        program, future = self._start(
            request, min(request.timeout_s, self.limits.timeout_s), interactive=False
        )
        return await _wait(program, future)

    async def open(self, request: RunRequest) -> tuple[SandboxSession, RunResult]:
        """Start a program that keeps running; the result holds its first output. A cancelled one is dead."""
        self._check(request)
        program, future = self._start(request, self.limits.session_s, interactive=True)
        session = BubblewrapSession(program, future)
        try:
            return session, await session.listen(min(request.timeout_s, _FIRST_WAIT_S))
        except BaseException:
            await session.close()  # nobody knows of it yet, so nobody else will
            raise

    def _check(self, request: RunRequest) -> None:
        if not request.argv or not request.argv[0] or any("\0" in word for word in request.argv):
            raise Invalid(
                "The command is empty or holds a NUL.", "Give the program and its arguments as a list."
            )
        if any("\ud800" <= char <= "\udfff" for word in request.argv for char in word):
            raise Invalid("The command holds broken characters.", "Write it in plain Unicode.")
        if sum(len(word) for word in request.argv) > _MAX_ARGUMENTS:
            raise Invalid("The command is too long.", "Write the text into a file and run that.")
        if not request.timeout_s > 0:
            raise Invalid("timeout_s must be more than 0 seconds.", "Give a larger one.")
        check_files(request.files, self.limits)

    def _start(
        self, request: RunRequest, lasts_s: float, interactive: bool
    ) -> tuple[Program, Future[RunResult]]:
        def words(filter_fd: int, info_fd: int, go_fd: int, argv: Sequence[str]) -> list[str]:
            return command(self._settings, filter_fd, info_fd, go_fd, argv, request.guarded, request.packages)

        shared = Shared(self._host, self._group)
        program = Program(request, self.limits, words, self._filter, lasts_s, interactive, shared)
        return program, self._lanes.start(program.work)


class BubblewrapSession:
    """A running program; see the port."""

    def __init__(self, program: Program, future: Future[RunResult]) -> None:
        self._program = program
        self._future = future
        self._reported = False

    async def send(self, text: str, wait_s: float = 2.0) -> RunResult:
        """Write text to the program's input and return its output; the final result once it has exited."""
        if not self._future.done():
            self._program.write(text.encode("utf-8", "replace"))
        return await self.listen(wait_s)

    async def listen(self, wait_s: float) -> RunResult:
        """Return the output since the last call once it stops coming, the program exits, or `wait_s`
        passed."""
        started = time.monotonic()
        while not self._future.done():
            now = time.monotonic()
            quiet = self._program.waiting() and now - self._program.last_output >= _QUIET_S
            if quiet or (self._program.started.is_set() and now - started >= wait_s):
                text, missing = self._program.take(last=False)
                return RunResult(-1, text, truncated=missing, seconds=now - started)
            await asyncio.sleep(_GLANCE_S)
        return self._final()

    async def close(self) -> RunResult:
        """Kill the whole process tree and return the rest of the output and the changed files. Idempotent."""
        self._program.stop()
        await _wait(self._program, self._future)
        return self._final()

    def _final(self) -> RunResult:
        result = self._future.result()
        reported, self._reported = self._reported, True
        return replace(result, output="") if reported else result


async def _wait(program: Program, future: Future[RunResult]) -> RunResult:
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        program.stop()
        await asyncio.wait([waiting])
        raise
