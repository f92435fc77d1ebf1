"""Store drafts of tasks: a goal that is still being typed, a confirmation that is awaited.

Stored for a day, so a restart loses none. A draft belongs to one person in one server:
a forged modal or button with its number, sent from another server or by somebody else, finds nothing.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from bot.discord.context import Interaction, parts_of
from bot.discord.interactions import requester

LASTS_S = 86_400.0
"""How long a draft is kept; Discord's links to its attachments last about as long."""


def _name(interaction: Interaction, kind: str, number: int) -> str:
    # The number comes first: names sort by age, which is how old ones are dropped.
    return f"{kind}:{number}:{interaction.guild_id or 0}:{requester(interaction).id}"


async def keep_draft(interaction: Interaction, kind: str, order: Mapping[str, Any]) -> int:
    """Store a draft of this person in this server; return the number under which only they find it."""
    parts = parts_of(interaction)
    now = parts.now()
    await parts.records.drop_facts(f"{kind}:", f"{kind}:{int((now - LASTS_S) * 1000) * 1000}")
    number = int(now * 1000) * 1000 + secrets.randbelow(1000)
    await parts.records.set_fact(_name(interaction, kind, number), json.dumps(order))
    return number


async def read_draft(interaction: Interaction, kind: str, number: int) -> dict[str, Any] | None:
    """The order who asks placed here under a number; None when there is none (any more)."""
    kept = await parts_of(interaction).records.fact(_name(interaction, kind, number))
    return None if kept is None else json.loads(kept)


async def take_draft(interaction: Interaction, kind: str, number: int) -> bool:
    """Take the order away; whether it was still there. Of several at once only one gets True."""
    return await parts_of(interaction).records.take_fact(_name(interaction, kind, number)) is not None
