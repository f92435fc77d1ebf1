"""Bound what an MCP server sends, so that none can fill this process's memory.

Over a program's output `keeper.py` bounds each line, over HTTP this stream each body. Events of a stream are
bounded by the official package.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

LONGEST = 8 * 2**20
"""Bytes of one message; agents are shown far less (`connectors.MAX_ANSWER`), the rest is pictures."""

MOST_STRAY = 1_000
"""Messages of one connection that cannot be read. A program may print some lines that are none."""

PLAIN = {"Accept-Encoding": "identity"}
"""Asks for bodies as they are: what a compressed one grows to is not known from its bytes."""

TOO_LONG = f"it sent more than {LONGEST:,} bytes as one message"
COMPRESSED = "it sent a compressed answer though it was asked not to"
STRAY = f"it wrote more than {MOST_STRAY:,} lines that are no messages"


class TooMuch(httpx2.StreamError):
    """A body has no bound; the text says what the server did."""


class Bounded(httpx2.AsyncByteStream):
    """The body of a response, at most LONGEST bytes unless it is a stream of events."""

    def __init__(self, response: httpx2.Response) -> None:
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        self._body = response.stream
        kind = response.headers.get("content-type", "").lower()
        self._ends = not kind.startswith("text/event-stream")
        self._compressed = response.headers.get("content-encoding", "identity").lower() not in (
            "",
            "identity",
        )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._compressed:
            raise TooMuch(COMPRESSED)
        held = 0
        async for chunk in self._body:
            held += len(chunk)
            if self._ends and held > LONGEST:
                raise TooMuch(TOO_LONG)
            yield chunk

    async def aclose(self) -> None:
        """See `httpx2.AsyncByteStream`."""
        await self._body.aclose()


async def bound_body(response: httpx2.Response) -> None:
    """Bound the body of a response that is not read yet: a hook of a client."""
    response.stream = Bounded(response)
