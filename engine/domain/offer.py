"""Tools offered to a small model at this moment, because it cannot choose among all of them. Pure.

The offer follows from what the agent has done, whatever the task is: write before running, run before
reporting, write again after a failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine.domain.checks import RUNNABLE
from engine.domain.outcomes import Assigned, Joined, Name, Ran, Reviewed, Wrote
from engine.domain.state import InboxMessage, PastCall, PastStep, StepFacts
from engine.ports import AgentRole

SMALL: dict[AgentRole, tuple[str, ...]] = {
    "boss": ("write_file", "run", "read_file", "recruit", "assign", "review", "finish"),
    "head": ("write_file", "run", "read_file", "assign", "review", "submit"),
    "member": ("write_file", "run", "read_file", "submit"),
    "auditor": ("run", "read_file", "list_files", "verdict"),
}
"""The tools of the small profile."""

SCALE = 400
"""Characters of a goal from which a small model's boss may recruit: one agent does shorter ones better."""

PATIENCE = 3
"""Failed runs after which the work may be submitted as it is, with what was observed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Names of tools, and whether an answer in text only is allowed. No name: text only, after which the turn
    continues. `hint`: what the model should do now."""

    names: tuple[str, ...]
    talk: bool = False
    hint: str = ""


def offer_of(facts: StepFacts) -> Offer:
    """Return the offer for the next step."""
    role = facts.agent.role
    if _a_person_wrote(facts.inbox):
        return Offer((), talk=True)
    if role == "auditor":
        return _auditing(list(calls_of(facts)))
    calls = list(calls_of(facts))
    group = led_by(facts)
    return _leading(facts, group) if group.joined else _making(facts, calls)


def _a_person_wrote(messages: Sequence[InboxMessage]) -> bool:
    return any(message.from_kind == "person" for message in messages)


def calls_of(facts: StepFacts) -> Iterator[PastCall]:
    """Return the agent's calls, oldest first."""
    return (call for step in facts.past for call in step.calls)


def ran(call: PastCall) -> bool:
    """Return whether a program was really run, with whatever result."""
    return isinstance(call.outcome, Ran)


def ran_well(call: PastCall) -> bool:
    """Return whether a program succeeded or only asked for more input."""
    return isinstance(call.outcome, Ran) and call.outcome.well


def _wrote(call: PastCall) -> bool:
    return isinstance(call.outcome, Wrote)


@dataclass(frozen=True, slots=True)
class LedGroup:
    """A group as its head's own calls and messages describe it: members that `joined`, those with work
    (`given`, in `assigned` assignments), and assignments that are `pending` review or `accepted`."""

    joined: tuple[Name, ...] = ()
    given: frozenset[Name] = frozenset()
    assigned: int = 0
    pending: frozenset[int] = frozenset()
    accepted: frozenset[int] = frozenset()

    @property
    def shared_out(self) -> bool:
        """Return whether every member has work; a member passed over twice stays without."""
        return self.given.issuperset(self.joined) or self.assigned > len(self.joined) + 1

    @property
    def rests(self) -> bool:
        """Return whether there is nothing to do until a member submits."""
        return (
            bool(self.joined) and self.shared_out and not self.pending and len(self.accepted) < self.assigned
        )


def led_by(facts: StepFacts, newest: Sequence[PastCall] = ()) -> LedGroup:
    """Return the group that the agent leads, including the `newest` calls of the current step."""
    group = LedGroup()
    for messages, calls in [*((step.messages, step.calls) for step in facts.past), (facts.inbox, newest)]:
        handed_in = {m.about_id for m in messages if m.about == "submission" and m.about_id is not None}
        group = replace(group, pending=group.pending | handed_in)
        for call in calls:
            group = _after_call(group, call)
    return group


def _after_call(group: LedGroup, call: PastCall) -> LedGroup:
    match call.outcome:
        case Joined(names):
            return replace(group, joined=(*group.joined, *names))
        case Assigned(to=to):
            return replace(group, assigned=group.assigned + 1, given=group.given | {to})
        case Reviewed(number, accepted):
            newly = {number} if accepted else set()
            return replace(group, pending=group.pending - {number}, accepted=group.accepted | newly)
    return group


def _leading(facts: StepFacts, group: LedGroup) -> Offer:
    end = "finish" if facts.agent.role == "boss" else "submit"
    if any(message.about == "wrap_up" for message in facts.inbox):
        return Offer((end,))
    if not group.shared_out:
        idle = next((name for name in group.joined if name not in group.given), "")
        return Offer(
            ("assign",), hint=f"Now give {idle} its part of the work with assign, and no other part."
        )
    if group.pending:
        return Offer(("review", "read_file"))
    if group.rests:
        return Offer(SMALL[facts.agent.role], talk=True)
    return _after_a_good_run(facts, end)


def _making(facts: StepFacts, calls: list[PastCall]) -> Offer:
    end = "finish" if facts.agent.role == "boss" else "submit"
    if any(message.about == "wrap_up" for message in facts.inbox):
        return Offer((end,))
    marks = [call for call in calls if _wrote(call) or ran(call)]
    if not any(_wrote(call) for call in marks):
        first = ("write_file", "recruit") if _is_large(facts) else ("write_file",)
        return Offer((*first, end) if facts.agent.role == "boss" else ("write_file", "read_file"))
    last = marks[-1]
    if isinstance(last.outcome, Wrote):
        runs = last.outcome.path.endswith(RUNNABLE)
        return Offer(("run",) if runs else ("write_file", end))
    if ran_well(last):
        return _after_a_good_run(facts, end)
    failed = sum(ran(call) and not ran_well(call) for call in marks)
    return Offer(("write_file", end) if failed >= PATIENCE else ("write_file",))


def _after_a_good_run(facts: StepFacts, end: str) -> Offer:
    """Offer to submit, unless a person or the reviewer has asked for something since."""
    since = list(_since_last_mark(facts))
    handed_in = any(call.name == end for step in since for call in step.calls)
    if handed_in and facts.inbox:
        return Offer(("write_file",))
    asked = any(_a_person_wrote(step.messages) for step in since)
    return Offer(("write_file", end), talk=handed_in) if asked else Offer((end,))


def _since_last_mark(facts: StepFacts) -> Iterator[PastStep]:
    """Return the steps after the last one that wrote or ran something."""
    marked = [n for n, step in enumerate(facts.past) if any(_wrote(c) or ran(c) for c in step.calls)]
    return iter(facts.past[marked[-1] + 1 :] if marked else facts.past)


def _is_large(facts: StepFacts) -> bool:
    return facts.agent.role == "boss" and len(facts.task.goal) > SCALE


def _auditing(calls: list[PastCall]) -> Offer:
    if not calls:
        return Offer(("list_files",))
    if any(ran(call) for call in calls) or len(calls) >= PATIENCE * 2:
        return Offer(("verdict",))
    if len(calls) >= PATIENCE:
        return Offer(("run", "read_file", "verdict"))
    return Offer(("run", "read_file"))
