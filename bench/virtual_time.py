"""Virtual time for benches: model calls and programs take seconds that nobody has to wait for."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.ports import RunRequest, RunResult, SandboxSession, SandboxStatus

BEGAN = 1_700_000_000.0
PATIENCE_S = 60.0


@dataclass(slots=True)
class Timeline:
    """A clock that jumps to the next end of a model call or a program once nothing else is in progress.

    `busy()`: how many agents have a turn running or due; each that waits here does nothing else. `working`:
    seconds in which somebody's answer or program was awaited.
    """

    busy: Callable[[], int] = lambda: 0
    seconds: float = 0.0
    working: float = 0.0
    _ends: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    _count: int = 0

    def now(self) -> float:
        """Return the virtual time as a clock does."""
        return BEGAN + self.seconds

    async def sleep(self, seconds: float) -> None:
        """Return when so many virtual seconds have passed."""
        self._count += 1
        end = asyncio.get_running_loop().create_future()
        heapq.heappush(self._ends, (self.seconds + seconds, self._count, end))
        await end

    async def still(self) -> bool:
        """Wait until every busy agent waits here. Return whether nobody is busy at all.

        Raises TimeoutError when they do anything else for longer than a real minute.
        """
        calm = 0
        patience = time.monotonic() + PATIENCE_S
        while calm < 3:
            if time.monotonic() > patience:
                raise TimeoutError(f"{self.busy()} agents are busy and {len(self._ends)} wait")
            await asyncio.sleep(0.0005)
            calm = calm + 1 if self.busy() == len(self._ends) else 0
        return not self._ends

    def step(self) -> None:
        """Jump to the next end."""
        at, _, end = heapq.heappop(self._ends)
        self.working += at - self.seconds
        self.seconds = at
        end.set_result(None)

    def idle(self, seconds: float) -> None:
        """Let time pass in which nobody works."""
        self.seconds += seconds


@dataclass(slots=True)
class ToldPrograms:
    """A sandbox that runs nothing: each program takes `seconds`, says `size` characters and ends well."""

    timeline: Timeline
    seconds: float
    size: Callable[[RunRequest], int] = lambda _: 400
    packages: tuple[str, ...] = ()

    def status(self) -> SandboxStatus:
        """Available."""
        return SandboxStatus(True, "told", packages=self.packages)

    async def run(self, request: RunRequest) -> RunResult:
        """Return output of the size after the time."""
        await self.timeline.sleep(self.seconds)
        return RunResult(0, filler(self.size(request)), seconds=self.seconds)

    async def open(self, request: RunRequest) -> tuple[SandboxSession, RunResult]:
        """Return a program that goes on until it is closed."""
        await self.timeline.sleep(self.seconds)
        return ToldSession(self), RunResult(-1, filler(self.size(request)))


@dataclass(slots=True)
class ToldSession:
    """A program that answers each input after a second."""

    programs: ToldPrograms

    async def send(self, text: str, wait_s: float = 2.0) -> RunResult:
        """Return some output for each line typed."""
        await self.programs.timeline.sleep(min(self.programs.seconds, wait_s))
        return RunResult(-1, filler(500 * max(1, text.count("\n"))))

    async def close(self) -> RunResult:
        """It ends."""
        return RunResult(0, "")


def filler(size: int) -> str:
    """Return text of a size."""
    line = "1 passed, as it should be, in the first of the tests of this program.\n"
    return (line * (size // len(line) + 1))[:size]
