"""The buttons by which managers sign in to servers of tools and out of them."""

from __future__ import annotations

from typing import Any

from bot.features.tools.sign_in import sign_in_view
from engine.ports import ServerState


def test_every_server_has_its_button() -> None:
    """A sixth server, too: without its button nobody could sign in to it, or out of it."""
    states = [ServerState(f"server-{n}", "needs_sign_in", "", 0, signs_in=True) for n in range(8)]
    states += [ServerState(f"kept-{n}", "ready", "", 3, signed_in=True) for n in range(8)]
    view: Any = sign_in_view(states, "guild:1")
    labels = [child.item.label for child in view.children]
    assert labels == [
        *(f"Sign in to server-{n}" for n in range(8)),
        *(f"Sign out of kept-{n}" for n in range(8)),
    ]
    assert sign_in_view([], "guild:1") is None
