"""Gobang with an AI opponent, the paper's first work, from the goal to a game really played."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import NotConfigured
from engine.llm.scripted import ScriptedModel
from engine.ports import RunRequest, RunResult, SandboxSession, SandboxStatus
from engine.settings import EngineSettings
from scenarios.common import carry_out, figures
from scenarios.gobang import GOBANG
from scenarios.play import boards, choose, play_gobang
from tests.fakes.cast import cast
from tests.flows.gobang_script import parts, piece


async def test_seven_agents_write_a_gobang_that_plays(tmp_path: Path) -> None:
    """The paper's four criteria hold: it runs, the user moves, the AI moves, the game ends."""
    settings = EngineSettings(data_dir=tmp_path, _env_file=None)  # type: ignore[call-arg]
    outcome = await carry_out(GOBANG, settings, ScriptedModel(cast(parts())))
    assert outcome.sandbox.status().available, outcome.sandbox.status().reason
    criteria = await play_gobang(outcome.sandbox, outcome.files)
    assert [c for c in criteria if not c.met] == []
    assert (outcome.task.state, outcome.task.verified, outcome.agents) == ("done", True, 7)
    assert outcome.task.accepted == outcome.task.assignments == 6
    assert "4 of 4" in figures(GOBANG, outcome, criteria)


class Program:
    """A sandbox whose one program prints what it is told to, move by move."""

    def __init__(self, *outputs: str, exit_code: int = 0) -> None:
        self._outputs, self._code = list(outputs), exit_code

    def status(self) -> SandboxStatus:
        """Available."""
        return SandboxStatus(True, "told")

    async def run(self, request: RunRequest) -> RunResult:
        """Nothing is run to its end here."""
        raise NotConfigured("only sessions.")

    async def open(self, request: RunRequest) -> tuple[SandboxSession, RunResult]:
        """The program with its first output."""
        return self, await self.send("")

    async def send(self, text: str, wait_s: float = 2.0) -> RunResult:
        """The next output; after the last the program has ended."""
        output = self._outputs.pop(0)
        return RunResult(-1 if self._outputs else self._code, output)

    async def close(self) -> RunResult:
        """Nothing is left."""
        return RunResult(0, "")


def board(**stones: str) -> str:
    """An empty board with stones at `r<row>c<column>`, as the goal wants it printed."""
    rows = [["."] * 15 for _ in range(15)]
    for at, stone in stones.items():
        row, column = at[1:].split("c")
        rows[int(row)][int(column)] = stone
    return "\n".join(" ".join(row) for row in rows) + "\n"


@pytest.mark.parametrize(
    ("outputs", "code", "met"),
    [
        ((board(), board(r7c7="X", r0c0="O") + "The AI wins.\n"), 0, [True, True, True, True]),
        ((board(), board(r7c7="X") + "Traceback: boom\n"), 1, [False, True, False, False]),
        ((board(), board(), board()), 0, [False, False, False, False]),
        ((board(), board(r7c7="X"), board(r7c7="X")), 0, [False, True, False, False]),
        (("Welcome\n",), 0, [True, False, False, False]),
    ],
)
async def test_criteria_are_what_was_seen(outputs: tuple[str, ...], code: int, met: list[bool]) -> None:
    """A crash, an ignored move, a silent AI and a program that only greets are distinguished."""
    seen = await play_gobang(Program(*outputs, exit_code=code), {"main.py": b""})
    assert [criterion.met for criterion in seen] == met


async def test_without_a_program_no_criterion_is_met() -> None:
    """There is nothing to play."""
    assert not any(criterion.met for criterion in await play_gobang(Program("x"), {}))


def test_boards_are_found_with_labels_and_bars() -> None:
    """Row numbers before and bars between the cells do not matter."""
    labelled = "\n".join(f"{n:2} " + "|".join("." * 15) for n in range(1, 16))
    assert boards("Hello\n" + labelled) == [("." * 15,) * 15]


def test_the_player_finishes_its_own_four_before_it_blocks() -> None:
    """With four of its own open it takes the fifth."""
    grid = [["."] * 15 for _ in range(15)]
    for column in range(4):
        grid[3][column], grid[9][column] = "X", "O"
    assert choose(tuple("".join(row) for row in grid)) == (3, 4)
    assert piece("main.py").count("import") > 1
