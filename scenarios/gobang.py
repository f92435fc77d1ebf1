"""Gobang with an AI opponent, the paper's first work: `python -m scenarios.gobang`."""

from __future__ import annotations

from engine.commands import Limits
from scenarios.common import Paper, Work, arguments, carry_out, configured, figures, run, say
from scenarios.play import play_gobang

GOAL = (
    "Write Gobang (five in a row) in Python for a terminal, with an AI opponent that plays sensibly. "
    "`python main.py` runs it. The board has 15 rows and 15 columns; it is printed at the start and after "
    "every pair of moves as 15 lines of 15 cells with spaces between them: '.' is empty, 'X' the user, "
    "'O' the AI. The user begins and types each move as a row and a column from 1 to 15, such as: 8 8. "
    "The AI answers every move. A move that is not allowed is refused and asked for again. When five in a "
    "row are reached or the board is full, the program says who won and exits. Only the standard library."
)

GOBANG = Work(
    "Gobang",
    GOAL,
    Limits(agents=20, depth=3, members=10, minutes=120),
    Paper(agents=7, seconds=800, met=4, criteria=4),
)


async def main() -> None:
    """Let the configured model write it, then play it."""
    given = arguments("Gobang with an AI opponent, written by agents and then really played.").parse_args()
    work, settings = configured(given, GOBANG)
    outcome = await carry_out(work, settings)
    criteria = await play_gobang(outcome.sandbox, outcome.files)
    say("\n" + figures(work, outcome, criteria))
    say(f"Report: {outcome.task.report}")


if __name__ == "__main__":
    run(main())
