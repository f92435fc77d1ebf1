"""Gobang in a terminal: the user (X) against the AI (O)."""

from __future__ import annotations

import ai
from board import AI, USER, Board
from rules import wins
from talk import parse


def user_move(board: Board) -> tuple[int, int]:
    """Ask until the user makes a move that is allowed."""
    while True:
        try:
            row, column = parse(input("Your move: "))
            board.place(row, column, USER)
        except ValueError as error:
            print(f"Not allowed: {error}.")
        else:
            return row, column


def play() -> str:
    """One game -> what is said at its end."""
    board = Board()
    print(board)
    while board.free():
        if wins(board, *user_move(board)):
            print(board)
            return "You win."
        row, column = ai.choose(board)
        board.place(row, column, AI)
        print(board)
        if wins(board, row, column):
            return "The AI wins."
    return "A draw."


if __name__ == "__main__":
    print(play())
