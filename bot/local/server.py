"""The local Discord: one loopback port with REST, gateway, files and the page."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import yarl
from aiohttp import web
from discord.gateway import DiscordWebSocket
from discord.http import Route
from simcord.backend import serializers

from bot.local.actors import Human
from bot.local.cdn import INLINE_TYPES, LocalCdn
from bot.local.conditions import Conditions
from bot.local.gateway import Gateway
from bot.local.guard import CLOSED, KEY, enter, from_browser, has_key, right_host, same, same_origin
from bot.local.options import LocalOptions
from bot.local.page_api import PageApi
from bot.local.rest import API, Rest
from bot.local.store import WorldFile
from bot.local.world import World

HOST = "127.0.0.1"
MAX_REQUEST = 110 * 1024 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LocalDiscord:
    """A Discord of one's own on loopback, for an unmodified discord.py and for a browser.

    After ``start()``: ``api_base`` and ``gateway_url`` for the bot (see ``point_discord_at``),
    ``token``; for people ``page_url``, which holds the key without which nothing is shown (``base_url``
    is the address without it). ``you`` is the human at the page, ``guest`` one
    without any rights. ``gaps`` lists what was asked for and is not known here: a test asserts
    that it is empty. ``notice`` is one line of plain text the page shows on top.
    """

    def __init__(self, options: LocalOptions | None = None) -> None:
        self.options = options or LocalOptions()
        self.faults = self.options.faults
        self.token = ""
        self._notice = ""
        self.guild_id = 0
        self.api_base = self.gateway_url = self.base_url = ""
        self._port = self.options.port
        self._runner: web.AppRunner | None = None
        self._saver: asyncio.Task[None] | None = None
        self._file = WorldFile(self.options.data)
        self._page = PageApi(self)

    async def start(self) -> None:
        """Open the port, load or make the world; raises OSError if the port is taken,
        BrokenWorldError if the saved world cannot be read.
        """
        try:
            await self._listen()
            base = f"http://{HOST}:{self._port}"
            self.api_base, self.base_url = base + API, base + "/"
            self.gateway_url = f"ws://{HOST}:{self._port}/gateway/"
            self._open_world(base)
        except BaseException:
            await self._free_port()
            self._file.close()
            raise
        self._page.attach(self.world)
        self.gateway.presence_listeners.append(self._page.presence_changed)
        self._saver = asyncio.create_task(self._file.keep_saving(self.options.save_every))

    async def stop(self) -> None:
        """Close every connection, save the world, free the port."""
        if self._saver is not None:
            self._file.enough()
            await self._saver
        await self._hang_up()
        self._file.close()

    async def restart(self, down_for: float = 0.0) -> None:
        """Go away for some seconds and come back on the same port, as Discord does at times.

        The world is kept; gateway sessions are not.
        """
        await self._hang_up()
        await asyncio.sleep(down_for)
        await self._listen()

    @property
    def conditions(self) -> Conditions:
        """What this Discord and its guild are like; see `bot.local.conditions`."""
        return self.world.conditions

    def outage(self, lasts: bool) -> None:
        """Let the guild become unavailable, or available again, and tell the bot."""
        guild = self.world.get_guild(self.guild_id)
        if lasts:
            self.conditions.outage.add(guild.id)
            self.world.emit("GUILD_DELETE", {"id": str(guild.id), "unavailable": True})
        else:
            self.conditions.outage.discard(guild.id)
            self.world.emit("GUILD_CREATE", dict(serializers.guild_create_payload(self.world, guild)))

    async def saved(self) -> bool:
        """Wait until all that has changed so far outlives this process -> whether it does."""
        return await self._file.saved()

    async def _listen(self) -> None:
        app = web.Application(client_max_size=MAX_REQUEST)
        app.middlewares.append(self._guarded)
        app.router.add_route("*", API + "/{tail:.*}", self._on_rest)
        app.router.add_get("/gateway/", self._on_gateway)
        app.router.add_get("/cdn/{tail:.*}", self._on_file)
        self._page.add_routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def _hang_up(self) -> None:
        self._page.hang_up()
        await self.gateway.close_all(1001, forget=True)
        await self._free_port()

    async def _free_port(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _open_world(self, base: str) -> None:
        self.world = World(LocalCdn(base, self._file.load_blob, self._file.page_key))
        self.world.gateway_url = self.gateway_url
        self.world.cdn.conditions, self.world.cdn.now = self.world.conditions, self.world.time.now
        self.world.time_scale = self.options.time_scale
        self.world.limits_edits = self.options.rate_limits
        self.world.application_flags = self.options.application_flags
        self.world.reads_content = "message_content" in self.options.privileged_intents
        home = self._file.open(self.world, self.options)
        self.token, self.guild_id = home.token, home.guild_id
        self.gateway = Gateway(self.world, self.options, self.token)
        self.rest = Rest(self.world, self.options, self.token, self.saved)
        self.faults.attach(self.gateway)
        self.you = Human(self.world, home.guild_id, home.you)
        self.guest = Human(self.world, home.guild_id, home.guest)

    @property
    def page_url(self) -> str:
        """What people open: the page's address with its key."""
        return f"{self.base_url}?{KEY}={self.page_key}"

    @property
    def page_key(self) -> str:
        """What a browser must have been given to see or do anything."""
        return self._file.page_key

    @property
    def gaps(self) -> list[str]:
        """Routes, fields and gateway operations that were met and are not known here."""
        return self.rest.gaps + self.gateway.gaps

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the server listens."""
        return [(a[0], a[1]) for a in self._runner.addresses] if self._runner else []

    @property
    def notice(self) -> str:
        """One line of plain text on top of the page; an empty string for none."""
        return self._notice

    @notice.setter
    def notice(self, text: str) -> None:
        self._notice = text
        self._page.notice_changed(text)

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in whoever has the secret of what is asked for: the page's key, or the bot's token.

        REST and the gateway ask for the token themselves; an uploaded file's address may be enough.
        """
        if not right_host(request):
            return web.Response(status=421, text="this server only answers to its loopback address")
        if request.path.startswith(API + "/") or request.path == "/gateway/":
            return await handler(request)
        if request.path == "/" and same_origin(request) and same(request.query.get(KEY), self.page_key):
            return enter(request, self.page_key)
        if has_key(request, self.page_key) or self._signed(request):
            return await handler(request)
        return web.Response(status=401, text=CLOSED, headers={"Cache-Control": "no-store"})

    def _signed(self, request: web.Request) -> bool:
        path, ends = request.path, request.query.get("ex", "")
        right = self.world.cdn.signature(path, ends)
        return path.startswith("/cdn/") and same(request.query.get("hm"), right)

    async def _on_rest(self, request: web.Request) -> web.StreamResponse:
        return await self.rest.handle(request)

    async def _on_gateway(self, request: web.Request) -> web.StreamResponse:
        if from_browser(request):
            return web.Response(status=403, text="the gateway is for the bot, not for web pages")
        return await self.gateway.connect(request)

    async def _on_file(self, request: web.Request) -> web.StreamResponse:
        data = self.world.cdn.get(request.path)
        if data is None or not same_origin(request):
            return web.Response(status=404)
        if self.world.cdn.expired(request.query.get("ex", "")):
            return web.Response(status=404, text="This content is no longer available.")
        return file_response(request.path, data)


def file_response(path: str, data: bytes) -> web.Response:
    """A file as the browser gets it: pictures in place, anything else only as a download."""
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    inline = kind in INLINE_TYPES
    name = quote(Path(path).name)
    return web.Response(
        body=data,
        content_type=kind if inline else "application/octet-stream",
        headers={
            "Content-Disposition": "inline" if inline else f"attachment; filename*=UTF-8''{name}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        },
    )


@contextmanager
def point_discord_at(local: LocalDiscord) -> Iterator[None]:
    """Make discord.py, unmodified, talk to ``local`` instead of Discord while inside.

    Route.BASE and DiscordWebSocket.DEFAULT_GATEWAY are the two places that hold Discord's
    address; both are put back on leaving.
    """
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE = local.api_base
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(local.gateway_url)
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before
