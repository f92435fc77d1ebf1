"""Tools of the world outside: each call goes through policy and ledger; its answer is quoted as foreign."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from engine.connectors.connectors import Connectors
from engine.connectors.ledger import CallRefused, Kept, NewCall
from engine.domain.effects import AskCall, ShowCall
from engine.domain.guard import AskReason
from engine.domain.outcomes import Consulted, Refused, ToolResult
from engine.domain.outside import (
    MAX_ARGUMENTS,
    UNKNOWN,
    WEB,
    CallEnd,
    brief,
    canonical,
    digest_of,
    find_tools,
    quoted,
    readable,
)
from engine.ports import AgentRole, OutsideTool, ToolSpec
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.protected import protections

MAX_ASKED = 3
"""Calls of one agent that wait for the people: each one calls them."""


class FindToolArguments(Arguments):
    """Arguments of find_tool."""

    query: str = Field(min_length=1, max_length=300, description="what it should do, such as 'list issues'")


class UseToolArguments(Arguments):
    """Arguments of use_tool."""

    name: str = Field(max_length=80, description="as find_tool gave it")
    arguments: str = Field(max_length=MAX_ARGUMENTS, description="its arguments, a JSON object")


async def find_tool(context: ToolContext, arguments: FindToolArguments) -> ToolResult:
    """Return the tools that fit best, with their arguments."""
    tools = [tool for tool in _tools(context) if tool.server != WEB]
    found = find_tools(arguments.query, tools)
    if not found:
        return ToolResult(f"None of the {len(tools)} tools fits. Try other words.")
    shown = [
        f"{tool.name}\n{quoted(tool.server, tool.tool, _description(tool), 'its description')}"
        for tool in found
    ]
    return ToolResult("\n\n".join([*shown, "Call one with use_tool."]))


def _tools(context: ToolContext) -> tuple[OutsideTool, ...]:
    return _outside(context).tools(context.agent.role, context.task.space)


def _description(tool: OutsideTool) -> str:
    schema = json.dumps(tool.parameters, ensure_ascii=False, separators=(",", ":"))
    return f"{tool.description}\narguments: {schema}"


async def use_tool(context: ToolContext, arguments: UseToolArguments) -> ToolResult:
    """Call a tool by the name that find_tool gave. Raises ToolRefused."""
    tool = _outside(context).named(arguments.name, context.agent.role, context.task.space)
    if tool is None:
        raise ToolRefused("There is no tool of that name. Look for one with find_tool.", "missing")
    return await call_outside(context, tool, arguments.arguments)


FIND = Tool("find_tool", "Search the tools of the world outside.", FindToolArguments, WORKERS, find_tool)
USE = Tool("use_tool", "Call a tool that find_tool gave.", UseToolArguments, WORKERS, use_tool, slow=True)
SEARCHED: dict[str, Tool[Any]] = {tool.name: tool for tool in (FIND, USE)}
"""What agents get in place of the tools themselves where there are many."""


def outside_specs(outside: Connectors | None, role: AgentRole, space: str) -> tuple[ToolSpec, ...]:
    """Return the tools of the world outside as the model sees them; of those of servers only the search
    where there are many."""
    tools = outside.tools(role, space) if outside is not None else ()
    if outside is None or not tools:
        return ()
    web = tuple(
        ToolSpec(tool.name, tool.description, tool.parameters) for tool in tools if tool.server == WEB
    )
    others = [tool for tool in tools if tool.server != WEB]
    if len(others) > outside.options.shown:
        return (*web, *(tool.spec() for tool in SEARCHED.values()))
    return (*web, *(_spec(tool) for tool in others))


def _spec(tool: OutsideTool) -> ToolSpec:
    """Return a tool's spec; its description is marked as foreign."""
    return ToolSpec(tool.name, f"(of {tool.server}, outside) {tool.description}", tool.parameters)


def _outside(context: ToolContext) -> Connectors:
    if context.outside is None:
        raise ToolRefused("There are no tools of the world outside here. Do without them.", "unavailable")
    return context.outside


# ---------------------------------------------------------------- one call


async def call_outside(context: ToolContext, tool: OutsideTool, written: str) -> ToolResult:
    """Make one call, or ask the people for it. `written`: the arguments as the model wrote them.

    Raises ToolRefused when the call may not be made.
    """
    outside = _outside(context)
    arguments = _parsed(tool, written)
    digest = digest_of(tool.server, tool.tool, arguments)
    agent = context.agent
    number = context.calls_outside.count(digest)
    context.calls_outside.append(digest)
    key = f"{agent.id}.{context.facts.step}.{digest[:32]}.{number}"
    earlier = await outside.known(key)
    if earlier is not None:
        return await _answered(context, outside, tool, arguments, earlier)
    if (await protections(context)).tools and tool.policies.get(agent.role) == "allow":
        tool = replace(tool, policies={**tool.policies, agent.role: "ask"})
    decided = await outside.decide(context.task.id, tool, agent.role, digest, arguments)
    if decided.policy == "deny":
        raise ToolRefused(decided.text or f"You may not call {tool.name}. Do without it.")
    if decided.policy == "ask":
        return await _ask(context, outside, tool, arguments, digest, decided.why)
    new = NewCall(
        context.task.id, agent.id, agent.fence, context.facts.step, key, tool, digest, canonical(arguments)
    )
    try:
        kept = await outside.make(new, arguments)
    except CallRefused as refused:
        raise ToolRefused(str(refused)) from refused
    return await _answered(context, outside, tool, arguments, kept)


async def _answered(
    context: ToolContext, outside: Connectors, tool: OutsideTool, arguments: Mapping[str, Any], kept: Kept
) -> ToolResult:
    end: CallEnd = "failed" if kept.answer.failed else "done"
    if kept.state in ("failed", "unknown"):
        end = "not_sent" if kept.state == "failed" else "unknown"
    price = 0 if kept.reused else tool.price_micros
    known = end == "not_sent" and await outside.is_known_away(context.task.id, tool, kept.id)
    shown = ShowCall(
        kept.id,
        tool.server,
        tool.tool,
        end,
        brief(arguments),
        kept.answer.addresses,
        price,
        kept.reused,
        known,
    )
    if not kept.told or kept.reused:
        context.stage(shown)
    if kept.state != "done":
        said = quoted(tool.server, tool.tool, kept.answer.text) if kept.answer.failed else kept.answer.text
        if end == "not_sent":
            return ToolResult(f"The call was not made: {said}", Refused("unavailable"))
        outcome = Consulted(kept.id, tool.server, tool.tool, failed=True)
        return ToolResult(f"{said} {UNKNOWN}", outcome)
    outcome = Consulted(kept.id, tool.server, tool.tool, kept.answer.addresses, kept.answer.failed)
    note = "it failed" if kept.answer.failed else ""
    return ToolResult(quoted(tool.server, tool.tool, kept.answer.text, note), outcome)


async def _ask(
    context: ToolContext,
    outside: Connectors,
    tool: OutsideTool,
    arguments: Mapping[str, Any],
    digest: str,
    why: AskReason,
) -> ToolResult:
    if not context.task.attended:
        raise ToolRefused(
            f"{tool.name} needs a person's agreement, and nobody attends this task. Do without it, and say "
            "in the report what is missing."
        )
    context.check_not_finished()
    asked = context.staged(AskCall)
    if any(one.digest == digest for one in asked) or await outside.is_asked(context.task.id, digest):
        raise ToolRefused("The people were asked about exactly this call. Wait for the answer.")
    if len(asked) + await outside.count_asked(context.agent.id) >= MAX_ASKED:
        raise ToolRefused(
            f"{MAX_ASKED} of your calls wait for the people's answer. Wait for it, or go on with what does "
            "not depend on them."
        )
    context.stage(AskCall(context.slot(), tool, digest, canonical(arguments), readable(arguments), why))
    return ToolResult(
        f"The people are asked whether {tool.name} may be called with exactly these arguments. What comes of "
        "it arrives as a message: go on with what does not depend on it, or end your turn."
    )


def _parsed(tool: OutsideTool, written: str) -> dict[str, Any]:
    """Return the arguments. Raises ToolRefused for what is no JSON object that can be sent as it is."""
    try:
        value = json.loads(written.strip() or "{}", strict=False)
        text = canonical(value) if isinstance(value, dict) else ""
        text.encode()
    except (ValueError, RecursionError) as error:
        why = f"The arguments of {tool.name} are not valid JSON ({error}). Send one complete JSON object."
        raise ToolRefused(why, "malformed") from error
    if not isinstance(value, dict):
        raise ToolRefused(f"The arguments of {tool.name} have to be one JSON object.", "malformed")
    if len(text) > MAX_ARGUMENTS:
        raise ToolRefused(f"The arguments are too long: at most {MAX_ARGUMENTS:,} characters.", "malformed")
    missing = [name for name in tool.parameters.get("required", ()) if name not in value]
    if missing:
        takes = ", ".join(tool.parameters.get("properties", ()))
        raise ToolRefused(
            f"{tool.name} was not called: {', '.join(missing)} missing. It takes: {takes}.", "malformed"
        )
    return value
