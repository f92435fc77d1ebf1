"""Whatever is sent, the answer is an answer of Discord's: never an error of our own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simcord.backend.errors import BackendError
from simcord.http.router import RequestContext

from bot.local.cdn import LocalCdn
from bot.local.dispatch import RouteTable
from bot.local.limits import check_request
from bot.local.options import LocalOptions
from bot.local.rest import refusals_in_words
from bot.local.store import WorldFile
from bot.local.world import World

KEYS = (
    *("content", "embeds", "title", "description", "fields", "name", "value", "footer", "text", "author"),
    *("url", "color", "timestamp", "components", "type", "style", "custom_id", "label", "options"),
    *("accessory", "items", "media", "flags", "allowed_mentions", "parse", "users", "attachments", "id"),
    *("message_reference", "message_id", "filename", "username", "avatar_url", "nonce", "topic", "tts"),
    *("parent_id", "permission_overwrites", "allow", "deny", "rate_limit_per_user", "data", "choices"),
    *("auto_archive_duration", "image", "position"),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 1 << 70)
    | st.text(max_size=6)
    | st.sampled_from(["1", "x" * 3000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[World, dict[str, str], WorldFile]]:
    """A world, and the ids a path can name in it."""
    file = WorldFile(None)
    world = World(LocalCdn("http://127.0.0.1:1", file.load_blob, file.page_key))
    home = file.open(world, LocalOptions())
    lobby = next(c for c in world.channels.values() if c.name == "lobby")
    hook = world.create_webhook(lobby.id, "agents", world.bot_user.id)
    message = world.create_message(lobby.id, world.bot_user.id, "x")
    record = world.new_interaction(2, lobby.id, home.you, home.guild_id)
    names = {
        "guild_id": str(home.guild_id),
        "channel_id": str(lobby.id),
        "message_id": str(message.id),
        "webhook_id": str(hook.id),
        "token": hook.token,
        "application_id": str(world.application_id),
        "interaction_id": str(record.id),
        "target_id": str(home.guild_id),
    }
    yield world, names, file
    file.close()


MESSAGE = "content embeds components flags allowed_mentions message_reference nonce tts attachments"
CHANNEL = "name topic rate_limit_per_user parent_id permission_overwrites position type"
ROUTES = [
    ("POST", "/channels/{channel_id}/messages", MESSAGE),
    ("PATCH", "/channels/{channel_id}/messages/{message_id}", MESSAGE),
    ("POST", "/webhooks/{webhook_id}/{token}", MESSAGE + " username avatar_url"),
    ("POST", "/guilds/{guild_id}/channels", CHANNEL),
    ("PATCH", "/channels/{channel_id}", CHANNEL),
    ("POST", "/channels/{channel_id}/threads", "name type auto_archive_duration invitable"),
    ("POST", "/channels/{channel_id}/webhooks", "name avatar"),
    ("PUT", "/channels/{channel_id}/permissions/{target_id}", "type allow deny"),
    ("PUT", "/applications/{application_id}/commands", "name"),
    ("POST", "/interactions/{interaction_id}/{token}/callback", "type data"),
    ("POST", "/applications/{application_id}/emojis", "name image"),
]


@pytest.mark.parametrize("examples", [40, pytest.param(1_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize(("method", "template", "fields"), ROUTES)
def test_any_json_is_taken_or_refused(
    place: tuple[World, dict[str, str], WorldFile],
    method: str,
    template: str,
    fields: str,
    examples: int,
) -> None:
    """Random JSON is done or refused with one of Discord's codes, and what is done can be saved."""
    world, names, file = place
    known = st.dictionaries(st.sampled_from(fields.split()), JSON, max_size=3)
    path = template.format(**names)
    match = RouteTable().find(method, path)
    assert match is not None and match.template == template

    @settings(max_examples=examples, deadline=None)
    @given(body=known | st.lists(known, max_size=2) | JSON)
    def each(body: object) -> None:
        ctx = RequestContext(world, match.args, json=body, method=method, path=path)
        try:
            with refusals_in_words(method, path):
                check_request(world, template, ctx)
                match.handler(ctx)
        except BackendError as error:
            assert 400 <= error.status <= 501
        file.save()

    each()
