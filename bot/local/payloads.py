"""The last touches that make SimCord's payloads equal to Discord's."""

from __future__ import annotations

from copy import deepcopy
from hashlib import sha256
from typing import Any, Protocol, cast

from simcord.backend import serializers
from simcord.backend.models import Message, User, Webhook

MEDIA = 16
"""Type of a media channel: to the documentation a forum in all but its look, and so it is here."""

MAX_UPLOAD = 10 * 1024 * 1024


class World(Protocol):
    """What payloads are completed from (`bot.local.world`)."""

    messages: dict[int, dict[int, Message]]
    application_id: int
    completing: int
    hook_avatars: dict[int, str]
    hook_applications: dict[int, int | None]
    channel_flags: dict[int, int]
    media_channels: set[int]
    bot_user: User

    @property
    def cdn(self) -> Files:
        """Where avatars are served."""

    def avatar_of(self, message: Message) -> str | None:
        """Return the address of the persona's avatar."""


class Files(Protocol):
    """Where files are served."""

    base: str

    def fresh(self, url: str) -> str:
        """Return an address of the same file that lasts from now on."""


def finish(world: World, event: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Complete the payload of a gateway event and return it; the payload itself may be changed too."""
    if event in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
        finish_message(world, payload)
    elif event == "THREAD_DELETE":
        payload = {key: payload.get(key) for key in ("id", "guild_id", "parent_id", "type")}
    elif event == "GUILD_AUDIT_LOG_ENTRY_CREATE":
        payload = {k: v for k, v in payload.items() if v is not None or k in ("target_id", "user_id")}
    elif event == "GUILD_MEMBER_UPDATE":
        payload.setdefault("banner", None)
    elif event == "GUILD_CREATE":
        payload.update({**_GUILD, **payload})
        payload["threads"] = [t for t in payload["threads"] if not t["thread_metadata"]["archived"]]
    elif event == "INTERACTION_CREATE":
        _finish_interaction(world, payload)
    return cast(dict[str, Any], complete(world, payload))


_GUILD: dict[str, Any] = {"nsfw_level": 0, "safety_alerts_channel_id": None, "incidents_data": None}
"""What the specification has in a guild, and SimCord has not."""

_DIRECT = ("id", "type", "last_message_id", "last_pin_timestamp", "recipients")
"""What a channel of direct messages has."""

_OWN = ("locale", "mfa_enabled", "verified")
"""What Discord tells of no user but the one that asks, and only of itself."""


def complete(world: World, node: object) -> object:
    """Return a copy of an answer or event with what the specification has in each user, message, command and
    channel in it, and SimCord has not, or has in another form."""
    if isinstance(node, list | tuple):
        return [complete(world, each) for each in node]
    if not isinstance(node, dict):
        return node
    done = {key: complete(world, value) for key, value in node.items()}
    if "username" in done and "id" in done:
        done.setdefault("primary_guild", None)
        done = {k: v for k, v in done.items() if k not in _OWN}
    if {"author", "channel_id"} <= done.keys():
        done = {k: v for k, v in done.items() if v is not None or k not in ("nonce", "application_id")}
    if {"application_id", "default_member_permissions"} <= done.keys():
        needed = done["default_member_permissions"]
        done["default_member_permissions"] = None if needed is None else str(needed)
        done.setdefault("version", done["id"])
        if done.get("integration_types", ()) is None:
            done["integration_types"] = [0]
    if "recipients" in done:
        done = {k: v for k, v in done.items() if k in _DIRECT} | {"flags": 0}
    if "response_message_loading" in done:
        done = {k: v for k, v in done.items() if v is not None}
    if "permission_overwrites" in done and "id" in done:
        number = int(str(done["id"]))
        done["flags"] = world.channel_flags.get(number, 0)
        done["type"] = MEDIA if number in world.media_channels else done["type"]
    return done


def finish_message(world: World, payload: dict[str, Any]) -> dict[str, Any]:
    """Complete a message in place: persona, application, nonce, the message replied to."""
    message = world.messages.get(int(payload["channel_id"]), {}).get(int(payload["id"]))
    if message is not None and message.webhook_id is not None:
        avatar = world.avatar_of(message)
        payload["author"] |= {
            "discriminator": "0000",
            "global_name": None,
            "avatar": face_hash(world, avatar),
        }
        application = world.hook_applications.get(message.webhook_id, world.application_id)
        payload["application_id"] = None if application is None else str(application)
    elif message is not None and message.interaction_metadata is not None:
        payload["webhook_id"] = payload["application_id"] = str(world.application_id)
    if world.completing == int(payload["id"]):
        payload["edited_timestamp"] = None
    for item in payload.get("attachments") or []:
        item["url"] = item["proxy_url"] = world.cdn.fresh(item["url"])
    reply = payload.get("message_reference")
    if reply is not None:
        reply.pop("fail_if_not_exists", None)  # it is only asked for
        reply.setdefault("type", 0)
    if reply is not None and "referenced_message" not in payload and not reply.get("type"):
        payload["referenced_message"] = None
    elif isinstance(payload.get("referenced_message"), dict):
        answered = finish_message(world, payload["referenced_message"])
        for name in ("guild_id", "referenced_message"):  # a reply tells of one message only
            answered.pop(name, None)
    return payload


def finish_result(world: World, result: object) -> object:
    """Return a REST answer with what SimCord leaves out.

    Only the gateway tells a message's guild.
    """
    for found in _messages_in(result):
        finish_message(world, found)
        found.pop("guild_id", None)
    done = complete(world, result)
    if isinstance(done, dict) and isinstance(result, dict) and done.get("id") == str(world.bot_user.id):
        done |= {key: result[key] for key in _OWN if key in result}
    return done


def _messages_in(result: object) -> list[dict[str, Any]]:
    if isinstance(result, list):
        return [message for each in result for message in _messages_in(each)]
    if not isinstance(result, dict):
        return []
    if {"author", "channel_id", "content"} <= result.keys():
        return [result]
    resource = result.get("resource")
    inner = resource.get("message") if isinstance(resource, dict) else None
    return [
        *_messages_in(inner),
        *_messages_in(result.get("message")),
        *_messages_in([item.get("message") for item in _items(result)]),
    ]


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The pinned messages of a channel come as items with the time of the pin."""
    items = result.get("items")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def face_hash(world: World, avatar: str | None) -> str | None:
    """The 32 hexadecimal digits that stand for an avatar; the same wherever the server listens."""
    if not avatar:
        return None
    return sha256(avatar.removeprefix(world.cdn.base).encode()).hexdigest()[:32]


def _finish_interaction(world: World, payload: dict[str, Any]) -> None:
    payload["attachment_size_limit"] = MAX_UPLOAD
    if payload.get("guild_id"):
        payload["authorizing_integration_owners"] = {"0": payload["guild_id"]}
    messages = [*((payload["data"].get("resolved") or {}).get("messages") or {}).values()]
    if payload.get("message"):
        messages.append(payload["message"])
    for message in messages:
        finish_message(world, message).pop("guild_id", None)


def message_payload(world: World, message: Message, *, viewer: int | None = None) -> dict[str, Any]:
    """A message as Discord's API shows it to ``viewer`` (whose own reactions are marked)."""
    return finish_message(
        world, dict(serializers.message_payload(cast(Any, world), message, for_user=viewer))
    )


def webhook_payload(world: World, hook: Webhook, *, token: bool = True) -> dict[str, Any]:
    """A webhook as the bot sees it; the tokens of other applications' webhooks are theirs alone."""
    application = world.hook_applications.get(hook.id, world.application_id)
    mine = application in (None, world.application_id)
    payload = serializers.webhook_payload(cast(Any, world), hook, include_token=token and mine)
    avatar = world.hook_avatars.get(hook.id)
    payload["application_id"] = None if application is None else str(application)
    payload["avatar"] = face_hash(world, avatar)
    return payload


def resolve_embed_files(
    embeds: list[dict[str, Any]], attachments: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Embeds whose ``attachment://name`` pictures point at the uploaded files."""
    urls = {f"attachment://{item['filename']}": item["url"] for item in attachments}
    resolved = deepcopy(embeds)
    for embed in resolved:
        for key in ("image", "thumbnail", "footer", "author"):
            part = embed.get(key)
            if not isinstance(part, dict):
                continue
            for url in ("url", "icon_url"):
                if part.get(url) in urls:
                    part[url] = urls[part[url]]
    return resolved
