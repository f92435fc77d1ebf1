"""From what people choose to a cron expression, and back into words."""

from __future__ import annotations

import pytest

from bot.discord.errors import ActionRefused
from bot.features.repeats.recurrence import RepeatChoice, cron_of, in_words, outlook
from engine.commands import Limits
from engine.domain.recurrence import Recurrence


@pytest.mark.parametrize(
    ("choice", "cron", "words"),
    [
        (RepeatChoice(), "0 9 * * *", "every day at 09:00 (UTC)"),
        (RepeatChoice("working day", "7:05"), "5 7 * * 1-5", "every weekday at 07:05 (UTC)"),
        (RepeatChoice("week", "18.30", "Sunday"), "30 18 * * 0", "every Sunday at 18:30 (UTC)"),
        (RepeatChoice("month", "23:59"), "59 23 1 * *", "on day 1 of each month at 23:59 (UTC)"),
        (RepeatChoice(cron="30 9 1 * 1"), "30 9 1 * 1", "at `30 9 1 * 1` (UTC)"),
        (RepeatChoice(cron=" 0 */6 * * 1,4 "), "0 */6 * * 1,4", "at `0 */6 * * 1,4` (UTC)"),
    ],
)
def test_choices_become_cron_and_words(choice: RepeatChoice, cron: str, words: str) -> None:
    """Both ways."""
    assert cron_of(choice) == cron
    assert in_words(cron, "UTC") == words


@pytest.mark.parametrize("at", ["24:00", "9", "noon", "12:60", ""])
def test_a_time_that_is_none_is_refused(at: str) -> None:
    """With one that would do."""
    with pytest.raises(ActionRefused, match="09:00"):
        cron_of(RepeatChoice(at=at))


def test_the_outlook_multiplies_a_runs_cap_by_its_runs() -> None:
    """Thirty daily runs of two dollars are sixty."""
    said = outlook(Recurrence("0 9 * * *", "UTC"), Limits(agents=5, cost_micros=2_000_000), 1_700_000_000.0)
    assert "30 runs" in said and "$60.00" in said and "$2.00" in said
