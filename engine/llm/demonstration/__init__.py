"""The demonstration's model: recorded answers in place of a language model; everything else is as always.

Knows the facts of a step (`engine.domain.state`) and nothing of the store; asks no endpoint, costs nothing.
"""

from __future__ import annotations

from engine.llm.demonstration.model import RecordedModel
from engine.llm.demonstration.recording import recording

__all__ = ["RecordedModel", "recording"]
