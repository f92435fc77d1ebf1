"""Which tools fit at this moment, for a model too small to choose among all of them, pure.

What is offered follows from what the agent has done, whatever the task is: nothing can be run before a file
is written, what was written is run before anything is claimed of it, what failed is written again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.domain.state import PERSON, PastCall, PastStep, Scene
from engine.ports import AgentRole

SMALL: dict[AgentRole, tuple[str, ...]] = {
    "boss": ("write_file", "run", "read_file", "recruit", "assign", "review", "finish"),
    "head": ("write_file", "run", "read_file", "assign", "review", "submit"),
    "member": ("write_file", "run", "read_file", "submit"),
    "auditor": ("run", "read_file", "list_files", "verdict"),
}
"""The tools of the small profile."""

SCALE = 400
"""Characters of a goal from which a small model's boss may recruit: shorter ones one agent does better."""

PATIENCE = 3
"""Failed runs after which it may be handed in as it is, with what was seen."""

_WRITES = ("write_file", "edit_file")
_RUNNABLE = (".py", ".js", ".sh")
MORE_INPUT = "EOFError: EOF when reading a line"
"""How a Python program ends that asks on when everything typed in was read: no fault of its own."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Names of tools, and whether words alone fit. No name: words alone, and then the turn goes on."""

    names: tuple[str, ...]
    talk: bool = False


def offer_of(scene: Scene) -> Offer:
    """What fits now."""
    role = scene.agent.role
    if any(letter.from_kind == "person" for letter in scene.inbox):
        return Offer((), talk=True)
    if role == "auditor":
        return _auditing(list(calls_of(scene)))
    calls = list(calls_of(scene))
    if role == "head" or any(call.result.startswith("Joined") for call in calls):
        return Offer(SMALL[role], talk=True)
    return _making(scene, calls)


def calls_of(scene: Scene) -> Iterator[PastCall]:
    """The agent's calls, oldest first."""
    return (call for step in scene.past for call in step.calls)


def ran(call: PastCall) -> bool:
    """Whether a program really ran (whatever came of it)."""
    return call.name == "run" and call.result.startswith(("exit code", "stopped:"))


def ran_well(call: PastCall) -> bool:
    """Whether it ended well, or only asked on when all input was read."""
    return ran(call) and (call.result.startswith("exit code 0") or MORE_INPUT in call.result)


def _wrote(call: PastCall) -> bool:
    return call.name in _WRITES and "revision" in call.result and "Read it first" not in call.result


def _making(scene: Scene, calls: list[PastCall]) -> Offer:
    end = "finish" if scene.agent.role == "boss" else "submit"
    if any(letter.from_kind == "system" and letter.priority == 0 for letter in scene.inbox):
        return Offer((end,))
    marks = [call for call in calls if _wrote(call) or ran(call)]
    if not any(_wrote(call) for call in marks):
        first = ("write_file", "recruit") if _is_large(scene) else ("write_file",)
        return Offer((*first, end) if scene.agent.role == "boss" else ("write_file", "read_file"))
    last = marks[-1]
    if _wrote(last):
        runs = any(suffix in last.arguments for suffix in _RUNNABLE)
        return Offer(("run",) if runs else ("write_file", end))
    if ran_well(last):
        return _after_a_good_run(scene, end)
    failed = sum(ran(call) and not ran_well(call) for call in marks)
    return Offer(("write_file", end) if failed >= PATIENCE else ("write_file",))


def _after_a_good_run(scene: Scene, end: str) -> Offer:
    """It is handed in, unless a person or the one it was handed to has asked for something since."""
    since = list(_since_last_mark(scene))
    handed_in = any(call.name == end for step in since for call in step.calls)
    if handed_in and scene.inbox:
        return Offer(("write_file",))
    asked = any(PERSON in step.input for step in since)
    return Offer(("write_file", end), talk=handed_in) if asked else Offer((end,))


def _since_last_mark(scene: Scene) -> Iterator[PastStep]:
    """Steps after the last one that wrote or ran something."""
    marked = [n for n, step in enumerate(scene.past) if any(_wrote(c) or ran(c) for c in step.calls)]
    return iter(scene.past[marked[-1] + 1 :])


def _is_large(scene: Scene) -> bool:
    return scene.agent.role == "boss" and len(scene.task.goal) > SCALE


def _auditing(calls: list[PastCall]) -> Offer:
    if not calls:
        return Offer(("list_files",))
    if any(ran(call) for call in calls) or len(calls) >= PATIENCE * 2:
        return Offer(("verdict",))
    if len(calls) >= PATIENCE:
        return Offer(("run", "read_file", "verdict"))
    return Offer(("run", "read_file"))
