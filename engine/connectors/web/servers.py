"""Search and pages as tools of the world outside (`engine.ports.OutsideServers`): the server `web`."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.connectors.web.fetch import Fetched, Fetcher, NotFetched, proxy_note
from engine.connectors.web.reader import PageReader, PageText, Unreadable
from engine.connectors.web.robots import Robots
from engine.connectors.web.search import Search, SearchFailed
from engine.domain.addresses import BadAddress, addresses_in_text, normal_address
from engine.domain.clean import clean_line, clean_text
from engine.domain.outside import WEB
from engine.errors import NotSent
from engine.ports import AgentRole, OutsideAnswer, OutsideLimits, OutsideTool, ServerState

ROLES: tuple[AgentRole, ...] = ("boss", "head", "member")
PART = 9_000
"""Characters of a page in one answer; links come on top."""

LINKS_SHOWN = 40
KEPT_PAGES = 24
SOME_HOST = "www.wikipedia.org"
PROBE_S = 3.0
KEPT_S = 900.0
TEXTS = ("application/json", "application/xml", "application/xhtml+xml", "application/pdf", "")


USUAL = OutsideLimits(per_task=200, per_hour=1_000, timeout_s=75.0, reuse_s=86_400.0)


@dataclass(frozen=True, slots=True)
class WebOptions:
    """`limits`: of searches and pages together. `price_micros`: of one search."""

    limits: OutsideLimits = USUAL
    price_micros: int = 0


@dataclass(frozen=True, slots=True)
class _Page:
    address: str
    text: PageText
    links: tuple[tuple[str, str], ...]
    at: float


class Web:
    """The web. `search` None: pages only. `trouble`: why there is none here, else ""."""

    def __init__(
        self,
        search: Search | None,
        fetcher: Fetcher,
        options: WebOptions,
        now: Callable[[], float],
        trouble: str = "",
    ) -> None:
        self._search, self._fetcher, self._now = search, fetcher, now
        self._robots, self._reader = Robots(fetcher, now), PageReader()
        self._pages: OrderedDict[str, _Page] = OrderedDict()
        self._trouble, self._last = trouble, ""
        self._looking: asyncio.Task[bool] | None = None
        self._tools = () if trouble else web_tools(options, searches=search is not None)

    def tools(self) -> Sequence[OutsideTool]:
        """See `OutsideServers.tools`."""
        return self._tools

    def states(self) -> Sequence[ServerState]:
        """See `OutsideServers.states`."""
        if self._trouble:
            return (ServerState(WEB, "wrong", self._trouble),)
        if self._looking is not None and not self._looking.done():
            return (ServerState(WEB, "starting", "", len(self._tools)),)
        if self._last:
            return (ServerState(WEB, "down", self._last, len(self._tools)),)
        return (ServerState(WEB, "ready", self._about(), len(self._tools)),)

    def _about(self) -> str:
        by = f"searches with {self._search.name}" if self._search is not None else "reads pages, searches not"
        return f"It {by}."

    async def start(self) -> None:
        """See `OutsideServers.start`."""
        if not self._trouble and self._looking is None:
            self._looking = asyncio.create_task(self._is_away(), name="web-probe")

    async def close(self) -> None:
        """See `OutsideServers.close`."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._reader.close()

    async def _is_away(self) -> bool:
        """Return whether there is no network, found out by a name alone; note it for the state."""
        host = self._search.host if self._search is not None else SOME_HOST
        try:
            async with asyncio.timeout(PROBE_S):
                await self._fetcher.resolve(host, 443)
        except (OSError, UnicodeError, TimeoutError):
            self._last = f"There is no network here: the name {host} cannot be found.{proxy_note()}"
            return True
        self._last = ""
        return False

    async def call(self, tool: OutsideTool, arguments: Mapping[str, Any]) -> OutsideAnswer:
        """See `OutsideServers.call`."""
        if tool.tool == SEARCH:
            return await self._find(str(arguments.get("query", "")))
        part = arguments.get("part", 1)
        return await self._read(str(arguments.get("address", "")), part if isinstance(part, int) else 1)

    # ------------------------------------------------------------ search

    async def _find(self, query: str) -> OutsideAnswer:
        words = clean_line(query)[:400]
        if not words or self._search is None:
            return OutsideAnswer("Say what to search for.", failed=True)
        try:
            found = await self._search.find(words)
        except NotSent as error:
            self._last = str(error)
            raise
        except SearchFailed as error:
            if error.doubtful and await self._is_away():
                raise NotSent(self._last) from error
            return OutsideAnswer(str(error), failed=True)
        self._last = ""
        usable = [(each, address) for each in found if (address := _normal(each.address))]
        lines = [
            f"{number}. {clean_line(each.title)[:200]}\n{address}\n{clean_line(each.excerpt)[:500]}"
            for number, (each, address) in enumerate(usable, 1)
        ]
        addresses = tuple(address for _, address in usable)
        return OutsideAnswer("\n\n".join(lines) or "Nothing was found.", links=addresses, basis="search")

    # ------------------------------------------------------------ pages

    async def _read(self, written: str, part: int) -> OutsideAnswer:
        try:
            address = normal_address(written)
            page = self._kept(address) or await self._fetched(address)
        except BadAddress as error:
            return OutsideAnswer(f"This address is not read: {error}.", failed=True)
        except Unreadable as error:
            return OutsideAnswer(f"The page is there, but {error}.", failed=True)
        except NotFetched as error:
            if error.unreachable and await self._is_away():
                raise NotSent(self._last) from error
            return OutsideAnswer(str(error), failed=True)
        links = (page.address, *(link for link, _ in page.links))
        return OutsideAnswer(_shown(page, part), addresses=(page.address,), links=links)

    def _kept(self, address: str) -> _Page | None:
        page = self._pages.get(address)
        return page if page is not None and page.at > self._now() - KEPT_S else None

    async def _fetched(self, address: str) -> _Page:
        await self._robots.check(address)
        fetched = await self._fetcher.get(address, _takes)
        self._last = ""
        if fetched.status >= 400:
            raise NotFetched(f"There is no such page: its server answers with status {fetched.status}.")
        text = await self._reader.read(_with_kind(fetched))
        page = _Page(fetched.address, _cleaned(text), _links(text), self._now())
        self._pages[address] = page
        self._pages.move_to_end(address)
        while len(self._pages) > KEPT_PAGES:
            self._pages.popitem(last=False)
        return page


def _takes(kind: str) -> bool:
    return kind.startswith("text/") or kind in TEXTS or kind.endswith(("+xml", "+json"))


def _with_kind(fetched: Fetched) -> Fetched:
    """Return a page whose type was not stated with the one that its first bytes show."""
    if b"\0" in fetched.body[:2_000] and fetched.kind != "application/pdf" and "16" not in fetched.charset:
        raise NotFetched("It is not a text to read.")
    if fetched.kind:
        return fetched
    start = fetched.body[:500].lstrip().lower()
    kind = (
        "application/pdf"
        if start.startswith(b"%pdf-")
        else "text/html"
        if start[:1] == b"<"
        else "text/plain"
    )
    return replace(fetched, kind=kind)


def _cleaned(text: PageText) -> PageText:
    return replace(text, title=clean_line(text.title), text=clean_text(text.text))


def _links(text: PageText) -> tuple[tuple[str, str], ...]:
    """Return the addresses that a page names, as links first, with their labels."""
    found: dict[str, str] = {}
    for written, label in text.links:
        if address := _normal(written):
            found.setdefault(address, clean_line(label))
    for address in addresses_in_text(text.text):
        found.setdefault(address, "")
    return tuple(found.items())


def _normal(written: str) -> str:
    try:
        return normal_address(written)
    except BadAddress:
        return ""


def _shown(page: _Page, part: int) -> str:
    """Return one part of a page as agents read it; the first with the page's links."""
    whole = page.text.text
    parts = max(1, -(-len(whole) // PART))
    if not 1 <= part <= parts:
        return f"The page has {parts} parts."
    lines = [page.text.title, page.address]
    if parts > 1:
        lines.append(f"(part {part} of {parts})")
    lines += ["", whole[(part - 1) * PART : part * PART] or "(no text)"]
    if part == 1 and page.links:
        more = f", {LINKS_SHOWN} of {len(page.links)}" if len(page.links) > LINKS_SHOWN else ""
        lines += ["", f"Links{more}:"]
        lines += [
            f"{number}. {label}: {address}" if label else f"{number}. {address}"
            for number, (address, label) in enumerate(page.links[:LINKS_SHOWN], 1)
        ]
    return "\n".join(lines)


# ---------------------------------------------------------------- the tools

SEARCH, READ = "web_search", "read_page"


def web_tools(options: WebOptions, *, searches: bool) -> tuple[OutsideTool, ...]:
    """Return the tools, without the search where there is none."""
    query = {"query": {"type": "string"}}
    page = {"address": {"type": "string"}, "part": {"type": "integer"}}
    read = _tool(
        options,
        READ,
        "Read a web page whose address people, a search or a page gave.",
        {"type": "object", "properties": page, "required": ["address"]},
    )
    find = _tool(
        options,
        SEARCH,
        "Search the web.",
        {"type": "object", "properties": query, "required": ["query"]},
    )
    read, priced = replace(read, known_addresses=True), replace(find, price_micros=options.price_micros)
    return (read, priced) if searches else (read,)


def _tool(options: WebOptions, name: str, description: str, parameters: dict[str, Any]) -> OutsideTool:
    return OutsideTool(
        name=name,
        server=WEB,
        tool=name,
        description=description,
        parameters=parameters,
        policies=dict.fromkeys(ROLES, "allow"),
        reads_only=True,
        repeatable=True,
        limits=options.limits,
    )
