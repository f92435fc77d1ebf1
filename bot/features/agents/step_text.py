"""Render a step of an agent as pages: the whole of what it read, said, called and was answered (pure)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bot import texts
from bot.discord.formatting import dollars, escape, fenced, many, money_used, plain, span
from bot.outbox.split import split
from engine.queries import AgentView, AssignmentView, StepView

PAGE, SHORT = 1_650, 200
"""Characters of a step on one page, besides its head; and of an argument shown on one line."""


def step_pages(agent: AgentView, steps: Sequence[StepView], budget_line: str = "") -> list[str]:
    """Return the whole of the newest of `steps` as pages of at most 2,000 characters.

    The other steps of its turn say what it had read when it read nothing itself. `budget_line` comes from
    `budget_text`.
    """
    step = steps[0]
    title = texts.STEP_HEAD.format(name=plain(agent.name, 40), turn=step.turn, step=step.step)
    head = [title, _facts(step), *([budget_line] if budget_line else [])]
    return _paged(head, [*_read(steps), *_done(step)])


def why_pages(agent: AgentView, steps: Sequence[StepView], given: Sequence[AssignmentView]) -> list[str]:
    """Return what led an agent to the newest of `steps`, then all it did in it, as pages. What it was `given`
    after that step had begun led to nothing in it."""
    if steps:
        given = [each for each in given if each.given_at <= steps[0].at - steps[0].seconds]
    head = [texts.WHY_HEAD.format(name=plain(agent.name, 40)), *([_facts(steps[0])] if steps else [])]
    body = [_assigned(each) for each in given]
    if agent.instructions.strip():
        body.append(f"{texts.WHY_INSTRUCTIONS}\n{escape(agent.instructions)}")
    body = [*_read(steps), *body, *(_done(steps[0]) if steps else [])]
    return _paged(head, body)


def _paged(head: Sequence[str], body: Sequence[str]) -> list[str]:
    title = "\n".join(head)
    parts = split("\n".join(body), PAGE) or [texts.STEP_QUIET]
    if len(parts) == 1:
        return [f"{title}\n{parts[0]}"]
    marks = (texts.STEP_PAGE.format(number=n, of=len(parts)) for n in range(1, len(parts) + 1))
    return [f"{title}\n{mark}\n{part}" for mark, part in zip(marks, parts, strict=True)]


def _facts(step: StepView) -> str:
    return texts.STEP_FACTS.format(
        at=int(step.at),
        span=span(step.seconds),
        read=step.prompt_tokens,
        written=step.completion_tokens,
        cost=dollars(step.cost_micros),
        model=plain(step.model, 40),
    )


def _read(steps: Sequence[StepView]) -> list[str]:
    """What the newest step read, else what its turn began with."""
    for step in steps:
        if step.turn == steps[0].turn and step.read.strip():
            label = texts.STEP_READ if step is steps[0] else texts.STEP_READ_BEFORE
            return [f"{label}\n{_block(step.read)}"]
    return []


def _done(step: StepView) -> list[str]:
    said = [f"{texts.STEP_SAID}\n{escape(step.said)}"] if step.said.strip() else []
    return [*said, *(_call(*call) for call in step.calls)]


def _call(tool: str, arguments: str, result: str) -> str:
    head = texts.STEP_CALLED.format(tool=plain(tool, 60))
    answer = f"{texts.STEP_RESULT}\n{_block(result)}" if result.strip() else ""
    return "\n".join(part for part in (head, _arguments(arguments), answer) if part)


def _arguments(arguments: str) -> str:
    """Each argument with its name, texts of several lines as blocks; what is no object as it was written."""
    try:
        values = json.loads(arguments)
    except (ValueError, RecursionError):
        return _block(arguments) if arguments.strip() else ""
    if not isinstance(values, dict):
        return _block(arguments)
    return "\n".join(_argument(name, value) for name, value in values.items())


def _argument(name: str, value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    short = len(text) <= SHORT and "\n" not in text
    return f"{plain(name, 40)}: {escape(text)}" if short else f"{plain(name, 40)}:\n{_block(text)}"


def _block(text: str) -> str:
    return fenced(text.strip("\n"), limit=max(len(text) * 2, 1))


def _assigned(task: AssignmentView) -> str:
    text = texts.WHY_ASSIGNED.format(
        giver=plain(task.giver, 40), title=plain(task.title, 200), state=task.state
    )
    wanted = f" {texts.WHY_DONE_WHEN.format(acceptance=escape(task.acceptance))}" if task.acceptance else ""
    details = f"\n{_block(task.details)}" if task.details.strip() else ""
    return f"{text}{wanted}{details}"


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
        " of ".join(money_used(budget.spent_micros, caps.cost_micros))
        if caps.cost_micros
        else dollars(budget.spent_micros),
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
