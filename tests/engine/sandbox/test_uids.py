"""The users that runs are, where the bot is root."""

from __future__ import annotations

from engine.sandbox.bubblewrap import SPARE_UIDS, _spread


def test_every_spare_user_is_among_those_of_a_bot() -> None:
    """None twice."""
    assert sorted(_spread(SPARE_UIDS)) == list(SPARE_UIDS)


def test_bots_of_one_machine_begin_with_different_users() -> None:
    """What the kernel counts for one bot's run is not counted for the other's."""
    assert len({_spread(SPARE_UIDS)[0] for _ in range(50)}) > 25
