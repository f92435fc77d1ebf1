"""When a repeated task starts: a cron expression read by the clock on the wall of a time zone. Pure.

Each time on the wall comes once: in the hour that is skipped in spring it comes an hour later, in the one
that is repeated in autumn only the first time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from engine.errors import Invalid

CLOSEST_S = 15 * 60
LOOKED_AT = 100
"""So many runs are looked at for two that are too close."""

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Minute, hour, day of the month, month, day of the week (0 or 7 is Sunday) in a time zone."""

    cron: str
    zone: str

    def next_after(self, at: float) -> float:
        """The first start after a moment (unix seconds)."""
        return next(self.after(at))

    def after(self, at: float) -> Iterator[float]:
        """Every start after a moment, in order, without end."""
        zone, trigger = ZoneInfo(self.zone), _trigger(self.cron)
        wall = datetime.fromtimestamp(at, zone).replace(tzinfo=UTC, microsecond=0)
        while True:
            wall = trigger.get_next_fire_time(None, wall + timedelta(seconds=1))
            real = wall.replace(tzinfo=zone).timestamp()
            if real > at:
                yield real
                at = real

    def count(self, since: float, until: float) -> int:
        """How many starts lie after `since` and not after `until`."""
        for number, start in enumerate(self.after(since)):
            if start > until:
                return number
        raise AssertionError("unreachable: starts never end")


def checked(cron: str, zone: str, now: float) -> Recurrence:
    """The recurrence, its expression in plain form. Raises Invalid with what to write instead."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise Invalid(f"There is no time zone {zone[:60]!r}. Write one such as Europe/Berlin.") from None
    found = Recurrence(_plain(cron), zone)
    starts = list(islice(found.after(now), LOOKED_AT))
    if min(later - earlier for earlier, later in pairwise(starts)) < CLOSEST_S:
        raise Invalid(f"Starts lie at least {CLOSEST_S // 60} minutes apart. Choose fewer.")
    return found


def _plain(cron: str) -> str:
    fields = cron.lower().split()
    if len(fields) != 5:
        raise Invalid(
            "A cron expression has five parts: minute, hour, day, month, weekday. Example: 30 6 * * 1-5."
        )
    if fields[2] != "*" and fields[4] != "*":
        raise Invalid("Give a day of the month or a weekday, not both.")
    text = " ".join(fields)
    try:
        comes = _trigger(text).get_next_fire_time(None, datetime(2024, 1, 1, tzinfo=UTC))
    except ValueError as error:
        raise Invalid(f"That cron expression cannot be read: {error}.") from error
    if comes is None:
        raise Invalid("That date never comes. Choose another.")
    return text


def _trigger(cron: str) -> CronTrigger:
    """APScheduler's trigger; its weekdays begin on Monday, cron's on Sunday, so they go by name."""
    minute, hour, day, month, weekday = cron.split()
    return CronTrigger(
        minute=minute, hour=hour, day=day, month=month, day_of_week=_named(weekday), timezone=UTC
    )


def _named(weekday: str) -> str:
    if weekday == "*":
        return weekday
    days = {day for part in weekday.split(",") for day in _days(part)}
    return ",".join(DAYS[day] for day in sorted(days))


def _days(part: str) -> Iterator[int]:
    """Weekdays of one part: 3, mon, 1-5, */2, fri-sun. Raises ValueError."""
    span, _, step = part.partition("/")
    first, _, last = ("0", "", "6") if span == "*" else span.partition("-")
    begin = _day(first)
    end = _day(last) if last else begin
    if end < begin:
        end += 7
    for day in range(begin, end + 1, int(step or 1)):
        yield day % 7


def _day(text: str) -> int:
    if text in DAYS:
        return DAYS.index(text)
    if not text.isdecimal() or int(text) > 7:
        raise ValueError(f"{text!r} is no weekday")
    return int(text)
