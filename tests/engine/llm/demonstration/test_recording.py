"""Which assignment a recorded step speaks of."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from engine.domain.state import AssignmentFacts, StepFacts
from engine.llm.demonstration.recording import assignment, next_answer, recording


@dataclass(frozen=True)
class _Facts:
    """What the recording looks at of a step."""

    agent: Any
    work: tuple[AssignmentFacts, ...]
    past: tuple[Any, ...]
    inbox: tuple[Any, ...] = ()
    task: Any = field(default_factory=lambda: SimpleNamespace(plan_state=""))


def work(number: int, title: str, state: str, assignee: int) -> AssignmentFacts:
    """An assignment of the agent 1, or one that it gave."""
    given: dict[str, Any] = {"acceptance": "", "command": (), "group_id": 1, "details": ""}
    return AssignmentFacts(number, title, 3 - assignee, assignee, "a", "b", state, **given)


def test_an_assignment_is_found_by_its_title_its_state_and_whose_it_is() -> None:
    """An open one that is one's own, a submitted one that one gave; of another title never."""
    works = (work(1, "draw", "open", 2), work(2, "build", "open", 1), work(3, "draw", "submitted", 2))
    facts = cast(StepFacts, SimpleNamespace(agent=SimpleNamespace(id=1), work=works))

    def found(title: str, state: str = "") -> int | None:
        one = assignment(facts, title, state)
        return one.id if one else None

    assert (found("build"), found("draw"), found("sail")) == (2, 1, None)
    assert (found("build", "open"), found("draw", "submitted")) == (2, 3)
    assert (found("draw", "open"), found("build", "submitted")) == (None, None)


def test_a_review_that_is_waited_on_ends_the_turn() -> None:
    """What it deals with is no work to review any more, so nothing is left to play at once."""
    past = (SimpleNamespace(kept="poet reads_poem", calls=(), messages=()),)
    iris = SimpleNamespace(id=1, role="head", name="Iris", in_turn=True)
    facts = _Facts(iris, (work(1, "Four lines for Mia", "submitted", 2),), past)
    chosen = next_answer(recording(), cast(StepFacts, facts), ())
    assert [beat.id for beat in chosen.beats] == ["poem_returned"] and chosen.rests
