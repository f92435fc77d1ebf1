"""Discord's documented objects, as a table: what answers and events of the local Discord must look like.

From Discord's OpenAPI specification of the HTTP API (July 2026) and the pages Gateway Events, Receiving and
Responding, and of each resource (August 2026); the notation is ours. A field is `name:kind`; `?` after the
name says that it may be missing, after the kind that it may be null. A kind in brackets is a list. What is
not named does not exist: somebody may come to rely on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)")

PLAIN: dict[str, Callable[[Any], bool]] = {
    "id": lambda v: isinstance(v, str) and v.isdecimal(),
    "text": lambda v: isinstance(v, str),
    "number": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "real": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "bits": lambda v: isinstance(v, str) and v.isdecimal(),
    "time": lambda v: isinstance(v, str) and _TIME.fullmatch(v) is not None,
    "flag": lambda v: isinstance(v, bool),
    "object": lambda v: isinstance(v, dict),
    "any": lambda v: True,
}

_CHANNEL = """
    id:id type:number flags:number guild_id:id name:text position:number last_message_id?:id?
    last_pin_timestamp?:time? parent_id?:id? rate_limit_per_user?:number bitrate?:number
    user_limit?:number rtc_region?:text? video_quality_mode?:number permissions?:bits topic?:text?
    default_auto_archive_duration?:number? default_thread_rate_limit_per_user?:number
    permission_overwrites?:[overwrite] nsfw?:flag available_tags?:[tag] default_reaction_emoji?:object?
    default_sort_order?:number? default_forum_layout?:number default_tag_setting?:text?
"""
_THREAD = """
    id:id type:number flags:number guild_id:id name:text owner_id:id parent_id?:id?
    thread_metadata:thread_metadata message_count:number member_count:number total_message_sent:number
    last_message_id?:id? last_pin_timestamp?:time? rate_limit_per_user?:number applied_tags?:[id]
    permissions?:bits bitrate?:number user_limit?:number rtc_region?:text? video_quality_mode?:number
"""
_MEMBER = """
    roles:[id] joined_at:time? deaf:flag mute:flag flags:number nick?:text? avatar?:text? banner?:text?
    premium_since?:time? pending?:flag communication_disabled_until?:time? permissions?:bits
    avatar_decoration_data?:object? collectibles?:object?
"""
_MESSAGE = """
    id:id channel_id:id author:user content:text timestamp:time edited_timestamp:time? tts:flag
    mention_everyone:flag mention_roles:[id] attachments:[attachment] embeds:[embed] pinned:flag
    type:number flags:number components:[object] reactions?:[reaction] nonce?:any webhook_id?:id
    application_id?:id message_reference?:reference message_snapshots?:[object] thread?:thread
    interaction?:object interaction_metadata?:object sticker_items?:[object] stickers?:[object]
    position?:number poll?:object application?:object activity?:object call?:object resolved?:object
    mention_channels?:[object]
"""
_GUILD = """
    id:id name:text icon:text? description:text? home_header?:text? splash:text? discovery_splash:text?
    features:[text] banner:text? owner_id:id application_id:id? region?:text? afk_channel_id:id?
    afk_timeout:number system_channel_id:id? system_channel_flags:number widget_enabled?:flag
    widget_channel_id?:id? verification_level:number roles:[role] emojis:[emoji] stickers?:[object]
    default_message_notifications:number mfa_level:number explicit_content_filter:number
    max_presences?:number? max_members?:number max_stage_video_channel_users?:number
    max_video_channel_users?:number vanity_url_code:text? premium_tier:number
    premium_subscription_count?:number preferred_locale:text rules_channel_id:id?
    safety_alerts_channel_id:id? public_updates_channel_id:id? premium_progress_bar_enabled:flag
    nsfw?:flag nsfw_level:number incidents_data:object? owner?:flag permissions?:bits
    approximate_member_count?:number approximate_presence_count?:number welcome_screen?:object
"""
_TYPING = "channel_id:id guild_id?:id user_id:id timestamp:number member?:member"
_REACTED = "user_id:id channel_id:id message_id:id guild_id?:id emoji:some_emoji burst:flag type:number"

OBJECTS: dict[str, str] = {
    "user": """
        id:id username:text discriminator:text avatar:text? global_name:text? primary_guild:object?
        public_flags:number flags?:number bot?:flag system?:flag banner?:text? accent_color?:number?
        avatar_decoration_data?:object? collectibles?:object? member?:partial_member
    """,
    "webhook_user": "id:id username:text discriminator:text avatar:text? bot:flag global_name:text? "
    "primary_guild:object? public_flags:number flags?:number",
    "self": """
        id:id username:text discriminator:text avatar:text? global_name:text? public_flags:number
        flags:number locale:text mfa_enabled:flag bot?:flag verified?:flag email?:text? banner?:text?
        accent_color?:number? primary_guild?:object? system?:flag premium_type?:number
        avatar_decoration_data?:object? collectibles?:object?
    """,
    "partial_member": _MEMBER,
    "member": _MEMBER + "user:user",
    "role": """
        id:id name:text color:number colors:object hoist:flag icon?:text? unicode_emoji?:text?
        position:number permissions:bits managed:flag mentionable:flag flags:number tags?:object
        description?:text?
    """,
    "overwrite": "id:id type:number allow:bits deny:bits",
    "tag": "id:id name:text moderated:flag emoji_id:id? emoji_name:text?",
    "channel": _CHANNEL,
    "direct": """
        id:id type:number flags:number last_message_id?:id? last_pin_timestamp?:time? recipients:[user]
    """,
    "thread": _THREAD + "member?:thread_member",
    "created_post": _THREAD + "member?:thread_member message:message",
    "thread_metadata": """
        archived:flag archive_timestamp:time auto_archive_duration:number locked:flag invitable?:flag
        create_timestamp?:time?
    """,
    "thread_member": "id:id user_id:id join_timestamp:time flags:number member?:member",
    "threads": "threads:[thread] members:[thread_member] has_more?:flag",
    "message": _MESSAGE + "mentions:[user] referenced_message?:referenced?",
    "referenced": _MESSAGE + "mentions:[user]",
    "attachment": """
        id:id filename:text size:number url:text proxy_url:text title?:text? description?:text
        content_type?:text height?:number? width?:number? ephemeral?:flag duration_secs?:real
        waveform?:text flags?:number placeholder?:text placeholder_version?:number
    """,
    "embed": """
        type:text title?:text description?:text url?:text timestamp?:time color?:number footer?:object
        image?:object thumbnail?:object video?:object provider?:object author?:object fields?:[object]
        flags?:number
    """,
    "reaction": """
        emoji:some_emoji count:number count_details:object burst_colors:[text] me_burst:flag me:flag
    """,
    "some_emoji": "id:id? name:text? animated?:flag",
    "reference": "type:number channel_id:id message_id?:id guild_id?:id",
    "webhook": """
        id:id type:number channel_id:id? name:text? avatar:text? application_id:id? guild_id?:id?
        user?:user token?:text url?:text
    """,
    "emoji": """
        id:id name:text roles:[id] require_colons:flag managed:flag animated:flag available:flag
        user?:user
    """,
    "emojis": "items:[emoji]",
    "command": """
        id:id application_id:id version:id default_member_permissions:bits? type:number name:text
        description:text guild_id?:id dm_permission?:flag contexts?:[number]? integration_types?:[number]
        nsfw?:flag name_localizations?:object? description_localizations?:object? name_localized?:text
        description_localized?:text options?:[object] handler?:number
    """,
    "callback": "interaction:callback_of resource?:object",
    "callback_of": """
        id:id type:number channel_id?:id guild_id?:id response_message_id?:id
        response_message_loading?:flag response_message_ephemeral?:flag activity_instance_id?:text?
    """,
    "pins": "items:[pin] has_more:flag",
    "pin": "pinned_at:time message:message",
    "gateway": "url:text",
    "gateway_bot": "url:text shards:number session_start_limit:starts",
    "starts": "total:number remaining:number reset_after:number max_concurrency:number",
    "application": """
        id:id name:text icon:text? description:text type:number? flags:number flags_new:text
        verify_key:text owner:user team:object? redirect_uris:[text] interactions_endpoint_url:text?
        role_connections_verification_url:text? approximate_guild_count:number
        approximate_user_install_count:number bot?:user bot_public?:flag
        approximate_user_authorization_count:number explicit_content_filter:number
        eligible_oauth2_scopes:[text] bot_require_code_grant?:flag guild_id?:id cover_image?:text
        tags?:[text] slug?:text rpc_origins?:[text] install_params?:object
        integration_types_config?:object custom_install_url?:text terms_of_service_url?:text
        privacy_policy_url?:text primary_sku_id?:id event_webhooks_url?:text?
        event_webhooks_status?:number event_webhooks_types?:[text] max_participants?:number?
    """,
    "guild": _GUILD,
    "unavailable": "id:id unavailable?:flag",
    # gateway events
    "READY": """
        v:number user:self_or_user guilds:[unavailable] session_id:text resume_gateway_url:text
        shard?:[number] application:ready_application session_type?:text
    """,
    "ready_application": "id:id flags:number flags_new?:text",
    "self_or_user": """
        id:id username:text discriminator:text avatar:text? global_name?:text? bot?:flag flags?:number
        public_flags?:number primary_guild?:object? mfa_enabled?:flag verified?:flag email?:text?
        locale?:text banner?:text? accent_color?:number? system?:flag avatar_decoration_data?:object?
        collectibles?:object?
    """,
    "RESUMED": "_trace?:[text]",
    "GUILD_CREATE": _GUILD
    + """
        joined_at:time large:flag unavailable?:flag member_count:number voice_states:[object]
        members:[member] channels:[channel] threads:[thread] presences:[object] stage_instances:[object]
        guild_scheduled_events:[object] soundboard_sounds:[object]
    """,
    "GUILD_UPDATE": _GUILD,
    "GUILD_DELETE": "id:id unavailable?:flag",
    "GUILD_ROLE_CREATE": "guild_id:id role:role",
    "GUILD_ROLE_UPDATE": "guild_id:id role:role",
    "GUILD_ROLE_DELETE": "guild_id:id role_id:id",
    "GUILD_MEMBER_ADD": _MEMBER + "user:user guild_id:id",
    "GUILD_MEMBER_UPDATE": """
        guild_id:id roles:[id] user:user avatar:text? banner:text? joined_at:time? nick?:text? deaf?:flag
        mute?:flag premium_since?:time? pending?:flag communication_disabled_until?:time? flags?:number
        permissions?:bits avatar_decoration_data?:object? collectibles?:object?
    """,
    "GUILD_MEMBER_REMOVE": "guild_id:id user:user",
    "GUILD_MEMBERS_CHUNK": """
        guild_id:id members:[member] chunk_index:number chunk_count:number not_found?:[any]
        presences?:[object] nonce?:text
    """,
    "CHANNEL_CREATE": _CHANNEL,
    "CHANNEL_UPDATE": _CHANNEL,
    "CHANNEL_DELETE": _CHANNEL,
    "CHANNEL_PINS_UPDATE": "channel_id:id guild_id?:id last_pin_timestamp?:time?",
    "THREAD_CREATE": _THREAD + "member?:thread_member newly_created?:flag",
    "THREAD_UPDATE": _THREAD + "member?:thread_member",
    "THREAD_DELETE": "id:id guild_id:id parent_id:id? type:number",
    "THREAD_LIST_SYNC": "guild_id:id channel_ids?:[id] threads:[thread] members:[thread_member]",
    "THREAD_MEMBER_UPDATE": "id:id user_id:id join_timestamp:time flags:number guild_id:id member?:member",
    "THREAD_MEMBERS_UPDATE": """
        id:id guild_id:id member_count:number added_members?:[thread_member] removed_member_ids?:[id]
    """,
    "MESSAGE_CREATE": _MESSAGE
    + "mentions:[user] guild_id?:id member?:partial_member referenced_message?:referenced?",
    "MESSAGE_UPDATE": _MESSAGE
    + "mentions:[user] guild_id?:id member?:partial_member referenced_message?:referenced?",
    "MESSAGE_DELETE": "id:id channel_id:id guild_id?:id",
    "MESSAGE_DELETE_BULK": "ids:[id] channel_id:id guild_id?:id",
    "MESSAGE_REACTION_ADD": _REACTED + " member?:member message_author_id?:id burst_colors?:[text]",
    "MESSAGE_REACTION_REMOVE": _REACTED,
    "MESSAGE_REACTION_REMOVE_ALL": "channel_id:id message_id:id guild_id?:id",
    "MESSAGE_REACTION_REMOVE_EMOJI": "channel_id:id message_id:id guild_id?:id emoji:some_emoji",
    "TYPING_START": _TYPING,
    "WEBHOOKS_UPDATE": "guild_id:id channel_id:id",
    "INTERACTION_CREATE": """
        id:id application_id:id type:number token:text version:number data?:object guild?:object
        guild_id?:id channel?:object channel_id?:id member?:member user?:user message?:message
        app_permissions:bits locale?:text guild_locale?:text entitlements:[object]
        authorizing_integration_owners:object context?:number attachment_size_limit:number
    """,
    "GUILD_AUDIT_LOG_ENTRY_CREATE": """
        id:id guild_id:id action_type:number target_id:text? user_id:id? changes?:[object] options?:object
        reason?:text
    """,
    "USER_UPDATE": """
        id:id username:text discriminator:text avatar:text? global_name:text? bot?:flag flags?:number
        public_flags?:number primary_guild?:object? mfa_enabled?:flag verified?:flag email?:text?
        locale?:text
    """,
}

ANSWERS: dict[str, str] = {
    "GET /gateway": "gateway",
    "GET /gateway/bot": "gateway_bot",
    "GET /oauth2/applications/@me": "application",
    "GET /applications/@me": "application",
    "GET /users/@me": "self",
    "GET /users/{user_id}": "user",
    "POST /users/@me/channels": "direct",
    "GET /guilds/{guild_id}": "guild",
    "GET /guilds/{guild_id}/members/{user_id}": "member",
    "GET /guilds/{guild_id}/roles": "[role]",
    "POST /guilds/{guild_id}/roles": "role",
    "PATCH /guilds/{guild_id}/roles/{role_id}": "role",
    "GET /guilds/{guild_id}/channels": "[channel]",
    "POST /guilds/{guild_id}/channels": "channel",
    "GET /guilds/{guild_id}/threads/active": "threads",
    "GET /guilds/{guild_id}/webhooks": "[webhook]",
    "GET /channels/{channel_id}": "channel|thread|direct",
    "PATCH /channels/{channel_id}": "channel|thread|direct",
    "DELETE /channels/{channel_id}": "channel|thread|direct",
    "POST /channels/{channel_id}/threads": "thread|created_post",
    "POST /channels/{channel_id}/messages/{message_id}/threads": "thread",
    "GET /channels/{channel_id}/threads/archived/public": "threads",
    "GET /channels/{channel_id}/threads/archived/private": "threads",
    "GET /channels/{channel_id}/messages": "[message]",
    "POST /channels/{channel_id}/messages": "message",
    "GET /channels/{channel_id}/messages/{message_id}": "message",
    "PATCH /channels/{channel_id}/messages/{message_id}": "message",
    "GET /channels/{channel_id}/messages/pins": "pins",
    "GET /channels/{channel_id}/messages/{message_id}/reactions/{emoji}": "[user]",
    "GET /channels/{channel_id}/webhooks": "[webhook]",
    "POST /channels/{channel_id}/webhooks": "webhook",
    "GET /webhooks/{webhook_id}": "webhook",
    "GET /webhooks/{webhook_id}/{token}": "webhook",
    "PATCH /webhooks/{webhook_id}": "webhook",
    "PATCH /webhooks/{webhook_id}/{token}": "webhook",
    "POST /webhooks/{webhook_id}/{token}": "message",
    "GET /webhooks/{webhook_id}/{token}/messages/{message_id}": "message",
    "PATCH /webhooks/{webhook_id}/{token}/messages/{message_id}": "message",
    "GET /webhooks/{webhook_id}/{token}/messages/@original": "message",
    "PATCH /webhooks/{webhook_id}/{token}/messages/@original": "message",
    "POST /interactions/{interaction_id}/{token}/callback": "callback",
    "GET /applications/{application_id}/emojis": "emojis",
    "POST /applications/{application_id}/emojis": "emoji",
    "GET /applications/{application_id}/commands": "[command]",
    "PUT /applications/{application_id}/commands": "[command]",
    "GET /applications/{application_id}/guilds/{guild_id}/commands": "[command]",
    "PUT /applications/{application_id}/guilds/{guild_id}/commands": "[command]",
}
"""What a route answers with; a route that is not here answers without a body."""

_FIELD = re.compile(r"(?P<name>\w+)(?P<may_miss>\??):(?P<kind>\[?[\w]+\]?)(?P<may_null>\??)")


@cache
def fields_of(name: str) -> dict[str, tuple[bool, str, bool]]:
    """Field → whether it may be missing, its kind, whether it may be null."""
    found = (_FIELD.fullmatch(part) for part in OBJECTS[name].split())
    return {m["name"]: (bool(m["may_miss"]), m["kind"], bool(m["may_null"])) for m in found if m}


def differences(kind: str, value: object, path: str = "") -> Iterator[str]:
    """Yield where a value differs from a kind of the table; `kind` may offer several, parted by "|"."""
    if "|" in kind:
        tries = [list(differences(one, value, path)) for one in kind.split("|")]
        yield from [] if [] in tries else min(tries, key=len)
    elif kind.startswith("["):
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for each in value:
            yield from differences(kind[1:-1], each, f"{path}[]")
    elif kind in PLAIN:
        if not PLAIN[kind](value):
            yield f"{path} is no {kind}: {value!r:.60}"
    else:
        yield from _object(kind, value, path)


def _object(kind: str, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} is no {kind}"
        return
    known = fields_of(kind)
    for name in value.keys() - known.keys():
        yield f"{path}.{name} is not documented in {kind}"
    for name, (may_miss, inner, may_null) in known.items():
        if name not in value:
            if not may_miss:
                yield f"{path}.{name} is missing in {kind}"
        elif value[name] is None:
            if not may_null:
                yield f"{path}.{name} is null in {kind}"
        else:
            yield from differences(inner, value[name], f"{path}.{name}")


def documented(kind: str, value: object) -> Any:
    """Return a value of a kind without what is not documented: nobody can rely on that."""
    if "|" in kind:
        return documented(min(kind.split("|"), key=lambda one: len(list(differences(one, value)))), value)
    if isinstance(value, list | tuple) and kind.startswith("["):
        return [documented(kind[1:-1], each) for each in value]
    if kind in PLAIN or kind.startswith("[") or not isinstance(value, dict):
        return value
    known = fields_of(kind)
    return {name: documented(known[name][1], each) for name, each in value.items() if name in known}
