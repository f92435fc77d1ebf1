"""How gates look to people: labels of the engine's choices, what each leads to, and how a gate was closed.

By effect and kind, never by what stands on a button: the engine knows no label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from bot.texts import BUTTON, caps
from engine.commands import Limits
from engine.domain.gates import HALF, TAKES_TEXT, Choice, GateBasis, GateEffect, GateKind, extension
from engine.queries import GateView

LABELS: Mapping[GateEffect, str] = {
    "approve": "Approve",
    "cancel": "Cancel the task",
    "raise_half": "Raise by half",
    "wrap_up": "Wrap up",
    "stop": "Stop the task",
    "dismiss": "Dismiss it",
    "accept": "Accept as it is",
    "another_round": "Another round",
    "retry": "Try again",
}
"""On buttons and in reports; an agent words its own options."""

Way = GateEffect | Literal["limits", "text", "command"]
"""A way to answer: a choice, an approval within lower caps, words, or the command that sets other caps."""

_STOP = "the task ends now; its files stay."
_WRAP = "everyone but the boss stops, and the boss hands in what there is."
_WORDS = "the boss gets your words and follows them."

MEANS: Mapping[GateKind, Mapping[Way, str]] = {
    "question": {},
    "plan": {
        "approve": "work begins by this plan, within {caps}.",
        "limits": "the same, within lower caps that you choose.",
        "text": "the boss gets your words and changes the plan; nothing is approved by them.",
        "cancel": "the task ends; no work has begun.",
    },
    "cap": {
        "raise_half": "work goes on, within {more}. This needs the right to spend.",
        "wrap_up": f"{_WRAP} Up to a tenth more may be used for that, once.",
        "stop": _STOP,
        "command": "work goes on, within caps that you choose.",
    },
    "share": {
        "raise_half": "they go on, within {more}. This needs the right to spend.",
        "wrap_up": "they hand in what there is. A tenth more may be used for that, once.",
        "dismiss": "it and all below it leave, their open work is cancelled; the task goes on.",
        "command": "they go on, within caps that you choose.",
    },
    "audit": {
        "accept": "the task is done, marked as not confirmed by an audit.",
        "another_round": "the boss repairs what is missing, and it is judged again.",
        "stop": _STOP,
        "text": _WORDS,
    },
    "stall": {
        "retry": "the boss is told to go on.",
        "wrap_up": f"{_WRAP} Up to a tenth more may be used for that, once.",
        "stop": _STOP,
        "text": _WORDS,
    },
}
"""What each way to answer a question of the engine's leads to; an agent's own question explains itself."""

COMMANDS: Mapping[GateKind, str] = {"cap": "/task cap", "share": "/agent cap"}

UNANSWERED = "-# **No answer**: work begins by this plan <t:{due}:R>, as after **Approve**."

CLOSED: Mapping[GateBasis, str] = {
    "timeout": "✔️ Nobody answered in time, so work begins by the plan.",
    "task_ended": "✔️ The open question is closed: the task ended.",
    "cap_raised": "✔️ The open question is closed: the cap was raised.",
    "resumed": "✔️ The open question is closed: the task goes on.",
    "wrapped_up": "✔️ The open question is closed: the task is wrapped up.",
    "dismissed": "✔️ The open question is closed: the agent it was about has left.",
}
"""Where no person answered."""


def label(choice: Choice) -> str:
    """What stands on the button of a choice."""
    return choice.text if choice.effect == "option" else LABELS[choice.effect]


def text_label(kind: GateKind) -> str:
    """What stands on the button for an answer in words."""
    return BUTTON["edit"] if kind == "plan" else BUTTON["say"]


def choice_named(choices: Sequence[Choice], words: str) -> Choice | None:
    """The choice whose whole label somebody typed; None for anything else, which is free text."""
    typed = " ".join(words.split()).casefold()
    return next((c for c in choices if " ".join(label(c).split()).casefold() == typed), None)


def answer_words(choice: Choice | None, text: str, limits: Limits | None = None) -> str:
    """An answer as people read it."""
    chosen = label(choice) if choice else ""
    within = caps(limits) if limits else ""
    return ": ".join(part for part in (f"{chosen} within {within}" if within else chosen, text) if part)


def meanings(gate: GateView, limits: Limits) -> str:
    """A line of small print for each way to answer; "" for an agent's own question.

    `limits`: the caps it is about, the task's or, where a part's is reached, those of the part.
    """
    values = {"caps": caps(limits), "more": _half_more(limits)}
    lines = [f"-# **{name}**: {MEANS[gate.kind][way].format(**values)}" for way, name in ways(gate)]
    if gate.due_at is not None:
        lines.append(UNANSWERED.format(due=int(gate.due_at)))
    return "\n".join(lines)


def ways(gate: GateView) -> list[tuple[Way, str]]:
    """The ways to answer a question of the engine's, each with the name people know it by."""
    if gate.kind == "question":
        return []
    found: list[tuple[Way, str]] = [(choice.effect, label(choice)) for choice in gate.choices]
    if gate.kind in TAKES_TEXT:
        found.append(("text", text_label(gate.kind)))
    if any(choice.effect == "approve" for choice in gate.choices):
        found.append(("limits", BUTTON["plan_cap"]))
    if gate.kind in COMMANDS:
        found.append(("command", COMMANDS[gate.kind]))
    return found


def _half_more(limits: Limits) -> str:
    """Caps after a raise by half: money and tokens, and as much more time from now."""
    more = extension(limits, HALF)
    raised = caps(
        Limits(
            cost_micros=(limits.cost_micros or 0) + (more.cost_micros or 0),
            tokens=(limits.tokens or 0) + (more.tokens or 0),
        )
    )
    longer = f"{more.minutes:,} more minutes" if more.minutes else ""
    return " and ".join(part for part in (raised, longer) if part)
