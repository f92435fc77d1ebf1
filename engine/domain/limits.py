"""Caps of a task and their validation. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from engine.commands import Limits
from engine.errors import Invalid


@dataclass(frozen=True, slots=True)
class Caps:
    """Caps of a task, every default filled in."""

    agents: int
    depth: int
    members: int
    steps: int
    cost_micros: int
    tokens: int
    minutes: int

    def limits(self) -> Limits:
        """Return them as a command names them."""
        return Limits(**asdict(self))


def continuation(asked: Limits, given: Limits, defaults: Caps | Limits) -> Limits:
    """Return what a continued task may use from now on: what is asked, else what its last start gave, at most
    the default. `agents` None: the cap on agents stays."""

    def share(name: str) -> int:
        usual = int(getattr(defaults, name) or 0)
        return int(getattr(asked, name) or min(getattr(given, name) or usual, usual))

    return Limits(
        agents=asked.agents,
        cost_micros=share("cost_micros"),
        tokens=share("tokens"),
        minutes=share("minutes"),
    )


def check_limits(limits: Limits) -> None:
    """Check that every given limit is positive. Raises Invalid."""
    for name in ("agents", "depth", "members", "steps", "cost_micros", "tokens", "minutes"):
        value = getattr(limits, name)
        if value is not None and value <= 0:
            raise Invalid(
                f"The limit on {name.replace('_micros', '')} must be more than 0.", "Enter a larger number."
            )
