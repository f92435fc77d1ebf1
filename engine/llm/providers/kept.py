"""What an endpoint wants back with an answer it gave: thoughts and signatures, kept unread.

Stored with the step as JSON text that names the endpoint and model it came from; anyone else never gets it.
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
    """What of a message in an answer goes back to `origin`; "" for nothing."""
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
    """(fields of the message, fields of each call) to send back to `origin`; nothing of another's."""
    if not kept:
        return {}, ()
    try:
        told = json.loads(kept)
    except ValueError:
        return {}, ()
    if not isinstance(told, dict) or told.get("for") != origin:
        return {}, ()
    return told.get("message") or {}, told.get("calls") or ()
