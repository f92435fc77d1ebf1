"""Which answers each kind of gate takes, and what a raise adds."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import Limits
from engine.domain.gates import (
    CARRIES_TEXT,
    HALF,
    TAKES_TEXT,
    TENTH,
    Answer,
    GateEffect,
    GateKind,
    check_answer,
    check_lower,
    choice_of,
    choices_of,
    dump_choices,
    extension,
    load_choices,
)
from engine.errors import Invalid

KINDS: tuple[GateKind, ...] = get_args(GateKind)
IDS: tuple[str, ...] = (*get_args(GateEffect), "o1", "o2", "o3", "", "Approve", "dismiss it", "0")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("choice_id", IDS)
def test_a_gate_takes_its_own_choices_alone(kind: GateKind, choice_id: str) -> None:
    """Whatever id comes, one of another kind or a label included, only its own are answers."""
    choices = choices_of(kind, ("Oak", "Ash"))
    if choice_of(choices, choice_id) is not None:
        answer = check_answer(kind, choices, choice_id, "", None)
        assert answer == Answer(choice_of(choices, choice_id), "", None)
    else:
        with pytest.raises(Invalid):
            check_answer(kind, choices, choice_id, "", None)
        with pytest.raises(Invalid):
            check_answer(kind, choices, choice_id, "please", None)


@pytest.mark.parametrize("kind", KINDS)
@given(
    words=st.sampled_from(["dismiss it", "Approve", "approve within $9", "stop", "wrap up"])
    | st.text(max_size=30)
)
def test_words_decide_nothing(kind: GateKind, words: str) -> None:
    """Free text is never a choice, however it is worded; caps take none."""
    if kind in TAKES_TEXT and words.strip():
        assert check_answer(kind, choices_of(kind), None, words, None) == Answer(None, words.strip(), None)
    else:
        with pytest.raises(Invalid):
            check_answer(kind, choices_of(kind), None, words, None)


@pytest.mark.parametrize("kind", KINDS)
def test_limits_come_with_an_approval_alone(kind: GateKind) -> None:
    """Neither another choice nor words bring caps; and words come beside those choices that hand them on."""
    choices = choices_of(kind, ("Oak",))
    limits = Limits(agents=3)
    for choice in choices:
        if choice.effect == "approve":
            assert check_answer(kind, choices, choice.id, "", limits).limits == limits
        else:
            with pytest.raises(Invalid):
                check_answer(kind, choices, choice.id, "", limits)
        if choice.effect in CARRIES_TEXT:
            assert check_answer(kind, choices, choice.id, "note", None).text == "note"
        else:
            with pytest.raises(Invalid):
                check_answer(kind, choices, choice.id, "note", None)
    with pytest.raises(Invalid):
        check_answer(kind, choices, None, "words", limits)


NOW = Limits(agents=20, cost_micros=5_000_000, tokens=1_000, minutes=60)
ABOVE = (Limits(agents=21), Limits(cost_micros=5_000_001), Limits(tokens=1_001), Limits(minutes=61))


@pytest.mark.parametrize("limits", [*ABOVE, Limits(depth=1)])
def test_an_approval_raises_no_cap(limits: Limits) -> None:
    """One above the task's, or on something else, is refused."""
    with pytest.raises(Invalid):
        check_lower(limits, NOW)
    check_lower(NOW, NOW)


def test_a_wrapped_subtree_is_not_offered_a_second_wrapping_up() -> None:
    """The tenth more is given once."""
    assert [c.effect for c in choices_of("share")] == ["raise_half", "wrap_up", "dismiss"]
    assert [c.effect for c in choices_of("share", wrapped=True)] == ["raise_half", "dismiss"]


def test_a_raise_adds_parts_of_the_caps_there_are() -> None:
    """At least 1 of each; agents are not raised by it."""
    assert extension(NOW, HALF) == Limits(cost_micros=2_500_000, tokens=500, minutes=30)
    assert extension(Limits(tokens=3, agents=2), TENTH) == Limits(tokens=1)


@given(st.lists(st.text(max_size=20), max_size=5))
def test_choices_survive_being_stored(options: list[str]) -> None:
    """As they were, whatever an agent wrote; ids are distinct."""
    choices = choices_of("question", options)
    assert load_choices(dump_choices(choices)) == choices
    assert len({choice.id for choice in choices}) == len(options)
