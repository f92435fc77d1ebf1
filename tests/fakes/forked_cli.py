"""Commands of `python -m bot` in processes forked from one that has imported it: that takes three seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.test_boundaries import ROOT

_FORKS = """
import json, os, runpy, sys, traceback
cases = json.load(sys.stdin)
blocked = {name for case in cases for name in case["blocked"]}
for name in blocked:
    sys.modules[name] = None  # an import of it fails as if it were not installed
import bot.app.cli
for case in cases:
    if not (child := os.fork()):
        code = 1
        try:
            for name in blocked.difference(case["blocked"]):
                del sys.modules[name]
            file = os.open(case["output"], os.O_WRONLY | os.O_CREAT)
            os.dup2(file, 1), os.dup2(file, 2)
            os.chdir(case["folder"])
            os.environ.clear()
            os.environ.update(case["env"])
            sys.argv = ["megaagent", *case["words"]]
            runpy.run_module("bot", run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Case:
    """A command: its words, where it runs, its whole environment, modules that it cannot import."""

    words: Sequence[str]
    folder: str
    env: Mapping[str, str]
    blocked: Sequence[str] = ()

    @property
    def output(self) -> Path:
        """Where its words go."""
        return Path(self.folder, "said")


def run_all(cases: Sequence[Case]) -> list[tuple[int, str]]:
    """Run them one after another -> the exit code of each, and what it said."""
    given = json.dumps([asdict(case) | {"output": str(case.output)} for case in cases])
    done = subprocess.run(
        [sys.executable, "-c", _FORKS],
        input=given,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    codes = map(int, done.stdout.split())
    return [(code, case.output.read_text()) for code, case in zip(codes, cases, strict=True)]
