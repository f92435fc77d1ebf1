"""Live events for the page: one small event per change, never the whole world."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any

from simcord.backend import serializers
from simcord.backend.access import channel_accessible
from simcord.backend.models import Message

from bot.local.payloads import message_payload
from bot.local.world import World

Wire = dict[str, Any]

#: Events kept for a page that reconnects; an older page reloads everything.
KEPT = 3000

#: Newest messages of a channel among which unread mentions are counted.
COUNTED = 200


class Feed:
    """Turns the world's events into the page's, for one viewer, and hands them to listeners."""

    def __init__(self, world: World, viewer: int) -> None:
        self._world = world
        self._viewer = viewer
        self.seq = 0
        # A page that has followed an earlier run of this server must not take up its count here.
        self._run = secrets.token_hex(4)
        self._kept: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._more = asyncio.Event()
        self._closed = False
        world.subscribers.append(self._on_event)
        world.whispers.append(self._on_whisper)
        world.emoji_listeners.append(self._send_emojis)
        world.command_listeners.append(lambda: self.send({"t": "commands"}))

    def emojis(self) -> list[str]:
        """The ids of the emojis the page can show."""
        return [str(emoji_id) for emoji_id in self._world.application_emojis]

    def _send_emojis(self) -> None:
        self.send({"t": "emojis", "emojis": self.emojis()})

    def send(self, event: Wire) -> None:
        """Send one event to every open page."""
        self.seq += 1
        self._kept.append((self.seq, json.dumps(event, default=str)))
        self._wake()

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        self._wake()

    def reopen(self) -> None:
        """Serve streams again after ``close``."""
        self._closed = False

    @property
    def mark(self) -> str:
        """Return the stream's position; a page sends it to receive what came after."""
        return f"{self._run}-{self.seq}"

    async def after(self, mark: str) -> tuple[str, str] | None:
        """Wait for events after ``mark``; (new mark, JSON array), or None when closed.

        An array holding only ``{"t": "stale"}`` means that too much has been missed.
        """
        run, _, number = mark.partition("-")
        seq = int(number) if run == self._run and number.isdecimal() else -1
        while seq >= self.seq and not self._closed:
            await self._more.wait()
        if self._closed:
            return None
        if seq < 0 or (self._kept and seq < self._kept[0][0] - 1):
            return self.mark, '[{"t": "stale"}]'
        return self.mark, "[" + ",".join(e for number, e in self._kept if number > seq) + "]"

    def _wake(self) -> None:
        self._more.set()
        self._more = asyncio.Event()

    # -------------------------------------------------------------- translating

    def message(self, message: Message) -> Wire:
        """A message with what only the page needs: the face to show."""
        payload = message_payload(self._world, message, viewer=self._viewer)
        payload["face"] = self._face(message)
        payload["pings"] = self.pings(message)
        replied = payload.get("referenced_message")
        if isinstance(replied, dict):
            stored = self._world.messages.get(int(replied["channel_id"]), {}).get(int(replied["id"]))
            replied["face"] = self._face(stored) if stored else None
        return payload

    def _face(self, message: Message) -> str | None:
        """The path of an avatar on this server; faces elsewhere are drawn by the page."""
        return self._world.picture(self._world.avatar_of(message) or "")

    def pings(self, message: Message) -> bool:
        """Whether a message notified the viewer; a name in one that notifies nobody does not.

        A direct message notifies whom it is sent to.
        """
        if message.author_id != self._viewer and self._direct(message):
            return True
        return self._viewer in message.ping_user_ids or message.mention_everyone

    def listed(self, channel_id: int) -> Wire:
        """A channel as the page lists it first, with the newest messages that notified the viewer."""
        newest = sorted(self._world.messages.get(channel_id, {}).values(), key=lambda m: -m.id)[:COUNTED]
        seen = [m for m in newest if m.visible_to(self._viewer) and self.pings(m)]
        return self.channel(channel_id) | {"pings": [str(m.id) for m in reversed(seen)]}

    def channel(self, channel_id: int) -> Wire:
        """A channel as the page lists it."""
        channel = self._world.get_channel(channel_id)
        payload = dict(serializers.channel_payload(self._world, channel))
        return payload if channel.guild_id else payload | {"name": self._world.bot_user.name, "position": 0}

    def sees(self, channel_id: int) -> bool:
        """Whether the viewer sees a channel."""
        return channel_accessible(self._world, channel_id, self._viewer)

    def _on_event(self, event: str, payload: Mapping[str, Any]) -> None:
        if event.startswith("MESSAGE_"):
            self._on_message(event, payload)
        elif event in ("CHANNEL_DELETE", "THREAD_DELETE"):
            self.send({"t": "channel-deleted", "id": payload["id"]})
        elif event in ("CHANNEL_CREATE", "CHANNEL_UPDATE", "THREAD_CREATE", "THREAD_UPDATE"):
            if self.sees(int(payload["id"])):
                self.send({"t": "channel", "channel": self.channel(int(payload["id"]))})
            else:
                self.send({"t": "channel-deleted", "id": payload["id"]})
        elif event == "TYPING_START" and int(payload["user_id"]) != self._viewer:
            user = self._world.users[int(payload["user_id"])]
            name = user.global_name or user.name
            self.send({"t": "typing", "channel": payload["channel_id"], "name": name})
        elif event.startswith(("GUILD_ROLE", "GUILD_MEMBER", "GUILD_DELETE", "GUILD_UPDATE")):
            self.send({"t": "state"})

    def _on_message(self, event: str, payload: Mapping[str, Any]) -> None:
        channel_id = int(payload["channel_id"])
        if not self.sees(channel_id):
            return
        if event in ("MESSAGE_DELETE", "MESSAGE_DELETE_BULK"):
            for message_id in payload.get("ids") or [payload["id"]]:
                self.send({"t": "delete", "channel": str(channel_id), "id": message_id})
            return
        message_id = int(payload.get("message_id") or payload["id"])
        stored = self._world.messages[channel_id].get(message_id)
        if stored is not None:
            kind = "new" if event == "MESSAGE_CREATE" else "message"
            if kind == "new" and self._direct(stored):  # it is created before it is anybody's
                self.send({"t": "channel", "channel": self.channel(channel_id)})
            self.send({"t": kind, "message": self.message(stored)})

    def _direct(self, message: Message) -> bool:
        """Return whether a message is one of the direct messages between the bot and a person."""
        return self._world.get_channel(message.channel_id).guild_id is None

    def _on_whisper(self, event: str, message: Message) -> None:
        if not message.visible_to(self._viewer):
            return
        if event == "MESSAGE_DELETE":
            reference = {"channel": str(message.channel_id), "id": str(message.id)}
            self.send({"t": "delete", **reference})
            return
        kind = "new" if event == "MESSAGE_CREATE" else "message"
        self.send({"t": kind, "message": self.message(message)})
