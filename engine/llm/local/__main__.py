"""`python -m engine.llm.local fetch small|standard`: fetch and verify the embedded model's weights."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from engine.errors import NotConfigured
from engine.extras import require
from engine.llm.local.process.catalog import SMALL, STANDARD
from engine.llm.local.process.progress import Spoken
from engine.llm.local.process.weights import fetch

if TYPE_CHECKING:
    from tqdm import tqdm


class TerminalProgress:
    """Progress bar with size and remaining time, and plain lines above it; without a terminal only lines.

    Only the embedded model has progress to show, so only its extra [local] has the library that draws it.
    `heard_at`: when anything was last shown.
    """

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._lines = Spoken(self.say)
        self.heard_at = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line."""
        self.heard_at = time.monotonic()
        if self._bar is None:
            sys.stderr.write(f"• {text}\n")
            sys.stderr.flush()
            return
        from tqdm import tqdm  # noqa: PLC0415 - see the class

        tqdm.write(f"• {text}", file=sys.stderr)

    def at(self, done: int, total: int) -> None:
        """Move the bar."""
        from tqdm import tqdm  # noqa: PLC0415 - see the class

        if not sys.stderr.isatty():
            self._lines.at(done, total)
            return
        self.heard_at = time.monotonic()
        if self._bar is None:
            self._bar = tqdm(total=total, initial=done, unit="B", unit_scale=True, file=sys.stderr)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Close the bar and leave it on screen."""
        if self._bar is not None:
            self._bar.close()


def main() -> int:
    """Return exit code 0 if the weights are present and verified; print the reason and return 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m engine.llm.local", description=__doc__)
    commands = parser.add_subparsers(required=True)
    fetching = commands.add_parser("fetch", help="fetch and verify weights")
    fetching.add_argument("which", choices=["small", "standard"])
    which = parser.parse_args().which
    try:
        require("local", "The embedded model")
    except NotConfigured as error:
        sys.stderr.write(f"{error}\n")
        return 1
    progress = TerminalProgress()
    try:
        path = fetch(SMALL if which == "small" else STANDARD, progress)
    except NotConfigured as error:
        progress.say(str(error))
        return 1
    finally:
        progress.close()
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
