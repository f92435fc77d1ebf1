"""Past steps as messages that every endpoint takes."""

from __future__ import annotations

import re

from engine.domain.call_ids import call_id
from engine.domain.prompt import joined, replay
from engine.domain.state import NOTE, PastCall, PastStep
from engine.ports import ChatMessage


def test_ids_are_nine_letters_and_digits_and_never_the_same() -> None:
    """Mistral takes no others; two calls of one agent never share one."""
    ids = {call_id(step, number) for step in (1, 35, 36, 46_655, 60_000_000) for number in (0, 1, 35, 1_295)}
    assert len(ids) == 20
    assert all(re.fullmatch(r"[a-z0-9]{9}", identity) for identity in ids)


def test_ids_stored_by_older_versions_are_regenerated() -> None:
    """A task that began under an older version goes on at any endpoint, doubled ids included."""
    calls = (PastCall("c0", "read_file", "{}", "a"), PastCall("c0", "read_file", "{}", ""))
    made = replay(PastStep(3, "Go on.", "", calls))
    assert [call.id for call in made[1].tool_calls] == [call_id(3, 0), call_id(3, 1)]
    assert [message.tool_call_id for message in made[2:]] == [call_id(3, 0), call_id(3, 1)]
    assert all(message.content for message in made if message.role == "tool")


def test_what_the_engine_says_of_an_answer_is_no_call() -> None:
    """A tool that was never offered must not stand in the history; strict endpoints refuse it."""
    step = PastStep(3, "Go on.", "", (PastCall("c0", NOTE, "{}", "Your answer was empty."),))
    assert [(m.role, m.content) for m in replay(step)] == [
        ("user", "Go on."),
        ("user", "Your answer was empty."),
    ]


def test_what_an_endpoint_wants_back_stands_on_its_message() -> None:
    """Opaque data goes back with the answer it came with."""
    step = PastStep(3, "", "", (PastCall("x", "read_file", "{}", "a"),), kept='{"for": "x"}')
    assert replay(step)[0].kept == '{"for": "x"}'


def test_a_person_never_speaks_twice_in_a_row() -> None:
    """Chat templates of Mistral, Gemma and others refuse two user messages one after the other."""
    messages = [ChatMessage("user", "a"), ChatMessage("user", "b"), ChatMessage("assistant", "c")]
    assert [m.content for m in joined(messages)] == ["a\n\nb", "c"]
