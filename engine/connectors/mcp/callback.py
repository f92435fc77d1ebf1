"""Answer the redirect address of sign-ins (`signin.py`), only while one is under way."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from aiohttp import web

from engine.connectors.mcp.signin import SignIns
from engine.errors import EngineError

log = logging.getLogger(__name__)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
DONE = "Signed in. You can close this page and go back to Discord."


def listening_at(redirect: str, listen: str) -> tuple[str, int] | None:
    """Return where to listen: `listen` (host:port) if set, else the redirect address if it is this machine.

    Raises ValueError for a setting that cannot be read.
    """
    parts = urlsplit(f"//{listen}" if listen else redirect)
    if not listen and (parts.scheme != "http" or parts.hostname not in _LOOPBACK):
        return None
    if not parts.hostname or not parts.port:
        raise ValueError(f"{listen or redirect} names no host and port")
    return parts.hostname, parts.port


class Callback:
    """Listens while sign-ins wait. An address that is taken is only logged: people can paste theirs."""

    def __init__(self, sign_ins: SignIns, at: tuple[str, int] | None) -> None:
        self._sign_ins, self._at = sign_ins, at
        self._runner: web.AppRunner | None = None
        sign_ins.changed = self.follow

    async def follow(self) -> None:
        """Listen if a sign-in waits, else stop."""
        if self._sign_ins.waiting and self._runner is None and self._at is not None:
            await self._listen(*self._at)
        elif not self._sign_ins.waiting:
            await self.close()

    async def _listen(self, host: str, port: int) -> None:
        app = web.Application()
        app.router.add_get(urlsplit(self._sign_ins.redirect).path or "/", self._answer)
        runner = self._runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            log.warning("Sign-ins cannot be answered at %s:%s: %s", host, port, error.strerror)
            await self.close()

    async def _answer(self, request: web.Request) -> web.Response:
        address = f"{self._sign_ins.redirect}?{request.query_string}"
        try:
            await self._sign_ins.finish(address, None)
        except EngineError as error:
            return web.Response(text=str(error), status=400, headers=_HEADERS)
        return web.Response(text=DONE, headers=_HEADERS)

    async def close(self) -> None:
        """Stop listening. Repeatable."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
