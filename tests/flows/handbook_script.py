"""A recorded team task: eight agents in two levels write a handbook, a person answers and writes in.

The words and calls are a capable model's (`recordings/handbook.jsonl`, one line a model call in the order of
asking); numbers of assignments are replaced by those of this run. Calls are answered in the recorded order,
as far as the engine asks for them in that order. A head that is asked before the submission it judges next
is there says that it waits; the submission wakes it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from tests.fakes.cast import View

RECORDING = Path(__file__).with_name("recordings") / "handbook.jsonl"

GOAL = (
    "Write the employee handbook of Tern, a software company of 20 people who all work remotely: about ten "
    "pages in six chapters by several authors at once, the same terms throughout, an index, a one-page "
    "summary for the first day, all put together in handbook.md."
)
ANSWER = "In the EU and the UK. 25 days plus local public holidays."
CHANGE = "On call is paid 350 EUR a week, not 300. Please change it everywhere."
LATER = "One more change: the learning budget is 1,200 EUR a year."

PATIENCE_S = 10.0
"""How long a call waits for those recorded before it; the engine may not ask for all of them."""


@dataclass(frozen=True)
class Recorded:
    """One recorded model call: its number, words and calls."""

    number: int
    said: str
    calls: tuple[tuple[str, dict[str, Any]], ...]


def recorded(path: Path = RECORDING) -> dict[str, deque[Recorded]]:
    """Return the recorded calls of each agent, in order."""
    found: dict[str, deque[Recorded]] = defaultdict(deque)
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        calls = tuple((each["name"], each["arguments"]) for each in entry["calls"])
        found[entry["agent"]].append(Recorded(entry["call"], entry["said"], calls))
    return found


class Replay:
    """A script that answers each agent with its next recorded call; `reached` tells how far it is."""

    def __init__(self, path: Path = RECORDING) -> None:
        self._left = recorded(path)
        self._answered: set[int] = set()
        self._all = {step.number for steps in self._left.values() for step in steps}
        self._moved = asyncio.Condition()
        steps = sorted((s for steps in self._left.values() for s in steps), key=lambda step: step.number)
        given = [arguments["title"] for s in steps for name, arguments in s.calls if name == "assign"]
        self._titles = dict(enumerate(given, 1))
        self._last = {made[0]: made for step in steps for made in step.calls}
        self._judged: list[int] = []

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Answer with the next scripted turn of the agent that is asked."""
        view = View(request)
        mine = self._left.get(view.name)
        if not mine:
            return self._beyond(view)
        if not self._is_there(mine[0], view):
            heard = CHANGE in view.last or LATER in view.last  # a person is always answered, so it is seen
            return say("I read it, and wait for the chapter." if heard else "Waiting.")
        step = mine.popleft()
        await self._turn_of(step.number)
        self._judged += [made["assignment"] for name, made in step.calls if name == "review"]
        calls = [(name, self._here(name, arguments, view)) for name, arguments in step.calls]
        async with self._moved:
            self._answered.add(step.number)
            self._moved.notify_all()
        return call(*calls, text=step.said) if calls else say(step.said)

    def _is_there(self, step: Recorded, view: View) -> bool:
        """Return whether every submission that a step judges has come to its judge."""
        judged = [made["assignment"] for name, made in step.calls if name == "review"]
        return all(
            self._judged.count(each) < len(self._numbers(each, view, "Submission of")) for each in judged
        )

    def _beyond(self, view: View) -> ChatAnswer:
        """Answer what the engine asks beyond the recording: read on, accept, finish again."""
        if view.name.startswith("Auditor"):
            return call(*(view.unread or [self._last["verdict"]]))
        if view.name == "Boss" and view.submitted:
            accepted = [("review", {"assignment": each, "verdict": "accept"}) for each in view.submitted]
            return call(*accepted)
        return call(self._last["finish"]) if view.name == "Boss" else say("Done.")

    async def _turn_of(self, number: int) -> None:
        """Wait until the calls recorded before `number` were answered, with patience for each."""
        async with self._moved:
            while before := {n for n in self._all if n < number} - self._answered:
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        await self._moved.wait()
                except TimeoutError:
                    self._answered |= before

    async def reached(self, number: int) -> None:
        """Wait until the call `number` was answered."""
        async with self._moved:
            await self._moved.wait_for(lambda: number in self._answered)

    def _here(self, tool: str, arguments: dict[str, Any], view: View) -> dict[str, Any]:
        """Return the arguments with this run's number of the assignment of the same title."""
        if tool not in ("submit", "review"):
            return arguments
        recorded_as = arguments["assignment"]
        numbers = self._numbers(recorded_as, view, "(?:Assignment|Submission of)")
        return {**arguments, "assignment": numbers[-1] if numbers else recorded_as}

    def _numbers(self, recorded_as: int, view: View, marks: str) -> list[int]:
        """Return this run's numbers of an assignment, as often as the view names it after `marks`."""
        title = re.escape(self._titles.get(recorded_as, "?"))
        return [int(each) for each in re.findall(rf"{marks} #(\d+)[^\n]*?{title}", view.all)]
