"""The container files and the systemd unit name what exists, run as an ordinary user and hold no host."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.app.cli import _parser
from engine.sandbox.probe import container_hint

ROOT = Path(__file__).resolve().parent.parent
FILES = ("Dockerfile", "compose.yaml", "compose.sandbox.yaml", "packaging/megaagent.service")


@pytest.mark.parametrize("name", FILES)
def test_no_file_names_a_registry(name: str) -> None:
    """Where packages and images come from is the machine's own setting."""
    text = (ROOT / name).read_text()
    assert not re.search(r"https?://|index-url|\b[\w-]+\.(?:io|org|com|net)/", text)


def test_the_image_copies_what_there_is_and_runs_as_an_ordinary_user() -> None:
    """Files, extras and the user of the Dockerfile are those of the project."""
    text = (ROOT / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M) for word in line.split()]
    assert copied and all((ROOT / word).exists() for word in copied)
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{word}" for word in copied} <= set(sent) and sent[0] == "*"
    extras = re.search(r'ARG EXTRAS="([^"]*)"', text)
    assert extras and all((ROOT / "requirements" / f"{name}.lock").exists() for name in extras[1].split())
    assert re.findall(r"^USER (\S+)$", text, re.M) == ["10001:10001"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Dockerfile", r'^CMD \["(\w+)"\]$'),
        ("compose.yaml", r"^ +command: (\w+)$"),
        ("packaging/megaagent.service", r"^ExecStart=\S+/megaagent (\w+)$"),
    ],
)
def test_they_start_commands_that_exist(name: str, found: str) -> None:
    """Each command that a container or unit starts is one of the program's."""
    commands = re.findall(found, (ROOT / name).read_text(), re.M)
    assert commands and all(_parser().parse_args([command]).command == command for command in commands)


def test_a_container_is_told_the_file_that_allows_the_sandbox(tmp_path: Path) -> None:
    """Outside a container nothing is said of it."""
    mark = tmp_path / "mark"
    assert container_hint([mark]) == ""
    mark.touch()
    named = re.findall(r"-f (\S+)", container_hint([mark]))
    assert len(named) == 2 and all((ROOT / name).exists() for name in named)
