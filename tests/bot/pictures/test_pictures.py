"""The pictures: whole at every size, names never on top of each other, odd names drawn too."""

from __future__ import annotations

import io
import itertools
import math
from collections import Counter
from dataclasses import replace

import pytest
from PIL import Image

from bot.features.tasks.drawings import organisation_alt, timeline_alt
from bot.features.tasks.tree import tree_text
from bot.pictures.layout import round_about, two_sided
from bot.pictures.moments import Moment, moments_of
from bot.pictures.organisation import draw_organisation, wheel_size
from bot.pictures.timeline import (
    ASKED,
    MARK,
    MOST_ROWS,
    PAUSED,
    VERDICTS,
    clock,
    cost_curve,
    draw_timeline,
    gathered,
    marks,
    rows_of,
)
from engine import events as ev
from engine.commands import Limits
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


def test_a_small_organisation_is_read_at_the_width_that_discord_shows() -> None:
    """Up to 24 agents stand below each other: shown at 365 pixels, names are 11 high; no row is left out."""
    for count in (1, 5, 24):
        with Image.open(io.BytesIO(draw_organisation(crowd(count), "Task #1"))) as image:
            assert image.width == 800 and image.height == 146 + 70 * count
    with Image.open(io.BytesIO(draw_organisation(crowd(25), "Task #1"))) as image:
        assert image.width > 800


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


def _events(*bodies: tuple[float, ev.EventBody]) -> list[ev.Event]:
    return [ev.Event(number, at, body) for number, (at, body) in enumerate(bodies, 1)]


COURSE = _events(
    (0, ev.GateRaised(1, 2, 1, "plan", 1, "Boss", "plan", ())),
    (10, ev.GateClosed(1, 2, 1, "person")),
    (60, ev.AgentSpoke(1, 2, 3, "Ben", ("human",), "Which?", asks=True)),
    (61, ev.AgentSpoke(1, 2, 3, "Ben", ("human",), "A table?")),
    (100, ev.GateRaised(1, 2, 2, "question", 2, "Ada", "Oak?", ())),
    (120, ev.TaskChanged(1, "paused", "", "person")),
    (180, ev.TaskChanged(1, "running", "")),
    (190, ev.AgentChanged(1, 2, 2, "Ada", "paused")),
    (200, ev.AgentChanged(1, 2, 2, "Ada", "resumed")),
    (300, ev.AuditBegun(1, 2, 1, "Boss", "Auditor")),
    (330, ev.Audited(1, 2, "rejected", "No table.", 1, 9, "Auditor")),
    (400, ev.AuditBegun(1, 2, 1, "Boss", "Auditor 2")),
    (420, ev.Audited(1, 2, "accepted", "", 2, 10, "Auditor 2")),
    (421, ev.GateClosed(1, 2, 2, "task_ended")),
    (421, ev.TaskEnded(1, 2, "done", "", (), True)),
    (600, ev.TaskContinued(1, 2, "discord:5", "Sam", Limits(), 1)),
    (620, ev.GateRaised(1, 2, 3, "question", 2, "Ada", "And now?", ())),
)
"""A course with one of each that is not work."""


def test_questions_audits_and_pauses_are_read_from_events() -> None:
    """Each has its beginning, its end and what came of it; what lasts has no end."""
    found = [(m.kind, m.name, m.start, m.end, m.basis, m.verdict) for m in moments_of(COURSE)]
    assert found == [
        ("question", "Boss", 0, 10, "person", ""),
        ("question", "Ben", 60, 60, None, ""),
        ("question", "Ada", 100, 421, "task_ended", ""),
        ("pause", "", 120, 180, None, ""),
        ("pause", "Ada", 190, 200, None, ""),
        ("audit", "Auditor", 300, 330, None, "rejected"),
        ("audit", "Auditor 2", 400, 420, None, "accepted"),
        ("break", "", 421, 600, None, ""),
        ("question", "Ada", 620, None, None, ""),
    ]
    assert moments_of(COURSE[:15])[-1].kind == "audit", "an end is no break until the task is continued"


def test_an_event_of_an_older_version_is_a_moment_too() -> None:
    """A verdict without a beginning is a point in time; what was open at the end is over with it."""
    judged = _events((5, ev.Audited(1, 2, "ran", "", 1)), (6, ev.TaskChanged(1, "paused", "", "cap")))
    ended = _events((9, ev.TaskEnded(1, 2, "stopped", "", (), False)))
    audit, pause = moments_of([*judged, *ended])
    assert (audit.start, audit.end, audit.verdict) == (5, 5, "ran") and pause.end == 9


def test_a_timeline_shows_questions_audits_and_pauses() -> None:
    """Each kind is a line above the rows, told apart by colour and sign; the words say the same."""
    agents = [replace(agent, name=name) for agent, name in zip(crowd(3), ("Boss", "Ada", "Ben"), strict=True)]
    steps = [(1, 0.0, 90.0, 0), (2, 20.0, 280.0, 0), (3, 30.0, 70.0, 0), (2, 610.0, 640.0, 0)]
    moments = moments_of(COURSE)
    drawn = [_colours(draw_timeline(agents, steps, "Task #1", each, 700.0)) for each in (moments, ())]
    for colour in (ASKED, PAUSED, VERDICTS["accepted"], VERDICTS["rejected"]):
        assert drawn[0][colour] > 100 and drawn[1][colour] == 0
    assert timeline_alt(agents, steps, moments, 700.0) == (
        "Timeline of 11 min. Questions: Boss · approval of the plan after 0 s (answered in 10 s), "
        "Ben in a message after 1 min, Ada after 1 min (closed in 5 min), "
        "Ada after 10 min (not answered yet). "
        "Audits: rejected, begun after 5 min, accepted, begun after 6 min. "
        "Pauses: the whole task after 2 min (1 min), Ada after 3 min (10 s), "
        "ended after 7 min, continued 2 min later. Work: Ada (2 steps), Boss (1 step), Ben (1 step)."
    )


def test_marks_that_would_cover_each_other_are_counted() -> None:
    """Ten questions in a minute of a day are one mark with their number; audits of two verdicts are two."""
    asked = [Moment("question", float(n), n + 1.0) for n in range(10)]
    (one,) = gathered([(240.0 + n, moment) for n, moment in enumerate(asked)])
    assert len(one[1]) == 10
    judged = [Moment("audit", 1.0, 2.0, verdict="rejected"), Moment("audit", 2.0, 3.0, verdict="accepted")]
    (left, _), (right, _) = gathered([(240.0, judged[0]), (241.0, judged[1])])
    assert right - left == 2 * MARK


@pytest.mark.parametrize(
    ("total", "shown"),
    [
        (50.0, ["0 s", "10 s", "20 s", "30 s", "40 s", "50 s"]),
        (140.0, ["0:00 min", "0:30 min", "1:00 min", "1:30 min", "2:00 min"]),
        (300.0, ["0 s", "1 min", "2 min", "3 min", "4 min", "5 min"]),
    ],
)
def test_marks_of_time_differ(total: float, shown: list[str]) -> None:
    """No two marks have the same words."""
    assert [clock(passed, total) for passed in marks(total)] == shown


def test_a_timeline_of_590_agents_keeps_who_asked() -> None:
    """A row of a group has the questions of its members."""
    many = crowd(590)
    asking = next(agent for agent in many if agent.depth == 2)
    moments = [Moment("question", 1500.0, None, asking.id, asking.name, "question")]
    assert sum(len(row.asked) for row in rows_of(many, steps_of(many), moments)) == 1
    assert draw_timeline(many, steps_of(many), "Task #1", moments, 1600.0).startswith(b"\x89PNG")


def _colours(data: bytes) -> Counter[object]:
    with Image.open(io.BytesIO(data)) as image:
        return Counter({colour: count for count, colour in image.getcolors(1 << 20) or ()})
