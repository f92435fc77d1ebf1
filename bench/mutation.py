"""Reach of the tests: draw seeded single changes of engine/ and bot/, run the tests that watch them.

`python -m bench.mutation [--seed N] [--sample N] [--scope] [--tests PATH …]` prints one line a mutant.
`--scope` draws only from the clauses that keep a statement to one task, group, agent or space, and runs the
tests of isolation alone. Otherwise the nearest tests run first: those that name the module, then its room's,
then the contracts, on SQLite unless `--everywhere`. The changed code lives in a temporary copy; the working
tree is never touched.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ISOLATION = ("tests/contracts/test_isolation.py", "tests/bot/outbox/test_isolation.py")
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
)
NOT_DRAWN = ("bot/local", "bot/texts", "engine/llm/local", "bot/pictures")
SCOPE = re.compile(r"\.c\.(task_id|group_id|agent_id|space|guild_id)\s*==|(TASKS|AGENTS|tasks)\.c\.id\s*==")
PATIENCE_S = 900.0
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
        return Mutant(self.path, node.lineno, kind, *self.span(node), self.said(node), new)

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
                yield Mutant(
                    self.path, first.lineno, "swapped arguments", start, end, self.text[start:end], swapped
                )

    def _of_compare(self, node: ast.Compare) -> Iterator[Mutant]:
        changed = _COMPARED.get(type(node.ops[0]))
        if changed is not None:
            new = f"({self.said(node.left)} {changed[1]} {self.said(node.comparators[0])})"
            yield self.mutant(node, "compare", new)


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


class Bench:
    """A temporary copy of the tree in which one file at a time is changed."""

    def __init__(self, folder: Path, pytest_options: list[str]) -> None:
        self._folder, self._options = folder, pytest_options
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, folder / name)

    def fails(self, tests: list[str]) -> bool:
        """Return whether one of the tests fails, or does not end."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            *self._options,
            *tests,
        ]
        try:
            done = subprocess.run(
                command, cwd=self._folder, capture_output=True, timeout=PATIENCE_S, check=False
            )
        except subprocess.TimeoutExpired:
            return True
        # 5: no test was found, such as in a file for PostgreSQL alone.
        return done.returncode not in (0, 5)

    def kills(self, mutant: Mutant, stages: list[list[str]]) -> bool:
        """Return whether the tests notice the change; a later stage runs only where those before did not."""
        path = self._folder / mutant.path
        text = path.read_text(encoding="utf-8")
        path.write_text(mutant.apply(text), encoding="utf-8")
        try:
            return any(self.fails(tests) for tests in stages)
        finally:
            path.write_text(text, encoding="utf-8")


def main() -> int:
    """Draw, run, print; return 1 when the tests fail without any change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=int, default=20)
    parser.add_argument("--scope", action="store_true", help="only clauses that keep a statement to one task")
    parser.add_argument("--tests", nargs="*", help="run these instead")
    parser.add_argument("--everywhere", action="store_true", help="on PostgreSQL, too")
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
        for mutant in mutants:
            killed = bench.kills(mutant, [chosen] if chosen else tests_of(mutant.path))
            survived += not killed
            print("killed  " if killed else "SURVIVED", mutant, flush=True)
    print(f"{len(mutants) - survived} of {len(mutants)} killed (seed {asked.seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
