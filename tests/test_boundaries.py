"""The house's walls: engine knows nothing of Discord or the bot; nothing imports what only tests may use."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN_IN_ENGINE = {"discord", "simcord", "bot", "aiohttp.web_discord"}


def modules(package: str) -> list[Path]:
    """Every Python file of a package."""
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"no modules under {package}"
    return found


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return what a file's syntax tree holds of imports and functions, read once for all rules."""
    wanted = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef
    return tuple(
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, wanted)
    )


def imported(path: Path) -> Iterator[str]:
    """Top-level and dotted names a file imports, wherever in it."""
    for node in nodes(path):
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
    """No Discord-specific code path in the bot knows that it is local."""
    allowed = {"bot/app/bootstrap.py", "bot/app/cli.py", "bot/app/settings.py"}
    for path in modules("bot"):
        place = str(path.relative_to(ROOT))
        if not place.startswith("bot/local/") and place not in allowed:
            assert not {name for name in imported(path) if name.startswith("bot.local")}, place


def test_the_loopback_imports_nothing_of_the_product() -> None:
    """`bot/local` is Discord, not the bot: it could be moved out as it is."""
    for path in modules("bot/local"):
        names = {name for name in imported(path) if name.split(".")[0] in {"bot", "engine"}}
        assert all(name == "bot.local" or name.startswith("bot.local.") for name in names), path


@pytest.mark.parametrize("package", ["engine", "bot"])
def test_functions_fit_a_glance(package: str) -> None:
    """Functions of at most 60 lines."""
    for path in modules(package):
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}:{node.lineno} {node.name}"


@pytest.mark.parametrize("package", ["engine", "bot"])
def test_every_package_says_what_it_is_for(package: str) -> None:
    """In its first line, where strangers look."""
    inits = [path for path in modules(package) if path.name == "__init__.py"]
    assert [path for path in inits if not ast.get_docstring(ast.parse(path.read_text("utf-8")))] == []


def module_name(path: Path) -> str:
    """Dotted name of a module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_no_import_circle() -> None:
    """No module imports itself over others, imports for types alone counted too."""
    paths = {module_name(path): path for path in [*modules("engine"), *modules("bot")]}
    graph: dict[str, set[str]] = {}
    for name, path in paths.items():
        targets = set()
        for node in nodes(path):
            if isinstance(node, ast.ImportFrom) and node.module:
                targets |= {
                    whole if (whole := f"{node.module}.{alias.name}") in paths else node.module
                    for alias in node.names
                }
            elif isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
        graph[name] = (targets & paths.keys()) - {name}
    while leaves := {name for name, targets in graph.items() if not targets}:
        graph = {name: targets - leaves for name, targets in graph.items() if name not in leaves}
    assert not graph, f"in circles, or importing what is: {sorted(graph)}"


def test_the_store_is_only_a_store() -> None:
    """Tables, transactions and queries: nothing of the rooms that decide what happens."""
    above = ("engine.handlers", "engine.steps", "engine.budget", "engine.monitoring", "engine.lifecycle")
    for path in modules("engine/store"):
        assert not [name for name in imported(path) if name.startswith(above)], path


SENDERS = {"send", "reply", "send_message", "create_thread"}


def test_no_words_are_posted_with_previews() -> None:
    """Discord fetches the addresses in a post for previews, so one could carry out what an agent knows.

    Whatever the bot posts in words says that there are none.
    """
    found = []
    for path in modules("bot"):
        if path.is_relative_to(ROOT / "bot/local"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in SENDERS
            ):
                named = {keyword.arg for keyword in node.keywords}
                has_words = bool(node.args) or "content" in named
                if has_words and "suppress_embeds" not in named:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
