"""`/setup`: who may start, steer, approve and spend, where tasks live, how long questions wait, limits and
budgets of calendar months."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import discord
from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord import autocomplete
from bot.discord.access import GuildRules, Right
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.interactions import answer, hold, require_manager
from bot.discord.lookup import current_space
from bot.features.setup.doctor import IN_CATEGORY, lacking
from bot.texts import refusals
from bot.texts.months import OPTIONS, rule_line
from engine.commands import (
    MonthRule,
    Protections,
    Quota,
    RecordRules,
    SetGateRule,
    SetMonthRule,
    SetProtections,
)
from engine.domain.gate_rules import DEFAULTS, GateRule
from engine.domain.gates import GateKind
from engine.ports import Record

HOUR_S = 3600
ASKS = ("ask_run", "ask_recruit_over", "ask_finish", "ask_tools")


def _set(old: frozenset[int], role: discord.Role | None) -> frozenset[int]:
    """Return the given role as the only one, or the old roles if none is given."""
    return old if role is None else frozenset({role.id})


def rules_text(rules: GuildRules, *, has_system: bool) -> str:
    """Return the rules as text, one line per right. `has_system`: the server has a system channel."""
    lines = []
    for right in Right:
        roles = ", ".join(f"<@&{role_id}>" for role_id in sorted(rules.roles(right)))
        lines.append(texts.SETUP_LINE.format(right=right.value, roles=roles or texts.SETUP_NOBODY))
    place = f"<#{rules.category_id}>" if rules.category_id else texts.SETUP_NEW_CATEGORY
    usual = texts.SETUP_SYSTEM if has_system else texts.SETUP_FIRST
    alerts = f"<#{rules.alerts_id}>" if rules.alerts_id else usual
    told = texts.SETUP_ALERTS.format(place=alerts)
    person = texts.SETUP_PERSON.format(limits=quota_text(rules.quota))
    return "\n".join([*lines, texts.SETUP_PLACE.format(place=place), told, person])


CHOSEN = [(kind, default) for kind, some in DEFAULTS.items() if len(some) > 1 for default in some]
"""What unanswered gates may come to, by kind, where a server may choose."""


@dataclass(frozen=True, slots=True)
class WaitOptions:
    """The options of `/setup` about questions that nobody answers: None for no change. `kind`: of which
    questions the hours are, None for all; `unanswered`: a kind and its default, joined by a colon."""

    hours: int | None
    kind: str | None
    unanswered: str | None


async def set_waits(interaction: Interaction, given: WaitOptions) -> str:
    """Change how long questions wait and what unanswered ones come to. Return all as text."""
    engine, space = parts_of(interaction).engine, current_space(interaction)
    rules = await engine.look.gate_rules(space)
    person = require_manager(interaction)
    of, _, chosen = (given.unanswered or "").partition(":")
    for kind, rule in rules.items():
        hours = given.hours if given.kind in (None, kind) else None
        wait = hours * HOUR_S if hours and hours * HOUR_S != rule.wait_s else None
        default = chosen if kind == of and chosen != rule.default else None
        if wait or default:
            await engine.handle(SetGateRule(space, kind, wait, default, person.key, person.named))
    return waits_text(await engine.look.gate_rules(space))


def waits_text(rules: Mapping[GateKind, GateRule]) -> str:
    """Return how long questions wait and what unanswered ones come to; kinds that wait as long as agents'
    questions are not named."""
    usual = rules["question"].wait_s
    others = [
        f"{texts.GATES_OF[kind]} {texts.SETUP_HOURS.format(hours=rule.wait_s / HOUR_S)}"
        for kind, rule in rules.items()
        if rule.wait_s != usual
    ]
    defaults = [
        texts.SETUP_DEFAULT.format(kind=texts.GATES_OF[kind], default=texts.UNANSWERED[rule.default])
        for kind, rule in rules.items()
        if len(DEFAULTS[kind]) > 1
    ]
    hours = ", ".join([texts.SETUP_HOURS.format(hours=usual / HOUR_S), *others])
    return texts.SETUP_WAITS.format(hours=hours, defaults="; ".join(defaults))


def quota_text(quota: Quota) -> str:
    """Return the limits of one person in words."""
    micros = quota.cost_micros
    parts = [
        f"{quota.running} running at once" if quota.running is not None else "",
        f"{quota.starts} starts in 24 hours" if quota.starts is not None else "",
        f"${micros / 1_000_000:,.2f} in 24 hours" if micros is not None else "",
    ]
    return ", ".join(part for part in parts if part) or texts.SETUP_NO_QUOTA


def _quota(old: Quota, running: int | None, starts: int | None, dollars: float | None) -> Quota:
    """Return the limits with those given; 0 takes a limit away."""
    pairs = ((old.running, running), (old.starts, starts), (old.cost_micros, _micros(dollars)))
    return Quota(*(_cap(before, given) for before, given in pairs))


@dataclass(frozen=True, slots=True)
class MonthOptions:
    """The options of `/setup` about calendar months: None for no change, 0 takes a budget away."""

    dollars: float | None
    tokens: int | None
    person_dollars: float | None
    person_tokens: int | None
    zone: str | None


async def set_months(interaction: Interaction, given: MonthOptions) -> str:
    """Change the budgets of calendar months. Return all as text."""
    engine, space = parts_of(interaction).engine, current_space(interaction)
    person = require_manager(interaction)
    old = await engine.look.month_rule(space)
    rule = MonthRule(
        given.zone or old.zone,
        _cap(old.space_micros, _micros(given.dollars)),
        _cap(old.space_tokens, given.tokens),
        _cap(old.person_micros, _micros(given.person_dollars)),
        _cap(old.person_tokens, given.person_tokens),
    )
    only = tuple(name for name in MonthRule.__slots__ if getattr(rule, name) != getattr(old, name))
    if only:
        await engine.handle(SetMonthRule(space, rule, person.key, person.named, only))
    return rule_line(await engine.look.month_rule(space))


@dataclass(frozen=True, slots=True)
class AskOptions:
    """The options of `/setup` about what agents ask for first: None for no change."""

    run: bool | None
    recruit_over: int | None
    finish: bool | None
    tools: bool | None


async def set_asks(interaction: Interaction, given: AskOptions) -> str:
    """Change what agents do only after a person agreed. Return all as text."""
    engine, space = parts_of(interaction).engine, current_space(interaction)
    person = require_manager(interaction)
    old = await engine.look.protections(space)
    new = Protections(
        old.run if given.run is None else given.run,
        _cap(old.recruit_over, given.recruit_over),
        old.finish if given.finish is None else given.finish,
        old.tools if given.tools is None else given.tools,
    )
    only = tuple(name for name in Protections.__slots__ if getattr(new, name) != getattr(old, name))
    if only:
        await engine.handle(SetProtections(space, new, person.key, person.named, only))
        new = await engine.look.protections(space)
    wanted = (new.run, new.recruit_over is not None, new.finish, new.tools)
    named = [text for text, on in zip(texts.SETUP_ASKS_FOR, wanted, strict=True) if on]
    what = ", ".join(named).format(over=new.recruit_over) or texts.SETUP_ASKS_NOTHING
    return texts.SETUP_ASKS.format(what=what)


def _micros(dollars: float | None) -> int | None:
    return None if dollars is None else round(dollars * 1_000_000)


def _cap(old: int | None, given: int | None) -> int | None:
    """Return the cap that is given; 0 takes it away."""
    return old if given is None else given or None


def changes(old: GuildRules, new: GuildRules) -> dict[str, str]:
    """Return what differs between rules, by name, as the audit trail shows it."""
    found = {
        right.value: ", ".join(f"<@&{role}>" for role in sorted(new.roles(right))) or texts.SETUP_NOBODY
        for right in Right
        if new.roles(right) != old.roles(right)
    }
    places = (("place", old.category_id, new.category_id), ("alerts", old.alerts_id, new.alerts_id))
    found |= {name: f"<#{after}>" for name, before, after in places if after != before}
    if new.quota != old.quota:
        found["quota"] = quota_text(new.quota)
    return found


def recorded(interaction: Interaction, rules: dict[str, str]) -> Record | None:
    """Return what adds changed rules to the audit trail, None without any."""
    person, space = require_manager(interaction), current_space(interaction)
    if not rules:
        return None
    return parts_of(interaction).engine.recording(RecordRules(space, rules, person.key, person.named))


class SetupCog(commands.Cog):
    """The `/setup` command."""

    @app_commands.command(name="setup", description=texts.CMD["setup"])
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.describe(
        start=texts.OPT["start"],
        steer=texts.OPT["steer"],
        approve=texts.OPT["approve"],
        spend=texts.OPT["spend"],
        place=texts.OPT["place"],
        alerts=texts.OPT["alerts"],
        answer_hours=texts.OPT["answer_hours"],
        answer_for=texts.OPT["answer_for"],
        unanswered=texts.OPT["unanswered"],
        running=texts.OPT["most_running"],
        starts=texts.OPT["most_starts"],
        dollars=texts.OPT["most_dollars"],
        zone=texts.OPT["month_zone"],
        **{name: texts.OPT[name] for name in (*OPTIONS.values(), *ASKS)},
    )
    @app_commands.autocomplete(zone=autocomplete.zones)
    @app_commands.choices(
        answer_for=[app_commands.Choice(name=name, value=kind) for kind, name in texts.GATES_OF.items()],
        unanswered=[
            app_commands.Choice(
                name=texts.SETUP_DEFAULT.format(kind=texts.GATES_OF[kind], default=texts.UNANSWERED[default]),
                value=f"{kind}:{default}",
            )
            for kind, default in CHOSEN
        ],
    )
    async def setup(
        self,
        interaction: Interaction,
        start: discord.Role | None = None,
        steer: discord.Role | None = None,
        approve: discord.Role | None = None,
        spend: discord.Role | None = None,
        place: discord.CategoryChannel | None = None,
        alerts: discord.TextChannel | None = None,
        answer_hours: app_commands.Range[int, 1, 720] | None = None,
        answer_for: str | None = None,
        unanswered: str | None = None,
        running: app_commands.Range[int, 0, 1_000] | None = None,
        starts: app_commands.Range[int, 0, 10_000] | None = None,
        dollars: app_commands.Range[float, 0, 1_000_000] | None = None,
        month_dollars: app_commands.Range[float, 0, 10_000_000] | None = None,
        month_tokens: app_commands.Range[int, 0, 9_000_000_000_000] | None = None,
        person_month_dollars: app_commands.Range[float, 0, 10_000_000] | None = None,
        person_month_tokens: app_commands.Range[int, 0, 9_000_000_000_000] | None = None,
        zone: str | None = None,
        ask_run: bool | None = None,
        ask_recruit_over: app_commands.Range[int, 0, 10_000] | None = None,
        ask_finish: bool | None = None,
        ask_tools: bool | None = None,
    ) -> None:
        """Change the given settings, keep the others, and show all."""
        await hold(interaction)
        require_manager(interaction)
        if answer_for is not None and answer_hours is None:
            raise ActionRefused(refusals.SETUP_HOURS_MISSING)
        if place is not None and (missing := lacking(place.permissions_for(place.guild.me), IN_CATEGORY)):
            raise ActionRefused(refusals.SETUP_CLOSED.format(place=place.mention, missing=", ".join(missing)))
        given = MonthOptions(month_dollars, month_tokens, person_month_dollars, person_month_tokens, zone)
        months = await set_months(interaction, given)
        asks = await set_asks(interaction, AskOptions(ask_run, ask_recruit_over, ask_finish, ask_tools))
        records = parts_of(interaction).records
        old = await records.rules(interaction.guild_id or 0)
        rules = replace(
            old,
            start=_set(old.start, start),
            steer=_set(old.steer, steer),
            approve=_set(old.approve, approve),
            spend=_set(old.spend, spend),
            category_id=place.id if place else old.category_id,
            alerts_id=alerts.id if alerts else old.alerts_id,
            configured=True,
            quota=_quota(old.quota, running, starts, dollars),
        )
        if rules != replace(old, configured=True):
            record = recorded(interaction, changes(old, rules))
            await records.set_rules(rules, old if old.configured else None, record)
            rules = await records.rules(rules.guild_id)
        waits = await set_waits(interaction, WaitOptions(answer_hours, answer_for, unanswered))
        has_system = interaction.guild is not None and interaction.guild.system_channel is not None
        lines = "\n".join((rules_text(rules, has_system=has_system), months, waits, asks))
        await answer(interaction, texts.SETUP_DONE.format(lines=lines))
