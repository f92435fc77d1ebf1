"""What is imported is declared, what is declared is used, and what an extra brings is needed only there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from engine.extras import MODULES, Extra
from tests.fakes.forked_cli import Case, run_all
from tests.test_boundaries import ROOT, imported, modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
OWN = {"bot", "engine"}
NOT_IMPORTED = {"pip", "tzdata"}
"""pip is run as a program; tzdata is read by zoneinfo."""

CORE_ONLY = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None  # an import of it fails as if it were not installed
"""

IMPORT_ALL = """
import importlib, pkgutil, bot, engine
skipped = ("bot.local", "engine.llm.local.process.child", "engine.connectors.mcp.", "bot.app.cli")
skipped += {postgres!r}
for package in (engine, bot):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".", onerror=lambda name: None):
        if not found.name.startswith(skipped):
            importlib.import_module(found.name)
import bot.app.cli, engine.connectors.mcp.config
"""


def distribution(requirement: str) -> str:
    """The normal form of a requirement's name."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def of_product() -> dict[str, set[str]]:
    """The distributions that each part of the declared dependencies names: core and each extra."""
    extras: dict[str, list[str]] = {extra: EXTRAS[extra] for extra in MODULES}
    parts: dict[str, list[str]] = {"core": PROJECT["dependencies"]} | extras
    return {part: {distribution(line) for line in lines} for part, lines in parts.items()}


@cache
def providers() -> Mapping[str, list[str]]:
    """The distributions that provide each module; to look takes a second."""
    return packages_distributions()


@cache
def imported_distributions() -> dict[str, set[str]]:
    """Distribution -> files of the product that import it."""
    known = providers()
    found: dict[str, set[str]] = {}
    for path in [*modules("engine"), *modules("bot"), *modules("alembic")]:
        for name in {name.split(".")[0] for name in imported(path)} - OWN - set(sys.stdlib_module_names):
            missing = f"{path} imports {name}, which nothing installed provides: scripts/setup.sh test"
            assert name in known, missing
            for owner in known[name]:
                found.setdefault(distribution(owner), set()).add(str(path.relative_to(ROOT)))
    return found


def python(
    code: str, folder: Path, blocked: tuple[str, ...], **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run code in a process that has none of the modules `blocked`."""
    return subprocess.run(
        [sys.executable, "-c", CORE_ONLY.format(blocked=blocked) + code],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_imported_is_declared() -> None:
    """Nothing is used that only another package happens to bring along."""
    declared = set[str]().union(*of_product().values())
    assert {name: files for name, files in imported_distributions().items() if name not in declared} == {}


def test_what_is_declared_is_used() -> None:
    """A dependency that nothing imports any more is not installed any more."""
    used = set(imported_distributions())
    assert set[str]().union(*of_product().values()) - used == NOT_IMPORTED


def test_every_dependency_has_an_upper_bound() -> None:
    """The next major version of a library is tried before it is installed."""
    lines = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    others = [line for line in lines if distribution(line) != PROJECT["name"]]
    assert [line for line in others if "<" not in line and "==" not in line] == []


@pytest.mark.parametrize("extra", sorted(MODULES))
def test_an_extra_names_its_modules(extra: str) -> None:
    """The check at run time looks for what the extra installs."""
    known = providers()
    owners = {distribution(owner) for name in MODULES[extra] for owner in known[name]}  # type: ignore[index]
    assert owners >= of_product()[extra]


def test_the_product_is_imported_without_any_extra(tmp_path: Path) -> None:
    """Each module but those of the embedded model's process, the loopback Discord and PostgreSQL."""
    blocked = tuple(name for names in MODULES.values() for name in names)
    postgres = tuple(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in modules("engine")
        if {name.split(".")[0] for name in imported(path)}
        & {*MODULES["postgres"], *MODULES["native"], *MODULES["mcp"], *MODULES["web"]}
    )
    done = python(IMPORT_ALL.format(postgres=postgres), tmp_path, blocked)
    assert done.returncode == 0, done.stderr


MISSING: tuple[tuple[Extra, str, Mapping[str, str]], ...] = (
    ("local", "Running without DISCORD_TOKEN", {"OPENAI_API_KEY": "k"}),
    ("local", "The embedded model", {"DISCORD_TOKEN": "t"}),
    ("postgres", "DATABASE_URL on PostgreSQL", {"DISCORD_TOKEN": "t", "DATABASE_URL": "postgresql://a@b/c"}),
)


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[int, str]]:
    """The exit code of `megaagent run` where an extra is missing, and what it said, by what needs it."""
    cases = [
        Case(
            ("run",),
            str(tmp_path_factory.mktemp("missing")),
            {"PATH": "/usr/bin:/bin", "RUN_PACKAGES": "", **settings},
            MODULES[extra],
        )
        for extra, _, settings in MISSING
    ]
    return dict(zip([purpose for _, purpose, _ in MISSING], run_all(cases), strict=True))


@pytest.mark.parametrize(("extra", "purpose"), [(extra, purpose) for extra, purpose, _ in MISSING])
def test_a_missing_extra_is_named_in_one_sentence(
    extra: str, purpose: str, starts: Mapping[str, tuple[int, str]]
) -> None:
    """`megaagent run` says what needs it and how to install it, and ends with status 1."""
    code, said = starts[purpose]
    assert code == 1
    assert "Traceback" not in said
    assert f"{purpose} needs the extra [{extra}]" in said.splitlines()[-1]
    assert f"pip install 'megaagent[{extra}]'" in said
