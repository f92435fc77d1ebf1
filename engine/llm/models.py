"""Wire the models of all roles: adapters by endpoint, an admission for each (endpoint, model), stand-ins."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, get_args

from engine.errors import NotConfigured
from engine.llm.admission.model import AdmissionObserver, AdmittedModel
from engine.llm.admission.routes import Admission, RoutedModel, StandIns
from engine.llm.prices import keep_current
from engine.llm.providers.addresses import address_of, cleaned_key
from engine.llm.providers.catalog import ModelFacts
from engine.llm.providers.endpoint import Endpoint
from engine.llm.providers.learned import Learned
from engine.llm.providers.openai_chat import OpenAIChat
from engine.llm.trial import Trial, try_model, try_words
from engine.ports import AgentRole, ChatModel
from engine.settings import EngineSettings, ModelTarget

ROLES: tuple[AgentRole, ...] = get_args(AgentRole)
NATIVE = ("anthropic", "google", "openai-responses")
"""What stands before the colon of a name whose model has an API of its own; `qwen3:8b` is a plain name."""

Say = Callable[[str], None]


class Chat(ChatModel, Protocol):
    """An adapter to one endpoint."""

    def facts(self, role: str) -> ModelFacts:
        """The model of a role as it is used now."""

    def window(self, role: str) -> int:
        """Tokens that prompt and answer have together."""

    async def close(self) -> None:
        """Close the connections."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One model at one endpoint with its admission."""

    chat: Chat
    admission: AdmittedModel
    name: str


@dataclass(frozen=True, slots=True)
class OpenModels:
    """The models of all roles, open; `routes`: each role's lanes, the first preferred."""

    admission: Admission
    routes: dict[AgentRole, tuple[Lane, ...]]

    def facts(self) -> dict[str, ModelFacts]:
        """The models in use by name, as they are used now."""
        lanes = (lane for route in self.routes.values() for lane in route)
        return {lane.name: lane.chat.facts("boss") for lane in lanes}

    def window(self, role: AgentRole) -> int:
        """Tokens that prompt and answer of the role's model have together: of several the least."""
        return min(lane.chat.window(role) for lane in self.routes[role])

    async def try_roles(self, seconds: float) -> list[Trial]:
        """Test each role's model with a real tool call; roles with the same model share one test."""
        tried: dict[int, tuple[bool, str]] = {}
        trials: list[Trial] = []
        for role in ROLES:
            lane = self.routes[role][0]
            if id(lane) not in tried:
                asked = try_words if lane.chat.facts(role).endpoint == "embedded" else try_model
                tried[id(lane)] = await asked(lane.chat, role, seconds)
            ok, said = tried[id(lane)]
            trials.append(Trial(role, ok, said, lane.chat.facts(role)))
        return trials


def open_local(
    settings: EngineSettings, endpoint: Endpoint, observer: AdmissionObserver, stack: AsyncExitStack, say: Say
) -> OpenModels:
    """Return the embedded model for every role."""
    chat = OpenAIChat(settings, endpoint, say)
    stack.push_async_callback(chat.close)
    lane = Lane(chat, AdmittedModel(chat, settings, observer), "embedded")
    return OpenModels(lane.admission, dict.fromkeys(ROLES, (lane,)))


LEARNED = "learned_requests.json"
"""File in the data directory with what was learned of endpoints."""


class _Watchers:
    """Observes one lane for all roles that use it, each in its own way."""

    def __init__(self) -> None:
        self.each: list[AdmissionObserver] = []

    def add(self, observer: AdmissionObserver) -> None:
        """Add an observer."""
        if observer not in self.each:
            self.each.append(observer)

    def on_waiting(self, reason: str, retry_in_s: float, needs_person: bool) -> None:
        """See `AdmissionObserver`."""
        for observer in self.each:
            observer.on_waiting(reason, retry_in_s, needs_person)

    def on_back(self) -> None:
        """See `AdmissionObserver`."""
        for observer in self.each:
            observer.on_back()


class _Lanes:
    """The lanes made so far, by model and endpoint."""

    def __init__(self, settings: EngineSettings, stack: AsyncExitStack, say: Say, tell: Say) -> None:
        self._settings, self._stack, self._say, self._tell = settings, stack, say, tell
        self._learned = Learned(settings.data_dir / LEARNED)
        self._made: dict[tuple[str, str, str], tuple[Lane, _Watchers]] = {}
        self._standing_in: dict[tuple[str, str], StandIns] = {}

    def __len__(self) -> int:
        return len(self._made)

    def of(self, target: ModelTarget, observer: AdmissionObserver) -> Lane:
        """Return the lane of a target; `observer` is notified of it from now on."""
        key = (
            target.model,
            address_of(target.base_url).base,
            cleaned_key(target.api_key.get_secret_value()),
        )
        if key not in self._made:
            chat = _chat(self._settings, target, self._say, self._tell, self._learned)
            self._stack.push_async_callback(chat.close)
            watchers = _Watchers()
            lane = Lane(chat, AdmittedModel(chat, self._settings, watchers), target.model)
            self._made[key] = lane, watchers
        lane, watchers = self._made[key]
        watchers.add(observer)
        return lane

    def standing_in(self, one: ModelTarget, other: ModelTarget) -> StandIns:
        """Return the observer that reports that `other` answers in place of `one`."""
        key = (one.model, other.model)
        return self._standing_in.setdefault(key, StandIns(*key, self._tell))


def open_models(
    settings: EngineSettings, observer: AdmissionObserver, stack: AsyncExitStack, say: Say, tell: Say
) -> OpenModels:
    """Return the configured models; `tell` receives what people should read. Raises NotConfigured."""
    if settings.model_prices_update:
        stack.callback(keep_current())
    lanes = _Lanes(settings, stack, say, tell)
    routes: dict[AgentRole, tuple[Lane, ...]] = {}
    for role in ROLES:
        targets = (settings.target_for(role), *settings.fallback_for(role))
        watchers = [lanes.standing_in(one, other) for one, other in pairwise(targets)]
        pairs = zip(targets, [*watchers, observer], strict=True)
        routes[role] = tuple(lanes.of(target, watcher) for target, watcher in pairs)
    named = {name: [_named(lanes, settings, name, observer).admission] for name in settings.allowed_models}
    if len(lanes) == 1:
        return OpenModels(routes["boss"][0].admission, routes)
    for name in settings.usual_models():
        using = [route for route in routes.values() if route[0].name == name]
        if using:
            named[name] = [lane.admission for lane in using[0]]
    by_role = {role: [lane.admission for lane in route] for role, route in routes.items()}
    return OpenModels(RoutedModel(by_role, named), routes)


def _named(lanes: _Lanes, settings: EngineSettings, name: str, observer: AdmissionObserver) -> Lane:
    """The lane of a model that tasks may name: it is at the common endpoint."""
    target = ModelTarget(model=name, base_url=settings.openai_base_url, api_key=settings.openai_api_key)
    return lanes.of(target, observer)


def _chat(settings: EngineSettings, target: ModelTarget, say: Say, tell: Say, learned: Learned) -> Chat:
    provider, colon, name = target.model.partition(":")
    key = target.api_key.get_secret_value()
    if colon and provider in NATIVE:
        return _native(settings, target, provider, name, say, tell, learned)
    if not cleaned_key(key) and not target.base_url.strip():
        raise NotConfigured(
            f"{target.model} has neither key nor address. Set OPENAI_API_KEY, or another MODEL."
        )
    return OpenAIChat(settings, Endpoint(target.base_url, key or "none", target.model), say, tell, learned)


def _native(
    settings: EngineSettings,
    target: ModelTarget,
    provider: str,
    name: str,
    say: Say,
    tell: Say,
    learned: Learned,
) -> Chat:
    """Its own key and address where they are set, else the common ones."""
    from engine.extras import require  # noqa: PLC0415 - what follows is of the extra [native]

    require("native", f"{provider}:{name}")
    from engine.llm.providers.clients import NativeTarget  # noqa: PLC0415
    from engine.llm.providers.native import NativeChat  # noqa: PLC0415

    own = {
        "anthropic": (settings.anthropic_api_key, settings.anthropic_base_url, "ANTHROPIC_API_KEY"),
        "google": (settings.google_api_key, settings.google_base_url, "GOOGLE_API_KEY"),
    }
    key, base_url, key_name = own.get(provider, (target.api_key, target.base_url, "OPENAI_API_KEY"))
    if not key.get_secret_value():
        key = target.api_key
    native = NativeTarget(
        provider=provider,
        model=name,
        base_url=base_url or (target.base_url if key is target.api_key else ""),
        api_key=key.get_secret_value(),
        key_name=key_name,
    )
    return NativeChat(settings, native, say, tell, learned)
