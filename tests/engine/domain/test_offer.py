"""What a small model may do follows from what it has done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.offer import MORE_INPUT, SCALE, SMALL, Offer, led_by, offer_of
from engine.domain.state import PERSON, Letter, PastCall, PastStep, Scene
from engine.ports import AgentRole
from engine.tools import TOOLS, specs_for
from tests.engine.domain.test_prompt import AGENT, TASK

WROTE = PastCall("a", "write_file", '{"path": "main.py"}', "main.py added, revision 1, 9 bytes.")
WROTE_TEXT = PastCall("a", "write_file", '{"path": "notes.md"}', "notes.md added, revision 1, 9 bytes.")
RAN = PastCall("b", "run", "{}", "exit code 0, 0.1 s\nhello")
FAILED = PastCall("c", "run", "{}", "exit code 1, 0.1 s\nTraceback")
ASKED_ON = PastCall("d", "run", "{}", f"exit code 1, 0.1 s\n{MORE_INPUT}")
LISTED = PastCall("e", "list_files", "{}", "main.py")


def scene(role: AgentRole, *calls: PastCall, goal: str = "Make it.", inbox: tuple[Letter, ...] = ()) -> Scene:
    """An agent that made these calls."""
    past = tuple(PastStep(n, "", "", (call,)) for n, call in enumerate(calls, 1))
    return Scene(replace(TASK, goal=goal), replace(AGENT, role=role), inbox, past, (), (), "Boss", 0)


@pytest.mark.parametrize(
    ("calls", "names"),
    [
        ((), ("write_file", "finish")),
        ((WROTE,), ("run",)),
        ((WROTE_TEXT,), ("write_file", "finish")),
        ((WROTE, FAILED), ("write_file",)),
        ((WROTE, RAN), ("finish",)),
        ((WROTE, ASKED_ON), ("finish",)),
        ((WROTE, FAILED, WROTE, FAILED, WROTE, FAILED), ("write_file", "finish")),
    ],
)
def test_a_boss_writes_runs_and_finishes(calls: tuple[PastCall, ...], names: tuple[str, ...]) -> None:
    """Nothing is claimed before it ran; what failed is written again, and not for ever."""
    assert offer_of(scene("boss", *calls)).names == names


def test_a_member_hands_in_what_ran() -> None:
    """A member submits where a boss finishes."""
    assert offer_of(scene("member")).names == ("write_file", "read_file")
    assert offer_of(scene("member", WROTE, RAN)).names == ("submit",)


def test_only_large_goals_are_shared_out() -> None:
    """A boss may recruit for a long goal, and then has all its tools and may wait."""
    assert "recruit" in offer_of(scene("boss", goal="x" * (SCALE + 1))).names
    assert "recruit" not in offer_of(scene("boss")).names


def test_a_head_shares_out_looks_at_what_comes_and_finishes() -> None:
    """Everybody gets work, then it rests; what is handed in is looked at; sent back, it comes again."""
    one = PastCall("g", "assign", "{}", "Assignment #1 given to Bo.")
    two = PastCall("h", "assign", "{}", "Assignment #2 given to Al.")
    joined = PastCall("f", "recruit", "{}", "Joined your group: Bo, Al. Now assign each its work.")
    assert offer_of(scene("boss", joined)).names == ("assign",)
    assert offer_of(scene("boss", joined, one)).names == ("assign",)
    assert "Al" in offer_of(scene("boss", joined, one)).hint
    assert not led_by(scene("boss", joined, one)).rests
    assert led_by(scene("boss", joined, one), (two,)).rests

    handed = scene(
        "boss", joined, one, two, inbox=(Letter(1, "agent", "Bo", "Submission of #1 (a): x", None, 5),)
    )
    assert offer_of(handed).names == ("review", "read_file") and not led_by(handed).rests
    back = PastCall("i", "review", "{}", "Assignment #1 rejected.")
    assert led_by(handed, (back,)).rests
    good = (PastCall("i", "review", "{}", f"Assignment #{number} accepted.") for number in (1, 2))
    done = scene("boss", joined, one, two, *good)
    assert offer_of(done).names == ("finish",) and not led_by(done).rests


def test_who_never_gives_one_member_work_is_not_held_to_it() -> None:
    """A model that gives all to one may leave the others out."""
    joined = PastCall("f", "recruit", "{}", "Joined your group: Bo, Al, Cy. Now assign each its work.")
    same = [PastCall("g", "assign", "{}", f"Assignment #{n} given to Bo.") for n in range(1, 6)]
    assert offer_of(scene("boss", joined, *same[:3])).names == ("assign",)
    assert led_by(scene("boss", joined, *same)).rests


def test_an_auditor_runs_before_it_judges() -> None:
    """List, run, judge; who can run nothing judges in the end all the same."""
    assert offer_of(scene("auditor")).names == ("list_files",)
    assert "verdict" not in offer_of(scene("auditor", LISTED)).names
    assert offer_of(scene("auditor", LISTED, RAN)).names == ("verdict",)
    assert offer_of(scene("auditor", *[LISTED] * 6)).names == ("verdict",)


def test_a_person_is_answered_in_words() -> None:
    """Whoever writes to an agent gets words and nothing else first, whatever its role."""
    letter = Letter(1, "person", "Ann", "How is it going?", None, 0)
    for role in SMALL:
        assert offer_of(scene(role, WROTE, inbox=(letter,))) == Offer((), talk=True)


def test_what_a_person_asked_for_can_still_be_made() -> None:
    """After its answer an agent whose work ran well may write again; handed in, it may also leave it."""
    asked = PastStep(3, f"[from Ann, {PERSON}]\nAlso say when.", "I will.", ())
    ran = scene("boss", WROTE, RAN)
    assert offer_of(replace(ran, past=(*ran.past, asked))) == Offer(("write_file", "finish"))
    done = PastStep(3, "", "", (PastCall("g", "finish", "{}", "An auditor checks the result now."),))
    again = offer_of(replace(ran, past=(*ran.past, done, replace(asked, step=4))))
    assert again == Offer(("write_file", "finish"), talk=True)


def test_what_was_sent_back_is_written_again() -> None:
    """A judgement that comes after the hand-in is mended, not handed in as it is."""
    letter = Letter(1, "system", "", "The auditor rejected the result: it prints nothing.", None, 5)
    done = PastCall("g", "finish", "{}", "An auditor checks the result now.")
    assert offer_of(scene("boss", WROTE, RAN, done, inbox=(letter,))).names == ("write_file",)


def test_told_to_wrap_up_a_boss_can_only_finish() -> None:
    """The last letter of a task leaves one way."""
    letter = Letter(1, "system", "", "Wrap up: the cap on minutes is reached.", None, 0)
    assert offer_of(scene("boss", WROTE, FAILED, inbox=(letter,))).names == ("finish",)


@pytest.mark.parametrize("role", list(SMALL))
def test_the_small_profile_names_real_tools(role: AgentRole) -> None:
    """Each of them exists for its role, and the list is shorter than the full one."""
    small = {spec.name for spec in specs_for(role, small=True)}
    assert small == set(SMALL[role]) <= TOOLS.keys()
    assert len(small) < len(specs_for(role))
