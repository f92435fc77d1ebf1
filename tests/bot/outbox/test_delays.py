"""The delays people see under the heaviest load, on a simulated clock (so the same on every machine)."""

from __future__ import annotations

import pytest

from bench.outbox import LOADS, Simulation, busiest, channels, load


@pytest.mark.parametrize("name", list(LOADS))
def test_a_thousand_utterances_a_minute(name: str) -> None:
    """Worst delay 20 s, answers to people 3 s, and never more than 30 posts a minute a channel."""
    weights = LOADS[name]
    simulation = Simulation(load(weights, seconds=120), channels(len(weights)))
    simulation.run()
    assert len(simulation.delays) == len(simulation.said)
    assert max(delay for delay, _ in simulation.delays) <= 20
    assert max(delay for delay, answer in simulation.delays if answer) <= 3
    assert all(busiest(times) <= 30 for times in simulation.posts.values())
