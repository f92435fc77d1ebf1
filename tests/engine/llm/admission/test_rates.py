"""Limits a minute and calls at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.llm.admission.rates import AdaptiveLimit, MinuteBucket

GAPS = st.lists(st.floats(0, 20), min_size=1, max_size=200)


@given(st.integers(2, 500), GAPS)
def test_no_minute_sees_more_than_the_limit(limit: int, gaps: list[float]) -> None:
    """Taking one whenever it is allowed never exceeds the limit in any minute."""
    bucket, now, taken = MinuteBucket(limit, 0.0), 0.0, []
    for gap in gaps:
        now += gap
        while bucket.wait_s(1, now) == 0.0:
            bucket.take(1, now)
            taken.append(now)
    for start in taken:
        assert sum(start <= at < start + 60 for at in taken) <= limit + 1


@given(st.integers(1, 100_000), st.floats(1, 200_000))
def test_any_amount_passes_in_the_end(limit: int, amount: float) -> None:
    """The reported wait is enough, even for more than the burst."""
    bucket = MinuteBucket(limit, 0.0)
    bucket.take(limit, 0.0)
    wait = bucket.wait_s(amount, 0.0)
    assert bucket.wait_s(amount, wait + 1e-3) == 0.0


def test_zero_means_no_limit() -> None:
    """Without a limit nothing waits."""
    bucket = MinuteBucket(0, 0.0)
    bucket.take(10**9, 0.0)
    assert bucket.wait_s(10**9, 0.0) == 0.0


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_settling_counts_what_was_used(estimate: float, actual: float) -> None:
    """An estimate set right leaves the bucket as if the true amount had been taken."""
    guessed, known = MinuteBucket(60_000, 0.0), MinuteBucket(60_000, 0.0)
    guessed.take(estimate, 0.0)
    guessed.settle(estimate, actual)
    known.take(actual, 0.0)
    assert abs(guessed.wait_s(6000, 0.0) - known.wait_s(6000, 0.0)) < 1e-6


def test_halves_once_a_round_trip() -> None:
    """64 calls limited together are one sign, not 64."""
    limit = AdaptiveLimit(64)
    for _ in range(64):
        limit.limited(began=1.0, now=2.0)
    assert limit.allowed == 32
    limit.limited(began=2.5, now=3.0)
    assert limit.allowed == 16


def test_grows_slowly_and_only_when_full() -> None:
    """A full round of successes adds about one; idle successes add nothing."""
    limit = AdaptiveLimit(64)
    limit.limited(began=1.0, now=2.0)
    for _ in range(100):
        limit.succeeded(in_flight=3)
    assert limit.allowed == 32
    for _ in range(33):
        limit.succeeded(in_flight=limit.allowed)
    assert limit.allowed == 33


@given(st.integers(1, 64), st.lists(st.booleans(), max_size=300))
def test_stays_between_one_and_the_cap(cap: int, outcomes: list[bool]) -> None:
    """No run of answers and rate limits leaves the range."""
    limit = AdaptiveLimit(cap)
    for now, good in enumerate(outcomes):
        if good:
            limit.succeeded(limit.allowed)
        else:
            limit.limited(now, now + 0.5)
        assert 1 <= limit.allowed <= cap
