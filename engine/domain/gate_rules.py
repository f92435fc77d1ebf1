"""How long a gate waits, whom it reminds, and what happens when nobody answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.domain.gates import EFFECTS, SUBTREE_CAP, Choice, GateEffect, GateKind
from engine.errors import Invalid

GateDefault = GateEffect | Literal["decide"]
"""What an unanswered gate comes to; "decide": the agent that asked decides by itself."""

Stage = Literal["owner", "approvers", "administrators"]
STAGES: tuple[Stage, ...] = ("owner", "approvers", "administrators")
"""Who is reminded, one after another, before the default applies."""

LEAST_S, MOST_S = 60.0, 31 * 86_400.0
DAY_S = 86_400.0

DEFAULTS: Mapping[GateKind, tuple[GateDefault, ...]] = {
    "question": ("decide",),
    "plan": ("cancel", "approve"),
    "cap": ("stop", "wrap_up"),
    SUBTREE_CAP: ("wrap_up", "dismiss"),
    "month": ("wait_month", "stop"),
    "audit": ("stop", "accept", "another_round"),
    "stall": ("stop", "wrap_up", "retry"),
    "tool": ("refuse_call",),
    "packages": ("refuse_packages",),
    "action": ("refuse_action",),
}
"""The defaults that a space may choose for each kind, the usual one first.

Silence never makes a call to the world outside, does a protected action or fetches a package, never raises a
cap by half or a month's budget, and approves a plan or accepts a result only where a space has said so.
"""


@dataclass(frozen=True, slots=True)
class GateRule:
    """A gate of one kind waits `wait_s` seconds for people, then comes to `default`.

    `reminds`: whether people are reminded before.
    """

    wait_s: float
    default: GateDefault
    reminds: bool = True


USUAL: Mapping[GateKind, GateRule] = {kind: GateRule(DAY_S, choices[0]) for kind, choices in DEFAULTS.items()}
"""The rules of a space that has set none."""


def default_among(choices: Sequence[Choice], default: GateDefault) -> GateDefault:
    """Return what an unanswered gate with these choices comes to: one that does not offer its usual default
    falls back to the last of its choices, which ends or refuses."""
    if default == "decide" or any(choice.effect == default for choice in choices):
        return default
    return choices[-1].effect if choices else "decide"


DEMONSTRATION_WAIT_S = 45.0
IN_A_DEMONSTRATION: Mapping[GateKind, GateRule] = {
    "plan": GateRule(DEMONSTRATION_WAIT_S, "approve", reminds=False),
    "question": GateRule(DEMONSTRATION_WAIT_S, "option", reminds=False),
}
"""A demonstration goes on for who only watches: nothing is spent, and its files are its own."""


def changed_rule(kind: str, wait_s: float | None, default: str | None) -> tuple[GateKind, GateRule]:
    """Return the rule that a space wants for a kind of gate; None stands for the usual. Raises Invalid."""
    found = next((each for each in DEFAULTS if each == kind), None)
    if found is None:
        raise Invalid(f"There are no questions of the kind {kind}.", f"Use one of {', '.join(DEFAULTS)}.")
    wait_s = USUAL[found].wait_s if wait_s is None else wait_s
    default = USUAL[found].default if default is None else default
    if not LEAST_S <= wait_s <= MOST_S:
        raise Invalid("A question waits at least a minute and at most 31 days.", "Choose a time between.")
    chosen = next((each for each in DEFAULTS[found] if each == default), None)
    if chosen is None:
        named = ", ".join(DEFAULTS[found])
        raise Invalid("An unanswered question of this kind cannot come to that.", f"Choose one of {named}.")
    return found, GateRule(wait_s, chosen)


def first_reminder(now: float, rule: GateRule) -> float:
    """Return when the first stage is reminded of a gate raised at `now`; without reminders, the default."""
    if not rule.reminds:
        return now + rule.wait_s
    return now + rule.wait_s / (len(STAGES) + 1)


def after_reminder(now: float, rule: GateRule) -> float:
    """Return when the next stage, or after the last the default, follows a reminder at `now`.

    Counted from the reminder, not from the question: after a stop of the engine people get their time.
    """
    return now + rule.wait_s / (len(STAGES) + 1)


def due_after(stage: int, now: float, rule: GateRule) -> float:
    """Return when the default applies if stage `stage` is reminded at `now`."""
    return now + rule.wait_s * (len(STAGES) - stage) / (len(STAGES) + 1)


assert all(set(choices) <= {*EFFECTS[kind], "decide"} for kind, choices in DEFAULTS.items()), (
    "a default must be an effect that the kind has"
)
