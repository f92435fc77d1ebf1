"""A whole task on each family: three agents, a large file, a long turn summed up, a restart, a person."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.assembly import open_engine
from engine.commands import Limits, SayToAgent, StartTask
from tests.providers.families import FAMILIES, Family, brain_of
from tests.providers.stage import Provider, Seen, follow, look, serving, settings_for
from tests.providers.team import BIG, COLOUR, GOAL, Team

RESTART_AFTER = 9


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_a_team_does_its_work(family: Family, tmp_path: Path) -> None:
    """Nothing is refused but what has to be learned, nothing is lost, and the thoughts stay unsaid."""
    provider = Provider(brain_of(family, Team()), *family.rules)
    seen = Seen()
    async with serving(provider):
        settings = settings_for(
            provider,
            tmp_path,
            model=family.model,
            model_context_tokens=32_000,
            max_steps=60,
            model_prices={family.model: {"input": 1, "output": 2}},
        )
        opened = await open_engine(settings, say=seen.said.append)
        await opened.engine.start()
        task = await opened.engine.handle(StartTask(GOAL, "person", "space", Limits(), attended=False))
        async with asyncio.timeout(60):
            await provider.reached(RESTART_AFTER)
        await opened.engine.stop(drain=False)
        await opened.close()

        opened = await open_engine(settings, say=seen.said.append)
        await opened.engine.start()
        bob = next(a for a in await opened.engine.look.agents(task) if a.name == "Bob")
        await opened.engine.handle(SayToAgent(bob.id, COLOUR, "7", "Zoe"))
        try:
            async with asyncio.timeout(60):
                await follow(opened, seen, lambda seen: False)
        finally:
            await look(opened, task, seen)
            await opened.engine.stop(drain=False)
            await opened.close()
    assert seen.state == "done", (seen.words, provider.statuses[-20:])
    assert seen.files["big.txt"].decode() == BIG
    assert seen.files["colour.txt"] == b"teal\n"
    assert sum(path.startswith("part") for path in seen.files) == 10
    assert (
        provider.refused <= family.refusals * 4
    )  # each before and after the restart, there by three at once
    assert not any("Hm." in text or "tool_call" in text for text in seen.spoken)
    assert any("what you did before, shortened" in str(body["messages"]) for body in provider.bodies)
