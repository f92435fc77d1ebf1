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


def test_the_engine_is_what_its_facade_says() -> None:
    """The engine's public surface is this list: adding to it is a decision, not an accident."""
    assert importlib.import_module("engine").__all__ == [
        "Engine",
        "EngineError",
        "EngineOptions",
        "EngineSettings",
        "Event",
        "Fenced",
        "Invalid",
        "LocalDispatcher",
        "ModelError",
        "ModelKeyRejected",
        "ModelRefused",
        "ModelUnavailable",
        "NotConfigured",
        "NotFound",
        "Parts",
        "Stale",
        "TurnOptions",
        "WrongState",
        "open_database",
    ]
