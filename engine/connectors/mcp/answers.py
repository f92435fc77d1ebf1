"""Read the results of an MCP server as text: bounded, with the addresses that they name. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.ports import OutsideAnswer

if TYPE_CHECKING:
    from mcp import types

MAX_TEXT = 200_000
"""Characters of an answer that are looked at."""


def answer_of(result: types.CallToolResult) -> OutsideAnswer:
    """Return a tool's result as text. What is no text is named with its kind and size."""
    parts: list[str] = []
    addresses: list[str] = []
    for block in result.content:
        parts.append(_block(block))
        uri = getattr(block, "uri", None) or getattr(getattr(block, "resource", None), "uri", None)
        if uri:
            addresses.append(str(uri))
    if not any(part.strip() for part in parts) and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False, indent=1)]
    return OutsideAnswer("\n".join(parts)[:MAX_TEXT], bool(result.is_error), tuple(addresses))


def _block(block: Any) -> str:
    if block.type == "text":
        return str(block.text)
    if block.type in ("image", "audio"):
        return f"({block.type}, {block.mime_type}, {len(block.data) * 3 // 4:,} bytes: not shown)"
    if block.type == "resource_link":
        return f"{block.uri}: {block.title or block.name} {block.description or ''}".strip()
    return text_of_resource([block.resource])


def text_of_resource(contents: Sequence[Any]) -> str:
    """Return the texts of a resource."""
    return "\n".join(
        str(one.text) if hasattr(one, "text") else f"({one.mime_type or 'data'}, not text: not shown)"
        for one in contents
    )[:MAX_TEXT]


def text_of_prompt(messages: Sequence[Any]) -> str:
    """Return a prompt's messages as text; who they say they are from is part of the text."""
    return "\n".join(f"{one.role}: {_block(one.content)}" for one in messages)[:MAX_TEXT]
