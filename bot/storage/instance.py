"""A random name of this database, which tells what it made from what an older one made."""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import Connection, select

from bot.storage.tables import cursors
from bot.storage.upsert import insert_once
from engine.ports import Database


async def instance_of(database: Database) -> str:
    """Return the database's name, the same for ever."""
    values = {"name": "instance", "seq": secrets.randbits(40)}
    query = select(cursors.c.seq).where(cursors.c.name == "instance")

    def work(connection: Connection) -> str:
        insert_once(connection, cursors, values)
        return f"{connection.execute(query).scalar():x}"

    return await database.write(work)


def nonce_of(instance: str, *parts: object) -> str:
    """Return a nonce for one message, at most 25 characters.

    Discord keeps nonces for minutes for each author over all channels: without the instance, a new database
    under the same bot would get the older one's messages back as its own.
    """
    text = ":".join(map(str, (instance, *parts)))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
