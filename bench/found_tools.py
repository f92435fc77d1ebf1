"""What a hundred tools of servers cost an agent: all offered with each call, or found: in `bench protocol`.

The tools are made up: ten servers of ten, each with a sentence and four arguments, as many servers have them.
Printed: tokens of schemas with each call in both ways, tokens of one search, and of ten needs, each told in
other words than the tool's, how many the search finds among the tools that it shows.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from bench.measure import report
from engine.connectors.connectors import Connectors, OutsideOptions
from engine.domain.outside import find_tools
from engine.ports import OutsideTool, ToolSpec
from engine.tools.outside import FindToolArguments, find_tool, outside_specs
from tests.fakes.outside import ROLES, Shop

SERVERS = {
    "github": "issue",
    "calendar": "event",
    "mail": "message",
    "files": "document",
    "crm": "customer",
    "shop": "order",
    "weather": "forecast",
    "maps": "route",
    "chat": "channel",
    "billing": "invoice",
}
VERBS = ("create", "list", "get", "update", "delete", "search", "export", "comment", "archive", "share")
NEEDS = {
    "open a new issue about a bug": "github__create_issue",
    "which events are in my calendar, list them": "calendar__list_event",
    "search mail for a message": "mail__search_message",
    "export the document as a file": "files__export_document",
    "update the address of a customer": "crm__update_customer",
    "delete an order in the shop": "shop__delete_order",
    "get the weather forecast": "weather__get_forecast",
    "share a route on the map": "maps__share_route",
    "archive this chat channel": "chat__archive_channel",
    "comment on an invoice": "billing__comment_invoice",
}
LEAST_SAVED, LEAST_FOUND = 0.9, 10
"""Part of the schemas' tokens that the search saves with each call; needs that it finds."""


def hundred_tools() -> tuple[OutsideTool, ...]:
    """Return the made-up tools."""
    text = {"type": "string"}
    return tuple(
        OutsideTool(
            f"{server}__{verb}_{noun}",
            server,
            f"{verb}_{noun}",
            f"{verb.capitalize()} the {noun} of {server} that the arguments name, for the signed-in account.",
            {
                "type": "object",
                "properties": {
                    f"{noun}_id": {**text, "description": f"Id of the {noun}, as list_{noun} returns it"},
                    "content": {**text, "description": f"What the {noun} says, as Markdown"},
                    "labels": {"type": "array", "items": text, "description": "Names to sort it by"},
                    "limit": {"type": "integer", "description": "Most results, 30 without it"},
                },
                "required": [f"{noun}_id"],
            },
            dict.fromkeys(ROLES, "allow"),
        )
        for server, noun in SERVERS.items()
        for verb in VERBS
    )


def _specs(tools: tuple[OutsideTool, ...], shown: int) -> tuple[Connectors, tuple[ToolSpec, ...]]:
    outside = Connectors([Shop(*tools)], cast(Any, None), cast(Any, None), OutsideOptions(shown=shown))
    return outside, outside_specs(outside, "member", "here")


def bench() -> list[bool]:
    """Print the figures. Return which targets are met."""
    from bench.protocol import _tool, size  # noqa: PLC0415 - it shows these figures too

    tools = hundred_tools()
    outside, found = _specs(tools, 24)
    every, few = (size([_tool(spec) for spec in specs]) for specs in (_specs(tools, 1_000)[1], found))
    context: Any = SimpleNamespace(
        outside=outside, agent=SimpleNamespace(role="member"), task=SimpleNamespace(space="here")
    )
    searched = [size(asyncio.run(find_tool(context, FindToolArguments(query=need))).text) for need in NEEDS]
    hits = sum(name in [tool.name for tool in find_tools(need, tools)] for need, name in NEEDS.items())
    print(f"100 tools: {every:,} tokens of schemas a call offered, {few:,} found")
    once = sum(searched) / len(searched)
    print(f"100 tools: a search costs {once:,.0f} tokens, once for each need")
    return [
        report("100 tools: part of the schemas that finding costs", few / every, 1 - LEAST_SAVED),
        report("100 tools: needs that a search misses", len(NEEDS) - hits, len(NEEDS) - LEAST_FOUND),
    ]
