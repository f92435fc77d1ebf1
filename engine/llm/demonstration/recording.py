"""The recording: a script of beats, each an answer of one agent with the conditions under which it is given.

Which beat comes next follows from the stored facts of the step alone (pure), never from a position in memory,
so a demonstration goes on after a crash where it was.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.gates import GivenAnswer
from engine.domain.outcomes import Outcome, Ran, Refused
from engine.domain.state import AssignmentFacts, InboxMessage, PastStep, StepFacts

ANSWER_SHOWN = 120
"""Characters of a person's answer that an agent repeats."""

Reply = Literal["open", "o1", "o2", "words", "nobody"]
"""What became of the agent's question: not answered yet, one of its options, words, or no answer in time."""

ENDING = frozenset({"submit", "ask_human", "propose_plan", "finish", "verdict"})
"""Tools that end the turn."""

RunEnd = Literal["well", "failed", "unavailable"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class When(_Record):
    """Conditions of a beat; all that are set must hold.

    `after`: beats that the agent has played. `mine`: the title of an assignment of its own that is open;
    `submitted`: of one it gave that waits for its review. `ran`: how its newest run ended.
    """

    after: tuple[str, ...] = ()
    plan: Literal["", "none", "approved"] = ""
    mine: str = ""
    submitted: str = ""
    answered: tuple[Reply, ...] = ()
    told_by: str = ""
    not_told_by: str = ""
    ran: RunEnd | None = None
    wrap_up: bool = False


class RecordedCall(_Record):
    """A tool call; in its arguments `#Title` stands for an assignment's number, `<name` for a file of the
    recording."""

    name: str
    arguments: dict[str, Any]


class Beat(_Record):
    """One recorded answer. `seconds`: how long it takes to come. `again`: it may be given more than once.
    `waits`: its last call ends the turn unless there is more to play at once."""

    id: str
    agent: str
    seconds: float
    said: str = ""
    when: When = When()
    again: bool = False
    waits: bool = False
    calls: tuple[RecordedCall, ...] = Field((), alias="call")

    @property
    def ends_turn(self) -> bool:
        """Return whether one of its calls always ends the turn."""
        return any(call.name in ENDING for call in self.calls)


class Stuck(_Record):
    """What is said when the recording cannot go on, and by an agent that has no part in it."""

    text: str
    newcomer: str


class Recording(_Record):
    """The whole script; beats in the order in which they are looked through."""

    goal: str
    beats: tuple[Beat, ...] = Field(alias="beat")
    replies: Mapping[str, str]
    idle: Mapping[str, str]
    stuck: Stuck

    def part_of(self, facts: StepFacts) -> str:
        """Return whose part an agent plays: its role's or its name's; "" when it has none."""
        agent = facts.agent
        part = agent.role if agent.role in ("boss", "auditor") else agent.name
        return part if part in self.replies else ""


@dataclass(frozen=True, slots=True)
class NextAnswer:
    """What an agent answers now: beats, or only words; `reply` stands before either. `rests`: the turn ends
    with the last beat."""

    beats: tuple[Beat, ...] = ()
    reply: str = ""
    words: str = ""
    rests: bool = False


@cache
def recording() -> Recording:
    """Return the recording of this package."""
    return Recording.model_validate(tomllib.loads(_text("script.toml")))


@cache
def file_text(name: str) -> str:
    """Return a file that a recorded agent writes."""
    return _text(f"files/{name}")


def _text(path: str) -> str:
    return resources.files("engine.llm.demonstration").joinpath(path).read_text(encoding="utf-8")


def next_answer(script: Recording, facts: StepFacts, answers: Sequence[GivenAnswer]) -> NextAnswer:
    """Return what the agent of this step answers."""
    part = script.part_of(facts)
    if not part:
        return NextAnswer(words=script.stuck.newcomer)
    addressed = any(message.from_kind == "person" and not message.about for message in facts.inbox)
    reply = script.replies[part] if addressed else ""
    if _is_stuck(facts):
        return NextAnswer((), reply, "" if reply else script.stuck.text)
    played = {beat for step in facts.past if not _refusals(step) for beat in step.kept.split()}
    wrapping = any(message.about == "wrap_up" for message in _read(facts))
    mine = [beat for beat in script.beats if beat.agent == part and beat.when.wrap_up == wrapping]
    beats = _playable(mine, played, facts, answers)
    if not beats:
        return NextAnswer((), reply, "" if reply else script.idle[part])
    last = beats[-1]
    rests = last.waits and not _playable(mine, {*played, last.id}, _handled(last, facts), answers)
    return NextAnswer(beats, reply, rests=rests)


def _playable(
    beats: Sequence[Beat], played: set[str], facts: StepFacts, answers: Sequence[GivenAnswer]
) -> tuple[Beat, ...]:
    """Return the beats to play now, of all that may come.

    One that does not end the turn comes first and alone. Those that end it come together, because nothing
    would wake the agent for the second; words alone come last.
    """
    found = [
        beat
        for beat in beats
        if (beat.again or beat.id not in played) and _holds(beat.when, played, facts, answers)
    ]
    going_on = [beat for beat in found if beat.calls and not beat.ends_turn]
    ending = [beat for beat in found if beat.ends_turn]
    return tuple(going_on[:1] or ending or found[:1])


def _handled(beat: Beat, facts: StepFacts) -> StepFacts:
    """Return the facts without the assignments that the beat's calls deal with."""
    titles = {str(call.arguments.get("assignment", ""))[1:] for call in beat.calls}
    return replace(facts, work=tuple(work for work in facts.work if work.title not in titles))


def _holds(when: When, played: set[str], facts: StepFacts, answers: Sequence[GivenAnswer]) -> bool:
    conditions = (
        set(when.after) <= played,
        not when.plan or facts.task.plan_state == when.plan,
        not when.mine or assignment(facts, when.mine, "open") is not None,
        not when.submitted or assignment(facts, when.submitted, "submitted") is not None,
        not when.answered or what_was_answered(answers) in when.answered,
        not when.told_by or _told_by(facts, when.told_by),
        not when.not_told_by or not _told_by(facts, when.not_told_by),
        when.ran is None or _last_run(facts.past) == when.ran,
    )
    return all(conditions)


def assignment(facts: StepFacts, title: str, state: str = "") -> AssignmentFacts | None:
    """Return the agent's assignment of this title: its own when "open", one it gave when "submitted"."""
    for work in facts.work:
        own = work.assignee_id == facts.agent.id
        if work.title == title and (not state or (work.state == state and own == (state == "open"))):
            return work
    return None


def what_was_answered(answers: Sequence[GivenAnswer]) -> Reply:
    """Return what became of the agent's newest question."""
    if not answers or answers[-1].basis is None:
        return "open"
    newest = answers[-1]
    if newest.basis != "person":
        return "nobody"
    return "o2" if newest.choice_id == "o2" else "o1" if newest.choice_id == "o1" else "words"


def _read(facts: StepFacts) -> Iterator[InboxMessage]:
    for step in facts.past:
        yield from step.messages
    yield from facts.inbox


def _told_by(facts: StepFacts, name: str) -> bool:
    """Return whether a colleague sent the agent a message; its plain words, which answer too, are none."""
    sent = (message for message in _read(facts) if message.from_kind == "agent" and message.about != "told")
    return any(message.from_name == name for message in sent)


def _outcomes(step: PastStep) -> list[Outcome | None]:
    return [call.outcome for call in step.calls]


def _last_run(past: Sequence[PastStep]) -> RunEnd | None:
    """Return how the newest run ended, None when nothing was run."""
    for step in reversed(past):
        for outcome in reversed(_outcomes(step)):
            if isinstance(outcome, Ran):
                return "well" if outcome.well else "failed"
            if isinstance(outcome, Refused) and outcome.why == "unavailable":
                return "unavailable"
    return None


def _refusals(step: PastStep) -> list[Refused]:
    """Return the calls of a beat that were refused; that nothing can be run here is part of the script."""
    found = (outcome for outcome in _outcomes(step) if isinstance(outcome, Refused))
    return [refused for refused in found if step.kept and refused.why != "unavailable"]


def _is_stuck(facts: StepFacts) -> bool:
    """Return whether the beat before was refused and nothing new has come in since: it is tried again in the
    next turn."""
    return facts.agent.in_turn and not facts.inbox and bool(facts.past) and bool(_refusals(facts.past[-1]))
