"""Effects of packages: people are asked for them, and those that were fetched belong to the task."""

from __future__ import annotations

from engine.domain.effects import AddPackages, AskPackages, RaiseGate
from engine.domain.gates import choices_of
from engine.domain.packages import MAX_PINS
from engine.errors import Stale
from engine.events import PackagesAdded
from engine.steps.apply import open_gate
from engine.steps.unit_of_work import UnitOfWork
from engine.store.core import PACKAGE_REQUESTS, PACKAGES
from engine.store.packages import pins_of


def apply_ask_packages(effect: AskPackages, unit: UnitOfWork) -> None:
    """Ask people about packages, by a gate that keeps their names."""
    gate = open_gate(unit, RaiseGate("packages", effect.question, choices_of("packages")), unit.own_group)
    rows = [{"gate_id": gate, "name": name, "task_id": unit.task_id} for name in effect.names]
    unit.connection.execute(PACKAGE_REQUESTS.insert(), rows)


def apply_add_packages(effect: AddPackages, unit: UnitOfWork) -> None:
    """Pin the packages. Raises Stale when others pinned another version of one meanwhile."""
    known = {pin.name: pin for pin in pins_of(unit.connection, unit.task_id)}
    new = [pin for pin in effect.pins if known.setdefault(pin.name, pin) is pin]
    if any(known[pin.name].sha256 != pin.sha256 for pin in effect.pins) or len(known) > MAX_PINS:
        raise Stale("the packages of the task changed meanwhile")
    for pin in new:
        values = {"version": pin.version, "file": pin.file, "sha256": pin.sha256}
        who = {"agent": unit.agent.name, "at": unit.now}
        unit.connection.execute(
            PACKAGES.insert().values(task_id=unit.task_id, name=pin.name, **values, **who)
        )
    if new:
        shown = tuple(pin.shown for pin in new)
        unit.event(PackagesAdded(unit.task_id, unit.own_group, unit.agent.id, unit.agent.name, shown))
