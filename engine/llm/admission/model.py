"""Admission to one shared endpoint: fair between tasks, within its limits, waiting while it is down."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Protocol

from engine.errors import (
    CallNotSent,
    ModelBadAnswer,
    ModelError,
    ModelNeedsPerson,
    ModelRefused,
    ModelUnavailable,
)
from engine.llm.admission.breaker import Breaker, BreakerTimes
from engine.llm.admission.fairqueue import FairQueue, Ticket
from engine.llm.admission.rates import AdaptiveLimit, MinuteBucket
from engine.llm.admission.seats import Seats
from engine.llm.faults import RateLimited, TooSlow, UnusableAnswer
from engine.ports import ChatAnswer, ChatModel, ChatRequest, Quote
from engine.settings import EngineSettings

UNUSABLE_TRIES = 4
TRIES_WHILE_OTHERS_WORK = 6
SLOW_TRIES = 2
"""Times one request may run into MODEL_TIMEOUT_S before all wait and people read which setting to change."""
HOLD_WORTH_SAYING_S = 2.0
RETRY_FIRST_S = 0.25
RETRY_LONGEST_S = 8.0
PAUSE_LONGEST_S = 60.0


class Away(Exception):
    """Raised when the model is unavailable and the caller did not want to wait; never leaves this package."""


class AdmissionObserver(Protocol):
    """Notified when the model becomes unavailable and when it is available again. Must return at once."""

    def on_waiting(self, reason: str, retry_in_s: float, needs_person: bool) -> None:
        """Called when calls start to wait; the next attempt is in `retry_in_s`. Called again after each
        failed attempt. `needs_person`: waiting alone does not repair it."""

    def on_back(self) -> None:
        """Called when the endpoint answers again."""


class Unwatched:
    """An observer that ignores everything."""

    def on_waiting(self, reason: str, retry_in_s: float, needs_person: bool) -> None:
        """Do nothing."""

    def on_back(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class AdmissionState:
    """State shown to people: calls waiting and running, the concurrency limit, and why no call may run ("" if
    calls may)."""

    waiting: int
    running: int
    allowed: int
    unavailable: str


@dataclass(slots=True, eq=False)
class _Call:
    request: ChatRequest
    tokens: int
    patient: bool = True
    failures: int = 0
    answered_before: int = 0
    began: float = 0.0
    probe: bool = False
    sent: bool = False
    asked_s: float = 0.0
    admitted: asyncio.Future[None] | None = None


class AdmittedModel:
    """ChatModel that passes calls to `inner` once they are admitted.

    A call waits inside while the endpoint limits its rate, is down, or needs a person (who changes a key, the
    account or a setting and then calls `retry_now`); ModelRefused and ModelBadAnswer pass through. A request
    that keeps failing while others are answered, or keeps getting unusable answers, becomes ModelRefused
    instead of blocking forever.
    """

    def __init__(
        self,
        inner: ChatModel,
        settings: EngineSettings,
        observer: AdmissionObserver | None = None,
        times: BreakerTimes | None = None,
    ) -> None:
        self._inner = inner
        self._observer = observer or Unwatched()
        now = time.monotonic()
        self._queue: FairQueue[_Call] = FairQueue()
        self._seats = Seats()
        self._limit = AdaptiveLimit(settings.model_concurrency)
        self._requests = MinuteBucket(settings.requests_per_minute, now)
        self._tokens = MinuteBucket(settings.tokens_per_minute, now)
        self._breaker = Breaker(times or BreakerTimes())
        self._running = 0
        self._answered = 0
        self._pauses: set[asyncio.Event] = set()
        self._hold_until = 0.0
        self._impatient: dict[int, tuple[Ticket[_Call], asyncio.Future[None]]] = {}
        self._said_waiting = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def state(self) -> AdmissionState:
        """Return the state shown to people."""
        reason = self._breaker.reason if self._breaker.is_open else ""
        return AdmissionState(len(self._queue), self._running, self._limit.allowed, reason)

    def quote(self, request: ChatRequest) -> Quote:
        """Return the inner model's estimate."""
        return self._inner.quote(request)

    def retry_now(self) -> None:
        """Try the endpoint at once, after a person fixed the key or the network."""
        self._hold_until = 0.0
        for pause in self._pauses:
            pause.set()
        self._breaker.retry_now(time.monotonic())
        self._admit()

    async def complete(self, request: ChatRequest, *, patient: bool = True) -> ChatAnswer:
        """Answer `request` in its turn.

        Raises ModelRefused, any error of `inner` that waiting does not resolve, and Away instead of waiting
        for an unavailable model unless `patient`.
        """
        call = _Call(request, self._inner.quote(request).tokens, patient)
        if request.meter is not None:
            request.meter.returned()
        while True:
            await self._wait_turn(call)
            answer = await self._try(call)
            if answer is not None:
                return answer
            await self._pause(self._pause_s(call))

    # ------------------------------------------------------------ waiting

    async def _wait_turn(self, call: _Call) -> None:
        if not call.patient and self._breaker.wait_s(time.monotonic()) > 0:
            raise Away
        call.admitted = admitted = asyncio.get_running_loop().create_future()
        request = call.request
        ticket = self._queue.push(request.task_id, request.priority, call)
        if not call.patient:
            self._impatient[ticket.number] = (ticket, admitted)
        self._admit()
        try:
            await admitted
        except asyncio.CancelledError:
            self._give_up(call, ticket)
            if not call.sent:
                raise CallNotSent from None
            raise
        finally:
            self._impatient.pop(ticket.number, None)

    def _give_up(self, call: _Call, ticket: Ticket[_Call]) -> None:
        if call.admitted is not None and call.admitted.cancelled():
            self._queue.remove(ticket)
        else:
            self._tokens.settle(call.tokens, 0)
            self._leave(call, abandoned=True)

    def _admit(self) -> None:
        """Start all calls that may run now and schedule the next check."""
        while (ticket := self._queue.peek()) is not None and self._running < self._limit.allowed:
            call, now = ticket.item, time.monotonic()
            if call.admitted is None or call.admitted.cancelled():
                self._queue.remove(ticket)
                continue
            if self._running + self._seats.of_others(ticket.flow, now) >= self._limit.allowed:
                self._come_back(self._seats.next_end() - now)
                return
            wait = self._wait_s(call, now)
            if wait > 0:
                self._come_back(wait)
                return
            self._queue.pop()
            self._start(call, call.admitted, now)

    def _wait_s(self, call: _Call, now: float) -> float:
        return max(
            self._breaker.wait_s(now),
            self._hold_until - now,
            self._requests.wait_s(1, now),
            self._tokens.wait_s(call.tokens, now),
        )

    def _start(self, call: _Call, admitted: asyncio.Future[None], now: float) -> None:
        self._requests.take(1, now)
        self._tokens.take(call.tokens, now)
        self._seats.take(call.request.task_id)
        self._running += 1
        call.began = now
        call.probe = self._breaker.begin()
        admitted.set_result(None)

    def _come_back(self, wait: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wait != float("inf"):
            self._timer = asyncio.get_running_loop().call_later(wait + 0.001, self._admit)

    # ------------------------------------------------------------ trying

    async def _try(self, call: _Call) -> ChatAnswer | None:
        """Return the answer, or None if the call must wait for its turn again."""
        try:
            answer = await self._send(call)
        except RateLimited as error:
            self._limited(call, error)
        except ModelUnavailable as error:
            self._unavailable(call, error)
        except ModelNeedsPerson as error:
            self._needs_person(call, error)
        except (ModelRefused, ModelBadAnswer):
            self._alive(call)
            raise
        except BaseException:
            self._leave(call, abandoned=True)
            raise
        else:
            self._succeeded(call, answer)
            return answer
        return None

    async def _send(self, call: _Call) -> ChatAnswer:
        """Return the answer; the request's meter hears what becomes of the attempt."""
        meter = call.request.meter
        if meter is not None:
            await meter.before_send()
        call.sent = True
        try:
            return await self._inner.complete(call.request)
        except ModelError as error:
            call.sent = not error.free
            if meter is None:
                pass
            elif error.free:
                meter.returned()
            elif isinstance(error, ModelUnavailable):
                await meter.unanswered(error.charge)
            raise

    def _succeeded(self, call: _Call, answer: ChatAnswer) -> None:
        self._answered += 1
        self._tokens.settle(call.tokens, answer.usage.total or call.tokens)
        self._limit.succeeded(self._running)
        self._alive(call)

    def _alive(self, call: _Call) -> None:
        """Register that the endpoint answered, even if with a refusal."""
        self._breaker.succeeded()
        self._leave(call)
        if self._said_waiting:
            self._said_waiting = False
            self._observer.on_back()

    def _limited(self, call: _Call, error: RateLimited) -> None:
        now = time.monotonic()
        self._limit.limited(call.began, now)
        self._count_failure(call)
        hold = self._retry_s(call.failures) if error.retry_after_s is None else error.retry_after_s
        longer = now + hold - max(self._hold_until, now) >= HOLD_WORTH_SAYING_S
        self._hold_until = max(self._hold_until, now + hold)
        if longer:
            self._say_waiting(str(error), hold)
        self._leave(call, abandoned=True)

    def _unavailable(self, call: _Call, error: ModelUnavailable) -> None:
        now = time.monotonic()
        self._count_failure(call)
        if isinstance(error, TooSlow) and call.failures >= SLOW_TRIES:
            self._needs_person(call, error)
            return
        if self._breaker.failed(now, call.probe, str(error), error.retry_after_s):
            self._limit.limited(call.began, now)
            self._say_waiting(str(error), self._breaker.wait_s(now))
        elif not self._breaker.is_open:
            self._obey(call, error)
        self._leave(call)
        self._refuse_poison(call, error)

    def _obey(self, call: _Call, error: ModelUnavailable) -> None:
        """Let one call wait as long as the endpoint asked; the others may be answered meanwhile."""
        call.asked_s = min(error.retry_after_s or 0.0, PAUSE_LONGEST_S)
        if call.asked_s >= HOLD_WORTH_SAYING_S:
            self._say_waiting(str(error), call.asked_s)

    def _needs_person(self, call: _Call, error: ModelNeedsPerson | TooSlow) -> None:
        now = time.monotonic()
        if self._breaker.rejected(now, call.probe, str(error)):
            self._say_waiting(str(error), self._breaker.wait_s(now), needs_person=True)
        self._leave(call)

    def _count_failure(self, call: _Call) -> None:
        if not call.failures:
            call.answered_before = self._answered
        call.failures += 1
        self._tokens.settle(call.tokens, 0)

    def _refuse_poison(self, call: _Call, error: ModelUnavailable) -> None:
        unusable = isinstance(error, UnusableAnswer) and call.failures >= UNUSABLE_TRIES
        others_work = self._answered > call.answered_before
        if unusable or (others_work and call.failures >= TRIES_WHILE_OTHERS_WORK):
            raise ModelRefused(
                f"The model endpoint failed {call.failures} times on this request. The last time: {error}"
            ) from error

    def _leave(self, call: _Call, abandoned: bool = False) -> None:
        self._running -= 1
        self._queue.done(call.request.task_id)
        if abandoned and call.probe:
            self._breaker.abandoned()
        elif not abandoned:
            self._keep_seat(call.request.task_id)
        self._admit()

    def _keep_seat(self, task: int) -> None:
        """Keep the seat of a task that has less than its share: its next call usually follows at once."""
        others, places = self._queue.others(task), self._limit.allowed
        if others and self._queue.in_flight(task) * (others + 1) < places:
            self._seats.keep(task, places, time.monotonic())

    def _send_away(self) -> None:
        """Raise Away in waiting calls that prefer another model, since this one is unavailable."""
        for ticket, admitted in self._impatient.values():
            if not admitted.done():
                self._queue.remove(ticket)
                admitted.set_exception(Away())

    def _say_waiting(self, reason: str, retry_in_s: float, needs_person: bool = False) -> None:
        self._said_waiting = True
        if self._breaker.is_open:
            self._send_away()
        self._observer.on_waiting(reason, retry_in_s, needs_person)

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until a person says that it may be tried again."""
        ended = asyncio.Event()
        self._pauses.add(ended)
        try:
            async with asyncio.timeout(seconds):
                await ended.wait()
        except TimeoutError:
            pass
        finally:
            self._pauses.discard(ended)

    def _pause_s(self, call: _Call) -> float:
        """Return the delay before a retry while the breaker is closed; random, so that retries do not
        coincide."""
        if self._breaker.is_open or not call.failures:
            return 0.0
        return max(self._retry_s(call.failures), call.asked_s)

    @staticmethod
    def _retry_s(failures: int) -> float:
        span: float = min(RETRY_FIRST_S * 2.0**failures, RETRY_LONGEST_S)
        return random.uniform(0.5, 1.0) * span  # noqa: S311 - spreads retries, guards nothing
