"""Text inputs for caps: build them and read them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot import texts
from bot.discord.errors import ActionRefused
from bot.discord.formatting import plain
from bot.discord.windows import TextField
from bot.features.tasks import actions as task_actions
from bot.texts import refusals
from engine.commands import Limits

DIGITS: Mapping[str, int] = {"dollars": 12, "tokens": 12, "agents": 9, "minutes": 9}
"""Characters that are typed at most: the store's numbers of agents and minutes have 32 bits."""

_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d*)?")


def cap_field(name: str, label: str, default: str, *, required: bool = False) -> TextField:
    """Return the text field for one cap."""
    return TextField(name, label, default, long=False, required=required, most=DIGITS[name])


def cap_asks(caps: Limits) -> list[TextField]:
    """Return the text fields of a window in which the four caps are set, with `caps` as defaults."""
    numbers = (
        ("dollars", texts.MODAL_CAP_DOLLARS, f"{caps.cost_micros / 1e6:.2f}" if caps.cost_micros else ""),
        ("tokens", texts.MODAL_CAP_TOKENS, str(caps.tokens or "")),
        ("agents", texts.MODAL_CAP_AGENTS, str(caps.agents or "")),
        ("minutes", texts.MODAL_CAP_MINUTES, str(caps.minutes or "")),
    )
    return [cap_field(name, label, default) for name, label, default in numbers]


def caps_of(values: Mapping[str, str]) -> Limits:
    """Return the caps typed into a window. Raises ActionRefused when one is not a number."""
    return task_actions.limits_of(
        _dollars(values.get("dollars", "")),
        _whole(values.get("agents", "")),
        _whole(values.get("minutes", "")),
        _whole(values.get("tokens", "")),
    )


def _dollars(text: str) -> float | None:
    cleaned = text.strip().lstrip("$").strip()
    thousands = _THOUSANDS.fullmatch(cleaned)  # as the bot itself writes them, else a decimal comma
    cleaned = cleaned.replace(",", "" if thousands else ".")
    try:
        return float(cleaned) if cleaned else None
    except ValueError:
        raise ActionRefused(refusals.BAD_BUDGET) from None


def _whole(text: str) -> int | None:
    cleaned = text.strip()
    if not cleaned:
        return None
    if not cleaned.isdecimal() or int(cleaned) == 0:
        raise ActionRefused(refusals.BAD_NUMBER.format(value=plain(cleaned, 20)))
    return int(cleaned)
