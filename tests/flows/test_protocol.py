"""What the protocol costs, held by scripted works and the replays of recorded ones (`bench/protocol.py`)."""

from __future__ import annotations

import pytest

from bench.protocol import FIRST_SCHEMAS, IDLE, MAKESPAN, TOKENS_IN, WORKS, Figures, carry_out, share_limit

SMALL = [name for name in WORKS if not name.startswith("policies")]
"""All but the nation of 590 agents, which takes a minute of CPU."""


def check(name: str, figures: Figures) -> None:
    """Within every limit of the bench."""
    model = figures.model
    assert (figures.state, model.only_ends, figures.idle <= IDLE) == ("done", 0, True)
    assert model.first.get("member", 0) <= FIRST_SCHEMAS
    assert model.protocol / model.calls <= share_limit(name)
    assert model.tokens_in <= TOKENS_IN.get(name, model.tokens_in)


async def test_the_protocol_of_scripted_and_recorded_works_stays_within_its_limits(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """No call only ends a turn, nobody waits for a nudge, tokens stay bounded; the team is done in 0.6 of the
    time of one agent."""
    seconds: dict[str, float] = {}
    for name in SMALL:
        goal, script, limits = WORKS[name]
        figures = await carry_out(goal, script(), limits, tmp_path_factory.mktemp("work"))
        check(name, figures)
        seconds[name] = figures.seconds
    # The order of what happens at the same moment may differ.
    assert seconds["gobang, team replayed"] <= MAKESPAN * 1.02 * seconds["gobang, alone replayed"]
