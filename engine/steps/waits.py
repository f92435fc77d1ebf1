"""Waits in the commit of a step: a new one, and those that it makes true."""

from __future__ import annotations

from engine.domain.effects import WaitFor
from engine.errors import Stale
from engine.lifecycle.waits import end_waits, set_waits, true_now, waits_on
from engine.steps.unit_of_work import UnitOfWork

_SHOWN = 5
"""Assignments that the end of a wait for a file names."""


def apply_wait_for(effect: WaitFor, unit: UnitOfWork) -> None:
    """Store the waits, under the lock of the order in which files and assignments change."""
    there = true_now(unit.connection, unit.task_id, effect.awaited)
    left = [each for each in effect.awaited if each not in there]
    if not left:
        raise Stale("it is there meanwhile")
    set_waits(unit.connection, unit.task_id, unit.agent.id, left, unit.now)


def file_is_there(unit: UnitOfWork, path: str) -> None:
    """Wake who waits for this file only, which this commit writes, and say to what open work it may belong:
    others do not see a colleague's assignments, and could take a first draft for what is handed in."""
    mine = [f"#{w.id}" for w in unit.turn.facts.work if w.assignee_id == unit.agent.id and w.state == "open"]
    still = f" Not handed in yet: {', '.join(mine[-_SHOWN:])}." if mine else ""
    _end(unit, f"{path} is there now (by {unit.agent.name}).{still}", path=path)


def assignment_is(unit: UnitOfWork, number: int, state: str, told: int) -> None:
    """Wake who waits for this assignment only, which this commit hands in or cancels; `told`: who gets the
    work itself, which says so."""
    _end(
        unit, f"#{number} is {state} now.", assignment=number, all_of=state == "cancelled", told_by_work=told
    )


def _end(
    unit: UnitOfWork,
    told: str,
    *,
    path: str = "",
    assignment: int | None = None,
    all_of: bool = False,
    told_by_work: int | None = None,
) -> None:
    rows = waits_on(unit.connection, unit.task_id, path=path, assignment=assignment)
    taken = {row.id for row in unit.taken}
    if not taken.issuperset(row.agent_id for row in rows):
        raise Stale("somebody began to wait for this meanwhile")
    for ended in end_waits(unit.connection, rows, told, all_of=all_of):
        if ended.agent_id == told_by_work:
            continue
        unit.add_message(ended.agent_id, ended.text, kind="system", name="system", priority=3)
