"""A durable hierarchy of agents. Imports nothing of Discord and nothing of `bot`."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.engine import Engine, EngineOptions
    from engine.errors import (
        EngineError,
        Fenced,
        Invalid,
        ModelError,
        ModelKeyRejected,
        ModelRefused,
        ModelUnavailable,
        NotConfigured,
        NotFound,
        Stale,
        WrongState,
    )
    from engine.events import Event
    from engine.runtime.dispatch import LocalDispatcher
    from engine.runtime.turn import EngineParts, TurnOptions
    from engine.settings import EngineSettings
    from engine.store.database import open_database

__all__ = [
    "Engine",
    "EngineError",
    "EngineOptions",
    "EngineParts",
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
    "Stale",
    "TurnOptions",
    "WrongState",
    "open_database",
]

_HOMES = dict.fromkeys(__all__, "engine.errors") | {
    "Engine": "engine.engine",
    "EngineOptions": "engine.engine",
    "EngineParts": "engine.runtime.turn",
    "EngineSettings": "engine.settings",
    "Event": "engine.events",
    "LocalDispatcher": "engine.runtime.dispatch",
    "TurnOptions": "engine.runtime.turn",
    "open_database": "engine.store.database",
}


def __getattr__(name: str) -> object:
    """Import what a public name needs at its first use: a process of one part needs no other."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
