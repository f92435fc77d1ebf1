"""What becomes of an answer's words: shown, noted where the agent only waits, given to a colleague who asked.

By `engine.domain.speech`: only facts of the store decide, never what the words say.
"""

from __future__ import annotations

from sqlalchemy import Connection

from engine.domain.effects import Finish, Notice, RaiseGate, SendMessage, StepOutcome, Verdict
from engine.domain.speech import colleagues_asked, gave_open_work, unanswered_people
from engine.domain.state import Turn
from engine.events import AgentSpoke, RemarkNoted
from engine.lifecycle.agents import clear_refusal
from engine.lifecycle.waits import end_wait_for_answer
from engine.steps.unit_of_work import UnitOfWork
from engine.store.messages import asked_in_turn, owing_answers
from engine.store.prepared import FetchedRow

_ADDRESSES = (SendMessage, RaiseGate, Finish, Verdict, Notice)
"""Effects with which a step speaks to somebody, or the engine ends its turn."""


def askers_of_words(connection: Connection, turn: Turn, outcome: StepOutcome) -> tuple[FetchedRow, ...]:
    """Return the colleagues whose open question of this turn the answer's words may answer."""
    said = outcome.ends_turn and outcome.voice != "kept" and outcome.said.strip()
    if not said or any(isinstance(effect, _ADDRESSES) for effect in outcome.effects):
        return ()
    facts = turn.facts
    if not colleagues_asked(facts) or unanswered_people(facts):
        return ()
    number = facts.agent.turn + (0 if facts.agent.in_turn else 1)
    newest = max((message.id for message in facts.inbox), default=0)
    return tuple(asked_in_turn(connection, facts.task.id, facts.agent.id, number, newest))


def speak(unit: UnitOfWork, outcome: StepOutcome, *, waits: bool) -> None:
    """Emit the answer's text as the agent's words, or as noted where the agent only waits; give it to who
    asked. `waits`: the agent waits for a file, an assignment or answers.

    `refs` of the event are the people's messages that it answers.
    """
    if not outcome.said.strip() or outcome.voice == "kept":
        return
    agent = unit.agent
    there = {row.id: row for row in unit.taken if row.status != "dismissed"}
    askers = tuple(asker for asker in unit.askers if asker.id in there)
    if outcome.voice == "parting":
        owing = owing_answers(unit.connection, unit.task_id, agent.id)
        askers = tuple(asker for asker in askers if not _in_circle(unit, owing, asker.id))
        if not askers and (waits or owing or gave_open_work(unit.turn.facts)):
            unit.event(RemarkNoted(unit.task_id, unit.own_group, agent.id, agent.name, outcome.said))
            return
    refs = tuple(message.ref for message in unit.turn.facts.inbox if message.ref)
    unit.answered = frozenset(refs)
    for asker in askers:
        _give(unit, asker, there[asker.id], outcome.said)
    names = tuple(asker.name for asker in askers)
    unit.event(
        AgentSpoke(
            unit.task_id,
            _place(unit, askers),
            agent.id,
            agent.name,
            names,
            outcome.said,
            refs,
            unit.sources,
        )
    )


def _in_circle(unit: UnitOfWork, owing: set[int], asker: int) -> bool:
    """Return whether the agent waits, by way of others, for the one that asks it: then a few words only say
    that it waits, and the circle is named to all of them."""
    seen, edge = {unit.agent.id}, owing - {asker}
    while edge:
        seen |= edge
        edge = {each for one in edge for each in owing_answers(unit.connection, unit.task_id, one)} - seen
    return asker in seen


def _give(unit: UnitOfWork, asker: FetchedRow, locked: FetchedRow, said: str) -> None:
    """Put the words into the inbox of who asked. It is woken if it waits for them, or nothing else wakes it;
    who asked several, by the last answer."""
    if locked.refused:
        clear_refusal(unit.connection, asker.id)
    waits = end_wait_for_answer(unit.connection, asker.id, unit.agent.id) if locked.waits else "none"
    wakes = waits == "last" or (waits == "none" and bool(asker.needs) and bool(asker.stands))
    unit.add_message(asker.id, said, wakes=wakes, about=("told", None))


def _place(unit: UnitOfWork, askers: tuple[FetchedRow, ...]) -> int:
    """Return the group that sees the words: the one that the agent leads, if all who asked are in it."""
    led = unit.leads is not None and bool(askers) and all(each.group_id == unit.leads for each in askers)
    return unit.leads if unit.leads is not None and led else unit.own_group
