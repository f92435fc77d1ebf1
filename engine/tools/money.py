"""set_budget: what a member and all below it may spend."""

from __future__ import annotations

from pydantic import Field

from engine.domain.effects import SetBudget
from engine.domain.naming import name_key
from engine.tools.base import LEADERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.directory import my_members


class SetBudgetArguments(Arguments):
    """Arguments of set_budget."""

    name: str = Field(description="exact name of a member of your group")
    usd: float | None = Field(None, gt=0, description="dollars from now on")
    tokens: int | None = Field(None, gt=0, description="tokens from now on")


async def set_budget(context: ToolContext, arguments: SetBudgetArguments) -> str:
    """Stage the cap; it counts from now on, so it also lets a group that had stopped go on."""
    if arguments.usd is None and arguments.tokens is None:
        raise ToolRefused("Give usd or tokens.")
    members = await my_members(context)
    key = name_key(arguments.name)
    if key not in members:
        raise ToolRefused(f"{arguments.name} is not in your group. Yours: {', '.join(members.values())}.")
    micros = None if arguments.usd is None else round(arguments.usd * 1e6)
    context.stage(SetBudget(key, micros, arguments.tokens))
    return f"{members[key]} and its members may spend so much from now on."


BUDGET = Tool(
    "set_budget", "Cap what a member and its group may spend.", SetBudgetArguments, LEADERS, set_budget
)
