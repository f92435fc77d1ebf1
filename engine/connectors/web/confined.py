"""Start the program that reads foreign documents where it can reach nothing, by bubblewrap where that is.

Inside are the system's programs, Python with its packages, and the program itself, all read-only: no file of
the bot or of its user, no network, no other process. Elsewhere the program only limits itself (`extract.py`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import NotConfigured
from engine.sandbox.probe import find_bubblewrap
from engine.sandbox.seccomp import filter_for

log = logging.getLogger(__name__)
PROBE_S = 10.0
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/alternatives", "/etc/ld.so.cache")


@dataclass(frozen=True, slots=True)
class Confinement:
    """The words before a command that confine it, none where nothing does, and the filter of its calls."""

    words: tuple[str, ...] = ()
    calls: bytes = b""

    async def start(self, program: Path) -> asyncio.subprocess.Process:
        """Start a Python program with its input and output, and without any variable of this process."""
        command = [sys.executable, "-I", str(program)]
        if not self.words:
            return await _started(command, {name: os.environ[name] for name in _KEPT if name in os.environ})
        handle = os.memfd_create("calls")
        try:
            os.write(handle, self.calls)
            os.lseek(handle, 0, os.SEEK_SET)
            shown = ("--ro-bind", str(program), str(program), "--remount-ro", "/")
            calls = ("--seccomp", str(handle), "--")
            return await _started([*self.words, *shown, *calls, *command], {}, (handle,))
        finally:
            os.close(handle)


_KEPT = ("PATH", "LANG")


async def _started(
    command: Sequence[str], variables: dict[str, str], handles: Sequence[int] = ()
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=variables,
        cwd="/",
        limit=LONGEST_ANSWER,
        pass_fds=handles,
    )


LONGEST_ANSWER = 32 * 2**20


async def confinement() -> Confinement:
    """Return what confines programs here, tried once; nothing, with a warning, where nothing does."""
    try:
        found = await asyncio.to_thread(find_bubblewrap)
        made = Confinement(tuple(_words(found.program)), filter_for(platform.machine()))
        process = await made.start(_PROBE)
        async with asyncio.timeout(PROBE_S):
            said, _ = await process.communicate(b"")
        if process.returncode == 0 and said == b"":
            return made
        why = f"bubblewrap ended with {process.returncode}"
    except (NotConfigured, OSError, TimeoutError) as error:
        why = str(error) or type(error).__name__
    log.warning("Pages are read by a process that only limits itself: %s", why)
    return Confinement()


_PROBE = Path(__file__).with_name("extract.py")


def _words(bwrap: str) -> list[str]:
    words = [bwrap, "--unshare-all", "--uid", "1000", "--gid", "1000", "--die-with-parent", "--new-session"]
    words += ["--cap-drop", "ALL", "--clearenv", "--setenv", "LANG", "C.UTF-8"]
    for path in dict.fromkeys((*_SYSTEM, sys.base_prefix, sys.prefix)):
        words += ["--ro-bind-try", path, path]
    words += ["--proc", "/proc", "--dev", "/dev"]
    return [*words, "--chdir", "/"]
