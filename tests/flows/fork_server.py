"""Programs of these tests in processes of their own, started by forking one that has imported everything.

Importing the product takes longer than what most of these processes live. `python -m tests.flows.fork_server`
reads one request a line (JSON: module, arguments, file of the output), forks, and answers with the process id
and, at its end, the exit code.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PROGRAMS = ("product_process", "dying_product", "dying_step", "dying_fetch", "dying_caller", "dying_call")
Program = Callable[[Sequence[str]], Awaitable[None]]


class Forked:
    """A process under way."""

    def __init__(self, server: subprocess.Popen[str], pid: int, output: Path) -> None:
        self._server, self.pid, self._output = server, pid, output
        self._end = asyncio.create_task(asyncio.to_thread(self._read_code))

    def _read_code(self) -> int:
        assert self._server.stdout is not None
        return int(self._server.stdout.readline())

    async def wait(self) -> int:
        """The exit code, negative for a signal."""
        return await asyncio.shield(self._end)

    def said(self) -> str:
        """The end of what it wrote."""
        return self._output.read_text(errors="replace")[-3000:]

    async def first_line(self) -> None:
        """Return when it has written something, or has ended."""
        while not self._has_spoken() and not self._end.done():  # noqa: ASYNC110 - a process is waited for
            await asyncio.sleep(0.01)

    def _has_spoken(self) -> bool:
        return bool(self._output.stat().st_size)


class ForkServer:
    """Starts programs, one after the other."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.flows.fork_server"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    async def start(self, program: str, *arguments: str, output: Path) -> Forked:
        """Run one of PROGRAMS; the one before must have ended."""
        await asyncio.to_thread(output.write_bytes, b"")
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([program, arguments, str(output)]), file=self._process.stdin, flush=True)
        pid = int(await asyncio.to_thread(self._process.stdout.readline))
        return Forked(self._process, pid, output)

    async def run(self, program: str, *arguments: str, output: Path) -> tuple[int, str]:
        """Run a program to its end -> its exit code and what it said. Raises TimeoutError after 90 s."""
        process = await self.start(program, *arguments, output=output)
        try:
            async with asyncio.timeout(90):
                return await process.wait(), process.said()
        except TimeoutError:
            os.kill(process.pid, 9)
            await process.wait()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def serve() -> None:
    """Answer requests until there are no more."""
    programs: dict[str, Program] = {
        name: importlib.import_module(f"tests.flows.{name}").program for name in PROGRAMS
    }
    for line in sys.stdin:
        name, arguments, output = json.loads(line)
        pid = os.fork()
        if not pid:
            _become(programs[name], arguments, output)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()


def _become(program: Program, arguments: Sequence[str], output: str) -> None:
    """Run the program in this process and end it as the interpreter would."""
    code = 1
    try:
        os.setsid()
        file = os.open(output, os.O_WRONLY | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, file), (2, file)):
            os.dup2(source, target)
        asyncio.run(_awaited(program, arguments))
        code = 0
    except BaseException:  # noqa: BLE001 - this process ends here, and says why
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


async def _awaited(program: Program, arguments: Sequence[str]) -> None:
    await program(arguments)


if __name__ == "__main__":
    serve()
