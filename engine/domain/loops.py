"""Texts that say the same again and again, as a model writes when it is stuck. Pure.

What repeats in a good file is left alone: the cells of a page's grid, rows of numbers, boxes to tick, the
empty lines of a form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import eq

from engine.domain.source import suffix_of

LONGEST_PERIOD = 12
WORD_PERIOD = 8
_PROSE = (".md", ".txt", ".rst", "")
_PAGE = (".html", ".htm", ".svg", ".xml")
_DATA = (".csv", ".tsv", ".json", ".yaml", ".yml", ".toml")
_NUMBER = re.compile(r"^(?:[-*+•]\s+)?(?:\d{1,3}[.)]\s+)?")
_BOX = re.compile(r"^[-*+]?\s*\[[ xX]?\]")
_TAG = re.compile(r"<[^<>]*>")
_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])\s*|\n+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_LONG = re.compile(r"[^\W\d_]{3,}")
_FENCED = re.compile(r"^[ \t]*(`{3,}+|~{3,}+).*?^[ \t]*\1[ \t]*$", re.M | re.S)
_ROWS = re.compile(r"^[ \t]*\|.*$", re.M)


@dataclass(frozen=True, slots=True)
class _Rule:
    """How often, and over how many characters, the same parts follow one another; words in one of them."""

    times: int
    chars: int
    words: int


_SAID = _Rule(5, 200, 1)
_SHOWN = _Rule(5, 200, 4)
_WRITTEN = _Rule(8, 600, 1)
_UTTERED = _Rule(12, 200, 1)


def goes_round(path: str, text: str) -> bool:
    """Return whether the same lines, sentences or words stand one after another many times."""
    suffix = suffix_of(path)
    if suffix == ".md":
        text = without_code(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if suffix in _PAGE:
        return _loops([_TAG.sub(" ", line).strip() for line in lines], _SHOWN)
    if suffix in _DATA:
        return _loops(lines, _SHOWN)
    if suffix not in _PROSE:
        return _loops(lines, _WRITTEN)
    said = [_NUMBER.sub("", line) for line in lines if not _BOX.match(line)]
    parts = [part.strip() for part in _SENTENCES.split(text)]
    sentences = [part for part in parts if part and not _BOX.match(part)]
    return _loops(said, _SAID) or _loops(sentences, _SAID) or _stammers(_ROWS.sub("", text))


def without_code(text: str) -> str:
    """Return a Markdown text without its fenced blocks."""
    return _FENCED.sub("\n", text)


def _loops(parts: Sequence[str], rule: _Rule) -> bool:
    kept = [part for part in parts if part]
    return any(_loops_by(kept, period, rule) for period in _periods(len(kept), LONGEST_PERIOD, rule))


def _periods(length: int, longest: int, rule: _Rule) -> Iterator[int]:
    yield from range(1, min(longest, length // rule.times) + 1)


def _repeats_enough(parts: Sequence[str], period: int, rule: _Rule) -> bool:
    """Return whether as many parts equal the one a period before as a loop has, wherever they stand."""
    same: int = sum(map(eq, parts[period:], parts))
    return same >= period * (rule.times - 1)


def _loops_by(parts: Sequence[str], period: int, rule: _Rule) -> bool:
    if not _repeats_enough(parts, period, rule):
        return False
    same = chars = 0
    for at in range(period, len(parts)):
        if parts[at] == parts[at - period]:
            same, chars = same + 1, chars + len(parts[at])
        else:
            same = chars = 0
        if (
            same >= period * (rule.times - 1)
            and chars >= rule.chars
            and any(len(_WORD.findall(part)) >= rule.words for part in parts[at - period + 1 : at + 1])
        ):
            return True
    return False


def _stammers(text: str) -> bool:
    """Return whether the same few words stand one after another, without a sentence's end."""
    words = text.split()
    for period in _periods(len(words), WORD_PERIOD, _UTTERED):
        if not _repeats_enough(words, period, _UTTERED):
            continue
        same = chars = 0
        for at in range(period, len(words)):
            alike = words[at] == words[at - period]
            same, chars = (same + 1, chars + len(words[at])) if alike else (0, 0)
            often = same >= period * (_UTTERED.times - 1) and chars >= _UTTERED.chars
            if often and any(_LONG.search(word) for word in words[at - period + 1 : at + 1]):
                return True
    return False
