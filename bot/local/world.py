"""SimCord's world model in real time, with what it leaves out and this product needs.

SimCord 3.2.1 is pinned because its internals are used: every override here names the rule of
Discord that the original leaves out.
"""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simcord.backend import Backend, serializers
from simcord.backend.models import (
    AuditLogEntry,
    Channel,
    Interaction,
    Message,
    SystemMessageMetadata,
    Webhook,
)
from simcord.enums import MessageType

from bot.local.apierrors import INVALID_TOKEN, refuse
from bot.local.cdn import LocalCdn
from bot.local.clock import WorldClock
from bot.local.conditions import Conditions
from bot.local.payloads import finish, resolve_embed_files
from bot.local.pulse import Pulse

Wire = dict[str, Any]

_DISCORD_EPOCH_MS = 1420070400000
#: Seconds in which a message's nonce is not taken twice.
NONCE_MEMORY = 300.0
_EMOJI_URL = re.compile(r"https://cdn\.discordapp\.com/emojis/(\d+)\.(?:png|webp)(?:\?.*)?")
AUDIT_KEPT = 500
#: Events after which nothing is different.
_PASSING = frozenset({"TYPING_START", "INTERACTION_CREATE"})
HAS_THREAD_FLAG = 1 << 5
LOADING_FLAG = 1 << 7


@dataclass(slots=True)
class Unsaved:
    """What has changed since the world was last written to disk."""

    core: bool = True
    messages: set[tuple[int, int]] = field(default_factory=set)
    nonces: set[str] = field(default_factory=set)
    deleted_channels: set[int] = field(default_factory=set)

    def note(self, event: str, payload: Mapping[str, Any]) -> None:
        """Remember what a gateway event says has changed."""
        if "channel_id" in payload and event.startswith("MESSAGE_"):
            ids = payload.get("ids") or [payload.get("message_id") or payload.get("id")]
            self.messages |= {(int(payload["channel_id"]), int(i)) for i in ids}
            return
        if event in _PASSING:
            return
        if event in ("CHANNEL_DELETE", "THREAD_DELETE"):
            self.deleted_channels.add(int(payload["id"]))
        self.core = True


class World(Backend):
    """One guild's worth of Discord: the single source of truth behind REST, gateway and page.

    ``subscribers`` get gateway events. ``whispers`` get (event, message) for ephemeral
    messages, which no gateway announces but the person concerned sees.
    """

    def __init__(self, cdn: LocalCdn) -> None:
        self._last_id = 0
        self._time = WorldClock()
        super().__init__(clock=self._time)
        self.cdn: LocalCdn = cdn
        self.pulse = Pulse()
        self.whispers: list[Callable[[str, Message], None]] = []
        self.gateway_url = ""
        self.old_edits: dict[int, deque[float]] = {}
        self.time_scale = 1.0
        self.limits_edits = True
        self.reads_content = True
        self.application_flags = 0
        self.emoji_listeners: list[Callable[[], None]] = []
        self.command_listeners: list[Callable[[], None]] = []
        self.hook_avatars: dict[int, str] = {}
        #: Applications of webhooks that are not the bot's own; None: a person made it.
        self.hook_applications: dict[int, int | None] = {}
        #: Flags of channels that have any (REQUIRE_TAG is 16).
        self.channel_flags: dict[int, int] = {}
        #: Forums that are media channels.
        self.media_channels: set[int] = set()
        self.nonces: dict[str, tuple[int, int]] = {}
        self.unsaved = Unsaved()
        self.conditions = Conditions()
        #: The deferred answer that is just being completed, while that is announced.
        self.completing = 0

    @property
    def time(self) -> WorldClock:
        """The world's clock, which tests may advance."""
        return self._time

    def snowflake(self) -> int:
        """A fresh id; ids always grow, also when many are made within one millisecond."""
        now = int(self._time.now().timestamp() * 1000) - _DISCORD_EPOCH_MS
        self._last_id = max(self._last_id + 1, now << 22)
        return self._last_id

    def first_id(self, ago: float) -> int:
        """The lowest id that can have been given ``ago`` seconds before now."""
        return int((self._time.now().timestamp() - ago) * 1000) - _DISCORD_EPOCH_MS << 22

    def nonce_taken(self, nonce: str) -> tuple[int, int] | None:
        """Channel and id of the message that took a nonce within the last minutes; it may be deleted."""
        known = self.nonces.get(nonce)
        return known if known is not None and known[1] >= self.first_id(NONCE_MEMORY) else None

    def take_nonce(self, nonce: str, message: Message) -> None:
        """Remember whose nonce it is; old ones are forgotten."""
        first = self.first_id(NONCE_MEMORY)
        for key in [k for k, (_, message_id) in self.nonces.items() if message_id < first]:
            del self.nonces[key]
        self.nonces[nonce] = (message.channel_id, message.id)
        self.unsaved.nonces.add(nonce)

    def remember_id(self, value: int) -> None:
        """Never give out ``value`` or anything below it again (used when a world is loaded)."""
        self._last_id = max(self._last_id, value)

    def emit(self, event: str, payload: Mapping[str, Any]) -> None:
        """Announce a change to every subscriber, in an outage to none.

        SimCord's endless transcript is not kept.
        """
        finished = finish(self, event, dict(payload))
        self.unsaved.note(event, finished)
        away = event != "GUILD_DELETE" and int(finished.get("guild_id") or 0) in self.conditions.outage
        for listener in () if away else self.subscribers:
            listener(event, finished)
        self.pulse.beat()

    # ---------------------------------------------------------------- messages

    def commit_message(self, message: Message, *, broadcast: bool = True) -> Message:
        """Install a message; embeds may show its files; ephemeral ones are whispered."""
        message.embeds = resolve_embed_files(message.embeds, message.attachments)
        self._wake_thread(message.channel_id)
        committed = super().commit_message(message, broadcast=broadcast)
        if committed.is_ephemeral:
            self._whisper("MESSAGE_CREATE", committed)
        return committed

    def edit_message(self, channel_id: int, message_id: int, fields: dict[str, Any]) -> Message:
        """Change a message, whispering when it is ephemeral; completing a "thinking…" is no edit."""
        before = self.get_message(channel_id, message_id)
        if fields.get("embeds"):
            files = fields.get("attachments") or before.attachments
            fields = fields | {"embeds": resolve_embed_files(fields["embeds"], files)}
        self.completing = message_id if before.flags & LOADING_FLAG else 0
        try:
            message = super().edit_message(channel_id, message_id, fields)
            if self.completing:
                message.edited_timestamp = None
        finally:
            self.completing = 0
        if message.is_ephemeral:
            self._whisper("MESSAGE_UPDATE", message)
        return message

    def delete_message(self, channel_id: int, message_id: int) -> None:
        """Remove a message, whispering when it is ephemeral."""
        message = self.get_message(channel_id, message_id)
        super().delete_message(channel_id, message_id)
        if message.is_ephemeral:
            self._whisper("MESSAGE_DELETE", message)

    def create_system_message(
        self,
        channel_id: int,
        message_type: MessageType,
        author_id: int,
        *,
        recipient_id: int | None = None,
        target_channel_id: int | None = None,
        referenced_channel_id: int | None = None,
        referenced_message_id: int | None = None,
    ) -> Message:
        """Post a service message; Discord has none for renames, nor for threads on a message."""
        silent = message_type == MessageType.CHANNEL_NAME_CHANGE or (
            message_type == MessageType.THREAD_CREATED and referenced_message_id is not None
        )
        if silent:
            if referenced_message_id is not None:
                self._mark_thread_starter(channel_id, referenced_message_id)
            return Message(
                id=0,
                channel_id=channel_id,
                author_id=author_id,
                system_metadata=SystemMessageMetadata(channel_id=target_channel_id),
            )
        return super().create_system_message(
            channel_id,
            message_type,
            author_id,
            recipient_id=recipient_id,
            target_channel_id=target_channel_id,
            referenced_channel_id=referenced_channel_id,
            referenced_message_id=referenced_message_id,
        )

    def set_pinned(
        self, channel_id: int, message_id: int, pinned: bool, *, actor_id: int | None = None
    ) -> None:
        """Pin or unpin a message; Discord announces the message's change too."""
        super().set_pinned(channel_id, message_id, pinned, actor_id=actor_id)
        message = self.get_message(channel_id, message_id)
        self.emit("MESSAGE_UPDATE", dict(serializers.message_payload(self, message)))

    def _mark_thread_starter(self, channel_id: int, message_id: int) -> None:
        message = self.get_message(channel_id, message_id)
        message.flags |= HAS_THREAD_FLAG
        self.emit("MESSAGE_UPDATE", dict(serializers.message_payload(self, message)))

    def _wake_thread(self, channel_id: int) -> None:
        """A message in an archived thread that is not locked brings it back."""
        meta = self.get_channel(channel_id).thread_metadata
        if meta is not None and meta.archived and not meta.locked:
            self.edit_channel(channel_id, {}, thread_metadata={"archived": False})

    def _whisper(self, event: str, message: Message) -> None:
        for listener in self.whispers:
            listener(event, message)
        self.pulse.beat()

    # ---------------------------------------------------------------- channels

    def record_audit_log(self, guild_id: int, action_type: int, **entry: Any) -> AuditLogEntry:
        """Log a privileged action; old entries go, as Discord's do after 45 days."""
        recorded = super().record_audit_log(guild_id, action_type, **entry)
        del self.get_guild(guild_id).audit_log_entries[:-AUDIT_KEPT]
        return recorded

    def delete_channel(self, channel_id: int) -> None:
        """Delete a channel with its threads and webhooks; a category's channels stay, outside."""
        channel = self.get_channel(channel_id)
        for hook in [h for h in self.webhooks.values() if h.channel_id == channel_id]:
            self.delete_webhook(hook.id)
        for child in [c for c in self.channels.values() if c.parent_id == channel_id]:
            self._orphan(child)
        super().delete_channel(channel.id)

    def _orphan(self, child: Channel) -> None:
        if not child.is_thread:
            self.edit_channel(child.id, {"parent_id": None})
            return
        del self.channels[child.id]
        self.messages.pop(child.id, None)
        self.unsaved.deleted_channels.add(child.id)
        if child.guild_id is not None:
            self.get_guild(child.guild_id).thread_ids.remove(child.id)

    def remove_guild(self, guild_id: int) -> None:
        """Take the bot out of a guild, its webhooks with it."""
        for hook in [h for h in self.webhooks.values() if h.guild_id == guild_id]:
            del self.webhooks[hook.id]
            self.webhook_tokens.pop(hook.token, None)
        super().remove_guild(guild_id)

    def children(self, parent_id: int) -> list[Channel]:
        """Channels (not threads) in a category."""
        return [c for c in self.channels.values() if c.parent_id == parent_id and not c.is_thread]

    def get_dm_channel(self, user_id: int) -> Channel:
        """The direct messages between the bot and a person."""
        self.unsaved.core = True
        return super().get_dm_channel(user_id)

    # ---------------------------------------------------------------- webhooks

    def create_webhook(self, channel_id: int, name: str, creator_id: int) -> Webhook:
        """Create a webhook with a token nobody can guess, and announce it."""
        hook = super().create_webhook(channel_id, name, creator_id)
        del self.webhook_tokens[hook.token]
        hook.token = secrets.token_urlsafe(51)
        self.webhook_tokens[hook.token] = hook.id
        self._emit_webhooks_update(channel_id)
        return hook

    def edit_webhook(self, webhook_id: int, changes: Mapping[str, Any]) -> Webhook:
        """Rename or move a webhook; a move is announced in both channels."""
        before = self.get_webhook(webhook_id).channel_id
        hook = super().edit_webhook(webhook_id, changes)
        if before != hook.channel_id and before in self.channels:
            self._emit_webhooks_update(before)
        return hook

    def delete_webhook(self, webhook_id: int) -> None:
        """Delete a webhook; its avatar is forgotten, its messages stay."""
        super().delete_webhook(webhook_id)
        self.unsaved.core = True
        self.hook_avatars.pop(webhook_id, None)

    def emojis_changed(self) -> None:
        """Called when the application's emojis are others now."""
        self.unsaved.core = True
        for listener in self.emoji_listeners:
            listener()

    def picture(self, url: str) -> str | None:
        """The path on this server of a picture, by its address here or on Discord's own CDN."""
        if url.startswith(self.cdn.base + "/cdn/"):
            return url.removeprefix(self.cdn.base)
        emoji = _EMOJI_URL.fullmatch(url)
        if emoji and int(emoji[1]) in self.application_emojis:
            return emoji_path(int(emoji[1]))
        return None

    def avatar_of(self, message: Message) -> str | None:
        """The URL of the face a message shows: its own, else its webhook's, else none."""
        if message.author_avatar is not None:
            return message.author_avatar
        return self.hook_avatars.get(message.webhook_id or 0)

    # ------------------------------------------------------------ interactions

    def interaction_by_token(self, token: str) -> Interaction:
        """The interaction a token stands for; after 15 minutes the token is invalid (50027)."""
        known = self.interactions.get(self.interaction_tokens.get(token, 0))
        if known and known.expires_at is not None and self.now_iso() >= known.expires_at:
            raise refuse(INVALID_TOKEN)
        return super().interaction_by_token(token)

    def register_commands(self, guild_id: int | None, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Replace the commands of a scope."""
        self.unsaved.core = True
        registered = super().register_commands(guild_id, payloads)
        for listener in self.command_listeners:
            listener()
        return registered

    def _drop_old_interactions(self) -> None:
        """Forget interactions an hour after their tokens have expired."""
        limit = self.iso_after(-3600)
        for record in [r for r in self.interactions.values() if (r.expires_at or "") < limit]:
            del self.interactions[record.id]
            self.interaction_tokens.pop(record.token, None)

    def new_interaction(self, type: int, channel_id: int, user_id: int, guild_id: int | None) -> Interaction:
        """Open an interaction with a token nobody can guess."""
        self._drop_old_interactions()
        record = super().new_interaction(type, channel_id, user_id, guild_id)
        del self.interaction_tokens[record.token]
        record.token = secrets.token_urlsafe(48)
        self.interaction_tokens[record.token] = record.id
        return record


def emoji_path(emoji_id: int) -> str:
    """Where an emoji's picture is served."""
    return f"/cdn/emojis/{emoji_id}.png"
