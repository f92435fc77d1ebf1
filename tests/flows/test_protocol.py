"""What the protocol costs, held by the replays of the recorded works (`bench/protocol.py`)."""

from __future__ import annotations

import pytest

from bench.protocol import FIRST_SCHEMAS, IDLE, TOKENS_IN, WORKS, carry_out


async def test_a_recorded_team_and_one_agent_stay_within_what_the_protocol_may_cost(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """No call only ends a turn, nobody waits for a nudge, tokens stay bounded; the team is done first."""
    seconds: dict[str, float] = {}
    for name, most in TOKENS_IN.items():
        goal, script, limits = WORKS[name]
        figures = await carry_out(goal, script(), limits, tmp_path_factory.mktemp("replay"))
        model = figures.model
        assert figures.state == "done"
        assert (model.only_ends, figures.idle <= IDLE) == (0, True)
        assert model.tokens_in <= most * 1.03  # the order of what happens at the same moment may differ
        assert model.first.get("member", 0) <= FIRST_SCHEMAS
        seconds[name] = figures.seconds
    team, alone = seconds.values()
    assert team < 0.75 * alone
