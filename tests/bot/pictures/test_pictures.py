"""The pictures: whole at every size, names never on top of each other, odd names drawn too."""

from __future__ import annotations

import io
import itertools
import math
from dataclasses import replace

import pytest
from PIL import Image

from bot.features.tasks.drawings import organisation_alt, timeline_alt
from bot.features.tasks.tree import tree_text
from bot.pictures.layout import round_about, two_sided
from bot.pictures.organisation import draw_organisation, wheel_size
from bot.pictures.timeline import MOST_ROWS, cost_curve, draw_timeline, marks, rows_of
from tests.fakes.crowd import crowd, steps_of


@pytest.mark.parametrize("count", [1, 2, 7, 60, 590])
def test_pictures_of_every_size_fit_discord(count: int) -> None:
    """PNGs well under 10 MiB and no larger than people can scroll."""
    agents = crowd(count)
    for data in (draw_organisation(agents, "Task #1"), draw_timeline(agents, steps_of(agents), "Task #1")):
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == "PNG" and max(image.size) <= 7200
        assert len(data) < 4 * 1024 * 1024


@pytest.mark.parametrize("count", [2, 7, 60, 120])
def test_cards_of_the_mind_map_never_overlap(count: int) -> None:
    """Every two cards are a column or a row apart, and everyone is there."""
    spots = two_sided(crowd(count), 290.0, 56.0)
    assert sorted(s.agent.id for s in spots) == list(range(1, count + 1))
    for one, other in itertools.combinations(spots, 2):
        assert abs(one.x - other.x) >= 289 or abs(one.y - other.y) >= 55


def test_names_on_the_wheel_never_touch() -> None:
    """590 agents: the ends stand at least a line of letters apart on the last ring."""
    agents = crowd(590)
    led = {a.head_id for a in agents}
    ends = sum(a.id not in led for a in agents)
    size, letters = wheel_size(ends)
    outer = size / 2 - 150
    spots = [s for s in round_about(agents, {n: outer * n / 4 for n in range(5)}) if s.agent.id not in led]
    angles = sorted(s.angle for s in spots)
    assert len(spots) == ends
    assert min(b - a for a, b in itertools.pairwise(angles)) * outer >= letters
    assert all(math.isclose(math.hypot(s.x, s.y), outer) for s in spots)


def test_odd_names_and_lost_heads_are_drawn() -> None:
    """Dismissed heads leave their members under the boss; names in any script, or none, draw."""
    agents = [replace(a, name="艾达 🚢 " * 20 if a.id % 2 else "") for a in crowd(30)]
    agents[1] = replace(agents[1], state="dismissed")
    assert draw_organisation(agents, "🚢" * 500).startswith(b"\x89PNG")
    assert len(two_sided(agents, 290.0, 56.0)) == 29
    assert tree_text(agents, limit=9000, lines=99).count("**") == 2 * 29


def test_rows_fold_into_groups_beyond_sixty() -> None:
    """Up to sixty agents a row each in the order they began; beyond, a row a group with its head's name."""
    few, many = crowd(40), crowd(590)
    rows = rows_of(few, steps_of(few))
    assert len(rows) == 40 and [r.spans[0][0] for r in rows] == sorted(r.spans[0][0] for r in rows)
    folded = rows_of(many, steps_of(many))
    assert len(folded) == MOST_ROWS and all(r.agents > 1 for r in folded)


def test_the_cost_curve_adds_up_in_time() -> None:
    """It never falls, and ends at the sum."""
    steps = steps_of(crowd(20))
    curve = cost_curve(steps)
    assert curve == sorted(curve) and curve[-1][1] == sum(cost for *_, cost in steps)


@pytest.mark.parametrize("total", [1.0, 59.0, 600.0, 7201.0, 90_000.0, 5_000_000.0])
def test_time_marks_are_few_and_within(total: float) -> None:
    """Between two and eleven marks from 0, none beyond the end."""
    found = marks(total)
    assert 2 <= len(found) <= 11 and found[0] == 0 and found[-1] <= total + 1e-6


def test_a_timeline_is_read_at_the_width_that_discord_shows() -> None:
    """At 400 pixels its letters are 8 high; no cost makes no chart of nothing; words tell what is seen."""
    agents = crowd(7)
    steps = steps_of(agents)
    free = [(agent_id, start, end, 0) for agent_id, start, end, _ in steps]
    drawn = [draw_timeline(agents, each, "Task #1") for each in (steps, free)]
    with Image.open(io.BytesIO(drawn[0])) as dear, Image.open(io.BytesIO(drawn[1])) as bare:
        assert dear.width == bare.width <= 1000 and bare.height <= dear.height - 150
    said = timeline_alt(agents, steps)
    assert "Timeline of" in said and all(agent.name in said for agent in agents[:3])
    assert all(agent.name in organisation_alt(agents) for agent in agents if agent.state != "dismissed")
