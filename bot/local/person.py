"""People of the local Discord: what they see, and what they may change as its masters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import discord
from simcord.backend import serializers
from simcord.backend.access import channel_accessible
from simcord.backend.errors import BackendError
from simcord.backend.models import Channel, Message, Overwrite
from simcord.enums import OverwriteType

from bot.local.interactions import CannotError
from bot.local.payloads import message_payload
from bot.local.world import World

Wire = dict[str, Any]
Place = int | str | Mapping[str, Any] | Channel


class Person:
    """One person. Channels and messages are given as ids or as wire payloads."""

    def __init__(self, world: World, guild_id: int, user_id: int) -> None:
        self.world = world
        self.guild_id = guild_id
        self.id = user_id

    # ----------------------------------------------------------------- reading

    def channel(self, name: str) -> Wire:
        """The newest channel or thread of that name this person sees; CannotError if none."""
        for channel in sorted(self.world.channels.values(), key=lambda c: -c.id):
            if channel.name == name and self.can_see(channel.id):
                return dict(serializers.channel_payload(self.world, channel))
        raise CannotError(f"no channel {name!r} to be seen")

    def channels(self) -> list[Wire]:
        """Every channel, category and thread this person sees."""
        seen = [c for c in self.world.channels.values() if self.can_see(c.id)]
        return [dict(serializers.channel_payload(self.world, channel)) for channel in seen]

    def can_see(self, channel_id: int) -> bool:
        """Whether a channel shows up for this person."""
        return channel_accessible(self.world, channel_id, self.id)

    def history(self, place: Place) -> list[Wire]:
        """The messages of a channel that this person sees, oldest first, ephemeral included."""
        channel = self._channel(place)
        return [
            message_payload(self.world, message, viewer=self.id)
            for message in sorted(self.world.messages[channel.id].values(), key=lambda m: m.id)
            if message.visible_to(self.id)
        ]

    async def sees(self, place: Place, text: str, *, within: float = 10.0) -> Wire:
        """Wait for a message containing ``text`` (content, embeds or components) and return it."""
        found: list[Wire] = []

        def look() -> bool:
            found[:] = [m for m in self.history(place) if text in _all_text(m)]
            return bool(found)

        await self.world.pulse.until(look, within)
        return found[-1]

    # -------------------------------------------------------------- governing

    async def delete_channel(self, place: Place) -> None:
        """Delete a channel, category or thread."""
        channel = self._channel(place)
        self._need(channel.id, "manage_threads" if channel.is_thread else "manage_channels")
        self.world.delete_channel(channel.id)

    async def delete_webhook(self, webhook_id: int) -> None:
        """Delete a webhook in the channel's settings."""
        hook = self.world.get_webhook(webhook_id)
        self._need(hook.channel_id, "manage_webhooks")
        self.world.delete_webhook(webhook_id)

    async def move_webhook(self, webhook_id: int, place: Place) -> None:
        """Move a webhook to another channel."""
        hook = self.world.get_webhook(webhook_id)
        self._need(hook.channel_id, "manage_webhooks")
        self.world.edit_webhook(hook.id, {"channel_id": self._channel(place).id})

    async def overwrite(
        self, place: Place, target: int, *, allow: Sequence[str] = (), deny: Sequence[str] = ()
    ) -> None:
        """Set what a role or member (by id) may do in a channel, by permission names."""
        channel = self._channel(place)
        self._need(channel.id, "manage_roles")
        is_role = target in self.world.get_guild(self.guild_id).roles
        self.world.set_overwrite(
            channel.id,
            Overwrite(
                target_id=target,
                type=OverwriteType.ROLE if is_role else OverwriteType.MEMBER,
                allow=_flags(allow),
                deny=_flags(deny),
            ),
        )

    async def set_role_permissions(self, role_id: int, names: Sequence[str]) -> None:
        """Set the permissions of a role, by name; the bot's own role is ``bot_role``."""
        self._need(None, "manage_roles")
        self.world.edit_role(self.guild_id, role_id, {"permissions": _flags(names)})

    async def create_role(self, name: str, permission_names: Sequence[str] = ()) -> int:
        """Make a role and return its id."""
        self._need(None, "manage_roles")
        flags = _flags(permission_names)
        return self.world.create_role(self.guild_id, name, permissions=flags).id

    async def delete_role(self, role_id: int) -> None:
        """Delete a role."""
        self._need(None, "manage_roles")
        self.world.delete_role(self.guild_id, role_id)

    async def give_role(self, user_id: int, role_id: int, *, take: bool = False) -> None:
        """Give a member a role, or take it away."""
        self._need(None, "manage_roles")
        change = self.world.remove_member_role if take else self.world.add_member_role
        change(self.guild_id, user_id, role_id)

    async def kick_bot(self) -> None:
        """Remove the bot from the guild."""
        self._need(None, "kick_members")
        self.world.remove_guild(self.guild_id)

    @property
    def bot_role(self) -> int:
        """The id of the bot's own (managed) role."""
        roles = self.world.get_guild(self.guild_id).roles.values()
        return next(role.id for role in roles if role.managed)

    # ----------------------------------------------------------------- helpers

    def _channel(self, place: Place) -> Channel:
        known = place["id"] if isinstance(place, Mapping) else place
        channel = self.world.channels.get(known.id if isinstance(known, Channel) else int(known))
        if channel is None or not self.can_see(channel.id):
            raise CannotError("that channel is not to be seen")
        if channel.guild_id in self.world.conditions.outage:
            raise CannotError("the server is not available")
        return channel

    def _message(self, message: Wire) -> Message:
        channel = self._channel(message["channel_id"])
        stored = self.world.messages[channel.id].get(int(message["id"]))
        if stored is None or not stored.visible_to(self.id):
            raise CannotError("that message is not there")
        return stored

    def _need(self, channel_id: int | None, *names: str) -> None:
        try:
            home = self.guild_id if channel_id is None else self.world.get_channel(channel_id).guild_id
            self.world.require_permissions(home, self.id, channel_id, *names)
        except BackendError as error:
            raise CannotError(f"{error.message}: {', '.join(names)}") from error


def _flags(names: Sequence[str]) -> int:
    return discord.Permissions(**dict.fromkeys(names, True)).value


def _all_text(message: Wire) -> str:
    """Everything readable in a message, for looking something up."""
    return str([message["content"], message["embeds"], message["components"]])
