"""What runs showed, in the engine's own words: what stands under every report, and all of a report where a
model's own word is worth too little."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.domain.checks import asks_on, named

SHOWN = 5
LINE = 140
UNJUDGED = "Nobody judged whether it is what was asked: a small model made it. Try it before you rely on it."


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. `typed` lines were typed into it; `stale`: files changed since; `own`: it was the check of
    somebody's (`by`) work, and went by these files which that one wrote."""

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
        """Whether it only asked for more than was typed in, which is no fault of its own."""
        return asks_on(self.output)

    @property
    def well(self) -> bool:
        """Whether it ended well, or only asked on."""
        return self.asked_on or (self.ended == "exit" and self.exit_code == 0)


def newest(runs: Iterable[RunRecord]) -> list[RunRecord]:
    """The newest run of each command, the last five, in the order they were made."""
    latest: dict[str, RunRecord] = {}
    for ran in runs:
        latest.pop(ran.command, None)
        latest[ran.command] = ran
    return list(latest.values())[-SHOWN:]


def run_lines(runs: Sequence[RunRecord]) -> str:
    """What was run, a line a run; "" for none."""
    lines = [f"- {ran.command}: {_run_result(ran)}" for ran in runs]
    return "\n".join(["What was run, as the engine saw it:", *lines]) if lines else ""


def account_of(runs: Sequence[RunRecord], files: Sequence[str]) -> str:
    """A report of runs and files alone: what works, what does not, and what nothing showed."""
    works = [f"- {ran.command}: {_run_result(ran)}" for ran in runs if ran.well]
    fails = [f"- {ran.command}: {_run_result(ran)}" for ran in runs if not ran.well]
    parts = [
        f"Made: {', '.join(files[:20])}{f' and {len(files) - 20} more' if len(files) > 20 else ''}."
        if files
        else "No file was made.",
        "\n".join(["Works, as far as it was run:", *works]) if works else "",
        "\n".join(["Does not work:", *fails]) if fails else "",
        f"{'' if runs else 'Nothing was run. '}{UNJUDGED}",
    ]
    return "\n\n".join(part for part in parts if part)


def findings_of(ran: RunRecord | None) -> str:
    """What an auditor's last run showed, instead of what it says of it."""
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
        return "it asked for more than was typed in"
    last = ran.output.strip().splitlines()[-1:]
    return f"{how}; last line: {last[0].strip()[:LINE]}" if last else f"{how}, no output"
