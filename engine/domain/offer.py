"""Which tools fit at this moment, for a model too small to choose among all of them, pure.

What is offered follows from what the agent has done, whatever the task is: nothing can be run before a file
is written, what was written is run before anything is claimed of it, what failed is written again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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
_HANDED_IN = re.compile(r"^Submission of #(\d+)", re.M)
_ASSIGNED = re.compile(r"Assignment #\S+ given to (.+)\.")
_REVIEWED = re.compile(r"Assignment #(\d+) (accepted|rejected)")
RUNNABLE = (".py", ".js", ".sh")
MORE_INPUT = "EOFError: EOF when reading a line"
"""How a Python program ends that asks on when everything typed in was read: no fault of its own."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Names of tools, and whether words alone fit. No name: words alone, and then the turn goes on. `hint` is
    what the model is told to do now."""

    names: tuple[str, ...]
    talk: bool = False
    hint: str = ""


def offer_of(scene: Scene) -> Offer:
    """What fits now."""
    role = scene.agent.role
    if any(letter.from_kind == "person" for letter in scene.inbox):
        return Offer((), talk=True)
    if role == "auditor":
        return _auditing(list(calls_of(scene)))
    calls = list(calls_of(scene))
    led = led_by(scene)
    return _leading(scene, led) if led.joined else _making(scene, calls)


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


@dataclass(frozen=True, slots=True)
class Led:
    """A small organisation as its head's own calls and mail tell of it: who `joined`, who got work
    (`given`, in `assigned` assignments), which of them wait for a look (`pending`) or are `accepted`."""

    joined: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()
    assigned: int = 0
    pending: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()

    @property
    def shared_out(self) -> bool:
        """Whether every member has work; one that is left out twice is left out."""
        return self.given.issuperset(self.joined) or self.assigned > len(self.joined) + 1

    @property
    def rests(self) -> bool:
        """Whether there is nothing to do until somebody hands in."""
        return (
            bool(self.joined) and self.shared_out and not self.pending and len(self.accepted) < self.assigned
        )


def led_by(scene: Scene, newest: Sequence[PastCall] = ()) -> Led:
    """What the agent leads, with the `newest` calls of the step under way."""
    mail = "\n".join(letter.text for letter in scene.inbox)
    led = Led()
    for text, calls in [*((step.input, step.calls) for step in scene.past), (mail, newest)]:
        led = replace(led, pending=led.pending.union(_HANDED_IN.findall(text)))
        for call in calls:
            led = _after_call(led, call)
    return led


def _after_call(led: Led, call: PastCall) -> Led:
    if call.name == "recruit" and call.result.startswith("Joined"):
        names = call.result.partition(". Now assign")[0].partition(": ")[2]
        return replace(led, joined=(*led.joined, *names.split(", ")))
    if call.name == "assign" and (made := _ASSIGNED.match(call.result)):
        return replace(led, assigned=led.assigned + 1, given=led.given | {made.group(1)})
    if call.name == "review" and (seen := _REVIEWED.match(call.result)):
        accepted = {seen.group(1)} if seen.group(2) == "accepted" else set()
        return replace(led, pending=led.pending - {seen.group(1)}, accepted=led.accepted | accepted)
    return led


def _leading(scene: Scene, led: Led) -> Offer:
    end = "finish" if scene.agent.role == "boss" else "submit"
    if any(letter.from_kind == "system" and letter.priority == 0 for letter in scene.inbox):
        return Offer((end,))
    if not led.shared_out:
        idle = next((name for name in led.joined if name not in led.given), "")
        return Offer(
            ("assign",), hint=f"Now give {idle} its part of the work with assign, and no other part."
        )
    if led.pending:
        return Offer(("review", "read_file"))
    if led.rests:
        return Offer(SMALL[scene.agent.role], talk=True)
    return _after_a_good_run(scene, end)


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
        runs = any(suffix in last.arguments for suffix in RUNNABLE)
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
    return iter(scene.past[marked[-1] + 1 :] if marked else scene.past)


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
