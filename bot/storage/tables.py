"""Tables of places, personas and the outbox, with their own metadata (`alembic/env.py` joins it).

Ids of Discord are 64 bits. Times are unix seconds. The bot learns tasks, groups and agents from events
only (a read model), so that posting never waits for the engine.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import sqlalchemy as sa
from sqlalchemy import JSON, BigInteger, Index, MetaData, Table, Text
from sqlmodel import Field, SQLModel

BOT_METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class BotTable(SQLModel):
    """Base of the bot's tables."""

    metadata: ClassVar[MetaData] = BOT_METADATA


class Cursor(BotTable, table=True):
    """The position of a reader of the engine's events."""

    __tablename__ = "bot_cursor"
    name: str = Field(primary_key=True)
    seq: int = Field(sa_type=BigInteger)


class BotTaskRow(BotTable, table=True):
    """A task as the bot needs it; `origin_id` is the channel it was started in (0: unknown).

    The projector owns the state and the columns from TaskAccepted; `Provision` owns all others.
    """

    __tablename__ = "bot_task"
    task_id: int = Field(primary_key=True)
    guild_id: int = Field(sa_type=BigInteger, index=True)
    owner_id: int = Field(sa_type=BigInteger)
    goal: str = Field(sa_type=Text)
    state: str
    origin_id: int = Field(default=0, sa_type=BigInteger)
    category_id: int = Field(default=0, sa_type=BigInteger)
    category_repairs: int = 0
    channels_full: bool = False
    demonstration: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})


class BotGroupRow(BotTable, table=True):
    """A group and its place; `host_id` is the group whose channel holds its thread (0: the origin)."""

    __tablename__ = "bot_group"
    group_id: int = Field(primary_key=True)
    task_id: int = Field(index=True)
    parent_id: int | None = None
    head_id: int
    name: str
    depth: int
    kind: str
    host_id: int = 0
    channel_id: int = Field(default=0, sa_type=BigInteger, index=True)
    thread_id: int = Field(default=0, sa_type=BigInteger, index=True)
    repairs: int = 0
    archived: bool = False


class BotAgentRow(BotTable, table=True):
    """An agent and the persona's name it appears under, distinct within its task.

    `did`: what it did since its last words, which its next ones tell (`bot.outbox.acts`).
    """

    __tablename__ = "bot_agent"
    agent_id: int = Field(primary_key=True)
    task_id: int = Field(index=True)
    group_id: int
    name: str
    title: str
    persona: str
    leads: bool = False
    role: str = ""
    did: list[dict[str, str]] = Field(default_factory=list, sa_type=JSON)


class MadePlaceRow(BotTable, table=True):
    """A channel, thread or category that the bot itself created: only these may it close or delete.

    `marker` is what the bot wrote on it (a channel's topic), `creator_id` the bot's user.
    """

    __tablename__ = "bot_made_place"
    place_id: int = Field(primary_key=True, sa_type=BigInteger)
    task_id: int = Field(index=True)
    kind: str
    creator_id: int = Field(sa_type=BigInteger)
    marker: str


class WebhookRow(BotTable, table=True):
    """The webhook of a channel; `token` is a secret. `repairs` counts how often people deleted it."""

    __tablename__ = "bot_webhook"
    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    webhook_id: int = Field(sa_type=BigInteger)
    token: str
    repairs: int = 0


class OutboxRow(BotTable, table=True):
    """A post in the outbox. States: pending · sending · sent · dropped."""

    __tablename__ = "bot_outbox"
    __table_args__ = (Index("ix_bot_outbox_state_id", "state", "id"),)
    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    task_id: int = Field(index=True)
    group_id: int = Field(index=True)
    agent_id: int | None = None
    seq: int = Field(sa_type=BigInteger)
    at: float
    state: str
    batch_id: int | None = Field(default=None, index=True)
    post: dict[str, Any] = Field(sa_type=JSON)


class DeliveryRow(BotTable, table=True):
    """A Discord message that carries a batch of outbox rows; same states as `OutboxRow`.

    `webhook_id`: the webhook that sent it, 0 for the bot itself; only the sender may edit a message.
    """

    __tablename__ = "bot_delivery"
    __table_args__ = (Index("ix_bot_delivery_state", "state"),)
    id: int | None = Field(default=None, primary_key=True)
    batch_id: int = Field(index=True)
    part: int
    task_id: int = Field(index=True)
    group_id: int
    gate_id: int | None = Field(default=None, index=True)
    state: str
    begun_at: float
    channel_id: int = Field(default=0, sa_type=BigInteger, index=True)
    message_id: int = Field(default=0, sa_type=BigInteger, index=True)
    webhook_id: int = Field(default=0, sa_type=BigInteger)
    wire: dict[str, Any] = Field(sa_type=JSON)


class IncomingRow(BotTable, table=True):
    """A person's message that was delivered to an agent; `ref` is "channel id:message id".

    `edited_at`: Discord's time of the newest edit that was handled, 0 before any; None when the message is
    no longer followed: it was deleted, or delivered before this was recorded.
    """

    __tablename__ = "bot_incoming"
    __table_args__ = (Index("ix_bot_incoming_channel", "channel_id", "at"),)
    ref: str = Field(primary_key=True)
    channel_id: int = Field(sa_type=BigInteger)
    user_id: int = Field(sa_type=BigInteger)
    agent_id: int
    excerpt: str
    at: float
    edited_at: float | None = None


class FaceRow(BotTable, table=True):
    """An avatar uploaded as an emoji of the application; its URL never expires."""

    __tablename__ = "bot_face"
    number: int = Field(primary_key=True)
    emoji_id: int = Field(sa_type=BigInteger)
    url: str


def _core(model: type[BotTable]) -> Table:
    return cast(Table, model.__table__)  # type: ignore[attr-defined]


cursors = _core(Cursor)
tasks = _core(BotTaskRow)
groups = _core(BotGroupRow)
agents = _core(BotAgentRow)
made_places = _core(MadePlaceRow)
webhooks = _core(WebhookRow)
outbox = _core(OutboxRow)
deliveries = _core(DeliveryRow)
incoming = _core(IncomingRow)
faces = _core(FaceRow)
