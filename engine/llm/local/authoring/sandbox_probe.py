"""Run a program on scripted input inside the sandbox: `python sandbox_probe.py program.py`.

Reads a JSON list of scripts (each a list of lines) from standard input. Prints one JSON object per script:
lines read, how the program ended, its last output, and the prompts before its last lines.
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


class ScriptedInput(io.TextIOBase):
    """Standard input that returns the script's lines; a read after the last one ends the program."""

    def __init__(self, lines: list[str], said: io.StringIO, pipe: int) -> None:
        super().__init__()
        self.lines, self.said, self.pipe, self.taken = lines, said, pipe, 0
        self.asked: list[str] = []
        self.fault: list[str] = []

    def report_and_exit(self, how: str) -> None:
        """Write the result to the pipe and exit at once, since a program may catch every exception."""
        shown = self.said.getvalue()
        seen = {"taken": self.taken, "how": how, "said": shown[-KEPT:], "asked": self.asked[-ASKED:]}
        seen["fault"] = self.fault
        os.write(self.pipe, json.dumps(seen).encode())
        os._exit(0)

    def readable(self) -> bool:
        """Return True, as `io` asks of a stream that can be read."""
        return True

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        """Return the next line; does not return after the last one."""
        if self.taken >= len(self.lines):
            self.report_and_exit("asks on")
        last = self.said.getvalue().rstrip().splitlines()[-1:]
        self.asked.append(last[0] if last else "")
        self.taken += 1
        self.said.write("\n")  # as a terminal shows it: the next prompt starts on a new line
        return self.lines[self.taken - 1] + "\n"

    def ask(self, prompt: object = "") -> str:
        """Replace `input`: print the prompt and return the next line."""
        self.said.write(f"{prompt}")
        return self.readline().rstrip("\n")


def fault_of(program: str) -> list[str]:
    """Return [function of the program, message with the source line] of the error being handled."""
    kind, error, trace = sys.exc_info()
    frames = [f for f in traceback.extract_tb(trace) if Path(f.filename).name == Path(program).name]
    own = [f for f in frames if not f.name.startswith("<")] or frames
    said = f"{kind.__name__ if kind else 'error'}: {error}"[:160]
    return [own[-1].name, f"{said}, in line {own[-1].lineno}: {own[-1].line}"[:300]] if own else ["", said]


def run_sessions(program: str, lines: list[str], pipe: int) -> None:
    """Run one script in this process; does not return."""
    said = io.StringIO()
    typed = ScriptedInput(lines, said, pipe)
    sys.argv, sys.path[0] = [program], str(Path(program).resolve().parent)
    sys.stdin, sys.stdout, builtins.input = typed, said, typed.ask
    # CPU time counts, so that a busy machine does not change the result; sleeping counts none.
    for alarm in (signal.SIGALRM, signal.SIGVTALRM):
        signal.signal(alarm, lambda *_: typed.report_and_exit("times out"))
    signal.setitimer(signal.ITIMER_VIRTUAL, SCRIPT_CPU_S)
    signal.alarm(SCRIPT_S)
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        typed.report_and_exit("ends" if end.code in (None, 0) else "ends with an error code")
    except BaseException:  # noqa: BLE001 - any error of the program is the result
        typed.fault = fault_of(program)
        typed.report_and_exit("crashes")
    typed.report_and_exit("ends")


def main() -> None:
    """Run every script in a process of its own."""
    scripts = json.load(sys.stdin)
    for lines in scripts:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            run_sessions(sys.argv[1], lines, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            seen = pipe.read()
        os.waitpid(child, 0)
        sys.stdout.write((seen.decode() or json.dumps({"taken": 0, "how": "crashes"})) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
