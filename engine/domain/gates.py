"""Gates: questions that only people decide, their choices, and which answers each kind takes. Pure.

A choice is an id and an effect. No label of the engine's own choices is stored or read here: how they look is
the business of whoever shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.commands import Limits
from engine.errors import Invalid

GateKind = Literal["question", "plan", "cap", "share", "audit", "stall"]
"""What is asked: an agent's own question, a plan, a task's cap, a subtree's cap, the result, a standstill."""

SUBTREE_CAP: Literal["share"] = "share"
"""The kind of a gate about a subtree's cap, under the name that is stored."""

GateEffect = Literal[
    "approve",
    "cancel",
    "raise_half",
    "wrap_up",
    "stop",
    "dismiss",
    "accept",
    "another_round",
    "retry",
    "option",
]
"""What a choice does; "option" hands an agent the answer that it worded itself."""

GateBasis = Literal["person", "timeout", "task_ended", "cap_raised", "resumed", "wrapped_up", "dismissed"]
"""Why a gate is closed: somebody answered, nobody did in time, or what happened made it moot."""

EFFECTS: Mapping[GateKind, tuple[GateEffect, ...]] = {
    "question": (),
    "plan": ("approve", "cancel"),
    "cap": ("raise_half", "wrap_up", "stop"),
    SUBTREE_CAP: ("raise_half", "wrap_up", "dismiss"),
    "audit": ("accept", "another_round", "stop"),
    "stall": ("retry", "wrap_up", "stop"),
}
"""The choices of each kind, in the order in which they are offered; an agent's question brings its own."""

TAKES_TEXT: frozenset[GateKind] = frozenset({"question", "plan", "audit", "stall"})
"""Kinds that free text answers: it goes to an agent and decides nothing by its wording."""

CARRIES_TEXT: frozenset[GateEffect] = frozenset({"approve", "another_round", "retry", "option"})
"""Effects that hand on text beside the choice; the others have nobody to read it."""

MAX_TEXT = 20_000
HALF, TENTH = 2, 10
"""Parts by which a cap grows: to go on, and to wrap up."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to answer a gate. `id` is unique in its gate; `text` only where an agent worded it."""

    id: str
    effect: GateEffect
    text: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that a gate takes: a choice, or free text without one; `limits` with an approval alone."""

    choice: Choice | None
    text: str
    limits: Limits | None


def choices_of(kind: GateKind, options: Sequence[str] = (), *, wrapped: bool = False) -> tuple[Choice, ...]:
    """Return the choices of a new gate; `options` are those of an agent's question.

    `wrapped`: the subtree got its part more to wrap up in already, so that is offered no more.
    """
    if kind == "question":
        return tuple(Choice(f"o{number}", "option", text) for number, text in enumerate(options, 1))
    left = (effect for effect in EFFECTS[kind] if not (wrapped and effect == "wrap_up"))
    return tuple(Choice(effect, effect) for effect in left)


def choice_of(choices: Sequence[Choice], choice_id: str | None) -> Choice | None:
    """Return the choice with this id, None when there is none."""
    return next((choice for choice in choices if choice.id == choice_id), None)


def check_answer(
    kind: GateKind, choices: Sequence[Choice], choice_id: str | None, text: str, limits: Limits | None
) -> Answer:
    """Return the answer as the gate takes it. Raise Invalid for one that it does not take."""
    words, caps = text.strip(), None if limits == Limits() else limits
    if len(words) > MAX_TEXT:
        raise Invalid(f"The answer has {len(words):,} characters; {MAX_TEXT:,} fit.")
    choice = choice_of(choices, choice_id)
    if choice_id is not None and choice is None:
        raise Invalid("This question has no such choice. Choose one of those it offers.")
    if caps is not None and (choice is None or choice.effect != "approve"):
        raise Invalid("Only the approval of a plan takes caps. Raise or lower them by themselves.")
    if choice is None and not words:
        raise Invalid("The answer is empty. Choose one of those offered or write one.")
    if choice is None and kind not in TAKES_TEXT:
        raise Invalid("This question takes no answer in words. Choose one of those it offers.")
    if choice is not None and words and choice.effect not in CARRIES_TEXT:
        raise Invalid("This choice takes no words beside it. Choose it alone.")
    return Answer(choice, words, caps)


def check_lower(limits: Limits, now: Limits) -> None:
    """Raise Invalid for limits that an approval may not name: only lower caps of what a task uses."""
    if any(value is not None for value in (limits.depth, limits.members, limits.steps)):
        raise Invalid("An approval caps money, tokens, agents and minutes, nothing else.")
    for name in ("agents", "cost_micros", "tokens", "minutes"):
        asked, usual = getattr(limits, name), getattr(now, name)
        if asked is not None and usual is not None and asked > usual:
            raise Invalid("An approval can lower caps, not raise them. Raise them first, then approve.")


def extension(caps: Limits, part: int) -> Limits:
    """Return what is added to caps on money, tokens and minutes: a `part`-th of each there is, at least 1."""

    def more(cap: int | None) -> int | None:
        return None if cap is None else max(cap // part, 1)

    return Limits(cost_micros=more(caps.cost_micros), tokens=more(caps.tokens), minutes=more(caps.minutes))


def dump_choices(choices: Sequence[Choice]) -> list[dict[str, str]]:
    """Return the choices ready for JSON."""
    return [{"id": choice.id, "effect": choice.effect, "text": choice.text} for choice in choices]


def load_choices(kept: Sequence[Mapping[str, str]]) -> tuple[Choice, ...]:
    """Return the choices that `dump_choices` wrote."""
    return tuple(Choice(**one) for one in kept)  # type: ignore[arg-type]  # effects are as they were written
