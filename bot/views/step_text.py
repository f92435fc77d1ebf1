"""One step of an agent in words: what it read, thought and did (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from bot.words import cut, dollars, escape, fenced, plain, span
from engine.queries import AgentView, AssignmentView, StepView

SHOWN_CALLS = 4


def step_text(agent: AgentView, step: StepView) -> str:
    """At most 2,000 characters."""
    head = (
        f"### {plain(agent.name, 40)} · turn {step.turn}, step {step.step}\n"
        f"-# <t:{int(step.at)}:T> · took {span(step.seconds)} · {step.prompt_tokens:,} + "
        f"{step.completion_tokens:,} tokens · {dollars(step.cost_micros)} · {plain(step.model, 40)}"
    )
    parts = [head]
    if step.read:
        parts.append(f"**Read** {cut(escape(step.read), 400)}")
    if step.said:
        parts.append(f"**Said** {cut(escape(step.said), 400)}")
    parts += [_call(*call) for call in step.calls[:SHOWN_CALLS]]
    if len(step.calls) > SHOWN_CALLS:
        parts.append(f"-# and {len(step.calls) - SHOWN_CALLS} more calls")
    return cut("\n".join(parts), 2000)


def _call(tool: str, arguments: str, result: str) -> str:
    return f"**{plain(tool, 30)}**{fenced(arguments, 'json', 90)}→ {plain(result, 70)}"


def why_text(agent: AgentView, step: StepView | None, given: Sequence[AssignmentView]) -> str:
    """What led an agent to its words, at most 2,000 characters."""
    parts = [f"### Why {plain(agent.name, 40)} said that"]
    if step is not None and step.read:
        parts.append(f"**It had just read** {cut(escape(step.read), 500)}")
    for task in given[:3]:
        wanted = f" Done when: {plain(task.acceptance, 150)}" if task.acceptance else ""
        parts.append(f"**{plain(task.giver, 40)} gave it** {plain(task.title, 100)} ({task.state}).{wanted}")
    parts.append(f"**It is told to** {cut(escape(agent.instructions), 500)}")
    if step is not None and step.calls:
        parts.append(
            "**With its words it did** " + ", ".join(plain(tool, 30) for tool, _, _ in step.calls[:8])
        )
    return cut("\n".join(parts), 2000)
