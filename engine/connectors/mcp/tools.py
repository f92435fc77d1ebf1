"""The tools of an MCP server as agents may call them: its own, and those for its resources and prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.connectors.mcp.config import OurKey, ServerConfig
from engine.connectors.mcp.schemas import described, safe_schema
from engine.domain.outside import tool_name
from engine.ports import OutsideTool

if TYPE_CHECKING:
    from mcp import types

    from engine.connectors.mcp.client import Connection

RESOURCES, READ_RESOURCE, PROMPT = "resources/list", "resources/read", "prompts/get"
"""What stands for the name of a tool where the protocol has a method of its own; no tool is called so."""

METHODS = {RESOURCES: "list_resources", READ_RESOURCE: "read_resource", PROMPT: "get_prompt"}
"""How agents, policies and prices name these."""

_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
_URI: dict[str, Any] = {
    "type": "object",
    "properties": {"uri": {"type": "string", "description": "as listed"}},
    "required": ["uri"],
}
_PROMPT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "arguments": {"type": "object", "properties": {}, "description": "its arguments by name"},
    },
    "required": ["name"],
}


MAX_NAME = 128
"""Characters of a tool's name; a tool with a longer one is left out."""


async def offered(connection: Connection) -> tuple[OutsideTool, ...]:
    """Return everything that agents may call at the server, each tool once."""
    config = connection.config
    own = (tool for tool in await connection.tools() if tool.name not in (RESOURCES, READ_RESOURCE, PROMPT))
    found = [_own(config, tool) for tool in own if len(tool.name) <= MAX_NAME]
    if await connection.has_resources():
        found.append(_reading(config, RESOURCES, "List its resources.", _NO_ARGUMENTS))
        found.append(_reading(config, READ_RESOURCE, "Read a resource.", _URI))
    prompts = await connection.prompts()
    if prompts:
        listed = "; ".join(_prompt_line(prompt) for prompt in prompts)
        text = described(f"Get the text of one of its prompts: {listed}")
        found.append(_reading(config, PROMPT, text, _PROMPT))
    by_name: dict[str, OutsideTool] = {}
    for tool in found:
        by_name.setdefault(tool.tool, tool)
    return tuple(by_name.values())


def told_apart(tools: Iterable[OutsideTool]) -> list[OutsideTool]:
    """Return tools of any servers with names that are all different: those that would be alike are marked."""
    listed = list(tools)
    times = Counter(tool.name.casefold() for tool in listed)
    return [
        replace(tool, name=tool_name(tool.server, tool.tool, alike=True))
        if times[tool.name.casefold()] > 1
        else tool
        for tool in listed
    ]


def stricter(now: Iterable[OutsideTool], before: Iterable[OutsideTool], ours: OurKey) -> list[OutsideTool]:
    """Return the tools as they are listed now, where the server says no better of one than it said before.

    A server that called a tool one that changes things cannot make it one that only reads while people and
    policies count on it; a restart of the bot reads it again.
    """
    known = {tool.tool: tool for tool in before}
    return [_stricter(tool, known[tool.tool], ours) if tool.tool in known else tool for tool in now]


def _stricter(now: OutsideTool, before: OutsideTool, ours: OurKey) -> OutsideTool:
    reads_only = now.reads_only and before.reads_only
    method = now.tool in (RESOURCES, READ_RESOURCE, PROMPT)
    return replace(
        now,
        reads_only=reads_only,
        repeatable=now.repeatable and before.repeatable,
        open_world=now.open_world or before.open_world,
        policies=now.policies if method else ours.policies(now.tool, reads_only=reads_only),
    )


def _own(config: ServerConfig, tool: types.Tool) -> OutsideTool:
    """Return a tool of the server. What it says of itself decides only what the operator left open."""
    ours, hints = config.entry.megaagent, tool.annotations
    reads_only = bool(hints and hints.read_only_hint)
    return OutsideTool(
        name=tool_name(config.name, tool.name),
        server=config.name,
        tool=tool.name,
        description=described(tool.description or tool.title),
        parameters=safe_schema(tool.input_schema),
        policies=ours.policies(tool.name, reads_only=reads_only),
        reads_only=reads_only,
        repeatable=reads_only or bool(hints and hints.idempotent_hint),
        open_world=hints is None or hints.open_world_hint is not False,
        spaces=config.spaces,
        price_micros=ours.price_micros(tool.name),
        limits=ours.limits(),
    )


def _reading(config: ServerConfig, method: str, text: str, schema: dict[str, Any]) -> OutsideTool:
    ours, name = config.entry.megaagent, METHODS[method]
    return OutsideTool(
        name=tool_name(config.name, name),
        server=config.name,
        tool=method,
        description=text,
        parameters=schema,
        policies=ours.policies(name, reads_only=True),
        reads_only=True,
        repeatable=True,
        spaces=config.spaces,
        price_micros=ours.price_micros(name),
        limits=ours.limits(),
    )


def _prompt_line(prompt: types.Prompt) -> str:
    names = ", ".join(argument.name for argument in prompt.arguments or ())
    return f"{prompt.name}({names}) {prompt.description or ''}".strip()
