"""The result of a handler."""

from __future__ import annotations

from dataclasses import dataclass

from engine.ports import Wake


@dataclass(frozen=True, slots=True)
class HandlerResult:
    """The id that a command returns, and the agents to wake."""

    id: int
    wakes: tuple[Wake, ...] = ()
