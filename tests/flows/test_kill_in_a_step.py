"""kill -9 between the commits of one step: nothing is lost, nothing done twice, nothing paid twice."""

from __future__ import annotations

import sqlite3
from pathlib import Path

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
