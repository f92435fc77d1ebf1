"""Starts by the clock on the wall: weekdays as cron counts them, each time once when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.domain.recurrence import CLOSEST_S, Recurrence, checked
from engine.errors import Invalid

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()


def days(cron: str, count: int) -> list[str]:
    """Weekdays and times of the next starts in Berlin."""
    found = islice(checked(cron, "Europe/Berlin", NOW).after(NOW), count)
    return [f"{datetime.fromtimestamp(at, BERLIN):%a %H:%M}" for at in found]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 9 * * 1-5", ["Mon 09:00", "Tue 09:00", "Wed 09:00", "Thu 09:00", "Fri 09:00", "Mon 09:00"]),
        ("0 9 * * 0", ["Sun 09:00", "Sun 09:00"]),
        ("0 9 * * 7", ["Sun 09:00", "Sun 09:00"]),
        ("30 6 * * FRI-sun", ["Sat 06:30", "Sun 06:30", "Fri 06:30"]),
        ("30 6 * * fri-0", ["Sat 06:30", "Sun 06:30", "Fri 06:30"]),
        ("0 8,20 * * */3", ["Sat 08:00", "Sat 20:00", "Sun 08:00", "Sun 20:00", "Wed 08:00"]),
    ],
)
def test_weekdays_are_crons(cron: str, expected: list[str]) -> None:
    """0 and 7 are Sunday, ranges and names mean what they mean in a crontab."""
    assert days(cron, len(expected)) == expected


def test_each_day_has_one_start_when_clocks_change() -> None:
    """Half past two comes once a day: after the gap in spring, the first time in autumn."""
    begin = datetime(2026, 1, 1, tzinfo=BERLIN).timestamp()
    starts = islice(Recurrence("30 2 * * *", "Europe/Berlin").after(begin), 365)
    dates = [datetime.fromtimestamp(at, BERLIN) for at in starts]
    assert len({date.date() for date in dates}) == 365
    odd = [f"{date:%m-%d %H:%M}" for date in dates if (date.hour, date.minute) != (2, 30)]
    assert odd == ["03-29 03:00"]
    autumn = next(date for date in dates if (date.month, date.day) == (10, 25))
    assert autumn.utcoffset() == timedelta(hours=2)


def test_every_hour_goes_on_each_hour_when_clocks_change() -> None:
    """The hour that comes twice has two starts, the one that is skipped none."""
    for month, day in ((3, 29), (10, 25)):
        begin = datetime(2026, month, day, tzinfo=BERLIN).timestamp()
        starts = list(islice(Recurrence("0 * * * *", "Europe/Berlin").after(begin), 6))
        assert {later - earlier for earlier, later in pairwise(starts)} == {3600.0}


def test_what_is_close_on_one_day_of_the_year_is_allowed_on_every_day() -> None:
    """Starts that lie near each other only where clocks change do not depend on when they are asked for."""
    for when in (NOW, datetime(2026, 3, 28, 12, tzinfo=UTC).timestamp()):
        assert checked("10 1-3 * * *", "Europe/Berlin", when).cron == "10 1-3 * * *"


@given(
    minute=st.integers(0, 59),
    hour=st.sampled_from(["*", "*/6", "0", "2,3", "1-4"]),
    zone=st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC"]),
    since=st.floats(1.7e9, 1.9e9),
)
@example(minute=31, hour="1-4", zone="Australia/Lord_Howe", since=1775314800.0)
def test_starts_lie_ahead_and_in_order(minute: int, hour: str, zone: str, since: float) -> None:
    """Each is after the moment asked from, and each later than the one before."""
    starts = list(islice(Recurrence(f"{minute} {hour} * * *", zone).after(since), 60))
    assert starts[0] > since
    assert all(earlier < later for earlier, later in pairwise(starts))


def test_counting_a_month() -> None:
    """Thirty days hold thirty daily starts."""
    assert Recurrence("0 9 * * *", "UTC").count(NOW, NOW + 30 * 86_400) == 30


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("soon", "five parts"),
        ("61 * * * *", "cannot be read"),
        ("0 9 * * 8", "The weekday of that cron expression"),
        ("0 9 1 * 1", "cannot be combined"),
        ("0 0 30 2 *", "names no time that exists"),
        ("0 0 31 4,6 *", "names no time that exists"),
        ("*/10 * * * *", f"{CLOSEST_S // 60} minutes apart"),
        ("0 9 * * 1/0", "cannot be read"),
    ],
)
def test_an_invalid_time_is_refused_with_a_sentence(cron: str, words: str) -> None:
    """With what to write instead."""
    with pytest.raises(Invalid, match=words):
        checked(cron, "UTC", NOW)


@pytest.mark.parametrize("zone", ["Mars/Base", "", "../etc/passwd", "/etc/passwd", "x" * 999])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    """And no file outside the zones is read."""
    with pytest.raises(Invalid, match="no time zone"):
        checked("0 9 * * *", zone, NOW)
