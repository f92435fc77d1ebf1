"""`python -m engine.llm.local fetch small|standard`: fetch and verify the embedded model's weights."""

from __future__ import annotations

import argparse
import sys

from tqdm import tqdm

from engine.errors import NotConfigured
from engine.llm.local.weights import SMALL, STANDARD, fetch


class TerminalProgress:
    """A progress bar with size and time left, and plain lines above it."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None

    def say(self, text: str) -> None:
        """Print a line."""
        tqdm.write(text, file=sys.stderr)

    def at(self, done: int, total: int) -> None:
        """Move the bar."""
        if self._bar is None:
            self._bar = tqdm(total=total, initial=done, unit="B", unit_scale=True, file=sys.stderr)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()


def main() -> int:
    """Exit code 0 when the weights are there and verified, 1 with the reason otherwise."""
    parser = argparse.ArgumentParser(prog="python -m engine.llm.local", description=__doc__)
    commands = parser.add_subparsers(required=True)
    fetching = commands.add_parser("fetch", help="fetch and verify weights")
    fetching.add_argument("which", choices=["small", "standard"])
    which = parser.parse_args().which
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
