"""Evidence of a submission's check, as data and as text. Pure.

A test runner loads the code under test into its own process, so that code could change what the runner
finds. Therefore no check is reported as a success: the first line says that it is no proof, and all that the
submitter could have bent it by, then comes the result with its source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.domain.checks import (
    deciding,
    is_test,
    leaves_out,
    may_skip,
    named,
    runs_all,
    shown,
    steers,
    tests_in,
)
from engine.domain.loading import loaded
from engine.ports import RunnerReport

SHOWN = 6


@dataclass(frozen=True, slots=True)
class Touch:
    """One change of a file: its revision (None: of the step under way), who made it, what it left (None: no
    file)."""

    revision: int | None
    agent: str
    blob: str | None


@dataclass(frozen=True, slots=True)
class Altered:
    """A file of `owner` that others changed or deleted after its `revision`."""

    path: str
    owner: str
    revision: int | None
    by: tuple[str, ...]
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class NotRun:
    """A file of `author` that plainly holds `there` tests, of which only `ran` were run without a failure;
    `skips`: it says itself that tests are skipped or expected to fail."""

    path: str
    author: str
    ran: int
    there: int
    skips: bool = False


@dataclass(frozen=True, slots=True)
class Steering:
    """A file of `author` that decides with a `hook` which tests run and how they end."""

    path: str
    author: str
    hook: str


_PASSED_BY = frozenset({"build", "dist", "node_modules", "venv", "CVS"})
"""Folders that test runners pass by."""

History = Mapping[str, Sequence[Touch]]
"""All changes of each file that a check has loaded or would load, oldest first."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A check that ended with exit code 0. `tests`: the runner's report; None when only the code is known.

    `own`: files that decide it, or that it loads as far as imports show, last written by the submitter;
    `altered`: files of others, the giver's first, that were changed before it ran; `not_run`: test files of
    which not every test ran; `steering`: files of the task that take part in running tests; `settings`: those
    of the test runner could say which tests it leaves out.
    """

    command: tuple[str, ...]
    submitter: str
    giver: str
    tests: RunnerReport | None
    own: tuple[str, ...] = ()
    altered: tuple[Altered, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    not_run: tuple[NotRun, ...] = ()
    steering: tuple[Steering, ...] = ()
    settings: bool = False

    @property
    def bent(self) -> str:
        """Return by what the submitter plainly bent the result, "" for nothing."""
        hooks = [f"{each.path} ({each.hook})" for each in self.steering if each.author == self.submitter]
        if hooks:
            return f"files of yours decide which tests run and how they end: {named(hooks)}."
        mine = {*self.own, *(each.path for each in self.altered if self.submitter in each.by)}
        settings = sorted(path for path in mine if steers(path))
        left = [each for each in self.not_run if each.author != self.submitter]
        if settings and left:
            return f"{self._left(left)} Your {named(settings)} may be why."
        silent = [each for each in left if not each.ran and not each.skips]
        if silent and not self.settings:
            return f"{self._left(silent)} No settings of the task say so."
        return ""

    def text(self) -> str:
        """Return the text for the giver, who reviews: the first line says that it is no proof and what was or
        could be bent, then comes the result."""
        first = [self._process(), *(self._changed(each) for each in self.altered[:SHOWN])]
        if len(self.altered) > SHOWN:
            first.append(f"{len(self.altered) - SHOWN} more files of others were changed so.")
        if self.steering:
            hooks = [f"{each.path} ({each.author}, {each.hook})" for each in self.steering]
            first.append(f"Files of the task decide which tests run and how they end: {named(hooks)}.")
        if self.not_run:
            first.append(self._left(self.not_run))
        if self.own:
            end = "change that result" if self.tests else "end it so"
            first.append(
                f"{self.submitter}, who submits, last wrote what this check goes by or loads, "
                f"which could {end}: {named(self.own)}."
            )
        lines = [" ".join(part for part in first if part), self._result()]
        if self.others:
            lines.append(f"Decided by files of others: {named([f'{p} ({who})' for p, who in self.others])}.")
        elif not self.own:
            lines.append("The check depends on no file of the task.")
        return "\n".join(line for line in lines if line)

    def _process(self) -> str:
        """Return whose word the result is, "" for a check that loads nothing of the task."""
        if not self.own and not self.altered and not self.others:
            return ""
        if self.tests is None:
            return "Not proof: code of the task decides how this program ends."
        return (
            f"Not proof: {self.tests.runner} ran in one process with code of the task, which could change or "
            "end what it reports."
        )

    @staticmethod
    def _left(files: Sequence[NotRun]) -> str:
        told = [f"{each.path} ({each.author}): {each.ran} of {each.there}" for each in files]
        return f"Not all tests ran without a failure: {named(told)}."

    def _changed(self, each: Altered) -> str:
        whose = "yours" if each.owner == self.giver else f"{each.owner}'s"
        at = "" if each.revision is None else f" (revision {each.revision})"
        who = [f"{name}, who submits," if name == self.submitter else name for name in each.by]
        how = "deleted" if each.deleted else "changed"
        return f"{each.path} was {whose}{at}; {' and '.join(who)} {how} it since."

    def _result(self) -> str:
        if self.tests is None:
            return f"Its check exited with code 0, and nothing else is known of it ({shown(self.command)})."
        skipped = f", {self.tests.skipped} skipped" if self.tests.skipped else ""
        return (
            f"Its check: {self.tests.runner} counted {self.tests.passed} of {self.tests.collected} tests "
            f"without a failure{skipped} ({shown(self.command)})."
        )


def concerned(command: Sequence[str], files: Mapping[str, bytes], ever: Iterable[str]) -> list[str]:
    """Return the files that a check loads, and those that decided it and were deleted; `ever`: all paths that
    the task ever had."""
    gone = [path for path in deciding(command, ever) if path not in files]
    return sorted({*loaded(command, files), *gone})


def evidence_of(
    command: tuple[str, ...],
    submitter: str,
    giver: str,
    tests: RunnerReport | None,
    history: History,
    files: Mapping[str, bytes] | None = None,
) -> Evidence:
    """Return the evidence of a check of `submitter`'s work that ended with exit code 0, by the history of
    the files that it concerns and their content as the check was given it."""
    newest = {path: touches[-1] for path, touches in history.items()}
    present = {path: touch.agent for path, touch in newest.items() if touch.blob is not None}
    altered = [
        each for path, touches in history.items() if (each := _altered(path, touches, submitter, giver))
    ]
    altered.sort(key=lambda each: (each.owner != giver, each.path))
    said = {each.path for each in altered}
    own = [path for path, author in sorted(present.items()) if author == submitter and path not in said]
    decided = deciding(command, present)
    others = [(path, present[path]) for path in decided if present[path] != submitter and path not in said]
    steering = (
        tuple(Steering(p, present.get(p, submitter), hook) for p, hook in tests.steered) if tests else ()
    )
    left = tuple(_not_run(command, tests, present, files)) if tests and files else ()
    return Evidence(
        command,
        submitter,
        giver,
        tests,
        tuple(own),
        tuple(altered),
        tuple(others),
        left,
        steering,
        any(leaves_out(path, (files or {}).get(path, b"")) for path in decided),
    )


def _not_run(
    command: Sequence[str], tests: RunnerReport, authors: Mapping[str, str], files: Mapping[str, bytes]
) -> Iterable[NotRun]:
    """Yield the test files of which the runner ran fewer tests than they plainly hold."""
    if not runs_all(command):
        return
    for path in deciding(command, authors):
        looked = is_test(path) and path in files and _PASSED_BY.isdisjoint(path.split("/"))
        there = tests_in(files[path], tests.runner) if looked else 0
        if tests.ran.get(path, 0) < there:
            ran = tests.ran.get(path, 0)
            yield NotRun(path, authors[path], ran, there, may_skip(files[path]))


def _altered(path: str, touches: Sequence[Touch], submitter: str, giver: str) -> Altered | None:
    """Return how a file of the giver was changed by anybody, or of somebody else by the submitter."""
    base = _last(touches, lambda touch: touch.agent == giver)
    if base is None:
        base = _last(touches, lambda touch: touch.agent != submitter)
        if base is None or submitter not in {touch.agent for touch in touches[base:]}:
            return None
    now, first = touches[-1], touches[base]
    if first.blob is None or now.blob == first.blob:
        return None
    by = tuple(dict.fromkeys(touch.agent for touch in touches[base + 1 :]))
    return Altered(path, first.agent, first.revision, by, now.blob is None)


def _last(touches: Sequence[Touch], holds: Callable[[Touch], bool]) -> int | None:
    return next((n for n in range(len(touches) - 1, -1, -1) if holds(touches[n])), None)
