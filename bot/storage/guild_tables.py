"""Tables of what people set and what the bot must remember about servers, cards and messages."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlmodel import Field

from bot.storage.tables import BotTable


class GuildRow(BotTable, table=True):
    """What `/setup` decided for one server; role ids are comma-joined."""

    __tablename__ = "bot_guilds"
    guild_id: int = Field(primary_key=True, sa_type=BigInteger)
    start_roles: str = ""
    steer_roles: str = ""
    approve_roles: str = ""
    spend_roles: str = ""
    category_id: int | None = Field(default=None, sa_type=BigInteger)


class FollowRow(BotTable, table=True):
    """How much one person wants to be told of one task: off, answers or all."""

    __tablename__ = "bot_follow"
    task_id: int = Field(primary_key=True)
    user_id: int = Field(primary_key=True, sa_type=BigInteger)
    mode: str


class CardRow(BotTable, table=True):
    """The live card of a task: where it stands (`message_id` 0: not yet), and what it shows.

    The reader of events owns `changed_seq`, the newest event of the task: while it is above `shown_seq`, the
    card must be brought up to date. Everything else is the card keeper's: `begun_at` is when a post began
    whose answer is not known (0: none), `stale_id` a message that the present one replaced and that must go.
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
    """One line of a task's log, written once an event."""

    __tablename__ = "bot_log"
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    task_id: int = Field(index=True)
    at: float
    line: str = Field(sa_type=Text)


class SeenRow(BotTable, table=True):
    """The newest message of people the bot has dealt with, a channel: where catching up starts."""

    __tablename__ = "bot_seen"
    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    message_id: int = Field(sa_type=BigInteger)


class FactRow(BotTable, table=True):
    """Single values: digest of the commands Discord knows, orders being typed."""

    __tablename__ = "bot_facts"
    name: str = Field(primary_key=True)
    value: str = Field(sa_type=Text)
