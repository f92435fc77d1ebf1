"""Names of Discord's people, servers, channels and messages towards the engine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.discord import identities as ids

SNOWFLAKES = st.integers(1, 2**63)


@given(SNOWFLAKES, SNOWFLAKES)
def test_every_name_is_read_back_as_what_it_is(one: int, other: int) -> None:
    """And never as something else."""
    assert ids.owner_id(ids.person_key(one)) == one
    assert ids.guild_of(ids.space_of(one)) == one
    assert ids.origin_channel(ids.origin_of(one)) == one
    assert ids.message_of(ids.message_ref(one, other)) == (one, other)
    assert ids.owner_id(ids.space_of(one)) is ids.guild_of(ids.origin_of(one)) is None


@pytest.mark.parametrize("name", ["", "discord:", "discord:x", "discord:\u0663", "cli", ids.SERVER_LEFT])
def test_what_names_nobody_is_nobody(name: str) -> None:
    """Names of other front ends, and what is no number."""
    assert ids.owner_id(name) is None
