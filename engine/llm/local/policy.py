"""The policy for small models: which tools one is offered, because it cannot choose among all. Pure.

Large models never meet it (`TurnOptions.small`). It follows from what the agent has done, whatever the task
is: divide the goal where that was asked for, write once, run what was written, write a second time when that
failed, stop. What a program is given to read is the model's own choice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.domain.checks import RUNNABLE
from engine.domain.inconclusive import Want
from engine.domain.offer import Offer
from engine.domain.outcomes import Assigned, Joined, Name, Ran, Refused, Reviewed, Unfinished, Wrote
from engine.domain.state import InboxMessage, PastCall, PastStep, StepFacts
from engine.domain.wanted import files_to_make
from engine.llm.local.division import Division, divide
from engine.ports import AgentRole, ToolCall, ToolSpec

SMALL: dict[AgentRole, tuple[str, ...]] = {
    "boss": ("write_file", "run", "read_file", "recruit", "assign", "review", "finish"),
    "head": ("write_file", "run", "read_file", "assign", "review", "submit"),
    "member": ("write_file", "run", "read_file", "submit"),
    "auditor": ("run", "read_file", "list_files", "verdict"),
}
"""The tools of the small profile."""

_NOT_SMALL = frozenset({"lessons", "acceptance", "command", "title"})
"""Optional arguments that a small model fills harmfully: lessons not worth keeping, checks that no work can
pass (`python menu.md`), and titles that repeat the goal's first words, which are there anyway."""

WRITES = 2
"""Times that one file is written before its work goes on as it is: once, and a second time."""

MOST_WRITES = 12
"""Files written of one's own accord, without a name in the goal, before the work ends as it is."""

LOOKS = 3
"""Looks of an auditor before it may also judge; after twice as many it must."""

WARMTH = 0.6
"""Temperature of what is written again: at the first one a small model writes the same again."""


def tools_of(role: AgentRole, specs: Sequence[ToolSpec]) -> tuple[ToolSpec, ...]:
    """Return the tools of a small model of this role, without the arguments that do harm."""
    return tuple(_without_harm(spec) for spec in specs if spec.name in SMALL[role])


def _without_harm(spec: ToolSpec) -> ToolSpec:
    every = spec.parameters.get("properties", {})
    left_out = _NOT_SMALL - set(spec.parameters.get("required", ()))
    properties = {name: kind for name, kind in every.items() if name not in left_out}
    return replace(spec, parameters={**spec.parameters, "properties": properties})


def offer_of(facts: StepFacts) -> Offer:
    """Return the offer for the next step."""
    role = facts.agent.role
    if _a_person_wrote(facts.inbox):
        return Offer((), talk=True)
    if role == "auditor":
        return _auditing(list(calls_of(facts)))
    if role == "boss" and not facts.past and not facts.agent.summary:
        return _opening(facts)
    group = led_by(facts)
    return _leading(facts, group) if group.joined else _making(facts)


def _a_person_wrote(messages: Sequence[InboxMessage]) -> bool:
    return any(message.from_kind == "person" for message in messages)


def calls_of(facts: StepFacts) -> Iterator[PastCall]:
    """Return the agent's calls, oldest first."""
    return (call for step in facts.past for call in step.calls)


# ---------------------------------------------------------------- the first step: alone, or divided


def _opening(facts: StepFacts) -> Offer:
    """Return the boss's first step, which needs no model: it says who does what, and divides the work."""
    task = facts.task
    room = min(task.max_members, task.max_agents - task.agents)
    most = room if facts.agent.depth < task.max_depth else 0
    division = divide(task.goal, most)
    if not division.parts:
        return Offer((), said=_alone(division, most))
    members = [
        {"name": part.name, "role": part.title, "instructions": part.details} for part in division.parts
    ]
    works = [{"to": part.name, "title": part.title, "details": part.details} for part in division.parts]
    calls = (
        _call(0, "recruit", {"members": members}),
        *(_call(n, "assign", w) for n, w in enumerate(works, 1)),
    )
    who = "\n".join(f"- {part.name}: {part.title}" for part in division.parts)
    return Offer((), said=f"I divide this as you wrote it:\n{who}", calls=calls)


def _alone(division: Division, most: int) -> str:
    if not division.asked:
        return "I work on this alone: the goal asks for one piece of work."
    if most < 2:
        return "You ask for several agents, but this task may have no more, so I work on it alone."
    return (
        "You ask for several agents, but I do not see how to divide this goal, so I work on it alone. A line "
        "for each part, with the file that it makes, is divided."
    )


def _call(number: int, name: str, arguments: Mapping[str, object]) -> ToolCall:
    return ToolCall(f"opening{number}", name, json.dumps(arguments, ensure_ascii=False))


# ---------------------------------------------------------------- leading a group


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
    if _has_to_wrap_up(facts):
        return Offer((_end_of(facts),))
    if not group.shared_out:
        idle = next((name for name in group.joined if name not in group.given), "")
        return Offer(
            ("assign",), hint=f"Now give {idle} its part of the work with assign, and no other part."
        )
    if group.pending:
        return Offer(("review", "read_file"))
    if group.rests:
        return Offer(SMALL[facts.agent.role], talk=True)
    return _sent_back(facts) or _after_the_work(facts)


def _has_to_wrap_up(facts: StepFacts) -> bool:
    return any(message.about == "wrap_up" for message in facts.inbox)


def _end_of(facts: StepFacts) -> str:
    return "finish" if facts.agent.role == "boss" else "submit"


# ---------------------------------------------------------------- making files


@dataclass(frozen=True, slots=True)
class _Write:
    """One write of a file: in which step, and the call's arguments, which hold the whole file."""

    step: int
    path: str
    arguments: str


def _writes(facts: StepFacts) -> list[_Write]:
    return [
        _Write(step.step, call.outcome.path, call.arguments)
        for step in facts.past
        for call in step.calls
        if isinstance(call.outcome, Wrote)
    ]


def _making(facts: StepFacts) -> Offer:
    if _has_to_wrap_up(facts):
        return Offer((_end_of(facts),))
    writes = _writes(facts)
    if not writes:
        return _next_file(facts, writes) or _first_file(facts)
    return _sent_back(facts) or _after_a_write(facts, writes)


def _after_a_write(facts: StepFacts, writes: Sequence[_Write]) -> Offer:
    last = writes[-1]
    if last in _repeated(writes):
        return _after_the_work(facts)  # the same text again: nothing more comes of it
    tried = [call for call in _calls_after_last_write(facts) if call.name == "run"]
    if last.path.endswith(RUNNABLE) and not tried:
        return Offer(("run",), hint=_how_to_run(last.path))
    if len(tried) == 1 and _lack(tried[0]) == "command":
        return Offer(("run",), hint=f'Now run it with python: ["python", "{last.path}"].')
    if tried and _failed(facts, tried[-1]) and _times(writes, last.path) < WRITES:
        return replace(
            _again(writes, last.path, f"{last.path} failed when it ran. Write it anew, whole."),
            brief=_brief_of(facts),
        )
    return _next_file(facts, writes) or _more_or_end(facts, writes)


def _how_to_run(path: str) -> str:
    name = path.rpartition("/")[2]
    if name.endswith(".py") and (name.startswith("test") or name.endswith("_test.py")):
        return (
            f'Now run it: ["python", "-m", "pytest", "{path}"].'  # named: pytest finds no tests.py by itself
        )
    return f"Now run {path}."


def _first_file(facts: StepFacts) -> Offer:
    if facts.agent.role == "boss":
        return Offer(
            ("write_file", "finish"), hint="Now make what the goal asks for.", brief=_brief_of(facts)
        )
    return Offer(("write_file", "read_file"), brief=_brief_of(facts))


def _next_file(facts: StepFacts, writes: Sequence[_Write]) -> Offer | None:
    """Return the offer to write the next file that the goal, or the agent's assignment, names."""
    there = {write.path.rpartition("/")[2].lower() for write in writes}
    for path in files_to_make(_asked(facts)):
        if path.rpartition("/")[2].lower() not in there:
            if len(writes) >= MOST_WRITES:
                return None
            return Offer(("write_file",), hint=f"Now write {path}.", brief=_brief_of(facts))
    return None


def _brief_of(facts: StepFacts, more: str = "") -> str:
    """Return what a file is written from: the exact words of what is asked for. "" once a person said
    something about it, or it was handed in: that stands in the conversation."""
    heard = any(_a_person_wrote(step.messages) for step in facts.past)
    handed_in = any(
        call.name == _end_of(facts) and not isinstance(call.outcome, Unfinished | Refused)
        for call in calls_of(facts)
    )
    return "" if heard or handed_in else f"{_asked(facts)}\n\n{more}".strip()


def _asked(facts: StepFacts) -> str:
    """Return what is asked for: the agent's open assignments, else the goal."""
    own = [work for work in facts.work if work.assignee_id == facts.agent.id and work.state == "open"]
    return " \n".join(f"{work.title}\n{work.details}" for work in own) or facts.task.goal


def _more_or_end(facts: StepFacts, writes: Sequence[_Write]) -> Offer:
    """Return the offer to end; where the goal names no file, a text may be followed by another."""
    last = writes[-1].path
    if not last.endswith(RUNNABLE) and not files_to_make(facts.task.goal) and len(writes) < MOST_WRITES:
        offer = _after_the_work(facts)
        return replace(offer, names=("write_file", *(name for name in offer.names if name != "write_file")))
    return _after_the_work(facts)


def _repeated(writes: Sequence[_Write]) -> list[_Write]:
    """Return the writes whose file had been written before with the very same text."""
    seen: set[str] = set()
    again = []
    for write in writes:
        if write.arguments in seen:
            again.append(write)
        seen.add(write.arguments)
    return again


def _times(writes: Sequence[_Write], path: str) -> int:
    return sum(write.path == path for write in writes)


def _again(writes: Sequence[_Write], path: str, hint: str) -> Offer:
    first = next((write.step for write in writes if write.path == path), None)
    return Offer(("write_file",), hint=hint, before=first, warmth=WARMTH)


def _lack(call: PastCall) -> Want:
    return call.outcome.lack if isinstance(call.outcome, Ran) else ""


def _failed(facts: StepFacts, call: PastCall) -> bool:
    """Return whether a program was run and broke by a fault of its own.

    Want of input, arguments or a file that somebody else has to give is none; a file that neither the task
    nor the command names is the program's own invention.
    """
    if not isinstance(call.outcome, Ran) or call.outcome.well:
        return False
    if call.outcome.lack == "file":
        name = call.outcome.lacked.rpartition("/")[2]
        return name not in f"{_asked(facts)}\n{call.arguments}"
    return not call.outcome.lack


def _calls_after_last_write(facts: StepFacts) -> list[PastCall]:
    calls = list(calls_of(facts))
    last = max(number for number, call in enumerate(calls) if isinstance(call.outcome, Wrote))
    return calls[last + 1 :]


def _sent_back(facts: StepFacts) -> Offer | None:
    """Return the offer to repair what the last step's `finish` was refused for; None when it was not."""
    for call in facts.past[-1].calls:
        if isinstance(call.outcome, Unfinished):
            writes = _writes(facts)
            path = next((path for path in call.outcome.paths if _times(writes, path)), "")
            return replace(_again(writes, path, call.result), brief=_brief_of(facts, call.result))
    return None


def _after_the_work(facts: StepFacts) -> Offer:
    """Offer to submit, unless a person or the reviewer has asked for something since."""
    end = _end_of(facts)
    since = list(_since_last_mark(facts))
    calls = [call for step in since for call in step.calls if call.name == end]
    handed_in = any(not isinstance(call.outcome, Unfinished | Refused) for call in calls)
    if handed_in and facts.inbox:
        return Offer(("write_file",))
    asked = any(_a_person_wrote(step.messages) for step in since)
    return Offer(("write_file", end), talk=handed_in) if asked else Offer((end,))


def _since_last_mark(facts: StepFacts) -> Iterator[PastStep]:
    """Return the steps after the last one that wrote or ran something."""
    marked = [
        number
        for number, step in enumerate(facts.past)
        if any(isinstance(call.outcome, Wrote | Ran) for call in step.calls)
    ]
    return iter(facts.past[marked[-1] + 1 :] if marked else facts.past)


# ---------------------------------------------------------------- judging


def _auditing(calls: list[PastCall]) -> Offer:
    if not calls:
        return Offer(("list_files",))
    if any(isinstance(call.outcome, Ran) for call in calls) or len(calls) >= LOOKS * 2:
        return Offer(("verdict",))
    if len(calls) >= LOOKS:
        return Offer(("run", "read_file", "verdict"))
    return Offer(("run", "read_file"))
