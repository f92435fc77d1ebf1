"""The embedded model: its weights, and llama.cpp in a process of its own."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.llm.local.process.catalog import SMALL, STANDARD, Weights
    from engine.llm.local.process.progress import Progress, Silent, Spoken
    from engine.llm.local.process.server import LocalModel
    from engine.llm.local.process.weights import cache_dir, fetch

__all__ = ["SMALL", "STANDARD", "LocalModel", "Progress", "Silent", "Spoken", "Weights", "cache_dir", "fetch"]

_HOMES = {
    **dict.fromkeys(("SMALL", "STANDARD", "Weights"), "catalog"),
    **dict.fromkeys(("Progress", "Silent", "Spoken"), "progress"),
    "LocalModel": "server",
    **dict.fromkeys(("cache_dir", "fetch"), "weights"),
}


def __getattr__(name: str) -> object:
    """Import what a public name needs at its first use: the model's own process needs none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.process.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
