"""Checks before a request reaches the world."""

from __future__ import annotations

from simcord.http.router import RequestContext

from bot.local.world import World


def check_request(world: World, template: str, ctx: RequestContext) -> None:
    """Raise Discord's refusal if the request breaks a documented limit."""
