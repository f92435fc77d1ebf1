"""Routing by role: each role has its model, and stand-ins that answer while that model is unavailable."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from engine.llm.admission.model import AdmissionState, AdmittedModel, Away
from engine.ports import AgentRole, ChatAnswer, ChatRequest, Quote


class Admission(Protocol):
    """Admission to all models: what the engine calls, and the state that people see."""

    @property
    def state(self) -> AdmissionState:
        """Return the state shown to people."""

    def quote(self, request: ChatRequest) -> Quote:
        """Return the most tokens and money that `request` may use."""

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Answer `request` in its turn."""

    def retry_now(self) -> None:
        """Try unavailable models at once, after a person fixed something."""


class StandIns:
    """Observes a lane that has stand-ins: reports once that another answers, and once that it is back."""

    def __init__(self, name: str, other: str, notice: Callable[[str], None]) -> None:
        self._name, self._other, self._notice = name, other, notice
        self._away = False

    def on_waiting(self, reason: str, retry_in_s: float, needs_person: bool) -> None:
        """See `AdmissionObserver`."""
        if not self._away:
            self._away = True
            self._notice(f"{self._name} cannot be used: {reason} Meanwhile {self._other} answers.")

    def on_back(self) -> None:
        """See `AdmissionObserver`."""
        if self._away:
            self._away = False
            self._notice(f"{self._name} answers again.")


class RoutedModel:
    """ChatModel over lanes by role, in order of preference; each lane is one (endpoint, model).

    A request goes to the first available lane; if none is available, it waits at the first. A request that
    names a model goes to that model's lanes (`named`).
    """

    def __init__(
        self,
        routes: Mapping[AgentRole, Sequence[AdmittedModel]],
        named: Mapping[str, Sequence[AdmittedModel]],
    ) -> None:
        self._routes, self._named = routes, named

    @property
    def state(self) -> AdmissionState:
        """Return the state of all lanes together; `unavailable` says why some role has no available lane."""
        lanes = {id(lane): lane for lane in self._lanes()}
        states = [lane.state for lane in lanes.values()]
        stuck = [
            route[0].state.unavailable
            for route in self._routes.values()
            if all(lane.state.unavailable for lane in route)
        ]
        return AdmissionState(
            sum(state.waiting for state in states),
            sum(state.running for state in states),
            sum(state.allowed for state in states),
            stuck[0] if stuck else "",
        )

    def quote(self, request: ChatRequest) -> Quote:
        """Return the highest estimate of the lanes that may answer."""
        quotes = [lane.quote(request) for lane in self._route(request)]
        return Quote(
            max(quote.tokens for quote in quotes),
            max(quote.cost_micros for quote in quotes),
            any(quote.guessed for quote in quotes),
        )

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Answer `request` at the first available lane."""
        route = self._route(request)
        for lane in route if len(route) > 1 else ():
            with contextlib.suppress(Away):
                return await lane.complete(request, patient=False)
        return await route[0].complete(request)

    def retry_now(self) -> None:
        """Try every unavailable lane at once."""
        for lane in self._lanes():
            lane.retry_now()

    def _route(self, request: ChatRequest) -> Sequence[AdmittedModel]:
        return self._named.get(request.model) or self._routes[request.role]

    def _lanes(self) -> Iterator[AdmittedModel]:
        for route in (*self._routes.values(), *self._named.values()):
            yield from route
