"""Opaque data of an answer that an endpoint wants back: thoughts and signatures, never interpreted.

Stored with the step as JSON text that names the endpoint and model it came from; no other endpoint gets it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.llm.storable import storable_json
from engine.ports import ChatRequest

MAX_KEPT = 400_000
_THOUGHTS = ("reasoning_content", "reasoning_details", "reasoning", "reasoning_text", "reasoning_opaque")
_OF_A_CALL = ("extra_content", "provider_specific_fields", "thought_signature")
_WHOLE = ("thinking_blocks", "reasoning_items")


_REFUSED = re.compile(
    r"(?:thinking|reasoning)\b.{0,120}(?:cannot be modified|must remain)|invalid .{0,12}signature"
    r"|signature\b.{0,40}(?:invalid|not valid|mismatch|corrupt|expired|not match|verif)"
    r"|corrupt\w* .{0,12}signature"
    r"|encrypted[_ ]content\b.{0,80}(?:could not|invalid|verif|decrypt|not match)"
    r"|item .{0,90}(?:not found|without its required)",
    re.I | re.S,
)
"""What endpoints say of thoughts and signatures that they do not take back: another account or key made them,
they have expired, or what followed them has changed."""


def refuses_kept(words: str) -> bool:
    """Return whether a refusal is about data that was kept for the endpoint."""
    return _REFUSED.search(words) is not None


class Distrusted:
    """Kept data that its endpoint refused, by hash; it is sent no more."""

    MOST = 20_000

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def without(self, request: ChatRequest) -> ChatRequest:
        """Return the request without data that was refused before."""
        if not self._hashes:
            return request
        messages = (
            replace(m, kept="") if m.kept and hash(m.kept) in self._hashes else m for m in request.messages
        )
        return replace(request, messages=tuple(messages))

    def add(self, request: ChatRequest) -> bool:
        """Refuse all kept data of a request from now on. Return whether there was any."""
        found = {hash(message.kept) for message in request.messages if message.kept}
        if len(self._hashes) > self.MOST:
            self._hashes.clear()
        self._hashes |= found
        return bool(found)


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
