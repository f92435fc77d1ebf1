"""`mcp.json`: the usual form, references to the environment, policies; what is wrong is named, not shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.connectors.mcp.config import OWN_SECRETS, OurKey, ServerConfig, load_servers
from engine.errors import NotConfigured
from engine.secrets import redact

HERE = {"TOKEN_HERE": "s3cret-of-the-server-4711"}


def read(folder: Path, **servers: Any) -> tuple[ServerConfig, ...]:
    """The servers of a file."""
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return load_servers(path, HERE)


def test_the_usual_form_is_read_and_secrets_become_known(tmp_path: Path) -> None:
    """Programs and addresses, references anywhere, keys of other clients ignored, disabled ones left out."""
    program, address = read(
        tmp_path,
        one={"command": "run", "args": ["--token=${TOKEN_HERE}", "${NOT_THERE:-x}"], "alwaysAllow": ["a"]},
        two={"url": "https://e.org/mcp", "headers": {"Authorization": "Bearer ${TOKEN_HERE}"}},
        three={"command": "run", "disabled": True},
    )
    assert program.entry.args == (f"--token={HERE['TOKEN_HERE']}", "x") and program.is_program
    assert (
        address.entry.headers == {"Authorization": f"Bearer {HERE['TOKEN_HERE']}"} and not address.is_program
    )
    assert HERE["TOKEN_HERE"] not in redact(f"it said {HERE['TOKEN_HERE']}!")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"command": "x", "env": {"A": "${UNSET}"}}, "UNSET is not set"),
        ({"command": "x", "url": "https://e.org"}, "either command"),
        ({}, "either command"),
        ({"url": "file:///etc/passwd"}, "https://"),
        ({"command": "x", "args": "oops"}, "args"),
        ({"command": "x", "megaagent": {"policy": {"a": "perhaps"}}}, "policy"),
        ({"command": "x", "megaagent": {"polices": {}}}, "polices"),
        ("oops", ""),
        *(({"command": "x", "env": {"A": f"${{{name}}}"}}, "no server gets") for name in sorted(OWN_SECRETS)),
        ({"command": "x", "env": {"A": "${MODEL_FALLBACK_BOSS}"}}, "no server gets"),
    ],
)
def test_a_wrong_entry_leaves_out_only_its_server(tmp_path: Path, entry: Any, said: str) -> None:
    """The reason names the key, not the value."""
    wrong, right = read(tmp_path, wrong=entry, right={"command": "x"})
    assert said in wrong.problem and "mcp.json" in wrong.problem
    assert right.problem == ""


@pytest.mark.parametrize("text", ["{", "[]", '{"servers": {}}', '{"mcpServers": []}'])
def test_a_file_that_is_no_such_file_stops_the_start(tmp_path: Path, text: str) -> None:
    """In one sentence with the next step."""
    path = tmp_path / "mcp.json"
    path.write_text(text)
    with pytest.raises(NotConfigured):
        load_servers(path, {})
    with pytest.raises(NotConfigured, match="cannot be read"):
        load_servers(tmp_path / "none.json", {})


def test_the_most_exact_policy_counts_and_annotations_fill_the_rest() -> None:
    """Exact name, longer pattern, shorter pattern; else what only reads is allowed."""
    ours = OurKey.model_validate(
        {
            "roles": ["boss", "member"],
            "policy": {"*": "ask", "get_*": "allow", "get_secret": {"boss": "ask", "*": "deny"}},
            "price_usd": {"*": 0.01, "get_*": 0},
        }
    )
    assert ours.policies("get_secret", reads_only=True) == {"boss": "ask", "member": "deny"}
    assert ours.policies("get_page", reads_only=False) == {"boss": "allow", "member": "allow"}
    assert ours.policies("other", reads_only=True) == {"boss": "ask", "member": "ask"}
    assert (ours.price_micros("get_page"), ours.price_micros("other")) == (0, 10_000)
    bare = OurKey()
    assert set(bare.policies("x", reads_only=True).values()) == {"allow"}
    assert set(bare.policies("x", reads_only=False).values()) == {"ask"}
    assert "auditor" not in bare.policies("x", reads_only=True)
