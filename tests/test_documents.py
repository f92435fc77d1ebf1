"""The documents for contributors are true of the tree, and code refers to them."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import discord
import pytest

from bot.app.reference import reference as commands_reference
from bot.app.settings import BotSettings
from bot.features.setup.doctor import IN_CATEGORY, IN_SERVER, PINS, READ_ONLY
from engine.connectors.mcp.config import load_servers
from engine.settings import EngineSettings
from engine.tools.reference import reference
from tests.test_boundaries import ROOT

DOCUMENTS = tuple(
    str(path.relative_to(ROOT))
    for path in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *sorted((ROOT / "docs").glob("*.md")),
        ROOT / "docs/conversation/README.md",
    )
)
TOP = (
    "engine/",
    "bot/",
    "tests/",
    "alembic/",
    "bench/",
    "scripts/",
    "scenarios/",
    "docs/",
    "packaging/",
    "requirements/",
)
OF_OTHERS = {
    "COMPOSE_PROFILES",
    "GITHUB_PAT",
    "HTTPS_PROXY",
    "OLLAMA_CONTEXT_LENGTH",
    "PIP_INDEX_URL",
    "POSTGRES_PASSWORD",
    "SEARCH_KEY",
}
"""What documents name like a setting, though other programs read it."""

EXAMPLES = {"MODEL_EXTRA", "MODEL_FALLBACK", "MODEL_PRICES"}
"""Settings whose line in `.env.example` shows a form; every other line shows the default."""

FIELDS = {**EngineSettings.model_fields, **BotSettings.model_fields}
SETTINGS = {str(field.validation_alias or name).upper(): name for name, field in FIELDS.items()}


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
    inits = [*(ROOT / package).glob("*/__init__.py"), *(ROOT / package / "features").glob("*/__init__.py")]
    rooms = {path.parent.name for path in inits}
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
    of_roles = {name for name in SETTINGS if name.endswith(("_BOSS", "_HEAD", "_MEMBER", "_AUDITOR"))}
    assert not {name for name in SETTINGS.keys() - of_roles if f"{name}=" not in example}
    assert not {name for name in of_roles if f"{name.rpartition('_')[0]}_BOSS" not in example}


def test_the_example_shows_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A line of `.env.example` that is taken over as it stands changes nothing."""
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / ".env.example").read_text("utf-8"), re.M)
    shown = {name: value for name, value in lines if value and name not in EXAMPLES}
    assert len(shown) > 40 and shown.keys() - SETTINGS.keys() == set()
    for name in [*SETTINGS, *shown]:
        monkeypatch.delenv(name, raising=False)
    usual = {**EngineSettings().model_dump(), **BotSettings().model_dump()}
    for name, value in shown.items():
        monkeypatch.setenv(name, value)
    taken = {**EngineSettings().model_dump(), **BotSettings().model_dump()}
    assert {key: one for key, one in taken.items() if one != usual[key]} == {}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_settings_that_a_document_names_are_there(document: str) -> None:
    """In backticks, alone or with a value."""
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`\$?\{?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`", text))
    assert named - SETTINGS.keys() - OF_OTHERS == set()


def test_the_reference_of_commands_is_current() -> None:
    """docs/commands.md is what the code says: after a change of a command it is generated again."""
    kept = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert kept == commands_reference(), "python -m bot.app.reference > docs/commands.md"


def test_the_commands_that_texts_name_are_there() -> None:
    """In documents and in what the bot says, with the options that stand beside them."""
    kept = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## `/([a-z ]+)`\n(.*?)(?=^## |\Z)", kept, re.M | re.S)
    options = {name: set(re.findall(r"^- `(\w+)`", body, re.M)) for name, body in sections}
    folders = {" ".join(name.split()[:end]) for name in options for end in range(1, len(name.split()))}
    news = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("## 0.1.0")[0]
    paths = [ROOT / document for document in DOCUMENTS]
    paths += [*(ROOT / "bot").rglob("*.py"), *(ROOT / "engine").rglob("*.py")]
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}
    first = "|".join({name.split()[0] for name in options})
    wrong, seen = set(), 0
    for where, text in {**texts, "CHANGELOG.md": news}.items():
        for said in re.findall(rf"`/((?:{first})\b[^`\n]*)`", text):
            words = [word for word in said.split() if "{" not in word]
            most = max(
                (
                    end
                    for end in range(1, len(words) + 1)
                    if " ".join(words[:end]) in options.keys() | folders
                ),
                default=0,
            )
            name, rest = " ".join(words[:most]), {word.partition(":")[0] for word in words[most:]}
            seen += 1
            if not most or rest - options.get(name, set()):
                wrong.add((where, said))
    assert seen > 100 and wrong == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_anchor_that_a_document_links_is_a_heading(document: str) -> None:
    """As code hosts make them: lower case, signs left out, blanks as dashes."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for path, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", text):
        target = (ROOT / document).parent / path if path else ROOT / document
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
        made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in made, (path, anchor)


def test_no_news_is_told_twice() -> None:
    """No line of a version's changes is another one, or the beginning of another one."""
    for version in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        lines = sorted(line.rstrip(".") for line in version.splitlines() if line.startswith("- "))
        assert [line for line, after in pairwise(lines) if after.startswith(line)] == []


def test_the_invitation_asks_for_what_the_bot_checks() -> None:
    """The numbers in the README are the sums of the permissions that `/doctor` looks for."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    least = dict.fromkeys([*IN_SERVER, *IN_CATEGORY], True)
    whole = discord.Permissions(**least, **{READ_ONLY: True, PINS: True})
    assert f"&permissions={whole.value}`" in text and not whole.administrator
    for without, kept in (("without it", {PINS: True}), ("without it", {READ_ONLY: True}), ("both", {})):
        assert f"{without}: {discord.Permissions(**least, **kept).value}" in text
    assert [shown for shown in {**IN_SERVER, **IN_CATEGORY}.values() if shown not in text] == []
