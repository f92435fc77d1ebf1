"""The users that runs are, where the bot is root."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.sandbox.bubblewrap import SPARE_UIDS, _spread


@given(st.integers(1, len(SPARE_UIDS)))
def test_each_run_at_once_has_a_user_of_its_own(count: int) -> None:
    """Every one of them is spare."""
    spread = _spread(SPARE_UIDS, count)
    assert len(set(spread)) == count and set(spread) <= set(SPARE_UIDS)


def test_bots_of_one_machine_begin_with_different_users() -> None:
    """What the kernel counts for one bot's run is not counted for the other's."""
    assert len({_spread(SPARE_UIDS, 1)[0] for _ in range(50)}) > 25
