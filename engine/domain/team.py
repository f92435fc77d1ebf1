"""How large a team may grow, and when the people are asked first; one rule for the tool and the commit."""

from __future__ import annotations

from dataclasses import dataclass

from engine.domain.state import TaskFacts


@dataclass(frozen=True, slots=True)
class Team:
    """A task's team at one moment, what a step has staged counted in: agents of the task, members of the
    caller's group, how many more its budgets allow (None: as many as the task), and the plan's state."""

    agents: int
    max_agents: int
    members: int
    room: int | None
    plan_state: str


def too_many(team: Team, wanted: int, task: TaskFacts, *, boss: bool, approval_over: int) -> str:
    """Return why `wanted` more agents may not join, in words for the model; "" when they may."""
    if team.members + wanted > task.max_members:
        return (
            f"A head may lead {task.max_members}; you have {team.members}. "
            "Let members recruit members of their own."
        )
    if team.agents + wanted > team.max_agents:
        return (
            f"This task may have {team.max_agents} agents and has {team.agents}. "
            "Recruit fewer or do it yourself."
        )
    if team.room is not None and wanted > team.room:
        return (
            f"Your group may have {max(team.room, 0)} more agents. Recruit fewer, or ask your head for more."
        )
    return _unapproved(team, wanted, task, boss=boss, approval_over=approval_over)


def _unapproved(team: Team, wanted: int, task: TaskFacts, *, boss: bool, approval_over: int) -> str:
    if team.plan_state == "proposed":
        return "Your plan waits for the people's approval. End your turn; you are woken by the answer."
    if team.agents + wanted <= approval_over or team.plan_state != "none":
        return ""
    if boss:
        return f"More than {approval_over} agents: call propose_plan first, then recruit."
    if task.attended:
        return (
            f"More than {approval_over} agents need a plan that the people have seen. "
            "Ask the boss to call propose_plan, or do it with fewer."
        )
    return ""
