"""recruit, dismiss, propose_plan: who works on it."""

from __future__ import annotations

from pydantic import Field

from engine.budget.tree import room_for_agents
from engine.domain.budget import estimated_micros
from engine.domain.effects import Dismiss, ProposePlan, Recruit, SetBudget, slot_mark
from engine.domain.naming import clean_name, is_reserved, is_role, name_key
from engine.domain.outcomes import Joined, Slot, ToolResult
from engine.store.lookup import budget_path
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.directory import my_members, not_mine

TOKENS_AN_AGENT = 60_000
"""Taken for an agent when the boss estimates nothing: about a dozen calls with their prompts."""

MINUTES, AGENTS_A_MINUTE = 13, 16
"""Taken when the boss estimates no time: a line through the paper's two works (7 agents took 13 minutes,
590 took 50)."""


class NewMember(Arguments):
    """One agent to recruit."""

    name: str = Field(min_length=1, max_length=60, description="a short name")
    role: str = Field(min_length=1, max_length=200, description="what it is, in a few words")
    instructions: str = Field(
        min_length=1, description="its part, its files, with whom to agree, what done means"
    )
    budget_usd: float | None = Field(None, gt=0, description="what it and its members may spend")


class RecruitArguments(Arguments):
    """Arguments of recruit."""

    members: list[NewMember] = Field(min_length=1, max_length=30)
    group: str = Field("", max_length=60, description="name of your group, when it is new")


async def recruit(context: ToolContext, arguments: RecruitArguments) -> ToolResult:
    """Stage the new members; the first makes the caller head of a new group."""
    await _check_room(context, arguments)
    slots = [_stage_member(context, member, arguments.group) for member in arguments.members]
    marks = ", ".join(slot_mark("agent", slot.number) for slot in slots)
    return ToolResult(f"Joined your group: {marks}. Now assign each its work.", Joined(tuple(slots)))


async def _check_room(context: ToolContext, arguments: RecruitArguments) -> None:
    task, wanted = context.task, len(arguments.members)
    if context.agent.depth + 1 > task.max_depth:
        raise ToolRefused(f"The hierarchy may be {task.max_depth} deep. Do this part yourself.")
    members = await my_members(context)
    for member in arguments.members:
        if is_reserved(member.name) or is_role(member.name):
            raise ToolRefused(
                f"{clean_name(member.name)} would pass for the engine, a person or a role. "
                "Give it a name of its own."
            )
        if name_key(clean_name(member.name)) in members:
            raise ToolRefused(f"{member.name} is already in your group. Assign the work to it instead.")
    if len(members) + wanted > task.max_members:
        raise ToolRefused(
            f"A head may lead {task.max_members}; you have {len(members)}. "
            "Let members recruit members of their own."
        )
    if task.agents + wanted > task.max_agents:
        raise ToolRefused(
            f"This task may have {task.max_agents} agents and has {task.agents}. "
            "Recruit fewer or do it yourself."
        )
    await _check_share(context, wanted)
    _check_plan(context, wanted)


async def _check_share(context: ToolContext, wanted: int) -> None:
    """A subtree's own cap on agents; a task with none has a path of one budget."""
    path = budget_path(context.agent.budget_path)
    if len(path) > 1:
        room = await context.db.read(lambda c: room_for_agents(c, path))
        if room is not None and wanted > room:
            raise ToolRefused(
                f"Your group may have {max(room, 0)} more agents. Recruit fewer, or ask your head for more."
            )


def _check_plan(context: ToolContext, wanted: int) -> None:
    if context.task.plan_state == "proposed":
        raise ToolRefused(
            "Your plan waits for the people's approval. End your turn; you are woken by the answer."
        )
    large = context.task.agents + wanted > context.options.plan_approval_over
    if not large or context.task.plan_state != "none":
        return
    if context.agent.role == "boss":
        raise ToolRefused(
            f"More than {context.options.plan_approval_over} agents: call propose_plan first, then recruit."
        )
    if context.task.attended:
        raise ToolRefused(
            f"More than {context.options.plan_approval_over} agents need a plan that the people have seen. "
            "Ask the boss to call propose_plan, or do it with fewer."
        )


def _stage_member(context: ToolContext, member: NewMember, group: str) -> Slot:
    slot = context.slot()
    name = clean_name(member.name) or "Agent"
    title = " ".join(member.role.split())
    context.stage(
        Recruit(slot, name, title, member.instructions, clean_name(group) or f"{context.agent.name} group")
    )
    context.recruited[name_key(name)] = name
    context.newcomers[name_key(name)] = Slot("agent", slot)
    if member.budget_usd is not None:
        context.stage(SetBudget(name_key(name), round(member.budget_usd * 1e6)))
    return Slot("agent", slot)


class DismissArguments(Arguments):
    """Arguments of dismiss."""

    name: str
    reason: str = Field(min_length=1)


async def dismiss(context: ToolContext, arguments: DismissArguments) -> ToolResult:
    """Stage the dismissal of a member."""
    members = await my_members(context)
    if name_key(arguments.name) not in members:
        raise not_mine(arguments.name, members)
    context.stage(Dismiss(name_key(arguments.name), arguments.reason))
    return ToolResult(f"{members[name_key(arguments.name)]} has left. Its open assignments are cancelled.")


class ProposePlanArguments(Arguments):
    """Arguments of propose_plan."""

    summary: str = Field(min_length=1, description="how the goal is split, and why so")
    groups: list[str] = Field(min_length=1, max_length=40, description="one line a group")
    agents: int = Field(ge=1)
    tokens: int = Field(0, ge=0, description="your estimate for all agents together")
    minutes: int = Field(0, ge=0, description="your estimate")


async def propose_plan(context: ToolContext, arguments: ProposePlanArguments) -> ToolResult:
    """Show the plan to the people; a large one waits for their word."""
    if context.task.plan_state == "proposed":
        raise ToolRefused("A plan is already waiting for approval. End your turn.")
    if arguments.agents == 1:
        raise ToolRefused("One agent needs no plan. Do the work now, then call finish.")
    if arguments.agents > context.task.max_agents:
        raise ToolRefused(f"This task may have {context.task.max_agents} agents at most. Plan with fewer.")
    hold = arguments.agents > context.options.plan_approval_over and context.task.attended
    tokens = arguments.tokens or arguments.agents * TOKENS_AN_AGENT
    context.stage(
        ProposePlan(
            arguments.summary,
            tuple(arguments.groups),
            arguments.agents,
            tokens,
            estimated_micros(context.held, tokens),
            arguments.minutes or MINUTES + arguments.agents // AGENTS_A_MINUTE,
            context.options.plan_wait_s if hold else None,
        )
    )
    context.ends_turn = context.ends_turn or hold
    return ToolResult(
        "The plan waits for approval; you are woken by the answer." if hold else "The plan is shown. Go on."
    )


RECRUIT = Tool("recruit", "Add agents to your own group.", RecruitArguments, WORKERS, recruit)
DISMISS = Tool("dismiss", "Remove a member of your group.", DismissArguments, WORKERS, dismiss)
PLAN = Tool(
    "propose_plan",
    "Only before recruiting many agents: show the people how the goal is split.",
    ProposePlanArguments,
    frozenset({"boss"}),
    propose_plan,
)
