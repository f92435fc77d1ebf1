"""What the user types and reads."""

from __future__ import annotations


def parse(text: str) -> tuple[int, int]:
    """Row and column from 0 of a move typed as two numbers from 1. Raises ValueError."""
    parts = text.replace(",", " ").split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise ValueError("type a row and a column, such as: 8 8")
    return int(parts[0]) - 1, int(parts[1]) - 1
