"""A cap in money or tokens holds for every model, counted or not, priced or not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.assembly import OpenEngine
from engine.commands import Limits
from engine.events import PlanProposed
from tests.fakes.parts import make_tables
from tests.fakes.postgres import Cluster
from tests.providers.stage import Body, Provider, answer, call, carry_out

CEILING_IN, CEILING_OUT = 5, 25


async def test_nothing_counted_is_not_free(tmp_path: Path) -> None:
    """Without `usage` in the answers the estimate fills the cap of tokens."""

    def brain(body: Body, number: int) -> Body:
        made = call("write_file", {"path": f"f{number}.txt", "content": f"{number} " * 4_000})
        return answer(calls=[made], usage=None)

    provider = Provider(brain)
    seen = await carry_out(provider, tmp_path, limits=Limits(tokens=120_000), seconds=30)
    assert seen.state != "running"
    assert 100_000 < seen.tokens <= 132_000  # a tenth more to wrap up in
    assert len(provider.bodies) < 40


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where a task is stored; "" is SQLite."""
    if request.param == "sqlite":
        yield ""
        return
    cluster = Cluster()
    try:
        url = cluster.new_database()
        make_tables(url)
        yield url
    finally:
        cluster.stop()


async def test_six_hundred_calls_at_once_stay_within_the_cap_of_an_unpriced_model(
    tmp_path: Path, database_url: str
) -> None:
    """Each reserves what it may cost at the ceiling before it starts; over the cap nothing starts."""
    agents, most = 600, 0
    running = 0
    spent: list[tuple[int, int]] = []
    names = [{"name": f"Agent{n}", "role": "w", "instructions": "w"} for n in range(agents)]
    groups = [names[n : n + 30] for n in range(0, agents, 30)]
    recruits = [call("recruit", {"members": group}, f"r{n}") for n, group in enumerate(groups)]

    async def brain(body: Body, number: int) -> Body:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.05)
        running -= 1
        read = len(str(body)) // 4
        spent.append((read, body["max_tokens"]))
        usage = {"prompt_tokens": read, "completion_tokens": body["max_tokens"] - 1}
        if number == 1:
            return answer(
                calls=[*recruits, call("send_message", {"to": ["group"], "text": "Go."}, "go")], usage=usage
            )
        return answer(calls=[call("list_files", {})], usage=usage)

    cap = 20_000_000
    provider = Provider(brain)
    seen = await carry_out(
        provider,
        tmp_path,
        limits=Limits(cost_micros=cap, tokens=500_000_000, agents=agents + 1, members=agents),
        seconds=60,
        model="nobody-knows",
        model_prices={},
        model_concurrency=600,
        plan_approval_over=10_000,
        database_url=database_url,
    )
    assert len(provider.bodies) > 10
    assert most > 3
    real = sum(read * CEILING_IN + written * CEILING_OUT for read, written in spent)
    assert seen.noticed
    assert "nobody-knows" in seen.noticed[0]
    assert seen.cost_micros <= cap * 1.1 + 1, "a tenth more to wrap up in"
    # Calls under way when the engine stopped were paid for, too: each within its reservation.
    assert real <= cap * 1.1 + most * 450_000


async def test_a_plan_says_that_its_price_is_a_ceiling(tmp_path: Path) -> None:
    """People who approve a plan read that nobody knows the price."""
    plans: list[PlanProposed] = []

    def brain(body: Body, number: int) -> Body:
        if number == 1:
            plan = {"summary": "Split.", "groups": ["all"], "agents": 4}
            return answer(calls=[call("propose_plan", plan)])
        return answer(calls=[call("finish", {"report": "Done."})])

    async def watch(opened: OpenEngine, task: int) -> None:
        async for event in opened.engine.events():
            if isinstance(event.body, PlanProposed):
                plans.append(event.body)

    provider = Provider(brain)
    await carry_out(provider, tmp_path, model="nobody-knows", model_prices={}, beside=watch)
    assert [plan.guessed for plan in plans] == [True]
    assert plans[0].cost_micros > 0
