"""Webhooks are found by their channel, and by their own id."""

from __future__ import annotations

from bot.places.records import PlaceRecords, WebhookRecord
from tests.fakes.inline_database import InlineDatabase


async def test_a_webhook_is_found_by_its_id_until_it_is_replaced() -> None:
    """Whichever was stored first; the old one of a channel is nobody's any more."""
    database = InlineDatabase()
    records = PlaceRecords(database)
    first, second = WebhookRecord(1, 11, "one"), WebhookRecord(2, 22, "two", 1)
    for hook in (first, second):
        await records.keep_hook(hook)
    assert [await records.hook_of(number) for number in (11, 22, 33)] == [first, second, None]
    newer = WebhookRecord(1, 12, "newer", 2)
    await records.keep_hook(newer)
    assert [await records.hook_of(number) for number in (11, 12, 22)] == [None, newer, second]
    assert await records.hook(1) == newer
    await database.close()
