"""How a goal divides among several agents, by its own words; for small models, which cannot plan. Pure.

A goal is divided where it asks for several agents and shows the parts, or where its lines name a file each.
Every part is in the person's own words. Nothing is divided by length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.domain.wanted import files_to_make, names_of_files
from engine.domain.wanted_words import spaced
from engine.llm.local.division_words import ALONE, ASKED, JOINED, NUMBERS, READS, SEGMENT, WHO

MOST = 6
TITLE = 60
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn")

_BULLET = re.compile(r"^[ \t]*+(?:[-*•]|\d{1,2}[.)])\s+(.+)$", re.M)
_EACH = re.compile(
    r"\b(?:(?:let|have)\s+)?(?:one|another|the other|(?:a|the) (?:first|second|third|fourth|fifth|sixth))"
    rf"(?:\s+(?:{WHO}|one))?\s+(?=\w)",
    re.I,
)
_LIST = re.compile(
    r"\b(?:write|create|make|build|produce|prepare|draft|design|plan|deliver)\s+(?P<things>(?:an?|the|one)\s[^.:;\n]+)",
    re.I,
)
_BETWEEN = re.compile(r",\s*(?:and\s+)?|\s+and\s+(?=(?:an?|the|one)\s)", re.I)
_FIRST_WORDS = re.compile(
    r"^(?:(?:have|let|please|用|请)\s+)*"
    r"(?:(?:to )?work(?:ing)? in parallel on|(?:to )?work(?:ing)?|on|between|among|to|for|by)\s+",
    re.I,
)
_EDGES = " \t\n.,;:-\u2013\u2014"


@dataclass(frozen=True, slots=True)
class Part:
    """One agent's part: its name, a short title, and the part in the goal's own words."""

    name: str
    title: str
    details: str


@dataclass(frozen=True, slots=True)
class Division:
    """Whether several agents were asked for, and the parts; none where one agent does the whole."""

    asked: bool
    parts: tuple[Part, ...] = ()


def divide(goal: str, most: int) -> Division:
    """Return how the goal divides among at most `most` members; at least two parts, or none."""
    goal = spaced(goal)
    alone = ALONE.search(goal) is not None
    found = None if alone else ASKED.search(goal)
    words = [] if alone else _parts(goal, found)
    asked = found is not None or (len(words) > 1 and not _BULLET.search(goal))
    room = min(most, MOST, max(_number(found), 2))
    if len(words) < 2 or room < 2:
        return Division(asked)
    shares = ["\n".join(words[number::room]) for number in range(min(room, len(words)))]
    return Division(asked, tuple(_part(number, shares) for number in range(len(shares))))


def _number(found: re.Match[str] | None) -> int:
    """Return how many agents were asked for; MOST where no number was said."""
    groups = found.groupdict() if found else {}
    word = next((said for said in groups.values() if said), "")
    return NUMBERS.get(word.lower(), int(word) if word.isdecimal() else MOST)


def _parts(goal: str, found: re.Match[str] | None) -> list[str]:
    lines = [line[1].strip() for line in _BULLET.finditer(goal)]
    files = [names_of_files(line)[:1] for line in lines]
    if len(lines) > 1 and (found or (all(files) and len(set(files)) == len(files))):
        return lines
    spoken = _by_agent(goal)
    if found is None:
        return spoken if all(map(names_of_files, spoken)) else []
    return spoken or _by_file(goal) or _by_segment(goal, found) or _by_thing(goal)


def _by_agent(goal: str) -> list[str]:
    """Return what stands after "one agent …" and "another …" in one sentence."""
    for sentence in re.split(r"(?<=[.!?;])\s+|\n+", goal):
        marks = list(_EACH.finditer(sentence))
        if len(marks) < 2:
            continue
        ends = [mark.start() for mark in marks[1:]] + [len(sentence)]
        shares = [_bare(sentence[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)]
        if all(shares):
            return shares
    return []


def _by_file(goal: str) -> list[str]:
    """Return the words about each file that the goal asks for, from its name to the next one's."""
    files = files_to_make(goal)
    if len(files) < 2:
        return []
    at = sorted(goal.index(path) for path in files)
    return [_bare(goal[start:end]) for start, end in zip(at, [*at[1:], len(goal)], strict=True)]


def _by_segment(goal: str, found: re.Match[str]) -> list[str]:
    """Return the pieces of sentences that name one file each, as in "a writer writes story.md, an editor …";
    what asks for the agents stands in none."""
    parts: dict[str, str] = {}
    for sentence in re.split(r"(?<=[.!?;\u3002])\s+|\n+", f"{goal[: found.start()]} {goal[found.end() :]}"):
        for segment in SEGMENT.split(sentence):
            files = names_of_files(segment)
            if len(files) == 1 and not READS.search(segment):
                parts.setdefault(files[0], _FIRST_WORDS.sub("", _bare(segment)))
    return list(parts.values())


def _by_thing(goal: str) -> list[str]:
    """Return the things of a list such as "write a poem, a story and a recipe"."""
    for found in _LIST.finditer(goal):
        things = [_bare(thing) for thing in _BETWEEN.split(found["things"])]
        if len(things) > 1 and all(re.match(r"(?:an?|the|one)\s", thing, re.I) for thing in things):
            return things
    return []


def _bare(text: str) -> str:
    """Return a piece of a sentence without what joined it to its neighbours."""
    text = re.sub(r"^(?:to|do|does|is to|should)\s+", "", text.strip(_EDGES))
    return JOINED.sub("", text).strip(_EDGES)


def _part(number: int, shares: list[str]) -> Part:
    own = shares[number]
    others = "; ".join(_title(share) for at, share in enumerate(shares) if at != number)
    details = f"Make this part, in the person's words: {own}\nNot yours, others do it: {others}"
    return Part(NAMES[number], _title(own), details)


def _title(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= TITLE else flat[: TITLE - 1].rsplit(" ", 1)[0] + "…"
