"""Who waits for room near a cap: those above come before those below them.

A head's review needs more room than its members' small calls, which would otherwise take what becomes free in
its place until nothing is left. Agents of one process only: on more machines each lets its own agents wait.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.domain.state import AgentFacts


class Behind(Exception):
    """An agent above waits for room; this one tries again later."""


@dataclass(slots=True)
class Room:
    """Agents whose reservation did not fit while running calls hold room, each with until when that counts:
    it is renewed with each attempt."""

    _waiting: dict[int, tuple[AgentFacts, float]] = field(default_factory=dict)

    def waits(self, agent: AgentFacts, until: float) -> None:
        """Note that an agent tries again until then."""
        self._waiting[agent.id] = (agent, until)

    def is_over(self, agent_id: int) -> None:
        """Forget that an agent waits."""
        self._waiting.pop(agent_id, None)

    def check(self, agent: AgentFacts, now: float) -> None:
        """Raise Behind while somebody above waits whose budget is among those that the agent spends from.

        Who holds room already uses that, and the rest of an answer needs none.
        """
        if agent.rest is not None or agent.reserved_micros or agent.reserved_tokens:
            return
        for other, until in tuple(self._waiting.values()):
            if until < now:
                self.is_over(other.id)
            elif other.depth < agent.depth and agent.budget_path.startswith(other.budget_path):
                raise Behind
