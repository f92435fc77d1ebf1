"""Discord's documented limits on the content of messages.

Sources: the documentation's pages on messages, embeds, webhooks and components.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from simcord.backend import Backend
from simcord.backend.models import Message
from simcord.components import walk_components
from simcord.http.router import RequestContext, UnsupportedField

from bot.local.apierrors import (
    EMPTY_MESSAGE,
    NO_HISTORY,
    TOO_LARGE,
    choice,
    form_error,
    refuse,
    required,
    too_long,
)
from bot.local.payloads import MAX_UPLOAD
from bot.local.world import World

Wire = Mapping[str, Any]

MAX_CONTENT = 2000
MAX_EMBEDS = 10
MAX_EMBED_TEXT = 6000
MAX_FIELDS = 25
MAX_FILES = 10
MAX_TOGETHER = 25 * 1024 * 1024
MAX_NONCE = 25
MAX_MENTIONS = 100
MAX_LINK = 512
MAX_COMPONENTS = 40
BUTTON, STRING_SELECT, PREMIUM = 2, 3, 6
SELECTS = (STRING_SELECT, 5, 6, 7, 8)
THUMBNAIL, GALLERY, FILE, CONTAINER = 11, 12, 13, 17
#: Types of messages that people and bots write; all others are Discord's own.
WRITTEN = (0, 19, 20, 23)
MAX_DESCRIPTION = 1024
EPHEMERAL = 1 << 6
SENDABLE_FLAGS = 1 << 2 | 1 << 12 | 1 << 13 | 1 << 15

_EMBED_TEXTS = (("title", 256), ("description", 4096))
_EMBED_PARTS = {
    "footer": (("text", 2048),),
    "author": (("name", 256),),
    "image": (),
    "thumbnail": (),
    "video": (),
    "provider": (),
}
_EMBED_KEYS = frozenset(
    {"title", "type", "description", "url", "timestamp", "color", "fields", "flags", *_EMBED_PARTS}
)
_COMMON = {"type", "id"}
_SELECT = _COMMON | {"custom_id", "placeholder", "min_values", "max_values", "disabled", "required"}
_COMPONENT_KEYS: Mapping[int, set[str]] = {
    1: _COMMON | {"components"},
    2: _COMMON | {"style", "label", "emoji", "custom_id", "sku_id", "url", "disabled"},
    3: _SELECT | {"options"},
    4: _COMMON
    | {"custom_id", "style", "label", "min_length", "max_length", "required", "value", "placeholder"},
    5: _SELECT | {"default_values"},
    6: _SELECT | {"default_values"},
    7: _SELECT | {"default_values"},
    8: _SELECT | {"default_values", "channel_types"},
    9: _COMMON | {"components", "accessory"},
    10: _COMMON | {"content"},
    11: _COMMON | {"media", "description", "spoiler"},
    12: _COMMON | {"items"},
    13: _COMMON | {"file", "spoiler", "name", "size"},
    14: _COMMON | {"divider", "spacing"},
    17: _COMMON | {"components", "accent_color", "spoiler"},
    18: _COMMON | {"label", "description", "component"},
    19: _COMMON | {"custom_id", "min_values", "max_values", "required"},
    21: _COMMON | {"custom_id", "options", "required"},
    22: _COMMON | {"custom_id", "options", "min_values", "max_values", "required"},
    23: _COMMON | {"custom_id", "default"},
}


def check_body(ctx: RequestContext, body: Wire) -> None:
    """Check what applies to every message body: texts, embeds, files, nonce, component fields."""
    content = body.get("content")
    if content is not None and not isinstance(content, str):
        raise form_error("content", "STRING_TYPE_CONVERT", "Could not interpret value as string.")
    if content and len(content) > MAX_CONTENT:
        raise too_long("content", MAX_CONTENT)
    nonce = body.get("nonce")
    if nonce is not None and len(str(nonce)) > MAX_NONCE:
        raise too_long("nonce", MAX_NONCE)
    check_mentions(body.get("allowed_mentions"))
    check_embeds(ctx, body.get("embeds") or [])
    check_components(ctx, body.get("components") or [])
    check_files(ctx, body)


def check_files(ctx: RequestContext, body: Wire) -> None:
    """Check for at most ten files, 10 MiB each and 25 MiB together, and their descriptions."""
    sizes = [len(file.fp.getbuffer()) for file in ctx.files]
    if max(sizes, default=0) > MAX_UPLOAD or sum(sizes) > MAX_TOGETHER:
        raise refuse(TOO_LARGE)
    kept = body.get("attachments")
    if len(ctx.files) > MAX_FILES or (isinstance(kept, list) and len(kept) > MAX_FILES):
        raise too_long("attachments", MAX_FILES)
    for index, item in enumerate(kept or []):
        if len(str(item.get("description") or "")) > MAX_DESCRIPTION:
            raise too_long(f"attachments.{index}.description", MAX_DESCRIPTION)


def check_embeds(ctx: RequestContext, embeds: object) -> None:
    """Check lengths, formats and the 6,000 characters over all embeds."""
    if not isinstance(embeds, list):
        raise form_error("embeds", "BASE_TYPE_INVALID", "Only lists are allowed.")
    if len(embeds) > MAX_EMBEDS:
        raise too_long("embeds", MAX_EMBEDS)
    total = sum(_check_embed(ctx, embed, f"embeds.{i}") for i, embed in enumerate(embeds))
    if total > MAX_EMBED_TEXT:
        text = f"Embed size exceeds maximum size of {MAX_EMBED_TEXT}"
        raise form_error("embeds", "MAX_EMBED_SIZE_EXCEEDED", text)


def _check_embed(ctx: RequestContext, embed: Wire, path: str) -> int:
    unknown = sorted(set(embed) - _EMBED_KEYS)
    if unknown:
        raise UnsupportedField(ctx.method, ctx.path, [f"{path}.{key}" for key in unknown])
    if not set(embed) - {"type", "color", "flags"}:
        raise required(f"{path}.description")
    total = _check_texts(embed, _EMBED_TEXTS, path)
    total += _check_fields(embed.get("fields") or [], f"{path}.fields")
    for part, texts in _EMBED_PARTS.items():
        inner = embed.get(part)
        if inner is not None:
            total += _check_texts(inner, texts, f"{path}.{part}")
            for key in ("url", "icon_url"):
                _check_url(inner.get(key), f"{path}.{part}.{key}", media=part != "author" or key != "url")
    _check_url(embed.get("url"), f"{path}.url", media=False)
    _check_colour(embed.get("color"), f"{path}.color")
    _check_time(embed.get("timestamp"), f"{path}.timestamp")
    return total


def _check_texts(holder: Wire, texts: Iterable[tuple[str, int]], path: str) -> int:
    total = 0
    for key, most in texts:
        text = str(holder.get(key) or "").strip()
        if len(text) > most:
            raise too_long(f"{path}.{key}", most)
        total += len(text)
    return total


def _check_fields(fields: list[Wire], path: str) -> int:
    if len(fields) > MAX_FIELDS:
        raise too_long(path, MAX_FIELDS)
    for index, entry in enumerate(fields):
        for key in ("name", "value"):
            if not str(entry.get(key) or "").strip():
                raise required(f"{path}.{index}.{key}")
    limits = (("name", 256), ("value", 1024))
    return sum(_check_texts(entry, limits, f"{path}.{i}") for i, entry in enumerate(fields))


def _check_url(url: object, path: str, *, media: bool) -> None:
    if url is None:
        return
    schemes = ("http", "https", "attachment") if media else ("http", "https")
    _check_scheme(url, schemes, path)
    parts = urlsplit(str(url))
    if not parts.netloc or len(str(url)) > 2048:
        raise form_error(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")


def _check_scheme(url: object, schemes: tuple[str, ...], path: str) -> None:
    scheme = urlsplit(str(url)).scheme
    if scheme not in schemes:
        text = f'Scheme "{scheme}" must be one of {schemes}.'
        raise form_error(path, "URL_TYPE_INVALID_SCHEME", text)


def _check_colour(colour: object, path: str) -> None:
    if colour is None:
        return
    if not isinstance(colour, int) or not 0 <= colour <= 0xFFFFFF:
        raise form_error(path, "NUMBER_TYPE_MAX", "int value should be between 0 and 16777215.")


def _check_time(text: object, path: str) -> None:
    if text is None:
        return
    try:
        datetime.fromisoformat(str(text))
    except ValueError as error:
        message = f"Could not parse {text}. Should be ISO8601."
        raise form_error(path, "DATETIME_TYPE_PARSE", message) from error


def check_components(ctx: RequestContext, components: object) -> None:
    """Raise for fields that no component has; SimCord checks the other rules."""
    if not isinstance(components, list):
        raise form_error("components", "BASE_TYPE_INVALID", "Only lists are allowed.")
    for component in walk_components(components):
        known = _COMPONENT_KEYS.get(component.get("type", 0))
        unknown = sorted(set(component) - known) if known is not None else []
        if unknown:
            kind = component["type"]
            raise UnsupportedField(ctx.method, ctx.path, [f"component {kind}: {k}" for k in unknown])
        _check_interactive(component)
        _check_addresses(component)
        for holder in (component, *_dicts(component.get("options"))):
            check_emoji(ctx.backend, holder.get("emoji"))
        if component.get("type") == CONTAINER and not component.get("components"):
            raise too_long("components", MAX_COMPONENTS, 1)


def check_emoji(world: Backend, emoji: object) -> None:
    """Raise for a component's emoji that is none, or none the bot may use: an unknown or deleted one."""
    if not isinstance(emoji, dict):
        return
    number, name = emoji.get("id"), str(emoji.get("name") or "")
    if not (knows_emoji(world, int(number)) if number else is_emoji(name)):
        raise form_error("components.emoji", "COMPONENT_INVALID_EMOJI", "Invalid emoji")


def knows_emoji(world: Backend, emoji_id: int) -> bool:
    """Return whether a custom emoji is the application's, or of a guild the bot is in."""
    kept = [world.application_emojis, *(guild.emojis for guild in world.guilds.values())]
    return any(emoji_id in emojis for emojis in kept)


def is_emoji(name: str) -> bool:
    """Return whether a name may be an emoji itself; an ASCII text never is."""
    return not name.isascii()


def _dicts(items: object) -> list[Wire]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _check_addresses(component: Wire) -> None:
    """Check where links lead and where pictures and files come from."""
    kind = component.get("type")
    if kind == BUTTON and component.get("url") is not None:
        _check_scheme(component["url"], ("http", "https", "discord"), "components.url")
        if len(str(component["url"])) > MAX_LINK:
            raise too_long("components.url", MAX_LINK)
    shown = [component, *_dicts(component.get("items"))] if kind in (THUMBNAIL, GALLERY) else []
    for holder in shown:
        if isinstance(holder.get("media"), dict):
            _check_url(holder["media"].get("url"), "components.media.url", media=True)
    if kind == FILE and isinstance(component.get("file"), dict):
        _check_scheme(component["file"].get("url"), ("attachment",), "components.file.url")


def _check_interactive(component: Wire) -> None:
    """Check what SimCord leaves out: a button shows something, a select menu offers what it asks for."""
    kind, style = component.get("type"), component.get("style")
    if kind == BUTTON and style != PREMIUM and not (component.get("label") or component.get("emoji")):
        raise required("components.label")
    offered = component.get("options")
    if kind == STRING_SELECT and isinstance(offered, list):
        most = component.get("max_values")
        if isinstance(most, int) and most > len(offered):
            text = f"int value should be less than or equal to {len(offered)}."
            raise form_error("components.max_values", "NUMBER_TYPE_MAX", text)
    chosen = [option for option in _dicts(offered) if option.get("default")] + _dicts(
        component.get("default_values")
    )
    if kind in SELECTS and len(chosen) > (component.get("max_values") or 1):
        text = "The number of default values must be in the range of min_values and max_values."
        raise form_error("components.default_values", "BASE_TYPE_BAD_LENGTH", text)


def check_mentions(allowed: object) -> None:
    """Check allowed_mentions: known kinds, at most 100 ids, and not both a kind and ids of it."""
    if not isinstance(allowed, dict):
        return
    parse = allowed.get("parse") or []
    unknown = sorted(set(map(str, parse)) - {"roles", "users", "everyone"})
    if unknown:
        raise choice("allowed_mentions.parse", "'roles', 'users', 'everyone'")
    for kind in ("users", "roles"):
        ids = allowed.get(kind) or []
        if len(ids) > MAX_MENTIONS:
            raise too_long(f"allowed_mentions.{kind}", MAX_MENTIONS)
        if ids and kind in parse:
            text = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            raise form_error("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", text)


def check_not_empty(ctx: RequestContext, body: Wire, before: Message | None = None) -> None:
    """Raise 50006 unless something is left to show; ``before`` is the message being edited."""
    kept = (
        {"content": before.content, "embeds": before.embeds, "components": before.components}
        if (before)
        else {}
    )
    files = body.get("attachments", before.attachments if before else [])
    shown = kept | {key: body[key] for key in ("content", "embeds", "components") if key in body}
    text = str(shown.pop("content", "") or "").strip()
    rest = [*shown.values(), files, ctx.files, body.get("sticker_ids"), body.get("poll")]
    if not text and not any(rest):
        raise refuse(EMPTY_MESSAGE)


def check_flags(body: dict[str, Any], *, ephemeral: bool) -> None:
    """Drop flags a sender cannot set, as Discord silently does."""
    if body.get("flags"):
        allowed = SENDABLE_FLAGS | (EPHEMERAL if ephemeral else 0)
        body["flags"] = int(body["flags"]) & allowed


def check_reply(world: World, channel_id: int, body: Wire) -> None:
    """Check that a reply's target exists and may be read."""
    reference = body.get("message_reference")
    if not isinstance(reference, dict) or reference.get("type"):
        return
    channel = world.get_channel(channel_id)
    if channel.guild_id is not None:
        allowed = world.compute_permissions(channel.guild_id, world.bot_user.id, channel_id)
        if not allowed & 1 << 16:
            raise refuse(NO_HISTORY)
    known = world.messages[channel_id].get(int(reference.get("message_id", 0)))
    if known is None and reference.get("fail_if_not_exists", True):
        raise form_error("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    if known is not None and known.type not in WRITTEN:
        text = "Cannot reply to a system message"
        raise form_error("message_reference", "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", text)


def check_name(name: object, path: str) -> None:
    """Check a webhook's or persona's name: 1 to 80 characters, without words that Discord reserves."""
    text = str(name or "").strip()
    if not 1 <= len(text) <= 80:
        raise too_long(path, 80, 1)
    for word in ("discord", "clyde"):
        if word in text.lower():
            raise form_error(path, "USERNAME_INVALID_CONTAINS", f'Username cannot contain "{word}"')
    if text.lower() in ("everyone", "here"):
        raise form_error(path, "USERNAME_INVALID", f'Username cannot be "{text}"')


def check_persona(body: Wire) -> None:
    """Check the name and avatar of a webhook's message."""
    if body.get("username") is not None:
        check_name(body["username"], "username")
    if body.get("avatar_url") is not None:
        _check_url(body["avatar_url"], "avatar_url", media=False)


def check_choice(value: object, allowed: Iterable[int], path: str) -> None:
    """Raise if a number is not in a fixed set."""
    options = tuple(allowed)
    if value is not None and value not in options:
        raise choice(path, ", ".join(map(str, options)))
