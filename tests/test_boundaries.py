"""The house's walls: engine knows nothing of Discord or the bot; nothing imports what only tests may use."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN_IN_ENGINE = {"discord", "simcord", "bot", "aiohttp.web_discord"}


def modules(package: str) -> list[Path]:
    """Every Python file of a package."""
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"no modules under {package}"
    return found


def imported(path: Path) -> Iterator[str]:
    """Top-level and dotted names a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


@pytest.mark.parametrize("path", modules("engine"), ids=lambda p: str(p.relative_to(ROOT)))
def test_engine_imports_nothing_of_discord_or_bot(path: Path) -> None:
    """A hierarchy of agents that could live in any chat."""
    assert not {name for name in imported(path) if name.split(".")[0] in FORBIDDEN_IN_ENGINE}


@pytest.mark.parametrize("package", ["engine", "bot"])
def test_the_product_never_imports_tests_or_the_script(package: str) -> None:
    """No fake in the product path: the scripted model is wired by tests and benches only."""
    for path in modules(package):
        names = set(imported(path))
        assert not {n for n in names if n.split(".")[0] in {"tests", "bench", "pytest"}}, path
        assert "engine.llm.scripted" not in names, path


def test_only_the_bootstrap_and_settings_know_of_local_mode() -> None:
    """No Discord-specific code path in the bot knows that it is local (issue on local mode, 7)."""
    allowed = {"bot/bootstrap.py", "bot/__main__.py", "bot/settings.py"}
    for path in modules("bot"):
        place = str(path.relative_to(ROOT))
        if not place.startswith("bot/local/") and place not in allowed:
            assert not {name for name in imported(path) if name.startswith("bot.local")}, place


@pytest.mark.parametrize("package", ["engine", "bot"])
def test_modules_and_functions_fit_the_house(package: str) -> None:
    """Modules of at most 400 lines, functions of at most 60."""
    for path in modules(package):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}:{node.lineno} {node.name}"
