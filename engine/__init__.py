"""A durable hierarchy of agents. Imports nothing of Discord and nothing of `bot`."""

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
