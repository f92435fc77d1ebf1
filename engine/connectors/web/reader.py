"""Have pages turned into text by a process of its own (`extract.py`), restarted when a page is too much."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.connectors.web.confined import Confinement, confinement
from engine.connectors.web.fetch import Fetched

PROGRAM = Path(__file__).with_name("extract.py")
SECONDS = 20.0


class Unreadable(Exception):
    """A page has no text that can be read; the text says why."""


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of a page, and its links with their labels, as the page has them."""

    title: str
    text: str
    links: tuple[tuple[str, str], ...]


class PageReader:
    """One process that reads pages, started when the first one comes."""

    def __init__(self, seconds: float = SECONDS, program: Path = PROGRAM) -> None:
        self._seconds, self._program = seconds, program
        self._confined: Confinement | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._one_at_a_time = asyncio.Lock()

    async def read(self, page: Fetched) -> PageText:
        """Return the text of a page. Raises Unreadable."""
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await self._asked(page)
            except TimeoutError as error:
                await self._end()
                raise Unreadable(f"it could not be read within {self._seconds:g} seconds") from error
            except BaseException:
                await self._end()
                raise
        if "error" in answer:
            raise Unreadable(str(answer["error"]))
        links = tuple((str(address), str(label)) for address, label in answer["links"])
        return PageText(str(answer["title"]), str(answer["text"]), links)

    async def _asked(self, page: Fetched) -> dict[str, Any]:
        """Return the answer; a process that had ended (it does when idle) is replaced once."""
        for _ in range(2):
            process = await self._running()
            assert process.stdin is not None and process.stdout is not None
            head = {
                "size": len(page.body),
                "kind": page.kind,
                "charset": page.charset,
                "address": page.address,
            }
            try:
                process.stdin.write(json.dumps(head).encode() + b"\n" + page.body)
                await process.stdin.drain()
                line = await process.stdout.readline()
            except (ConnectionError, ValueError):
                line = b""
            if line:
                found: dict[str, Any] = json.loads(line)
                return found
            await self._end()
        raise Unreadable("the program that reads pages ended over it")

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            if self._confined is None:
                self._confined = await confinement()
            self._process = await self._confined.start(self._program)
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def close(self) -> None:
        """End the process. Repeatable."""
        await self._end()
