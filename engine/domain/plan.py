"""What people answer to a plan: approve, approve within caps, cancel, or an edit in words."""

from __future__ import annotations

import re
from dataclasses import dataclass

_AGENTS = re.compile(r"(\d[\d,]{0,14})\s*agents?\b", re.IGNORECASE)
_MONEY = re.compile(r"\$\s*(\d[\d,]{0,12}(?:\.\d+)?)")
_TOKENS = re.compile(r"(\d[\d,]{0,14})\s*tokens?\b", re.IGNORECASE)
_MINUTES = re.compile(r"(\d[\d,]{0,14})\s*minutes?\b", re.IGNORECASE)


MOST = 2_000_000_000
"""No cap of whole numbers is larger: columns hold 32 bits."""


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """`approved` with caps where the words name them (money in micro-dollars); else the words decide."""

    approved: bool
    agents: int | None = None
    cost_micros: int | None = None
    tokens: int | None = None
    minutes: int | None = None

    @property
    def capped(self) -> bool:
        """Whether any cap was named."""
        return any(v is not None for v in (self.agents, self.cost_micros, self.tokens, self.minutes))


def read_answer(text: str) -> PlanAnswer:
    """An answer that begins with "approve" approves, within what it names: 20 agents, $2, 30 minutes."""
    if not text.strip().casefold().startswith("approve"):
        return PlanAnswer(approved=False)
    money = _MONEY.search(text)
    return PlanAnswer(
        approved=True,
        agents=_whole(_AGENTS, text),
        cost_micros=round(float(money[1].replace(",", "")) * 1e6) or None if money else None,
        tokens=_whole(_TOKENS, text),
        minutes=_whole(_MINUTES, text),
    )


def _whole(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return min(int(found[1].replace(",", "")), MOST) or None if found else None
