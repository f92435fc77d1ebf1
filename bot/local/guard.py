"""Access control of the loopback server: the bot, and the one page that it serves itself.

A page on the internet can make a browser send requests to 127.0.0.1 (CSRF), or point its own name there (DNS
rebinding). Both show in the Host, Origin and Sec-Fetch-Site headers. Other users of the machine can send any
header they like; what they lack is the key in the printed address, which a browser that opens it keeps as a
cookie.
"""

from __future__ import annotations

import hmac

from aiohttp import web

#: Name of the key in the address that people open.
KEY = "key"
COOKIE_S = 365 * 24 * 3600
CLOSED = "Open the whole address that was printed when the bot started; it ends with ?key=…"

LOOPBACK_NAMES = ("127.0.0.1", "localhost")


def expected_hosts(port: int) -> frozenset[str]:
    """Return the Host headers that mean this server."""
    return frozenset(f"{name}:{port}" for name in LOOPBACK_NAMES)


def right_host(request: web.Request) -> bool:
    """Return True if the request was addressed to a loopback name and our own port."""
    sock = request.transport.get_extra_info("sockname") if request.transport else None
    return sock is not None and request.headers.get("Host") in expected_hosts(sock[1])


def cookie_name(request: web.Request) -> str:
    """Return the name of this server's cookie; browsers keep one jar for all ports of an address."""
    return f"megaagent-{request.url.port}"


def same(given: str | None, right: str) -> bool:
    """Compare a given secret with the right one in constant time."""
    return hmac.compare_digest((given or "").encode(), right.encode())


def has_key(request: web.Request, key: str) -> bool:
    """Return True if the browser opened the printed address before."""
    return same(request.cookies.get(cookie_name(request)), key)


def enter(request: web.Request, key: str) -> web.Response:
    """Exchange the key in the address for a cookie, so that it disappears from the address bar."""
    response = web.Response(status=303, headers={"Location": "/", "Cache-Control": "no-store"})
    response.set_cookie(
        cookie_name(request), key, max_age=COOKIE_S, path="/", httponly=True, samesite="Strict"
    )
    return response


def from_browser(request: web.Request) -> bool:
    """Return True if a browser sent it; the bot's HTTP client sends none of these headers."""
    return any(name in request.headers for name in ("Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode"))


def same_origin(request: web.Request) -> bool:
    """Return True if it comes from our own page, or from no page at all."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    host = request.headers.get("Host")
    return origin in (None, f"http://{host}") and site in ("same-origin", "none")
