"""Reach of the tests: draw seeded single changes of engine/ and bot/, run the tests that watch them.

`python -m bench.mutation [--seed N] [--sample N] [--scope] [--tests PATH …]` prints one line a mutant.
`--scope` draws only from the clauses that keep a statement to one task, group, agent or space, and runs the
tests of isolation alone. Otherwise only tests that call the changed function run, those first that call
little else: a mutant takes seconds. Which test calls what is kept in var/reach.json and made again by
`--map` (one run of the tests). Code that no test calls in its own process (at import, in a child process) is
watched by the tests nearest to it, on SQLite unless `--everywhere`. A test that fails counts only when it
passes without the change. The changed code lives in a temporary copy; the working tree is never touched.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ISOLATION = (
    "tests/contracts/test_isolation_of_reads.py",
    "tests/bot/outbox/test_isolation.py",
    "tests/contracts/test_isolation.py",
)
COPIED = (
    "engine",
    "bot",
    "tests",
    "bench",
    "scenarios",
    "alembic",
    "pyproject.toml",
    "alembic.ini",
    "README.md",
    "docs",
)
NOT_DRAWN = ("bot/local", "bot/texts", "engine/llm/local", "bot/pictures")
SCOPE = re.compile(r"\.c\.(task_id|group_id|agent_id|space|guild_id)\s*==|(TASKS|AGENTS|tasks)\.c\.id\s*==")
PATIENCE_S = 900.0
MAP = ROOT / "var" / "reach.json"
MAPPED = ("tests/contracts", "tests/engine", "tests/bot", "tests/flows", "tests/providers")
STAGES_S = (20.0, 60.0, 120.0)
"""Seconds of tests, as the map took them, that run one after the other until one fails."""
PRELOADED = ("pytest", "sqlalchemy", "sqlmodel", "discord", "simcord", "hypothesis", "aiohttp", "pydantic_ai")
"""Imported once, so that each run of the tests begins with them."""
TRUE = '__import__("sqlalchemy").true()'
_COMPARED: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file: the text between two offsets is replaced."""

    path: str
    line: int
    kind: str
    start: int
    end: int
    old: str
    new: str
    function: str = ""

    def apply(self, text: str) -> str:
        """Return the file's text with the change."""
        return text[: self.start] + self.new + text[self.end :]

    def __str__(self) -> str:
        old = " ".join(self.old.split())
        return f"{self.path}:{self.line} [{self.kind}] {old[:80]} -> {self.new[:60]}"


class Source:
    """A file's text with the offsets of its nodes."""

    def __init__(self, path: Path) -> None:
        self.path = str(path.relative_to(ROOT))
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        self._functions = dict(_functions(self.tree, ""))
        self._starts = [0]
        # Not splitlines: it splits at characters that end no line of Python.
        self._lines = [f"{line}\n" for line in self.text.split("\n")]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def _at(self, line: int, column: int) -> int:
        """Return the offset of a place; ast counts columns in bytes."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return where a node begins and ends."""
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        return self._at(node.lineno, node.col_offset), self._at(end_line, end_column)

    def said(self, node: ast.expr | ast.stmt) -> str:
        """Return the text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def mutant(self, node: ast.expr | ast.stmt, kind: str, new: str) -> Mutant:
        """Return the change of a node into other text."""
        where = self._around(node.lineno)
        return Mutant(self.path, node.lineno, kind, *self.span(node), self.said(node), new, where)

    def _around(self, line: int) -> str:
        """Return the function around a line, "" for none."""
        around = [(first, name) for (first, last), name in self._functions.items() if first <= line <= last]
        return max(around)[1] if around else ""

    def mutants(self) -> Iterator[Mutant]:
        """Return every change that can be drawn from this file."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield from self._of_call(node)
            elif isinstance(node, ast.If | ast.While | ast.IfExp):
                yield self.mutant(node.test, "negate", f"(not ({self.said(node.test)}))")
            elif isinstance(node, ast.Compare) and len(node.ops) == 1:
                yield from self._of_compare(node)
            elif isinstance(node, ast.BoolOp):
                word = " or " if isinstance(node.op, ast.And) else " and "
                yield self.mutant(node, "and/or", f"({word.join(f'({self.said(v)})' for v in node.values)})")
            elif isinstance(node, ast.Constant) and type(node.value) is int:
                yield self.mutant(node, "number", f"({node.value} + 1)")
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await):
                yield self.mutant(node, "deleted call", "pass")

    def _of_call(self, node: ast.Call) -> Iterator[Mutant]:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name in ("where", "and_"):
            for clause in node.args:
                if not isinstance(clause, ast.Starred | ast.Name):
                    kind = "scope" if SCOPE.search(self.said(clause)) else "where"
                    yield self.mutant(clause, kind, TRUE)
        elif len(node.args) > 1 and not any(isinstance(one, ast.Starred) for one in node.args[:2]):
            first, second = node.args[:2]
            if self.said(first) != self.said(second):
                start, end = self.span(first)[0], self.span(second)[1]
                swapped = f"{self.said(second)}, {self.said(first)}"
                old, kind = self.text[start:end], "swapped arguments"
                where = self._around(first.lineno)
                yield Mutant(self.path, first.lineno, kind, start, end, old, swapped, where)

    def _of_compare(self, node: ast.Compare) -> Iterator[Mutant]:
        changed = _COMPARED.get(type(node.ops[0]))
        if changed is not None:
            new = f"({self.said(node.left)} {changed[1]} {self.said(node.comparators[0])})"
            yield self.mutant(node, "compare", new)


def _functions(tree: ast.AST, above: str) -> Iterator[tuple[tuple[int, int], str]]:
    """Yield the first and last line of each function's body, with its qualified name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{above}{node.name}"
            yield (node.body[0].lineno, node.end_lineno or node.lineno), name
            yield from _functions(node, f"{name}.<locals>.")
        else:
            yield from _functions(node, f"{above}{node.name}." if isinstance(node, ast.ClassDef) else above)


def drawn(seed: int, sample: int, *, scope: bool) -> list[Mutant]:
    """Return the mutants of a seed; the same seed on the same code draws the same."""
    every: list[Mutant] = []
    for package in ("engine", "bot"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if not str(path.relative_to(ROOT)).startswith(NOT_DRAWN):
                every += [m for m in Source(path).mutants() if not scope or m.kind == "scope"]
    print(f"{len(every)} changes can be drawn")
    return random.Random(seed).sample(every, min(sample, len(every)))


def tests_of(path: str) -> list[list[str]]:
    """Return the tests that watch a module, the nearest first: those that name it, those of its own room, and
    the contracts or what people see."""
    module = path.removesuffix(".py").replace("/", ".")
    nearest = [
        str(test.relative_to(ROOT))
        for test in sorted((ROOT / "tests").rglob("test_*.py"))
        if "soak" not in test.parts and module in test.read_text(encoding="utf-8")
    ]
    room = Path("tests") / Path(path).parent
    while room != Path("tests") and not any((ROOT / room).glob("test_*.py")):
        room = room.parent
    rooms = [str(room)] if room != Path("tests") else []
    wide = ["tests/contracts"] if path.startswith("engine/") else ["tests/bot/features", "tests/bot/outbox"]
    return [stage for stage in (nearest, rooms, [one for one in wide if one not in rooms]) if stage]


@dataclass(slots=True)
class Reached:
    """Which tests call which function, and what each takes."""

    tests: list[tuple[str, float, int]] = field(default_factory=list)
    of: dict[str, list[int]] = field(default_factory=dict)

    def add(self, tests: Sequence[tuple[str, float, int]], of: dict[str, list[int]]) -> None:
        """Add what one process saw."""
        begin = len(self.tests)
        self.tests += tests
        for name, numbers in of.items():
            self.of.setdefault(name, []).extend(begin + number for number in numbers)

    def stages(self, mutant: Mutant) -> list[list[str]]:
        """Return the tests that call a mutant's function in the order in which they run."""
        numbers = self.of.get(f"{mutant.path}:{mutant.function}", ())
        found = sorted((self.tests[number] for number in numbers), key=lambda test: test[2] * (test[1] + 0.2))
        stages: list[list[str]] = []
        for limit in STAGES_S:
            stage: list[str] = []
            seconds = 0.0
            while found and (not stage or seconds + found[0][1] <= limit):
                name, took, _ = found.pop(0)
                stage.append(name)
                seconds += took
            stages += [stage] if stage else []
        return stages


def read_map() -> Reached:
    """Return the map that is kept, an empty one without it."""
    reached = Reached()
    if MAP.exists():
        kept = json.loads(MAP.read_text(encoding="utf-8"))
        reached.add([tuple(test) for test in kept["tests"]], kept["reached"])
    return reached


class Bench:
    """A temporary copy of the tree in which one file at a time is changed."""

    def __init__(self, folder: Path, pytest_options: list[str]) -> None:
        self._folder, self._options = folder, pytest_options
        self._failed, self._unsteady = folder / "failed.txt", set[str]()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, folder / name)
        for name in PRELOADED:
            with suppress(ImportError):
                importlib.import_module(name)

    def make_map(self) -> None:
        """Run the tests once and keep which function each calls."""
        seen = self._folder / "reach"
        seen.mkdir()
        command = [sys.executable, "-m", "pytest", "-p", "bench.reach", "-q", "-n", "2", "--dist", "loadfile"]
        where = {**os.environ, "REACH_FOLDER": str(seen)}
        subprocess.run([*command, *self._options, *MAPPED], cwd=self._folder, env=where, check=False)
        reached = Reached()
        for file in sorted(seen.glob("*.json")):
            said = json.loads(file.read_text(encoding="utf-8"))
            reached.add([tuple(test) for test in said["tests"]], said["reached"])
        MAP.parent.mkdir(exist_ok=True)
        MAP.write_text(json.dumps({"tests": reached.tests, "reached": reached.of}), encoding="utf-8")

    def fails(self, tests: Collection[str]) -> list[str]:
        """Return the tests that fail, or ["time"] when they do not end."""
        self._failed.unlink(missing_ok=True)
        pid = os.fork()
        if not pid:
            self._run(tests)
        end = time.monotonic() + PATIENCE_S
        status = -1
        while time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            time.sleep(0.05)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if not done:
            os.waitpid(pid, 0)
            return ["time"]
        failed = self._failed.read_text(encoding="utf-8").split("\n")[:-1] if self._failed.exists() else []
        # 5: no test was found, such as in a file for PostgreSQL alone. Others: not even an import went well.
        return failed or ([] if os.waitstatus_to_exitcode(status) in (0, 5) else ["import"])

    def _run(self, tests: Collection[str]) -> None:
        """Run tests in this process, a copy of the bench's, and end it."""
        code = 1
        try:
            os.setsid()
            os.chdir(self._folder)
            nothing = os.open(os.devnull, os.O_RDWR)
            for handle in (0, 1, 2):
                os.dup2(nothing, handle)
            for name in [name for name in sys.modules if name.partition(".")[0] in COPIED]:
                del sys.modules[name]
            sys.path[:0] = [str(self._folder)]
            os.environ |= {"REACH_FAILED": str(self._failed), "PYTHONDONTWRITEBYTECODE": "1"}
            sys.dont_write_bytecode = True
            options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "bench.reach", *self._options]
            options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # what was preloaded
            code = int(importlib.import_module("pytest").main([*options, *tests]))
        finally:
            os._exit(code)

    def kills(self, mutant: Mutant, stages: list[list[str]]) -> str:
        """Return which test notices the change, "" for none; a later stage runs only where those before did
        not."""
        path = self._folder / mutant.path
        text = path.read_text(encoding="utf-8")
        for stage in stages:
            tests = [test for test in stage if test not in self._unsteady]
            while tests:
                path.write_text(mutant.apply(text), encoding="utf-8")
                try:
                    failed = self.fails(tests)
                finally:
                    path.write_text(text, encoding="utf-8")
                if not failed:
                    break
                named = failed[0] not in ("time", "import")
                if not self.fails(failed if named else tests):
                    return failed[0]
                self._unsteady |= set(failed)  # they fail without the change
                left = [test for test in tests if test not in failed]
                tests = left if len(left) < len(tests) else []
        return ""


def main() -> int:
    """Draw, run, print; return 1 when the tests fail without any change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=int, default=20)
    parser.add_argument("--scope", action="store_true", help="only clauses that keep a statement to one task")
    parser.add_argument("--tests", nargs="*", help="run these instead")
    parser.add_argument("--everywhere", action="store_true", help="on PostgreSQL, too")
    parser.add_argument("--map", action="store_true", help="look again which test calls what")
    parser.add_argument("--pytest", nargs="*", default=[], help="more options of pytest")
    asked = parser.parse_args()
    mutants = drawn(asked.seed, asked.sample, scope=asked.scope)
    chosen = asked.tests or ([t for t in ISOLATION if (ROOT / t).exists()] if asked.scope else None)
    survived = 0
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        only = [] if asked.scope or asked.everywhere else ["-k", "not postgresql", "-m", "not soak"]
        bench = Bench(Path(folder), [*only, *asked.pytest])
        if chosen and bench.fails(chosen):
            print("The tests fail without any change.")
            return 1
        if not chosen and (asked.map or not MAP.exists()):
            bench.make_map()
        reached = read_map()
        for mutant in mutants:
            began, stages = time.monotonic(), [chosen] if chosen else reached.stages(mutant)
            by = bench.kills(mutant, stages or tests_of(mutant.path))
            survived += not by
            took = f"{time.monotonic() - began:.0f} s"
            print(f"killed   {mutant} ({took}, {by})" if by else f"SURVIVED {mutant} ({took})", flush=True)
    print(f"{len(mutants) - survived} of {len(mutants)} killed (seed {asked.seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
