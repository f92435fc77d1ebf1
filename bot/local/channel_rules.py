"""Discord's documented limits on channels, threads, overwrites, webhooks, pins and reactions."""

from __future__ import annotations

import re
from typing import Any

from simcord.backend import errors
from simcord.backend.models import Channel
from simcord.enums import ChannelType

from bot.local.apierrors import (
    ARCHIVED,
    HOOK_NEEDS_POST,
    HOOK_NO_FORUM,
    HOOK_TWO_POSTS,
    IN_A_FORUM,
    MISSING_PERMISSIONS,
    NO_TEXT_CHANNEL,
    TAG_REQUIRED,
    THREAD_EXISTS,
    UNKNOWN_TAG,
    at_most,
    choice,
    form_error,
    refuse,
    required,
    too_long,
)
from bot.local.images import data_uri
from bot.local.message_rules import check_choice, check_name, is_emoji, knows_emoji
from bot.local.world import World

Wire = dict[str, Any]

MAX_CHANNELS = 500
MAX_IN_CATEGORY = 50
MAX_WEBHOOKS = 15
MAX_THREADS = 1000
MAX_ROLES = 250
NEWS_THREAD = 10
MAX_TAGS = 5
REQUIRE_TAG = 1 << 4
MAX_PINS = 250
MAX_EMOJIS = 2000
MAX_EMOJI_BYTES = 256 * 1024
MAX_REACTIONS = 20
ARCHIVE_AFTER = (60, 1440, 4320, 10080)
_TEXT_LIKE = (ChannelType.TEXT, ChannelType.NEWS, ChannelType.FORUM)
_KINDS = (*_TEXT_LIKE, ChannelType.VOICE, ChannelType.CATEGORY, ChannelType.STAGE_VOICE)
_WITHOUT_MESSAGES = (ChannelType.CATEGORY, ChannelType.FORUM)
_ADMINISTRATOR = 1 << 3
_MANAGE_ROLES = 1 << 28
_MANAGE_THREADS = 1 << 34


def check_new_channel(world: World, guild_id: int, body: Wire) -> None:
    """Check counts, name, topic, category and overwrites of a new channel."""
    guild = world.get_guild(guild_id)
    check_fields(world, guild_id, body, int(body.get("type") or 0), new=True)
    if len(guild.channel_ids) >= MAX_CHANNELS:
        raise at_most(30013, "guild channels", MAX_CHANNELS)


def check_fields(world: World, guild_id: int, body: Wire, kind: int, *, new: bool = False) -> None:
    """Check the fields of a new or edited channel; text channels' names are normalized."""
    if new and kind not in _KINDS:
        raise choice("type", ", ".join(str(int(k)) for k in _KINDS))
    if new or "name" in body:
        body["name"] = _name(body.get("name"), kind)
    most = 4096 if kind == ChannelType.FORUM else 1024
    if body.get("topic") is not None and len(str(body["topic"])) > most:
        raise too_long("topic", most)
    slow = body.get("rate_limit_per_user")
    if slow is not None and not 0 <= int(slow) <= 21600:
        raise form_error("rate_limit_per_user", "NUMBER_TYPE_MAX", "int value should be between 0 and 21600.")
    if body.get("parent_id") is not None:
        _check_category(world, guild_id, int(body["parent_id"]))
    if body.get("permission_overwrites"):
        check_overwrites(world, guild_id, body["permission_overwrites"])


def _name(name: object, kind: int) -> str:
    text = str(name or "").strip()
    if kind in _TEXT_LIKE:
        text = re.sub(r"\s+", "-", text)
        text = re.sub(r"[!-,./:-@\[-^`{-~]", "", text)
        text = re.sub(r"-+", "-", text).lower()
    if not 1 <= len(text) <= 100:
        raise too_long("name", 100, 1)
    return text


def _check_category(world: World, guild_id: int, parent_id: int) -> None:
    parent = world.channels.get(parent_id)
    if parent is None or parent.guild_id != guild_id or parent.type != ChannelType.CATEGORY:
        raise form_error("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist")
    if len(world.children(parent_id)) >= MAX_IN_CATEGORY:
        text = f"Maximum number of channels in category reached ({MAX_IN_CATEGORY})"
        raise form_error("parent_id", "CHANNEL_PARENT_MAX_CHANNELS", text)


def check_overwrites(world: World, guild_id: int, overwrites: list[Wire]) -> None:
    """Check overwrites: a bot may only set permissions it has; Manage Roles only as administrator."""
    own = world.compute_permissions(guild_id, world.bot_user.id)
    if own & _ADMINISTRATOR:
        return
    for overwrite in overwrites:
        touched = int(overwrite.get("allow") or 0) | int(overwrite.get("deny") or 0)
        if touched & ~own or touched & _MANAGE_ROLES:
            raise refuse(MISSING_PERMISSIONS)


def check_new_thread(world: World, parent: Channel, body: Wire, message_id: int | None) -> None:
    """Check name, archive time and count of a new thread."""
    if parent.type not in _TEXT_LIKE:
        raise errors.cannot_execute_on_channel_type()
    _check_thread_type(parent, body)
    if not 1 <= len(str(body.get("name") or "").strip()) <= 100:
        raise too_long("name", 100, 1)
    check_choice(body.get("auto_archive_duration"), ARCHIVE_AFTER, "auto_archive_duration")
    if message_id is not None and (parent.type == ChannelType.FORUM):
        raise errors.cannot_execute_on_channel_type()
    if message_id is not None and message_id in world.channels:
        raise refuse(THREAD_EXISTS)
    if parent.type == ChannelType.FORUM:
        _check_post(world, parent, body)
    if parent.guild_id is not None and len(world.active_threads(parent.guild_id)) >= MAX_THREADS:
        raise at_most(160006, "active threads", MAX_THREADS)


def _check_thread_type(parent: Channel, body: Wire) -> None:
    """Check that announcement channels have announcement threads only (SimCord stores them as public)."""
    asked = body.get("type")
    if asked is None or parent.type == ChannelType.FORUM:
        return
    if (parent.type == ChannelType.NEWS) != (int(asked) == NEWS_THREAD):
        raise errors.cannot_execute_on_channel_type()
    if int(asked) == NEWS_THREAD:
        body["type"] = int(ChannelType.PUBLIC_THREAD)


def _check_post(world: World, forum: Channel, body: Wire) -> None:
    """Check a post's first message and its tags: known, at most 5, moderated ones with Manage Threads."""
    if not isinstance(body.get("message"), dict):
        raise required("message")
    tags = {int(tag["id"]): tag for tag in forum.available_tags if tag.get("id") is not None}
    applied = [int(tag) for tag in body.get("applied_tags") or ()]
    if len(applied) > MAX_TAGS:
        raise too_long("applied_tags", MAX_TAGS)
    if any(tag not in tags for tag in applied):
        raise refuse(UNKNOWN_TAG)
    if not applied and world.channel_flags.get(forum.id, 0) & REQUIRE_TAG:
        raise refuse(TAG_REQUIRED)
    mine = world.compute_permissions(forum.guild_id or 0, world.bot_user.id, forum.id)
    if not mine & _MANAGE_THREADS and any(tags[tag].get("moderated") for tag in applied):
        raise refuse(MISSING_PERMISSIONS)


def check_writable(world: World, channel_id: int) -> None:
    """Raise 50008 for a channel that holds no messages of its own, 40058 for a forum."""
    channel = world.channels.get(channel_id)
    if channel is not None and channel.type in _WITHOUT_MESSAGES:
        raise refuse(IN_A_FORUM if channel.type == ChannelType.FORUM else NO_TEXT_CHANNEL)


def check_hook_target(world: World, channel_id: int, thread_id: object, thread_name: object) -> None:
    """Raise what a webhook is told that names no post in a forum, two, or one where there are none."""
    channel = world.channels.get(channel_id)
    forum = channel is not None and channel.type == ChannelType.FORUM
    if forum and thread_id and thread_name:
        raise refuse(HOOK_TWO_POSTS)
    if forum and not (thread_id or thread_name):
        raise refuse(HOOK_NEEDS_POST)
    if thread_name and not forum:
        raise refuse(HOOK_NO_FORUM)


def check_open(world: World, channel_id: int, *, write: bool = False) -> None:
    """Raise 50083 for an archived thread; writing unarchives it unless it is locked."""
    channel = world.channels.get(channel_id)
    meta = channel.thread_metadata if channel else None
    if channel is None or meta is None or not meta.archived:
        return
    guild_id = channel.guild_id or 0
    may = world.compute_permissions(guild_id, world.bot_user.id, channel_id) & 1 << 34
    if not write or (meta.locked and not may):
        raise refuse(ARCHIVED)


def check_new_webhook(world: World, channel_id: int, body: Wire) -> None:
    """Check name and count of a new webhook."""
    check_name(body.get("name"), "name")
    hooks = [hook for hook in world.webhooks.values() if hook.channel_id == channel_id]
    if len(hooks) >= MAX_WEBHOOKS:
        raise at_most(30007, "webhooks", MAX_WEBHOOKS)


def check_reaction(world: World, channel_id: int, message_id: int, emoji: str) -> None:
    """Check that the emoji exists and that at most 20 kinds are on a message."""
    check_open(world, channel_id)
    custom = re.fullmatch(r"\w+:(\d+)", emoji)
    if not (knows_emoji(world, int(custom[1])) if custom else is_emoji(emoji)):
        raise errors.unknown_emoji()
    message = world.get_message(channel_id, message_id)
    if message.reaction_for(emoji) is None and len(message.reactions) >= MAX_REACTIONS:
        raise at_most(30010, "reactions", MAX_REACTIONS)


def check_new_emoji(world: World, body: Wire) -> None:
    """Check name, size (256 KiB) and count of an application's emojis."""
    if not re.fullmatch(r"\w{2,32}", str(body.get("name") or ""), re.ASCII):
        raise too_long("name", 32, 2)
    image, _ = data_uri(body.get("image"), "image")
    if len(image) > MAX_EMOJI_BYTES:
        text = f"File cannot be larger than {MAX_EMOJI_BYTES / 1024} kb."
        raise form_error("image", "BINARY_TYPE_MAX_SIZE", text)
    if len(world.application_emojis) >= MAX_EMOJIS:
        raise at_most(30008, "emojis", MAX_EMOJIS)


def check_pin(world: World, channel_id: int) -> None:
    """Raise if a channel has 250 pins already."""
    check_open(world, channel_id)
    pinned = sum(message.pinned for message in world.messages.get(channel_id, {}).values())
    if pinned >= MAX_PINS:
        raise at_most(30003, "pins for the channel", MAX_PINS)


def check_new_role(world: World, guild_id: int) -> None:
    """Raise if a guild has 250 roles already."""
    if len(world.get_guild(guild_id).roles) >= MAX_ROLES:
        raise at_most(30005, "guild roles", MAX_ROLES)
