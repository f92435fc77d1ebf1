"""Compile the modules of unpacked packages once: the sandbox keeps nothing that a run compiles.

Compiling executes nothing of a package. It happens in a process with limits of its own; what it does not get
to is compiled by each run that imports it, as before.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

LONGEST_S = 120
MEMORY = 1 << 30

_PROGRAM = """
import compileall, py_compile, resource, sys
folder, shown, memory, seconds = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_AS, (int(memory),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (int(seconds),) * 2)
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
compileall.compile_dir(folder, quiet=2, stripdir=folder, prependdir=shown, invalidation_mode=mode)
"""


def compile_modules(python: Path, folder: Path, shown: str) -> None:
    """Compile what is in a folder for an interpreter, in whose programs the folder is `shown`."""
    command = [str(python), "-I", "-c", _PROGRAM, str(folder), shown, str(MEMORY), str(LONGEST_S)]
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(  # noqa: S603
            command,
            env={},
            timeout=LONGEST_S,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
