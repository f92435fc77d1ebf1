"""One MCP server: started, watched, started again with growing delays, stopped with the engine."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.connectors.mcp.client import Connection, ServerFailed
from engine.connectors.mcp.config import ServerConfig
from engine.connectors.mcp.signin import Carried
from engine.connectors.mcp.signin_store import KeptSignIn
from engine.connectors.mcp.tools import METHODS, PROMPT, READ_RESOURCE, RESOURCES, offered, stricter
from engine.domain.clean import clean_line
from engine.errors import NotSent
from engine.ports import OutsideAnswer, OutsideTool, ServerCondition, ServerState
from engine.secrets import redact

log = logging.getLogger(__name__)

CONNECT_S = 60.0
FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 120.0
STEADY_S = 60.0
"""A connection that held so long starts the delays from the shortest one."""

WAIT_S, AGAIN_S = 15.0, 3.0
"""Seconds that a call waits for a server that is starting, and for one that has just gone."""

STOP_S = 8.0
LIST_AGAIN_S = 0.5
MOST_KNOWN = 2_000
"""Tools of a server that are remembered, with those that it lists no more."""
LOOK_S = 2.0
"""Seconds between two looks at what other processes did with its sign-in."""

SIGN_IN_AGAIN_S = 600.0
"""Seconds until a server that wants a sign-in is asked once more without one."""


class McpServer:
    """A server by its entry. Its tools stay known while it is down."""

    def __init__(self, config: ServerConfig, folder: Path, redirect: str, kept: KeptSignIn) -> None:
        self.config, self._folder, self._redirect, self.sign_in = config, folder, redirect, kept
        self._again = asyncio.Event()
        self._signs_in = self._signed_in = False
        self._condition: ServerCondition = "wrong" if config.problem else "starting"
        self._detail = config.problem
        self.tools: tuple[OutsideTool, ...] = ()
        self._connection: Connection | None = None
        self._settled = asyncio.Event()
        self._stop = asyncio.Event()
        self._run: asyncio.Task[None] | None = None
        self.starts = self._seen = 0
        self._known: dict[str, OutsideTool] = {}
        self._ours = config.entry.megaagent

    @property
    def state(self) -> ServerState:
        """Return its state now."""
        return ServerState(
            self.config.name,
            self._condition,
            self._detail,
            len(self.tools),
            self._signs_in,
            self.config.spaces,
            self._signed_in,
        )

    def connect_again(self) -> None:
        """Connect again at once, unless that was seen already: somebody signed in or out."""
        self._signs_in = False
        self._again.set()

    def start(self) -> None:
        """Start it in the background, unless its entry is wrong."""
        if not self.config.problem and self._run is None:
            self._run = asyncio.create_task(self._keep(), name=f"mcp-{self.config.name}")

    async def close(self) -> None:
        """Stop it. Repeatable."""
        self._stop.set()
        if self._run is None:
            return
        _, pending = await asyncio.wait({self._run}, timeout=STOP_S)
        if pending:
            self._run.cancel()
        await asyncio.gather(self._run, return_exceptions=True)

    # ------------------------------------------------------------ its life

    async def _keep(self) -> None:
        """Keep it connected until it is to stop."""
        delay = FIRST_DELAY_S
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            began = loop.time()
            await self._once()
            if self._stop.is_set():
                break
            delay = FIRST_DELAY_S if loop.time() - began > STEADY_S else min(delay * 2, LONGEST_DELAY_S)
            # Spread, so that many servers behind one address do not return all at once.
            pause = SIGN_IN_AGAIN_S if self._condition == "needs_sign_in" else delay
            with suppress(TimeoutError):
                async with asyncio.timeout(pause * random.uniform(0.8, 1.2)):  # noqa: S311 - no secret
                    await self._until_again()

    async def _once(self) -> None:
        """Connect, stay connected until the server is gone, and note why."""
        self._again.clear()
        self._seen = await self._look_at_sign_in()
        carried = Carried(self.config, self.sign_in, self._redirect) if self.config.may_sign_in else None
        connection = Connection(self.config, self._folder, carried)
        self.starts += 1
        try:
            async with connection.open(CONNECT_S):
                await self._list(connection)
                self._connection = connection
                await self._now_ready()
                await self._stay(connection)
        except* Exception as failures:
            first = _first_of(failures)
            log.debug("MCP server %s", self.config.name, exc_info=first)
            self._down(connection, first)
        else:
            self._down(connection, None)
        finally:
            self._connection = None

    async def _now_ready(self) -> None:
        """Note that it can be used, and whether a sign-in would let it do more."""
        kept, was = await self.sign_in.read(), self._signed_in
        self._signed_in = kept.tokens is not None
        ended = kept.refused or (was and not self._signed_in)
        self._signs_in = self.config.may_sign_in and bool(ended or kept.asked_scope)
        unknown = self._ours.unknown({METHODS.get(tool.tool, tool.tool) for tool in self.tools})
        told = [(SIGN_IN if ended else WIDER)] if self._signs_in else []
        told += [UNKNOWN.format(names=clean_line(", ".join(unknown))[:200])] if unknown else []
        self._now("ready", " ".join(told))

    async def _look_at_sign_in(self) -> int:
        """Return a number that changes with what is kept of its sign-in, by whichever process."""
        return await self.sign_in.number() if self.config.may_sign_in else 0

    async def _until_again(self) -> None:
        """Wait until it is to stop or to be tried again: also once a process changed its sign-in."""
        while not (self._stop.is_set() or self._again.is_set()):
            await _any_of(self._stop, self._again, seconds=LOOK_S if self.config.may_sign_in else None)
            if await self._look_at_sign_in() != self._seen:
                return

    async def _stay(self, connection: Connection) -> None:
        look_s, opened_with = LOOK_S if self.config.may_sign_in else None, self._seen
        while not (self._stop.is_set() or connection.closed.is_set()):
            await _any_of(self._stop, self._again, connection.closed, connection.changed, seconds=look_s)
            again = self._again.is_set()
            self._again.clear()
            number = await self._look_at_sign_in()  # after the clearing: who sets it has written before
            if again and number != opened_with:
                return  # else this sign-in was seen, and it was opened, before the process said so
            if number != self._seen:
                self._seen = number  # calls are under way on this connection, and each request reads the row
                await self._now_ready()
            if connection.changed.is_set():
                await _first(self._stop, LIST_AGAIN_S)  # a server may say so over and over
                connection.changed.clear()
                await self._list(connection)
                await self._now_ready()

    async def _list(self, connection: Connection) -> None:
        """Read its tools; what it once said against one of them stays."""
        listed = await offered(connection)
        known = {tool.tool: tool for tool in stricter(listed, self._known.values(), self._ours)}
        self.tools = tuple(known.values())
        self._known = dict([*self._known.items(), *known.items()][-MOST_KNOWN:])

    def _now(self, condition: ServerCondition, detail: str) -> None:
        if condition != self._condition:
            log.info("MCP server %s is %s. %s", self.config.name, condition, detail)
        self._condition, self._detail = condition, detail
        self._settled.set()

    def _down(self, connection: Connection, error: BaseException | None) -> None:
        """Note that it is not connected, why, and what to do."""
        if self._stop.is_set():
            return
        if connection.unauthorized:
            carried = connection.carried
            self._signs_in, self._signed_in = carried is not None and carried.needed, False
            why = f" ({carried.trouble})" if carried is not None and carried.trouble else ""
            self._now("needs_sign_in", SIGN_IN if self._signs_in else REFUSED.format(why=why))
            return
        self._signs_in = False
        said = connection.last_words()
        why = redact(clean_line(str(error)))[:200] if error is not None else "it ended"
        why = connection.fault or why
        program = self.config.entry.command
        if program and shutil.which(program) is None:
            why, said = f"the program {program[:80]!r} is not installed or not on PATH", ""
        last = f" It last wrote: {said}" if said else ""
        self._now("down", f"Not connected: {why or type(error).__name__}. It is tried again.{last}")

    # ------------------------------------------------------------ calls

    async def call(self, tool: OutsideTool, arguments: Mapping[str, Any]) -> OutsideAnswer:
        """Call a tool once. Raises NotSent, Unanswered."""
        connection = await self._connected()
        try:
            return await _made(connection, tool, dict(arguments))
        except ServerFailed as failed:
            return OutsideAnswer(str(failed), failed=True)

    async def _connected(self) -> Connection:
        if self._connection is None and not self.config.problem:
            self._settled.clear()
            await _first(self._settled, WAIT_S if self._condition == "starting" else AGAIN_S)
        if self._connection is None or self._connection.closed.is_set():
            raise NotSent(f"The server {self.config.name} cannot be used now. {self._detail}".strip())
        return self._connection


SIGN_IN = "It asks for a sign-in: whoever may signs in with the button of /tools."
REFUSED = (
    "It refuses the bot and offers no sign-in here{why}. Give it a token of its own in the headers of its "
    "entry in mcp.json, as ${{NAME}}, or correct the one there."
)
UNKNOWN = (
    "Its policy or prices in mcp.json name tools that it does not have, so nothing holds for them: {names}. "
    "Correct the names by those listed in /tools."
)
WIDER = "It refused a call that the sign-in does not cover: sign in again with the button of /tools."


async def _made(connection: Connection, tool: OutsideTool, arguments: dict[str, Any]) -> OutsideAnswer:
    if tool.tool == RESOURCES:
        return await connection.list_resources()
    if tool.tool == READ_RESOURCE:
        return await connection.read_resource(str(arguments.get("uri", "")))
    if tool.tool == PROMPT:
        given = arguments.get("arguments") or {}
        texts = {str(k): str(v) for k, v in given.items()} if isinstance(given, Mapping) else {}
        return await connection.get_prompt(str(arguments.get("name", "")), texts)
    return await connection.call_tool(tool.tool, arguments, reads_only=tool.reads_only)


async def _any_of(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Wait for one of the events, at most so long."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _first_of(failures: BaseExceptionGroup[Exception]) -> BaseException:
    """Return the first real error of a group of groups."""
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
