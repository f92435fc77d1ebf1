"""Convert between people's choices of a schedule and cron expressions (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bot import texts
from bot.discord.errors import ActionRefused
from bot.discord.formatting import dollars
from bot.texts import refusals
from engine.commands import Limits
from engine.domain.recurrence import Recurrence

Every = Literal["day", "working day", "week", "month"]
Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
AHEAD_S = 30 * 86_400
_TIME = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)")
_PLAIN = re.compile(r"(\d+) (\d+) (\*|\d+) \* (\*|\d|1-5)")


@dataclass(frozen=True, slots=True)
class RepeatChoice:
    """A chosen schedule; `cron` overrides the other fields."""

    every: Every = "day"
    at: str = "09:00"
    on: Day = "Monday"
    cron: str | None = None


def cron_of(choice: RepeatChoice) -> str:
    """Return the cron expression of a choice. Raises ActionRefused for an invalid time of day."""
    if choice.cron:
        return choice.cron.strip()
    found = _TIME.fullmatch(choice.at.strip())
    if found is None:
        raise ActionRefused(refusals.BAD_TIME.format(value=choice.at[:20]))
    time = f"{int(found[2])} {int(found[1])}"
    week = f"* * {DAYS.index(choice.on)}"
    days = {"day": "* * *", "working day": "* * 1-5", "week": week, "month": "1 * *"}
    return f"{time} {days[choice.every]}"


def in_words(cron: str, zone: str) -> str:
    """Return a plain cron expression in words ("every Monday at 09:00 (Europe/Berlin)"), others unchanged."""
    found = _PLAIN.fullmatch(cron)
    if found is None or (found[3] != "*" and found[4] != "*"):  # with both, either day is a start
        return texts.REPEAT_CRON.format(cron=cron, zone=zone)
    minute, hour, day, weekday = found.groups()
    if day != "*":
        days = texts.REPEAT_MONTHLY.format(day=day)
    elif weekday == "1-5":
        days = texts.REPEAT_WORKING
    else:
        days = texts.REPEAT_DAILY if weekday == "*" else f"every {DAYS[int(weekday) % 7]}"
    return texts.REPEAT_WHEN.format(days=days, time=f"{int(hour):02}:{int(minute):02}", zone=zone)


def outlook(when: Recurrence, limits: Limits, now: float) -> str:
    """Return a text with the number of runs and the maximum cost of the next 30 days."""
    count = when.count(now, now + AHEAD_S)
    most = dollars((limits.cost_micros or 0) * count)
    return texts.REPEAT_OUTLOOK.format(
        count=count, caps=texts.caps(limits), most=most, first=int(when.next_after(now))
    )
