"""A colleague's answer reaches who asked whatever its form: plain words at the end of the turn count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from engine import Engine
from engine.commands import SayToAgent, StartTask
from engine.events import AgentSpoke, RemarkNoted
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import EVENTS, MESSAGES, WAITS, loads
from tests.contracts.conftest import World, quiet
from tests.fakes.cast import View

BLUE = "It is blue."
BOTH = ("recruit", {"members": [{"name": n, "role": "w", "instructions": "w"} for n in ("Ada", "Bob")]})
GIVEN = ("assign", {"to": "Ada", "title": "paint", "details": "paint it"})
ASKS: dict[str, Any] = {"to": ["Bob"], "text": "Which colour?"}
WAITS_FOR_BOB = ("send_message", {**ASKS, "wait": True})

Part = Callable[[View], ChatAnswer]


class Team:
    """The boss recruits Ada, who is given work, and Bob; each prompt is kept by who read it."""

    def __init__(self, ada: Part, bob: Part, boss: Part = lambda _: say("fine")) -> None:
        self.parts = {"Ada": ada, "Bob": bob}
        self.boss = boss
        self.heard: dict[str, list[str]] = {"Boss": [], "Ada": [], "Bob": []}

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        """The next of whoever is asked."""
        view = View(request)
        self.heard[view.name].append(view.last)
        if view.name == "Boss":
            return self.boss(view) if view.did("recruit") else call(BOTH, GIVEN)
        return self.parts[view.name](view)


def asks(view: View) -> ChatAnswer:
    """Ada asks once and waits."""
    return say("Then I paint.") if view.did("send_message") else call(WAITS_FOR_BOB)


def asks_by_default(view: View) -> ChatAnswer:
    """Ada asks once and ends her turn with words; her message does not say that she waits."""
    return say("I wait for Bob.") if view.did("send_message") else call(("send_message", ASKS))


async def _play(world: World, team: Team) -> Engine:
    engine = await world.start(team)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: quiet(world))
    return engine


async def _said(world: World, kind: type[object] = AgentSpoke) -> list[tuple[str, str, list[str]]]:
    query = sa.select(EVENTS.c.payload_json).where(EVENTS.c.kind == kind.__name__).order_by(EVENTS.c.seq)
    found = [loads(row.payload_json) for row in await world.rows(query)]
    return [(each["name"], each["text"], each.get("to", [])) for each in found]


@pytest.mark.parametrize("ada", [asks, asks_by_default])
async def test_words_without_a_call_reach_who_asked(world: World, ada: Part) -> None:
    """They wake the asker once, end its wait, and are posted once, as said to it."""
    team = Team(ada, lambda _: say(BLUE))
    await _play(world, team)
    assert [BLUE in text for text in team.heard["Ada"]][-1]
    assert sum(BLUE in text for text in team.heard["Ada"]) == 1
    assert "waits for your answer" not in team.heard["Ada"][-1], "an answer needs none"
    assert [said for said in await _said(world) if said[1] == BLUE] == [("Bob", BLUE, ["Ada"])]
    assert await world.rows(sa.select(WAITS)) == []
    assert len(team.heard["Bob"]) == 1, "nobody reminds him"


async def test_words_after_a_look_are_the_answer_too(world: World) -> None:
    """The question was read by an earlier step of the turn; what is said beside a call is no answer."""

    def bob(view: View) -> ChatAnswer:
        return say(BLUE) if view.did("list_files") else call(("list_files", {}), text="I look.")

    team = Team(asks, bob)
    await _play(world, team)
    assert BLUE in team.heard["Ada"][-1]
    assert not any("I look." in text for text in team.heard["Ada"])


async def test_words_beside_the_call_that_ends_the_turn_are_the_answer_too(world: World) -> None:
    """The answer says what the asker needs, and goes on to wait for something else."""

    def bob(view: View) -> ChatAnswer:
        return call(("wait_for", {"what": ["plan.md"]}), text=BLUE)

    team = Team(asks, bob)
    await _play(world, team)
    assert BLUE in team.heard["Ada"][-1]


async def test_an_answer_by_call_is_not_given_again_by_the_last_words(world: World) -> None:
    """The question is closed by the call: what is said after it goes to nobody."""

    def bob(view: View) -> ChatAnswer:
        if view.did("send_message"):
            return say("Answered.")
        return call(("send_message", {"to": ["Ada"], "text": BLUE}))

    team = Team(asks, bob)
    await _play(world, team)
    assert not any("Answered." in text for text in team.heard["Ada"])
    assert sum(BLUE in text for text in team.heard["Ada"]) == 1


async def test_a_head_with_work_out_answers_its_member_in_words(world: World) -> None:
    """Few words of one whose members work are its answer when one of them asked, not only a remark."""

    def ada(view: View) -> ChatAnswer:
        wait = ("send_message", {**ASKS, "to": ["Boss"], "wait": True})
        return say("Then I paint.") if view.did("send_message") else call(wait)

    team = Team(ada, lambda _: say("Nothing."), lambda view: say(BLUE if "colour?" in view.last else "fine"))
    await _play(world, team)
    assert BLUE in team.heard["Ada"][-1]
    assert ("Boss", BLUE, ["Ada"]) in await _said(world)


async def test_who_is_asked_back_answers_in_words(world: World) -> None:
    """Ada waits for Bob, who asks her something first: her few words are the answer."""

    def ada(view: View) -> ChatAnswer:
        if "Which room?" in view.last:
            return say("The hall.")
        return asks(view)

    def bob(view: View) -> ChatAnswer:
        if "The hall." in view.last:
            return call(("send_message", {"to": ["Ada"], "text": BLUE}))
        if view.did("send_message"):
            return say("Fine.")
        return call(("send_message", {"to": ["Ada"], "text": "Which room?", "wait": True}))

    team = Team(ada, bob)
    await _play(world, team)
    assert any("The hall." in text for text in team.heard["Bob"])
    assert any(BLUE in text for text in team.heard["Ada"])


async def test_who_asked_several_is_woken_by_the_last_words(world: World) -> None:
    """One answers by a call, one in words: one turn of the asker reads both."""

    def boss(view: View) -> ChatAnswer:
        wait = {"to": ["Ada", "Bob"], "text": "How are you?", "wait": True}
        return say("fine") if view.did("send_message") else call(("send_message", wait))

    def ada(view: View) -> ChatAnswer:
        if "How are you?" not in view.last:
            return say("done")
        return call(("send_message", {"to": ["Boss"], "text": "Ada is well."}))

    team = Team(ada, lambda view: say("Bob is well."), boss)
    await _play(world, team)
    answers = [text for text in team.heard["Boss"] if "is well." in text]
    assert len(answers) == 1
    assert "Ada is well." in answers[0] and "Bob is well." in answers[0]


async def test_words_in_answer_to_a_person_are_not_taken_for_a_colleague_s(world: World) -> None:
    """Who asked goes on waiting: the words answer the person."""

    def bob(view: View) -> ChatAnswer:
        return (
            say("Hello Tom.") if "from a person" in view.last else call(("wait_for", {"what": ["plan.md"]}))
        )

    team = Team(asks, bob)
    engine = await _play(world, team)
    views = {view.name: view for view in await engine.look.agents(1)}
    assert views["Ada"].waits_for == ("an answer of Bob",)
    bob_id = views["Bob"].id
    await engine.handle(SayToAgent(bob_id, "Hello Bob", "tom", "Tom"))
    await world.until(lambda: quiet(world))
    assert ("Bob", "Hello Tom.", []) in await _said(world)
    assert not any("Hello Tom." in text for text in team.heard["Ada"])
    assert len(await world.rows(sa.select(WAITS).where(WAITS.c.answer_of == bob_id))) == 1


async def test_few_words_of_one_in_a_circle_are_no_answer(world: World) -> None:
    """The boss waits for Ada, she for Bob, he for the boss, who only says so: noted, and given to nobody."""

    def boss(view: View) -> ChatAnswer:
        if view.did("send_message"):
            return say("I wait for Ada.")
        return call(("send_message", {"to": ["Ada"], "text": "What first?", "wait": True}))

    def ada(view: View) -> ChatAnswer:
        if view.did("send_message"):
            return say("I wait for Bob.")
        return asks(view) if "What first?" in view.last else call(("wait_for", {"what": ["plan.md"]}))

    def bob(view: View) -> ChatAnswer:
        return call(("send_message", {"to": ["Boss"], "text": "Whose turn?", "wait": True}))

    team = Team(ada, bob, boss)
    await _play(world, team)
    assert not any("I wait for" in text for texts in team.heard.values() for text in texts)
    assert {name for name, _, _ in await _said(world, RemarkNoted)} >= {"Boss"}


async def test_news_of_a_boss_brings_no_turn_of_it(world: World) -> None:
    """A message that does not say that its sender waits, of one whose members work: the words that it gets
    are read with what comes next, and cost no call."""

    def boss(view: View) -> ChatAnswer:
        if view.did("send_message"):
            return say("fine")
        return call(("send_message", {"to": ["Bob"], "text": "Plans are in plan.md."}))

    team = Team(lambda _: call(("wait_for", {"what": ["never.md"]})), lambda _: say("Understood."), boss)
    await _play(world, team)
    assert len(team.heard["Boss"]) == 3
    given = await world.rows(sa.select(MESSAGES.c.wakes).where(MESSAGES.c.text == "Understood."))
    assert [row.wakes for row in given] == [False]
