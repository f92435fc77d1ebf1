"""A live test of a role's model: it calls a tool, reads the result and answers, as an agent's model must."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.domain.redact import without_password
from engine.errors import ModelError
from engine.llm.providers.catalog import ModelFacts
from engine.ports import AgentRole, ChatAnswer, ChatMessage, ChatModel, ChatRequest, ToolSpec

LIMIT = 4_096
NUMBER = "7301"
_TOOL = ToolSpec(
    "look_up",
    "Look up the number of a word.",
    {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
)
_ASK = "Look up the number of the word oak with the tool look_up, then answer with that number alone."


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of testing one role's model; `facts` are read after the test, repairs included."""

    role: AgentRole
    ok: bool
    said: str
    facts: ModelFacts


async def try_words(model: ChatModel, role: AgentRole, seconds: float) -> tuple[bool, str]:
    """Return (success, reason): whether the model answers a short question within `seconds`.

    Used for a model that is restricted to its tools.
    """
    question = ChatMessage("user", "Answer with the one word: ready")
    request = ChatRequest(0, 0, role, (question,), priority=0, max_tokens=8)
    try:
        async with asyncio.timeout(seconds):
            answer = await model.complete(request)
    except TimeoutError:
        return False, f"no answer within {seconds:.0f} s"
    except ModelError as error:
        return False, str(error)
    return True, f"{answer.model} answers"


async def try_model(model: ChatModel, role: AgentRole, seconds: float) -> tuple[bool, str]:
    """Return (success, reason): whether the model calls a tool and reports its result within `seconds`."""
    request = ChatRequest(0, 0, role, (ChatMessage("user", _ASK),), (_TOOL,), priority=0, max_tokens=LIMIT)
    try:
        async with asyncio.timeout(seconds):
            first = await model.complete(request)
            if not first.tool_calls:
                return False, _without_a_call(first)
            last = await model.complete(_with_result(request, first))
    except TimeoutError:
        return False, f"no answer within {seconds:.0f} s"
    except ModelError as error:
        return False, str(error)
    if NUMBER not in last.text and not last.tool_calls:
        return False, "called the tool, but did not use its result. Choose a larger model."
    return True, f"{last.model or first.model} called a tool and used its result"


def _with_result(request: ChatRequest, answer: ChatAnswer) -> ChatRequest:
    calls = tuple(replace(call, id=f"c0000100{n}") for n, call in enumerate(answer.tool_calls[:10]))
    kept = answer.kept if len(calls) == len(answer.tool_calls) else ""
    results = [ChatMessage("tool", NUMBER, (), call.id) for call in calls]
    said = ChatMessage("assistant", answer.text, calls, kept=kept)
    return replace(request, messages=(*request.messages, said, *results))


def _without_a_call(answer: ChatAnswer) -> str:
    if answer.trouble:
        return "wrote its tool call in a form that cannot be read. Choose a model that is made for tools."
    if answer.cut:
        return f"used all {answer.limit} tokens without calling the tool. Choose a model that thinks less."
    return "answered without calling the tool. Choose a model that takes tools."


def trial_lines(trials: Sequence[Trial]) -> list[str]:
    """Return one line per model: roles, test result, endpoint, price, limits and repairs."""
    roles: dict[tuple[str, str, bool, str], list[str]] = {}
    for trial in trials:
        facts = trial.facts
        key = (facts.model, facts.endpoint, trial.ok, f"{trial.said.rstrip('.')}. {_about(facts)}")
        roles.setdefault(key, []).append(trial.role)
    return [f"{', '.join(names)}: {said}" for (_, _, _, said), names in roles.items()]


def _about(facts: ModelFacts) -> str:
    window = f"context {facts.window:,} tokens" if facts.window else "context not known"
    adapted = f", adapted: {', '.join(facts.repaired)}" if facts.repaired else ""
    if facts.endpoint == "embedded":
        return f"Embedded, {window}"
    place = without_password(facts.endpoint)
    where = f"{facts.model} at {place} ({facts.family})"
    return f"{where}, {facts.price}, {window}, answers to {facts.answer:,}{adapted}"
