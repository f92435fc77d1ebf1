"""Checks the rules."""

from board import Board
from rules import wins

board = Board()
for column in range(4):
    board.place(7, column, "X")
assert not wins(board, 7, 3)
board.place(7, 4, "X")
assert wins(board, 7, 2)
print("rules hold")
