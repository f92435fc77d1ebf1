"""Which words of an answer people are shown. Pure; no words are read, only what the step and the turn did.

- A person wrote in this turn: shown, unless a call of the same answer says it to the people.
- A colleague's question is open that the agent read in this turn, the words end the turn, and nobody else is
  addressed: they are the answer. They go to who asked, and are shown as said to them.
- The answer has no call, and the agent waits for something that the store knows and that will wake it: the
  words only end the turn. They are noted (the log and *Inspect* have them), unless they are long.
- A call of an answer that ends the turn is itself words (a message, a question, a report): not shown twice.
- Everything else is shown. Words for the people at any time are a call: send_message to "human".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from engine.domain.outcomes import Outcome, Refused
from engine.domain.state import InboxMessage, PastStep, StepFacts

Voice = Literal["aloud", "parting", "kept"]
"""How words are used: shown; noted only, if the agent waits; kept in the transcript only."""

LONGEST_PARTING = 200
"""Characters above which words tell more than that somebody waits, and are shown in any case."""

LOOKS = frozenset({"list_files", "read_file", "search_files", "diff", "recall", "wait_for", "nothing"})
"""Calls after which a person has neither an answer nor an effect."""

PLANS = frozenset({"update_todo", "remember"})
"""Calls that say what the agent means to do."""


class MadeCall(Protocol):
    """A call of a step, committed or about to be."""

    @property
    def name(self) -> str:
        """Return the name of its tool."""

    @property
    def outcome(self) -> Outcome | None:
        """Return what came of it, where that is known."""


def acts(said: str, calls: Iterable[MadeCall], *, cut_short: bool = False) -> bool:
    """Return whether a step holds an answer to people, or had an effect. `cut_short`: its turn did not end by
    itself, so that what it only meant to do is none."""
    none = LOOKS | PLANS if cut_short else LOOKS
    return bool(said.strip()) or any(
        call.name not in none and not isinstance(call.outcome, Refused) for call in calls
    )


def turn_so_far(facts: StepFacts) -> tuple[PastStep, ...]:
    """Return the earlier steps of the agent's turn that are not summarised."""
    return facts.past[-facts.agent.turn_steps :] if facts.agent.turn_steps else ()


def of_people(message: InboxMessage) -> bool:
    """Return whether a message is a person's words, or a person's answer to a gate."""
    return message.from_kind == "person" or message.about == "answer"


def people_wrote(facts: StepFacts) -> bool:
    """Return whether the agent read words of a person in this turn; True also where that was summarised."""
    turn = turn_so_far(facts)
    read = [*facts.inbox, *(message for step in turn for message in step.messages)]
    summarised = facts.agent.turn_steps > len(turn)
    return summarised or any(of_people(message) for message in read)


def voice_of(
    facts: StepFacts, text: str, *, calls: bool, ends_turn: bool, talks: bool, to_people: bool
) -> Voice:
    """Return how an answer's words are used.

    `calls`: it has any; `ends_turn`: one of them ends the turn; `talks`: one of them is words to anybody,
    `to_people`: to the people.
    """
    if people_wrote(facts):
        return "kept" if ends_turn and to_people else "aloud"
    if calls:
        return "kept" if ends_turn and talks else "aloud"
    return "parting" if len(text.strip()) <= LONGEST_PARTING else "aloud"


def colleagues_asked(facts: StepFacts) -> bool:
    """Return whether the agent read a colleague's question in this turn; True also where that was
    summarised."""
    turn = turn_so_far(facts)
    read = [*facts.inbox, *(message for step in turn for message in step.messages)]
    return facts.agent.turn_steps > len(turn) or any(is_question(message) for message in read)


def is_question(message: InboxMessage) -> bool:
    """Return whether a colleague sent a message that is to be answered."""
    return message.from_kind == "agent" and message.wakes and message.about != "told"


def gave_open_work(facts: StepFacts) -> bool:
    """Return whether others work on something that the agent gave; their submission wakes it."""
    return any(work.giver_id == facts.agent.id and work.state == "open" for work in facts.work)


def may_fall_silent(facts: StepFacts) -> bool:
    """Return whether an answer without words and calls ends the turn as well as words would: its last step
    went well, nobody waits for words of the agent, and what it has to do is with others."""
    turn = turn_so_far(facts)
    if not turn or facts.inbox or facts.agent.role == "auditor" or unanswered_people(facts):
        return False
    made = turn[-1].calls
    if not made or any(isinstance(call.outcome, Refused) for call in made):
        return False
    mine = any(work.assignee_id == facts.agent.id and work.state == "open" for work in facts.work)
    return gave_open_work(facts) if mine or facts.agent.role == "boss" else True


def unanswered_people(facts: StepFacts) -> tuple[str, ...]:
    """Return who wrote to the agent in this turn and had neither an answer nor an effect before this step."""
    asked: dict[str, None] = {}
    for step in turn_so_far(facts):
        asked.update(_people(step.messages))
        if acts(step.said, step.calls):
            asked.clear()
    asked.update(_people(facts.inbox))
    return tuple(asked)


def _people(messages: Iterable[InboxMessage]) -> dict[str, None]:
    return {m.from_name: None for m in messages if m.from_kind == "person" and m.about != "said"}
