"""Words for those who wait: what agents are writing now, how much of it, and how long steps take (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot import texts
from bot.discord.formatting import plain, span
from bot.features.tasks.doing import verb_alone
from engine.queries import ModelCallView, Queries

STALE_S = 60.0
"""How old an account of a call may be: the process that makes the call renews it every few seconds."""

FEW = 3
"""Calls under way up to which the newest words of each are shown."""

SHOWN_WORDS = 70


@dataclass(frozen=True, slots=True)
class Waiting:
    """The model calls under way in a task, by agent; `usual_s`: how long its steps took, None if unknown."""

    calls: Mapping[int, ModelCallView] = field(default_factory=dict)
    usual_s: float | None = None

    def line_of(self, agent_id: int) -> str:
        """Return what an agent is doing now and since when, "" for one without a call under way."""
        call = self.calls.get(agent_id)
        if call is None:
            return ""
        words = f" “{plain(call.written.words, SHOWN_WORDS)}”" if call.written.words else ""
        shown = words if len(self.calls) <= FEW else ""
        return f"{call_text(call)}{shown} · {texts.BEGAN.format(at=int(call.began_at))}"

    @property
    def usual(self) -> str:
        """Return how long steps took so far, "" while nobody waits, nothing is known, or it is no time."""
        if not self.calls or self.usual_s is None or self.usual_s < 1:
            return ""
        return texts.USUAL_STEP.format(span=span(self.usual_s))


def call_text(call: ModelCallView) -> str:
    """Return what a call is doing and how far it is, in a few words."""
    written = call.written
    if not call.sent:
        return texts.CALL_WAITS
    if not written.tokens:
        return texts.CALL_READS.format(percent=int(written.read * 100)) if written.read < 1 else texts.THINKS
    if written.path:
        what = texts.DOING.get(written.tool, texts.CALL_WRITES)
        return texts.CALL_LINES.format(what=what, path=plain(written.path, 60), count=written.lines)
    what = verb_alone(written.tool) or texts.CALL_WRITES
    return texts.CALL_TOKENS.format(what=what, count=written.tokens)


def waiting_of(calls: Sequence[ModelCallView], usual_s: float | None, now: float) -> Waiting:
    """Return the calls that are still renewed."""
    fresh = {call.agent_id: call for call in calls if now - call.at <= STALE_S}
    return Waiting(fresh, usual_s)


async def load_waiting(look: Queries, task_id: int, now: float) -> Waiting:
    """Read the calls under way in a task."""
    calls = await look.model_calls(task_id)
    return waiting_of(calls, await look.usual_seconds(task_id) if calls else None, now)
