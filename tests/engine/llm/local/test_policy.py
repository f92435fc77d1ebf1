"""What a small model may do follows from what it has done."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engine.domain.offer import Offer
from engine.domain.outcomes import (
    Assigned,
    Finished,
    Joined,
    Outcome,
    Ran,
    Refused,
    Reviewed,
    Unfinished,
    Wrote,
)
from engine.domain.state import InboxMessage, PastCall, PastStep, StepFacts
from engine.llm.local.policy import SMALL, WARMTH, led_by, offer_of
from engine.ports import AgentRole
from engine.tools import TOOLS, specs_for
from tests.engine.domain.test_prompt import AGENT, TASK


def called(name: str, outcome: Outcome | None = None, arguments: str = "{}") -> PastCall:
    """A call whose text says nothing: what it came to stands in its outcome."""
    return PastCall("a", name, arguments, "?", outcome)


def wrote(path: str, text: str = "x") -> PastCall:
    """A file written whole."""
    return called("write_file", Wrote(path, 1), json.dumps({"path": path, "content": text}))


OPENED = called("nothing")
WROTE = wrote("main.py")
AGAIN = wrote("main.py", "y")
WROTE_TEXT = wrote("notes.md")
UNREAD = called("write_file", Refused("unread"))
RAN = called("run", Ran(0, "exit"))
FAILED = called("run", Ran(1, "exit"))
TOO_LONG = called("run", Ran(0, "timeout"))
ASKED_ON = called("run", Ran(1, "exit", "input"))
NO_ARGUMENTS = called("run", Ran(2, "exit", "arguments"))
NO_PROGRAM = called("run", Ran(127, "exit", "command"))
NO_ITEMS = called("run", Ran(1, "exit", "file", "items.csv"))
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
        ((OPENED,), ("write_file", "finish")),
        ((WROTE,), ("run",)),
        ((WROTE_TEXT,), ("write_file", "finish")),
        ((OPENED, UNREAD), ("write_file", "finish")),
        ((WROTE, FAILED), ("write_file",)),
        ((WROTE, TOO_LONG), ("write_file",)),
        ((WROTE, called("run", Refused("unavailable"))), ("finish",)),
        ((WROTE, RAN), ("finish",)),
        ((WROTE, ASKED_ON), ("finish",)),
        ((WROTE, NO_ARGUMENTS), ("finish",)),
        ((WROTE, NO_PROGRAM), ("run",)),
        ((WROTE, NO_PROGRAM, NO_PROGRAM), ("finish",)),
        ((WROTE, NO_PROGRAM, FAILED), ("write_file",)),
        ((WROTE, NO_ITEMS), ("write_file",)),
        ((WROTE, FAILED, AGAIN), ("run",)),
        ((WROTE, FAILED, AGAIN, FAILED), ("finish",)),
        ((WROTE, FAILED, WROTE), ("finish",)),
        ((WROTE_TEXT, wrote("budget.md"), WROTE_TEXT), ("finish",)),
    ],
)
def test_a_boss_writes_runs_and_finishes(calls: tuple[PastCall, ...], names: tuple[str, ...]) -> None:
    """Nothing is claimed before it ran; what failed is written again once, and the same text never twice."""
    assert offer_of(facts("boss", *calls)).names == names


def test_what_failed_is_written_again_without_its_text_in_view() -> None:
    """Steps from the first write of that file on are left out, others stay; the text is warmer."""
    offer = offer_of(facts("boss", OPENED, WROTE_TEXT, WROTE, FAILED))
    assert (offer.before, offer.warmth) == (3, WARMTH)
    assert "main.py" in offer.hint
    first = offer_of(facts("boss", OPENED))
    assert (first.before, first.warmth) == (None, 0.0)


def test_a_file_is_written_from_the_exact_words_of_the_goal() -> None:
    """Nothing else of the conversation; with why the end was refused; with all of it once a person spoke."""
    goal = "Write leap.py, and test_leap.py."
    first = wrote("leap.py"), RAN
    for calls in ((OPENED,), first, (wrote("leap.py"), FAILED)):
        assert offer_of(facts("boss", *calls, goal=goal)).brief == goal
    refused = replace(called("finish", Unfinished(("leap.py",))), result="f(3) gave 5, not 4.")
    assert offer_of(facts("boss", *first, refused, goal=goal)).brief == f"{goal}\n\nf(3) gave 5, not 4."
    told = PastStep(3, "", "", (), (InboxMessage(1, "person", "Ann", "Also say when.", None, 0),))
    ran = facts("boss", *first, goal=goal)
    assert offer_of(replace(ran, past=(*ran.past, told))).brief == ""
    assert offer_of(facts("boss", *first, called("finish", Finished(True)), goal=goal)).brief == ""


def test_a_file_that_somebody_else_has_to_give_is_no_fault_of_the_program() -> None:
    """Named by the goal, the assignment or the command it was to be there; else the program invented it."""
    for goal, calls in (
        ("It reads items.csv and prints the sum.", (wrote("sum.py"), NO_ITEMS)),
        ("Print the sum.", (wrote("sum.py"), replace(NO_ITEMS, arguments='{"command": ["./items.csv"]}'))),
    ):
        assert offer_of(facts("boss", *calls, goal=goal)).names == ("finish",)
    again = offer_of(facts("boss", wrote("sum.py"), NO_ITEMS, goal="Print the sum."))
    assert again.names == ("write_file",) and again.warmth == WARMTH


def test_files_that_the_goal_names_are_written_one_after_the_other() -> None:
    """The next one is asked for by its name; once all are there the work ends."""
    goal = "Write leap.py, and test_leap.py with tests. It reads years.csv."
    assert "leap.py" in offer_of(facts("boss", OPENED, goal=goal)).hint
    after = offer_of(facts("boss", wrote("leap.py"), RAN, goal=goal))
    assert after.names == ("write_file",) and "test_leap.py" in after.hint
    tested = offer_of(facts("boss", wrote("leap.py"), RAN, wrote("test_leap.py"), goal=goal))
    assert tested.names == ("run",) and '"pytest", "test_leap.py"' in tested.hint
    done = (wrote("leap.py"), RAN, wrote("test_leap.py"), FAILED, wrote("test_leap.py", "y"), FAILED)
    assert offer_of(facts("boss", *done, goal=goal)).names == ("finish",)


def test_what_was_refused_as_unfinished_is_written_again_once() -> None:
    """The refusal is what the model reads; the next time the work ends as it is."""
    refused = called("finish", Unfinished(("main.py",)))
    offer = offer_of(facts("boss", OPENED, WROTE, RAN, refused))
    assert offer.names == ("write_file",) and offer.hint == "?" and offer.before == 2
    assert offer_of(facts("boss", OPENED, WROTE, RAN, refused, AGAIN)).names == ("run",)
    assert offer_of(facts("boss", OPENED, WROTE, RAN, refused, AGAIN, RAN)).names == ("finish",)


def test_a_member_hands_in_what_ran() -> None:
    """A member submits where a boss finishes."""
    assert offer_of(facts("member")).names == ("write_file", "read_file")
    assert offer_of(facts("member", WROTE, RAN)).names == ("submit",)


def test_a_goal_without_parts_is_done_by_one_agent_who_says_so() -> None:
    """Whatever its length, and without a call of the model."""
    for goal in ("Make it.", "Make it well. " * 60):
        offer = offer_of(facts("boss", goal=goal))
        assert offer.names == () and not offer.calls and "alone" in offer.said and offer.made
    asked = offer_of(facts("boss", goal="Use three agents to make it good."))
    assert not asked.calls and "do not see how to divide" in asked.said


def test_a_goal_that_asks_for_agents_gets_them_with_its_own_words() -> None:
    """Roles and assignments are quoted from the goal."""
    goal = "Plan a weekend in Lisbon. Let one agent do the schedule and another the budget."
    offer = offer_of(facts("boss", goal=goal))
    assert [call.name for call in offer.calls] == ["recruit", "assign", "assign"]
    members = json.loads(offer.calls[0].arguments)["members"]
    assert [member["role"] for member in members] == ["the schedule", "the budget"]
    given = [json.loads(call.arguments) for call in offer.calls[1:]]
    assert [work["to"] for work in given] == [member["name"] for member in members]
    assert all("the person's words" in work["details"] for work in given)
    assert all(member["name"] in offer.said for member in members)


def test_no_more_agents_join_than_the_task_may_have() -> None:
    """The boss says that the cap is reached and works alone."""
    goal = "With two agents write a poem and a story."
    full = facts("boss", goal=goal)
    full = replace(full, task=replace(full.task, max_agents=full.task.agents + 1))
    assert not offer_of(full).calls and "may have no more" in offer_of(full).said


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
    assert offer_of(facts("boss", OPENED, WROTE, RAN, done, inbox=(message,))).names == ("write_file",)


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
