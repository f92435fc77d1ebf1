"""Which of several versions of a program to keep, by what they do and not by what a model says of them.

A small model writes a whole program right in a minority of tries, but its wrong tries are wrong in
different ways. So every version is rehearsed with the same lines typed in, and one is kept that behaves
as another version, written apart from it, does (selection by agreement, as in AlphaCode's clustering of
samples, Li et al. 2022, and self-consistency, Wang et al. 2022). The lines are made by chance and know
nothing of the task: numbers, pairs of numbers in the usual ways of typing them, out of range, nonsense.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from engine.errors import Invalid, NotConfigured
from engine.llm.local.authoring.functions import numbers_of, saying, unused_constants
from engine.ports import RunRequest, Sandbox

SESSIONS = 8
LENGTH = 140
LARGEST = 7
FEW = 10
WAYS = ("spaced", "comma", "single")
NONSENSE = (["abc"] * 3 + [""] + ["-5", "1 2 3", "99 99", "9999"]) * 2
SOUND = ("ends", "asks on")
PROGRAM = "_sandbox_probe.py"
REHEARSAL_S = 60.0
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a program did with the lines typed in: how many it took, how it ended, what it said last."""

    taken: int
    how: str
    said: str = ""
    asked: tuple[str, ...] = ()
    fault: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """A version and what it did; `seen` is empty where it could not be rehearsed.

    Versions of one `root` differ in the function `changed`, written anew; a mended version keeps the
    `origin` of the one it was made from. `told`: the numbers of the account it was written by.
    """

    text: str
    seen: Mapping[str, tuple[Seen, ...]]
    nonsense: Seen | None = None
    root: int = 0
    changed: str = ""
    origin: int = 0
    told: frozenset[int] = frozenset()

    @property
    def way(self) -> str:
        """The way of typing in which it came to an end most often, and broke least."""
        return max(WAYS, key=lambda way: (_ends(self.seen.get(way, ())), -_broken(self.seen.get(way, ()))))

    @property
    def asks(self) -> bool:
        """Whether it reads what is typed."""
        return any(seen.taken for seen in self.seen.get("spaced", ()))

    @property
    def crashes(self) -> bool:
        """Whether lines of its own way of typing break it."""
        return _broken(self.seen.get(self.way, ())) > 0

    @property
    def fault(self) -> tuple[str, ...]:
        """(function, what was wrong) of the first crash, also by nonsense, else of the end that names another
        than it asked last; () for none."""
        seen = (*self.seen.get(self.way, ()), *((self.nonsense,) if self.nonsense else ()))
        return next((one.fault for one in seen if one.fault), ()) or self.mismatch

    @property
    def mismatch(self) -> tuple[str, ...]:
        """(function, what was wrong) where it is not coherent; () where it is."""
        wrong = [one for one in self.seen.get(self.way, ()) if one.how == "ends" and _fits(one) is False]
        if self.coherent or not wrong:
            return ()
        end = _last_line(wrong[0].said)
        function = saying(self.text, frozenset(_WORD.findall(end)))
        told = f'"{wrong[0].asked[-1]}" was answered, and it ended with "{end}", which names the wrong one'
        return (function.name, told) if function else ()

    @property
    def ends(self) -> int:
        """Sessions that it ended by itself."""
        return _ends(self.seen.get(self.way, ()))

    @property
    def behaviour(self) -> tuple[object, ...]:
        """What versions are compared by: when each session ended, or without input the words said."""
        seen = self.seen.get(self.way, ())
        if not self.asks:
            return tuple((s.how, *_WORD.findall(s.said)) for s in seen[:1])
        size = 2 if self.way == "single" else 1
        return tuple((s.how, -(-s.taken // size) if s.how == "ends" else 0) for s in seen)

    @property
    def telling(self) -> bool:
        """Whether agreeing with it means anything: it works, and most sessions came to an end."""
        return bool(self.seen) and not self.crashes and self.ends * 2 > len(self.seen.get(self.way, ()))

    @property
    def steady(self) -> bool:
        """Whether nonsense does not break it."""
        return self.nonsense is None or self.nonsense.how in SOUND

    @property
    def thorough(self) -> bool:
        """Whether every number it names is used, and every one of its account named."""
        return not self.lacking

    @property
    def lacking(self) -> list[str]:
        """The numbers that it should use and does not."""
        return [*unused_constants(self.text), *map(str, sorted(self.told - numbers_of(self.text)))]

    @property
    def honest(self) -> bool:
        """Whether nothing it does contradicts its own words."""
        return self.coherent and self.thorough

    @property
    def coherent(self) -> bool:
        """Whether what it says at the end fits whom or what it asked for last, where that changes."""
        marks = [_fits(seen) for seen in self.seen.get(self.way, ()) if seen.how == "ends"]
        known = [mark for mark in marks if mark is not None]
        return sum(known) * 2 >= len(known)


def _ends(seen: Sequence[Seen]) -> int:
    return sum(one.how == "ends" for one in seen)


def _broken(seen: Sequence[Seen]) -> int:
    return sum(one.how not in SOUND for one in seen)


def _fits(seen: Seen) -> bool | None:
    """The last question is held against those before it: one of them differs in whom it asks."""
    end = set(_WORD.findall(_last_line(seen.said)))
    last = set(_WORD.findall(seen.asked[-1])) if seen.asked else set()
    for line in reversed(seen.asked[:-1]):
        before = set(_WORD.findall(line))
        new, old = last - before, before - last
        if new and old and (end & new) != (end & old):
            return bool(end & new)
    return None


def _last_line(said: str) -> str:
    return " ".join(said.strip().splitlines()[-1:]).strip()


def keeps(parent: Trial, mended: Trial) -> bool:
    """Whether a mended version still does what its parent did wherever that did not break; where the parent
    named the wrong one at its end, it may end elsewhere and names the right one."""
    if parent.mismatch and parent.fault == parent.mismatch:
        return mended.coherent and mended.telling
    before, after = parent.seen.get(parent.way, ()), mended.seen.get(parent.way, ())
    pairs = zip(before, after, strict=False)
    return all((a.how, a.taken) == (b.how, b.taken) for a, b in pairs if a.how in SOUND)


def agreed(trials: Sequence[Trial]) -> bool:
    """Whether enough sound versions behave alike, so that no more are needed."""
    return any(_company(trial, trials) > 1 and trial.steady and trial.honest for trial in trials)


def choose(trials: Sequence[Trial]) -> Trial:
    """The version to keep: in company and honest, else honest, else in company, then sound, then that ends
    most often; the earliest of equals."""
    return max(trials, key=lambda trial: _merit(trial, trials))


def _merit(trial: Trial, trials: Sequence[Trial]) -> tuple[object, ...]:
    company = _company(trial, trials)
    sound = trial.steady + trial.coherent + trial.thorough
    works = (bool(trial.seen), not trial.crashes, trial.honest and company > 1, trial.asks)
    return (*works, trial.honest and trial.telling, company > 1, sound, company, trial.ends)


def _company(trial: Trial, trials: Sequence[Trial]) -> int:
    """How many behave alike, counted as far as they were written apart: each root with those of its versions
    that have the same function written anew. 0 where its behaviour tells nothing."""
    if not trial.telling:
        return 0
    alike = [other for other in trials if other.behaviour == trial.behaviour]
    company = 0
    for root in {other.root for other in alike}:
        apart = {(other.changed, other.origin) for other in alike if other.root == root}
        changes = Counter(changed for changed, _ in apart)
        whole = changes.pop("", 0)
        company += whole + max(changes.values(), default=0)
    return company


def sessions(seed: int = 1) -> dict[str, list[list[str]]]:
    """Lines typed by chance, the same numbers in every way of typing."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret, and the same each time
    made: dict[str, list[list[str]]] = {way: [] for way in WAYS}
    for number in range(SESSIONS):
        pairs = [(chance.randint(1, LARGEST), chance.randint(1, LARGEST)) for _ in range(LENGTH)]
        if number % 2:
            pairs[5] = pairs[9] = (99, 99)
        made["spaced"].append([f"{a} {b}" for a, b in pairs])
        made["comma"].append([f"{a},{b}" for a, b in pairs])
        made["single"].append([str(value) for pair in pairs for value in pair])
    return made


async def rehearse(sandbox: Sandbox, path: str, files: Mapping[str, bytes], trial: Trial) -> Trial:
    """The version of `path` with what it did in every session; where nothing can be run nothing is seen."""
    text = trial.text
    typed = sessions()
    scripts = [script for way in WAYS for script in typed[way]] + [NONSENSE]
    source = resources.files("engine.llm.local.authoring").joinpath("sandbox_probe.py").read_bytes()
    everything = {**files, path: text.encode("utf-8", "surrogatepass"), PROGRAM: source}
    request = RunRequest(("python", PROGRAM, path), everything, json.dumps(scripts).encode(), REHEARSAL_S)
    try:
        result = await sandbox.run(request)
    except (NotConfigured, Invalid):
        return trial
    seen = _parse(result.output)
    if len(seen) != len(scripts):
        return trial
    parts = [tuple(seen[n * SESSIONS : (n + 1) * SESSIONS]) for n in range(len(WAYS))]
    return replace(trial, seen=dict(zip(WAYS, parts, strict=True)), nonsense=seen[-1])


def _parse(output: str) -> list[Seen]:
    seen = []
    for line in output.splitlines():
        try:
            raw: dict[str, Any] = json.loads(line)
            seen.append(
                Seen(
                    raw["taken"],
                    raw["how"],
                    raw.get("said", ""),
                    tuple(raw.get("asked", ())),
                    tuple(raw.get("fault", ())),
                )
            )
        except (ValueError, KeyError, TypeError):
            continue
    return seen


def typed_lines(trial: Trial) -> str:
    """The session that broke the program, so that the run shows it; else the shortest that brought it to its
    end, else the begin of one; "" for a program that reads nothing."""
    if not trial.asks:
        return ""
    typed = sessions()[trial.way]
    for lines, seen in zip(typed, trial.seen.get(trial.way, ()), strict=False):
        if seen.how not in SOUND:
            return "".join(f"{line}\n" for line in lines[: seen.taken])
    ended = [
        lines[: seen.taken]
        for lines, seen in zip(typed, trial.seen.get(trial.way, ()), strict=False)
        if seen.how == "ends" and seen.taken
    ]
    return "".join(f"{line}\n" for line in min(ended, key=len, default=typed[0][:FEW]))
