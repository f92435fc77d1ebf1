"""The AI opponent: it lengthens its own lines and stops the user's."""

from __future__ import annotations

from board import AI, SIZE, USER, Board
from rules import DIRECTIONS, run_length


def worth(board: Board, row: int, column: int) -> tuple[int, int]:
    """How good a cell is: the longer of both sides' lines through it, then nearness to the middle."""
    own = max(run_length(board, row, column, AI, step) for step in DIRECTIONS)
    other = max(run_length(board, row, column, USER, step) for step in DIRECTIONS)
    return max(own * 2 + 1, other * 2), -abs(row - SIZE // 2) - abs(column - SIZE // 2)


def choose(board: Board) -> tuple[int, int]:
    """The AI's move: the best empty cell."""
    return max(board.free(), key=lambda cell: worth(board, *cell))
