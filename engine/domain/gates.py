"""Gates: questions for people, their choices, and the answers that each kind allows. Pure.

A choice is an id and an effect. Labels of the engine's own choices are neither stored nor read here; they
belong to the user interface.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.commands import Limits
from engine.errors import Invalid

GateKind = Literal[
    "question", "plan", "cap", "share", "month", "audit", "stall", "tool", "packages", "action"
]
"""What is asked: an agent's own question, a plan, a task's cap, a subtree's cap, a month's budget that is
used up, the result, a standstill, one call to a tool of the world outside, packages for programs, a protected
action."""

SUBTREE_CAP: Literal["share"] = "share"
"""The kind of a gate about a subtree's cap, under the name that is stored."""

GateEffect = Literal[
    "approve",
    "cancel",
    "refuse_plan",
    "raise_half",
    "raise_month",
    "wait_month",
    "wrap_up",
    "stop",
    "dismiss",
    "accept",
    "another_round",
    "retry",
    "option",
    "allow_call",
    "allow_tool",
    "refuse_call",
    "allow_packages",
    "refuse_packages",
    "allow_action",
    "refuse_action",
]
"""What a choice does; "option" sends an agent the option that it offered itself."""

GateBasis = Literal[
    "person",
    "timeout",
    "task_ended",
    "cap_raised",
    "new_month",
    "resumed",
    "wrapped_up",
    "dismissed",
    "withdrawn",
]
"""Why a gate is closed: a person answered, nobody did in time, or another change made it moot ("withdrawn":
its agent handed in its work without the answer)."""

EFFECTS: Mapping[GateKind, tuple[GateEffect, ...]] = {
    "question": (),
    "plan": ("approve", "cancel", "refuse_plan"),
    "cap": ("raise_half", "wrap_up", "stop"),
    SUBTREE_CAP: ("raise_half", "wrap_up", "dismiss"),
    "month": ("raise_month", "wait_month", "stop"),
    "audit": ("accept", "another_round", "stop"),
    "stall": ("retry", "wrap_up", "stop"),
    "tool": ("allow_call", "allow_tool", "refuse_call"),
    "packages": ("allow_packages", "refuse_packages"),
    "action": ("allow_action", "refuse_action"),
}
"""The choices of each kind in the order they are offered; an agent's question has its own."""

TAKES_TEXT: frozenset[GateKind] = frozenset(
    {"question", "plan", "audit", "stall", "tool", "packages", "action"}
)
"""Kinds that accept free text: it is sent to an agent and its wording decides nothing."""

CARRIES_TEXT: frozenset[GateEffect] = frozenset(
    {
        "approve",
        "another_round",
        "retry",
        "option",
        "refuse_plan",
        "refuse_call",
        "refuse_packages",
        "refuse_action",
    }
)
"""Effects that pass on text with the choice; for the others there is no reader."""

SAID: Mapping[GateEffect, str] = {
    "approve": "The plan is approved.",
    "cancel": "The plan is refused and the task stopped.",
    "refuse_plan": "The plan is refused; work goes on without it.",
    "raise_half": "Half as much again may be used.",
    "raise_month": "The month's budget is raised.",
    "wait_month": "The task waits for the month's budget.",
    "wrap_up": "Wrap up with what there is.",
    "stop": "Stop the task.",
    "dismiss": "Dismiss the agent.",
    "accept": "The result is accepted as it is.",
    "another_round": "Another round: repair what was found.",
    "retry": "Try again.",
    "allow_call": "The call is allowed.",
    "allow_tool": "The call is allowed, and this tool for the rest of the task.",
    "refuse_call": "The call is refused.",
    "allow_packages": "The packages are allowed.",
    "refuse_packages": "The packages are refused.",
    "allow_action": "The action is allowed.",
    "refuse_action": "The action is refused.",
}
"""What the choice of an effect says, in words for agents; an "option" has its own."""

MAX_TEXT = 20_000
HALF, TENTH = 2, 10
"""A cap is raised by one half to continue, by one tenth to wrap up."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One possible answer. `id` is unique in its gate; `text` only for an agent's own options."""

    id: str
    effect: GateEffect
    text: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A valid answer: a choice, or free text without one; `limits` only with an approval."""

    choice: Choice | None
    text: str
    limits: Limits | None


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What became of a gate: `basis` None while it is open."""

    kind: GateKind
    basis: GateBasis | None
    choice_id: str | None
    text: str


def choices_of(
    kind: GateKind, options: Sequence[str] = (), *, wrapped: bool = False, at_work: bool = False
) -> tuple[Choice, ...]:
    """Return the choices of a new gate; `options` are those of an agent's question.

    `wrapped`: the task, or subtree, has already been given a tenth to wrap up, so that is not offered again.
    `at_work`: of a plan, that a team works already; refusing the plan then leaves that as it is.
    """
    if kind == "question":
        return tuple(Choice(f"o{number}", "option", text) for number, text in enumerate(options, 1))
    not_offered = {"cancel" if at_work else "refuse_plan", "wrap_up" if wrapped else ""}
    return tuple(Choice(effect, effect) for effect in EFFECTS[kind] if effect not in not_offered)


def choice_of(choices: Sequence[Choice], choice_id: str | None) -> Choice | None:
    """Return the choice with this id, None when there is none."""
    return next((choice for choice in choices if choice.id == choice_id), None)


def check_answer(
    kind: GateKind, choices: Sequence[Choice], choice_id: str | None, text: str, limits: Limits | None
) -> Answer:
    """Return the validated answer. Raises Invalid for one that the gate does not allow."""
    words, caps = text.strip(), None if limits == Limits() else limits
    if len(words) > MAX_TEXT:
        raise Invalid(f"The answer has {len(words):,} characters; at most {MAX_TEXT:,} fit.", "Shorten it.")
    choice = choice_of(choices, choice_id)
    if choice_id is not None and choice is None:
        raise Invalid("This question has no such choice.", "Choose one of its choices.")
    if caps is not None and (choice is None or choice.effect != "approve"):
        raise Invalid("Only the approval of a plan can set caps.", "Change them separately.")
    if choice is None and not words:
        raise Invalid("The answer is empty.", "Choose one of the choices or write an answer.")
    if choice is None and kind not in TAKES_TEXT:
        raise Invalid("This question cannot be answered with text.", "Choose one of its choices.")
    if choice is not None and words and choice.effect not in CARRIES_TEXT:
        raise Invalid("This choice cannot be combined with text.", "Choose it without text.")
    return Answer(choice, words, caps)


def check_lower(limits: Limits, now: Limits) -> None:
    """Check the limits of an approval: only lower caps on agents, money, tokens and minutes. Raises
    Invalid."""
    if any(value is not None for value in (limits.depth, limits.members, limits.steps)):
        raise Invalid(
            "An approval can cap only money, tokens, agents and minutes.", "Leave out the other limits."
        )
    for name in ("agents", "cost_micros", "tokens", "minutes"):
        asked, usual = getattr(limits, name), getattr(now, name)
        if asked is not None and usual is not None and asked > usual:
            raise Invalid("An approval can lower caps, not raise them.", "Raise them first, then approve.")


def extension(caps: Limits, part: int) -> Limits:
    """Return what raises the caps on money, tokens and minutes by one `part`-th, at least 1 each."""

    def more(cap: int | None) -> int | None:
        return None if cap is None else max(cap // part, 1)

    return Limits(cost_micros=more(caps.cost_micros), tokens=more(caps.tokens), minutes=more(caps.minutes))


def dump_choices(choices: Sequence[Choice]) -> list[dict[str, str]]:
    """Return the choices ready for JSON."""
    return [{"id": choice.id, "effect": choice.effect, "text": choice.text} for choice in choices]


def load_choices(kept: Sequence[Mapping[str, str]]) -> tuple[Choice, ...]:
    """Return the choices that `dump_choices` wrote."""
    return tuple(Choice(**one) for one in kept)  # type: ignore[arg-type]  # effects are as they were written
