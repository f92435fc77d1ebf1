"""Opaque data of an answer that an endpoint wants back: thoughts and signatures, never interpreted.

Stored with the step as JSON text that names the endpoint and model it came from; no other endpoint gets it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from engine.llm.storable import storable_json

MAX_KEPT = 400_000
_THOUGHTS = ("reasoning_content", "reasoning_details", "reasoning")
_OF_A_CALL = ("extra_content", "provider_specific_fields", "thought_signature")
_WHOLE = ("thinking_blocks", "reasoning_items")


def kept_of(message: Mapping[str, Any], calls: Sequence[Mapping[str, Any]], origin: str) -> str:
    """Return the data of an answer to send back to `origin`; "" for none."""
    own = {name: message[name] for name in (*_THOUGHTS, *_WHOLE, "extra_content") if message.get(name)}
    if "reasoning_details" in own:
        own.pop("reasoning", None)
    if "reasoning_content" in own and own.get("reasoning") == own["reasoning_content"]:
        del own["reasoning"]
    extras = [{name: call[name] for name in _OF_A_CALL if call.get(name)} for call in calls]
    if not own and not any(extras):
        return ""
    made = {"for": origin, "message": own, "calls": extras if any(extras) else []}
    text = storable_json(json.dumps(made, ensure_ascii=False, separators=(",", ":")))
    return text if len(text) <= MAX_KEPT else ""


def kept_for(kept: str, origin: str) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
    """Return (fields of the message, fields of each call) to send back to `origin`; empty for others'
    data."""
    if not kept:
        return {}, ()
    try:
        stored = json.loads(kept)
    except ValueError:
        return {}, ()
    if not isinstance(stored, dict) or stored.get("for") != origin:
        return {}, ()
    return stored.get("message") or {}, stored.get("calls") or ()
