"""Which tools fit at this moment, for a model too small to choose among all of them, pure.

What is offered follows from what the agent has done, whatever the task is: nothing can be run before a file
is written, what was written is run before anything is claimed of it, what failed is written again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine.domain.checks import RUNNABLE
from engine.domain.outcomes import Assigned, Joined, Name, Ran, Reviewed, Wrote
from engine.domain.state import Message, PastCall, PastStep, Scene
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
    if _a_person_wrote(scene.inbox):
        return Offer((), talk=True)
    if role == "auditor":
        return _auditing(list(calls_of(scene)))
    calls = list(calls_of(scene))
    led = led_by(scene)
    return _leading(scene, led) if led.joined else _making(scene, calls)


def _a_person_wrote(messages: Sequence[Message]) -> bool:
    return any(message.from_kind == "person" for message in messages)


def calls_of(scene: Scene) -> Iterator[PastCall]:
    """The agent's calls, oldest first."""
    return (call for step in scene.past for call in step.calls)


def ran(call: PastCall) -> bool:
    """Whether a program really ran (whatever came of it)."""
    return isinstance(call.outcome, Ran)


def ran_well(call: PastCall) -> bool:
    """Whether it ended well, or only asked on when all input was read."""
    return isinstance(call.outcome, Ran) and call.outcome.well


def _wrote(call: PastCall) -> bool:
    return isinstance(call.outcome, Wrote)


@dataclass(frozen=True, slots=True)
class Led:
    """A small organisation as its head's own calls and mail tell of it: who `joined`, who got work
    (`given`, in `assigned` assignments), which of them wait for a look (`pending`) or are `accepted`."""

    joined: tuple[Name, ...] = ()
    given: frozenset[Name] = frozenset()
    assigned: int = 0
    pending: frozenset[int] = frozenset()
    accepted: frozenset[int] = frozenset()

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
    led = Led()
    for messages, calls in [*((step.messages, step.calls) for step in scene.past), (scene.inbox, newest)]:
        handed_in = {m.about_id for m in messages if m.about == "submission" and m.about_id is not None}
        led = replace(led, pending=led.pending | handed_in)
        for call in calls:
            led = _after_call(led, call)
    return led


def _after_call(led: Led, call: PastCall) -> Led:
    match call.outcome:
        case Joined(names):
            return replace(led, joined=(*led.joined, *names))
        case Assigned(to=to):
            return replace(led, assigned=led.assigned + 1, given=led.given | {to})
        case Reviewed(number, accepted):
            newly = {number} if accepted else set()
            return replace(led, pending=led.pending - {number}, accepted=led.accepted | newly)
    return led


def _leading(scene: Scene, led: Led) -> Offer:
    end = "finish" if scene.agent.role == "boss" else "submit"
    if any(message.about == "wrap_up" for message in scene.inbox):
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
    if any(message.about == "wrap_up" for message in scene.inbox):
        return Offer((end,))
    marks = [call for call in calls if _wrote(call) or ran(call)]
    if not any(_wrote(call) for call in marks):
        first = ("write_file", "recruit") if _is_large(scene) else ("write_file",)
        return Offer((*first, end) if scene.agent.role == "boss" else ("write_file", "read_file"))
    last = marks[-1]
    if isinstance(last.outcome, Wrote):
        runs = last.outcome.path.endswith(RUNNABLE)
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
    asked = any(_a_person_wrote(step.messages) for step in since)
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
