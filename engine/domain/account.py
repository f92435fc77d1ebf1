"""Account of runs, written by the engine: appended to every report, and the whole report for small models,
whose own statements are unreliable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.domain.checks import asks_on, is_test, named
from engine.domain.inconclusive import Want

SHOWN = 5
LINE = 140
COMMAND = 80
"""Characters of a command in a line."""

UNJUDGED = (
    "Nobody judged whether this is what was asked: a small model made it. Try it before you rely on it."
)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run by the agent `by`. `typed`: lines of input; `stale`: files that it depends on (`depends`, None:
    not known) were changed since; `own`: files that decide this check of the agent's work and that it wrote
    itself; `tests`: it ran tests; `lack`: what it broke for want of."""

    command: str
    exit_code: int
    ended: str
    output: str
    typed: int = 0
    stale: bool = False
    own: tuple[str, ...] = ()
    by: str = ""
    depends: tuple[str, ...] | None = None
    tests: bool = False
    lack: Want = ""

    @property
    def asked_on(self) -> bool:
        """Return whether it asked for more input than it was given."""
        return asks_on(self.output)

    @property
    def shows_nothing(self) -> bool:
        """Return whether it broke for want of what it was not given: that shows nothing, good or bad."""
        return bool(self.lack) or self.asked_on

    @property
    def well(self) -> bool:
        """Return whether it ended without an error."""
        ended = self.ended == "closed" or (self.ended == "exit" and self.exit_code == 0)
        return ended and not self.asked_on

    def stale_after(self, path: str) -> bool:
        """Return whether a change of `path` could change its result."""
        if self.depends is None:
            return True
        return path in self.depends or (self.tests and is_test(path))

    @property
    def line(self) -> str:
        """Return the run in one line: who ran what, and how it ended."""
        who = f"{self.by}: " if self.by else ""
        return f"{who}{one_line(self.command)}: {_run_result(self)}"


def one_line(command: str) -> str:
    """Return a command on one line of at most COMMAND characters."""
    text = " ".join(command.split())
    return text if len(text) <= COMMAND else f"{text[: COMMAND - 1]}…"


def newest(runs: Iterable[RunRecord]) -> list[RunRecord]:
    """Return the newest run of each command, at most the last five, oldest first."""
    latest: dict[str, RunRecord] = {}
    for ran in runs:
        latest.pop(ran.command, None)
        latest[ran.command] = ran
    return list(latest.values())[-SHOWN:]


_LACKED: Mapping[Want, str] = {
    "input": "asked for more input than was typed in",
    "arguments": "takes arguments and was given none",
    "file": "reads a file that is not there",
    "command": "was started by a command that starts none",
}
RUNS = "What was run (a program's own code decides its exit code and what it prints):"


BY_ITS_WORD = "No program that was run reported an error. That alone does not show that the result is right."


def run_lines(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    """Return the runs, one line each, below a heading; nothing for none."""
    return (RUNS, *(f"- {ran.line}" for ran in runs)) if runs else ()


def account_of(runs: Sequence[RunRecord], files: Sequence[str]) -> str:
    """Return a report of runs and files only: the result in a sentence, how each run ended, and that nothing
    else was judged."""
    well = [f"- {ran.line}" for ran in runs if ran.well]
    untried = [ran for ran in runs if not ran.well and ran.shows_nothing]
    fails = [f"- {ran.line}" for ran in runs if not ran.well and not ran.shows_nothing]
    parts = [
        _result(len(well), len(fails), untried),
        f"Made: {', '.join(files[:20])}{f' and {len(files) - 20} more' if len(files) > 20 else ''}."
        if files
        else "No file was made.",
        "\n".join(["Ended with exit code 0, or by its agent:", *well]) if well else "",
        "\n".join(["Was not tried to its end:", *(f"- {ran.line}" for ran in untried)]) if untried else "",
        "\n".join(["Failed:", *fails]) if fails else "",
        UNJUDGED,
    ]
    return "\n\n".join(part for part in parts if part)


def _result(well: int, fails: int, untried: Sequence[RunRecord]) -> str:
    """Return the result in a sentence; that a program ran says nothing about whether it is right."""
    if fails:
        return f"Not finished: {fails} of {well + fails + len(untried)} programs failed."
    if untried:
        return f"Not tried to the end: a program {_LACKED[untried[0].lack or 'input']}."
    return BY_ITS_WORD if well else "Nothing was run."


def findings_of(ran: RunRecord | None) -> str:
    """Return the findings that an auditor's last run shows, in place of the auditor's own."""
    return (
        f"By its own report, {one_line(ran.command)}: {_run_result(ran)}."
        if ran
        else "It ran nothing, because there was nothing to run. It only read."
    )


def _run_result(ran: RunRecord) -> str:
    typed = f"{ran.typed} line{'' if ran.typed == 1 else 's'} typed in, " if ran.typed else ""
    stale = " (before the last change of what it depends on)" if ran.stale else ""
    own = (
        f" (this check depends on what {ran.by}, who submitted the work, wrote: {named(ran.own)})"
        if ran.own
        else ""
    )
    return f"{typed}{_end(ran)}{stale}{own}"


def _end(ran: RunRecord) -> str:
    how = {"exit": f"exit code {ran.exit_code}", "closed": "ended by the agent"}.get(
        ran.ended, f"stopped ({ran.ended})"
    )
    if ran.asked_on:
        return "it asked for more input than was typed in"
    last = ran.output.strip().splitlines()[-1:]
    return f"{how}; last line: {last[0].strip()[:LINE]}" if last else f"{how}, no output"
