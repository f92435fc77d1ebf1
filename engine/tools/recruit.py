"""Tools recruit, dismiss and propose_plan: who works on the task."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from engine.budget.team import team_of
from engine.budget.tree import budget_of
from engine.domain.budget import estimated_micros
from engine.domain.clean import clean_line
from engine.domain.effects import (
    Assign,
    CheckRecruits,
    CheckTeam,
    Dismiss,
    ProposePlan,
    Recruit,
    SetBudget,
    slot_mark,
)
from engine.domain.naming import (
    address_key,
    clean_name,
    is_foreign_title,
    is_reserved,
    is_role,
    name_key,
    named_as,
)
from engine.domain.outcomes import Joined, Slot, ToolResult
from engine.domain.team import Team, too_many
from engine.domain.titles import title_of
from engine.store.people import people_keys
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.command_line import Command
from engine.tools.directory import my_members, not_mine
from engine.tools.enclosed import NamedFiles
from engine.tools.protected import ask_first, protections
from engine.tools.schema import HIDDEN
from engine.tools.task_title import name_task, title_field

TOKENS_AN_AGENT = 60_000
"""Default estimate of tokens per agent: about a dozen calls with their prompts."""

MINUTES, AGENTS_A_MINUTE = 13, 16
"""Taken when the boss estimates no time: a line through the paper's two works (7 agents took 13 minutes,
590 took 50)."""


NAMELESS = "Agent"
"""Who has a name of which nothing can be shown."""


class NewMember(Arguments):
    """One agent to recruit."""

    name: str = Field(min_length=1, max_length=60)
    role: str = Field(min_length=1, max_length=200)
    instructions: str = Field("", description="for all its work")
    task: str = Field("", description="first assignment: files, whom to ask, when done")
    command: Command = Field(default_factory=list, max_length=30, description="checks it")
    leads: bool = Field(False, description="will recruit")
    budget_usd: float | None = Field(None, gt=0, json_schema_extra={HIDDEN: True})


class RecruitArguments(Arguments):
    """Arguments of recruit."""

    members: list[NewMember] = Field(min_length=1, max_length=30)
    group: str = Field("", max_length=60)
    wait: bool = Field(False, description="true: end your turn")


async def recruit(context: ToolContext, arguments: RecruitArguments) -> ToolResult:
    """Stage the new members; the first makes the caller head of a new group."""
    context.check_not_finished()
    await _check_room(context, arguments)
    await _agreed(context, arguments)
    slots = [_stage_member(context, member, arguments.group) for member in arguments.members]
    name_task(context, arguments.group)
    context.stage_last(CheckTeam(context.options.plan_approval_over))
    context.ends_turn = context.ends_turn or arguments.wait
    marks = ", ".join(slot_mark("agent", slot.number) for slot in slots)
    named = NamedFiles(context)
    given = [
        _stage_task(context, member, await named.shown(member.task))
        for member in arguments.members
        if member.task.strip()
    ]
    idle = len(slots) - len(given)
    then = f" Assignments: {', '.join(given)}." if given else ""
    then += " Now assign each its work." if idle else ""
    return ToolResult(f"Joined your group: {marks}.{then}", Joined(tuple(slots)))


def _stage_task(context: ToolContext, member: NewMember, files: str) -> str:
    """Stage a newcomer's first assignment, with the `files` it names. Return its number and for whom."""
    slot, name = context.slot(), clean_name(member.name) or NAMELESS
    title = title_of(member.task)
    context.stage(Assign(slot, name_key(name), title, member.task, "", tuple(member.command), files))
    to = context.newcomers[name_key(name)]
    shown = slot_mark(to.kind, to.number) if isinstance(to, Slot) else to
    return f"#{slot_mark('assignment', slot)} for {shown}"


async def _check_room(context: ToolContext, arguments: RecruitArguments) -> None:
    """Check that all recruits may join, counting what this answer has staged. Raises ToolRefused."""
    if context.agent.depth + 1 > context.task.max_depth:
        raise ToolRefused(f"The hierarchy may be {context.task.max_depth} deep. Do this part yourself.")
    known = await my_members(context)
    people = await context.db.read(lambda c: people_keys(c, context.task.id))
    named: set[str] = set()
    for member in arguments.members:
        if not (member.instructions.strip() or member.task.strip()):
            raise ToolRefused(f"{clean_name(member.name)} has neither instructions nor a task. Give one.")
        if is_reserved(member.name) or is_role(member.name):
            raise ToolRefused(
                f"{clean_name(member.name)} would pass for the engine, a person or a role. "
                "Give it a name of its own."
            )
        if is_foreign_title(member.role):
            raise ToolRefused(
                f"The role of {clean_name(member.name)} would pass for the engine, a person, the boss or the "
                "auditor. Say in its role what it does."
            )
        key = name_key(clean_name(member.name) or NAMELESS)
        if key in people:
            raise ToolRefused(
                f"{clean_name(member.name)} would pass for a person who takes part in this task. "
                "Give it another name."
            )
        if key in named:
            raise ToolRefused(
                f"You name {member.name} twice in this call, so nobody joined. Name each agent once, "
                "with all its work in one task."
            )
        if key in known:
            raise ToolRefused(f"{member.name} is already in your group. Assign the work to it instead.")
        named.add(key)
    team = await _team_now(context)
    boss = context.agent.role == "boss"
    over = context.options.plan_approval_over
    if refusal := too_many(team, len(arguments.members), context.task, boss=boss, approval_over=over):
        raise ToolRefused(refusal)


async def _agreed(context: ToolContext, arguments: RecruitArguments) -> None:
    """Ask the people first where the team would grow beyond what the space allows. Raises ToolRefused."""
    over = (await protections(context)).recruit_over
    if over is None:
        return
    if (await _team_now(context)).agents + len(arguments.members) <= over:
        context.stage_last(CheckRecruits(over))
        return
    members = [
        member.model_dump(include={"name", "role", "instructions", "task", "command"})
        for member in arguments.members
    ]
    await ask_first(context, "recruit", {"group": arguments.group, "members": members})


async def _team_now(context: ToolContext) -> Team:
    """Return the team as committed now, with the recruits and plans of this answer."""
    team = await context.db.read(lambda c: team_of(c, context.agent.id))
    staged = len(context.staged(Recruit))
    state = team.plan_state
    for plan in context.staged(ProposePlan):
        state = "proposed" if plan.hold else "none" if context.task.attended else "approved"
    return replace(
        team,
        agents=team.agents + staged,
        members=team.members + staged,
        room=None if team.room is None else team.room - staged,
        plan_state=state,
    )


def _stage_member(context: ToolContext, member: NewMember, group: str) -> Slot:
    slot = context.slot()
    name = clean_name(member.name) or NAMELESS
    title = " ".join(member.role.split())
    group_name = named_as(clean_name(group), "group") or f"{context.agent.name} group"
    context.stage(Recruit(slot, name, title, member.instructions, group_name, member.leads))
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
    """Stage the dismissal of a member. Raises ToolRefused."""
    members = await my_members(context)
    if address_key(arguments.name) not in members:
        raise not_mine(arguments.name, members)
    context.stage(Dismiss(address_key(arguments.name), arguments.reason))
    context.recruited.pop(address_key(arguments.name), None)
    return ToolResult(f"{members[address_key(arguments.name)]} has left. Its open assignments are cancelled.")


class PlannedAgent(Arguments):
    """One agent of a plan."""

    name: str = Field(min_length=1, max_length=60)
    part: str = Field("", max_length=200)


class ProposePlanArguments(Arguments):
    """Arguments of propose_plan."""

    summary: str = Field(min_length=1, description="how the goal is split")
    worth: str = Field("", description="why a team: what goes side by side, what it saves and costs")
    groups: list[str] = Field(min_length=1, max_length=40, description="one line each")
    team: list[PlannedAgent] = Field(default_factory=list, max_length=30, description="whom you will recruit")
    agents: int = Field(ge=1)
    tokens: int = Field(0, ge=0, description="your estimates")
    minutes: int = Field(0, ge=0)
    title: str = title_field()


async def propose_plan(context: ToolContext, arguments: ProposePlanArguments) -> ToolResult:
    """Stage the plan for the people to see; a large plan waits for approval. Raises ToolRefused."""
    context.check_not_finished()
    team = await _team_now(context)
    if team.plan_state == "proposed":
        raise ToolRefused("A plan is already waiting for approval. End your turn.")
    if arguments.agents == 1:
        raise ToolRefused("One agent needs no plan. Do the work now, then call finish.")
    if arguments.agents > team.max_agents:
        raise ToolRefused(f"This task may have {team.max_agents} agents at most. Plan with fewer.")
    hold = arguments.agents > context.options.plan_approval_over and context.task.attended
    tokens = arguments.tokens or arguments.agents * TOKENS_AN_AGENT
    micros = estimated_micros(context.held, tokens)
    room = await _room_below(context, micros, tokens)
    context.stage(
        ProposePlan(
            arguments.summary,
            tuple(arguments.groups),
            arguments.agents,
            tokens,
            micros,
            arguments.minutes or MINUTES + arguments.agents // AGENTS_A_MINUTE,
            hold,
            guessed=context.held is not None and context.held.guessed,
            worth=arguments.worth,
            team=_planned(arguments.team),
            room=room,
        )
    )
    name_task(context, arguments.title)
    context.ends_turn = context.ends_turn or hold
    waits = "The plan waits for approval; you are woken by the answer."
    return ToolResult((waits if hold else "The plan is shown. Go on.") + _beyond(room))


async def _room_below(context: ToolContext, micros: int, tokens: int) -> tuple[int | None, int | None]:
    """Return the money and the tokens that the task may still use, each None where the plan needs no more."""
    budgets = await context.db.read(lambda c: budget_of(c, context.agent.id))
    money = [b.cap_micros - b.spent_micros - b.reserved_micros for b in budgets if b.cap_micros is not None]
    left = [b.cap_tokens - b.spent_tokens - b.reserved_tokens for b in budgets if b.cap_tokens is not None]
    return (_less(money, micros), _less(left, tokens))


def _less(rooms: list[int], need: int) -> int | None:
    room = min(rooms, default=need)
    return max(room, 0) if room < need else None


def _beyond(room: tuple[int | None, int | None]) -> str:
    """Return what a boss hears whose plan needs more than its task may still use."""
    money = "" if room[0] is None else f"{room[0] / 1_000_000:.2f} USD"
    tokens = "" if room[1] is None else f"{room[1]:,} tokens"
    left = " and ".join(part for part in (money, tokens) if part)
    return f" Its estimate is more than this task may still use: {left}. People are told." if left else ""


RECRUIT = Tool("recruit", "Add agents to your group.", RecruitArguments, WORKERS, recruit)
DISMISS = Tool("dismiss", "Remove a member.", DismissArguments, WORKERS, dismiss)


def _planned(team: list[PlannedAgent]) -> tuple[tuple[str, str], ...]:
    """Return the planned names as those agents will have them, each once, with their parts."""
    parts = {clean_name(agent.name): clean_line(agent.part) for agent in reversed(team)}
    return tuple((name, parts[name]) for name in reversed(parts) if name)


PLAN = Tool(
    "propose_plan",
    "Before recruiting many agents: show people how the goal is split.",
    ProposePlanArguments,
    frozenset({"boss"}),
    propose_plan,
)
