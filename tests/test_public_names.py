"""The names others may rely on."""

from __future__ import annotations

import importlib

import pytest


@pytest.mark.parametrize(
    "name", ["engine", "engine.tools", "engine.workspace", "engine.sandbox", "engine.llm.local", "bot.local"]
)
def test_public_names_exist(name: str) -> None:
    """Each package's __all__ has no repeats (ruff keeps it sorted), and every name in it can be had."""
    module = importlib.import_module(name)
    names = list(module.__all__)
    assert len(set(names)) == len(names)
    for public in names:
        assert getattr(module, public) is not None
