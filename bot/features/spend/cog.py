"""`/spend`: who spent what on which task and model; people see their own, managers everyone's here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot import texts as common
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import UNDELIVERED
from bot.discord.formatting import cut, dollars, many, plain
from bot.discord.identities import owner_id
from bot.discord.interactions import answer, hold, requester
from bot.discord.lookup import current_space
from bot.features.spend import texts
from bot.features.spend.totals import Report, Total, report_of, shown
from bot.pictures.spending import Bar, Section, draw_spending
from bot.texts.months import left_line
from engine.domain.months import MonthLeft, day_begins_at, month_at

Period = Literal["today", "month", "all"]
LINES, BARS = 5, 8
ASKED = 8
"""People whose names are asked of Discord for the picture."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What is shown: the report of a period, what the month's budgets leave, and people's names by key."""

    period: str
    zone: str
    since: float
    report: Report
    left: tuple[MonthLeft, ...]
    names: Mapping[str, str]
    everyone: bool


class SpendCog(commands.Cog):
    """The `/spend` command."""

    @app_commands.command(name="spend", description=common.CMD["spend"])
    @app_commands.guild_only()
    @app_commands.default_permissions(send_messages=True)
    @app_commands.describe(period=common.OPT["period"])
    @app_commands.choices(
        period=[app_commands.Choice(name=name, value=value) for value, name in texts.PERIODS.items()]
    )
    async def spend(self, interaction: Interaction, period: str = "month") -> None:
        """Show a picture and a text. Whose spending is shown is decided here, by who asks."""
        await hold(interaction)
        found = await _load(interaction, period)
        if not found.report.calls:
            form = texts.NOTHING if found.everyone else texts.NOTHING_YOURS
            text = form.format(period=texts.NOTHING_IN[period], zone=found.zone)
            await answer(interaction, "\n".join(part for part in (text, left_line(found.left)) if part))
            return
        picture = await asyncio.to_thread(draw_spending, _title(found), sections_of(found))
        file = discord.File(BytesIO(picture), "spending.png", description=alt_text(found))
        await answer(interaction, spend_text(found), files=[file])


async def _load(interaction: Interaction, period: str) -> Spending:
    person, parts, space = requester(interaction), parts_of(interaction), current_space(interaction)
    look, now = parts.engine.look, parts.now()
    rule = await look.month_rule(space)
    begins = {"today": day_begins_at(now, rule.zone), "month": month_at(now, rule.zone).begins_at}
    since = begins.get(period, 0.0)
    by = None if person.manages_guild else person.key
    report = report_of(await look.spending(space, since, by))
    left = tuple(await look.month_left(person.key, space, now))
    names = await _names(interaction, [str(total.key) for total in report.people[:ASKED]])
    return Spending(
        texts.PERIODS[period], rule.zone, since, report, left, names, everyone=person.manages_guild
    )


async def _names(interaction: Interaction, keys: Sequence[str]) -> dict[str, str]:
    """Return the names of people in this server; of who has left, or cannot be asked for now, only that."""
    names: dict[str, str] = {}
    for key in keys:
        number, guild = owner_id(key), interaction.guild
        member = guild.get_member(number) if guild and number else None
        if member is None and guild and number:
            try:
                member = await guild.fetch_member(number)
            except UNDELIVERED:
                member = None
        names[key] = member.display_name if member else texts.SOMEBODY
    return names


# ---------------------------------------------------------------- text


def spend_text(found: Spending) -> str:
    """Return the compact text."""
    report = found.report
    lines = [
        texts.HEAD.format(
            period=found.period if found.everyone else texts.YOURS.format(period=found.period),
            zone=found.zone,
            since=texts.SINCE.format(at=int(found.since)) if found.since else "",
            cost=dollars(report.cost_micros),
            tokens=report.tokens,
            calls=many(report.calls, "call"),
        ),
        left_line(found.left),
        _line(texts.PEOPLE, report.people, found, named=True) if found.everyone else "",
        _line(texts.TASKS, report.tasks, found),
        _line(texts.MODELS, report.models, found),
    ]
    if report.unpriced:
        lines.append(texts.UNPRICED.format(calls=many(report.unpriced, "call")))
    if report.estimated:
        lines.append(texts.ESTIMATED.format(calls=many(report.estimated, "call")))
    if not found.everyone:
        lines.append(texts.ONLY_YOURS)
    return "\n".join(line for line in lines if line)


def _line(title: str, totals: Sequence[Total], found: Spending, *, named: bool = False) -> str:
    parts = []
    for total in shown(totals, LINES, texts.OTHERS):
        person = owner_id(str(total.key)) if named and total.key is not None else None
        name = f"<@{person}>" if person else _escaped(total, found)
        parts.append(texts.PART.format(name=name, cost=_amount(total)))
    return texts.LINE.format(title=title, parts=" · ".join(parts))


def _name(total: Total, found: Spending) -> str:
    if total.key is None:
        return total.name
    if isinstance(total.key, int):
        return texts.TASK.format(id=total.key, goal=total.name)
    if isinstance(total.key, str):
        return found.names.get(total.key, texts.SOMEBODY)
    return total.name or texts.CUT_OFF


def _escaped(total: Total, found: Spending) -> str:
    """Return the name for a text: what people and models wrote is no markup."""
    if isinstance(total.key, int):
        return texts.TASK.format(id=total.key, goal=plain(total.name, 40))
    return plain(_name(total, found), 40)


def _amount(total: Total) -> str:
    return dollars(total.cost_micros) if total.cost_micros else f"{total.tokens:,} tokens"


# ---------------------------------------------------------------- picture


def sections_of(found: Spending) -> list[Section]:
    """Return the bars of the picture."""
    report = found.report
    budget = texts.BUDGET_TITLE.format(month=found.left[0].month, zone=found.zone)
    people = Section(texts.PEOPLE, _bars(report.people, found)) if found.everyone else Section("", ())
    return [
        Section(budget, _budget_bars(found.left), limits=True),
        people,
        Section(texts.TASKS, _bars(report.tasks, found)),
        Section(texts.MODELS, _bars(report.models, found)),
    ]


def _bars(totals: Sequence[Total], found: Spending) -> tuple[Bar, ...]:
    """Return bars by money; by tokens where nothing costs anything."""
    listed = shown(totals, BARS, texts.OTHERS)
    by_money = any(total.cost_micros for total in listed)
    sizes = [total.cost_micros if by_money else total.tokens for total in listed]
    most = max(*sizes, 1)
    return tuple(
        Bar(_name(total, found), _amount(total), size / most)
        for total, size in zip(listed, sizes, strict=True)
    )


def _budget_bars(lefts: Sequence[MonthLeft]) -> tuple[Bar, ...]:
    bars = []
    for left in lefts:
        name = texts.YOURS_ALONE if left.by else texts.SERVER
        if left.cap_micros is not None:
            amount = texts.BUDGET.format(left=dollars(left.left_micros or 0), cap=dollars(left.cap_micros))
            bars.append(Bar(name, amount, left.spent_micros / left.cap_micros))
        if left.cap_tokens is not None:
            amount = texts.BUDGET.format(left=f"{left.left_tokens:,}", cap=f"{left.cap_tokens:,} tokens")
            bars.append(Bar(name, amount, left.spent_tokens / left.cap_tokens))
    return tuple(bars)


def _title(found: Spending) -> str:
    return texts.TITLE.format(period=found.period, cost=dollars(found.report.cost_micros))


def alt_text(found: Spending) -> str:
    """Return what the picture shows in words, at most 1,000 characters."""
    report = found.report

    def said(totals: Sequence[Total]) -> str:
        return ", ".join(
            texts.PART.format(name=cut(_name(total, found), 40), cost=_amount(total))
            for total in shown(totals, LINES, texts.OTHERS)
        )

    people = said(report.people) if found.everyone else "you"
    text = texts.ALT.format(
        period=found.period,
        cost=dollars(report.cost_micros),
        tokens=report.tokens,
        people=people,
        tasks=said(report.tasks),
        models=said(report.models),
    )
    return text[:1_000]
