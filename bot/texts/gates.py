"""Texts of gates: labels of choices, the consequence of each choice, and how a gate was closed.

Looked up by effect and kind, never by a label: the engine knows no labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from bot.discord.formatting import plain
from bot.texts import BUTTON, caps
from engine.commands import Limits
from engine.domain.gates import HALF, TAKES_TEXT, Choice, GateBasis, GateEffect, GateKind, extension
from engine.queries import GateView

LABELS: Mapping[GateEffect, str] = {
    "approve": "Approve",
    "cancel": "Cancel the task",
    "raise_half": "Raise by 50 %",
    "wrap_up": "Wrap up",
    "stop": "Stop the task",
    "dismiss": "Dismiss",
    "accept": "Accept as is",
    "another_round": "Another round",
    "retry": "Try again",
    "allow_call": "Allow this call",
    "allow_tool": "Allow for this task",
    "refuse_call": "Refuse",
}
"""Labels of buttons and answers; an agent writes the labels of its own options."""

Way = GateEffect | Literal["limits", "text", "command"]
"""A way to answer: a choice, an approval with lower caps, free text, or the command that sets caps."""

_STOP = "the task ends now; its files are kept."
_WRAP = "all agents but the boss stop, and the boss submits the results so far."
_TEXT = "the boss receives your text and follows it."

MEANS: Mapping[GateKind, Mapping[Way, str]] = {
    "question": {},
    "plan": {
        "approve": "work starts on this plan, within {caps}.",
        "limits": "the same, with lower caps that you set.",
        "text": "the boss receives your text and changes the plan; this approves nothing.",
        "cancel": "the task ends before any work starts.",
    },
    "cap": {
        "raise_half": "work continues, within {more}. This needs the right to spend.",
        "wrap_up": f"{_WRAP} Up to 10 % more may be used for this, once.",
        "stop": _STOP,
        "command": "work continues, within caps that you set.",
    },
    "share": {
        "raise_half": "they continue, within {more}. This needs the right to spend.",
        "wrap_up": "they submit the results so far. Up to 10 % more may be used for this, once.",
        "dismiss": "the agent and all below it leave; their open work is cancelled; the task continues.",
        "command": "they continue, within caps that you set.",
    },
    "audit": {
        "accept": "the task is done, and marked as not confirmed by an audit.",
        "another_round": "the boss fixes what is missing, and the result is audited again.",
        "stop": _STOP,
        "text": _TEXT,
    },
    "stall": {
        "retry": "the boss is asked to continue.",
        "wrap_up": f"{_WRAP} Up to 10 % more may be used for this, once.",
        "stop": _STOP,
        "text": _TEXT,
    },
    "tool": {
        "allow_call": "exactly this call is made, once.",
        "allow_tool": (
            "this call is made, and further calls of this tool in this task without asking. This needs the "
            "right to spend."
        ),
        "refuse_call": "it is not made.",
        "text": "it is not made, and the agent receives your text.",
    },
}
"""The consequence of each way to answer a gate of the engine; an agent's question needs no explanation."""

COMMANDS: Mapping[GateKind, str] = {"cap": "/task cap", "share": "/agent cap"}

UNANSWERED = "-# **No answer**: work starts on this plan <t:{due}:R>, as with **Approve**."

UNANSWERED_QUESTION = "-# **No answer**: “{choice}” counts <t:{due}:R>."
TIMEOUT_QUESTION = "✔️ No answer in time, so this counts: {choice}"

CLOSED: Mapping[GateBasis, str] = {
    "timeout": "✔️ No answer in time, so work starts on the plan.",
    "task_ended": "✔️ The open question is closed: the task ended.",
    "cap_raised": "✔️ The open question is closed: the cap was raised.",
    "resumed": "✔️ The open question is closed: the task was resumed.",
    "wrapped_up": "✔️ The open question is closed: the task is being wrapped up.",
    "dismissed": "✔️ The open question is closed: the agent it concerns has left.",
}
"""Shown for gates that were closed without a person's answer."""


def closed_text(basis: GateBasis, choice: Choice | None) -> str:
    """Return how a gate was closed without a person's answer; `choice` is its default."""
    if basis == "timeout" and choice is not None and choice.effect == "option":
        return TIMEOUT_QUESTION.format(choice=plain(choice.text, 100))
    return CLOSED[basis]


def label(choice: Choice) -> str:
    """Return the label of a choice's button."""
    return choice.text if choice.effect == "option" else LABELS[choice.effect]


def text_label(kind: GateKind) -> str:
    """Return the label of the button for an answer as free text."""
    return BUTTON["edit"] if kind == "plan" else BUTTON["say"]


def choice_named(choices: Sequence[Choice], text: str) -> Choice | None:
    """Return the choice whose complete label is `text` (case and spacing ignored), None for free text."""
    typed = " ".join(text.split()).casefold()
    return next((c for c in choices if " ".join(label(c).split()).casefold() == typed), None)


def answer_text(choice: Choice | None, text: str, limits: Limits | None = None) -> str:
    """Return an answer as it is shown to people."""
    chosen = label(choice) if choice else ""
    within = caps(limits) if limits else ""
    return ": ".join(part for part in (f"{chosen} within {within}" if within else chosen, text) if part)


def meanings(gate: GateView, limits: Limits) -> str:
    """Return a line of small print for each way to answer, "" for an agent's own question.

    `limits` are the caps in question: the task's, or those of the subtree whose cap is reached.
    """
    values = {"caps": caps(limits), "more": _half_more(limits)}
    lines = [f"-# **{name}**: {MEANS[gate.kind][way].format(**values)}" for way, name in ways(gate)]
    if gate.due_at is not None:
        due = int(gate.due_at)
        question = gate.kind == "question"
        default = plain(label(gate.choices[0]), 100)
        lines.append((UNANSWERED_QUESTION if question else UNANSWERED).format(choice=default, due=due))
    return "\n".join(lines)


def ways(gate: GateView) -> list[tuple[Way, str]]:
    """Return the ways to answer a gate of the engine, each with the name that people see."""
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
    """Return the caps after a raise by 50 %: money, tokens, and additional minutes from now."""
    more = extension(limits, HALF)
    raised = caps(
        Limits(
            cost_micros=(limits.cost_micros or 0) + (more.cost_micros or 0),
            tokens=(limits.tokens or 0) + (more.tokens or 0),
        )
    )
    longer = f"{more.minutes:,} more minutes" if more.minutes else ""
    return " and ".join(part for part in (raised, longer) if part)
