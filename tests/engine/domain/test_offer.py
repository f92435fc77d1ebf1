"""What a small model may do follows from what it has done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.offer import SCALE, SMALL, Offer, led_by, offer_of
from engine.domain.outcomes import Assigned, Finished, Joined, Outcome, Ran, Refused, Reviewed, Wrote
from engine.domain.state import InboxMessage, PastCall, PastStep, StepFacts
from engine.ports import AgentRole
from engine.tools import TOOLS, specs_for
from tests.engine.domain.test_prompt import AGENT, TASK


def called(name: str, outcome: Outcome | None = None) -> PastCall:
    """A call whose text says nothing: what it came to stands in its outcome."""
    return PastCall("a", name, "{}", "?", outcome)


WROTE = called("write_file", Wrote("main.py", 1))
WROTE_TEXT = called("write_file", Wrote("notes.md", 1))
UNREAD = called("write_file", Refused("unread"))
RAN = called("run", Ran(0, "exit"))
FAILED = called("run", Ran(1, "exit"))
TOO_LONG = called("run", Ran(0, "timeout"))
ASKED_ON = called("run", Ran(1, "exit", asked_on=True))
LISTED = called("list_files")


def facts(
    role: AgentRole, *calls: PastCall, goal: str = "Make it.", inbox: tuple[InboxMessage, ...] = ()
) -> StepFacts:
    """An agent that made these calls."""
    past = tuple(PastStep(n, "", "", (call,)) for n, call in enumerate(calls, 1))
    return StepFacts(replace(TASK, goal=goal), replace(AGENT, role=role), inbox, past, (), (), "Boss", 0)


@pytest.mark.parametrize(
    ("calls", "names"),
    [
        ((), ("write_file", "finish")),
        ((WROTE,), ("run",)),
        ((WROTE_TEXT,), ("write_file", "finish")),
        ((UNREAD,), ("write_file", "finish")),
        ((WROTE, FAILED), ("write_file",)),
        ((WROTE, TOO_LONG), ("write_file",)),
        ((WROTE, RAN), ("finish",)),
        ((WROTE, ASKED_ON), ("finish",)),
        ((WROTE, FAILED, WROTE, FAILED, WROTE, FAILED), ("write_file", "finish")),
    ],
)
def test_a_boss_writes_runs_and_finishes(calls: tuple[PastCall, ...], names: tuple[str, ...]) -> None:
    """Nothing is claimed before it ran; what failed is written again, and not for ever."""
    assert offer_of(facts("boss", *calls)).names == names


def test_a_member_hands_in_what_ran() -> None:
    """A member submits where a boss finishes."""
    assert offer_of(facts("member")).names == ("write_file", "read_file")
    assert offer_of(facts("member", WROTE, RAN)).names == ("submit",)


def test_only_large_goals_are_divided() -> None:
    """A boss may recruit for a long goal, and then has all its tools and may wait."""
    assert "recruit" in offer_of(facts("boss", goal="x" * (SCALE + 1))).names
    assert "recruit" not in offer_of(facts("boss")).names


def test_a_head_assigns_reviews_and_finishes() -> None:
    """Everybody gets work, then it rests; what is handed in is looked at; sent back, it comes again."""
    one, two = called("assign", Assigned(1, "Bo")), called("assign", Assigned(2, "Al"))
    joined = called("recruit", Joined(("Bo", "Al")))
    assert offer_of(facts("boss", joined)).names == ("assign",)
    assert offer_of(facts("boss", joined, one)).names == ("assign",)
    assert "Al" in offer_of(facts("boss", joined, one)).hint
    assert not led_by(facts("boss", joined, one)).rests
    assert led_by(facts("boss", joined, one), (two,)).rests

    submission = InboxMessage(1, "work", "Bo", "?", None, 5, about="submission", about_id=1)
    handed = facts("boss", joined, one, two, inbox=(submission,))
    assert offer_of(handed).names == ("review", "read_file") and not led_by(handed).rests
    back = called("review", Reviewed(1, False))
    assert led_by(handed, (back,)).rests
    good = (called("review", Reviewed(number, True)) for number in (1, 2))
    done = facts("boss", joined, one, two, *good)
    assert offer_of(done).names == ("finish",) and not led_by(done).rests


def test_who_never_gives_one_member_work_is_not_held_to_it() -> None:
    """A model that gives all to one may leave the others out."""
    joined = called("recruit", Joined(("Bo", "Al", "Cy")))
    same = [called("assign", Assigned(n, "Bo")) for n in range(1, 6)]
    assert offer_of(facts("boss", joined, *same[:3])).names == ("assign",)
    assert led_by(facts("boss", joined, *same)).rests


def test_an_auditor_runs_before_it_judges() -> None:
    """List, run, judge; who can run nothing judges in the end all the same."""
    assert offer_of(facts("auditor")).names == ("list_files",)
    assert "verdict" not in offer_of(facts("auditor", LISTED)).names
    assert offer_of(facts("auditor", LISTED, RAN)).names == ("verdict",)
    assert offer_of(facts("auditor", *[LISTED] * 6)).names == ("verdict",)


def test_a_person_is_answered_in_words() -> None:
    """Whoever writes to an agent gets words and nothing else first, whatever its role."""
    message = InboxMessage(1, "person", "Ann", "How is it going?", None, 0)
    for role in SMALL:
        assert offer_of(facts(role, WROTE, inbox=(message,))) == Offer((), talk=True)


def test_what_a_person_asked_for_can_still_be_made() -> None:
    """After its answer an agent whose work ran well may write again; handed in, it may also leave it."""
    wish = InboxMessage(1, "person", "Ann", "Also say when.", None, 0)
    asked = PastStep(3, "?", "I will.", (), (wish,))
    ran = facts("boss", WROTE, RAN)
    assert offer_of(replace(ran, past=(*ran.past, asked))) == Offer(("write_file", "finish"))
    done = PastStep(3, "", "", (called("finish", Finished(True)),))
    again = offer_of(replace(ran, past=(*ran.past, done, replace(asked, step=4))))
    assert again == Offer(("write_file", "finish"), talk=True)


def test_what_was_sent_back_is_written_again() -> None:
    """A judgement that comes after the hand-in is repaired, not handed in as it is."""
    message = InboxMessage(1, "system", "", "The auditor rejected the result: it prints nothing.", None, 0)
    done = called("finish", Finished(True))
    assert offer_of(facts("boss", WROTE, RAN, done, inbox=(message,))).names == ("write_file",)


def test_a_boss_that_has_to_wrap_up_can_only_finish() -> None:
    """The last message of a task leaves one way."""
    message = InboxMessage(1, "system", "", "?", None, 0, about="wrap_up")
    assert offer_of(facts("boss", WROTE, FAILED, inbox=(message,))).names == ("finish",)


@pytest.mark.parametrize("role", list(SMALL))
def test_the_small_profile_names_real_tools(role: AgentRole) -> None:
    """Each of them exists for its role, and the list is shorter than the full one."""
    small = {spec.name for spec in specs_for(role, small=True)}
    assert small == set(SMALL[role]) <= TOOLS.keys()
    assert len(small) < len(specs_for(role))
