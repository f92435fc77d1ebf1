"""Routes that SimCord lacks or answers differently from Discord."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import simcord.intents as intent_rules
from simcord.backend import errors, serializers
from simcord.backend.models import Message, Webhook
from simcord.enums import ChannelType
from simcord.http._helpers import bot_message, message_edit_changes
from simcord.http.router import RequestContext
from simcord.http.routes import application as their_application
from simcord.http.routes import channels as their_channels
from simcord.http.routes import interactions as theirs
from simcord.http.routes import messages as their_messages

from bot.local.apierrors import (
    ARCHIVED,
    INVALID_TOKEN,
    UNKNOWN_CHANNEL,
    UNKNOWN_MESSAGE,
    UNKNOWN_WEBHOOK,
    form_error,
    refuse,
)
from bot.local.channel_rules import check_hook_target
from bot.local.dispatch import ours
from bot.local.images import data_uri
from bot.local.payloads import message_payload, webhook_payload
from bot.local.world import World, emoji_path

Wire = dict[str, Any]
_WEBHOOK_CHANNELS = (
    *(ChannelType.TEXT, ChannelType.NEWS, ChannelType.FORUM),
    *(ChannelType.VOICE, ChannelType.STAGE_VOICE),
)


def world_of(ctx: RequestContext) -> World:
    """The world a request is about."""
    assert isinstance(ctx.backend, World)
    return ctx.backend


# ------------------------------------------------------------------- messages


@ours("POST", "/channels/{channel_id}/messages")
def send_message(ctx: RequestContext) -> Wire:
    """Post as the bot; with ``enforce_nonce`` a repeat in any channel returns the first message."""
    world, channel_id = world_of(ctx), ctx.int_arg("channel_id")
    their_messages._send_permissions(ctx, channel_id)
    nonce = str(ctx.body().get("nonce") or "")
    taken = world.nonce_taken(nonce) if nonce and ctx.body().get("enforce_nonce") else None
    if taken is not None:
        known = world.messages.get(taken[0], {}).get(taken[1])
        if known is None:
            raise refuse(UNKNOWN_MESSAGE)  # it is not made again after it was deleted
        return message_payload(world, known) | {"nonce": nonce}
    message = bot_message(ctx, channel_id)
    if not nonce:
        return message_payload(world, message)
    world.take_nonce(nonce, message)
    return message_payload(world, message) | {"nonce": nonce}


@ours("GET", "/channels/{channel_id}/messages")
def history(ctx: RequestContext) -> list[Wire]:
    """Messages newest first; ``after`` starts at the oldest one after it, as Discord does."""
    world = world_of(ctx)
    channel = ctx.require_channel_permissions(ctx.int_arg("channel_id"))
    ctx.require_channel_permissions(channel.id, "read_message_history")
    limit = int(ctx.params.get("limit", 50))
    if not 1 <= limit <= 100:
        raise form_error("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
    messages = [m for m in world.messages[channel.id].values() if not m.is_ephemeral]
    messages.sort(key=lambda m: m.id)
    chosen = _page(messages, ctx.params, limit)
    return [_read(world, message) for message in reversed(chosen)]


@ours("GET", "/channels/{channel_id}/messages/{message_id}")
def get_message(ctx: RequestContext) -> Wire:
    """One message."""
    channel_id, message_id = ctx.int_arg("channel_id"), ctx.int_arg("message_id")
    message = ctx.require_message(channel_id, message_id, "read_message_history")
    return _read(world_of(ctx), message)


@ours("PATCH", "/channels/{channel_id}/messages/{message_id}")
def edit_message(ctx: RequestContext) -> Wire:
    """Change a message of the bot's own."""
    world, channel_id = world_of(ctx), ctx.int_arg("channel_id")
    message = ctx.require_message(channel_id, ctx.int_arg("message_id"))
    if message.author_id != world.bot_user.id:
        raise errors.cannot_edit_other_user()
    changes = message_edit_changes(ctx, message)
    return message_payload(world, world.edit_message(channel_id, message.id, changes))


@ours("GET", "/channels/{channel_id}/messages/pins")
def pins(ctx: RequestContext) -> Wire:
    """Pinned messages, newest first."""
    world = world_of(ctx)
    channel = ctx.require_channel_permissions(ctx.int_arg("channel_id"), "read_message_history")
    pinned = [m for m in world.messages[channel.id].values() if m.pinned]
    items = [{"pinned_at": m.timestamp, "message": _read(world, m)} for m in reversed(pinned)]
    limit = int(ctx.params.get("limit", 50))
    if "before" in ctx.params:
        items = [item for item in items if str(item["pinned_at"]) < ctx.params["before"]]
    return {"items": items[:limit], "has_more": len(items) > limit}


@ours("PUT", "/channels/{channel_id}/messages/pins/{message_id}")
def pin(ctx: RequestContext) -> None:
    """Pin a message: for that Discord has a permission of its own."""
    _set_pinned(ctx, True)


@ours("DELETE", "/channels/{channel_id}/messages/pins/{message_id}")
def unpin(ctx: RequestContext) -> None:
    """Unpin a message."""
    _set_pinned(ctx, False)


def _set_pinned(ctx: RequestContext, pinned: bool) -> None:
    channel = ctx.require_channel_permissions(ctx.int_arg("channel_id"), "pin_messages")
    message = ctx.require_message(channel.id, ctx.int_arg("message_id"))
    world_of(ctx).set_pinned(channel.id, message.id, pinned)


def _read(world: World, message: Message) -> Wire:
    """A message as the bot reads it: without content where the portal has not approved that."""
    payload = message_payload(world, message, viewer=world.bot_user.id)
    if not world.reads_content:
        intent_rules.censor_message(payload, world.bot_user.id, backend=world)
    return payload


def _page(messages: list[Message], params: Wire, limit: int) -> list[Message]:
    """The part of ``messages`` (oldest first) that a query asks for, oldest first."""
    if "around" in params:
        before = [m for m in messages if m.id < int(params["around"])]
        start = max(0, len(before) - limit // 2)
        return messages[start : start + limit]
    if "before" in params:
        return [m for m in messages if m.id < int(params["before"])][-limit:]
    if "after" in params:
        return [m for m in messages if m.id > int(params["after"])][:limit]
    return messages[-limit:]


# ------------------------------------------------------------------- webhooks


def _hook(ctx: RequestContext) -> Webhook:
    world = world_of(ctx)
    hook = world.webhooks.get(ctx.int_arg("webhook_id"))
    if hook is None:
        raise refuse(UNKNOWN_WEBHOOK)
    if hook.token != ctx.args["token"]:
        raise refuse(INVALID_TOKEN)
    return hook


def _place(ctx: RequestContext, hook: Webhook) -> int:
    """The channel or thread a webhook request is about; a thread must lie under the webhook's."""
    thread_id = ctx.params.get("thread_id")
    if thread_id is None:
        return hook.channel_id
    thread = world_of(ctx).channels.get(int(thread_id))
    if thread is None or thread.parent_id != hook.channel_id or not thread.is_thread:
        raise refuse(UNKNOWN_CHANNEL)
    return thread.id


@ours("POST", "/webhooks/{webhook_id}/{token}")
def execute_webhook(ctx: RequestContext) -> Wire | None:
    """Post as a persona, into a thread too; with an interaction's token, a follow-up."""
    world = world_of(ctx)
    if ctx.args["token"] in world.interaction_tokens:
        return _followup(ctx)
    hook = _hook(ctx)
    check_hook_target(world, hook.channel_id, ctx.params.get("thread_id"), ctx.body().get("thread_name"))
    message = bot_message(
        ctx,
        _place(ctx, hook),
        author_id=hook.webhook_user_id,
        webhook_id=hook.id,
        body=ctx.body(),
        webhook_execute=True,
    )
    wait = str(ctx.params.get("wait", "")).lower() in {"1", "true"}
    return message_payload(world, message) if wait else None


def _followup(ctx: RequestContext) -> Wire:
    response: Wire = theirs.execute_webhook(ctx)
    world = world_of(ctx)
    return message_payload(world, world.get_message(int(response["channel_id"]), int(response["id"])))


def _hook_message(ctx: RequestContext) -> Message:
    hook = _hook(ctx)
    message = world_of(ctx).get_message(_place(ctx, hook), ctx.int_arg("message_id"))
    if message.webhook_id != hook.id:
        raise errors.unknown_message()
    return message


@ours("GET", "/webhooks/{webhook_id}/{token}/messages/{message_id}")
def get_webhook_message(ctx: RequestContext) -> Wire:
    """A message this webhook or interaction wrote."""
    if ctx.args["token"] in world_of(ctx).interaction_tokens:
        return _respond(ctx, theirs._interaction_message(ctx))
    return _respond(ctx, _hook_message(ctx))


@ours("PATCH", "/webhooks/{webhook_id}/{token}/messages/{message_id}")
def edit_webhook_message(ctx: RequestContext) -> Wire:
    """Change a message this webhook or interaction wrote, in a thread too."""
    world = world_of(ctx)
    if ctx.args["token"] in world.interaction_tokens:
        message = theirs._interaction_message(ctx)
    else:
        message = _hook_message(ctx)
    changes = message_edit_changes(ctx, message)
    return _respond(ctx, world.edit_message(message.channel_id, message.id, changes))


@ours("DELETE", "/webhooks/{webhook_id}/{token}/messages/{message_id}")
def delete_webhook_message(ctx: RequestContext) -> None:
    """Delete a message this webhook or interaction wrote, in a thread too."""
    world = world_of(ctx)
    if ctx.args["token"] in world.interaction_tokens:
        message = theirs._interaction_message(ctx)
    else:
        message = _hook_message(ctx)
    world.delete_message(message.channel_id, message.id)


def _respond(ctx: RequestContext, message: Message) -> Wire:
    return message_payload(world_of(ctx), message)


@ours("POST", "/channels/{channel_id}/webhooks")
def create_webhook(ctx: RequestContext) -> Wire:
    """Create a webhook that the bot's application owns; its avatar is kept."""
    world = world_of(ctx)
    channel = ctx.require_channel_permissions(ctx.int_arg("channel_id"), "manage_webhooks")
    if channel.type not in _WEBHOOK_CHANNELS:
        raise errors.cannot_execute_on_channel_type()
    body = ctx.fields("name", "avatar")
    hook = world.create_webhook(channel.id, body["name"], world.bot_user.id)
    _keep_avatar(world, hook, body)
    return webhook_payload(world, hook)


def _keep_avatar(world: World, hook: Webhook, body: Wire) -> None:
    if "avatar" not in body:
        return
    if body["avatar"] is None:
        world.hook_avatars.pop(hook.id, None)
        return
    image, kind = data_uri(body["avatar"], "avatar")
    path = f"/cdn/avatars/{hook.id}/{sha256(image).hexdigest()[:32]}.{kind}"
    world.hook_avatars[hook.id] = world.cdn.keep(path, image)


@ours("GET", "/channels/{channel_id}/webhooks")
def channel_webhooks(ctx: RequestContext) -> list[Wire]:
    """The webhooks of a channel."""
    world = world_of(ctx)
    channel = ctx.require_channel_permissions(ctx.int_arg("channel_id"), "manage_webhooks")
    hooks = world.webhooks.values()
    return [webhook_payload(world, h) for h in hooks if h.channel_id == channel.id]


@ours("GET", "/guilds/{guild_id}/webhooks")
def guild_webhooks(ctx: RequestContext) -> list[Wire]:
    """The webhooks of a guild."""
    world, guild_id = world_of(ctx), ctx.int_arg("guild_id")
    world.get_guild(guild_id)
    ctx.require_guild_permissions(guild_id, "manage_webhooks")
    return [webhook_payload(world, h) for h in world.webhooks.values() if h.guild_id == guild_id]


@ours("GET", "/webhooks/{webhook_id}")
def get_webhook(ctx: RequestContext) -> Wire:
    """A webhook by id, for those who may manage it."""
    world = world_of(ctx)
    hook = world.get_webhook(ctx.int_arg("webhook_id"))
    ctx.require_channel_permissions(hook.channel_id, "manage_webhooks")
    return webhook_payload(world, hook)


@ours("GET", "/webhooks/{webhook_id}/{token}")
def get_webhook_by_token(ctx: RequestContext) -> Wire:
    """A webhook for whoever holds its token; without the user who made it."""
    payload = webhook_payload(world_of(ctx), _hook(ctx))
    return {key: value for key, value in payload.items() if key != "user"}


@ours("PATCH", "/webhooks/{webhook_id}")
def edit_webhook(ctx: RequestContext) -> Wire:
    """Rename or move a webhook, or change its avatar."""
    world = world_of(ctx)
    hook = world.get_webhook(ctx.int_arg("webhook_id"))
    ctx.require_channel_permissions(hook.channel_id, "manage_webhooks")
    changes = ctx.fields("name", "channel_id", "avatar")
    if changes.get("channel_id") is not None:
        ctx.require_channel_permissions(int(changes["channel_id"]), "manage_webhooks")
    _keep_avatar(world, hook, changes)
    changes.pop("avatar", None)
    return webhook_payload(world, world.edit_webhook(hook.id, changes))


@ours("PATCH", "/webhooks/{webhook_id}/{token}")
def edit_webhook_by_token(ctx: RequestContext) -> Wire:
    """Rename a webhook or change its avatar; a token cannot move it."""
    world, hook = world_of(ctx), _hook(ctx)
    changes = ctx.fields("name", "avatar")
    _keep_avatar(world, hook, changes)
    changes.pop("avatar", None)
    return webhook_payload(world, world.edit_webhook(hook.id, changes))


# --------------------------------------------------------------------- emojis


@ours("POST", "/applications/{application_id}/emojis")
def create_emoji(ctx: RequestContext) -> Wire:
    """Upload an emoji of the application; its picture is kept and served."""
    world = world_of(ctx)
    body = ctx.fields("name", "image")
    image, _ = data_uri(body["image"], "image")
    emoji = world.create_application_emoji(body["name"])
    world.cdn.keep(emoji_path(emoji.id), image)
    world.emojis_changed()
    return serializers.guild_emoji_payload(world, emoji)


@ours("DELETE", "/applications/{application_id}/emojis/{emoji_id}")
def delete_emoji(ctx: RequestContext) -> None:
    """Delete an emoji of the application."""
    world = world_of(ctx)
    world.delete_application_emoji(ctx.int_arg("emoji_id"))
    world.emojis_changed()


# ---------------------------------------------------------------------- other


@ours("GET", "/gateway")
def gateway(ctx: RequestContext) -> Wire:
    """Where the gateway is."""
    return {"url": world_of(ctx).gateway_url}


@ours("GET", "/gateway/bot")
def gateway_bot(ctx: RequestContext) -> Wire:
    """Where the gateway is and how often one may start a session."""
    left = world_of(ctx).conditions.sessions_left
    limit = {"total": 1000, "remaining": left, "reset_after": 0, "max_concurrency": 1}
    return {"url": world_of(ctx).gateway_url, "shards": 1, "session_start_limit": limit}


_APPLICATION: Wire = {
    "type": None,
    "flags_new": "0",
    "redirect_uris": [],
    "interactions_endpoint_url": None,
    "role_connections_verification_url": None,
    "approximate_guild_count": 1,
    "approximate_user_install_count": 0,
    "approximate_user_authorization_count": 0,
    "explicit_content_filter": 0,
    "eligible_oauth2_scopes": [],
}
"""What the specification has in an application, and SimCord has not."""


@ours("GET", "/oauth2/applications/@me")
def application(ctx: RequestContext) -> Wire:
    """The application, with the flags that say which privileged intents it has."""
    world = world_of(ctx)
    info: Wire = _APPLICATION | their_application.application_info(ctx)
    owner = next(iter(world.guilds.values()), None)
    person = world.users[owner.owner_id] if owner else world.bot_user
    flags = world.application_flags
    info.pop("summary", None)
    return info | {"flags": flags, "bot_public": False, "owner": serializers.user_payload(person)}


@ours("PATCH", "/channels/{channel_id}")
def edit_channel(ctx: RequestContext) -> Wire:
    """Change a channel; a thread with Manage Threads, or as its owner while it is not locked."""
    world = world_of(ctx)
    channel = ctx.require_channel_permissions(ctx.int_arg("channel_id"))
    if not channel.is_thread or channel.thread_metadata is None:
        result: Wire = their_channels.edit_channel(ctx)
        return result
    meta = channel.thread_metadata
    body = ctx.fields(
        "name", "archived", "locked", "auto_archive_duration", "invitable", "rate_limit_per_user"
    )
    own = channel.owner_id == world.bot_user.id and not meta.locked and "locked" not in body
    if not own:
        ctx.require_channel_permissions(channel.id, "manage_threads")
    if meta.archived and body.get("archived", True):
        raise refuse(ARCHIVED)
    scalar: Wire = {key: body.pop(key) for key in ("name", "rate_limit_per_user") if key in body}
    if "archived" in body:
        body["archive_timestamp"] = world.now_iso()
    world.edit_channel(channel.id, scalar, thread_metadata=body)
    return dict(serializers.channel_payload(world, channel))


@ours("DELETE", "/channels/{channel_id}")
def delete_channel(ctx: RequestContext) -> Wire:
    """Delete a channel or, with Manage Threads, a thread."""
    world = world_of(ctx)
    channel = ctx.require_channel_permissions(ctx.int_arg("channel_id"))
    needed = "manage_threads" if channel.is_thread else "manage_channels"
    ctx.require_channel_permissions(channel.id, needed)
    payload = dict(serializers.channel_payload(world, channel))
    world.delete_channel(channel.id)
    return payload
