"""Sum what was spent by person, task and model (pure)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from engine.queries import SpendingView


@dataclass(frozen=True, slots=True)
class Total:
    """What one person, task or model comes to. `key`: what it is, None for all that are not shown."""

    key: Hashable
    name: str
    cost_micros: int
    tokens: int
    calls: int


@dataclass(frozen=True, slots=True)
class Report:
    """The spending of a period, the dearest first in each list. `unpriced`: calls at a ceiling price;
    `estimated`: calls by an estimate of what they used."""

    cost_micros: int
    tokens: int
    calls: int
    unpriced: int
    estimated: int
    people: tuple[Total, ...]
    tasks: tuple[Total, ...]
    models: tuple[Total, ...]


def report_of(rows: Sequence[SpendingView]) -> Report:
    """Return the sums of rows."""
    return Report(
        sum(row.cost_micros for row in rows),
        sum(row.tokens for row in rows),
        sum(row.calls for row in rows),
        sum(row.unpriced for row in rows),
        sum(row.estimated for row in rows),
        _by(rows, lambda row: row.by, lambda row: row.by),
        _by(rows, lambda row: row.task_id, lambda row: row.title),
        _by(rows, lambda row: (row.kind, row.name), lambda row: row.name),
    )


def _by(
    rows: Sequence[SpendingView],
    key: Callable[[SpendingView], Hashable],
    name: Callable[[SpendingView], str],
) -> tuple[Total, ...]:
    found: dict[Hashable, Total] = {}
    for row in rows:
        old = found.get(key(row)) or Total(key(row), name(row), 0, 0, 0)
        found[key(row)] = Total(
            old.key,
            old.name,
            old.cost_micros + row.cost_micros,
            old.tokens + row.tokens,
            old.calls + row.calls,
        )
    return tuple(sorted(found.values(), key=_dearest))


def _dearest(total: Total) -> tuple[int, int, str]:
    return -total.cost_micros, -total.tokens, str(total.key)


def shown(totals: Sequence[Total], most: int, others: str) -> list[Total]:
    """Return at most `most` totals; those that are left are one, named `others` with their number."""
    if len(totals) <= most:
        return list(totals)
    rest = totals[most - 1 :]
    summed = Total(
        None,
        others.format(count=len(rest)),
        sum(each.cost_micros for each in rest),
        sum(each.tokens for each in rest),
        sum(each.calls for each in rest),
    )
    return [*totals[: most - 1], summed]
