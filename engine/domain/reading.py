"""Which documents an auditor has not read to their end. Pure.

A document is judged by reading: nobody accepts one of which it has seen the first part only. What is far
longer than anybody reads in one audit is read from both ends, LONG characters in all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from engine.domain.checks import named

LONG = 60_000
"""Characters of one document that are to be read."""

MOST = 240_000
"""Characters of all documents together that are to be read."""

SHOWN, SHOWN_CHARS = 40, 30_000
"""Documents named in one refusal: what one answer can read, so that few answers are needed."""

_SUFFIXES = (".md", ".markdown", ".txt", ".rst", ".adoc", ".org", ".tex", ".html", ".htm")
_NAMES = frozenset({"readme", "license", "changelog"})


def is_document(path: str) -> bool:
    """Return whether a file is a text for people, by its name."""
    name = path.rpartition("/")[2].casefold()
    return name.endswith(_SUFFIXES) or name in _NAMES


@dataclass(frozen=True, slots=True)
class Unread:
    """A document with lines that are to be read yet, from `first` on, `chars` in all."""

    path: str
    first: int
    total: int
    chars: int = 0

    @property
    def line(self) -> str:
        """Return what is left, as the reader asks for it."""
        return f"{self.path} from start_line={self.first} (of {self.total})"


def unread_of(
    path: str, lines: Sequence[str], seen: Collection[int], room: int, longest: int
) -> Unread | None:
    """Return what is left of a document of these lines, of which those with the numbers `seen` were shown.

    At most `room` characters are asked for: then its end, and the rest from its start. Lines that no call
    can show whole (`longest` characters with their number) are not.
    """
    sizes = {number: len(line) + len(str(number)) + 2 for number, line in enumerate(lines, 1)}
    wanted = [number for number, size in sizes.items() if size <= longest]
    left = min(LONG, room)
    if sum(sizes[number] for number in wanted) > left:
        wanted = _ends(wanted, sizes, left)
    missing = [number for number in wanted if number not in seen]
    chars = sum(sizes[number] for number in missing)
    return Unread(path, missing[0], len(lines), chars) if missing else None


def _ends(wanted: Sequence[int], sizes: dict[int, int], room: int) -> list[int]:
    """Return line numbers worth `room` characters: half of them from the end."""
    tail = _first_worth(reversed(wanted), sizes, room // 2)
    return sorted({*_first_worth(wanted, sizes, room - room // 2), *tail})


def _first_worth(numbers: Iterable[int], sizes: dict[int, int], room: int) -> list[int]:
    found: list[int] = []
    for number in numbers:
        room -= sizes[number]
        if room < 0:
            break
        found.append(number)
    return found


def refusal(unread: Sequence[Unread], late: Sequence[str] = ()) -> str:
    """Return what an auditor hears that accepts too early. `late`: documents that only the answer which
    accepts them read."""
    if not unread:
        return (
            f"Not yet: you judged in the same answer that read {named(late)}, whose text comes to you only "
            "now. Judge by it in your next answer."
        )
    listed: list[str] = []
    room = SHOWN_CHARS
    for each in unread[:SHOWN]:
        if listed and each.chars > room:
            break
        listed.append(each.line)
        room -= each.chars
    more = f" and {len(unread) - len(listed)} more" if len(unread) > len(listed) else ""
    too_late = f" This same answer read {named(late)}, whose text comes to you only now." if late else ""
    return (
        "Not yet: you have not read to the end what you accept. read_file "
        f"{'; '.join(listed)}{more}. Then judge.{too_late}"
    )
