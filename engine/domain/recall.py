"""Search in memories: keywords, vectors and the fusion of rankings. Pure."""

from __future__ import annotations

import heapq
import math
import operator
import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

FUSION = 60
"""Constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)."""

MAX_WORDS = 24
_WORD = re.compile(r"\w+", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Recalled:
    """A line that was found, and its source. `key` identifies the line across rankings."""

    key: str
    text: str
    source: str
    at: float


def words_of(text: str) -> list[str]:
    """Return the distinct case-folded words of two or more characters, in order, at most `MAX_WORDS`."""
    found = (word.casefold() for word in _WORD.findall(text))
    return list(dict.fromkeys(word for word in found if len(word) > 1))[:MAX_WORDS]


def match_text(words: Sequence[str], dialect: Literal["sqlite", "postgresql"]) -> str:
    """Return a full-text query for any of `words`, which hold letters, digits and underscores only."""
    if dialect == "sqlite":
        return " OR ".join(f'"{word}"' for word in words)
    return " | ".join(f"'{word}'" for word in words)


def overlap(words: Sequence[str], text: str) -> int:
    """Return how many of `words` occur in `text`."""
    present = {word.casefold() for word in _WORD.findall(text)}
    return sum(word in present for word in words)


def pack(vector: Sequence[float]) -> bytes:
    """Return the vector normalised to length 1 as 32-bit floats (a zero vector stays zero)."""
    length = math.sqrt(sum(x * x for x in vector)) or 1.0
    return array("f", [x / length for x in vector]).tobytes()


def likeness(one: bytes, other: bytes) -> float:
    """Return the cosine of two packed vectors; 0 when their lengths differ (from another model)."""
    if len(one) != len(other):
        return 0.0
    a, b = array("f"), array("f")
    a.frombytes(one)
    b.frombytes(other)
    return float(sum(map(operator.mul, a, b)))


def signs_of(packed: bytes) -> bytes:
    """Return a packed vector's signs, one bit per number: similar vectors differ in few bits."""
    numbers = array("f")
    numbers.frombytes(packed)
    bits = int("".join("1" if number > 0 else "0" for number in numbers) or "0", 2)
    return bits.to_bytes((len(numbers) + 7) // 8, "big")


def nearest(signs: bytes, others: Iterable[tuple[int, bytes]], limit: int) -> list[int]:
    """Return the ids of the `others` (id, signs) that differ from `signs` in the fewest bits, nearest first.

    Signs of another length come from another model and are skipped.
    """
    own, length = int.from_bytes(signs, "big"), len(signs)
    apart = (
        ((int.from_bytes(other, "big") ^ own).bit_count(), number)
        for number, other in others
        if len(other) == length
    )
    return [number for _, number in heapq.nsmallest(limit, apart)]


def fuse(rankings: Sequence[Sequence[Recalled]], limit: int) -> list[Recalled]:
    """Merge rankings by reciprocal rank fusion; ties keep their order."""
    scores: dict[str, float] = {}
    lines: dict[str, Recalled] = {}
    for ranking in rankings:
        for place, line in enumerate(ranking):
            lines.setdefault(line.key, line)
            scores[line.key] = scores.get(line.key, 0.0) + 1 / (FUSION + place + 1)
    best = sorted(lines.values(), key=lambda line: -scores[line.key])
    return best[:limit]
