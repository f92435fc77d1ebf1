"""The admission in front of a real OpenAIChat and an endpoint that misbehaves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from engine.errors import ModelKeyRejected, ModelRefused, ModelUnavailable
from engine.llm.admission.breaker import BreakerTimes
from engine.llm.admission.model import AdmittedModel
from engine.llm.admission.seats import SEAT_S
from engine.llm.faults import RateLimited
from engine.llm.providers.openai_chat import OpenAIChat
from engine.ports import ChatAnswer, ChatRequest, Quote
from tests.engine.llm.conftest import request_with, settings_with
from tests.fakes import model_endpoint as fake
from tests.fakes.model_endpoint import ModelEndpoint, answer, says

FAST = BreakerTimes(threshold=3, first_s=0.02, longest_s=0.05, key_s=0.05)


class Watcher:
    """Record the observer's calls."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, float]] = []
        self.notified = asyncio.Event()
        self.backs = 0

    def on_waiting(self, reason: str, retry_in_s: float, needs_person: bool) -> None:
        """Remember."""
        self.waiting.append((reason, retry_in_s))
        self.notified.set()

    def on_back(self) -> None:
        """Count."""
        self.backs += 1


class Steered:
    """A model whose calls the test ends one by one."""

    def __init__(self) -> None:
        self.running: list[tuple[ChatRequest, asyncio.Future[ChatAnswer]]] = []
        self.order: list[int] = []

    def quote(self, request: ChatRequest) -> Quote:
        """A hundred tokens."""
        return Quote(100, 0)

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Wait for the test."""
        self.order.append(request.agent_id)
        ended: asyncio.Future[ChatAnswer] = asyncio.get_running_loop().create_future()
        self.running.append((request, ended))
        try:
            return await ended
        finally:
            self.running.remove((request, ended))

    def end(self, error: Exception | None = None) -> None:
        """End the call that runs longest."""
        _, ended = self.running[0]
        if error is None:
            ended.set_result(ChatAnswer("ok"))
        else:
            ended.set_exception(error)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; the test's own limit ends a wait in vain."""
    while not condition():  # noqa: ASYNC110 - the model under test has no event for it
        await asyncio.sleep(0.005)


@pytest.fixture
async def calls() -> AsyncIterator[Callable[..., asyncio.Task[ChatAnswer]]]:
    """Starts calls and cancels what is left of them."""
    tasks: list[asyncio.Task[ChatAnswer]] = []

    def start(admission: AdmittedModel, **changes: Any) -> asyncio.Task[ChatAnswer]:
        tasks.append(asyncio.create_task(admission.complete(request_with(**changes))))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


Start = Callable[..., asyncio.Task[ChatAnswer]]


async def test_no_more_at_once_than_set(calls: Start) -> None:
    """The cap holds, and each end lets the next one in."""
    model = Steered()
    admission = AdmittedModel(model, settings_with(model_concurrency=2))
    for agent in range(5):
        calls(admission, agent_id=agent)
    await settle()
    assert model.order == [0, 1]
    assert (admission.state.waiting, admission.state.running) == (3, 2)
    model.end()
    await settle()
    assert model.order == [0, 1, 2]


async def test_small_task_passes_a_large_one(calls: Start) -> None:
    """The call of a small task is the next to go, whatever a large task has waiting."""
    model = Steered()
    admission = AdmittedModel(model, settings_with(model_concurrency=2))
    for agent in range(50):
        calls(admission, task_id=1, agent_id=agent)
    await settle()
    calls(admission, task_id=2, agent_id=999)
    await settle()
    model.end()
    await settle()
    assert model.order[-1] == 999


async def test_a_small_tasks_place_is_kept_for_its_next_call(calls: Start) -> None:
    """Its call ended, the place is not given to the large task: the next call of the small one goes at once.
    When none comes, the large task gets the place after a moment."""
    model = Steered()
    admission = AdmittedModel(model, settings_with(model_concurrency=8))
    calls(admission, task_id=2, agent_id=998)
    for agent in range(50):
        calls(admission, task_id=1, agent_id=agent)
    await settle()
    model.end()
    await settle()
    assert admission.state.running == 7
    calls(admission, task_id=2, agent_id=999)
    await settle()
    assert model.order[-1] == 999
    for _ in range(8):
        model.end()
        await settle()
    assert admission.state.running == 7
    await asyncio.sleep(SEAT_S + 0.05)
    assert admission.state.running == 8


async def test_person_goes_first(calls: Start) -> None:
    """Priority 0 passes what waits in the same task and in others."""
    model = Steered()
    admission = AdmittedModel(model, settings_with(model_concurrency=1))
    for agent in range(3):
        calls(admission, agent_id=agent)
        calls(admission, task_id=2, agent_id=10 + agent)
    await settle()
    calls(admission, agent_id=99, priority=0)
    await settle()
    model.end()
    await settle()
    assert model.order[1] == 99


async def test_cancelled_waits_leave_no_trace(calls: Start) -> None:
    """A cancelled call frees its place, waiting or running, at any moment."""
    model = Steered()
    admission = AdmittedModel(model, settings_with(model_concurrency=1))
    running, waiting, last = (calls(admission, agent_id=agent) for agent in range(3))
    await settle()
    waiting.cancel()
    await settle()
    running.cancel()
    await settle()
    assert model.order == [0, 2]
    model.end()
    assert (await last).text == "ok"
    assert (admission.state.waiting, admission.state.running) == (0, 0)


async def test_cancelled_between_admission_and_start(calls: Start) -> None:
    """Cancelled in the very instant its turn came, a call gives the place on."""
    model = Steered()
    admission = AdmittedModel(model, settings_with(model_concurrency=1))
    first, second, third = (calls(admission, agent_id=agent) for agent in range(3))
    await settle()
    model.end()
    await first
    second.cancel()
    await settle()
    model.end()
    assert (await third).text == "ok"
    assert admission.state.running == 0


async def test_rate_limit_halves_and_holds_everybody(calls: Start) -> None:
    """After a 429 half as many run, none before Retry-After, and none is lost."""
    model, watcher = Steered(), Watcher()
    admission = AdmittedModel(model, settings_with(model_concurrency=8), watcher)
    tasks = [calls(admission, agent_id=agent) for agent in range(8)]
    await settle()
    for _ in range(8):
        model.end(RateLimited("Slow down.", 30.0))
        await settle()
    assert admission.state.allowed == 4
    ((_, retry_in_s),) = watcher.waiting
    assert 29 < retry_in_s <= 30 and len(model.order) == 8
    await until(lambda: admission.state.waiting == 8)
    admission.retry_now()
    await settle()
    assert len(model.running) == 4
    while not all(task.done() for task in tasks):
        model.end()
        await settle()
    assert watcher.backs == 1


async def test_requests_a_minute_are_obeyed(calls: Start) -> None:
    """With 20 a minute two go at once and the third waits."""
    model = Steered()
    admission = AdmittedModel(model, settings_with(requests_per_minute=20))
    for agent in range(5):
        calls(admission, agent_id=agent)
    await settle()
    assert len(model.running) == 2
    assert admission.state.waiting == 3


async def test_tokens_a_minute_are_obeyed_and_settled(calls: Start) -> None:
    """Estimates of 100 fill a burst of 200; an answer that used none gives its part back."""
    model = Steered()
    admission = AdmittedModel(model, settings_with(tokens_per_minute=2000))
    for agent in range(5):
        calls(admission, agent_id=agent)
    await settle()
    assert len(model.running) == 2
    _, ended = model.running[0]
    ended.set_exception(ModelRefused("No."))
    await settle()
    assert len(model.running) == 1


async def test_down_endpoint_is_waited_for(calls: Start) -> None:
    """Calls wait while the endpoint is down, people are notified, one probe runs at a time, all succeed."""
    model, watcher = Steered(), Watcher()
    admission = AdmittedModel(model, settings_with(model_concurrency=4), watcher, FAST)
    tasks = [calls(admission, agent_id=agent) for agent in range(4)]
    await settle()
    for _ in range(4):
        model.end(ModelUnavailable("Down."))
        await settle()
    assert admission.state.unavailable == "Down."
    assert watcher.waiting[0][0] == "Down."
    await until(lambda: len(model.order) == 5)
    assert len(model.running) == 1
    model.end()
    await settle()
    assert admission.state.unavailable == ""
    assert watcher.backs == 1
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.01)
        if model.running:
            model.end()
    assert [task.result().text for task in tasks] == ["ok"] * 4


async def test_a_call_waits_as_long_as_a_failing_endpoint_asks(calls: Start) -> None:
    """A 503 with Retry-After is not tried again at once; others are, and a person's word ends the wait."""
    model, watcher = Steered(), Watcher()
    admission = AdmittedModel(model, settings_with(model_concurrency=4), watcher)
    first = calls(admission, agent_id=1)
    await settle()
    model.end(ModelUnavailable("Busy.", 30.0))
    await settle()
    assert watcher.waiting == [("Busy.", 30.0)]
    second = calls(admission, agent_id=2)
    await settle()
    model.end()
    assert (await second).text == "ok"
    await asyncio.sleep(0.4)
    assert model.order == [1, 2] and not model.running
    admission.retry_now()
    await settle()
    model.end()
    assert (await first).text == "ok"


async def test_rejected_key_waits_for_a_person(calls: Start) -> None:
    """A 401 fails no call: it is reported, and calls continue once the key was changed."""
    model, watcher = Steered(), Watcher()
    admission = AdmittedModel(model, settings_with(), watcher)
    task = calls(admission)
    await settle()
    model.end(ModelKeyRejected("Bad key."))
    await settle()
    ((reason, retry_in_s),) = watcher.waiting
    assert reason == "Bad key."
    assert 59 < retry_in_s <= 60
    admission.retry_now()
    await settle()
    model.end()
    assert (await task).text == "ok"
    assert watcher.backs == 1


async def test_cancelled_probe_is_followed_by_another(calls: Start) -> None:
    """The breaker does not stay shut because the probe's agent was stopped."""
    model = Steered()
    admission = AdmittedModel(model, settings_with(), times=FAST)
    first = calls(admission, agent_id=1)
    await settle()
    model.end(ModelKeyRejected("Bad key."))
    await until(lambda: len(model.order) == 2)
    second = calls(admission, agent_id=2)
    await settle()
    assert len(model.running) == 1
    first.cancel()
    await settle()
    assert model.order[-1] == 2
    model.end()
    assert (await second).text == "ok"


async def test_refusal_passes_and_shows_life(calls: Start) -> None:
    """A refused request is its caller's business, and a probe that is refused closes the breaker."""
    model = Steered()
    admission = AdmittedModel(model, settings_with(), times=FAST)
    task = calls(admission)
    await settle()
    model.end(ModelKeyRejected("Bad key."))
    await until(lambda: len(model.order) == 2)
    model.end(ModelRefused("Too long."))
    with pytest.raises(ModelRefused, match="Too long"):
        await task
    assert admission.state.unavailable == ""


async def test_poisonous_request_is_refused_in_the_end(
    endpoint: ModelEndpoint, chat_at: Callable[..., OpenAIChat]
) -> None:
    """A request that only gets garbage fails alone after four attempts; others are still served."""
    endpoint.replies = [says(answer(choices=[])) for _ in range(4)]
    admission = AdmittedModel(chat_at(), settings_with())
    with pytest.raises(ModelRefused, match="4 times"):
        await admission.complete(request_with("poison"))
    assert (await admission.complete(request_with())).text == "hello"


@pytest.mark.parametrize("seed", range(3))
async def test_bad_weather_loses_no_call(
    endpoint: ModelEndpoint, chat_at: Callable[..., OpenAIChat], seed: int
) -> None:
    """100 calls of 5 tasks through 429, 500, timeouts, drops and garbage all get their answer."""
    weather = [
        says({"error": {"message": "slow"}}, 429, retry_after_ms="20"),
        says({"error": {"message": "slow"}}, 429),
        says(b"oops", 500),
        says(b"<html>", 502, retry_after="0.01"),
        says(b"not json"),
        says(answer(choices=[])),
        fake.drops,
        fake.stops_half_way,
        fake.hangs,
    ]
    dice = random.Random(seed)
    endpoint.replies = [dice.choice(weather) if dice.random() < 0.15 else says(answer()) for _ in range(100)]
    settings = settings_with(model_concurrency=16, model_timeout_s=0.3)
    admission = AdmittedModel(chat_at(model_timeout_s=0.3), settings, times=FAST)
    requests = [request_with(str(number), task_id=number % 5) for number in range(100)]
    answers = await asyncio.gather(*(admission.complete(request) for request in requests))
    assert [got.text for got in answers] == ["hello"] * 100
    assert endpoint.most_running <= 16
    assert (admission.state.waiting, admission.state.running) == (0, 0)
