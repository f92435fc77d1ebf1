"""Evidence of a submission's check, as data and as text. Pure.

A test runner loads the code under test into its own process, so that code could change what the runner
finds. Therefore no check is reported as a success: the first line names the source of the result and what
could alter it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.domain.checks import deciding, named, provenance, shown
from engine.ports import RunnerReport

MOST_READ = 400
"""Files whose imports are followed."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A check that ended with exit code 0. `tests`: the runner's report; None when only the code is known.
    `own`: the submitter's files that the check loads into its process, as far as imports show."""

    command: tuple[str, ...]
    submitter: str
    tests: RunnerReport | None
    own: tuple[str, ...]

    def text(self, authors: Mapping[str, str]) -> str:
        """Return the text for the reviewer: source of the result, what could alter it, authors of the
        files."""
        if self.tests is None:
            what = f"Its check exited with code 0, and nothing else is known of it ({shown(self.command)})."
        else:
            skipped = f", {self.tests.skipped} skipped" if self.tests.skipped else ""
            what = (
                f"Its check: {self.tests.passed} of {self.tests.collected} tests passed{skipped}, as "
                f"{self.tests.runner} said at its end ({shown(self.command)})."
            )
        could = "change that result" if self.tests else "end it so"
        if self.own:
            who = f"Files of {self.submitter} run in the same process and could {could}: {named(self.own)}."
        else:
            who = f"What it loads runs in the same process and could {could}."
        what += f" {who}"
        return f"{what}\n{provenance(self.command, authors, self.submitter)}"


def evidence_of(
    command: tuple[str, ...],
    submitter: str,
    tests: RunnerReport | None,
    files: Mapping[str, bytes],
    authors: Mapping[str, str],
) -> Evidence:
    """Return the evidence of a check of `submitter`'s work that ended with exit code 0 on `files`."""
    own = [path for path in loaded(command, files) if authors.get(path) == submitter]
    return Evidence(command, submitter, tests, tuple(own))


def loaded(command: Sequence[str], files: Mapping[str, bytes]) -> list[str]:
    """Return the files that decide the check and those they import, directly or indirectly."""
    waiting = deciding(command, files)
    found = dict.fromkeys(waiting)
    while waiting and len(found) < MOST_READ:
        path = waiting.pop(0)
        for other in _imports(path, files):
            if other not in found:
                found[other] = None
                waiting.append(other)
    return sorted(found)


def _imports(path: str, files: Mapping[str, bytes]) -> Iterator[str]:
    if not path.endswith(".py"):
        return
    try:
        tree = ast.parse(files[path])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    folder = path.rpartition("/")[0]
    for node in ast.walk(tree):
        for module in _modules(node):
            for root in dict.fromkeys(("", folder, "src")):
                yield from _files_of(f"{root}/{module}".strip("/"), files)


def _modules(node: ast.AST) -> Iterator[str]:
    """Yield imported modules as paths without suffix; of relative imports only the part after the dots."""
    if isinstance(node, ast.Import):
        yield from (alias.name.replace(".", "/") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = (node.module or "").replace(".", "/")
        yield base
        yield from (f"{base}/{alias.name}".strip("/") for alias in node.names)


def _files_of(module: str, files: Mapping[str, bytes]) -> Iterator[str]:
    parts = module.split("/")
    for count in range(1, len(parts) + 1):
        prefix = "/".join(parts[:count])
        yield from (path for path in (f"{prefix}.py", f"{prefix}/__init__.py") if path in files)
