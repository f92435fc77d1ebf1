"""Lines about servers of tools and their tools (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.discord.formatting import dollars, many, plain
from bot.texts import tools as wording
from engine.ports import AgentRole, OutsideTool, Policy, ServerState


def server_lines(states: Sequence[ServerState], tools: Sequence[OutsideTool], *, reasons: bool) -> list[str]:
    """Return a line per server and one per tool. `reasons`: say why a server is not ready."""
    lines: list[str] = []
    for state in states:
        own = [tool for tool in tools if tool.server == state.name]
        if not own and state.tools:
            continue  # a server for other servers of people
        name = plain(state.name, 60)
        lines.append(wording.SERVER[state.condition].format(name=name, count=many(len(own), "tool")))
        if reasons and state.detail:
            lines.append(wording.REASON.format(detail=plain(state.detail, 400)))
        lines += [tool_line(tool) for tool in own]
    return lines or [str(wording.NONE)]


def tool_line(tool: OutsideTool) -> str:
    """Return a tool with its policy and its price."""
    price = wording.PRICE.format(price=dollars(tool.price_micros)) if tool.price_micros else ""
    return wording.TOOL.format(tool=plain(tool.tool, 60), policy=policy_text(tool.policies), price=price)


def policy_text(policies: Mapping[AgentRole, Policy]) -> str:
    """Return who may call a tool how: one word when all roles are alike, else each policy with its roles."""
    kinds = list(dict.fromkeys(policies.values()))
    if len(kinds) == 1:
        return wording.POLICY[kinds[0]]
    return "; ".join(
        wording.FOR_ROLES.format(
            policy=wording.POLICY[kind], roles=", ".join(r for r, p in policies.items() if p == kind)
        )
        for kind in kinds
    )


def doctor_lines(states: Sequence[ServerState]) -> list[str]:
    """Return a line per server that is not ready, or one that all are, and notes about those that are."""
    bad = [state for state in states if state.condition != "ready"]
    notes = [
        wording.DOCTOR_NOTE.format(name=plain(s.name, 60), detail=plain(s.detail, 400))
        for s in states
        if s.condition == "ready" and s.detail
    ]
    if not bad:
        return [wording.DOCTOR_OK.format(count=many(len(states), "server")), *notes] if states else []
    return notes + [
        wording.DOCTOR_BAD.format(
            name=plain(s.name, 60), condition=wording.CONDITION[s.condition], detail=plain(s.detail, 400)
        )
        for s in bad
    ]
