"""Texts of the budgets of calendar months: what is left, what is used, and what `/setup` has set."""

from __future__ import annotations

from collections.abc import Sequence

from bot.discord.formatting import dollars
from bot.discord.identities import owner_id
from engine.commands import MonthRule
from engine.domain.months import MonthLeft
from engine.events import MonthBudgetReached

LEFT = "Left for {month} ({zone}): {parts}."
LEFT_SERVER, LEFT_YOURS = "{left} of this server's {cap}", "{left} of your {cap}"
REACHED = "💰 {percent}% of {whose} for {month} ({zone}) is used: {spent} of {limit}."
FULL = (
    "💰 {whose} for {month} ({zone}) is used up: {spent} of {limit}. Tasks that need more wait until it is "
    "raised or the next month begins."
)
RAISE = "-# To raise it, use `/setup {option}:`; `/spend` shows who used it."
WHOSE_SERVER, WHOSE_PERSON = "this server's budget", "the budget of {who}"
RULE = "**a calendar month** ({zone}): this server {space}; each person {person}"
NO_CAP = "no limit"

OPTIONS = {
    ("", "cost"): "month_dollars",
    ("", "tokens"): "month_tokens",
    ("person", "cost"): "person_month_dollars",
    ("person", "tokens"): "person_month_tokens",
}
"""The option of `/setup` that sets a budget, by whose and what."""


def left_line(lefts: Sequence[MonthLeft]) -> str:
    """Return what the month's budgets have left for a person who is told, "" where none is set."""
    parts = []
    for each in lefts:
        form = LEFT_YOURS if each.by else LEFT_SERVER
        if each.cap_micros is not None:
            parts.append(form.format(left=dollars(each.left_micros or 0), cap=dollars(each.cap_micros)))
        if each.cap_tokens is not None:
            parts.append(form.format(left=f"{each.left_tokens:,}", cap=f"{each.cap_tokens:,} tokens"))
    if not parts:
        return ""
    return LEFT.format(month=lefts[0].month, zone=lefts[0].zone, parts=", ".join(parts))


def reached_text(body: MonthBudgetReached) -> str:
    """Return what those who may raise a month's budget are told; the person is named and not pinged."""
    person = owner_id(body.by)
    whose = WHOSE_PERSON.format(who=f"<@{person}>" if person else "a person") if body.by else WHOSE_SERVER
    amount = dollars if body.cap == "cost" else "{:,} tokens".format
    form = FULL if body.percent >= 100 else REACHED
    text = form.format(
        percent=body.percent,
        whose=whose[0].upper() + whose[1:] if body.percent >= 100 else whose,
        month=body.month,
        zone=body.zone,
        spent=amount(body.spent),
        limit=amount(body.limit),
    )
    return f"{text}\n{RAISE.format(option=OPTIONS['person' if body.by else '', body.cap])}"


def rule_line(rule: MonthRule) -> str:
    """Return the budgets that `/setup` has set."""
    space = _caps(rule.space_micros, rule.space_tokens)
    return RULE.format(zone=rule.zone, space=space, person=_caps(rule.person_micros, rule.person_tokens))


def _caps(micros: int | None, tokens: int | None) -> str:
    parts = [
        dollars(micros) if micros is not None else "",
        f"{tokens:,} tokens" if tokens is not None else "",
    ]
    return ", ".join(part for part in parts if part) or NO_CAP
