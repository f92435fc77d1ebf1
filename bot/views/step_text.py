"""One step of an agent in words: what it read, thought and did (pure)."""

from __future__ import annotations

from bot.words import cut, dollars, escape, fenced, plain, span
from engine.queries import AgentView, StepView

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
