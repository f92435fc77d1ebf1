"""The embedded model: its weights, and llama.cpp in a process of its own."""

from engine.llm.local.process.catalog import SMALL, STANDARD, Weights
from engine.llm.local.process.progress import Progress, Silent, Spoken
from engine.llm.local.process.server import LocalModel
from engine.llm.local.process.weights import cache_dir, fetch

__all__ = ["SMALL", "STANDARD", "LocalModel", "Progress", "Silent", "Spoken", "Weights", "cache_dir", "fetch"]
