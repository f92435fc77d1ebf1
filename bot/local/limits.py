"""Checks before a request reaches the world: what Discord would refuse is refused here.

One function per kind of request, found by method and route. Query parameters that a route does
not know fail loudly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from simcord.backend.models import Message
from simcord.http.router import RequestContext, UnsupportedField

from bot.local import channel_rules, message_rules
from bot.local.apierrors import OLD_EDITS, check_types, form_error, refuse, required, too_long
from bot.local.command_rules import check_choices, check_commands
from bot.local.world import World

Check = Callable[[World, RequestContext], None]

_MESSAGE = "/channels/{channel_id}/messages/{message_id}"
_HOOK = "/webhooks/{webhook_id}/{token}"
_HOOK_MESSAGE = _HOOK + "/messages/{message_id}"
_ORIGINAL = _HOOK + "/messages/@original"

#: Old messages: edits to those over an hour old are few (30046). The number is a seed.
OLD = 3600.0
OLD_EDIT_COUNT = 30

_QUERIES: dict[tuple[str, str], set[str]] = {
    ("GET", "/channels/{channel_id}/messages"): {"limit", "before", "after", "around"},
    ("GET", "/channels/{channel_id}/messages/pins"): {"limit", "before"},
    ("GET", _MESSAGE + "/reactions/{emoji}"): {"limit", "after", "type"},
    ("POST", _HOOK): {"wait", "thread_id", "with_components"},
    ("GET", _HOOK_MESSAGE): {"thread_id"},
    ("PATCH", _HOOK_MESSAGE): {"thread_id", "with_components"},
    ("DELETE", _HOOK_MESSAGE): {"thread_id"},
    ("POST", "/interactions/{interaction_id}/{token}/callback"): {"with_response"},
    ("GET", "/applications/{application_id}/commands"): {"with_localizations"},
    ("POST", "/channels/{channel_id}/threads"): {"use_nested_fields"},
    ("GET", "/applications/{application_id}/guilds/{guild_id}/commands"): {"with_localizations"},
    ("GET", "/guilds/{guild_id}"): {"with_counts"},
    ("GET", "/guilds/{guild_id}/members"): {"limit", "after"},
    ("GET", "/users/@me/guilds"): {"limit", "before", "after", "with_counts"},
    ("GET", "/channels/{channel_id}/threads/archived/public"): {"limit", "before"},
    ("GET", "/channels/{channel_id}/threads/archived/private"): {"limit", "before"},
    ("GET", "/channels/{channel_id}/thread-members"): {"limit", "after", "with_member"},
    ("GET", "/guilds/{guild_id}/audit-logs"): {"limit", "before", "after", "user_id", "action_type"},
}


def check_request(world: World, template: str, ctx: RequestContext) -> None:
    """Raise Discord's refusal if the request breaks a documented limit."""
    unknown = sorted(set(ctx.params) - _QUERIES.get((ctx.method, template), set()))
    if unknown:
        raise UnsupportedField(ctx.method, ctx.path, [f"?{name}" for name in unknown])
    if ctx.reason and len(ctx.reason) > 512:
        raise too_long("reason", 512)
    check_types(ctx.json)
    world.conditions.check_moderator(ctx.method, template)
    check = _CHECKS.get((ctx.method, template))
    if check is not None:
        check(world, ctx)


def _bot_needs(world: World, channel_id: int, *names: str) -> None:
    channel = world.get_channel(channel_id)
    world.require_permissions(channel.guild_id, world.bot_user.id, channel_id, *names)


# ------------------------------------------------------------------- messages


def _send(world: World, ctx: RequestContext) -> None:
    channel_id, body = ctx.int_arg("channel_id"), ctx.body()
    channel_rules.check_writable(world, channel_id)
    world.conditions.check_words(body)
    message_rules.check_flags(body, ephemeral=False)
    message_rules.check_body(ctx, body)
    message_rules.check_not_empty(ctx, body)
    if world.get_channel(channel_id).guild_id is not None:
        needed = ["attach_files"] if ctx.files else []
        needed += ["embed_links"] if body.get("embeds") else []
        needed += ["send_tts_messages"] if body.get("tts") else []
        _bot_needs(world, channel_id, *needed)
    message_rules.check_reply(world, channel_id, body)
    channel_rules.check_open(world, channel_id, write=True)


def _edit(world: World, ctx: RequestContext) -> None:
    channel_id = ctx.int_arg("channel_id")
    message = world.messages.get(channel_id, {}).get(ctx.int_arg("message_id"))
    channel_rules.check_open(world, channel_id)
    if ctx.files and message is not None:
        _bot_needs(world, channel_id, "attach_files")
    _edit_body(world, ctx, message)


def _edit_body(world: World, ctx: RequestContext, message: Message | None) -> None:
    world.conditions.check_words(ctx.body())
    message_rules.check_body(ctx, ctx.body())
    if message is None:
        return
    message_rules.check_not_empty(ctx, ctx.body(), message)
    _check_age(world, message)


def _check_age(world: World, message: Message) -> None:
    now = world.time.monotonic() * world.time_scale
    born = (message.id >> 22) / 1000 + 1420070400
    if (world.time.now().timestamp() - born) * world.time_scale < OLD or not world.limits_edits:
        return
    edits = world.old_edits.setdefault(message.channel_id, deque())
    while edits and edits[0] < now - OLD:
        edits.popleft()
    if len(edits) >= OLD_EDIT_COUNT:
        raise refuse(OLD_EDITS)
    edits.append(now)


def _execute(world: World, ctx: RequestContext) -> None:
    body = ctx.body()
    interaction = ctx.args["token"] in world.interaction_tokens
    if not interaction:
        world.conditions.check_words(body)
    message_rules.check_flags(body, ephemeral=interaction)
    message_rules.check_body(ctx, body)
    message_rules.check_not_empty(ctx, body)
    if not interaction:
        message_rules.check_persona(body)
    if ctx.params.get("thread_id"):
        channel_rules.check_open(world, int(ctx.params["thread_id"]), write=True)


def _edit_hook(world: World, ctx: RequestContext) -> None:
    message_id = ctx.int_arg("message_id")
    hook = world.webhooks.get(world.webhook_tokens.get(ctx.args["token"], 0))
    if hook is None:
        _edit_answer(world, ctx, message_id)
        return
    place = int(ctx.params.get("thread_id") or hook.channel_id)
    channel_rules.check_open(world, place)
    _edit_body(world, ctx, world.messages.get(place, {}).get(message_id))


def _edit_original(world: World, ctx: RequestContext) -> None:
    _edit_answer(world, ctx, None)


def _edit_answer(world: World, ctx: RequestContext, message_id: int | None) -> None:
    """Check the change of an answer to an interaction; None for its first one."""
    message_rules.check_body(ctx, ctx.body())
    record = world.interactions.get(world.interaction_tokens.get(ctx.args["token"], 0))
    if record is None:
        return
    message = world.messages.get(record.channel_id, {}).get(message_id or record.message_id or 0)
    if message is not None:
        message_rules.check_not_empty(ctx, ctx.body(), message)


def _callback(world: World, ctx: RequestContext) -> None:
    body = ctx.body()
    if "type" not in body:
        raise required("type")
    record = world.interactions.get(ctx.int_arg("interaction_id"))
    kind, data = body["type"], body.get("data") or {}
    completing = record is not None and record.type == 4
    if record is not None and (kind == 8) != completing:
        raise form_error("type", "INTERACTION_APPLICATION_COMMAND_INVALID_TYPE", "Invalid type")
    if kind == 8:
        check_choices(data.get("choices") or [], "data.choices")
    elif kind == 9:
        if record is not None and record.type == 5:
            raise form_error("type", "BASE_TYPE_CHOICES", "A form cannot answer a form.")
        message_rules.check_components(ctx, data.get("components") or [])
    elif kind in (6, 7) and record is not None and record.source_message_id is None:
        raise form_error("type", "BASE_TYPE_CHOICES", "There is no message to update.")
    elif kind in (4, 7):
        message_rules.check_flags(data, ephemeral=True)
        message_rules.check_body(ctx, data)
        if kind == 4:
            message_rules.check_not_empty(ctx, data)


# ------------------------------------------------------------------- channels


def _new_channel(world: World, ctx: RequestContext) -> None:
    guild_id = ctx.int_arg("guild_id")
    ctx.require_guild_permissions(guild_id, "manage_channels")
    world.conditions.check_names(ctx.body())
    channel_rules.check_new_channel(world, guild_id, ctx.body())


def _edit_channel(world: World, ctx: RequestContext) -> None:
    channel = world.get_channel(ctx.int_arg("channel_id"))
    body = ctx.body()
    world.conditions.check_names(body)
    if channel.is_thread:
        name = body.get("name", channel.name)
        if not 1 <= len(str(name or "").strip()) <= 100:
            raise too_long("name", 100, 1)
        durations = channel_rules.ARCHIVE_AFTER
        message_rules.check_choice(body.get("auto_archive_duration"), durations, "auto_archive_duration")
        return
    if channel.guild_id is not None:
        if "permission_overwrites" in body:
            _bot_needs(world, channel.id, "manage_roles")
        moved = "parent_id" in body and str(body["parent_id"]) != str(channel.parent_id)
        fields = body if moved else {k: v for k, v in body.items() if k != "parent_id"}
        channel_rules.check_fields(world, channel.guild_id, fields, channel.type)
        body |= fields


def _overwrite(world: World, ctx: RequestContext) -> None:
    channel = ctx.require_channel_permissions(ctx.int_arg("channel_id"), "manage_roles")
    if channel.guild_id is not None:
        channel_rules.check_overwrites(world, channel.guild_id, [ctx.body()])


def _new_thread(world: World, ctx: RequestContext) -> None:
    parent = ctx.require_channel_permissions(ctx.int_arg("channel_id"))
    world.conditions.check_names(ctx.body())
    message = ctx.args.get("message_id")
    channel_rules.check_new_thread(world, parent, ctx.body(), int(message) if message else None)


def _new_webhook(world: World, ctx: RequestContext) -> None:
    channel = ctx.require_channel_permissions(ctx.int_arg("channel_id"), "manage_webhooks")
    channel_rules.check_new_webhook(world, channel.id, ctx.body())


def _edit_webhook(world: World, ctx: RequestContext) -> None:
    if "name" in ctx.body():
        message_rules.check_name(ctx.body()["name"], "name")


def _react(world: World, ctx: RequestContext) -> None:
    channel_id = ctx.int_arg("channel_id")
    ctx.require_message(channel_id, ctx.int_arg("message_id"), "read_message_history")
    channel_rules.check_reaction(world, channel_id, ctx.int_arg("message_id"), ctx.args["emoji"])


def _pin(world: World, ctx: RequestContext) -> None:
    ctx.require_channel_permissions(ctx.int_arg("channel_id"), "pin_messages")
    channel_rules.check_pin(world, ctx.int_arg("channel_id"))


def _new_role(world: World, ctx: RequestContext) -> None:
    channel_rules.check_new_role(world, ctx.int_arg("guild_id"))


def _new_emoji(world: World, ctx: RequestContext) -> None:
    channel_rules.check_new_emoji(world, ctx.body())


def _sync(world: World, ctx: RequestContext) -> None:
    check_commands(ctx.json)


_CHECKS: dict[tuple[str, str], Check] = {
    ("POST", "/channels/{channel_id}/messages"): _send,
    ("PATCH", _MESSAGE): _edit,
    ("POST", _HOOK): _execute,
    ("PATCH", _HOOK_MESSAGE): _edit_hook,
    ("PATCH", _ORIGINAL): _edit_original,
    ("POST", "/interactions/{interaction_id}/{token}/callback"): _callback,
    ("POST", "/guilds/{guild_id}/channels"): _new_channel,
    ("PATCH", "/channels/{channel_id}"): _edit_channel,
    ("PUT", "/channels/{channel_id}/permissions/{target_id}"): _overwrite,
    ("POST", "/channels/{channel_id}/threads"): _new_thread,
    ("POST", _MESSAGE + "/threads"): _new_thread,
    ("POST", "/channels/{channel_id}/webhooks"): _new_webhook,
    ("PATCH", "/webhooks/{webhook_id}"): _edit_webhook,
    ("PATCH", _HOOK): _edit_webhook,
    ("PUT", _MESSAGE + "/reactions/{emoji}/@me"): _react,
    ("PUT", "/channels/{channel_id}/messages/pins/{message_id}"): _pin,
    ("POST", "/guilds/{guild_id}/roles"): _new_role,
    ("POST", "/applications/{application_id}/emojis"): _new_emoji,
    ("PUT", "/applications/{application_id}/commands"): _sync,
    ("PUT", "/applications/{application_id}/guilds/{guild_id}/commands"): _sync,
}
