"""Conditions a real server, or Discord itself, may be in; a test or a person switches them on and off."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from simcord.backend.errors import BackendError

from bot.local.apierrors import form_error

HARMFUL = (400, 240000, "Message blocked by harmful links filter")
AUTOMOD = (400, 200000, "Message was blocked by automatic moderation")
NEEDS_2FA = (403, 60003, "Two factor is required for this operation")
FILTERED_NAME = "Contains words not allowed for servers in Server Discovery."

#: Operations that take a permission which the documentation marks for moderators' two-factor authentication.
_MODERATORS = frozenset(
    {
        ("POST", "/guilds/{guild_id}/channels"),
        ("PATCH", "/channels/{channel_id}"),
        ("DELETE", "/channels/{channel_id}"),
        ("PUT", "/channels/{channel_id}/permissions/{target_id}"),
        ("DELETE", "/channels/{channel_id}/permissions/{target_id}"),
        ("GET", "/channels/{channel_id}/webhooks"),
        ("POST", "/channels/{channel_id}/webhooks"),
        ("PATCH", "/webhooks/{webhook_id}"),
        ("DELETE", "/webhooks/{webhook_id}"),
        ("POST", "/guilds/{guild_id}/roles"),
    }
)


@dataclass(slots=True)
class Conditions:
    """All off at first. Words and links are regular expressions, searched without regard to case.

    ``filtered_names`` is a community's filter for names and topics of channels; ``automod`` and
    ``harmful_links`` refuse messages. ``two_factor``: moderators need it, and the bot's owner lacks it.
    ``outage``: ids of guilds that are unavailable (``LocalDiscord.outage`` tells the bot). After
    ``invalid_limit`` answers 401, 403 or 429 within ten minutes the address is banned for ``ban_s`` seconds.
    ``sessions_left`` session starts remain, and one IDENTIFY is taken every ``identify_every_s`` seconds.
    Addresses of attachments last ``links_last_s`` seconds.
    """

    filtered_names: str = ""
    automod: str = ""
    harmful_links: str = ""
    two_factor: bool = False
    outage: set[int] = field(default_factory=set)
    invalid_limit: int = 10_000
    ban_s: float = 3600.0
    sessions_left: int = 1000
    identify_every_s: float = 0.0
    links_last_s: float | None = None

    def check_moderator(self, method: str, template: str) -> None:
        """Raise 60003 for what only moderators with two-factor authentication may do."""
        if self.two_factor and (method, template) in _MODERATORS:
            raise BackendError(*NEEDS_2FA)

    def check_names(self, body: object) -> None:
        """Raise for a channel's name or topic with filtered words."""
        if not self.filtered_names or not isinstance(body, dict):
            return
        for key in ("name", "topic"):
            if re.search(self.filtered_names, str(body.get(key) or ""), re.IGNORECASE):
                raise form_error(key, "INVALID_COMMUNITY_PROPERTY_NAME", FILTERED_NAME)

    def check_words(self, body: object) -> None:
        """Raise for a message that a filter does not let pass."""
        for pattern, refusal in ((self.harmful_links, HARMFUL), (self.automod, AUTOMOD)):
            if pattern and re.search(pattern, json.dumps(body, ensure_ascii=False), re.IGNORECASE):
                raise BackendError(*refusal)
