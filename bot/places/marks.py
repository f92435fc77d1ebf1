"""What the bot writes on a channel it makes, by which it knows it again."""

from __future__ import annotations

from bot.places.records import GroupRecord
from bot.texts import outbox as wording


def topic_of(row: GroupRecord) -> str:
    """Return the topic that people read on a group's own channel."""
    name = " ".join(row.name.split())[:200]
    return wording.TOPIC.format(group=name, task=row.task_id)


def mark_of(row: GroupRecord, instance: str) -> str:
    """Return the topic a channel is made with; `instance` is this database's random name.

    By it the channel is found again after a crash before it was recorded; then the mark is taken off.
    """
    return f"{topic_of(row)}{wording.TOPIC_MARK.format(ref=f'{instance}-{row.group_id}')}"


def is_own_topic(topic: str, mark: str, row: GroupRecord | None = None) -> bool:
    """Return whether the topic of a channel made with the topic `mark` is still the bot's.

    It is that topic with or without its mark, or the one that the group's present name gives.
    """
    if row is not None and topic == topic_of(row):
        return True
    return bool(topic) and (topic == mark or mark.startswith(topic + wording.TOPIC_MARK.format(ref="")))
