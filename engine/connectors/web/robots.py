"""Respect robots.txt (RFC 9309), kept for an hour by site."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from yarl import URL

from engine.connectors.web.fetch import AGENT, Fetcher, NotFetched

if TYPE_CHECKING:
    from protego import Protego

KEPT_S = 3_600.0
SITES = 500
LONGEST = 500_000


class Robots:
    """What sites allow this reader. `now`: seconds."""

    def __init__(self, fetcher: Fetcher, now: Callable[[], float]) -> None:
        self._fetcher, self._now = fetcher, now
        self._sites: OrderedDict[str, tuple[float, Protego | None]] = OrderedDict()
        self._asking: dict[str, asyncio.Lock] = {}

    async def check(self, address: str) -> None:
        """Check that the site of a normalised address allows it to be read. Raises NotFetched.

        Without a robots.txt everything is allowed; where it cannot be had (errors of the server), nothing.
        """
        site = str(URL(address).origin())
        lock = self._asking.setdefault(site, asyncio.Lock())
        try:
            async with lock:
                rules = await self._rules(site)
        finally:
            if not lock.locked():
                self._asking.pop(site, None)
        if rules is None:
            raise NotFetched("Its site does not say what may be read (robots.txt fails), so nothing is.")
        if not rules.can_fetch(address, AGENT):
            raise NotFetched("Its site does not want it read by programs (robots.txt).")

    async def _rules(self, site: str) -> Protego | None:
        kept = self._sites.get(site)
        if kept is not None and kept[0] > self._now() - KEPT_S:
            return kept[1]
        rules = await self._fetched(site)
        self._sites[site] = (self._now(), rules)
        self._sites.move_to_end(site)
        while len(self._sites) > SITES:
            self._sites.popitem(last=False)
        return rules

    async def _fetched(self, site: str) -> Protego | None:
        from protego import Protego  # noqa: PLC0415 - of the extra [web]

        try:
            found = await self._fetcher.get(f"{site}/robots.txt", lambda _kind: True)
        except NotFetched as error:
            if error.unreachable:
                raise
            return Protego.parse("")
        if found.status >= 500:
            return None
        text = "" if found.status >= 400 else found.body[:LONGEST].decode("utf-8", "replace")
        return Protego.parse(text)
