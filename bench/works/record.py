"""One small work: what is asked, the check that nobody who works on it sees, and a solution that passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal[
    "function with examples",
    "function in words",
    "program with arguments",
    "filter of standard input",
    "dialogue",
    "program and tests",
    "files in, files out",
    "document",
]

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Work:
    """A goal in a person's words. `files`: those it names, in order.

    `check` is Python that calls `check(name, bool)` of `bench.works.marking`'s prelude; all must hold.
    `reference` passes it.
    """

    name: str
    kind: Kind
    goal: str
    files: tuple[str, ...]
    check: str
    reference: Mapping[str, str] = field(default_factory=dict)
