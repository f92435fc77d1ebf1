"""The documents for contributors are true of the tree, and code refers to them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import discord
import pytest

from bot.app.settings import BotSettings
from bot.features.setup.doctor import IN_CATEGORY, IN_SERVER, PINS, READ_ONLY
from engine.connectors.mcp.config import load_servers
from engine.settings import EngineSettings
from engine.tools.reference import reference
from tests.test_boundaries import ROOT

DOCUMENTS = (
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/architecture.md",
    "docs/connectors.md",
    "docs/discord.md",
    "docs/operate.md",
    "docs/tools.md",
    "README.md",
)
TOP = ("engine/", "bot/", "tests/", "alembic/", "scripts/", "docs/", "requirements/")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_a_document_names_exists(document: str) -> None:
    """Those in backticks that begin with a folder of the checkout, and the targets of links."""
    text = (ROOT / document).read_text(encoding="utf-8")
    named = {path for path in re.findall(r"`([\w./-]+)`", text) if path.startswith(TOP)}
    linked = set(re.findall(r"\]\(([^)#:]+)\)", text))
    missing = {path for path in named if not (ROOT / path).exists()}
    missing |= {link for link in linked if not (ROOT / document).parent.joinpath(link).exists()}
    assert missing == set()


@pytest.mark.parametrize("package", ["engine", "bot"])
def test_every_room_is_in_the_tree_of_the_documents(package: str) -> None:
    """A new package is explained where strangers look."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = text[text.index("## The tree") :].split("```")[1]
    part = tree[tree.index(f"\n{package}/") :]
    rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert rooms
    assert {room for room in rooms if not re.search(rf"(?<![a-z_]){room}/", part)} == set()


def test_code_names_no_document_that_is_not_here() -> None:
    """A reader outside has no design notes and no list of issues."""
    found = subprocess.run(
        ["git", "grep", "-nE", r"DESIGN|[Ii]ssue #?[0-9]+|\(issue", "--", "*.py", "*.md", "*.sh", "Makefile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    mine = "tests/test_documents.py"
    assert [line for line in found.stdout.splitlines() if not line.startswith(mine)] == []


def test_the_tests_that_hold_discords_table_exist() -> None:
    """Each row of docs/discord.md names tests that are there."""
    rows = [
        line for line in (ROOT / "docs/discord.md").read_text(encoding="utf-8").splitlines() if "| `" in line
    ]
    named = [re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row) for row in rows]
    missing = [
        f"{path}::{name}"
        for row in named
        for path, name in row
        if f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert len(rows) > 40 and all(named) and missing == []


def test_the_reference_of_tools_is_current() -> None:
    """docs/tools.md is what the code says: after a change of a tool it is generated again."""
    kept = (ROOT / "docs" / "tools.md").read_text(encoding="utf-8")
    assert kept == reference(), "python -m engine.tools.reference > docs/tools.md"


def test_the_examples_of_connectors_are_read(tmp_path: Path) -> None:
    """Each `mcp.json` in the document names servers that are usable as it says."""
    text = (ROOT / "docs" / "connectors.md").read_text(encoding="utf-8")
    examples = re.findall(r"```json\n(.*?)```", text, flags=re.S)
    assert len(examples) >= 4
    for example in examples:
        path = tmp_path / "mcp.json"
        path.write_text(example)
        found = load_servers(path, {"GITHUB_PAT": "x" * 20, "SEARCH_KEY": "y" * 20})
        assert found and [server.problem for server in found] == [""] * len(found)


def test_every_setting_stands_in_the_example() -> None:
    """`.env.example` names every setting; one of a role is named by its line for the boss."""
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    fields = {**EngineSettings.model_fields, **BotSettings.model_fields}
    names = {str(field.validation_alias or name).upper() for name, field in fields.items()}
    of_roles = {name for name in names if name.endswith(("_BOSS", "_HEAD", "_MEMBER", "_AUDITOR"))}
    assert not {name for name in names - of_roles if f"{name}=" not in example}
    assert not {name for name in of_roles if f"{name.rpartition('_')[0]}_BOSS" not in example}


def test_the_invitation_asks_for_what_the_bot_checks() -> None:
    """The numbers in the README are the sums of the permissions that `/doctor` looks for."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    least = dict.fromkeys([*IN_SERVER, *IN_CATEGORY], True)
    whole = discord.Permissions(**least, **{READ_ONLY: True, PINS: True})
    assert f"&permissions={whole.value}`" in text and not whole.administrator
    for without, kept in (("without it", {PINS: True}), ("without it", {READ_ONLY: True}), ("both", {})):
        assert f"{without}: {discord.Permissions(**least, **kept).value}" in text
    assert [shown for shown in {**IN_SERVER, **IN_CATEGORY}.values() if shown not in text] == []
