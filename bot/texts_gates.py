"""What each button of a question leads to, with its numbers, in the voice of `bot.texts`."""

from __future__ import annotations

from bot.texts import BUTTON, caps
from engine.commands import Limits
from engine.events import GateKind

_STOP = "the task ends now; its files stay."
_WRAP = "everyone but the boss stops, and the boss hands in what there is."
_WORDS = "the boss gets your words and follows them."

MEANS: dict[GateKind, dict[str, str]] = {
    "question": {},
    "plan": {
        "Approve": "work begins by this plan, within {caps}.",
        BUTTON["plan_cap"]: "the same, with lower caps that you choose.",
        BUTTON["edit"]: _WORDS,
        "Cancel the task": "it ends; no work has begun.",
    },
    "cap": {
        "Raise by half": "work goes on, within {more}; for those who may spend.",
        "Wrap up": f"{_WRAP} Up to a tenth more may be used for that.",
        "Stop the task": _STOP,
        "/task cap": "work goes on, within caps that you choose.",
    },
    "share": {
        "Raise by half": "they go on, within half as much again; for those who may spend.",
        "Wrap it up": "they hand in what there is. A tenth more may be used for that.",
        "Dismiss it": "it and all below it leave, their open work is cancelled; the task goes on.",
        "/agent cap": "they go on, within caps that you choose.",
    },
    "audit": {
        "Accept as it is": "the task is done, marked as not confirmed by an audit.",
        "Another round": "the boss mends what is missing, and it is judged again.",
        "Stop the task": _STOP,
        BUTTON["say"]: _WORDS,
    },
    "stall": {
        "Try again": "the boss is told to go on.",
        "Wrap up with what there is": _WRAP,
        "Stop the task": _STOP,
        BUTTON["say"]: _WORDS,
    },
}
"""By the engine's options, which are its words, and by the buttons beside them."""


UNANSWERED = "-# **No answer**: work begins by this plan <t:{due}:R>, as after **Approve**."


def meanings(kind: GateKind, limits: Limits, due_at: float | None = None) -> str:
    """A line of small print for each button of a question of the engine's; "" for an agent's own question.

    `due_at`: unix time at which no answer counts as one.
    """
    values = {"caps": caps(limits), "more": _by_half(limits)}
    lines = [f"-# **{name}**: {text.format(**values)}" for name, text in MEANS[kind].items()]
    return "\n".join([*lines, UNANSWERED.format(due=int(due_at))] if due_at else lines)


def _by_half(limits: Limits) -> str:
    """Caps after a raise by half, as the engine raises: money and tokens, and as much time again from now."""
    micros, tokens = limits.cost_micros or 0, limits.tokens or 0
    raised = caps(Limits(cost_micros=micros + micros // 2, tokens=tokens + tokens // 2))
    return f"{raised} and {max((limits.minutes or 0) // 2, 1):,} more minutes"
