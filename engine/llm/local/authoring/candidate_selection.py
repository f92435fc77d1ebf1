"""Select one of several candidate programs by how they behave in trial runs, not by a model's opinion.

A small model writes a whole program correctly in a minority of attempts, but its wrong attempts are wrong
in different ways. So every candidate runs on the same generated input, and one is selected that behaves
like another candidate written independently of it (selection by agreement, as in AlphaCode's clustering of
samples, Li et al. 2022, and self-consistency, Wang et al. 2022).

This was tuned on interactive two-player programs. The input is random, but its shapes are chosen for them:
pairs of small numbers in three input styles, one pair out of range, and invalid lines; and a program is
expected to name at its end the player whom it prompted last. For programs that read words, files,
arguments or a menu the input carries little information, and the selection is close to arbitrary.
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
from engine.llm.local.authoring.functions import function_printing, numbers_of, unused_constants
from engine.ports import RunRequest, Sandbox

SESSIONS = 8
SESSION_LINES = 140
LARGEST_NUMBER = 7
FEW_LINES = 10
INPUT_STYLES = ("spaced", "comma", "single")
NONSENSE = (["abc"] * 3 + [""] + ["-5", "1 2 3", "99 99", "9999"]) * 2
SOUND_OUTCOMES = ("ends", "asks on")
PROBE_FILE = "_sandbox_probe.py"
SESSIONS_TIMEOUT_S = 60.0
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class SessionResult:
    """The result of one session: lines read, how it ended, the last output, the last prompts, the fault."""

    taken: int
    how: str
    said: str = ""
    asked: tuple[str, ...] = ()
    fault: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate program and its session results by input style; `seen` is empty if it could not run.

    Candidates of one `root` differ in the rewritten function `changed`; a repaired candidate keeps the
    `origin` of the one it was made from. `spec_numbers`: the numbers named in its specification.
    """

    text: str
    seen: Mapping[str, tuple[SessionResult, ...]]
    nonsense: SessionResult | None = None
    root: int = 0
    changed: str = ""
    origin: int = 0
    spec_numbers: frozenset[int] = frozenset()

    @property
    def input_style(self) -> str:
        """Return the input style with the most finished sessions, then the fewest broken ones."""
        return max(
            INPUT_STYLES,
            key=lambda input_style: (
                _count_finished(self.seen.get(input_style, ())),
                -_count_broken(self.seen.get(input_style, ())),
            ),
        )

    @property
    def asks(self) -> bool:
        """Return True if the program reads standard input."""
        return any(seen.taken for seen in self.seen.get("spaced", ()))

    @property
    def crashes(self) -> bool:
        """Return True if a session in its own input style broke it."""
        return _count_broken(self.seen.get(self.input_style, ())) > 0

    @property
    def fault(self) -> tuple[str, ...]:
        """Return (function, description) of the first crash, invalid input included, else `mismatch`; ()
        for none."""
        seen = (*self.seen.get(self.input_style, ()), *((self.nonsense,) if self.nonsense else ()))
        return next((one.fault for one in seen if one.fault), ()) or self.mismatch

    @property
    def mismatch(self) -> tuple[str, ...]:
        """Return (function, description) if the final line names the wrong player; () if it does not."""
        wrong = [
            one
            for one in self.seen.get(self.input_style, ())
            if one.how == "ends" and _names_last_prompted(one) is False
        ]
        if self.names_the_right_one or not wrong:
            return ()
        end = _last_line(wrong[0].said)
        function = function_printing(self.text, frozenset(_WORD.findall(end)))
        fault = f'"{wrong[0].asked[-1]}" was answered, and it ended with "{end}", which names the wrong one'
        return (function.name, fault) if function else ()

    @property
    def finished(self) -> int:
        """Return how many sessions the program ended by itself."""
        return _count_finished(self.seen.get(self.input_style, ()))

    @property
    def behaviour(self) -> tuple[object, ...]:
        """Return the key that candidates are compared by.

        It holds how each session ended and after how many moves; for a program without input, its words.
        """
        seen = self.seen.get(self.input_style, ())
        if not self.asks:
            return tuple((s.how, *_WORD.findall(s.said)) for s in seen[:1])
        size = 2 if self.input_style == "single" else 1
        return tuple((s.how, -(-s.taken // size) if s.how == "ends" else 0) for s in seen)

    @property
    def is_comparable(self) -> bool:
        """Return True if agreement with it is evidence: it does not crash and most sessions finished."""
        return (
            bool(self.seen)
            and not self.crashes
            and self.finished * 2 > len(self.seen.get(self.input_style, ()))
        )

    @property
    def survives_nonsense(self) -> bool:
        """Return True if invalid input does not break it."""
        return self.nonsense is None or self.nonsense.how in SOUND_OUTCOMES

    @property
    def uses_every_number(self) -> bool:
        """Return True if `unused_numbers` is empty."""
        return not self.unused_numbers

    @property
    def unused_numbers(self) -> list[str]:
        """Return constants that the code never reads and numbers of the specification that it lacks."""
        return [*unused_constants(self.text), *map(str, sorted(self.spec_numbers - numbers_of(self.text)))]

    @property
    def is_consistent(self) -> bool:
        """Return True if its behaviour contradicts neither its own output nor its specification."""
        return self.names_the_right_one and self.uses_every_number

    @property
    def names_the_right_one(self) -> bool:
        """Return True if the final line names the player prompted last, in at least half of the sessions
        where prompts differ by player."""
        marks = [
            _names_last_prompted(seen) for seen in self.seen.get(self.input_style, ()) if seen.how == "ends"
        ]
        known = [mark for mark in marks if mark is not None]
        return sum(known) * 2 >= len(known)


def _count_finished(seen: Sequence[SessionResult]) -> int:
    return sum(one.how == "ends" for one in seen)


def _count_broken(seen: Sequence[SessionResult]) -> int:
    return sum(one.how not in SOUND_OUTCOMES for one in seen)


def _names_last_prompted(seen: SessionResult) -> bool | None:
    """Return whether the final line names the player prompted last; None if the prompts do not tell.

    The last prompt is compared with earlier ones until one differs in the player it addresses.
    """
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


def preserves_behaviour(parent: Candidate, repaired: Candidate) -> bool:
    """Return True if a repaired candidate behaves like its parent wherever the parent did not break.

    If the fault was that the parent named the wrong player, the repaired one may end elsewhere but must
    name the right one.
    """
    if parent.mismatch and parent.fault == parent.mismatch:
        return repaired.names_the_right_one and repaired.is_comparable
    before, after = parent.seen.get(parent.input_style, ()), repaired.seen.get(parent.input_style, ())
    pairs = zip(before, after, strict=False)
    return all((a.how, a.taken) == (b.how, b.taken) for a, b in pairs if a.how in SOUND_OUTCOMES)


def candidates_agree(candidates: Sequence[Candidate]) -> bool:
    """Return True if sound candidates behave alike, so that no more are needed."""
    return any(
        _agreement(candidate, candidates) > 1 and candidate.survives_nonsense and candidate.is_consistent
        for candidate in candidates
    )


def choose_candidate(candidates: Sequence[Candidate]) -> Candidate:
    """Return the best candidate: in agreement and consistent, else consistent, else in agreement, then
    sound, then most often finished; the earliest of equals."""
    return max(candidates, key=lambda candidate: _rank(candidate, candidates))


def _rank(candidate: Candidate, candidates: Sequence[Candidate]) -> tuple[object, ...]:
    agreement = _agreement(candidate, candidates)
    sound = candidate.survives_nonsense + candidate.names_the_right_one + candidate.uses_every_number
    works = (
        bool(candidate.seen),
        not candidate.crashes,
        candidate.is_consistent and agreement > 1,
        candidate.asks,
    )
    return (
        *works,
        candidate.is_consistent and candidate.is_comparable,
        agreement > 1,
        sound,
        agreement,
        candidate.finished,
    )


def _agreement(candidate: Candidate, candidates: Sequence[Candidate]) -> int:
    """Return how many independently written candidates behave like this one; 0 if it is not comparable.

    Each root counts once, plus the largest group of its candidates that rewrote the same function.
    """
    if not candidate.is_comparable:
        return 0
    alike = [other for other in candidates if other.behaviour == candidate.behaviour]
    agreement = 0
    for root in {other.root for other in alike}:
        apart = {(other.changed, other.origin) for other in alike if other.root == root}
        changes = Counter(changed for changed, _ in apart)
        whole = changes.pop("", 0)
        agreement += whole + max(changes.values(), default=0)
    return agreement


def make_sessions(seed: int = 1) -> dict[str, list[list[str]]]:
    """Return random input lines for each input style, the same numbers in every style."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret, and the same each time
    made: dict[str, list[list[str]]] = {input_style: [] for input_style in INPUT_STYLES}
    for number in range(SESSIONS):
        pairs = [
            (chance.randint(1, LARGEST_NUMBER), chance.randint(1, LARGEST_NUMBER))
            for _ in range(SESSION_LINES)
        ]
        if number % 2:
            pairs[5] = pairs[9] = (99, 99)
        made["spaced"].append([f"{a} {b}" for a, b in pairs])
        made["comma"].append([f"{a},{b}" for a, b in pairs])
        made["single"].append([str(value) for pair in pairs for value in pair])
    return made


async def run_sessions(
    sandbox: Sandbox, path: str, files: Mapping[str, bytes], candidate: Candidate
) -> Candidate:
    """Return `candidate` with the results of all sessions; unchanged if the sandbox cannot run them."""
    text = candidate.text
    typed = make_sessions()
    scripts = [script for input_style in INPUT_STYLES for script in typed[input_style]] + [NONSENSE]
    source = resources.files("engine.llm.local.authoring").joinpath("sandbox_probe.py").read_bytes()
    everything = {**files, path: text.encode("utf-8", "surrogatepass"), PROBE_FILE: source}
    request = RunRequest(
        ("python", PROBE_FILE, path), everything, json.dumps(scripts).encode(), SESSIONS_TIMEOUT_S
    )
    try:
        result = await sandbox.run(request)
    except (NotConfigured, Invalid):
        return candidate
    seen = _parse(result.output)
    if len(seen) != len(scripts):
        return candidate
    parts = [tuple(seen[n * SESSIONS : (n + 1) * SESSIONS]) for n in range(len(INPUT_STYLES))]
    return replace(candidate, seen=dict(zip(INPUT_STYLES, parts, strict=True)), nonsense=seen[-1])


def _parse(output: str) -> list[SessionResult]:
    seen = []
    for line in output.splitlines():
        try:
            raw: dict[str, Any] = json.loads(line)
            seen.append(
                SessionResult(
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


def example_input(candidate: Candidate) -> str:
    """Return input for a run: the session that broke the program, so that the run shows it; else the
    shortest that it finished, else the start of one; "" for a program that reads nothing."""
    if not candidate.asks:
        return ""
    typed = make_sessions()[candidate.input_style]
    for lines, seen in zip(typed, candidate.seen.get(candidate.input_style, ()), strict=False):
        if seen.how not in SOUND_OUTCOMES:
            return "".join(f"{line}\n" for line in lines[: seen.taken])
    ended = [
        lines[: seen.taken]
        for lines, seen in zip(typed, candidate.seen.get(candidate.input_style, ()), strict=False)
        if seen.how == "ends" and seen.taken
    ]
    return "".join(f"{line}\n" for line in min(ended, key=len, default=typed[0][:FEW_LINES]))
