"""Routing of requests to handlers: ours first, SimCord's for the rest, none for unknown ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import simcord.http.routes  # noqa: F401  registers SimCord's own routes
from simcord.http import router
from simcord.http.router import RequestContext

Handler = Callable[[RequestContext], Any]

_OURS: dict[tuple[str, str], Handler] = {}


@dataclass(frozen=True, slots=True)
class Match:
    """A matching route: its template, the values of its placeholders, its handler."""

    template: str
    args: dict[str, str]
    handler: Handler


def ours(method: str, template: str) -> Callable[[Handler], Handler]:
    """Register a handler of our own, replacing SimCord's if it has one."""

    def register(handler: Handler) -> Handler:
        _OURS[method, template] = handler
        return handler

    return register


class RouteTable:
    """Every known route, SimCord's global table left untouched."""

    def __init__(self) -> None:
        self._routes: dict[str, list[tuple[list[str], str, Handler]]] = {}
        known = {
            (method, "/" + "/".join(segments)): handler
            for method, routes in router._ROUTES.items()
            for segments, handler in routes
        }
        for (method, template), handler in (known | _OURS).items():
            segments = template.strip("/").split("/")
            self._routes.setdefault(method, []).append((segments, template, handler))

    def find(self, method: str, path: str) -> Match | None:
        """Return the most literal matching route, or None."""
        segments = path.strip("/").split("/")
        best: Match | None = None
        for pattern, template, handler in self._routes.get(method, ()):
            args = _fit(pattern, segments)
            if args is not None and (best is None or len(args) < len(best.args)):
                best = Match(template, args, handler)
        return best


def _fit(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    args: dict[str, str] = {}
    for expected, actual in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            args[expected[1:-1]] = actual
        elif expected != actual:
            return None
    return args
