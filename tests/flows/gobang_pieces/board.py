"""The board: 15 by 15 cells."""

from __future__ import annotations

SIZE = 15
EMPTY, USER, AI = ".", "X", "O"


class Board:
    """Cells by row and column, both from 0."""

    def __init__(self) -> None:
        self.cells = [[EMPTY] * SIZE for _ in range(SIZE)]

    def place(self, row: int, column: int, stone: str) -> None:
        """Set a stone. Raises ValueError outside the board or on a taken cell."""
        if not (0 <= row < SIZE and 0 <= column < SIZE):
            raise ValueError("that is not on the board")
        if self.cells[row][column] != EMPTY:
            raise ValueError("that cell is taken")
        self.cells[row][column] = stone

    def free(self) -> list[tuple[int, int]]:
        """All empty cells."""
        return [(r, c) for r in range(SIZE) for c in range(SIZE) if self.cells[r][c] == EMPTY]

    def __str__(self) -> str:
        return "\n".join(" ".join(row) for row in self.cells)
