"""Start times of a repeated task: a cron expression in a time zone. Pure.

At a change of clocks cronsim follows Debian's cron: a time that is skipped in spring runs right after the
gap, a time that occurs twice in autumn runs the first time, and "every hour" stays every sixty minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from engine.errors import Invalid

CLOSEST_S = 15 * 60
LOOKED_AT = 100
"""Number of runs that are checked for two that are too close."""

_TO_SUNDAY = re.compile(r"-(sun|0)(?![0-9a-z])")
"""Sunday as the last day of a range, which cron writes as 7."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Minute, hour, day of the month, month, day of the week (0 or 7 is Sunday) in a time zone."""

    cron: str
    zone: str

    def next_after(self, at: float) -> float:
        """Return the first start after `at` (Unix seconds)."""
        return next(self.after(at))

    def after(self, at: float) -> Iterator[float]:
        """Yield every start after `at`, in order, without end."""
        last, begin = at, datetime.fromtimestamp(at, ZoneInfo(self.zone))
        for start in CronSim(self.cron, begin):
            # After half an hour that occurs twice (Lord Howe Island) it may give the first occurrence again.
            if start.timestamp() > last:
                last = start.timestamp()
                yield last

    def count(self, since: float, until: float) -> int:
        """Return how many starts are after `since` and not after `until`."""
        for number, start in enumerate(self.after(since)):
            if start > until:
                return number
        raise AssertionError("unreachable: starts never end")


def checked(cron: str, zone: str, now: float) -> Recurrence:
    """Return the recurrence with a normalised expression. Raises Invalid with what to write instead."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise Invalid(f"There is no time zone {zone[:60]!r}.", "Write one such as Europe/Berlin.") from None
    found = Recurrence(_plain(cron), zone)
    # By UTC, so that what is allowed does not depend on the next change of clocks.
    starts = list(islice(Recurrence(found.cron, "UTC").after(now), LOOKED_AT))
    if min(later - earlier for earlier, later in pairwise(starts)) < CLOSEST_S:
        raise Invalid(f"Starts must be at least {CLOSEST_S // 60} minutes apart.", "Choose fewer starts.")
    return found


def _plain(cron: str) -> str:
    fields = cron.lower().split()
    if len(fields) != 5:
        raise Invalid(
            "A cron expression has five parts: minute, hour, day, month, weekday.", "Example: 30 6 * * 1-5."
        )
    if fields[2] != "*" and fields[4] != "*":
        raise Invalid("A day of the month and a weekday cannot be combined.", "Give one of them.")
    fields[4] = _TO_SUNDAY.sub("-7", fields[4])
    text = " ".join(fields)
    try:
        CronSim(text, datetime(2024, 1, 1))
    except CronSimError as error:
        raise Invalid(_wrong_part(fields), "Correct it, as in 30 6 * * 1-5 for 06:30 on weekdays.") from error
    return text


def _wrong_part(fields: list[str]) -> str:
    """Return which part of a cron expression cannot be read; the words of the library say it in its terms."""
    for at, name in enumerate(("minute", "hour", "day", "month", "weekday")):
        alone = ["*"] * at + [fields[at]] + ["*"] * (4 - at)
        try:
            CronSim(" ".join(alone), datetime(2024, 1, 1))
        except CronSimError:
            return f"The {name} of that cron expression, {fields[at][:40]!r}, cannot be read."
    return "That cron expression names no time that exists."
