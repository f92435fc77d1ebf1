"""The table of Discord's rules notices what breaks it: each rule has a request or an answer that does."""

from __future__ import annotations

from typing import Any

import pytest

from bot.local.rest import Call
from tests.fakes.discord_rules import ANSWERS, ERRORS, REQUESTS, violations

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


def test_what_is_right_breaks_nothing() -> None:
    """Nor does what a test injected."""
    body = {"content": "x", "allowed_mentions": {"parse": [], "users": ["1"]}, "nonce": "n"}
    call = Call("POST", "/path", 200, 0.0, SEND, body)
    assert violations(call, of_product=True) == []
    fault = Call("POST", "/path", 400, 0.0, SEND, body, answer={"code": 50035, "message": ""}, fault=True)
    assert violations(fault, of_product=True) == []
