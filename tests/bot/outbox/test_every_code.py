"""Every error code that Discord documents for what the bot asks, at every act: tried again, said in another
form, or told; nothing is dropped and nothing crashes.

The codes are those of the documentation (Opcodes and Status Codes, JSON Error Codes) that the routes in use
can answer with, each with the statuses seen for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest

from bot.outbox.outcomes import (
    ConnectionFailed,
    OutcomeUnknown,
    PermissionMissing,
    Rejected,
    TargetDeleted,
    TooManyRequests,
    outcome_of,
)
from engine.commands import AnswerGate
from engine.events import TaskNamed
from tests.bot.outbox.conftest import Stage
from tests.bot.outbox.test_refusals import BOT_SEND, EXECUTE, HOOKS, NEW_CHANNEL, NEW_THREAD, attached
from tests.bot.places.test_repairs import allow, begun, seen_by_bot

LATER, GONE, FORBIDDEN = "later", "gone", "forbidden"
SIZE, CONTENT, ARCHIVED, OTHER = "size", "content", "archived", "other"

#: kind of reaction, codes, statuses
TABLE: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    (LATER, "20016 20022 20028 20029 30046 40062", (400, 429)),
    (LATER, "30034 30040 30042 40003 40004 40006 110000 110001", (400,)),
    (LATER, "10004 10020", (404,)),
    (LATER, "40001 50014", (401,)),
    (LATER, "40333", (403,)),
    (LATER, "130000", (400, 503)),
    (GONE, "10003 10008 10015", (404,)),
    (GONE, "50027", (401,)),
    (FORBIDDEN, "20001 20012 20018 40002 40007 50001 50005 50007 50009 50013 50021 50095 50178", (400, 403)),
    (FORBIDDEN, "50600 60003 160002", (400, 403)),
    (SIZE, "40005 50045", (400, 413)),
    (SIZE, "30015 50046 50110 50123 50146 400001", (400, 403)),
    (CONTENT, "20009 50006 200000 200001 240000", (400, 403)),
    (ARCHIVED, "50083 160005", (400, 403)),
    (OTHER, "10001 10002 10005 10007 10009 10011 10013 10014 10062 10087", (404,)),
    (OTHER, "0 20031 30003 30005 30007 30008 30010 30013 30016 30031 30032 30033 30039 30047 30048", (400,)),
    (OTHER, "30056 30058 30060 30061 40009 40058 40060 40061 40066 40067 40094 50002 50003 50008", (400,)),
    (OTHER, "50016 50019 50024 50028 50033 50034 50035 50041 50068 50073 50074 50080 50081 50086", (400,)),
    (OTHER, "50097 50101 50109 50138 50151 160004 160006 160007 220001 220002 220003 220004", (400,)),
    (OTHER, "520000 520003", (400,)),
    (OTHER, "90001", (400, 403)),
)
CASES = [
    (kind, int(code), status) for kind, codes, seen in TABLE for code in codes.split() for status in seen
]


def refusal(status: int, code: int, field: str = "") -> discord.HTTPException:
    """What discord.py raises for one of Discord's answers."""
    response = SimpleNamespace(status=status, reason="", headers={})
    body: dict[str, Any] = {"code": code, "message": "Refused"}
    if field:
        body["errors"] = {field: {"_errors": [{"code": "BASE_TYPE_INVALID", "message": "no"}]}}
    kinds = {403: discord.Forbidden, 404: discord.NotFound}
    kind = kinds.get(status, discord.DiscordServerError if status >= 500 else discord.HTTPException)
    return kind(cast(Any, response), body)


def sorted_as(error: Exception) -> str:
    """The kind of reaction that an outcome leads to."""
    match outcome_of(error):
        case TooManyRequests() | ConnectionFailed() | OutcomeUnknown():
            return LATER
        case TargetDeleted():
            return GONE
        case PermissionMissing():
            return FORBIDDEN
        case Rejected(fault=fault):
            return fault
        case other:
            raise AssertionError(f"no outcome: {other!r}")


def test_every_code_is_sorted_by_what_it_means() -> None:
    """The code decides before the status does."""
    assert len(CASES) > 130
    wrong = {(code, status): sorted_as(refusal(status, code)) for kind, code, status in CASES
             if sorted_as(refusal(status, code)) != kind}  # fmt: skip
    assert wrong == {}


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        *(("username", "name"), ("content", CONTENT), ("embeds", CONTENT), ("files", SIZE)),
        *(("attachments", SIZE), ("components", "components"), ("avatar_url", OTHER), ("nonce", OTHER)),
    ],
)
def test_an_invalid_form_is_sorted_by_its_field(field: str, kind: str) -> None:
    """50035 says nothing without the field."""
    assert sorted_as(refusal(400, 50035, field)) == kind


# ------------------------------------------------------------ at every act


def everything(stage: Stage) -> list[tuple[dict[str, Any], str]]:
    """All messages of the server with their words, those in their files too."""
    world, you = stage.local.world, stage.local.you
    found = [m for channel in world.channels for m in you.history({"id": str(channel)})]
    return [(m, f"{m['content']}\n{attached(stage, m)}") for m in found]


async def new_place(stage: Stage, word: str) -> None:
    """A task whose first words need a channel and a webhook."""
    stage.engine.speak(stage.boss(await stage.task()), word)
    await stage.drain()


async def spoken(stage: Stage, word: str) -> None:
    """A persona's words in the newest place."""
    stage.engine.speak(stage.boss(max(stage.engine.world.tasks)), word)
    await stage.drain()


async def noted(stage: Stage, word: str) -> None:
    """The bot's own words in the newest place."""
    task = stage.engine.world.tasks[max(stage.engine.world.tasks)]
    await stage.outbox.notices.say(word, max(stage.engine.world.tasks), task.root_group_id, word)
    await spoken(stage, f"beside {word}")


async def marked(stage: Stage, word: str) -> None:
    """A mark on a person's message."""
    written = await stage.local.you.send(stage.local.you.channel("root"), word)
    await stage.outbox.notices.mark(f"{written['channel_id']}:{written['id']}", "📨")
    await spoken(stage, f"beside {word}")


async def closed(stage: Stage, word: str) -> None:
    """A question that is answered, so that its buttons go."""
    gate = stage.engine.raise_gate(stage.boss(max(stage.engine.world.tasks)), word, ("yes", "no"))
    await stage.drain()
    await stage.engine.handle(AnswerGate(gate, f"discord:{stage.local.you.id}", text="yes"))
    await stage.drain()


async def renamed(stage: Stage, word: str) -> None:
    """A task that gets its title while its channel has another."""
    task_id = max(stage.engine.world.tasks)
    stage.engine.emit(TaskNamed(task_id, stage.engine.world.tasks[task_id].root_group_id, f"Title {word}"))
    await spoken(stage, word)


Act = Callable[[Stage, str], Awaitable[None]]
ACTS: dict[str, tuple[str, str, str, Act]] = {
    "find a webhook": ("GET", HOOKS, "", new_place),
    "make a webhook": ("POST", HOOKS, "", new_place),
    "make a category": ("POST", NEW_CHANNEL, '"type": 4', new_place),
    "make a channel": ("POST", NEW_CHANNEL, '"topic"', new_place),
    "make a thread": ("POST", NEW_THREAD, "", new_place),
    "send by webhook": ("POST", EXECUTE, "", spoken),
    "send as the bot": ("POST", BOT_SEND, "", noted),
    "mark": ("PUT", r"/channels/\d+/messages/\d+/reactions/.*", "", marked),
    "edit by webhook": ("PATCH", rf"{EXECUTE}/messages/\d+", "", closed),
    "rename": ("PATCH", r"/channels/\d+", "", renamed),
}
FEW = [(404, 10008), (403, 40333), (400, 50035), (403, 60003)]
MOST_USED = ("make a channel", "make a thread", "send by webhook", "send as the bot", "edit by webhook")


async def at_every_act(
    stage: Stage, act: str, answers: list[tuple[int, int]], log: pytest.LogCaptureFixture
) -> None:
    """Meet each answer once or twice at an act: every word is posted, by a persona or the bot."""
    method, path, holding, does = ACTS[act]
    if act == "make a thread":
        allow(stage, manage_channels=False)
        await seen_by_bot(stage)
    if does is not new_place:
        await begun(stage)
    for number, (status, code) in enumerate(answers):
        faults, word = stage.local.faults, f"word-{number}-of-it"
        stage.outbox.try_again()
        twice = number % 2 == 1 and sorted_as(refusal(status, code)) != SIZE  # no words are too large twice
        faults.refuse(method, path, status=status, code=code, containing=holding, times=1 + twice)
        async with asyncio.timeout(60):
            await does(stage, word)
        faults.clear()
        assert [words for _, words in everything(stage) if word in words], f"{status} {code}"
    assert "dropped" not in await stage.outbox.ledger.counts()
    assert [record.message for record in log.records if record.exc_info] == []


@pytest.mark.parametrize("act", MOST_USED)
async def test_codes_at_every_act(stage: Stage, act: str, caplog: pytest.LogCaptureFixture) -> None:
    """A few of each kind."""
    await at_every_act(stage, act, FEW, caplog)


@pytest.mark.soak
@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in CASES}))
@pytest.mark.parametrize("act", ACTS)
async def test_every_code_at_every_act(
    stage: Stage, act: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """All of them."""
    await at_every_act(stage, act, [(status, code) for of, code, status in CASES if of == kind], caplog)
