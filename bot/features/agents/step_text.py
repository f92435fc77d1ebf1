"""Render a step of an agent as text: what it read, said and did (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from bot import texts
from bot.discord.formatting import cut, dollars, escape, fenced, many, plain, span
from engine.queries import AgentView, AssignmentView, StepView

SHOWN_CALLS = 4


def step_text(agent: AgentView, step: StepView, budget_line: str = "") -> str:
    """Return a step as text of at most 2,000 characters; `budget_line` comes from `budget_text`."""
    head = (
        f"### {plain(agent.name, 40)} · turn {step.turn}, step {step.step}\n"
        f"-# <t:{int(step.at)}:T> · took {span(step.seconds)} · {step.prompt_tokens:,} + "
        f"{step.completion_tokens:,} tokens · {dollars(step.cost_micros)} · {plain(step.model, 40)}"
    )
    parts = [head, budget_line] if budget_line else [head]
    if step.read:
        parts.append(f"**Read:** {cut(escape(step.read), 400)}")
    if step.said:
        parts.append(f"**Said:** {cut(escape(step.said), 400)}")
    parts += [_call(*call) for call in step.calls[:SHOWN_CALLS]]
    if len(step.calls) > SHOWN_CALLS:
        parts.append(f"-# and {len(step.calls) - SHOWN_CALLS} more calls")
    return cut("\n".join(parts), 2000)


def budget_text(agent: AgentView, below: Sequence[AgentView]) -> str:
    """Return the usage and caps of an agent and all `below` it; "" for a single agent without its own cap."""
    budget = agent.budget
    if budget is None and not below:
        return ""
    if budget is None:
        all_of_them = (agent, *below)
        there = sum(one.state != "dismissed" for one in all_of_them)
        tokens = sum(one.spend.prompt_tokens + one.spend.completion_tokens for one in all_of_them)
        money = dollars(sum(one.spend.cost_micros for one in all_of_them))
        return texts.SUBTREE_USED.format(used=f"{many(there, 'agent')} · {money} · {tokens:,} tokens")
    caps = budget.caps
    used = [
        f"{budget.agents} of {caps.agents} agents" if caps.agents else many(budget.agents, "agent"),
        dollars(budget.spent_micros) + (f" of {dollars(caps.cost_micros)}" if caps.cost_micros else ""),
        f"{budget.spent_tokens:,}" + (f" of {caps.tokens:,}" if caps.tokens else "") + " tokens",
        f"until <t:{int(budget.ends_at)}:t>" if budget.ends_at else "",
        texts.SUBTREE_STOPPED if budget.stopped else "",
    ]
    return texts.SUBTREE_USED.format(used=" · ".join(part for part in used if part))


def all_below(agent: AgentView, agents: Sequence[AgentView]) -> list[AgentView]:
    """Return all agents below an agent at any depth, dismissed ones included, in the order of `agents`."""
    under = {agent.id}
    for one in sorted(agents, key=lambda a: a.depth):
        if one.head_id in under:
            under.add(one.id)
    return [one for one in agents if one.id in under and one.id != agent.id]


def _call(tool: str, arguments: str, result: str) -> str:
    return f"**{plain(tool, 30)}**{fenced(arguments, 'json', 90)}→ {plain(result, 70)}"


def why_text(agent: AgentView, step: StepView | None, given: Sequence[AssignmentView]) -> str:
    """Return what led an agent to its message, in at most 2,000 characters."""
    parts = [f"### Why {plain(agent.name, 40)} said that"]
    if step is not None and step.read:
        parts.append(f"**It had just read:** {cut(escape(step.read), 500)}")
    for task in given[:3]:
        wanted = f" Done when: {plain(task.acceptance, 150)}" if task.acceptance else ""
        parts.append(
            f"**{plain(task.giver, 40)} assigned it:** {plain(task.title, 100)} ({task.state}).{wanted}"
        )
    parts.append(f"**Its instructions:** {cut(escape(agent.instructions), 500)}")
    if step is not None and step.calls:
        parts.append(
            "**In the same step it used:** " + ", ".join(plain(tool, 30) for tool, _, _ in step.calls[:8])
        )
    return cut("\n".join(parts), 2000)
