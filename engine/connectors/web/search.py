"""Search services: SearXNG, Brave, Tavily by their APIs, and one without a key through the library ddgs."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import httpx2
from yarl import URL

from engine.domain.clean import clean_line
from engine.errors import NotSent
from engine.secrets import redact

SECONDS = 20.0
MOST = 10
LARGEST = 4_000_000
BRAVE_WORDS = 50
"""Words of a query that Brave takes; more are refused."""

ALLOW_JSON = "Its settings have to allow the format json."
BRAVE = "https://api.search.brave.com"
TAVILY = "https://api.tavily.com"
KEYLESS = "duckduckgo, brave"
"""Services that ddgs asks; its own choice would pass each search on to a dozen."""


@dataclass(frozen=True, slots=True)
class Found:
    """One result: foreign text."""

    address: str
    title: str
    excerpt: str


class SearchFailed(Exception):
    """The service answered that it cannot search; the text says why. `doubtful`: it may also be that nothing
    answered."""

    def __init__(self, text: str, *, doubtful: bool = False) -> None:
        super().__init__(text)
        self.doubtful = doubtful


class Search(Protocol):
    """A search service."""

    @property
    def host(self) -> str:
        """Return the host whose name has to be found first."""

    @property
    def name(self) -> str:
        """Return its name as people read it."""

    async def find(self, query: str) -> list[Found]:
        """Return results, best first. Raises NotSent when the service was not reached, SearchFailed."""


@cache
def _trusted() -> ssl.SSLContext:
    """Return the settings of TLS, made once: to read the system's certificates takes a tenth of a second."""
    return httpx2.create_ssl_context()


@dataclass(frozen=True, slots=True)
class ApiSearch:
    """A service with an API. `form`: which one; `base`: its address, the operator's."""

    name: str
    form: str
    base: str
    key: str = ""

    @property
    def host(self) -> str:
        """See `Search.host`."""
        return URL(self.base).host or ""

    async def find(self, query: str) -> list[Found]:
        """See `Search.find`."""
        async with httpx2.AsyncClient(timeout=SECONDS, verify=_trusted()) as client:
            request = self._request(client, query)
            try:
                async with client.stream(
                    request.method, request.url, headers=request.headers, content=request.content
                ) as answer:
                    body = await _bounded(answer)
            except httpx2.HTTPError as error:
                why = f"{self.name} cannot be reached ({redact(type(error).__name__)})."
                raise NotSent(why) from error
        if answer.status_code >= 400:
            raise SearchFailed(_refusal(self.name, self.form, answer.status_code))
        return self._results(body)

    def _request(self, client: httpx2.AsyncClient, query: str) -> httpx2.Request:
        base = self.base.rstrip("/")
        if self.form == "brave":
            headers = {"X-Subscription-Token": self.key, "Accept": "application/json"}
            where = f"{base}/res/v1/web/search"
            asked: dict[str, str | int] = {
                "q": " ".join(query.split()[:BRAVE_WORDS]),
                "count": MOST,
                "text_decorations": "false",
            }
            return client.build_request("GET", where, params=asked, headers=headers)
        if self.form == "tavily":
            headers = {"Authorization": f"Bearer {self.key}"}
            wanted = {"query": query, "max_results": MOST}
            return client.build_request("POST", f"{base}/search", json=wanted, headers=headers)
        return client.build_request("GET", f"{base}/search", params={"q": query, "format": "json"})

    def _results(self, body: bytes) -> list[Found]:
        try:
            whole = json.loads(body)
        except ValueError as error:
            said = "" if self.form != "searxng" else f" {ALLOW_JSON}"
            raise SearchFailed(f"{self.name} did not answer with JSON.{said}") from error
        if self.form == "brave" and isinstance(whole, dict):
            whole = whole.get("web")
        listed = whole.get("results") if isinstance(whole, dict) else None
        return found_in(listed, "url", "title", "description" if self.form == "brave" else "content")


@dataclass(frozen=True, slots=True)
class KeylessSearch:
    """Search without a key, by the library ddgs."""

    name: str = "a search without a key"
    host: str = "duckduckgo.com"

    async def find(self, query: str) -> list[Found]:
        """See `Search.find`."""
        return await asyncio.to_thread(self._find, query)

    def _find(self, query: str) -> list[Found]:
        # Imported here: it is of the extra [web], and loads a library of its own.
        from ddgs import DDGS  # noqa: PLC0415
        from ddgs.exceptions import DDGSException, RatelimitException  # noqa: PLC0415

        try:
            found = DDGS(timeout=10).text(query, max_results=MOST, backend=KEYLESS)
        except RatelimitException as error:
            raise SearchFailed(
                "The search without a key wants a pause. Search again in some minutes."
            ) from error
        except DDGSException as error:
            # It says the same when there is nothing to find and when nobody answers.
            why = f"The search without a key found nothing ({clean_line(str(error))[:120]}). Try other words."
            raise SearchFailed(why, doubtful=True) from error
        return found_in(found, "href", "title", "body")


async def _bounded(answer: httpx2.Response) -> bytes:
    parts, size = list[bytes](), 0
    async for piece in answer.aiter_bytes():
        size += len(piece)
        if size > LARGEST:
            raise SearchFailed("The search service answered with too much.")
        parts.append(piece)
    return b"".join(parts)


def _refusal(name: str, form: str, status: int) -> str:
    if status == 403 and form == "searxng":  # it has no keys: so it answers where JSON is not allowed
        return f"{name} refuses to answer with JSON. {ALLOW_JSON}"
    if status in (401, 403):
        return f"{name} refuses the key of this bot; its operator has to correct it in .env."
    if status in (402, 429, 432, 433):  # Tavily's own two: the limits of a plan, and of what may be spent
        return f"{name} takes no more searches now. Search again later, or do without."
    if status in (400, 422):
        return f"{name} does not take these words. Search for other, fewer words."
    return f"{name} failed with status {status}. Search again later, or do without."


def found_in(listed: Any, address: str, title: str, excerpt: str) -> list[Found]:
    """Return the results among what a service listed."""
    entries = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    made = (Found(*(str(each.get(name) or "") for name in (address, title, excerpt))) for each in entries)
    return [each for each in made if each.address][:MOST]
