"""Reminders of open questions: whom they mention, where they go, and what they say."""

from __future__ import annotations

import pytest

from bot.notifications.gate_reminder import Asked, Watchers, reminder
from bot.outbox.compose import compose
from bot.outbox.plan import Batch
from bot.outbox.post import Entry, dump_post, load_post
from bot.outbox.transport import RenderedMessage
from engine.domain.gate_rules import STAGES, Stage
from engine.events import GateReminded

AT = Asked(guild_id=9, place_id=55, owner_id=7)
WATCHERS = Watchers((71, 72), 88)


def body(stage: Stage) -> GateReminded:
    """Return a reminder of a plan."""
    return GateReminded(3, 4, 5, "plan", "Three **parts** @everyone <@&99>", stage, "cancel", 1_700_000_000.0)


@pytest.mark.parametrize(
    ("stage", "pings", "roles", "group", "channel"),
    [("owner", (7,), (), 4, 0), ("approvers", (), (71, 72), 4, 0), ("administrators", (), (), 0, 88)],
)
def test_each_stage_reaches_its_people(
    stage: Stage, pings: tuple[int, ...], roles: tuple[int, ...], group: int, channel: int
) -> None:
    """Only the mentions of the server's own settings; the text of the question mentions nobody."""
    post = reminder(body(stage), 1, AT, WATCHERS)
    assert (post.pings, post.roles, post.group_id, post.channel_id) == (pings, roles, group, channel)
    assert "<t:1700000000:f>: the task ends" in post.text
    assert load_post(dump_post(post)) == post
    sent = compose(Batch("post", (Entry(1, 0.0, post),)), "place")[0]
    allowed = RenderedMessage(sent.content, pings=sent.pings, roles=sent.roles).options()["allowed_mentions"]
    assert [role.id for role in allowed.roles or []] == list(roles)
    assert not allowed.everyone


def test_without_roles_or_a_channel_the_owner_and_the_system_channel_stand_in() -> None:
    """Nobody is left unreminded because a server has not set anything up."""
    assert reminder(body("approvers"), 1, AT, Watchers()).pings == (7,)
    last = reminder(body("administrators"), 1, AT, Watchers())
    assert (last.channel_id, last.guild_id) == (9, 9)
    assert "<#55>" in last.text


def test_all_stages_have_words() -> None:
    """And silence where the owner wants none pings nobody."""
    quiet = Asked(9, 0, 0)
    for stage in STAGES:
        post = reminder(body(stage), 1, quiet, Watchers())
        assert post.text and not post.pings
