"""When a game of Gobang is won."""

from __future__ import annotations

from board import SIZE, Board

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def run_length(board: Board, row: int, column: int, stone: str, step: tuple[int, int]) -> int:
    """Stones of one kind in a row through a cell, the cell itself counted as that stone."""
    total = 1
    for sign in (1, -1):
        r, c = row + sign * step[0], column + sign * step[1]
        while 0 <= r < SIZE and 0 <= c < SIZE and board.cells[r][c] == stone:
            total, r, c = total + 1, r + sign * step[0], c + sign * step[1]
    return total


def wins(board: Board, row: int, column: int) -> bool:
    """Whether the stone just set makes five in a row."""
    stone = board.cells[row][column]
    return any(run_length(board, row, column, stone, step) >= 5 for step in DIRECTIONS)
