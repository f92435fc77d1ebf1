"""Budgets of a calendar month: of a space, and of each person in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from engine.commands import MonthRule
from engine.domain.budget import Budget, SpendCap, amounts
from engine.errors import Invalid, Refusal

PERCENTS = (50, 80, 100)
"""Parts of a month's budget whose use is told once each to who may raise it."""

_BITS: dict[tuple[SpendCap, int], int] = {
    (cap, percent): 1 << (number + 3 * (cap == "tokens"))
    for cap in ("cost", "tokens")
    for number, percent in enumerate(PERCENTS)
}
FULL = _BITS["cost", 100] | _BITS["tokens", 100]
"""Set in `warned` once a cap is used up, or a call was refused because it did not fit."""


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in a time zone: its name ("2026-11") and its bounds in Unix seconds."""

    name: str
    begins_at: float
    ends_at: float


def month_at(now: float, zone: str) -> Month:
    """Return the month that `now` is in."""
    local = datetime.fromtimestamp(now, ZoneInfo(zone))
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    after = (first + timedelta(days=32)).replace(day=1)
    return Month(f"{first:%Y-%m}", first.timestamp(), after.timestamp())


def day_begins_at(now: float, zone: str) -> float:
    """Return when the day of `now` began in a time zone."""
    local = datetime.fromtimestamp(now, ZoneInfo(zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp()


def checked_rule(rule: MonthRule) -> MonthRule:
    """Return the rule if it can be kept. Raises Invalid with what to write instead."""
    try:
        ZoneInfo(rule.zone)
    except (KeyError, ValueError, OSError):
        raise Invalid(
            f"There is no time zone {rule.zone[:60]!r}.", "Write one such as Europe/Berlin."
        ) from None
    caps = (rule.space_micros, rule.space_tokens, rule.person_micros, rule.person_tokens)
    if any(cap is not None and cap < 1 for cap in caps):
        raise Invalid("A month's budget is more than 0.", "Give a larger one, or take the limit away.")
    return rule


def reached(budget: Budget) -> list[tuple[SpendCap, int, int, int]]:
    """Return (cap, percent, spent, limit) of all parts of a month's budget that are used."""
    caps: tuple[tuple[SpendCap, int, int | None], ...] = (
        ("cost", budget.spent_micros, budget.cap_micros),
        ("tokens", budget.spent_tokens, budget.cap_tokens),
    )
    return [
        (cap, percent, spent, limit)
        for cap, spent, limit in caps
        if limit is not None
        for percent in PERCENTS
        if spent * 100 >= limit * percent
    ]


def bits_of(found: Sequence[tuple[SpendCap, int, int, int]]) -> int:
    """Return the marks of these parts, as `warned` keeps them."""
    return sum(_BITS[cap, percent] for cap, percent, _, _ in found)


def due_notices(
    found: Sequence[tuple[SpendCap, int, int, int]], warned: int
) -> list[tuple[SpendCap, int, int, int]]:
    """Return of each cap the largest part that was not told yet; the smaller ones go without saying."""
    new = {part[0]: part for part in found if not warned & _BITS[part[0], part[1]]}
    return list(new.values())


@dataclass(frozen=True, slots=True)
class MonthLeft:
    """The budget of a space or a person in the current month. None: no cap.

    `by`: the person, "" for the space itself. `full`: nothing starts any more.
    """

    by: str
    month: str
    zone: str
    ends_at: float
    cap_micros: int | None
    cap_tokens: int | None
    spent_micros: int
    spent_tokens: int
    reserved_micros: int = 0
    reserved_tokens: int = 0
    full: bool = False

    @property
    def capped(self) -> bool:
        """Return whether it has a cap."""
        return self.cap_micros is not None or self.cap_tokens is not None

    @property
    def left_micros(self) -> int | None:
        """Return the money that is left, running calls counting with what they may cost."""
        if self.cap_micros is None:
            return None
        return max(0, self.cap_micros - self.spent_micros - self.reserved_micros)

    @property
    def left_tokens(self) -> int | None:
        """Return the tokens that are left, running calls counting with what they may use."""
        if self.cap_tokens is None:
            return None
        return max(0, self.cap_tokens - self.spent_tokens - self.reserved_tokens)

    @property
    def used_up(self) -> bool:
        """Return whether nothing may start: a cap is used up, or a call did not fit any more.

        What running calls hold does not count: most of it is released again.
        """
        money = self.cap_micros is not None and self.spent_micros >= self.cap_micros
        return self.full or money or (self.cap_tokens is not None and self.spent_tokens >= self.cap_tokens)


def refusal(left: MonthLeft, asker: str) -> Refusal:
    """Return why nothing starts in a month whose budget is used up."""
    whose = "This server's budget" if not left.by else "Your budget" if left.by == asker else "The budget"
    return Refusal(
        f"{whose} for {left.month} (time zone {left.zone}) is used up: {used(left)}.",
        "Ask someone who manages the server to raise it with /setup, or wait for the next month.",
    )


def used(left: MonthLeft) -> str:
    """Return what of the caps is used, such as "$9.98 of $10.00, 1,200 of 5,000 tokens"."""
    parts = []
    if left.cap_micros is not None:
        parts.append(" of ".join(amounts("cost", left.spent_micros, left.cap_micros)))
    if left.cap_tokens is not None:
        parts.append(f"{left.spent_tokens:,} of {left.cap_tokens:,} tokens")
    return ", ".join(parts)
