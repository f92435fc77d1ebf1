"""Texts of gates: labels of choices, the consequence of each choice, and how a gate was closed.

Looked up by effect and kind, never by a label: the engine knows no labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from bot.discord.formatting import plain
from bot.discord.identities import owner_id
from bot.texts import BUTTON, caps
from engine.commands import Limits
from engine.domain.gate_rules import GateDefault, Stage
from engine.domain.gates import HALF, TAKES_TEXT, Choice, GateBasis, GateEffect, GateKind, extension
from engine.queries import GateView

LABELS: Mapping[GateEffect, str] = {
    "approve": "Approve",
    "cancel": "Cancel the task",
    "refuse_plan": "No, go on as it is",
    "raise_half": "Raise by 50%",
    "raise_month": "Raise by 50% for this month",
    "wait_month": "Wait",
    "wrap_up": "Wrap up",
    "stop": "Stop the task",
    "dismiss": "Dismiss",
    "accept": "Accept as is",
    "another_round": "Another round",
    "retry": "Try again",
    "allow_call": "Allow this call",
    "allow_tool": "Allow for this task",
    "refuse_call": "Refuse",
    "allow_packages": "Allow the packages",
    "refuse_packages": "Refuse the packages",
    "allow_action": "Allow once",
    "refuse_action": "Do not allow",
}
"""Labels of buttons and answers; an agent writes the labels of its own options."""

NO_LIMITS = Limits()

Way = GateEffect | Literal["limits", "text", "command"]
"""A way to answer: a choice, an approval with lower caps, free text, or the command that sets caps."""

_STOP = "the task ends now; its files are kept."
_WRAP = "all agents but the boss stop, and the boss submits the results so far."
_TEXT = "the boss receives your text and follows it."

MEANS: Mapping[GateKind, Mapping[Way, str]] = {
    "question": {},
    "plan": {
        "approve": "work starts on this plan, within {caps}.",
        "limits": "work starts on this plan, with lower caps that you set.",
        "text": "the boss receives your text and changes the plan; this approves nothing.",
        "cancel": "the task ends, and nothing of this plan is done; files made so far are kept.",
        "refuse_plan": "the team that there is goes on without this plan.",
    },
    "cap": {
        "raise_half": "work continues, within {more}. This needs the right to spend.",
        "wrap_up": f"{_WRAP} Up to 10% more may be used for this, once.",
        "stop": _STOP,
        "command": "work continues, within caps that you set.",
    },
    "share": {
        "raise_half": "these agents continue, within {more}. This needs the right to spend.",
        "wrap_up": "these agents submit the results so far. Up to 10% more may be used for this, once.",
        "dismiss": "the agent and all below it leave; their open work is cancelled; the task continues.",
        "command": "these agents continue, within caps that you set.",
    },
    "month": {
        "raise_month": (
            "the used-up budget is raised by 50% for this month, and all tasks that wait for it resume. "
            "This needs the right to spend."
        ),
        "wait_month": (
            "the task stays paused, and resumes by itself when the next month begins or the budget is raised."
        ),
        "stop": _STOP,
        "command": "all waiting tasks resume, within budgets that someone who manages the server sets.",
    },
    "audit": {
        "accept": "the task is done, and marked as not confirmed by an audit.",
        "another_round": "the boss fixes what is missing, and the result is audited again.",
        "stop": _STOP,
        "text": _TEXT,
    },
    "stall": {
        "retry": "the boss is asked to continue.",
        "wrap_up": f"{_WRAP} Up to 10% more may be used for this, once.",
        "stop": _STOP,
        "text": _TEXT,
    },
    "tool": {
        "allow_call": "exactly this call is made, once.",
        "allow_tool": (
            "this call is made, and this task may use this tool from now on without asking. This needs the "
            "right to spend."
        ),
        "refuse_call": "the call is not made.",
        "text": "the call is not made, and the agent receives your text.",
    },
    "packages": {
        "allow_packages": (
            "the packages and their dependencies are installed from the index for this task's programs."
        ),
        "refuse_packages": "the agent works without them.",
        "text": "nothing is installed, and the agent receives your text.",
    },
    "action": {
        "allow_action": "the agent does exactly this, once; for any change you are asked again.",
        "refuse_action": "the agent does not do it.",
        "text": "the agent does not do it, and receives your text.",
    },
}
"""The consequence of each way to answer a gate of the engine; an agent's question needs no explanation."""

WRAPPING_UP: Mapping[GateKind, Mapping[Way, str]] = {
    "cap": {
        "raise_half": "the boss brings the work to its end, within {more}. This needs the right to spend.",
        "command": "the boss brings the work to its end, within caps that you set.",
    },
    "stall": {"retry": "the boss is asked again to bring the work to its end."},
}
"""The same where the task has been told to wrap up, which is then not offered again."""

COMMANDS: Mapping[GateKind, str] = {"cap": "/task cap", "share": "/agent cap", "month": "/setup"}

NO_ANSWER = "**No answer** by <t:{due}:f>: {means}"
UNANSWERED = f"-# {NO_ANSWER}"
DECIDES = "the agent decides by itself and states what it assumed."
COUNTS = "the first option applies."

ASKS: Mapping[GateKind, str] = {
    "question": "❓ {question}",
    "plan": "🗺️ **Do you approve this plan?**",
    "cap": "💰 {question}",
    "share": "💰 {question}",
    "month": "💰 {question}",
    "audit": "🔍 **You decide:** {question}",
    "stall": "🧱 **The work needs your decision.** {question}",
    "tool": "🔌 {question}",
    "action": "🛡️ Allow this? {question}",
    "packages": "📦 Install these Python packages for this task's programs? {question}",
}
"""A gate's question as it is posted; questions, plans and audits by the persona that asks."""

REMINDER: Mapping[Stage, str] = {
    "owner": "⏰ {who}This question is still open: {question}",
    "approvers": "⏰ {who}Nobody has answered yet: {question}",
    "administrators": "⏰ Task #{task} is waiting in {place} for an answer: {question}",
}
"""Reminders of an open gate; `who` mentions those who are reminded."""

TIMED_OUT: Mapping[GateDefault, str] = {
    "decide": "-# ✔️ No answer in time: the agent decides by itself.",
    "option": "-# ✔️ No answer in time, so this applies: {choice}",
    "approve": "-# ✔️ No answer in time, so work starts on the plan.",
    "cancel": "-# ✔️ Nobody approved the plan in time, so the task ends.",
    "refuse_plan": "-# ✔️ Nobody approved the plan in time, so work goes on without it.",
    "stop": "-# ✔️ No answer in time, so the task ends; its files are kept.",
    "wrap_up": "-# ✔️ No answer in time, so the work is wrapped up.",
    "wait_month": "-# ✔️ No answer in time: the task waits for the next month, or for a larger budget.",
    "dismiss": "-# ✔️ No answer in time, so the agent and all below it leave.",
    "accept": "-# ✔️ No answer in time, so the result stays as it is, not confirmed by an audit.",
    "another_round": "-# ✔️ No answer in time, so the work gets another round.",
    "retry": "-# ✔️ No answer in time, so the boss tries again.",
    "refuse_call": "-# ✔️ No answer in time, so the call is not made.",
    "refuse_action": "-# ✔️ No answer in time, so the action is not done.",
    "refuse_packages": "-# ✔️ No answer in time, so the packages are not installed.",
}
"""Shown for gates that nobody answered, by what they came to."""

CLOSED: Mapping[GateBasis, str] = {
    "person": "-# ✔️ {who} answered: {answer}",
    "task_ended": "-# ✔️ Closed: the task ended.",
    "cap_raised": "-# ✔️ Closed: the cap was raised.",
    "new_month": "-# ✔️ Closed: a new month began.",
    "resumed": "-# ✔️ Closed: the task was resumed.",
    "wrapped_up": "-# ✔️ Closed: the task is being wrapped up.",
    "dismissed": "-# ✔️ Closed: the agent it concerns has left.",
    "withdrawn": "-# ✔️ Closed: the agent handed in its work without an answer.",
}
"""The line that stands under a gate's question once it is closed, where its buttons were explained."""


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


def question_text(kind: GateKind, question: str) -> str:
    """Return a gate's question as it is posted; of a plan only the request, its card holds the rest."""
    return ASKS[kind].format(question=question)


def closed_text(gate: GateView, asked: str) -> str:
    """Return what a closed gate's message says: what was asked, and who answered what or why it is closed."""
    person = owner_id(gate.answered_by)
    who = f"<@{person}>" if person is not None else plain(gate.answered_by, 80)
    answer = plain(answer_text(gate.chosen, gate.text, gate.limits), 300)
    if gate.basis == "timeout":
        effect: GateDefault = gate.chosen.effect if gate.chosen else "decide"
        return f"{asked}\n{TIMED_OUT[effect].format(choice=answer)}"
    return f"{asked}\n{CLOSED[gate.basis or 'task_ended'].format(who=who, answer=answer)}"


def answer_text(choice: Choice | None, text: str, limits: Limits | None = None) -> str:
    """Return an answer as it is shown to people."""
    chosen = label(choice) if choice else ""
    within = caps(limits) if limits else ""
    return ": ".join(part for part in (f"{chosen} within {within}" if within else chosen, text) if part)


def meanings(gate: GateView, limits: Limits) -> str:
    """Return a line for each way to answer, "" for an agent's own question: small print below a question, a
    list at the end of a plan's card.

    `limits` are the caps in question: the task's, or those of the subtree whose cap is reached.
    """
    values = {"caps": caps(limits), "more": _half_more(limits)}
    offered = ways(gate)
    means = MEANS[gate.kind]
    if gate.kind in WRAPPING_UP and not any(way == "wrap_up" for way, _ in offered):
        means = {**means, **WRAPPING_UP[gate.kind]}
    lines = [f"**{name}**: {means[way].format(**values)}" for way, name in offered]
    if gate.due_at is not None and gate.default is not None:
        comes_to = default_means(gate.kind, gate.default, limits)
        lines.append(NO_ANSWER.format(due=int(gate.due_at), means=comes_to))
    mark = "•" if gate.kind == "plan" else "-#"
    return "\n".join(f"{mark} {line}" for line in lines)


def default_means(kind: GateKind, default: GateDefault, limits: Limits = NO_LIMITS) -> str:
    """Return what an unanswered gate comes to."""
    if default == "decide":
        return DECIDES
    if default == "option":
        return COUNTS
    return MEANS[kind][default].format(caps=caps(limits), more=_half_more(limits))


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
    """Return the caps after a raise by 50%: money, tokens, and additional minutes from now."""
    more = extension(limits, HALF)
    raised = caps(
        Limits(
            cost_micros=(limits.cost_micros or 0) + (more.cost_micros or 0),
            tokens=(limits.tokens or 0) + (more.tokens or 0),
        )
    )
    longer = f"{more.minutes:,} more minutes" if more.minutes else ""
    return " and ".join(part for part in (raised, longer) if part)
