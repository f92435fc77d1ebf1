"""Queries of a task's packages: what is pinned, and what people said of those that were asked for."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.packages import Asked, Pin
from engine.store.core import GATES, PACKAGE_REQUESTS, PACKAGES


def pins_of(connection: Connection, task_id: int) -> tuple[Pin, ...]:
    """Return the packages of a task, by name."""
    query = sa.select(PACKAGES.c.name, PACKAGES.c.version, PACKAGES.c.file, PACKAGES.c.sha256)
    rows = connection.execute(query.where(PACKAGES.c.task_id == task_id).order_by(PACKAGES.c.name))
    return tuple(Pin(*row) for row in rows)


def asked_of(connection: Connection, task_id: int) -> Asked:
    """Return what people said of packages in this task; the newest answer counts."""
    query = (
        sa.select(PACKAGE_REQUESTS.c.name, GATES.c.basis, GATES.c.choice_id)
        .join(GATES, GATES.c.id == PACKAGE_REQUESTS.c.gate_id)
        .where(PACKAGE_REQUESTS.c.task_id == task_id)
        .order_by(GATES.c.id)
    )
    last = {row.name: (row.basis, row.choice_id) for row in connection.execute(query)}

    def those(*answers: tuple[str | None, str | None]) -> frozenset[str]:
        return frozenset(name for name, answer in last.items() if answer in answers)

    refused = those(("person", "refuse_packages"), ("timeout", "refuse_packages"))
    return Asked(those(("person", "allow_packages")), refused, those((None, None)))


def asked_in(connection: Connection, gate_id: int) -> list[str]:
    """Return the packages that a gate asks for."""
    query = sa.select(PACKAGE_REQUESTS.c.name).where(PACKAGE_REQUESTS.c.gate_id == gate_id)
    return list(connection.execute(query.order_by(PACKAGE_REQUESTS.c.name)).scalars())
