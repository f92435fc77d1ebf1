"""Pings to followers: everyone who follows is mentioned, and the line says what happened."""

from __future__ import annotations

import pytest

from bot.features.tasks.log_lines import log_line
from bot.notifications.followers import Followers, pings
from engine.domain.gates import GateKind
from engine.events import Audited, Event, EventBody, GateRaised


def told(body: EventBody, followers: Followers, owner: int = 0) -> list[tuple[str, tuple[int, ...]]]:
    """The texts of the pings of an event, each with whom it mentions."""
    posts = pings(Event(9, 0.0, body), 4, owner, lambda _task: followers)
    return [(post.text, post.pings) for post in posts]


def gate(kind: GateKind = "question", name: str = "Nora", question: str = "Which wood?") -> GateRaised:
    """An open question."""
    return GateRaised(3, 4, 5, kind, None, name, question, ())


@pytest.mark.parametrize("count", [1, 40, 41, 250])
def test_every_follower_of_a_crowd_is_mentioned_once(count: int) -> None:
    """However many they are: a message holds 2,000 characters and 100 people."""
    first = 1_100_000_000_000_000_000
    everyone = tuple(range(first, first + count))
    found = told(gate(question="w" * 5_000), Followers(everything=everyone), owner=7)
    assert [person for _, people in found for person in people] == list(everyone)
    for text, people in found:
        assert len(text) <= 1_880 and len(people) <= 100 and "asks: www" in text
        assert all(f"<@{person}>" in text for person in people)


def test_the_owner_of_a_question_is_not_mentioned_again_and_nobody_is_without_followers() -> None:
    """Its own message mentions the owner."""
    assert [people for _, people in told(gate(), Followers(everything=(7, 8)), owner=7)] == [(8,)]
    assert told(gate(), Followers(), owner=7) == [] == told(gate(), Followers(answers=(7,)), owner=7)


def test_a_question_of_the_engine_names_nobody() -> None:
    """A cap asks in its own words, and marks of an agent's words are not shown as typed."""
    ((text, _),) = told(gate("cap", "", "The cap on money is reached."), Followers(answers=(8,)))
    assert text.splitlines()[0] == "❓ The cap on money is reached."
    ((text, _),) = told(gate(question="Which **wood**?"), Followers(answers=(8,)))
    assert text.splitlines()[0] == "❓ **Nora** asks: Which wood?"


def test_a_run_without_a_judgement_is_said_in_words() -> None:
    """To followers and in the log: "ran" alone says nothing."""
    body = Audited(3, 4, "ran", "", 2)
    ((text, _),) = told(body, Followers(everything=(8,)))
    said = "Audit 2: the program runs, its correctness was not judged"
    assert said in text and said in (log_line(body) or "")
