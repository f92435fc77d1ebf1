"""The limiter never lets more through than Discord takes, and learns from what Discord says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.outbox.limiter import Limiter, RateLimits

CALLS = st.lists(
    st.tuples(st.sampled_from([1, 2, 3]), st.floats(0, 3), st.booleans(), st.booleans()),
    min_size=1,
    max_size=300,
)


def run(calls: list[tuple[int, float, bool, bool]]) -> dict[int, list[float]]:
    """Posts as early as the limiter allows, after the given pauses; when each went out."""
    limiter, now, sent = Limiter(), 0.0, {1: [], 2: [], 3: []}  # type: tuple[Limiter, float, dict[int, list[float]]]
    for channel, pause, chatter, crowded in calls:
        now += pause
        now += limiter.wait(channel, now, chatter, crowded)
        limiter.spend(channel, now)
        sent[channel].append(now)
    return sent


def most(times: list[float], seconds: float) -> int:
    """The most posts in any half-open window."""
    return max((sum(1 for t in times if start <= t < start + seconds) for start in times), default=0)


@given(CALLS)
def test_never_over_the_limits(calls: list[tuple[int, float, bool, bool]]) -> None:
    """At most 5 posts in any 2 s and 30 in any minute a channel, 50 in any second over all."""
    sent = run(calls)
    for times in sent.values():
        assert most(times, 2.0) <= 5
        assert most(times, 60.0) <= 30
    assert most([t for times in sent.values() for t in times], 1.0) <= 50


TRAVELS = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1)), min_size=1, max_size=150)


@given(TRAVELS)
def test_slow_requests_do_not_break_the_minute(travels: list[tuple[float, float]]) -> None:
    """However long a request takes and whenever on its way Discord counts it: 5 in 2 s, 30 a minute."""
    limiter, now, counted = Limiter(), 0.0, []
    for takes, when in travels:
        now += limiter.wait(1, now, chatter=False)
        limiter.spend(1, now)
        counted.append(now + takes * when)
        now += takes
        limiter.landed(1, now)
    assert most(counted, 2.0) <= 5
    assert most(counted, 60.0) <= 30


def test_wait_is_exact() -> None:
    """After the wait the post is allowed, a moment before it is not."""
    limiter = Limiter()
    for _ in range(5):
        limiter.spend(1, 0.0)
    pause = limiter.wait(1, 0.0, chatter=False)
    assert limiter.wait(1, pause - 0.01, chatter=False) > 0
    assert limiter.wait(1, pause, chatter=False) == 0


def test_answers_keep_a_reserve() -> None:
    """When chatter takes all it may in a crowded channel, an answer still goes out at once."""
    limiter, now = Limiter(), 0.0
    for _ in range(40):
        now += limiter.wait(1, now, crowded=True)
        limiter.spend(1, now)
        now += 0.01
    assert limiter.wait(1, now, crowded=True) > 1
    assert limiter.wait(1, now, chatter=False, crowded=True) == 0


@given(CALLS)
def test_no_answer_waits_for_a_used_up_minute(calls: list[tuple[int, float, bool, bool]]) -> None:
    """Whatever was posted before, an answer goes out within 3 s."""
    limiter, now = Limiter(), 0.0
    for _, pause, chatter, crowded in calls:
        now += pause
        wait = limiter.wait(1, now, chatter, crowded)
        assert limiter.wait(1, now, chatter=False) < 3.0
        now += wait
        limiter.spend(1, now)


@given(CALLS)
def test_room_is_what_may_go_out(calls: list[tuple[int, float, bool, bool]]) -> None:
    """As many posts as `room` said go out within its seconds, and not one more."""
    limiter, now = Limiter(), 0.0
    for _, pause, chatter, crowded in calls:
        now += pause + limiter.wait(1, now + pause, chatter, crowded)
        limiter.spend(1, now)
    until, room = now + 5.0, limiter.room(1, now, 5.0)
    for _ in range(room):
        now += limiter.wait(1, now)
        limiter.spend(1, now)
    assert now <= until + 1e-6
    assert now + limiter.wait(1, now) > until - 1e-6


def test_a_quiet_channel_has_room_for_a_small_team() -> None:
    """Six posts within two seconds or so, seven within five."""
    assert Limiter().room(1, 0.0, 2.5) >= 6
    assert Limiter().room(1, 0.0, 5.0) >= 7


def test_global_429_stops_every_channel() -> None:
    """A global limit concerns channels never posted to."""
    limiter = Limiter()
    limiter.refused(1, 10.0, 3.0, "global", hidden=False)
    assert limiter.wait(2, 10.0) == 3.0


def test_hidden_429_closes_and_tightens_its_channel_only() -> None:
    """The retry time is kept, the minute becomes smaller, then grows back."""
    limiter, rates = Limiter(), RateLimits()
    limiter.refused(1, 0.0, 40.0, "shared", hidden=True)
    assert limiter.wait(1, 0.0) == 40.0 and limiter.wait(2, 0.0) == 0.0
    assert limiter.a_minute(1) < rates.minute.count
    limiter.wait(1, rates.forgive_s * 4)
    assert limiter.a_minute(1) > 24


def test_an_empty_bucket_closes_until_it_resets() -> None:
    """Discord's header overrides the seed; nonsense in it changes nothing."""
    limiter = Limiter()
    limiter.heard(1, 0.0, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "7.5"})
    assert limiter.wait(1, 0.0) == 7.5
    limiter.heard(2, 0.0, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "soon"})
    assert limiter.wait(2, 0.0) == 0.0
