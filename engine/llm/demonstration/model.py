"""`ChatModel` that gives the recorded answer to one step. Made for each step, from its facts."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from engine.domain.gates import GivenAnswer
from engine.domain.models import DEMONSTRATION
from engine.domain.state import StepFacts
from engine.llm.demonstration.recording import (
    ANSWER_SHOWN,
    NextAnswer,
    RecordedCall,
    assignment,
    file_text,
    next_answer,
    recording,
)
from engine.ports import ChatAnswer, ChatRequest, Clock, Quote, ToolCall, Written

REPLY_S = 2.0
"""Seconds that an answer in words takes."""


class RecordedModel:
    """Answers one step of a demonstration. `answers` reads what became of the agent's questions; `pace`
    multiplies the recorded waits, 0 for none."""

    def __init__(
        self,
        facts: StepFacts,
        answers: Callable[[], Awaitable[Sequence[GivenAnswer]]],
        clock: Clock,
        pace: float = 1.0,
    ) -> None:
        self._facts, self._answers, self._clock, self._pace = facts, answers, clock, pace

    def quote(self, request: ChatRequest) -> Quote:
        """Return nothing: no endpoint is asked."""
        return Quote(0, 0)

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Return the recorded answer after its wait."""
        if request.heard is not None:
            request.heard(Written())
        answers = await self._answers()
        chosen = next_answer(recording(), self._facts, answers)
        seconds = sum(beat.seconds for beat in chosen.beats) or REPLY_S
        await self._clock.sleep(self._pace * seconds)
        return _answer(chosen, self._facts, answers[-1].text if answers else "")


def _answer(chosen: NextAnswer, facts: StepFacts, said: str) -> ChatAnswer:
    """Return the answer; a reply to a person is given first, and the beats follow in the next step."""
    if not chosen.beats:
        return _said(chosen.reply or chosen.words)
    if chosen.reply:
        reply = {"to": ["human"], "text": chosen.reply, "needs_answer": False}
        return ChatAnswer(
            "", (ToolCall("reply", "send_message", json.dumps(reply)),), model=DEMONSTRATION, cost_micros=0
        )
    words = " ".join(said.split())
    text = "\n".join(beat.said for beat in chosen.beats if beat.said).replace(
        "{answer}", words if len(words) <= ANSWER_SHOWN else f"{words[:ANSWER_SHOWN]}…"
    )
    recorded = [call for beat in chosen.beats for call in beat.calls]
    last = len(recorded) - 1
    calls = tuple(
        _call(number, call, facts, ends_turn=chosen.rests and number == last)
        for number, call in enumerate(recorded)
    )
    return ChatAnswer(
        text, calls, model=DEMONSTRATION, cost_micros=0, kept=" ".join(beat.id for beat in chosen.beats)
    )


def _said(text: str) -> ChatAnswer:
    return ChatAnswer(text, model=DEMONSTRATION, cost_micros=0)


def _call(number: int, call: RecordedCall, facts: StepFacts, *, ends_turn: bool) -> ToolCall:
    arguments = {name: _filled(value, facts) for name, value in call.arguments.items()}
    if ends_turn:
        arguments["wait"] = True
    return ToolCall(f"c{number}", call.name, json.dumps(arguments, ensure_ascii=False))


def _filled(value: Any, facts: StepFacts) -> Any:
    """Return an argument with the number of this task's assignment, or the content of a recorded file."""
    if not isinstance(value, str) or value[:1] not in ("#", "<"):
        return value
    if value[0] == "<":
        return file_text(value[1:])
    work = assignment(facts, value[1:])
    return work.id if work is not None else 0
