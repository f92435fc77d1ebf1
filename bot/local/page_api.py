"""What the page asks the server for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from bot.local.world import World

if TYPE_CHECKING:
    from bot.local.server import LocalDiscord


class PageApi:
    """Serves the page, its data and its live events."""

    def __init__(self, local: LocalDiscord) -> None:
        self._local = local

    def attach(self, world: World) -> None:
        """Follow a world's changes."""

    def hang_up(self) -> None:
        """End every live connection."""

    def add_routes(self, app: web.Application) -> None:
        """Register the page's addresses."""
