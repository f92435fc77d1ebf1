"""Results of programs that an agent ran in its turn, so that none is run twice for nothing.

They exist only in this process: after a restart the program is run again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from engine.ports import RunRequest, RunResult
from engine.tools.checkout import Checkout

Call = tuple[int, int]
"""A call by its step and its slot."""


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A result with the files that the program was given; `mark`: command, input and files."""

    call: Call
    mark: str
    result: RunResult
    given: Checkout


class RunResults:
    """The results of each agent's current step, and the newest one."""

    def __init__(self) -> None:
        self._kept: dict[int, list[KeptRun]] = {}

    def of_call(self, agent_id: int, call: Call, request: RunRequest) -> KeptRun | None:
        """Return the result of this very call, which is repeated because another commit came first.

        The files may have changed since: the result is that of the files it was given.
        """
        command = _command(request)
        same = (k for k in self._kept.get(agent_id, ()) if k.call == call and k.mark.startswith(command))
        return next(same, None)

    def of_same(self, agent_id: int, request: RunRequest, given: Checkout) -> KeptRun | None:
        """Return the newest result if it is of the same command on the same files, and was a success."""
        newest = self._kept.get(agent_id, [])[-1:]
        mark = _mark(request, given)
        return next((k for k in newest if k.mark == mark and _passed(k.result)), None)

    def keep(
        self, agent_id: int, call: Call, request: RunRequest, given: Checkout, result: RunResult
    ) -> None:
        """Keep a result until the agent's turn ends or a later step has one."""
        held = [kept for kept in self._kept.get(agent_id, ()) if kept.call[0] == call[0]]
        self._kept[agent_id] = [*held, KeptRun(call, _mark(request, given), result, given)]

    def forget(self, agent_id: int) -> None:
        """Drop the results of an agent whose turn ended."""
        self._kept.pop(agent_id, None)


def _passed(result: RunResult) -> bool:
    return result.ended == "exit" and result.exit_code == 0


def _command(request: RunRequest) -> str:
    parts = (repr(request.argv), repr(request.guarded), hashlib.sha256(request.stdin).hexdigest())
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _mark(request: RunRequest, given: Checkout) -> str:
    tree = hashlib.sha256()
    for path, blob in sorted(given.blobs.items()):
        tree.update(f"{path}\0{blob}\0".encode("utf-8", "surrogatepass"))
    return _command(request) + tree.hexdigest()
