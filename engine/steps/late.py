"""An answer that comes after its task ended or its agent left: paid for, and nothing in it takes effect."""

from __future__ import annotations

from dataclasses import replace

from engine.domain.call_ids import call_id
from engine.domain.effects import CallRecord, StepOutcome
from engine.domain.outcomes import Consulted, Refused
from engine.domain.state import NOTE, Turn
from engine.steps.act import call_record
from engine.tools.base import clip

SAID_CHARS = 2_000

UNDONE = "Not done: the task had ended before this took effect. Do it again if it is still asked for."
OUTSIDE = (
    "The task had ended before this was kept. What it changed outside is told in a message, if anything."
)
LATE = (
    "Your answer came after the task had ended: nobody saw it, and nothing in it was done. Decide again by "
    "what is asked now."
)


def undone(outcome: StepOutcome, turn: Turn) -> StepOutcome:
    """Return what is stored of an answer whose effects are dropped.

    Whoever continues the task lets the agent read its past steps, and it takes as done what they call done.
    So do the rules that go by outcomes: what was seen of a file, who was answered, what a small model does
    next. The words that nobody saw stand in a note.
    """
    calls = tuple(_record(call) for call in outcome.calls if call.name != NOTE)
    left = outcome.rest.calls if outcome.rest else ()
    calls += tuple(call_record(turn, len(calls) + n, call, UNDONE, _NOT) for n, call in enumerate(left))
    said = f"\nYou had said:\n{clip(outcome.said, SAID_CHARS)}" if outcome.said.strip() else ""
    note = CallRecord(call_id(turn.facts.step, len(calls)), NOTE, "{}", f"{LATE}{said}", _NOT)
    return replace(
        outcome,
        said="",
        calls=(*calls, note),
        effects=(),
        reads=False,
        rest=None,
        bad_answers=turn.facts.agent.bad_answers,
        last_calls=turn.facts.agent.last_calls,
    )


_NOT = Refused("not_allowed")


def _record(call: CallRecord) -> CallRecord:
    if isinstance(call.outcome, Refused):
        return call
    return replace(call, result=OUTSIDE if isinstance(call.outcome, Consulted) else UNDONE, outcome=_NOT)
