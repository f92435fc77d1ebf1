"""One stop for all requests: bans, global limits, and invalid answers counted against Discord's 10,000."""

from __future__ import annotations

import discord
import pytest

from bot.discord.request_stop import MOST_INVALID, SHORT_S, WINDOW_S, RequestStop

VIA = {"Via": "1.1 google"}


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time that the test has set."""
        return self.now


def made() -> tuple[RequestStop, Clock]:
    """A stop and its clock."""
    clock = Clock()
    return RequestStop(clock), clock


def test_a_ban_stops_for_as_long_as_it_says() -> None:
    """429 without Via comes from the edge."""
    stop, clock = made()
    stop.heard(429, {"Retry-After": "3600"})
    assert stop.remaining() == 3600
    clock.now += 3601
    assert stop.remaining() == 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60.0),
        (VIA | {"Retry-After": "7", "X-RateLimit-Global": "true"}, 7.0),
        (VIA | {"Retry-After": "7", "X-RateLimit-Scope": "user"}, 0.0),
        (VIA | {"Retry-After": "7", "X-RateLimit-Scope": "shared"}, 0.0),
    ],
)
def test_which_limits_stop_everything(headers: dict[str, str], seconds: float) -> None:
    """Those of the address and of the whole bot."""
    stop, _ = made()
    stop.heard(429, headers)
    assert stop.remaining() == seconds


@pytest.mark.parametrize("status", [401, 403, 429])
def test_invalid_answers_are_counted(status: int) -> None:
    """Near Discord's 10,000 in 10 minutes everything waits until the oldest are forgotten."""
    stop, clock = made()
    for _ in range(MOST_INVALID):
        assert stop.remaining() == 0
        stop.heard(status, VIA | {"X-RateLimit-Scope": "user"})
    assert stop.remaining() == pytest.approx(WINDOW_S)
    clock.now += WINDOW_S + 1
    stop.heard(status, VIA)
    assert stop.remaining() == 0


def test_what_is_not_counted() -> None:
    """Shared limits and all other answers."""
    stop, _ = made()
    for _ in range(MOST_INVALID):
        stop.heard(429, VIA | {"X-RateLimit-Scope": "shared"})
        stop.heard(404, VIA)
    assert stop.remaining() == 0


async def test_a_long_stop_is_an_error_at_once() -> None:
    """Callers decide what to do meanwhile; nobody hangs for an hour."""
    stop, _ = made()
    stop.close(SHORT_S + 100)
    with pytest.raises(discord.RateLimited) as told:
        await stop.hold()
    assert told.value.retry_after == SHORT_S + 100
