"""Checks that the AI stops four in a row and takes five."""

from ai import choose
from board import Board

board = Board()
for column in range(4):
    board.place(7, column, "X")
assert choose(board) == (7, 4), choose(board)
for row in range(4):
    board.place(row + 3, 12, "O")
row, column = choose(board)
assert column == 12, (row, column)
print("the AI plays sensibly")
