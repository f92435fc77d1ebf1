"""`/spend`: who spent what; each person's own, everyone's for managers, of this server alone."""

from __future__ import annotations

import io

import discord
import pytest
from PIL import Image

from bot.features.spend.totals import report_of, shown
from bot.pictures.spending import WIDTH, Bar, Section, draw_spending
from engine.commands import MonthRule
from engine.domain.months import day_begins_at
from engine.queries import SpendingView
from tests.bot.features.conftest import Stage


def spent(task: int, by: str, micros: int, model: str = "gpt-4o", goal: str = "Build a boat") -> SpendingView:
    """What a task used of a model."""
    return SpendingView(task, goal, by, "model", model, micros, micros // 10, 3)


async def fill(stage: Stage) -> None:
    """The manager's and the crew's tasks of today and of last week, and another server's."""
    boss, crew = f"discord:{stage.boss.id}", f"discord:{stage.crew.id}"
    here, today = f"guild:{stage.guild.id}", day_begins_at(stage.clock, "UTC")
    search = SpendingView(2, "**Find** @everyone", crew, "outside", "brave", 250_000, 0, 5)
    guessed = SpendingView(1, "Build a boat", boss, "model", "own-model", 1_000_000, 9, 2, unpriced=2)
    stage.engine.world.spending += [
        (here, today + 60, spent(1, boss, 4_000_000)),
        (here, today + 60, guessed),
        (here, today + 60, search),
        (here, today - 7 * 86_400, spent(3, crew, 1_500_000, "gpt-4o", "An older task")),
        (here, 1.0, spent(4, crew, 2_000_000)),
        ("guild:77", today + 60, spent(9, crew, 90_000_000, "theirs", "Their secret")),
    ]


async def test_a_manager_sees_everyone_and_a_person_only_their_own(stage: Stage) -> None:
    """Of this server alone, whoever asks; by money, the dearest first, with a picture and its alt text."""
    await fill(stage)
    rule = MonthRule("Europe/Berlin", 50_000_000, None, 3_000_000, None)
    stage.engine.world.month_rules[f"guild:{stage.guild.id}"] = rule
    all_of_them = await stage.boss.slash(stage.lobby, "spend")
    text = all_of_them.response.content
    assert all_of_them.ephemeral and "**This month** (Europe/Berlin" in text and "**$6.75**" in text
    assert f"**People** <@{stage.boss.id}> $5.00 · <@{stage.crew.id}> $1.75" in text
    assert "#1 Build a boat $5.00 · #3 An older task $1.50" in text
    assert (
        "gpt-4o $5.50 · own-model $1.00 · brave $0.25" in text
        and "2 calls to a model whose price is not known" in text
    )
    assert "of this server's $50.00" in text and "@everyone" not in text and "secret" not in text
    (picture,) = all_of_them.response.attachments
    with Image.open(io.BytesIO(await picture.read())) as image:
        assert image.format == "PNG" and image.width == WIDTH
    assert picture.description and "crew" in picture.description and len(picture.description) <= 1_024
    own = await stage.crew.slash(stage.lobby, "spend")
    text = own.response.content
    assert "your tasks" in text and "$1.75" in text and "People" not in text
    assert "#1" not in text and "own-model" not in text and "secret" not in text
    (picture,) = own.response.attachments
    assert "boat" not in (picture.description or "")


async def test_periods_and_a_server_where_nothing_was_spent(stage: Stage) -> None:
    """Today, all of the time, and nothing at all with the next step."""
    nothing = await stage.boss.slash(stage.lobby, "spend")
    assert "Nothing was spent this month (UTC). `/task new`" in nothing.response.content
    await fill(stage)
    nothing = await stage.stranger.slash(stage.lobby, "spend")
    assert "Your tasks spent nothing this month (UTC)" in nothing.response.content, "others did spend"
    assert "Nothing was spent" not in nothing.response.content
    for period, cost in (("today", "$0.25"), ("month", "$1.75"), ("all", "$3.75")):
        shown_here = await stage.crew.slash(stage.lobby, "spend", period=period)
        assert f"**{cost}**" in shown_here.response.content, period


async def test_a_limited_look_for_names_does_not_cost_the_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are only for the picture; the text mentions people."""
    await fill(stage)

    async def limited(*_: object) -> None:
        raise discord.RateLimited(3600)

    monkeypatch.setattr(discord.Guild, "get_member", lambda *_: None)
    monkeypatch.setattr(discord.Guild, "fetch_member", limited)
    shown = await stage.boss.slash(stage.lobby, "spend")
    assert f"<@{stage.crew.id}>" in shown.response.content
    assert "somebody else" in (shown.response.attachments[0].description or "")


def test_what_does_not_fit_is_summed_and_odd_names_are_drawn() -> None:
    """Nothing is lost of the sums; bars are at most whole; letters stay readable at half the width."""
    report = report_of([spent(n, f"discord:{n}", n * 1_000, f"m{n}") for n in range(1, 30)])
    few = shown(report.tasks, 5, "{count} others")
    assert [each.key for each in few] == [29, 28, 27, 26, None] and few[-1].name == "25 others"
    assert sum(each.cost_micros for each in few) == report.cost_micros
    bars = tuple(Bar("艾达 🚢 " * 30, "$1,234,567.89", part) for part in (-1.0, 0.0, 0.5, 7.0))
    drawn = draw_spending("x" * 300, [Section("", ()), Section("A", bars, limits=True)])
    with Image.open(io.BytesIO(drawn)) as image:
        assert image.width == WIDTH and image.height < 600
