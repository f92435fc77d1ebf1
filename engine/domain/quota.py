"""What one person may use in a space, and what is left of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from engine.commands import Quota
from engine.domain.budget import amount
from engine.errors import Invalid, Refusal

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Used:
    """What a person has used: tasks that run now, starts and cost of the last 24 hours."""

    running: int = 0
    starts: int = 0
    cost_micros: int = 0


def over_quota(quota: Quota, used: Used, asked_micros: int) -> Refusal | None:
    """Return why a person may not start a task that may cost `asked_micros`; None when they may."""
    if quota.running is not None and used.running >= quota.running:
        return Refusal(
            f"You have {used.running} of {quota.running} tasks running, the most one person may have here.",
            "Wait for one to end, or stop one: /task stop.",
        )
    if quota.starts is not None and used.starts >= quota.starts:
        return Refusal(
            f"You have started {used.starts} of {quota.starts} tasks in the last 24 hours, the most one "
            "person may start here.",
            "Try again later, or ask somebody else to start it.",
        )
    if quota.cost_micros is not None and used.cost_micros + asked_micros > quota.cost_micros:
        left = max(0, quota.cost_micros - used.cost_micros)
        return Refusal(
            f"One person may use {amount('cost', quota.cost_micros)} in 24 hours here, and "
            f"{amount('cost', left)} of yours is left. This needs {amount('cost', asked_micros)}.",
            "Choose a smaller budget." if left else "Try again later.",
        )
    return None


def check_quota(quota: Quota, used: Used, asked_micros: int) -> None:
    """Check that a person may start a task. Raises Invalid."""
    why = over_quota(quota, used, asked_micros)
    if why:
        raise Invalid(why.reason, why.next_step)
