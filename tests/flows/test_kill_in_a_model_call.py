"""kill -9 in model calls: each that the provider charges for is booked, and the cap holds over all lives."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.flows.dying_call import MEMBERS, QUOTE
from tests.flows.fork_server import ForkServer

LIVES = (1, 4)


async def test_every_call_of_killed_processes_is_booked(processes: ForkServer, tmp_path: Path) -> None:
    """They die in the first and in the fourth call of their lives; the last life ends the task."""
    for number in (*LIVES, 0):
        arguments = (str(tmp_path), str(number), str(10**9))
        code, said = await processes.run("dying_call", *arguments, output=tmp_path / "output")
        assert code == (-9 if number else 0), said
    charged = QUOTE * len((tmp_path / "charged").read_text())
    with closing(sqlite3.connect(tmp_path / "test.db")) as store:
        budget = "SELECT spent_micros, reserved_micros, estimated FROM budgets"
        [(spent, reserved, estimated)] = store.execute(budget).fetchall()
        months = store.execute("SELECT spent_micros FROM month_budgets").fetchall()
    # Calls that were loaded and not sent yet count too: nobody knows that.
    assert charged <= spent <= charged + len(LIVES) * MEMBERS * QUOTE
    assert reserved == 0 and estimated >= len(LIVES)
    assert months == [(spent,)] * 2


async def test_a_cap_holds_over_killed_processes(processes: ForkServer, tmp_path: Path) -> None:
    """Killed in its first call again and again, a task never costs more than its cap."""
    cap = 2 * QUOTE
    for life in range(3):
        arguments = (str(tmp_path), "1", str(cap))
        code, said = await processes.run("dying_call", *arguments, output=tmp_path / "output")
        assert code == (-9 if life < 2 else 0), said  # then it is paused, and calls nobody
    assert QUOTE * len((tmp_path / "charged").read_text()) == cap
