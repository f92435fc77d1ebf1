"""What agents do between their words, as one line of small print under the next ones (pure).

Whom an agent recruited and what it gave them is told at once, on its own where it said nothing with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from bot.discord.formatting import cut, plain
from bot.texts import outbox as wording

ActKind = Literal[
    "wrote",
    "merged",
    "deleted",
    "ran",
    "failed",
    "passed",
    "called",
    "packages",
    "reopened",
    "gave",
    "accepted",
    "recruited",
    "led",
]

MOST = 40
"""Acts kept for an agent's next words; what came before them is told on its own."""

TOLD_AT_ONCE: frozenset[ActKind] = frozenset({"recruited", "gave"})
"""What comes before others' words, so that it does not wait for the agent's next ones: who has to do what."""

OF_WHOM: frozenset[ActKind] = frozenset({"gave", "accepted", "reopened"})
"""Acts of which two with one subject are two, where the detail says whose work it is."""

SHOWN = 5
LINE = 400
SUBJECT = 60


@dataclass(frozen=True, slots=True)
class Act:
    """One thing an agent did: to a `subject`, with a `detail` such as who got it or how it ended."""

    kind: ActKind
    subject: str
    detail: str = ""


def dump_acts(acts: Iterable[Act]) -> list[dict[str, str]]:
    """Return acts as JSON-compatible data."""
    return [asdict(act) for act in acts]


def load_acts(data: Sequence[Mapping[str, str]]) -> tuple[Act, ...]:
    """Return the acts that `dump_acts` stored; kinds of other versions are left out."""
    known = get_args(ActKind)
    return tuple(Act(**each) for each in data if each.get("kind") in known)  # type: ignore[arg-type]


def small_print(acts: Sequence[Act]) -> str:
    """Return one line for all of an agent's acts, "" for none: each subject once, its latest act counts."""
    latest: dict[tuple[str, str, str], Act] = {}
    for act in acts:
        key = (_family(act.kind), act.subject, act.detail if act.kind in OF_WHOM else "")
        latest.pop(key, None)
        latest[key] = act
    parts = [_part(kind, [act for act in latest.values() if act.kind == kind]) for kind in wording.ACTS]
    line = " · ".join(part for part in parts if part)
    return wording.SMALL_PRINT.format(text=cut(line, LINE)) if line else ""


def _family(kind: ActKind) -> str:
    return {"failed": "ran", "passed": "ran", "merged": "wrote", "deleted": "wrote"}.get(kind, kind)


def _part(kind: str, acts: Sequence[Act]) -> str:
    if not acts:
        return ""
    names = ", ".join(_name(act) for act in acts[:SHOWN])
    more = wording.AND_MORE.format(count=len(acts) - SHOWN) if len(acts) > SHOWN else ""
    return wording.ACTS[kind].format(names=names + more)


def _name(act: Act) -> str:
    subject = plain(act.subject, SUBJECT)
    if act.kind in ("wrote", "merged", "deleted", "ran", "failed", "passed"):
        subject = f"`{cut(' '.join(act.subject.replace('`', chr(39)).split()), SUBJECT)}`"
    form = wording.ACT_NAMES.get(act.kind, "{subject}") if act.detail else "{subject}"
    return form.format(subject=subject, detail=plain(act.detail, SUBJECT))
