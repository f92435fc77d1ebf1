"""Account of runs, written by the engine: appended to every report, and the whole report for small models,
whose own statements are unreliable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.domain.checks import asks_on, named

SHOWN = 5
LINE = 140
UNJUDGED = "Nobody judged whether it is what was asked: a small model made it. Try it before you rely on it."


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. `typed`: lines of input; `stale`: files changed since; `own`: files that decide this check and
    were written by the author (`by`) of the checked work."""

    command: str
    exit_code: int
    ended: str
    output: str
    typed: int = 0
    stale: bool = False
    own: tuple[str, ...] = ()
    by: str = ""

    @property
    def asked_on(self) -> bool:
        """Return whether it asked for more input than it was given: that shows nothing, good or bad."""
        return asks_on(self.output)

    @property
    def well(self) -> bool:
        """Return whether it ended without an error."""
        return self.ended == "exit" and self.exit_code == 0


def newest(runs: Iterable[RunRecord]) -> list[RunRecord]:
    """Return the newest run of each command, at most the last five, oldest first."""
    latest: dict[str, RunRecord] = {}
    for ran in runs:
        latest.pop(ran.command, None)
        latest[ran.command] = ran
    return list(latest.values())[-SHOWN:]


def run_lines(runs: Sequence[RunRecord]) -> str:
    """Return the runs as text, one line per run; "" for none."""
    lines = [f"- {ran.command}: {_run_result(ran)}" for ran in runs]
    return "\n".join(["What was run, as the engine saw it:", *lines]) if lines else ""


def account_of(runs: Sequence[RunRecord], files: Sequence[str]) -> str:
    """Return a report of runs and files only: how each run ended, and that nothing else was judged."""
    well = [f"- {ran.command}: {_run_result(ran)}" for ran in runs if ran.well]
    asked = [f"- {ran.command}: {_run_result(ran)}" for ran in runs if ran.asked_on]
    fails = [f"- {ran.command}: {_run_result(ran)}" for ran in runs if not ran.well and not ran.asked_on]
    parts = [
        f"Made: {', '.join(files[:20])}{f' and {len(files) - 20} more' if len(files) > 20 else ''}."
        if files
        else "No file was made.",
        "\n".join(["Ran without an error:", *well]) if well else "",
        "\n".join(["Was not tried to its end:", *asked]) if asked else "",
        "\n".join(["Failed:", *fails]) if fails else "",
        f"{'' if runs else 'Nothing was run. '}{UNJUDGED}",
    ]
    return "\n\n".join(part for part in parts if part)


def findings_of(ran: RunRecord | None) -> str:
    """Return the findings that an auditor's last run shows, in place of the auditor's own."""
    return (
        f"{ran.command}: {_run_result(ran)}."
        if ran
        else "It ran nothing: there was nothing to run, it only read."
    )


def _run_result(ran: RunRecord) -> str:
    typed = f"{ran.typed} line{'' if ran.typed == 1 else 's'} typed in, " if ran.typed else ""
    stale = " (before the last change of the files)" if ran.stale else ""
    own = f" (a check that went by what {ran.by}, who submitted, wrote: {named(ran.own)})" if ran.own else ""
    return f"{typed}{_end(ran)}{stale}{own}"


def _end(ran: RunRecord) -> str:
    how = f"exit code {ran.exit_code}" if ran.ended == "exit" else f"stopped ({ran.ended})"
    if ran.asked_on:
        return "it asked for more input than was typed in"
    last = ran.output.strip().splitlines()[-1:]
    return f"{how}; last line: {last[0].strip()[:LINE]}" if last else f"{how}, no output"
