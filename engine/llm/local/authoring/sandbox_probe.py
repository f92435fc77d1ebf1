"""Runs inside the sandbox: `python sandbox_probe.py program.py` types lines into a program and reports.

Reads a JSON list of scripts (each a list of lines) from standard input; prints one JSON object a script:
how many lines the program took, how it ended, the last it said, and what it asked before its last lines.
Standard library only: it is sent into the sandbox as text.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path

SCRIPT_CPU_S = 1.5
SCRIPT_S = 12
KEPT = 300
ASKED = 4


class Typed(io.TextIOBase):
    """Standard input that gives the script's lines; asking on after the last one ends the program."""

    def __init__(self, lines: list[str], said: io.StringIO, pipe: int) -> None:
        super().__init__()
        self.lines, self.said, self.pipe, self.taken = lines, said, pipe, 0
        self.asked: list[str] = []
        self.fault: list[str] = []

    def tell_and_end(self, how: str) -> None:
        """Say what was seen and leave at once: a program may catch every exception."""
        shown = self.said.getvalue()
        seen = {"taken": self.taken, "how": how, "said": shown[-KEPT:], "asked": self.asked[-ASKED:]}
        seen["fault"] = self.fault
        os.write(self.pipe, json.dumps(seen).encode())
        os._exit(0)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        """The next line."""
        if self.taken >= len(self.lines):
            self.tell_and_end("asks on")
        last = self.said.getvalue().rstrip().splitlines()[-1:]
        self.asked.append(last[0] if last else "")
        self.taken += 1
        self.said.write("\n")  # as a terminal shows it: the next question begins a line
        return self.lines[self.taken - 1] + "\n"

    def ask(self, prompt: object = "") -> str:
        """Instead of `input`."""
        self.said.write(f"{prompt}")
        return self.readline().rstrip("\n")


def fault_of(program: str) -> list[str]:
    """Of the error under way: the program's own function it came from, and its words with the line."""
    kind, error, trace = sys.exc_info()
    frames = [f for f in traceback.extract_tb(trace) if Path(f.filename).name == Path(program).name]
    own = [f for f in frames if not f.name.startswith("<")] or frames
    said = f"{kind.__name__ if kind else 'error'}: {error}"[:160]
    return [own[-1].name, f"{said}, in line {own[-1].lineno}: {own[-1].line}"[:300]] if own else ["", said]


def rehearse(program: str, lines: list[str], pipe: int) -> None:
    """One script in this process, which does not return."""
    said = io.StringIO()
    typed = Typed(lines, said, pipe)
    sys.argv, sys.path[0] = [program], str(Path(program).resolve().parent)
    sys.stdin, sys.stdout, builtins.input = typed, said, typed.ask
    # Its own seconds count, so that a busy machine does not change what is seen; sleep counts none.
    for alarm in (signal.SIGALRM, signal.SIGVTALRM):
        signal.signal(alarm, lambda *_: typed.tell_and_end("goes on for ever"))
    signal.setitimer(signal.ITIMER_VIRTUAL, SCRIPT_CPU_S)
    signal.alarm(SCRIPT_S)
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        typed.tell_and_end("ends" if end.code in (None, 0) else "ends with an error code")
    except BaseException:  # noqa: BLE001 - whatever it raises is what is to be seen
        typed.fault = fault_of(program)
        typed.tell_and_end("crashes")
    typed.tell_and_end("ends")


def main() -> None:
    """Every script in a process of its own."""
    scripts = json.load(sys.stdin)
    for lines in scripts:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            rehearse(sys.argv[1], lines, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            seen = pipe.read()
        os.waitpid(child, 0)
        sys.stdout.write((seen.decode() or json.dumps({"taken": 0, "how": "crashes"})) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
