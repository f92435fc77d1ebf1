"""What an agent may wait for: a file, an assignment, another agent's answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

HANDED_IN = frozenset({"submitted", "accepted", "cancelled"})
"""States of an assignment that end a wait for it."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """A file by its path, an assignment by its number, or an answer by who owes it (`name` if known)."""

    path: str = ""
    assignment: int | None = None
    answer_of: int | None = None
    name: str = ""

    @property
    def shown(self) -> str:
        """Return it as agents and people read it."""
        if self.answer_of is not None:
            return f"an answer of {self.name or self.answer_of}"
        return self.path or f"#{self.assignment}"
