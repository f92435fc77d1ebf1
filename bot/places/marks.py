"""What the bot writes on a channel it makes, by which it knows it again."""

from __future__ import annotations

from bot.places.records import GroupRecord
from bot.texts import outbox as wording


def mark_of(row: GroupRecord, instance: str) -> str:
    """Return the topic of a group's own channel; `instance` is this database's random name."""
    name = " ".join(row.name.split())[:200]
    return wording.TOPIC.format(group=name, task=row.task_id, ref=f"{instance}-{row.group_id}")
