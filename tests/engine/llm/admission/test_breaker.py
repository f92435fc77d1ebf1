"""The circuit breaker's rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.llm.admission.breaker import Breaker, BreakerTimes

TIMES = BreakerTimes(threshold=3, first_s=1.0, longest_s=8.0, key_s=60.0)


def fail(breaker: Breaker, now: float, probe: bool = False, after: float | None = None) -> bool:
    """One failed call."""
    return breaker.failed(now, probe, "down.", after)


def test_opens_at_failures_in_a_row() -> None:
    """Two failures and a success are nothing; three failures open it."""
    breaker = Breaker(TIMES)
    fail(breaker, 0)
    fail(breaker, 0)
    breaker.succeeded()
    assert [fail(breaker, 0) for _ in range(3)] == [False, False, True]
    assert breaker.wait_s(0) == 1.0
    assert breaker.reason == "down."


def test_one_probe_at_a_time_then_back() -> None:
    """While the probe runs nobody passes; its success closes the breaker."""
    breaker = Breaker(TIMES)
    for _ in range(3):
        fail(breaker, 0)
    assert breaker.wait_s(1.0) == 0.0
    assert breaker.begin()
    assert breaker.wait_s(100.0) == float("inf")
    assert breaker.succeeded()
    assert breaker.wait_s(1.0) == 0.0
    assert not breaker.begin()


def test_probes_come_more_and_more_seldom() -> None:
    """The wait doubles from first_s to longest_s; an endpoint that says how long is believed."""
    breaker, now, waits = Breaker(TIMES), 0.0, []
    for _ in range(3):
        fail(breaker, now)
    for _ in range(5):
        waits.append(breaker.wait_s(now))
        now += breaker.wait_s(now)
        breaker.begin()
        assert fail(breaker, now, probe=True)
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0]
    breaker.retry_now(now)
    breaker.begin()
    fail(breaker, now, probe=True, after=33.0)
    assert breaker.wait_s(now) == 33.0


def test_late_failures_change_nothing() -> None:
    """Calls started before it opened do not push the next probe away."""
    breaker = Breaker(TIMES)
    for _ in range(3):
        fail(breaker, 0)
    assert not fail(breaker, 0.9)
    assert not breaker.rejected(0.9, probe=False, reason="key.")
    assert breaker.wait_s(0.9) < 0.2


def test_rejected_key_opens_at_once_and_waits_long() -> None:
    """One 401 is enough; a person can ask for the next try."""
    breaker = Breaker(TIMES)
    assert breaker.rejected(0, probe=False, reason="key.")
    assert breaker.wait_s(0) == 60.0
    breaker.retry_now(5)
    assert breaker.wait_s(5) == 0.0


def test_cancelled_probe_leaves_room_for_another() -> None:
    """A probe that was cancelled says nothing, and the next call may be one."""
    breaker = Breaker(TIMES)
    breaker.rejected(0, probe=False, reason="key.")
    breaker.begin()
    breaker.abandoned()
    assert breaker.wait_s(61) == 0.0
    assert breaker.begin()


@given(st.lists(st.sampled_from(["fail", "succeed", "reject", "abandon"]), max_size=100))
def test_waits_end(moves: list[str]) -> None:
    """Whatever happens to probes, the next one comes within the longest wait."""
    breaker, now = Breaker(TIMES), 0.0
    for move in moves:
        wait = breaker.wait_s(now)
        assert wait <= 60.0
        now += wait
        probe = breaker.begin()
        if move == "fail":
            fail(breaker, now, probe)
        elif move == "succeed":
            breaker.succeeded()
        elif move == "reject":
            breaker.rejected(now, probe, "key.")
        elif probe:
            breaker.abandoned()
