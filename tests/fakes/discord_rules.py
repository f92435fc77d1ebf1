"""Discord's documented rules for requests and answers, as a table; every exchange of the tests is held to it.

Sources are pages of https://docs.discord.com/developers, by name and section; the words are ours. A request
that was accepted keeps every rule, or the local Discord is too kind; what the product sends is not refused
for its form. `tests/conftest.py` looks at all exchanges and fails the test that caused a violation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bot.local.rest import Call
from tests.fakes.discord_objects import ANSWERS as OBJECTS_OF
from tests.fakes.discord_objects import OBJECTS, differences, documented

Wire = dict[str, Any]
Check = Callable[[Call], Iterator[str]]

MESSAGE_POSTS = (
    r"POST /channels/\{channel_id\}/messages|POST /webhooks/\{webhook_id\}/\{token\}"
    r"|PATCH /channels/\{channel_id\}/messages/\{message_id\}"
    r"|PATCH /webhooks/\{webhook_id\}/\{token\}/messages/.+"
)
CALLBACK = r"POST /interactions/\{interaction_id\}/\{token\}/callback"
COMMANDS = r"PUT /applications/\{application_id\}(?:/guilds/\{guild_id\})?/commands"
V2 = 1 << 15
TEXTS = {"title": 256, "description": 4096}
SELECTS = {3, 5, 6, 7, 8}


@dataclass(frozen=True, slots=True)
class Rule:
    """A documented fact. `where` is matched against "METHOD template"; `check` yields what is wrong."""

    name: str
    source: str
    where: str
    check: Check


def message_of(call: Call) -> Wire:
    """The message a request carries: its body, or the data of an interaction's answer."""
    body = call.body if isinstance(call.body, dict) else {}
    data = body.get("data") if "interaction_id" in call.template else body
    return data if isinstance(data, dict) else {}


def walk(components: object) -> Iterator[Wire]:
    """Every component, nested ones too."""
    for node in components if isinstance(components, list) else []:
        yield node
        yield from walk(node.get("components"))
        yield from walk([node[key] for key in ("accessory", "component") if isinstance(node.get(key), dict)])


def longer(value: object, most: int, least: int = 0) -> bool:
    """Whether a text's code points are outside its limits."""
    return value is not None and not least <= len(str(value)) <= most


# ---------------------------------------------------------------- requests


def content(call: Call) -> Iterator[str]:
    """Length of the content."""
    if longer(message_of(call).get("content"), 2000):
        yield "content over 2,000 characters"


def embeds(call: Call) -> Iterator[str]:
    """Counts and lengths of embeds."""
    found = message_of(call).get("embeds") or []
    if len(found) > 10:
        yield "more than 10 embeds"
    total = 0
    for embed in found:
        fields = embed.get("fields") or []
        parts = {"footer": ("text", 2048), "author": ("name", 256)}
        texts = [(embed.get(key), most) for key, most in TEXTS.items()]
        texts += [((embed.get(part) or {}).get(key), most) for part, (key, most) in parts.items()]
        texts += [
            (field.get(key), most) for field in fields for key, most in (("name", 256), ("value", 1024))
        ]
        total += sum(len(text or "") for text, _ in texts)
        if len(fields) > 25 or any(longer(text, most) for text, most in texts):
            yield "an embed's text or number of fields over its limit"
    if total > 6000:
        yield "embeds over 6,000 characters together"


def mentions(call: Call) -> Iterator[str]:
    """allowed_mentions: either kinds or ids, at most 100."""
    allowed = message_of(call).get("allowed_mentions") or {}
    for kind in ("users", "roles"):
        ids = allowed.get(kind) or []
        if len(ids) > 100:
            yield f"more than 100 {kind} in allowed_mentions"
        if ids and kind in (allowed.get("parse") or []):
            yield f"allowed_mentions both parses {kind} and lists them"


def components(call: Call) -> Iterator[str]:
    """Counts, labels and ids of components."""
    message = message_of(call)
    every = list(walk(message.get("components")))
    second = bool(int(message.get("flags") or 0) & V2)
    if len(every) > 40 or (not second and len(message.get("components") or []) > 5):
        yield "more than 40 components or 5 rows"
    if sum(len(c.get("content") or "") for c in every if c.get("type") == 10) > 4000:
        yield "more than 4,000 characters of text in components"
    ids = [c["custom_id"] for c in every if c.get("custom_id") is not None]
    if len(set(ids)) < len(ids) or any(longer(each, 100, 1) for each in ids):
        yield "a custom_id twice or outside 1 to 100 characters"
    for each in every:
        yield from _component(each)
    if second and (message.get("content") or message.get("embeds")):
        yield "content or embeds beside components v2"


def _component(each: Wire) -> Iterator[str]:
    kind, options = each.get("type"), each.get("options") or []
    if kind == 2 and each.get("style") != 6 and not (each.get("label") or each.get("emoji")):
        yield "a button without label and emoji"
    if kind == 2 and longer(each.get("label"), 80):
        yield "a button's label over 80 characters"
    if kind == 1 and not 1 <= len(each.get("components") or []) <= 5:
        yield "a row with no or more than 5 components"
    if kind in SELECTS and longer(each.get("placeholder"), 150):
        yield "a placeholder over 150 characters"
    if kind == 3 and not (1 <= len(options) <= 25 and (each.get("max_values") or 1) <= len(options)):
        yield "a select menu without options, with more than 25, or asking for more than it offers"
    if any(longer(o.get(key), 100) for o in options for key in ("label", "value", "description")):
        yield "an option's text over 100 characters"


def files(call: Call) -> Iterator[str]:
    """Number of files, their descriptions, and the nonce."""
    message = message_of(call)
    if call.files > 10 or any(longer(a.get("description"), 1024) for a in message.get("attachments") or []):
        yield "more than 10 files, or a description over 1,024 characters"
    if longer(message.get("nonce"), 25):
        yield "a nonce over 25 characters"


def persona(call: Call) -> Iterator[str]:
    """Names and pictures of webhooks' messages."""
    body = call.body if isinstance(call.body, dict) else {}
    yield from _hook_name(body.get("username"))
    if body.get("avatar_url") is not None and not re.match(r"https?://", str(body["avatar_url"])):
        yield "avatar_url that is no address"
    if "message_reference" in body:
        yield "a webhook cannot reply"


def _hook_name(name: object) -> Iterator[str]:
    text = str(name).strip().lower() if name is not None else "x"
    wrong = any(word in text for word in ("discord", "clyde")) or text in ("everyone", "here")
    if wrong or not 1 <= len(text) <= 80:
        yield f"a webhook's name {name!r}"


def new_webhook(call: Call) -> Iterator[str]:
    """Names of webhooks."""
    yield from _hook_name((call.body if isinstance(call.body, dict) else {}).get("name"))


def channel(call: Call) -> Iterator[str]:
    """Names and topics of channels and threads, and when threads archive themselves."""
    body = call.body if isinstance(call.body, dict) else {}
    if longer(body.get("name"), 100, 1) or longer(
        body.get("topic"), 4096 if body.get("type") == 15 else 1024
    ):
        yield "a name outside 1 to 100 characters or a topic over its limit"
    if body.get("auto_archive_duration") not in (None, 60, 1440, 4320, 10080):
        yield "an unknown auto_archive_duration"


def callback(call: Call) -> Iterator[str]:
    """Kinds of answers to interactions, choices of autocomplete, and modals."""
    body = call.body if isinstance(call.body, dict) else {}
    data = body.get("data") or {}
    if body.get("type") not in (1, 4, 5, 6, 7, 8, 9, 12):
        yield "an unknown kind of answer"
    if len(data.get("choices") or []) > 25:
        yield "more than 25 choices"
    if body.get("type") == 9:
        yield from _modal(data)


def _modal(data: Wire) -> Iterator[str]:
    parts = data.get("components") or []
    if not 1 <= len(parts) <= 5 or longer(data.get("title"), 45, 1) or longer(data.get("custom_id"), 100, 1):
        yield "a modal's title, id or number of components"
    for each in walk(parts):
        if each.get("type") == 4 and (longer(each.get("value"), 4000) or longer(each.get("label"), 45)):
            yield "a text input's value over 4,000 or label over 45 characters"
        if each.get("type") == 18 and longer(each.get("label"), 45, 1):
            yield "a label outside 1 to 45 characters"


def commands(call: Call) -> Iterator[str]:
    """Counts, sizes and options of commands."""
    found = call.body if isinstance(call.body, list) else []
    for kind, most in ((1, 100), (2, 15), (3, 15)):
        if sum((command.get("type") or 1) == kind for command in found) > most:
            yield f"more than {most} commands of type {kind}"
    for command in found:
        if _size(command) > 8000:
            yield f"/{command['name']} over 8,000 characters"
        if (command.get("type") or 1) == 1:
            yield from _options(command)
        elif command.get("description"):
            yield "a menu with a description"


def _options(node: Wire) -> Iterator[str]:
    options = node.get("options") or []
    names = [option["name"] for option in options]
    kinds = [option.get("type") in (1, 2) for option in options]
    if len(options) > 25 or len(set(names)) < len(names) or (any(kinds) and not all(kinds)):
        yield f"options of {node['name']}: too many, equal, or subcommands beside values"
    if longer(node.get("description"), 100, 1) or not re.fullmatch(r"[-_'\w]{1,32}", node["name"]):
        yield f"name or description of {node['name']}"
    for option in options:
        yield from _options(option)


def _size(node: Wire) -> int:
    own = sum(len(str(node.get(key) or "")) for key in ("name", "description"))
    values = sum(len(str(c["name"])) + len(str(c["value"])) for c in node.get("choices") or [])
    return own + values + sum(_size(option) for option in node.get("options") or [])


def emoji(call: Call) -> Iterator[str]:
    """Names and pictures of emojis."""
    body = call.body if isinstance(call.body, dict) else {}
    image = str(body.get("image"))
    if not re.fullmatch(r"\w{2,32}", str(body.get("name"))) or not image.startswith("data:image/"):
        yield "an emoji's name or picture"
    if len(image) * 3 // 4 > 256 * 1024 + 64:
        yield "an emoji over 256 KiB"


REQUESTS = (
    Rule(
        "content", "Message resource, Create Message: content up to 2,000 characters", MESSAGE_POSTS, content
    ),
    Rule("embeds", "Message resource, Embed Limits", MESSAGE_POSTS, embeds),
    Rule("mentions", "Message resource, Allowed Mentions Object", MESSAGE_POSTS, mentions),
    Rule("components", "Components reference; limits of each kind", MESSAGE_POSTS, components),
    Rule("files", "Message resource, Create Message: files, nonce, attachments", MESSAGE_POSTS, files),
    Rule("persona", "Webhook resource, Execute Webhook", r"POST /webhooks/[^/]+/\{token\}", persona),
    Rule("webhook", "Webhook resource, Create Webhook", r"POST /channels/[^/]+/webhooks", new_webhook),
    Rule(
        "channel",
        "Guild resource, Create Guild Channel; Channel resource, threads",
        r"POST /guilds/[^/]+/channels|PATCH /channels/\{channel_id\}|POST /channels/.+/threads",
        channel,
    ),
    Rule("callback", "Receiving and responding: Interaction Callback Type, Modal", CALLBACK, callback),
    Rule("answers", "the same limits hold for an interaction's message", CALLBACK, components),
    Rule("commands", "Application commands: limits, naming, nesting", COMMANDS, commands),
    Rule("emoji", "Emoji resource: names, 256 KiB", r"POST /applications/[^/]+/emojis", emoji),
)

# ---------------------------------------------------------------- answers

STATUS = {
    r"POST /guilds/\{guild_id\}/channels|POST /channels/.+/threads": (201,),
    r"POST /applications/[^/]+/emojis": (201,),
    r"POST .+/typing|PUT .+/reactions/.+|PUT .+/pins/.+|PUT /channels/[^/]+/permissions/.+": (204,),
    r"DELETE /channels/\{channel_id\}": (200,),
    r"DELETE .+": (204,),
    r"POST /webhooks/[^/]+/\{token\}|" + CALLBACK: (200, 204),
    r"POST /channels/[^/]+/messages/bulk-delete": (204,),
    r"(?:GET|PATCH|PUT|POST) .+": (200, 201, 204),
}


def status(call: Call) -> Iterator[str]:
    """The status that belongs to a route."""
    known = f"{call.method} {call.template}"
    expected = next(codes for pattern, codes in STATUS.items() if re.fullmatch(pattern, known))
    if call.status not in expected:
        yield f"status {call.status} where Discord answers {expected}"


def objects(call: Call) -> Iterator[str]:
    """The documented object of the route, field by field; nothing is answered that is not documented."""
    kind = OBJECTS_OF.get(f"{call.method} {call.template}")
    if call.answer is None:
        return
    if kind is None:
        yield "an answer where Discord's is not in the table"
        return
    yield from differences(kind, json.loads(json.dumps(call.answer, default=str)), "the answer")


def errors(call: Call) -> Iterator[str]:
    """Errors carry a code and words."""
    body = call.answer if isinstance(call.answer, dict) else {}
    if not isinstance(body.get("code"), int) or not body.get("message"):
        yield f"an error without code or message: {body}"


ANSWERS = (
    Rule("status", "each route's page; OpenAPI specification", ".+", status),
    Rule("objects", "OpenAPI specification, each resource's object", ".+", objects),
)
ERRORS = (Rule("errors", "Reference, Error Messages", ".+", errors),)

#: Refusals of a form that come from what the server is like at this moment, not from the request's form.
CIRCUMSTANCES = frozenset(
    {
        *("INVALID_COMMUNITY_PROPERTY_NAME", "CHANNEL_PARENT_MAX_CHANNELS", "CHANNEL_PARENT_INVALID"),
        *("REPLIES_UNKNOWN_MESSAGE", "INTERACTION_APPLICATION_COMMAND_INVALID_TYPE"),
    }
)
FORM = frozenset({50006, 50035, 50109})


def refused_for_form(call: Call) -> Iterator[str]:
    """What Discord would refuse whatever the server is like; nothing of the product is."""
    body = call.answer if isinstance(call.answer, dict) else {}
    if body.get("code") in FORM and not any(code in str(body.get("errors")) for code in CIRCUMSTANCES):
        yield f"Discord refuses this request: {body}"


def violations(call: Call, *, of_product: bool) -> list[str]:
    """Return what an exchange breaks, as lines with the rule's name and source."""
    if not call.template or call.fault:
        return []
    if 200 <= call.status < 300:
        return _broken((*REQUESTS, *ANSWERS), call)
    found = _broken(ERRORS, call) if call.status < 500 and call.answer is not None else []
    return found + ([f"form: {line}" for line in refused_for_form(call)] if of_product else [])


def event_violations(event: str, data: object) -> list[str]:
    """Return where an event of the gateway differs from its documented fields."""
    found = differences(event, json.loads(json.dumps(data, default=str)), event) if event in OBJECTS else None
    if found is None:
        return [f"event (Gateway Events): {event} is not in the table"]
    return [f"event (Gateway Events): {line}" for line in found]


def _broken(rules: tuple[Rule, ...], call: Call) -> list[str]:
    known = f"{call.method} {call.template}"
    meant = (rule for rule in rules if re.fullmatch(rule.where, known))
    return [
        f"{rule.name} ({rule.source}): {line} in {call.method} {call.path}"
        for rule in meant
        for line in rule.check(call)
    ]


def request_violations(method: str, template: str, path: str, body: object) -> list[str]:
    """Return what a request alone breaks, where the answer is not Discord's form (SimCord in process)."""
    return _broken(REQUESTS, Call(method, path, 200, 0.0, template, body))


SIMCORD = "3.2.1"
"""The version of SimCord whose own answers and events in process are looked at below."""

SIMCORDS: frozenset[str] = frozenset(
    {
        *(
            f"{name} is missing in application"
            for name in (
                "type",
                "flags_new",
                "redirect_uris",
                "interactions_endpoint_url",
                "explicit_content_filter",
                "role_connections_verification_url",
                "eligible_oauth2_scopes",
                "approximate_guild_count",
                "approximate_user_install_count",
                "approximate_user_authorization_count",
            )
        ),
        *(
            f"{name} is missing in GUILD_CREATE"
            for name in (
                "safety_alerts_channel_id",
                "nsfw_level",
                "incidents_data",
            )
        ),
        *(
            f"flags is missing in {kind}"
            for kind in (
                "channel",
                "direct",
                "CHANNEL_CREATE",
                "CHANNEL_UPDATE",
                "CHANNEL_DELETE",
            )
        ),
        *(
            f"nonce is null in {kind}"
            for kind in (
                "message",
                "referenced",
                "MESSAGE_CREATE",
                "MESSAGE_UPDATE",
            )
        ),
        *(f"{name} is null in GUILD_AUDIT_LOG_ENTRY_CREATE" for name in ("options", "reason")),
        *("primary_guild is missing in user", "banner is missing in GUILD_MEMBER_UPDATE"),
        *("version is missing in command", "default_member_permissions is no bits"),
        *("description is null in attachment", "response_message_id is null in callback_of"),
    }
)
"""Where these are known to differ: every difference that all tests on SimCord showed. The local Discord
corrects them (`bot.local.payloads`). What they have beyond the table is taken away before the bot sees it."""


def simcords(kind: str | None, value: object, where: str) -> tuple[Any, list[str]]:
    """Return an answer or event of SimCord's as the bot may see it, and where it differs from the table."""
    if value is None:
        return value, []
    if kind is None:
        return value, [f"simcord: {where} is not in the table"]
    shown = documented(kind, value)
    found = differences(kind, json.loads(json.dumps(shown, default=str)), "")
    lines = (re.sub(r"^.*\.(\w+ is)", r"\1", line) for line in found)
    return shown, [f"simcord ({where}): {line}" for line in lines if line.partition(":")[0] not in SIMCORDS]
