"""The buttons by which managers sign in to servers of tools and out of them."""

from __future__ import annotations

from typing import Any

import discord

from bot.discord.access import Person
from bot.features.tools.sign_in import sign_in_view
from engine.ports import ServerState


async def test_every_server_has_its_button() -> None:
    """A sixth server, too: without its button nobody could sign in to it, or out of it."""
    states = [ServerState(f"server-{n}", "needs_sign_in", "", 0, signs_in=True) for n in range(8)]
    states += [ServerState(f"kept-{n}", "ready", "", 3, signed_in=True) for n in range(8)]
    manager = Person(1, "me", frozenset(), manages_guild=True)
    client = discord.Client(intents=discord.Intents.none())
    view: Any = await sign_in_view(client, manager, states)
    labels = [child.item.label for child in view.children]
    assert labels == [
        *(f"Sign in to server-{n}" for n in range(8)),
        *(f"Sign out of kept-{n}" for n in range(8)),
    ]
    assert await sign_in_view(client, manager, []) is None
