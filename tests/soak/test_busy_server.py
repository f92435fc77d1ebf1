"""A busy server with Discord in trouble: nothing is lost, nothing is said twice, nobody's channel is touched.

Lost would be an agent's utterance that stands nowhere, or a person's words in a place without any outcome.

SOAK_MINUTES and SOAK_SEED make it shorter, or try another seed.
"""

from __future__ import annotations

import asyncio
import os
import statistics
from pathlib import Path

import discord
import pytest

from bot.features.replies import catch_up
from tests.soak.busy_server import BusyServer, Size

SEEDS = [1, 2, 3]
"""Seed 1 found a card that a filter kept from being shown, and a post that was taken in silence while an
outage began; seed 3 a reading that went on after the bot had left."""

ANSWER_S, ANY_S = 180.0, 600.0
"""Longest time of Discord's from an answer or any utterance to its message, besides stops and outages.

A second of this machine's is twenty of Discord's here: most of it is room for a busy machine."""


@pytest.mark.soak
@pytest.mark.parametrize("seed", [int(os.environ["SOAK_SEED"])] if "SOAK_SEED" in os.environ else SEEDS)
async def test_a_busy_server_in_trouble(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every utterance in one message, answers soon, silence during the ban, only the bot's own channels."""
    monkeypatch.setattr("discord.client.ExponentialBackoff.delay", lambda self: 0.05)
    monkeypatch.setattr(discord.Client, "before_identify_hook", _at_once)
    for pause in ("PAUSE_S", "LONGEST_S"):
        path = f"bot.features.replies.catch_up.{pause}"
        monkeypatch.setattr(path, getattr(catch_up, pause) / Size().scale)
    minutes = float(os.environ.get("SOAK_MINUTES", "30"))
    size = Size(minutes=minutes) if minutes >= 30 else Size(people=15, tasks=5, minutes=minutes)
    server = BusyServer(tmp_path, seed, size)
    await server.start()
    try:
        await server.live()
        await server.settle(600)
        await asyncio.sleep(1)
        seen = server.seen
        answers, every = seen.delays("a"), seen.delays("u")
        print(_figures(server, answers, every))  # noqa: T201 - what a soak is run for
        lost, unheard = await server.unsaid(), await server.unheard(30)
        twice = {token: ids for token, ids in seen.posted.items() if len(ids) > 1}
        names = {c.name for c in server.local.world.channels.values()}
        assert (lost, twice) == ({}, {})
        assert unheard == []
        assert seen.touched == [] and names >= {"lobby", "general", "random", "help"}
        assert seen.banned_at and seen.during_ban == []
        assert answers and max(answers) < ANSWER_S and max(every) < ANY_S
        assert server.local.gaps == []
    finally:
        await server.stop()


async def _at_once(_client: discord.Client, _shard: int | None, *, initial: bool = False) -> None:
    """Discord allows one login in five seconds; the local one does not mind."""


def _figures(server: BusyServer, answers: list[float], every: list[float]) -> str:
    seen = server.seen
    lines = [
        f"utterances {len(every)}, answers {len(answers)}, requests {sum(seen.calls.values())}, "
        f"rejected in every form {len(seen.rejected)}, repeated by a proxy {seen.proxied}",
        f"statuses {dict(sorted(seen.calls.items()))}",
        f"troubles {dict(sorted(seen.troubles.items()))}",
    ]
    for name, delays in (("answers", answers), ("utterances", every)):
        if len(delays) > 1:
            cuts = statistics.quantiles(delays, n=20)
            lines.append(f"{name}: median {cuts[9]:.1f} s, 95 % {cuts[18]:.1f} s, longest {delays[-1]:.1f} s")
    return "\n".join(lines)
