"""Evidence of a submission's check, as data and as text. Pure.

A test runner loads the code under test into its own process, so that code could change what the runner
finds. Therefore no check is reported as a success: what the submitter could have bent it by comes first,
then the result with its source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.domain.checks import deciding, named, shown
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


History = Mapping[str, Sequence[Touch]]
"""All changes of each file that a check has loaded or would load, oldest first."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A check that ended with exit code 0. `tests`: the runner's report; None when only the code is known.

    `own`: files that decide it, or that it loads as far as imports show, last written by the submitter;
    `altered`: files of others, the giver's first, that were changed before it ran.
    """

    command: tuple[str, ...]
    submitter: str
    giver: str
    tests: RunnerReport | None
    own: tuple[str, ...] = ()
    altered: tuple[Altered, ...] = ()
    others: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        """Return the text for the giver, who reviews: what was or could be bent first, then the result."""
        lines = [self._changed(each) for each in self.altered[:SHOWN]]
        if len(self.altered) > SHOWN:
            lines.append(f"{len(self.altered) - SHOWN} more files of others were changed so.")
        if self.own:
            end = "change that result" if self.tests else "end it so"
            lines.append(
                f"{self.submitter}, who submits, last wrote what this check goes by or loads, "
                f"which could {end}: {named(self.own)}."
            )
        lines.append(self._result())
        if self.others:
            lines.append(f"Decided by files of others: {named([f'{p} ({who})' for p, who in self.others])}.")
        elif not self.own:
            lines.append("The check depends on no file of the task.")
        return "\n".join(lines)

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
            f"Its check: {self.tests.passed} of {self.tests.collected} tests passed{skipped}, as "
            f"{self.tests.runner} said at its end ({shown(self.command)})."
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
) -> Evidence:
    """Return the evidence of a check of `submitter`'s work that ended with exit code 0, by the history of
    the files that it concerns."""
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
    return Evidence(command, submitter, giver, tests, tuple(own), tuple(altered), tuple(others))


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
