"""A web on loopback: sites by name, each request noted as its server got it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

SITES = "127.0.0.5"
"""Where the sites are; it stands for the public internet. 127.0.0.1 stands for this machine."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class LoopbackWeb:
    """`names`: what the name service answers, in turn. `pages`: by `host/path`; others are not there."""

    port: int = 0
    names: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    pages: dict[str, Handler] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    heads: list[Mapping[str, str]] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)

    def url(self, where: str) -> str:
        """The address of `host/path`."""
        host, _, path = where.partition("/")
        return f"http://{host}:{self.port}/{path}"

    def page(self, where: str, text: str = "", kind: str = "text/html", **more: object) -> str:
        """Put a page there. Return its address."""

        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.Response(text=text, content_type=kind, **more)  # type: ignore[arg-type]

        self.pages[where] = answer
        return self.url(where)

    def redirect(self, where: str, to: str) -> str:
        """Put a redirect there. Return its address."""

        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": to})

        self.pages[where] = answer
        return self.url(where)

    async def resolve(self, host: str, _port: int) -> Sequence[str]:
        """The name service: any name is a site; a number is itself."""
        self.looked_up.append(host)
        if host[0].isdecimal() or ":" in host:
            return (host,)
        answers = self.names.get(host, [(SITES,)])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        host = request.host.partition(":")[0]
        self.asked.append(f"{request.method} {request.host.partition(':')[0]}{request.raw_path}")
        self.heads.append(dict(request.headers))
        handler = self.pages.get(f"{host}{request.path}")
        if handler is None:
            return web.Response(status=404)
        try:
            return await handler(request)
        except ConnectionError:  # who reads has enough of an endless page
            return web.Response(status=500)

    def pages_asked(self) -> list[str]:
        """What was asked for but robots.txt."""
        return [one.removeprefix("GET ") for one in self.asked if not one.endswith("/robots.txt")]


@contextlib.asynccontextmanager
async def loopback_web(host: str = SITES) -> AsyncIterator[LoopbackWeb]:
    """Serve a web."""
    made = LoopbackWeb()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made._answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()
