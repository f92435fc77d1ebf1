"""Tables of servers' settings, follows, cards, logs, seen messages and single values."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlmodel import Field

from bot.storage.tables import BotTable


class GuildRow(BotTable, table=True):
    """The settings of `/setup` for one server; role ids are joined with commas, `most_…` limit one person."""

    __tablename__ = "bot_guilds"
    guild_id: int = Field(primary_key=True, sa_type=BigInteger)
    start_roles: str = ""
    steer_roles: str = ""
    approve_roles: str = ""
    spend_roles: str = ""
    category_id: int | None = Field(default=None, sa_type=BigInteger)
    alerts_id: int | None = Field(default=None, sa_type=BigInteger)
    most_running: int | None = None
    most_starts: int | None = None
    most_micros: int | None = Field(default=None, sa_type=BigInteger)


class FollowRow(BotTable, table=True):
    """The notifications one person wants for one task: off, answers or all."""

    __tablename__ = "bot_follow"
    task_id: int = Field(primary_key=True)
    user_id: int = Field(primary_key=True, sa_type=BigInteger)
    mode: str


class CardRow(BotTable, table=True):
    """The live card of a task: its message (`message_id` 0: not posted yet) and what it shows.

    The reader of events owns `changed_seq`, the newest event of the task: while it is above `shown_seq`, the
    card is out of date. `LiveCards` owns all other columns: `begun_at` is when a post started
    whose outcome is unknown (0: none), `stale_id` a replaced message that is still to be deleted.
    """

    __tablename__ = "bot_cards"
    task_id: int = Field(primary_key=True)
    channel_id: int = Field(sa_type=BigInteger)
    message_id: int = Field(default=0, sa_type=BigInteger)
    posted_at: float = 0.0
    edited_at: float = 0.0
    digest: str = ""
    changed_seq: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    shown_seq: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    begun_at: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})
    stale_id: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class LogRow(BotTable, table=True):
    """One line of a task's log; at most one line per event."""

    __tablename__ = "bot_log"
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    task_id: int = Field(index=True)
    at: float
    line: str = Field(sa_type=Text)


class SeenRow(BotTable, table=True):
    """The newest handled message in a channel: catching up starts after it."""

    __tablename__ = "bot_seen"
    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    message_id: int = Field(sa_type=BigInteger)


class FactRow(BotTable, table=True):
    """Single values, such as the digest of the registered commands and drafts of tasks."""

    __tablename__ = "bot_facts"
    name: str = Field(primary_key=True)
    value: str = Field(sa_type=Text)
