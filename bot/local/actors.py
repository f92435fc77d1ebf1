"""People of the local Discord: everything a person can do, for the page and for tests.

A person can only do what Discord's client would let them: hidden channels, disabled buttons,
commands that were never synced and missing permissions raise CannotError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import discord
from simcord.backend import serializers
from simcord.backend.access import reaction_permissions
from simcord.backend.models import Channel, Interaction, Message
from simcord.enums import AppCommandType, InteractionType
from simcord.interactions import base_payload

from bot.local.channel_rules import MAX_REACTIONS
from bot.local.interactions import (
    CannotError,
    Entities,
    button_data,
    command_data,
    find_command,
    modal_data,
    select_data,
)
from bot.local.payloads import MAX_UPLOAD, message_payload
from bot.local.person import Person, Place, Wire

File = tuple[str, bytes]

ANSWER_WITHIN = 3.0
MAX_FILES = 10
MAX_TEXT = 2000

FORM_GONE = "the bot was restarted since the form opened; copy what you wrote, then open the form again"


class NoAnswerError(CannotError):
    """Raised when the application did not respond within three seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a person sees after using a command, a button, a menu or a form.

    ``kind`` is message, deferred (still "thinking…"), update, deferred_update, modal or
    autocomplete. ``message`` is the answer in Discord's wire format, ``modal`` the form that
    opened, ``choices`` what autocomplete offers.
    """

    id: int
    kind: str
    message: Wire | None = None
    modal: Wire | None = None
    choices: list[Wire] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the answer's text, or ""."""
        return str(self.message["content"]) if self.message else ""

    @property
    def ephemeral(self) -> bool:
        """Return True if only this person sees the answer."""
        return bool(self.message and self.message["flags"] & 64)


class Human(Person):
    """A person at a Discord client: writes, reacts, uses commands, buttons, menus and forms."""

    # ---------------------------------------------------------------- messages

    async def send(
        self,
        place: Place,
        content: str = "",
        *,
        reply_to: Wire | None = None,
        files: Sequence[File] = (),
    ) -> Wire:
        """Write a message, optionally in reply to another; return it."""
        channel = self._channel(place)
        may_write = "send_messages_in_threads" if channel.is_thread else "send_messages"
        self._need(channel.id, may_write, *(["attach_files"] if files else []))
        self._check_lock(channel)
        _check_text(content, files)
        self._check_pace(channel)
        reference = None
        if reply_to is not None:
            reference = self.world.normalize_message_reference(
                channel.id, {"message_id": reply_to["id"], "channel_id": reply_to["channel_id"]}
            )
        message = self.world.create_message(
            channel.id,
            self.id,
            content,
            reference=reference,
            attachments=self.world.store_attachments(channel.id, files),
        )
        return message_payload(self.world, message, viewer=self.id)

    def _check_awake(self, channel_id: int) -> None:
        """What stands in an archived thread stays as it is; a message opens it, unless it is locked."""
        meta = self.world.get_channel(channel_id).thread_metadata
        if meta is not None and meta.archived:
            how = "only those who manage threads can open it" if meta.locked else "write in it to open it"
            raise CannotError(f"this thread is archived; {how}")

    def _check_lock(self, channel: Channel) -> None:
        """A locked thread takes messages only of those who manage threads."""
        if channel.thread_metadata is None or not channel.thread_metadata.locked:
            return
        allowed = discord.Permissions(self.world.compute_permissions(self.guild_id, self.id, channel.id))
        if not allowed.manage_threads:
            raise CannotError("this thread is locked; only those who manage threads can write in it")

    def _check_pace(self, channel: Channel) -> None:
        """Slow mode holds for people who may not manage messages; bots are exempt."""
        slow = channel.rate_limit_per_user
        if not slow:
            return
        mine = [m.timestamp for m in self.world.messages[channel.id].values() if m.author_id == self.id]
        allowed = discord.Permissions(self.world.compute_permissions(self.guild_id, self.id, channel.id))
        free = allowed.manage_messages or allowed.manage_channels
        if mine and not free and self.world.iso_after(-slow) < max(mine):
            raise CannotError(f"slow mode: one message every {slow} seconds")

    async def edit(self, message: Wire, content: str) -> Wire:
        """Change one's own message."""
        stored = self._message(message)
        if stored.author_id != self.id:
            raise CannotError("only one's own messages can be edited")
        self._check_awake(stored.channel_id)
        _check_text(content, stored.attachments)
        edited = self.world.edit_message(stored.channel_id, stored.id, {"content": content})
        return message_payload(self.world, edited, viewer=self.id)

    async def delete(self, message: Wire) -> None:
        """Delete one's own message, or with Manage Messages anybody's."""
        stored = self._message(message)
        if stored.author_id != self.id and not stored.is_ephemeral:
            self._need(stored.channel_id, "manage_messages")
        self.world.delete_message(stored.channel_id, stored.id)

    async def react(self, message: Wire, emoji: str) -> None:
        """Add a reaction."""
        stored = self._message(message)
        self._need(stored.channel_id, *reaction_permissions(stored, emoji))
        self._check_awake(stored.channel_id)
        if stored.reaction_for(emoji) is None and len(stored.reactions) >= MAX_REACTIONS:
            raise CannotError(f"a message takes {MAX_REACTIONS} different reactions")
        self.world.set_reaction(stored.channel_id, stored.id, emoji, self.id, True)

    async def unreact(self, message: Wire, emoji: str) -> None:
        """Take one's own reaction back."""
        stored = self._message(message)
        self.world.set_reaction(stored.channel_id, stored.id, emoji, self.id, False)

    async def pin(self, message: Wire, pinned: bool = True) -> None:
        """Pin or unpin a message."""
        stored = self._message(message)
        self._need(stored.channel_id, "pin_messages")
        self._check_awake(stored.channel_id)
        self.world.set_pinned(stored.channel_id, stored.id, pinned, actor_id=self.id)

    async def typing(self, place: Place) -> None:
        """Show that one is typing."""
        channel = self._channel(place)
        guild = self.world.get_guild(self.guild_id)
        member = serializers.member_payload(self.world, guild, guild.members[self.id])
        payload = {
            "channel_id": str(channel.id),
            "guild_id": str(guild.id),
            "user_id": str(self.id),
            "timestamp": int(self.world.time.now().timestamp()),
            "member": member,
        }
        self.world.emit("TYPING_START", payload)

    # ------------------------------------------------------------ interactions

    def commands(self, place: Place, kind: AppCommandType = AppCommandType.CHAT_INPUT) -> list[Wire]:
        """Return the commands this person may use in a channel."""
        channel = self._channel(place)
        return self.world.visible_commands(user_id=self.id, channel_id=channel.id, type=kind)

    async def slash(self, place: Place, name: str, *, wait: bool = True, **options: object) -> Outcome:
        """Use a slash command, e.g. ``slash(lobby, "task new", goal="…", spec=("a.txt", b"…"))``.

        Users, roles and channels are given by id, attachments as (name, bytes). Waits until the
        answer is there, a "thinking…" replaced; with ``wait=False`` only until it is
        acknowledged. Raises NoAnswerError after three seconds of silence.
        """
        channel = self._channel(place)
        root, *path = name.removeprefix("/").split()
        command = self._command(channel.id, root, AppCommandType.CHAT_INPUT)
        entities = self._entities(channel.id)
        data = command_data(command, path, options, entities)
        return await self._interact(InteractionType.APPLICATION_COMMAND, channel.id, data, wait)

    async def autocomplete(
        self, place: Place, name: str, option: str, typed: str, **filled: object
    ) -> list[Wire]:
        """Type into an option of a slash command; return the choices offered."""
        channel = self._channel(place)
        root, *path = name.removeprefix("/").split()
        command = self._command(channel.id, root, AppCommandType.CHAT_INPUT)
        data = command_data(command, path, filled, self._entities(channel.id), focused=(option, typed))
        kind = InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE
        return (await self._interact(kind, channel.id, data, wait=True)).choices

    async def context_menu(self, name: str, message: Wire, *, wait: bool = True) -> Outcome:
        """Use a message's context-menu command ("Apps")."""
        stored = self._message(message)
        command = self._command(stored.channel_id, name, AppCommandType.MESSAGE)
        shown = dict(serializers.message_payload(self.world, stored))
        data = {
            "id": command["id"],
            "name": command["name"],
            "type": int(AppCommandType.MESSAGE),
            "target_id": str(stored.id),
            "resolved": {"messages": {str(stored.id): shown}},
        }
        kind = InteractionType.APPLICATION_COMMAND
        return await self._interact(kind, stored.channel_id, data, wait)

    async def click(
        self,
        message: Wire,
        label: str | None = None,
        *,
        custom_id: str | None = None,
        wait: bool = True,
    ) -> Outcome:
        """Press a button, found by its label or custom_id."""
        stored = self._message(message)
        data = button_data(stored.components, custom_id=custom_id, label=label)
        return await self._component(stored, data, wait)

    async def select(
        self,
        message: Wire,
        values: Sequence[str],
        *,
        custom_id: str | None = None,
        wait: bool = True,
    ) -> Outcome:
        """Choose from a select menu: option values, or ids in user, role, channel menus."""
        stored = self._message(message)
        entities = self._entities(stored.channel_id)
        data = select_data(stored.components, values, entities, custom_id=custom_id)
        return await self._component(stored, data, wait)

    async def submit(
        self, shown: Outcome | int, values: Mapping[str, object], *, wait: bool = True
    ) -> Outcome:
        """Fill and send the form an outcome opened; ``values`` by custom_id."""
        record = self.world.interactions.get(shown if isinstance(shown, int) else shown.id)
        if record is None or record.modal is None or record.user_id != self.id:
            raise CannotError(FORM_GONE)
        if record.modal_consumed:
            raise CannotError("that form has been sent already")
        data = modal_data(record.modal, values, self._entities(record.channel_id))
        record.modal_consumed = True
        source = None
        if record.source_message_id is not None:
            source = self.world.get_message(record.channel_id, record.source_message_id)
        kind = InteractionType.MODAL_SUBMIT
        try:
            return await self._interact(kind, record.channel_id, data, wait, source)
        except NoAnswerError:
            record.modal_consumed = False  # what was filled in can be sent again, as in Discord's client
            raise

    async def _component(self, stored: Message, data: Wire, wait: bool) -> Outcome:
        kind = InteractionType.MESSAGE_COMPONENT
        return await self._interact(kind, stored.channel_id, data, wait, stored)

    async def _interact(
        self,
        kind: InteractionType,
        channel_id: int,
        data: Wire,
        wait: bool,
        source: Message | None = None,
    ) -> Outcome:
        record, payload = base_payload(
            self.world,
            type=int(kind),
            channel_id=channel_id,
            guild_id=self.world.get_channel(channel_id).guild_id,
            user_id=self.id,
            data=data,
        )
        if data.get("options"):
            record.command_name = _full_name(data)
        if source is not None:
            record.source_message_id = source.id
            payload["message"] = dict(serializers.message_payload(self.world, source))
        self.world.emit("INTERACTION_CREATE", payload)
        try:
            await self.world.pulse.until(lambda: record.responded, ANSWER_WITHIN)
        except TimeoutError as error:
            raise NoAnswerError("The application did not respond") from error
        if wait:
            await self.world.pulse.until(lambda: not record.loading, 60.0)
        return self._outcome(record)

    def outcome(self, interaction_id: int) -> Outcome:
        """Return the current state of an interaction."""
        return self._outcome(self.world.interactions[interaction_id])

    def _outcome(self, record: Interaction) -> Outcome:
        message = None
        if record.message_id is not None and record.channel_id in self.world.messages:
            stored = self.world.messages[record.channel_id].get(record.message_id)
            if stored is not None:
                message = message_payload(self.world, stored, viewer=self.id)
        return Outcome(
            id=record.id,
            kind=str(record.response_kind),
            message=message,
            modal=record.modal,
            choices=record.autocomplete_choices or [],
        )

    def _command(self, channel_id: int, name: str, kind: AppCommandType) -> Wire:
        return find_command(
            self.world, name, kind, guild_id=self.guild_id, user_id=self.id, channel_id=channel_id
        )

    def _entities(self, channel_id: int) -> Entities:
        return Entities(self.world, self.guild_id, self.id, channel_id)


def _full_name(data: Wire) -> str:
    """A command's name with its groups and subcommand, as people read it."""
    names, node = [data["name"]], data
    while node.get("options") and node["options"][0]["type"] in (1, 2):
        node = node["options"][0]
        names.append(node["name"])
    return " ".join(names)


def _check_text(content: str, files: Sequence[object]) -> None:
    if not content.strip() and not files:
        raise CannotError("an empty message cannot be sent")
    if len(content) > MAX_TEXT:
        raise CannotError(f"a message takes {MAX_TEXT} characters; this has {len(content)}")
    if len(files) > MAX_FILES:
        raise CannotError(f"a message takes {MAX_FILES} files")
    if any(isinstance(file, tuple) and len(file[1]) > MAX_UPLOAD for file in files):
        raise CannotError("a file takes 10 MiB")
