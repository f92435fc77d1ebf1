"""kill -9 between the commits of one step: nothing is lost, nothing done twice, nothing paid twice."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.engine.packages.index import Index, serving, wheel
from tests.flows.dying_fetch import POINTS
from tests.flows.dying_step import PATHS
from tests.flows.fork_server import ForkServer


async def test_an_engine_killed_with_each_program_of_an_answer_finishes_the_answer(
    processes: ForkServer, tmp_path: Path
) -> None:
    """It dies with the first program, then with the second; the third process does the rest."""
    for number, end in ((1, -9), (2, -9), (0, 0)):
        code, said = await processes.run("dying_step", str(tmp_path), str(number), output=tmp_path / "output")
        assert code == end, said
    store = sqlite3.connect(tmp_path / "test.db")
    assert [row[0] for row in store.execute("SELECT path FROM revisions ORDER BY id")] == list(PATHS)
    kinds = [row[0] for row in store.execute("SELECT kind FROM events ORDER BY seq")]
    assert (kinds.count("CodeRan"), kinds.count("AgentSpoke")) == (2, 2)
    steps = list(
        store.execute("SELECT step, continues, json_array_length(calls_json) FROM steps ORDER BY id")
    )
    assert steps == [(1, 0, 1), (2, 1, 2), (3, 1, 2), (4, 0, 0)]
    assert store.execute("SELECT calls, reserved_tokens FROM budgets").fetchall() == [(2, 0)]
    assert store.execute("SELECT rest_json, parts, fence FROM agents").fetchall() == [("", 2, 4)]
    store.close()


@pytest.mark.soak
async def test_an_engine_killed_at_each_point_of_a_fetch_gets_the_package_once(
    processes: ForkServer, tmp_path: Path
) -> None:
    """It dies at each point after the other, each time in a process of its own; the last one ends the step.
    The pins are recorded once, the program has the packages, and nothing half-made is ever used."""
    index = Index()
    index.add(*wheel("oak", "1.0", {"oak.py": "said = 'oak'\n"}, needs="leaf"))
    index.add(*wheel("leaf", "1.0", {"leaf.py": "said = 'leaf'\n"}))
    with serving(index):
        for point in (*POINTS, ""):
            arguments = (str(tmp_path), point, index.url)
            code, said = await processes.run("dying_fetch", *arguments, output=tmp_path / "output")
            assert code == (-9 if point else 0), (point, said)
    store = sqlite3.connect(tmp_path / "test.db")
    pins = store.execute("SELECT name, version, length(sha256) FROM packages ORDER BY name").fetchall()
    assert pins == [("leaf", "1.0", 64), ("oak", "1.0", 64)]
    kinds = [row[0] for row in store.execute("SELECT kind FROM events ORDER BY seq")]
    assert (kinds.count("PackagesAdded"), kinds.count("CodeRan")) == (1, 1)
    [ran] = store.execute("SELECT payload_json FROM events WHERE kind = 'CodeRan'").fetchone()
    assert "leaf.py oak.py" in ran
    # Answers that were lost before their step was committed are booked too, by an estimate.
    booked = "SELECT calls - estimated, reserved_tokens FROM budgets"
    assert store.execute(booked).fetchall() == [(2, 0)]
    [made] = (tmp_path / "packages" / "sets").iterdir()
    assert {path.name for path in made.glob("*.py")} == {"leaf.py", "oak.py"}
    store.close()
