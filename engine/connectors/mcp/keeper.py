"""Run a server and end it, with all that it started, once the process that wanted it is gone.

`python -I -S keeper.py PARENT LONGEST COMMAND [ARGUMENT …]`, as the first process of its own session. Imports
nothing of the product, so that it starts at once. The server reads the inherited standard input; what it
writes is passed on until a line is longer than LONGEST bytes: who reads lines keeps all of one in memory.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

LOOK_S = 0.25
CHUNK = 65_536
LAST_WORDS_S = 2.0
"""Seconds in which a server's last words are passed on after its end."""


def end_with(parent: int) -> None:
    """Kill the whole session's process group as soon as `parent` is gone, even if it was killed."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os.killpg(0, signal.SIGKILL)


def pass_on(source: int, target: int, longest: int) -> bool:
    """Copy `source` to `target` until it ends. Return False once a line is longer than `longest`.

    Lines within one chunk are not measured: `longest` is to be more than that.
    """
    held = 0
    while chunk := os.read(source, CHUNK):
        first = chunk.find(b"\n")
        if held + (len(chunk) if first < 0 else first) > longest:
            return False
        held = held + len(chunk) if first < 0 else len(chunk) - chunk.rfind(b"\n") - 1
        while chunk:
            chunk = chunk[os.write(target, chunk) :]
    return True


def _watch(server: subprocess.Popen[bytes], longest: int) -> None:
    """Pass on what the server writes; end all of it where that has no bound."""
    assert server.stdout is not None
    try:
        bounded = pass_on(server.stdout.fileno(), 1, longest)
    except OSError:
        return  # nobody reads any more: the server is being stopped
    if not bounded:
        server.kill()
        sys.stderr.write(f"it was stopped: it wrote more than {longest:,} bytes without the end of a line\n")
        sys.stderr.flush()
        os.killpg(0, signal.SIGKILL)


def main(parent: int, longest: int, command: list[str]) -> int:
    """Run the command for the process `parent`, which started this one. Return its exit status."""
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    # The group is asked to end as a whole; this process stays until the server has ended.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        server = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - the operator's own command
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        return 127
    passing = threading.Thread(target=_watch, args=(server, longest), daemon=True)
    passing.start()
    status = server.wait()
    passing.join(LAST_WORDS_S)
    sys.stderr.flush()
    os.killpg(0, signal.SIGTERM)  # what the server left behind
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
