"""A server of the world outside that counts what it did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.errors import NotSent, Unanswered
from engine.ports import AgentRole, OutsideAnswer, OutsideLimits, OutsideTool, Policy, ServerState

ROLES: tuple[AgentRole, ...] = ("boss", "head", "member")


def tool(name: str, policy: Policy = "allow", *, reads_only: bool = False, **more: Any) -> OutsideTool:
    """A tool of the server `shop`."""
    schema = {"type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"]}
    made = OutsideTool(
        f"shop__{name}", "shop", name, f"{name} an item", schema, dict.fromkeys(ROLES, policy), reads_only
    )
    return replace(made, **{"limits": OutsideLimits(timeout_s=20.0), **more})


class Shop:
    """Its calls: (tool, item) in the order they arrived. `behave` may raise, wait or answer."""

    def __init__(
        self,
        *tools: OutsideTool,
        behave: Callable[[str, Mapping[str, Any]], OutsideAnswer] | None = None,
    ) -> None:
        self._tools, self._behave = tools, behave
        self.made: list[tuple[str, Any]] = []
        self.hangs: set[str] = set()
        self.arrived = asyncio.Event()
        self.closed = False

    def tools(self) -> Sequence[OutsideTool]:
        """Those given."""
        return self._tools

    def states(self) -> Sequence[ServerState]:
        """Ready."""
        return (ServerState("shop", "ready", tools=len(self._tools)),)

    async def call(self, tool: OutsideTool, arguments: Mapping[str, Any]) -> OutsideAnswer:
        """Count the call, then do as told."""
        self.made.append((tool.tool, arguments.get("item")))
        self.arrived.set()
        if tool.tool in self.hangs:
            await asyncio.Event().wait()
        if self._behave is not None:
            return self._behave(tool.tool, arguments)
        return OutsideAnswer(f"{tool.tool} {arguments.get('item')}: done", addresses=("shop://counter",))

    async def start(self) -> None:
        """Nothing to start."""

    async def close(self) -> None:
        """Remember it."""
        self.closed = True


def away(_tool: str, _arguments: Mapping[str, Any]) -> OutsideAnswer:
    """A server that cannot be reached."""
    raise NotSent("The shop is closed. Try later.")


def silent(_tool: str, _arguments: Mapping[str, Any]) -> OutsideAnswer:
    """A server whose connection breaks before it answers."""
    raise Unanswered("The shop hung up.")
