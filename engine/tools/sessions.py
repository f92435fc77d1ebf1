"""Interactive programs, at most one per agent, from the call that starts one to the end of the turn.

They exist only in this process: after a restart there are none, and the tools say so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.ports import RunRequest, RunResult, Sandbox, SandboxSession
from engine.tools.checkout import Checkout


@dataclass(slots=True)
class Conversation:
    """A running program with the files it was given. `answers`: its output by call `(step, number)`."""

    session: SandboxSession
    command: str
    given: Checkout
    answers: dict[tuple[int, int], RunResult] = field(default_factory=dict)


class Sessions:
    """The running programs by agent."""

    def __init__(self) -> None:
        self._open: dict[int, Conversation] = {}

    def of(self, agent_id: int) -> Conversation | None:
        """Return the agent's running program, None without one."""
        return self._open.get(agent_id)

    async def start(
        self,
        agent_id: int,
        sandbox: Sandbox,
        request: RunRequest,
        command: str,
        given: Checkout,
        call: tuple[int, int],
    ) -> RunResult:
        """Start a program and return its first output; close the agent's previous one.

        A call that is repeated because another commit came first gets the same output again.
        """
        old = self._open.get(agent_id)
        if old is not None and call in old.answers:
            return old.answers[call]
        await self.close(agent_id)
        session, first = await sandbox.open(request)
        self._open[agent_id] = Conversation(session, command, given, {call: first})
        return first

    async def send(self, agent_id: int, text: str, wait_s: float, call: tuple[int, int]) -> RunResult | None:
        """Send `text` and return the output; None when the agent has no running program."""
        talk = self._open.get(agent_id)
        if talk is None:
            return None
        if call not in talk.answers:
            talk.answers[call] = await talk.session.send(text, wait_s)
        return talk.answers[call]

    async def close(self, agent_id: int) -> RunResult | None:
        """End the agent's program. Return its last result, None when there was none."""
        talk = self._open.pop(agent_id, None)
        return await talk.session.close() if talk is not None else None

    async def close_all(self) -> None:
        """End every program."""
        for agent_id in list(self._open):
            await self.close(agent_id)
