"""Interactive programs, at most one per agent, from the call that starts one to the end of the turn.

They exist only in this process: after a restart there are none, and the tools say so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from engine.ports import RunRequest, RunResult, Sandbox, SandboxSession
from engine.tools.checkout import Checkout

Call = tuple[int, int]
"""Step and number of a call; a call that is repeated because another commit came first keeps its number."""


@dataclass(slots=True)
class Conversation:
    """A program with the files it was given. `answers`: its output by call; `said`: both sides, in order;
    `last`: how it ended, None while it runs."""

    session: SandboxSession
    argv: tuple[str, ...]
    command: str
    given: Checkout
    answers: dict[Call, RunResult] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    typed: int = 0
    last: RunResult | None = None

    def hear(self, call: Call, typed: str, result: RunResult) -> RunResult:
        """Keep what was typed and answered. Return the answer."""
        if typed:
            self.said += [f"> {line}" for line in typed.splitlines()]
            self.typed += len(typed.splitlines())
        if result.output:
            self.said.append(result.output.rstrip())
        self.answers[call] = result
        if is_over(result):
            self.last = result
        return result

    @property
    def text(self) -> str:
        """Return the whole conversation; typed lines begin with "> "."""
        return "\n".join(self.said)


def is_over(result: RunResult) -> bool:
    """Return whether the program has ended."""
    return not (result.exit_code == -1 and result.ended == "exit")


class Sessions:
    """The programs of each agent's turn, of which at most the newest runs."""

    def __init__(self) -> None:
        self._turns: dict[int, list[Conversation]] = {}

    def of(self, agent_id: int) -> Conversation | None:
        """Return the agent's newest program of this turn, None without one."""
        return next(reversed(self._turns.get(agent_id, ())), None)

    def of_call(self, agent_id: int, call: Call) -> Conversation | None:
        """Return the program that this call concerned when it was made before, else the newest one."""
        made = (talk for talk in self._turns.get(agent_id, ()) if call in talk.answers)
        return next(made, self.of(agent_id))

    async def start(
        self, agent_id: int, sandbox: Sandbox, request: RunRequest, command: str, given: Checkout, call: Call
    ) -> tuple[Conversation, RunResult]:
        """Start a program. Return it with its first output, the same again for a repeated call."""
        talk = self.of_call(agent_id, call)
        if talk is None or call not in talk.answers:
            session, first = await sandbox.open(request)
            talk = Conversation(session, request.argv, command, given)
            self._turns.setdefault(agent_id, []).append(talk)
            talk.hear(call, request.stdin.decode("utf-8", "replace"), first)
        return talk, talk.answers[call]

    async def send(self, talk: Conversation, text: str, wait_s: float, call: Call) -> RunResult:
        """Send `text` to a program. Return its output, the same again for a repeated call."""
        if call not in talk.answers:
            talk.hear(call, text, await talk.session.send(text, wait_s))
        return talk.answers[call]

    async def end(self, talk: Conversation, call: Call) -> RunResult:
        """End a program. Return its last output and files; a kill by us is told as "closed"."""
        if call not in talk.answers:
            result = await talk.session.close()
            talk.hear(call, "", replace(result, ended="closed") if result.ended == "killed" else result)
        return talk.answers[call]

    async def close(self, agent_id: int) -> None:
        """End the agent's program and forget its turn."""
        for talk in self._turns.pop(agent_id, []):
            await talk.session.close()

    async def close_all(self) -> None:
        """End every program."""
        for agent_id in list(self._turns):
            await self.close(agent_id)
