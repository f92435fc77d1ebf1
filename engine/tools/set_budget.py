"""Tool set_budget: cap what a member and all below it may use."""

from __future__ import annotations

from pydantic import Field

from engine.budget.tree import capped_by
from engine.domain.effects import SetBudget
from engine.domain.naming import address_key
from engine.domain.outcomes import ToolResult
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.directory import my_members, not_mine


class SetBudgetArguments(Arguments):
    """Arguments of set_budget."""

    name: str = Field(description="a member of yours")
    usd: float | None = Field(None, gt=0, description="from now on, as all here")
    tokens: int | None = Field(None, ge=1)
    agents: int | None = Field(None, ge=1, description="itself counted")
    minutes: int | None = Field(None, ge=1)


async def set_budget(context: ToolContext, arguments: SetBudgetArguments) -> ToolResult:
    """Stage the cap, which counts from now on and so also resumes a stopped group. Raises ToolRefused."""
    if {arguments.usd, arguments.tokens, arguments.agents, arguments.minutes} == {None}:
        raise ToolRefused("Give usd, tokens, agents or minutes.")
    members = await my_members(context)
    key = address_key(arguments.name)
    if key not in members:
        raise not_mine(arguments.name, members)
    if await context.db.read(lambda c: capped_by(c, context.task.id, key)):
        raise ToolRefused(
            f"A person set the cap of {members[key]}, and only people change it. Ask with ask_human if it "
            "should have more."
        )
    micros = None if arguments.usd is None else round(arguments.usd * 1e6)
    context.stage(SetBudget(key, micros, arguments.tokens, arguments.agents, arguments.minutes))
    return ToolResult(f"{members[key]} and its members may use so much from now on.")


BUDGET = Tool(
    "set_budget", "Cap what a member and all below it use.", SetBudgetArguments, WORKERS, set_budget
)
