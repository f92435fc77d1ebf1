"""Secrets are taken out of text however they are written; ordinary words stay."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from engine.domain.redact import HIDDEN, Redaction, secrets_in, without_password
from engine.secrets import secrets_of_environment
from engine.settings import EngineSettings


class Login(BaseModel):
    """A model within the settings."""

    address: str
    key: SecretStr


KEY = "zq9-Configured_KEY+of/this~operator=42"
REPRESENTED: dict[str, Callable[[str], str]] = {
    "plain": lambda s: s,
    "json": json.dumps,
    "json in json": lambda s: json.dumps(json.dumps({"k": s})),
    "every letter escaped": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "escaped slashes": lambda s: s.replace("/", "\\/"),
    "address": lambda s: quote(s, safe=""),
    "html": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "wrapped": lambda s: "\n".join(s[i : i + 9] for i in range(0, len(s), 9)),
    "wrapped by escapes": lambda s: "\\r\\n  ".join(s[i : i + 7] for i in range(0, len(s), 7)),
    "zero width": "\u200b".join,
    "two strings": lambda s: repr(s[:11]) + "\n    " + repr(s[11:]),
    "upper": str.upper,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "inside a word": lambda s: f"x{s}y",
    "first half": lambda s: s[: len(s) // 2],
    "second half": lambda s: s[len(s) // 2 :],
}


@pytest.mark.parametrize("form", REPRESENTED)
def test_a_configured_key_is_hidden_in_every_form(form: str) -> None:
    """An endpoint, a driver or a log repeats a key as it likes."""
    written = REPRESENTED[form](KEY)
    told = Redaction([KEY])(f"Incorrect key {written}, see the manual.")
    assert written not in told
    assert HIDDEN in told
    assert told.startswith("Incorrect key ")
    assert told.endswith("see the manual.")


@given(
    st.text(
        st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters="\"'\\ &%"), min_size=12
    ),
    st.sampled_from(["plain", "json", "address", "wrapped", "zero width"]),
    st.text(max_size=40),
)
def test_whatever_the_key_and_what_stands_around(key: str, form: str, around: str) -> None:
    """No key of twelve letters or more survives, in whatever company."""
    told = Redaction([key])(around + " " + REPRESENTED[form](key) + " " + around)
    assert key not in told.replace(HIDDEN, "").replace("\n", "") or key in around


@given(st.text(max_size=300))
def test_done_twice_is_done_once(text: str) -> None:
    """What was cleaned where it entered is cleaned again before it is shown."""
    once = Redaction([KEY])(f"{text} key={KEY} Authorization: Bearer {KEY}{text}")
    assert Redaction([KEY])(once) == once


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abc.def-123", "abc.def-123"),
        ('{"headers": {"authorization": "Bearer qwertyuiopas1"}}', "qwertyuiopas1"),
        ("x-api-key: qwertyuiop", "qwertyuiop"),
        ("You sent Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA=="),
        ("Incorrect API key provided: 0f3a9c77de", "0f3a9c77de"),
        ("sk-proj-Ab_12-34xyz is unknown", "sk-proj-Ab_12-34xyz"),
        ("key sk-ab12************wxyz", "wxyz"),
        ("https://anna:h3rz@example.org/x.git", "h3rz"),
        ("https://0123456789abcdef0123@example.org/x.git", "0123456789abcdef0123"),
        ("postgresql://anna@db/x?password=h3rz&sslmode=require", "h3rz"),
        ("host=db password='h3rz' dbname=x", "h3rz"),
        ("GET https://example.org/v1?alt=json&key=abc-de", "abc-de"),
        ('{"api_key": "two words"}', "two words"),
        ("OPENAI_API_KEY=whatever", "whatever"),
        ("login MTIzNDU2Nzg5MDEyMzQ1Njc4OQ.Gabcde.abcdefghijklmnopqrstuvwxyz_1234567", "Gabcde"),
        ("POST /webhooks/123456/abcdefghijklmnopqrstuvwxyz0123", "abcdefghijklmnopqrstuvwxyz0123"),
        ("ghp_0123456789abcdefABCDEF may not push", "ghp_0123456789abcdefABCDEF"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, secret: str) -> None:
    """Also when nobody configured it: a proxy's own key, another bot's token."""
    told = Redaction()(text)
    assert secret not in told
    assert HIDDEN in told


@pytest.mark.parametrize(
    "text",
    [
        "Missing bearer token. Check the key, then try again.",
        "The key is wrong: ask whoever set it up.",
        "Key (task_id)=(5) already exists.",
        "KeyError: 'foo'; max_tokens=4096, total tokens: 110.",
        'password authentication failed for user "megaagent"',
        "https://example.org:8080/a/b?page=2#top and mail@example.org",
        "This model's maximum context length is 8192 tokens. task-12-the-design of 2026-01-01.",
        "a risk-based, desk-side task-force",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    """An error that says nothing helps nobody."""
    assert Redaction()(text) == text


def test_a_short_password_does_not_eat_words() -> None:
    """The password "postgres" is hidden where it stands alone."""
    hide = Redaction(["postgres", "secret", "k"])
    assert hide("postgresql refuses postgres: a secret key") == f"postgresql refuses {HIDDEN}: a secret key"


def test_secrets_are_found_in_every_kind_of_setting() -> None:
    """Keys, addresses with a login, with a query, with a password nobody escaped, in nested values."""
    found = secrets_in(
        EngineSettings(
            _env_file=None,  # type: ignore[call-arg]
            openai_api_key="the-endpoint-key",  # type: ignore[arg-type]
            openai_base_url="https://anna:pa%2Fss-1@proxy/v1?api-key=of-the-query",
            database_url="postgresql://anna:not/esc@ped@db/x?password=also-there",
        )
    )
    assert {"the-endpoint-key", "pa/ss-1", "of-the-query", "not/esc@ped", "also-there"} <= found
    assert secrets_in([("headers", {"x_api_key": "nested-one"}), ("max_tokens", 5)]) == {"nested-one"}
    inner = Login(address="https://a:of-a-model@h/", key=SecretStr("typed-one"))
    assert secrets_in([("logins", [inner])]) >= {"of-a-model", "typed-one"}


def test_the_folder_of_a_shell_is_no_secret() -> None:
    """`PWD` is set wherever the bot is started by hand; a database's password is one."""
    shell = {"PWD": "/home/ann/megaagent", "OLDPWD": "/home/ann/other", "XDG_SESSION_ID": "10234"}
    assert secrets_of_environment(shell | {"PGPASSWORD": "h3rz-of-mine"}) == {"h3rz-of-mine"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://anna:h3rz@db:5433/x", "postgresql://anna@db:5433/x"),
        ("postgresql://anna@db/x?password=h3rz", "postgresql://anna@db/x"),
        ("postgresql://anna:a@b/c?d@db/x", "postgresql://[hidden]"),
        ("sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    """What doctor prints says which database, and nothing that opens it."""
    assert without_password(url) == shown
