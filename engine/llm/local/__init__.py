"""The embedded model: its weights, and llama.cpp in a process of its own."""

from engine.llm.local.progress import Progress, Silent, Spoken
from engine.llm.local.server import LocalModel
from engine.llm.local.weights import SMALL, STANDARD, Weights, cache_dir, fetch

__all__ = ["SMALL", "STANDARD", "LocalModel", "Progress", "Silent", "Spoken", "Weights", "cache_dir", "fetch"]
