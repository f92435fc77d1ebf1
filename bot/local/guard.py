"""Who may talk to the loopback server: the bot, and the one page it serves itself.

A page on the internet can make a browser send requests to 127.0.0.1 (CSRF), or point its own
name there (DNS rebinding). Both show: in the Host, Origin and Sec-Fetch-Site headers.
"""

from __future__ import annotations

from aiohttp import web

LOOPBACK_NAMES = ("127.0.0.1", "localhost")


def expected_hosts(port: int) -> frozenset[str]:
    """The Host headers that mean this server."""
    return frozenset(f"{name}:{port}" for name in LOOPBACK_NAMES)


def right_host(request: web.Request) -> bool:
    """Whether the request was addressed to a loopback name and our own port."""
    sock = request.transport.get_extra_info("sockname") if request.transport else None
    return sock is not None and request.headers.get("Host") in expected_hosts(sock[1])


def from_browser(request: web.Request) -> bool:
    """Whether a browser sent it; the bot's HTTP client sends none of these headers."""
    return any(name in request.headers for name in ("Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode"))


def same_origin(request: web.Request) -> bool:
    """Whether it comes from our own page, or from no page at all."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    host = request.headers.get("Host")
    return origin in (None, f"http://{host}") and site in ("same-origin", "none")
