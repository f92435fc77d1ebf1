"""Ids of tool calls that every provider accepts: nine letters and digits, made from step and number."""

from __future__ import annotations

from functools import lru_cache

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_STEP_PLACES, _NUMBER_PLACES = 5, 3


@lru_cache(maxsize=4_096)  # each replayed call of each prompt asks for its own
def call_id(step: int, number: int) -> str:
    """Return the id of call `number` (from 0) of a step, such as `c0001f002`; unique within an agent."""
    return "c" + _base36(step, _STEP_PLACES) + _base36(number, _NUMBER_PLACES)


def _base36(value: int, places: int) -> str:
    made = ""
    for _ in range(places):
        value, digit = divmod(value, 36)
        made = _DIGITS[digit] + made
    return made
