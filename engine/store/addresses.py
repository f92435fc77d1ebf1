"""The addresses that occurred in a task, with where: only these may be read in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from engine.domain.addresses import AddressBasis, addresses_in_text
from engine.store.core import TASK_ADDRESSES

MOST = 400
"""Addresses that are kept of one text or answer."""


def add_addresses(
    connection: Connection, task_id: int, found: Iterable[str], basis: AddressBasis, now: float
) -> None:
    """Note normalised addresses of a task. One that is there keeps the better basis: people's words, then a
    search, then a page."""
    listed = list(dict.fromkeys(found))[:MOST]
    if not listed:
        return
    rows = [
        {"task_id": task_id, "digest": _digest(one), "address": one, "basis": basis, "at": now}
        for one in sorted(listed)  # in one order, so that two writers do not wait for each other
    ]
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    new = make(TASK_ADDRESSES).values(rows)
    either = [TASK_ADDRESSES.c.basis, new.excluded.basis]
    better = sa.case(
        *((sa.or_(*(one == name for one in either)), name) for name in ("person", "search")), else_="page"
    )
    key = ["task_id", "digest"]
    connection.execute(new.on_conflict_do_update(index_elements=key, set_={"basis": better}))


def add_words(connection: Connection, task_id: int, text: str, now: float) -> None:
    """Note the addresses in what a person wrote to a task."""
    add_addresses(connection, task_id, addresses_in_text(text), "person", now)


def bases_of(connection: Connection, task_id: int, addresses: Iterable[str]) -> Mapping[str, AddressBasis]:
    """Return where these addresses occurred in a task; those that did not are left out."""
    wanted = {_digest(one): one for one in addresses}
    if not wanted:
        return {}
    here = sa.and_(TASK_ADDRESSES.c.task_id == task_id, TASK_ADDRESSES.c.digest.in_(wanted))
    query = sa.select(TASK_ADDRESSES.c.digest, TASK_ADDRESSES.c.basis).where(here)
    return {wanted[row.digest]: row.basis for row in connection.execute(query)}


def _digest(address: str) -> str:
    return hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()
