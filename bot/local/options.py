"""Options of a local Discord."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bot.local.faults import Faults

#: discord.Intents flags a bot must be approved for in the developer portal.
PRIVILEGED = frozenset({"members", "presences", "message_content"})
#: The application's flags that say so (the "limited" ones: a bot in under 100 guilds).
_FLAGS = {"presences": 1 << 13, "members": 1 << 15, "message_content": 1 << 19}


#: What a bot is invited with; its role in a new world has these permissions and no other.
INVITED = frozenset(
    {
        *("view_channel", "send_messages", "send_messages_in_threads", "embed_links", "attach_files"),
        *("read_message_history", "add_reactions", "manage_channels", "manage_webhooks"),
        *("create_public_threads", "manage_threads", "manage_roles", "pin_messages"),
    }
)


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """What a local Discord is started with.

    ``port`` 0 takes any free one. ``data`` is the folder whose ``discord.sqlite3`` keeps the
    world over restarts; None keeps it in memory. ``rate_limits`` switches Discord's limits on.
    ``time_scale`` > 1 makes rate windows, waits and heartbeats pass that many times faster;
    interaction deadlines stay real. ``privileged_intents`` are those the portal has approved:
    asking for another closes the gateway with 4014, as Discord does. ``bot_permissions`` are those
    the bot is invited with; what is not among them is refused. What a request
    changed is saved before it is answered; ``save_every`` is the longest time in seconds that any
    other change may stay unsaved.
    """

    port: int = 0
    data: Path | None = None
    rate_limits: bool = True
    time_scale: float = 1.0
    faults: Faults = field(default_factory=Faults)
    privileged_intents: frozenset[str] = PRIVILEGED
    bot_permissions: frozenset[str] = INVITED
    guild_name: str = "MegaAgent"
    bot_name: str = "MegaAgent"
    save_every: float = 0.5

    @property
    def application_flags(self) -> int:
        """The application's flags for its privileged intents."""
        return sum(flag for name, flag in _FLAGS.items() if name in self.privileged_intents)
