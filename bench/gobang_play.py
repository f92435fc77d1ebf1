"""Judging a two-player Gobang program of unknown wording by playing it: typed moves in, what it says out.

The program's formats are not known, so whole games are typed in each of a few usual ways, and the way in
which most goes right counts. Squares lie inside a 9 x 9 board counted from 0 or from 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.errors import Invalid, NotConfigured
from engine.ports import RunRequest, Sandbox
from scenarios.common import Criterion

GAME_S = 10.0
Square = tuple[int | str, int | str]
Typing = Callable[[Square], str]

ELSEWHERE: tuple[Square, ...] = ((1, 2), (1, 6), (8, 1), (8, 4), (6, 8))
OFF_BOARD: Square = (99, 99)
NONSENSE = ("abc", "abc")
NAMES = ("Alice", "Bob")


def _column_letter(column: int | str) -> str:
    return chr(65 + min(column, 25)) if isinstance(column, int) else column


TYPINGS: dict[str, Typing] = {
    "row column": lambda at: f"{at[0]} {at[1]}\n",
    "row,column": lambda at: f"{at[0]},{at[1]}\n",
    "row, then column": lambda at: f"{at[0]}\n{at[1]}\n",
    "A1": lambda at: f"{_column_letter(at[1])}{at[0]}\n",
    "1A": lambda at: f"{at[0]}{_column_letter(at[1])}\n",
}

# Labels of the two players in the order in which they move, where the program names nobody when it asks.
PAIRS = (("1", "2"), ("x", "o"), ("black", "white"), ("b", "w"), ("●", "○"), ("one", "two"))
_WON = re.compile(r"\b(win|wins|won|winner|victory|congratulations)\b", re.I)
_LABEL = re.compile(r"\b(black|white|one|two|alice|bob|[12xobw])\b|[●○]", re.I)
_ASKS = re.compile(r"player|turn|move|enter|input|row", re.I)


@dataclass(frozen=True, slots=True)
class Match:
    """A whole game in which one player (0 or 1) gets five in a row, maybe with a refused entry before the
    second player's second move."""

    name: str
    winner: int
    line: tuple[Square, ...]
    refused: Square | None = None

    def squares(self) -> list[Square]:
        """What is typed, in order."""
        mine = iter(self.line)
        other = iter(ELSEWHERE)
        out: list[Square] = []
        for number in range(5 * 2 - (self.winner == 0)):
            if number == 3 and self.refused is not None:
                out.append(self.refused)
            out.append(next(mine) if number % 2 == self.winner else next(other))
        return out


ACROSS: tuple[Square, ...] = tuple((5, n) for n in range(3, 8))
DOWN: tuple[Square, ...] = tuple((n, 5) for n in range(3, 8))
FALLING: tuple[Square, ...] = tuple((n, n) for n in range(3, 8))
RISING: tuple[Square, ...] = tuple((n, 10 - n) for n in range(3, 8))

LINES = (
    Match("five across, first player", 0, ACROSS),
    Match("five down, second player", 1, DOWN),
    Match("five on a falling diagonal, first player", 0, FALLING),
    Match("five on a rising diagonal, second player", 1, RISING),
)
REFUSALS = (
    Match("an occupied square is refused", 0, ACROSS, ACROSS[0]),
    Match("a square off the board is refused", 0, ACROSS, OFF_BOARD),
)
EXTRA = Match("nonsense is refused (not counted)", 0, ACROSS, NONSENSE)


@dataclass(slots=True)
class Judged:
    """What was seen of a program: the criteria, and how moves were typed."""

    criteria: list[Criterion] = field(default_factory=list)
    typing: str = ""
    extra: Criterion | None = None

    @property
    def met(self) -> int:
        """Criteria met."""
        return sum(criterion.met for criterion in self.criteria)

    @property
    def correct(self) -> bool:
        """Whether the game plays correctly."""
        return bool(self.criteria) and self.met == len(self.criteria)


@dataclass(frozen=True, slots=True)
class _End:
    """How a typed game came out: what was newly said about winning at the last move, and the exit."""

    said: str
    exit_code: int
    tail: str

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(found.group(0).lower() for found in _LABEL.finditer(self.said))


def programs(files: Mapping[str, bytes]) -> list[str]:
    """Programs that may be the game, the likeliest first."""
    found = [path for path, data in files.items() if path.endswith(".py") and b"input" in data]
    return sorted(found, key=lambda path: (path != "main.py", path.count("/"), "test" in path, path))


async def judge_game(sandbox: Sandbox, files: Mapping[str, bytes]) -> Judged:
    """Play every likely program in every way of typing; the best counts."""
    best = Judged([Criterion("there is a program that asks for moves", False)])
    for path in programs(files)[:3]:
        player = _Player(sandbox, files, path)
        for name, typing in TYPINGS.items():
            judged = await player.judge(name, typing)
            if judged.met > best.met or not best.typing:
                best = judged
            if best.correct:
                return best
    return best


class _Player:
    """Plays one program."""

    def __init__(self, sandbox: Sandbox, files: Mapping[str, bytes], path: str) -> None:
        self._sandbox, self._files, self._path = sandbox, files, path

    async def judge(self, name: str, typing: Typing) -> Judged:
        """All games in one way of typing."""
        first, _ = await self._run("")
        before = _preamble(first)
        ends = {m.name: await self._end(before, typing, m) for m in LINES}
        labels = _labels_of(first, [ends[m.name] for m in LINES])
        judged = Judged([_criterion(m, ends[m.name], labels) for m in LINES], f"{self._path}: {name}")
        judged.criteria.append(Criterion("the players alternate", labels is not None))
        for match in REFUSALS:
            judged.criteria.append(_criterion(match, await self._end(before, typing, match), labels))
        judged.extra = _criterion(EXTRA, await self._end(before, typing, EXTRA), labels)
        return judged

    async def _end(self, before: str, typing: Typing, match: Match) -> _End:
        typed = [typing(square) for square in match.squares()]
        short, _ = await self._run(before + "".join(typed[:-1]))
        whole, code = await self._run(before + "".join(typed) + "n\n")
        new = _winning(whole) - _winning(short)
        return _End(" ".join(sorted(new)), code, " ".join(whole.split())[-160:])

    async def _run(self, stdin: str) -> tuple[str, int]:
        request = RunRequest(("python", self._path), self._files, stdin.encode(), GAME_S)
        try:
            result = await self._sandbox.run(request)
        except (NotConfigured, Invalid) as error:
            return str(error), -1
        return result.output, result.exit_code if result.ended == "exit" else -1


def _winning(output: str) -> frozenset[str]:
    return frozenset(line.strip() for line in output.splitlines() if _WON.search(line))


def _preamble(first: str) -> str:
    """Answers to what a program asks before the game: names, or the size of the board."""
    asked = first.splitlines()[-8:]
    text = " ".join(line for line in asked if "File " not in line).lower()
    if re.search(r"name", text) and "__name__" not in text:
        return "".join(f"{name}\n" for name in NAMES)
    return "15\n" if re.search(r"(enter|choose|input)[^.]*\bsize", text) else ""


def _labels_of(first: str, ends: Sequence[_End]) -> tuple[str, str] | None:
    """Return the labels of first and second player; None if winners are indistinguishable or named
    wrongly."""
    mine = _common(end.labels for end in ends[0::2])
    theirs = _common(end.labels for end in ends[1::2])
    one, two = mine - theirs, theirs - mine
    if not one or not two:
        return None
    asked = _asked(first)
    for a in one:
        for b in two:
            named = (a in asked) != (b in asked)
            if a in asked if named else (a, b) in PAIRS or (a, b) == tuple(n.lower() for n in NAMES):
                return a, b
    return None


def _common(labels: Iterable[frozenset[str]]) -> frozenset[str]:
    """Labels in all games of one player that said anything."""
    said = [found for found in labels if found]
    return frozenset.intersection(*said) if said else frozenset()


def _asked(first: str) -> frozenset[str]:
    """Labels in the line that asks for the first move."""
    lines = [line for line in first.split("Traceback", maxsplit=1)[0].splitlines() if _ASKS.search(line)]
    return frozenset(found.group(0).lower() for found in _LABEL.finditer(lines[-1])) if lines else frozenset()


def _criterion(match: Match, end: _End, labels: tuple[str, str] | None) -> Criterion:
    right = labels is not None and labels[match.winner] in end.labels
    right = right and labels is not None and labels[1 - match.winner] not in end.labels
    met = right and end.exit_code == 0
    return Criterion(match.name, met, (end.said or end.tail) if met or end.said else f"… {end.tail}")
