"""One connection to an MCP server, over a program's input and output or over HTTP."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

import anyio
import httpx2
from mcp import Client, MCPError, types
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import ValidationError

from engine.connectors.mcp import bounds
from engine.connectors.mcp.answers import answer_of, text_of_prompt, text_of_resource
from engine.connectors.mcp.config import ServerConfig
from engine.connectors.mcp.signin import Carried, is_held
from engine.domain.clean import clean_line
from engine.errors import NotSent, Unanswered
from engine.ports import OutsideAnswer
from engine.secrets import redact

_KEEPER = Path(__file__).with_name("keeper.py")
CLIENT = types.Implementation(name="megaagent", version="1")
MAX_TOOLS = 200
MAX_PAGES = 20
"""Tools of one server that are used, and pages of a list that are read."""

_REFUSED = frozenset({types.INVALID_PARAMS, types.METHOD_NOT_FOUND})
"""Errors by which a server says that it did not do what it was asked."""

_SILENT = frozenset(
    {
        types.CONNECTION_CLOSED,
        types.REQUEST_TIMEOUT,
        types.INTERNAL_ERROR,
        types.INVALID_REQUEST,
        types.PARSE_ERROR,
    }
)
"""Errors after which nobody knows what it did. PARSE_ERROR is what the transport says of an answer that it
cannot read."""

_NOT_DONE: Mapping[int, str] = {
    401: "it asks for a sign-in: whoever may give one does so in /tools",
    403: "it is not permitted to the bot",
    429: "too many calls: wait some minutes",
}
"""Statuses of HTTP by which a server says that it did not do what it was asked, and why."""

_statuses: ContextVar[list[int] | None] = ContextVar("statuses", default=None)
"""The statuses heard for the call of this context: the transport runs each request in its sender's."""

_SESSION_GONE = "Session terminated"

# They write a traceback for each message that cannot be read: a server could fill the disk with them.
for _name in ("mcp.client.stdio", "mcp.client.streamable_http"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class ServerFailed(Exception):
    """The server answered that it could not do it; `str(error)` is foreign text."""


class Connection:
    """An open connection; `closed` is set once the server is gone, `unauthorized` when it asks for a
    sign-in, `fault` when the server did what none may.

    `carried`: the sign-in that goes along, None where a program or a token of its own is used.
    """

    def __init__(self, config: ServerConfig, folder: Path, carried: Carried | None = None) -> None:
        self.config, self._folder, self.carried = config, folder, carried
        self.closed = asyncio.Event()
        self.changed = asyncio.Event()
        self.unauthorized = False
        self.fault = ""
        self.said: deque[str] = deque(maxlen=10)
        self._client: Client | None = None
        if carried is not None:
            carried.outdated = self._outdated

    def _outdated(self) -> None:
        """Let a connection that was open be opened again, with the tokens of then."""
        if self._client is not None:
            self.closed.set()

    @asynccontextmanager
    async def open(self, timeout_s: float) -> AsyncIterator[Connection]:
        """Connect and shake hands. Raises whatever the transport raises, TimeoutError after `timeout_s`."""
        async with AsyncExitStack() as stack:
            transport = self._program() if self.config.is_program else self._address()
            client = Client(
                transport,
                client_info=CLIENT,
                cache=None,
                message_handler=self._heard,
                read_timeout_seconds=None,
            )
            async with asyncio.timeout(timeout_s):
                self._client = await stack.enter_async_context(client)
            yield self

    @asynccontextmanager
    async def _program(self) -> AsyncIterator[Any]:
        """Start the program with an environment of its own, in a folder of its own, and notice its end."""
        entry = self.config.entry
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        arguments = ["-I", "-S", str(_KEEPER), str(os.getpid()), str(bounds.LONGEST)]
        started = StdioServerParameters(
            command=sys.executable,
            args=[*arguments, entry.command, *entry.args],
            env=dict(entry.env),
            cwd=entry.cwd or str(self._folder),
            encoding_error_handler="replace",
        )
        async with _heard_lines(self.said.append) as errlog, stdio_client(started, errlog) as (read, write):
            passed_on, ours = anyio.create_memory_object_stream[Any](0)
            async with anyio.create_task_group() as group:
                group.start_soon(self._pass_on, read, passed_on)
                yield ours, write
                group.cancel_scope.cancel()

    async def _pass_on(self, read: Any, passed_on: Any) -> None:
        """Pass messages on until the program closes its output, or writes too much that is none."""
        stray = 0
        try:
            async with passed_on:
                async for message in read:
                    stray += isinstance(message, Exception)
                    if stray > bounds.MOST_STRAY:
                        self.fault = bounds.STRAY
                        break
                    await passed_on.send(message)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass
        finally:
            self.closed.set()

    @asynccontextmanager
    async def _address(self) -> AsyncIterator[Any]:
        entry = self.config.entry
        timeout = httpx2.Timeout(30.0, read=max(entry.megaagent.timeout_s, 300.0))
        hooks = {"response": [bounds.bound_body, self._saw]}
        headers = {**bounds.PLAIN, **entry.headers}
        async with (
            httpx2.AsyncClient(
                headers=headers, timeout=timeout, event_hooks=hooks, auth=self.carried
            ) as http,
            streamable_http_client(entry.url, http_client=http, max_sse_event_size=bounds.LONGEST) as streams,
        ):
            yield streams

    async def _saw(self, response: httpx2.Response) -> None:
        if str(response.request.url) != self.config.entry.url:
            return  # of a sign-in on the way
        if (heard := _statuses.get()) is not None:
            heard.append(response.status_code)
        if is_held(response.request):
            return  # what comes of a refusal is being found out; to close now would cut that off
        if response.status_code == 401 or (response.status_code == 403 and self._client is None):
            self.unauthorized = self.carried is None or not await self.carried.may_renew()
            if self._client is not None:
                self.closed.set()

    async def _heard(self, message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self.changed.set()

    # ------------------------------------------------------------ what it offers

    @property
    def client(self) -> Client:
        """Return the connected client."""
        assert self._client is not None
        return self._client

    async def tools(self) -> list[types.Tool]:
        """Return the server's tools, at most MAX_TOOLS."""
        found: list[types.Tool] = []
        if self.client.server_capabilities.tools is None:
            return found
        cursor = None
        for _ in range(MAX_PAGES):
            page = await self.client.list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if not cursor or len(found) >= MAX_TOOLS:
                break
        return found[:MAX_TOOLS]

    async def prompts(self) -> list[types.Prompt]:
        """Return the first page of the server's prompts."""
        if self.client.server_capabilities.prompts is None:
            return []
        return list((await self.client.list_prompts()).prompts)

    async def has_resources(self) -> bool:
        """Return whether the server lists any resource or template of one."""
        if self.client.server_capabilities.resources is None:
            return False
        if (await self.client.list_resources()).resources:
            return True
        return bool((await self.client.list_resource_templates()).resource_templates)

    # ------------------------------------------------------------ calls

    async def call_tool(self, name: str, arguments: dict[str, Any], *, reads_only: bool) -> OutsideAnswer:
        """Call a tool once. Raises NotSent, Unanswered, ServerFailed."""
        return answer_of(await self._asked(lambda: self.client.call_tool(name, arguments), reads_only))

    async def list_resources(self) -> OutsideAnswer:
        """Return the first page of resources and of their templates."""
        listed = await self._asked(self.client.list_resources)
        lines = [f"{one.uri}: {one.title or one.name} {one.description or ''}" for one in listed.resources]
        templates = await self._asked(self.client.list_resource_templates)
        lines += [
            f"{one.uri_template} (a template): {one.title or one.name}"
            for one in templates.resource_templates
        ]
        return OutsideAnswer("\n".join(clean_line(line)[:300] for line in lines) or "(no resources)")

    async def read_resource(self, uri: str) -> OutsideAnswer:
        """Read a resource."""
        found = await self._asked(lambda: self.client.read_resource(uri))
        return OutsideAnswer(text_of_resource(found.contents), addresses=(uri,))

    async def get_prompt(self, name: str, arguments: dict[str, str]) -> OutsideAnswer:
        """Return a prompt of the server, as text like any other."""
        found = await self._asked(lambda: self.client.get_prompt(name, arguments))
        return OutsideAnswer(text_of_prompt(found.messages))

    async def _asked(self, ask: Callable[[], Any], reads_only: bool = True) -> Any:
        """Ask the server once. Raises NotSent, Unanswered, ServerFailed.

        An error inside it that it tells answers what only reads; of others nobody knows what was done.
        """
        name, statuses = self.config.name, list[int]()
        token = _statuses.set(statuses)
        try:
            return await ask()
        except MCPError as error:
            if statuses and statuses[-1] in _NOT_DONE:
                raise NotSent(f"{name} refused the call ({_NOT_DONE[statuses[-1]]}).") from error
            if error.code == types.INVALID_REQUEST and error.message == _SESSION_GONE:
                self.closed.set()
                raise NotSent(
                    f"{name} had forgotten the session; it is opened again. Call it again."
                ) from error
            told = error.code == types.INTERNAL_ERROR and not (statuses and statuses[-1] >= 500)
            if error.code in _SILENT and not (reads_only and told):
                why = f"{name} gave no answer ({clean_line(str(error))[:200]}).{self._since()}"
                raise Unanswered(why, foreign=True) from error
            if error.code in _REFUSED:
                why = f"{name} refused the call: {clean_line(str(error))[:600]}"
                raise NotSent(why, foreign=True) from error
            raise ServerFailed(f"{name} answered with an error: {clean_line(str(error))[:600]}") from error
        except ValidationError as error:
            raise Unanswered(f"{name} answered in a form that cannot be read.") from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError, httpx2.HTTPError) as error:
            raise Unanswered(f"The connection to {name} broke ({type(error).__name__}).") from error
        finally:
            _statuses.reset(token)

    def _since(self) -> str:
        """Return what is known of a program that ended while it was asked, "" while it runs."""
        if not self.closed.is_set():
            return ""
        said = self.fault or self.last_words()
        return f" It ended: {said}" if said else " It ended."

    def last_words(self) -> str:
        """Return what the program last wrote about itself, without secrets."""
        return redact(clean_line(" ".join(self.said)))[-300:]


@asynccontextmanager
async def _heard_lines(line: Callable[[str], None]) -> AsyncIterator[TextIO]:
    """Yield a file whose lines, cut, are passed to `line`: what a program writes to its standard error."""
    reading, writing = os.pipe()
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(reading, "rb", 0)
    transport, _ = await loop.connect_read_pipe(lambda: _Lines(line), pipe)
    try:
        with os.fdopen(writing, "w") as errlog:
            yield errlog
    finally:
        transport.close()


class _Lines(asyncio.Protocol):
    """Cuts what arrives into lines of at most 500 characters."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line, self._rest = line, b""

    def data_received(self, data: bytes) -> None:
        """Pass on the lines that are complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-500:]
        for each in lines[-10:]:
            if text := clean_line(each.decode("utf-8", "replace"))[:500]:
                self._line(text)
