"""One step of an agent in words: what it read, thought and did (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from bot import texts
from bot.discord.formatting import cut, dollars, escape, fenced, many, plain, span
from engine.queries import AgentView, AssignmentView, StepView

SHOWN_CALLS = 4


def step_text(agent: AgentView, step: StepView, share: str = "") -> str:
    """At most 2,000 characters; `share` is the line of `share_text`."""
    head = (
        f"### {plain(agent.name, 40)} · turn {step.turn}, step {step.step}\n"
        f"-# <t:{int(step.at)}:T> · took {span(step.seconds)} · {step.prompt_tokens:,} + "
        f"{step.completion_tokens:,} tokens · {dollars(step.cost_micros)} · {plain(step.model, 40)}"
    )
    parts = [head, share] if share else [head]
    if step.read:
        parts.append(f"**Read** {cut(escape(step.read), 400)}")
    if step.said:
        parts.append(f"**Said** {cut(escape(step.said), 400)}")
    parts += [_call(*call) for call in step.calls[:SHOWN_CALLS]]
    if len(step.calls) > SHOWN_CALLS:
        parts.append(f"-# and {len(step.calls) - SHOWN_CALLS} more calls")
    return cut("\n".join(parts), 2000)


def share_text(agent: AgentView, below: Sequence[AgentView]) -> str:
    """What an agent and all `below` it used, of what they may; "" for one alone without a cap of its own."""
    budget = agent.budget
    if budget is None and not below:
        return ""
    if budget is None:
        all_of_them = (agent, *below)
        there = sum(one.state != "dismissed" for one in all_of_them)
        tokens = sum(one.spend.prompt_tokens + one.spend.completion_tokens for one in all_of_them)
        money = dollars(sum(one.spend.cost_micros for one in all_of_them))
        return texts.SHARE.format(used=f"{many(there, 'agent')} · {money} · {tokens:,} tokens")
    caps = budget.caps
    used = [
        f"{budget.agents} of {caps.agents} agents" if caps.agents else many(budget.agents, "agent"),
        dollars(budget.spent_micros) + (f" of {dollars(caps.cost_micros)}" if caps.cost_micros else ""),
        f"{budget.spent_tokens:,}" + (f" of {caps.tokens:,}" if caps.tokens else "") + " tokens",
        f"until <t:{int(budget.ends_at)}:t>" if budget.ends_at else "",
        texts.SHARE_STOPPED if budget.stopped else "",
    ]
    return texts.SHARE.format(used=" · ".join(part for part in used if part))


def all_below(agent: AgentView, agents: Sequence[AgentView]) -> list[AgentView]:
    """Everyone under an agent, at any depth, those who left too; `agents` in order of joining."""
    under = {agent.id}
    for one in sorted(agents, key=lambda a: a.depth):
        if one.head_id in under:
            under.add(one.id)
    return [one for one in agents if one.id in under and one.id != agent.id]


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
