"""The budget tree: what a call may still reserve, when a cap is near, and when it is reached. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.commands import Limits
from engine.ports import Quote

WARN_PERCENT = 80
NEAR_SPEND, NEAR_MINUTES, NEAR_AGENTS, FULL_AGENTS = 1, 2, 4, 8
"""What was said of a budget, as its `warned` keeps it, so that it is said once for each cap."""

CENT = 10_000
CENTS_ENOUGH = 1_000_000
"""Micro-dollars of a cap from which its use is told in whole cents."""

SpendCap = Literal["cost", "tokens"]
CapName = Literal["cost", "tokens", "agents", "minutes"]


@dataclass(frozen=True, slots=True)
class Budget:
    """A cap on money (micro-dollars) and tokens of a task, or of the subtree of `agent_id`.

    None: no cap of its own. `reserved` is held by running calls; parents include their children's amounts.
    `month`: of a month's budget its name; it is that of the person `by`, "" for the space's own.
    """

    id: int
    agent_id: int | None
    cap_micros: int | None
    cap_tokens: int | None
    spent_micros: int = 0
    spent_tokens: int = 0
    reserved_micros: int = 0
    reserved_tokens: int = 0
    month: str = ""
    by: str = ""

    def is_spent(self, need: Quote) -> bool:
        """Return whether `need` does not fit even if all running calls cost nothing."""
        return not (
            _fits(self.spent_micros + need.cost_micros, self.cap_micros)
            and _fits(self.spent_tokens + need.tokens, self.cap_tokens)
        )

    def nearest(self) -> tuple[SpendCap, int, int]:
        """Return (cap, spent, limit) of the cap with the largest used part; limit 0 when there is none."""
        money = self.spent_micros / self.cap_micros if self.cap_micros else 0.0
        tokens = self.spent_tokens / self.cap_tokens if self.cap_tokens else 0.0
        if money >= tokens and self.cap_micros:
            return "cost", self.spent_micros, self.cap_micros
        return "tokens", self.spent_tokens, self.cap_tokens or 0

    def binding(self, need: Quote) -> tuple[SpendCap, int, int]:
        """Return (cap, spent, limit) of the cap that `need` would exceed."""
        if not _fits(self.spent_micros + need.cost_micros, self.cap_micros):
            return "cost", self.spent_micros, self.cap_micros or 0
        return "tokens", self.spent_tokens, self.cap_tokens or 0


def _fits(amount: int, cap: int | None) -> bool:
    return cap is None or amount <= cap


def spent_budget(path: Sequence[Budget], need: Quote) -> Budget | None:
    """Return the first budget of the path (the task's first) that is used up; None: wait for running
    calls."""
    return next((budget for budget in path if budget.is_spent(need)), None)


def is_near(spent: int, limit: int) -> bool:
    """Return whether `WARN_PERCENT` of a limit is used."""
    return limit > 0 and spent * 100 >= limit * WARN_PERCENT


def estimated_micros(held: Quote | None, tokens: int) -> int:
    """Return the money that `tokens` cost at the average price of a quote, 0 when no price is known."""
    return tokens * held.cost_micros // held.tokens if held is not None and held.tokens else 0


def amounts(cap: str, spent: int, limit: int) -> tuple[str, str]:
    """Format what is spent and its limit. Small money has four decimals where two would not tell the two
    apart as they are: a cap of $0.02 stops a task that has used $0.0149."""
    if cap != "cost" or limit >= CENTS_ENOUGH or not (spent % CENT or limit % CENT):
        return amount(cap, spent), amount(cap, limit)
    return f"${spent / 1e6:,.4f}", f"${limit / 1e6:,.4f}"


def amount(cap: str, value: int) -> str:
    """Format a value of a cap for people."""
    return f"${value / 1e6:,.2f}" if cap == "cost" else f"{value:,}"


def in_numbers(caps: Limits) -> str:
    """Format the caps on agents, money, tokens and minutes; "" when none is set."""
    named = (
        ("agents", caps.agents, " agents"),
        ("cost", caps.cost_micros, ""),
        ("tokens", caps.tokens, " tokens"),
        ("minutes", caps.minutes, " minutes"),
    )
    return ", ".join(f"{amount(cap, value)}{unit}" for cap, value, unit in named if value is not None)
