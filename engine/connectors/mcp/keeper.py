"""Run a server and end it, with all that it started, once the process that wanted it is gone.

`python -I -S keeper.py PARENT COMMAND [ARGUMENT …]`, as the first process of its own session. Imports nothing
of the product, so that it starts at once. The server talks over the inherited standard input and output.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

LOOK_S = 0.25


def end_with(parent: int) -> None:
    """Kill the whole session's process group as soon as `parent` is gone, even if it was killed."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os.killpg(0, signal.SIGKILL)


def main(parent: int, command: list[str]) -> int:
    """Run the command for the process `parent`, which started this one. Return its exit status."""
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    # The group is asked to end as a whole; this process stays until the server has ended.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        server = subprocess.Popen(command)  # noqa: S603 - the operator's own command
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        return 127
    status = server.wait()
    sys.stderr.flush()
    os.killpg(0, signal.SIGTERM)  # what the server left behind
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
