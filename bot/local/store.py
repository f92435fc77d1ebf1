"""The world on disk: one SQLite file that holds a write before it is answered, the rest soon after.

Only what changed is written: messages one by one, everything else as one small document. Each
write is one transaction, so a killed process leaves a whole world with all that was answered.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import discord
from pydantic import TypeAdapter, ValidationError
from simcord.backend.models import Channel, Guild, GuildEmoji, Message, User, Webhook
from simcord.enums import ChannelType

from bot.local.options import LocalOptions
from bot.local.world import NONCE_MEMORY, World

_log = logging.getLogger(__name__)

FILE_NAME = "discord.sqlite3"
LOBBY_TOPIC = "Type /task new to give the agents a goal; /help explains the rest"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS world (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
    channel INTEGER NOT NULL, id INTEGER NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (channel, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nonces (
    nonce TEXT PRIMARY KEY, channel INTEGER NOT NULL, message INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blobs (path TEXT PRIMARY KEY, data BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Home:
    """Who lives in the one guild, and the bot's token."""

    guild_id: int
    you: int
    guest: int
    token: str


@dataclass(frozen=True, slots=True)
class Core:
    """Everything but messages and files."""

    home: Home
    base: str
    bot_id: int
    application_id: int
    guilds: list[Guild]
    users: list[User]
    channels: list[Channel]
    webhooks: list[Webhook]
    hook_avatars: dict[int, str] = field(default_factory=dict)
    hook_applications: dict[int, int | None] = field(default_factory=dict)
    emojis: list[GuildEmoji] = field(default_factory=list)
    commands: list[tuple[int | None, dict[str, Any]]] = field(default_factory=list)


_CORE = TypeAdapter(Core)
_MESSAGE = TypeAdapter(Message)


@dataclass(frozen=True, slots=True)
class Changes:
    """One transaction's worth of writing."""

    core: str | None
    written: list[tuple[int, int, str]]
    deleted: list[tuple[int, int]]
    deleted_channels: list[int]
    blobs: list[tuple[str, bytes]]
    nonces: list[tuple[str, int, int]] = field(default_factory=list)
    forgotten: int = 0
    """Nonces of messages before this one no longer count."""

    def __bool__(self) -> bool:
        some = self.written or self.deleted or self.deleted_channels or self.blobs or self.nonces
        return self.core is not None or bool(some)


class BrokenWorldError(Exception):
    """The saved world cannot be read; the message names the file and what to do."""


#: SQLite's codes for a file that is damaged or none of its own; what Python cannot decode has no code.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _broken(path: str, error: sqlite3.Error) -> BrokenWorldError:
    """Return the error in words: a damaged file is one thing, a full disk or a second copy another."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & 0xFF in _DAMAGED:  # the higher bits say more exactly what
        return BrokenWorldError(
            f"{path} is damaged and cannot be read ({error}); move the file away to start with a new one"
        )
    return BrokenWorldError(
        f"{path} cannot be opened ({error}); see that no other copy of the bot uses it, "
        "that the disk has room and that the file is yours to write, then start again"
    )


def _open_database(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.executescript(_SCHEMA)
    except sqlite3.Error as error:
        database.close()
        raise _broken(path, error) from error
    return database


class WorldFile:
    """Loads a world when it starts and writes its changes while it lives."""

    def __init__(self, folder: Path | None) -> None:
        self._path = str(_private(folder) / FILE_NAME) if folder else ":memory:"
        self._outlives = folder is not None
        self._db = _open_database(self._path)
        self._lock = Lock()
        try:
            self.page_key = self._kept_key()
        except sqlite3.Error as error:
            self._db.close()
            raise _broken(self._path, error) from error
        # A thread of its own: answers wait for it, and the common ones may be busy for seconds.
        self._writer = ThreadPoolExecutor(1, "local-discord-writer")
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[bool] | None = None
        self._enough = asyncio.Event()
        self._world: World | None = None
        self._home: Home | None = None

    def _kept_key(self) -> str:
        """Return the key of the page's address; it stays the same, so that an open page keeps working."""
        self._db.execute("INSERT OR IGNORE INTO world VALUES ('key', ?)", (secrets.token_urlsafe(32),))
        (key,) = self._db.execute("SELECT value FROM world WHERE key = 'key'").fetchone()
        return str(key)

    # ----------------------------------------------------------------- loading

    def open(self, world: World, options: LocalOptions) -> Home:
        """Fill ``world`` from the file, or found a new guild; raises BrokenWorldError."""
        try:
            row = self._db.execute("SELECT value FROM world WHERE key = 'core'").fetchone()
            self._home = self._load(world, row[0]) if row else _found(world, options)
        except sqlite3.Error as error:
            raise _broken(self._path, error) from error
        except (ValidationError, KeyError) as error:
            raise BrokenWorldError(
                f"{self._path} holds a world this version cannot read; "
                "move the file away to start with a new one"
            ) from error
        self._world = world
        return self._home

    def _load(self, world: World, text: str) -> Home:
        old_base = _CORE.validate_json(text).base
        core = _CORE.validate_json(world.cdn.sign(text.replace(old_base, world.cdn.base)))
        _restore(world, core)
        rows = self._db.execute("SELECT value FROM messages ORDER BY channel, id")
        for (value,) in rows:
            message = _MESSAGE.validate_json(world.cdn.sign(value.replace(old_base, world.cdn.base)))
            channel = world.channels.get(message.channel_id)
            if channel is not None:
                world.messages[channel.id][message.id] = message
                channel.last_message_id = message.id
                world.remember_id(message.id)
        rows = self._db.execute("SELECT * FROM nonces WHERE message >= ?", (world.first_id(NONCE_MEMORY),))
        world.nonces = {nonce: (channel, message) for nonce, channel, message in rows}
        for channel in world.channels.values():
            if channel.is_thread:
                channel.message_count = len(world.messages[channel.id])
        if old_base == world.cdn.base:
            world.unsaved.core = False
        else:
            world.unsaved.messages = {(c, m) for c, ms in world.messages.items() for m in ms}
        return core.home

    def load_blob(self, path: str) -> bytes | None:
        """An uploaded file that has been written already."""
        with self._lock:
            row = self._db.execute("SELECT data FROM blobs WHERE path = ?", (path,)).fetchone()
        return None if row is None else bytes(row[0])

    # ------------------------------------------------------------------ saving

    async def keep_saving(self, every: float) -> None:
        """Write what has changed every so many seconds, until ``enough`` is called."""
        while not self._enough.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._enough.wait()
            await self._write_next()

    async def saved(self) -> bool:
        """Wait until all that has changed so far is on disk -> False (and logged) when it could not be.

        Those who wait meanwhile share the next transaction. A world in memory has nothing to wait for.
        """
        if not self._outlives:
            return True
        if self._next is None:
            self._next = asyncio.create_task(self._join_next())
        return await asyncio.shield(self._next)

    async def _join_next(self) -> bool:
        async with self._turn:
            self._next = None
            return await self._write_behind()

    async def _write_next(self) -> None:
        async with self._turn:
            await self._write_behind()

    def enough(self) -> None:
        """End ``keep_saving`` after the write it is at; cancelling it could lose that one."""
        self._enough.set()

    async def _write_behind(self) -> bool:
        changes = self._collect()
        if not changes:
            return True
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._write, changes)
        except sqlite3.Error as error:
            self._put_back(changes)
            _log.error("The local Discord could not be saved to %s: %s", self._path, error)
            return False
        self._written(changes)
        return True

    def save(self) -> None:
        """Write what has changed, now."""
        changes = self._collect()
        if changes:
            self._write(changes)
            self._written(changes)

    def close(self) -> None:
        """Write what has changed and close the file; what cannot be written is logged as lost."""
        self._writer.shutdown()
        try:
            self.save()
        except sqlite3.Error as error:
            _log.error("The last changes could not be saved to %s and are lost: %s", self._path, error)
        with self._lock:
            self._db.close()

    def _collect(self) -> Changes:
        world, home = self._world, self._home
        if world is None or home is None:
            return Changes(None, [], [], [], [])
        unsaved = world.unsaved
        written, deleted = [], []
        for channel, message_id in unsaved.messages:
            message = world.messages.get(channel, {}).get(message_id)
            if message is None:
                deleted.append((channel, message_id))
            elif not message.is_ephemeral:
                written.append((channel, message_id, _MESSAGE.dump_json(message).decode()))
        core = _CORE.dump_json(_snapshot(world, home)).decode() if unsaved.core else None
        changes = Changes(
            core,
            written,
            deleted,
            list(unsaved.deleted_channels),
            [*world.cdn.unsaved.items()],
            [(nonce, *world.nonces[nonce]) for nonce in unsaved.nonces if nonce in world.nonces],
            world.first_id(NONCE_MEMORY),
        )
        unsaved.nonces.clear()
        unsaved.core = False
        unsaved.messages.clear()
        unsaved.deleted_channels.clear()
        return changes

    def _write(self, changes: Changes) -> None:
        with self._lock:
            run = self._db.execute
            run("BEGIN IMMEDIATE")
            try:
                self._write_all(changes)
            except sqlite3.Error:
                if self._db.in_transaction:  # SQLite itself rolls back when the disk is full
                    run("ROLLBACK")
                raise
            run("COMMIT")

    def _write_all(self, changes: Changes) -> None:
        if changes.core is not None:
            self._db.execute("INSERT OR REPLACE INTO world VALUES ('core', ?)", (changes.core,))
        many = self._db.executemany
        many("INSERT OR REPLACE INTO messages VALUES (?, ?, ?)", changes.written)
        many("DELETE FROM messages WHERE channel = ? AND id = ?", changes.deleted)
        many("INSERT OR REPLACE INTO blobs VALUES (?, ?)", changes.blobs)
        if changes.nonces:
            many("INSERT OR REPLACE INTO nonces VALUES (?, ?, ?)", changes.nonces)
            self._db.execute("DELETE FROM nonces WHERE message < ?", (changes.forgotten,))
        many("DELETE FROM messages WHERE channel = ?", [(c,) for c in changes.deleted_channels])
        prefixes = [(f"/cdn/attachments/{channel}/*",) for channel in changes.deleted_channels]
        many("DELETE FROM blobs WHERE path GLOB ?", prefixes)

    def _put_back(self, changes: Changes) -> None:
        """Try the same again with the next write."""
        if self._world is None:
            return
        unsaved = self._world.unsaved
        unsaved.core |= changes.core is not None
        unsaved.messages.update((channel, message) for channel, message, _ in changes.written)
        unsaved.messages.update(changes.deleted)
        unsaved.deleted_channels.update(changes.deleted_channels)
        unsaved.nonces.update(nonce for nonce, _, _ in changes.nonces)

    def _written(self, changes: Changes) -> None:
        if self._world is not None:
            for path, _ in changes.blobs:
                self._world.cdn.unsaved.pop(path, None)


def _private(folder: Path) -> Path:
    """The folder and the world in it for this user alone; sqlite's other files take after the first."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / FILE_NAME).touch(mode=0o600)
    for file in folder.glob(FILE_NAME + "*"):
        file.chmod(0o600)
    return folder


def _snapshot(world: World, home: Home) -> Core:
    return Core(
        home=home,
        base=world.cdn.base,
        bot_id=world.bot_user.id,
        application_id=world.application_id,
        guilds=[*world.guilds.values()],
        users=[*world.users.values()],
        channels=[*world.channels.values()],
        webhooks=[*world.webhooks.values()],
        hook_avatars=world.hook_avatars,
        hook_applications=world.hook_applications,
        emojis=[*world.application_emojis.values()],
        commands=[(s, c) for s, known in world.commands.items() for c in known.values()],
    )


def _restore(world: World, core: Core) -> None:
    world.application_id = core.application_id
    world.guilds = {guild.id: guild for guild in core.guilds}
    world.users = {user.id: user for user in core.users}
    world.bot_user = world.users[core.bot_id]
    world.channels = {channel.id: channel for channel in core.channels}
    world.messages = {channel.id: {} for channel in core.channels}
    direct = [channel for channel in core.channels if channel.type == ChannelType.DM]
    world.dm_channels = {channel.recipient_ids[0]: channel.id for channel in direct}
    world.webhooks = {hook.id: hook for hook in core.webhooks}
    world.webhook_tokens = {hook.token: hook.id for hook in core.webhooks}
    world.hook_avatars = dict(core.hook_avatars)
    world.hook_applications = dict(core.hook_applications)
    world.application_emojis = {emoji.id: emoji for emoji in core.emojis}
    for scope, command in core.commands:
        world.commands.setdefault(scope, {})[command["name"], command["type"]] = command
    for known in (world.guilds, world.users, world.channels, world.webhooks):
        for known_id in known:
            world.remember_id(known_id)


def _found(world: World, options: LocalOptions) -> Home:
    """A new guild with a lobby, its owner, a guest and the bot."""
    world.bot_user.name = options.bot_name
    you = world.make_user("you", global_name="You")
    guild = world.create_guild(options.guild_name, owner_id=you.id)
    invited = discord.Permissions(**dict.fromkeys(options.bot_permissions, True))
    next(role for role in guild.roles.values() if role.managed).permissions = invited.value
    admin = world.create_role(guild.id, "Admin", permissions=discord.Permissions(administrator=True).value)
    guild.members[you.id].role_ids.append(admin.id)
    guest = world.make_user("guest", global_name="Guest")
    world.add_member(guild.id, guest.id)
    world.create_channel(guild.id, "lobby", topic=LOBBY_TOPIC)
    return Home(guild.id, you.id, guest.id, secrets.token_urlsafe(32))
