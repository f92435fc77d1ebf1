"""The request shape that one endpoint wants for one model, where it differs from the common one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quirks:
    """The shape of requests to one (endpoint, model).

    `effort`: thinking effort to name beside tools. `filler`: text beside calls, "" for null. `one_call`: one
    call a message. `merge_system`: rules go into the first user message. `tool_names`: results name their
    tool. `bare_calls`: no text beside calls. `drop`: fields of the request or its
    messages that are refused; `schema_drop`: keywords of schemas. `stand_ins`: what is sent in place of
    thoughts and signatures that are not there (`thoughts`, `signature`). `stream`: `stream: false` is said;
    `streams`: it answers in streams only.
    `window`, `most_answer`: tokens it takes and gives, 0 where unknown.
    """

    family: str = "openai-compatible"
    limit_name: str = "max_tokens"
    effort: str = ""
    filler: str = ""
    one_call: bool = False
    merge_system: bool = False
    tool_names: bool = False
    bare_calls: bool = False
    cache_key: bool = False
    stream: bool = False
    streams: bool = False
    drop: frozenset[str] = frozenset()
    schema_drop: frozenset[str] = frozenset()
    stand_ins: frozenset[str] = frozenset()
    window: int = 0
    most_answer: int = 0
    repaired: tuple[str, ...] = ()
