"""What a handler returns: the id asked for and the agents to wake."""

from __future__ import annotations

from dataclasses import dataclass

from engine.ports import Wake


@dataclass(frozen=True, slots=True)
class HandlerResult:
    """A command carried out: the id it returns, and whom to wake."""

    id: int
    wakes: tuple[Wake, ...] = ()
