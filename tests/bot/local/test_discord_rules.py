"""The table of Discord's rules notices what breaks it: each rule has a request or an answer that does."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest

from bot.local.rest import Call
from tests.fakes.discord_objects import ANSWERS as OBJECTS_OF
from tests.fakes.discord_objects import OBJECTS, PLAIN, differences, fields_of
from tests.fakes.discord_rules import (
    ANSWERS,
    ERRORS,
    REQUESTS,
    SIMCORD,
    event_violations,
    simcords,
    violations,
)

SEND, HOOK = "/channels/{channel_id}/messages", "/webhooks/{webhook_id}/{token}"
CALLBACK = "/interactions/{interaction_id}/{token}/callback"
BARE_BUTTON: dict[str, Any] = {
    "type": 1,
    "components": [{"type": 2, "style": 1, "custom_id": "x"}],
}
BROKEN: dict[str, tuple[str, str, object]] = {
    "content": ("POST", SEND, {"content": "x" * 2001}),
    "embeds": ("POST", SEND, {"embeds": [{"description": "x" * 4000}] * 2}),
    "mentions": ("POST", SEND, {"allowed_mentions": {"parse": ["users"], "users": ["1"]}}),
    "components": ("POST", SEND, {"components": [BARE_BUTTON]}),
    "files": ("POST", SEND, {"nonce": "n" * 26}),
    "persona": ("POST", HOOK, {"username": "Discordia"}),
    "webhook": ("POST", "/channels/{channel_id}/webhooks", {"name": ""}),
    "channel": ("POST", "/guilds/{guild_id}/channels", {"name": "x" * 101}),
    "callback": ("POST", CALLBACK, {"type": 9, "data": {"title": "x" * 46, "components": []}}),
    "answers": ("POST", CALLBACK, {"type": 4, "data": {"components": [BARE_BUTTON]}}),
    "commands": ("PUT", "/applications/{application_id}/commands", [{"name": "a", "description": ""}]),
    "emoji": ("POST", "/applications/{application_id}/emojis", {"name": "!", "image": ""}),
}


@pytest.mark.parametrize("rule", [rule.name for rule in REQUESTS])
def test_each_rule_of_requests_notices(rule: str) -> None:
    """A request that was taken and should not have been."""
    method, template, body = BROKEN[rule]
    call = Call(method, "/path", 201 if "guilds" in template or "emojis" in template else 200, 0.0)
    lines = violations(Call(method, call.path, call.status, 0.0, template, body), of_product=True)
    assert [line for line in lines if line.startswith(f"{rule} (")]


def test_each_rule_of_answers_notices() -> None:
    """Statuses, fields, errors, and a request of the product that is refused for its form."""
    made = Call("POST", "/path", 200, 0.0, "/guilds/{guild_id}/channels", {"name": "a"}, answer={"id": "1"})
    message = Call("GET", "/path", 200, 0.0, SEND + "/{message_id}", answer={"author": {}, "content": ""})
    error = Call("POST", "/path", 400, 0.0, SEND, {}, answer={"message": "no code"})
    names = {line.split()[0] for call in (made, message, error) for line in violations(call, of_product=True)}
    assert names == {rule.name for rule in (*ANSWERS, *ERRORS)}
    refused = Call("POST", "/path", 400, 0.0, SEND, {}, answer={"code": 50006, "message": "empty"})
    assert violations(refused, of_product=True) and not violations(refused, of_product=False)


def test_the_table_of_objects_is_whole() -> None:
    """Every kind that a field names exists, and each line of the table is read."""
    for name, line in OBJECTS.items():
        fields = fields_of(name)
        assert len(fields) == len(line.split()), name
        unknown = {kind.strip("[]") for _, kind, _ in fields.values()} - OBJECTS.keys() - PLAIN.keys()
        assert not unknown, (name, unknown)
    kinds = {kind.strip("[]") for offer in OBJECTS_OF.values() for kind in offer.split("|")}
    assert kinds <= OBJECTS.keys()


@pytest.mark.parametrize("name", OBJECTS)
def test_each_object_notices(name: str) -> None:
    """A field too many, one that is missing, one that is null, one of another kind."""
    right = example(name)
    assert list(differences(name, right)) == []
    assert list(differences(name, right | {"invented": 1}))
    for field, (may_miss, kind, may_null) in fields_of(name).items():
        without = {key: value for key, value in right.items() if key != field}
        assert bool(list(differences(name, without))) is not may_miss, field
        assert bool(list(differences(name, right | {field: None}))) is not may_null, field
        assert kind == "any" or list(differences(name, right | {field: 1.5 if kind != "real" else "x"})), (
            field
        )


def example(name: str, deep: int = 3) -> dict[str, Any]:
    """An object with every field, nested ones as far as they need to go."""
    plain: dict[str, Any] = {"id": "1", "text": "x", "number": 1, "real": 1.5, "bits": "8", "flag": True}
    plain |= {"time": "2026-11-30T09:00:00+00:00", "object": {}, "any": 1}

    def value(kind: str) -> Any:
        if kind.startswith("["):
            return [value(kind[1:-1])] if deep else []
        return plain[kind] if kind in plain else example(kind, deep - 1)

    return {
        field: value(kind)
        for field, (may_miss, kind, _) in fields_of(name).items()
        if deep or not may_miss or kind in PLAIN
    }


def test_an_event_and_a_route_that_nobody_documented_are_noticed() -> None:
    """Or somebody may come to rely on them."""
    assert event_violations("MESSAGE_FADED", {})
    assert event_violations("GUILD_DELETE", {"id": "1", "why": "x"})
    assert event_violations("GUILD_DELETE", {"id": "1", "unavailable": True}) == []
    known = Call("GET", "/path", 200, 0.0, "/channels/{channel_id}/mood", answer={"good": True})
    assert violations(known, of_product=True)


def test_what_is_right_breaks_nothing() -> None:
    """Nor does what a test injected."""
    body = {"content": "x", "allowed_mentions": {"parse": [], "users": ["1"]}, "nonce": "n"}
    call = Call("POST", "/path", 200, 0.0, SEND, body)
    assert violations(call, of_product=True) == []
    fault = Call("POST", "/path", 400, 0.0, SEND, body, answer={"code": 50035, "message": ""}, fault=True)
    assert violations(fault, of_product=True) == []


def test_simcords_own_answers_are_held_to_the_table() -> None:
    """What only SimCord has is not shown to the bot; what is missing is noticed, unless it is known of this
    version."""
    assert version("simcord") == SIMCORD, "look again at what is known of it"
    webhook = {"id": "1", "type": 1, "channel_id": "2", "name": "x", "avatar": None, "application_id": None}
    webhook |= {"owner": {"id": "3"}}
    shown, found = simcords("webhook", webhook, "GET /webhooks/1")
    assert "owner" not in shown and found == []
    _, found = simcords("[webhook]", [webhook | {"type": "1"}], "GET /webhooks/1")
    assert found == ["simcord (GET /webhooks/1): type is no number: '1'"]
    _, found = simcords("MESSAGE_DELETE", {"id": "1"}, "MESSAGE_DELETE")
    assert found == ["simcord (MESSAGE_DELETE): channel_id is missing in MESSAGE_DELETE"]
    _, found = simcords("channel", {"id": "1", "type": 0, "guild_id": "2", "name": "x", "position": 0}, "x")
    assert found == []
    assert simcords(None, {"a": 1}, "GET /new")[1] == ["simcord: GET /new is not in the table"]
