"""Act on a model's answer: parse each tool call, run it into staging, give its result to the model.

An invalid call gets a result that names the mistake; it never ends the task or the process.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from engine.domain.call_ids import call_id
from engine.domain.doing import doing_of
from engine.domain.effects import CallRecord, ChangeFile, Finish, Notice, SendMessage, StepOutcome, Verdict
from engine.domain.outcomes import Outcome, Ran, Read, Refused, ToolResult
from engine.domain.speech import LOOKS, Voice, may_fall_silent, voice_of
from engine.domain.state import NOTE, ModelState, PastCall, Rest, Turn, Unseen
from engine.domain.watch import judge_loop
from engine.errors import EngineError, Fenced, Stale, StorageFull
from engine.llm.local.policy import led_by
from engine.ports import ChatAnswer, Clock, OutsideTool, ToolCall
from engine.store.driver_errors import FULL, is_disconnect, is_full
from engine.tools import SEARCHED, TOOLS, Tool, ToolContext, ToolRefused, call_outside
from engine.tools.base import MAX_RESULT, clip
from engine.tools.run import RUN, close_conversation

log = logging.getLogger(__name__)

MAX_CALLS = 40
"""Calls of one answer that are run; the others are refused with a reason."""

MAX_BAD = 4
"""Useless answers in a row after which the turn ends and the head is notified."""

MAX_NUMBER = 2**31 - 1
_REMEMBERED, _REFUSED_REMEMBERED = 12, 96
"""Calls in which a repetition is seen. Refused ones are remembered longer: between two of them an agent may
make many that bring nothing."""

_REFUSED, _RAN = "!", "~"
"""Begins the mark of a refused call."""

_HARMLESS = LOOKS | {"update_todo", "remember", "finish"}
"""Tools whose refusal changes nothing for the calls after it."""

_SAFE_NAME = re.compile(r"[^A-Za-z0-9_-]")


def _whole_number(digits: str) -> int:
    """Parse an integer of at most 32 bits, the size of the database columns. Raises ValueError."""
    if len(digits) > 11 or abs(int(digits)) > MAX_NUMBER:
        raise ValueError(f"the number {digits[:12]} is too large")
    return int(digits)


_decoder = json.JSONDecoder(strict=False, parse_int=_whole_number)


class BadCall(Exception):
    """A call cannot be parsed; the text tells the model how to write it."""


def parse_call(call: ToolCall, role: str, offered: Sequence[str]) -> tuple[Tool[Any], Any]:
    """Return the tool and its validated arguments. `offered`: the tools that the agent can call now. Raises
    BadCall."""
    tool = TOOLS.get(call.name) or SEARCHED.get(call.name)
    if tool is None or role not in tool.roles:
        near = get_close_matches(call.name[:60], offered, 1)
        meant = f"Did you mean {near[0]}?" if near else f"Your tools: {', '.join(offered)}."
        raise BadCall(f"There is no tool {call.name[:60]!r} for you. {meant}")
    try:
        return tool, tool.arguments.model_validate(_json(call))
    except ValidationError as error:
        raise BadCall(f"{tool.name} was not called: {_what_is_wrong(error)}. {_shape(tool)}") from error


def _json(call: ToolCall) -> Any:
    text = call.arguments.strip() or "{}"
    try:
        value = _decoder.decode(text)
        if isinstance(value, str):
            value = _decoder.decode(value)
    except (ValueError, RecursionError) as error:
        raise BadCall(
            f"The arguments of {call.name} are not valid JSON ({error}). Send one complete JSON object."
        ) from error
    return value


def _what_is_wrong(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    said = [f"{'.'.join(str(p) for p in e['loc']) or 'arguments'}: {e['msg']}" for e in found[:5]]
    return "; ".join(said)


def _shape(tool: Tool[Any]) -> str:
    properties = tool.spec().parameters.get("properties", {})
    required = set(tool.spec().parameters.get("required", ()))
    return f"It takes: {', '.join(n if n in required else n + '?' for n in properties)}."


@dataclass(slots=True)
class _Acted:
    """Results of the calls of one answer; `good` counts those of earlier parts, too. `stopped`: the engine
    ends the turn."""

    records: list[CallRecord]
    good: int
    seen: list[str]
    stopped: bool = False


def rest_answer(rest: Rest) -> ChatAnswer:
    """Return the calls that are still to be run as an answer that costs nothing."""
    return ChatAnswer(
        "",
        rest.calls,
        finish_reason="length" if rest.cut else "stop",
        cost_micros=0,
        limit=rest.limit,
        trouble=rest.trouble,
    )


async def act(
    turn: Turn, answer: ChatAnswer, context: ToolContext, started: float, clock: Clock
) -> StepOutcome:
    """Run the answer's calls into `context`. Return what the step commits. Raises Stale to be repeated.

    What was said and staged before a call that takes long is committed first: then the outcome holds the
    rest of the calls, which the agent's next step runs.
    """
    agent, before = turn.facts.agent, turn.rest
    acted = _Acted([], before.good if before else 0, list(agent.last_calls))
    context.ends_turn = before is not None and before.ends_turn
    context.unseen = list(before.unseen) if before else []
    context.speaks = bool(answer.text.strip())
    first = before.first if before else 0
    whole = answer.tool_calls[:-1] if answer.cut else answer.tool_calls
    for number, call in enumerate(whole):
        if first + number < MAX_CALLS and _is_due(turn, answer, call, context):
            return _part(turn, answer, context, acted, number, started, clock.now())
        await _one_call(turn, call, first + number, context, acted)
    _go_on_with_refusals(context, acted)
    now = clock.now()
    note = _note_on(answer)
    for call in answer.tool_calls[len(whole) :]:
        acted.records.append(call_record(turn, len(whole), call, note, Refused("malformed")))
    silent = not (answer.text.strip() or answer.tool_calls or note) and may_fall_silent(turn.facts)
    useless = (
        acted.good == 0 and not silent and (bool(note) or not answer.text.strip() or bool(answer.tool_calls))
    )
    bad = agent.bad_answers + 1 if useless else 0
    continues = answer.tool_calls or note or turn.text_only
    ends = context.ends_turn or not continues or _rests(turn, acted)
    said = clip(answer.text, 2_000 if note else 20_000)
    if useless:
        ends = _give_up(context, bad, agent.name)
        bad = 0 if ends else bad
    if not ends and agent.turn_steps + 1 >= turn.facts.task.max_steps:
        ends = True
        context.stage(Notice("steps", "reported", f"took {agent.turn_steps + 1} steps in one turn", True))
    if ends:
        await close_conversation(context)
    return StepOutcome(
        said=said,
        calls=tuple(acted.records) or _alone(turn, note or (EMPTY_ANSWER if useless else "")),
        effects=tuple(context.effects),
        ends_turn=ends,
        usage=answer.usage,
        cost_micros=answer.cost_micros,
        model=answer.model,
        started_at=started,
        ended_at=now,
        bad_answers=bad,
        last_calls=_remembered(acted.seen),
        doing=doing_of(answer.tool_calls),
        guessed=answer.guessed,
        kept=answer.kept,
        state=_state_after(turn, answer),
        voice=_voice(turn, answer, context),
    )


def _voice(turn: Turn, answer: ChatAnswer, context: ToolContext) -> Voice:
    return voice_of(
        turn.facts,
        answer.text,
        calls=bool(answer.tool_calls),
        ends_turn=context.ends_turn,
        talks=any(call.name in ("send_message", "finish", "ask_human") for call in answer.tool_calls),
        to_people=any("human" in sent.shown for sent in context.staged(SendMessage)),
    )


def _is_due(turn: Turn, answer: ChatAnswer, call: ToolCall, context: ToolContext) -> bool:
    """Return whether others should see now what this answer did so far: a long call comes next."""
    tool = TOOLS.get(call.name) or SEARCHED.get(call.name)
    slow = tool.slow if tool else _outside_tool(call, context) is not None
    if not slow or context.staged(Finish):
        return False
    said = turn.rest is None and bool(answer.text.strip())
    return bool(context.effects) or said


def _part(
    turn: Turn,
    answer: ChatAnswer,
    context: ToolContext,
    acted: _Acted,
    number: int,
    started: float,
    now: float,
) -> StepOutcome:
    """Return what is committed before call `number` of the answer, with that call and those after it."""
    left, agent = answer.tool_calls[number:], turn.facts.agent
    first = (turn.rest.first if turn.rest else 0) + number
    rest = Rest(
        left,
        first,
        acted.good,
        context.ends_turn,
        answer.cut,
        answer.limit,
        answer.trouble,
        tuple(context.unseen),
    )
    return StepOutcome(
        said=clip(answer.text, 20_000),
        calls=tuple(acted.records),
        effects=tuple(context.effects),
        ends_turn=False,
        usage=answer.usage,
        cost_micros=answer.cost_micros,
        model=answer.model,
        started_at=started,
        ended_at=now,
        bad_answers=agent.bad_answers,
        last_calls=_remembered(acted.seen),
        doing=doing_of(left),
        guessed=answer.guessed,
        kept=answer.kept,
        state=ModelState(answer_tokens=agent.model.answer_tokens),
        rest=rest,
        voice=_voice(turn, answer, context),
    )


def _state_after(turn: Turn, answer: ChatAnswer) -> ModelState:
    """Double the answer limit after a cut answer; the adapter bounds it by what the model allows."""
    before = turn.facts.agent.model.answer_tokens
    return ModelState(answer_tokens=answer.limit * 2 if answer.cut else before)


def _note_on(answer: ChatAnswer) -> str:
    """Return what to tell the model about its answer besides the results of its calls; "" for nothing."""
    if not answer.cut:
        return answer.trouble
    at = f"Your answer was cut at its limit of {answer.limit:,} tokens"
    if answer.tool_calls:
        name = _safe_name(answer.tool_calls[-1])
        return (
            f"Not done: {at}, so {name} came incomplete and was not run. Write long content in parts: "
            "a first part now, then add the rest piece by piece with further calls."
        )
    if answer.text.strip():
        return f"{at}. Say it shorter, and put what is long into files, in parts."
    return f"{at} before anything was said: thinking used all of it. Think less and call a tool soon."


def call_record(turn: Turn, number: int, call: ToolCall, result: str, outcome: Outcome | None) -> CallRecord:
    """Return the record of call `number` of an answer, stored with its step."""
    identity = call_id(turn.facts.step, number)
    return CallRecord(identity, _safe_name(call), clip(call.arguments, 60_000), result, outcome)


def _rests(turn: Turn, acted: _Acted) -> bool:
    """Return whether a small model's head has to wait; asked, it would invent something to do."""
    made = tuple(PastCall(r.id, r.name, r.arguments, r.result, r.outcome) for r in acted.records)
    return turn.request.offer is not None and led_by(turn.facts, made).rests


def nothing_done(turn: Turn, answer: ChatAnswer, started: float, now: float) -> StepOutcome:
    """Return the outcome of an answer that could not be applied: only its spending and a note to the
    model."""
    note = "Not done: others kept changing the same things at this moment. Look again, then decide again."
    bad = turn.facts.agent.bad_answers + 1
    calls = [call_record(turn, n, call, note, Refused("failed")) for n, call in enumerate(answer.tool_calls)]
    return StepOutcome(
        said="",
        calls=tuple(calls),
        effects=(),
        ends_turn=bad >= MAX_BAD,
        usage=answer.usage,
        cost_micros=answer.cost_micros,
        model=answer.model,
        started_at=started,
        ended_at=now,
        bad_answers=0 if bad >= MAX_BAD else bad,
        last_calls=turn.facts.agent.last_calls,
        guessed=answer.guessed,
        kept=answer.kept,
        state=turn.facts.agent.model,
        reads=False,
    )


def _safe_name(call: ToolCall) -> str:
    return _SAFE_NAME.sub("_", call.name)[:64] or "unnamed"


def _give_up(context: ToolContext, bad: int, name: str) -> bool:
    if bad < MAX_BAD:
        return False
    context.stage(
        Notice(
            "malformed", "reported", f"{name}'s model gave {bad} useless answers in a row", True, names=True
        )
    )
    return True


EMPTY_ANSWER = "Your answer was empty. Call a tool, or say in plain text what you found."


def note_record(step: int, note: str) -> CallRecord:
    """Return the record of a note of the engine about an answer, stored with its step."""
    return CallRecord(call_id(step, 0), NOTE, "{}", note, Refused("malformed"))


def _alone(turn: Turn, note: str) -> tuple[CallRecord, ...]:
    return (note_record(turn.facts.step, note),) if note else ()


async def _one_call(turn: Turn, call: ToolCall, number: int, context: ToolContext, acted: _Acted) -> None:
    agent, changed = turn.facts.agent, len(context.staged(ChangeFile))
    if number >= MAX_CALLS:
        text = f"Not done: one answer may hold {MAX_CALLS} calls. Call it again."
        result, good = ToolResult(text, Refused("not_allowed")), False
    else:
        offered = [tool.name for tool in turn.request.tools]
        result, good = await _result_of(call, context, agent.role, offered)
    if call.name != RUN.name and len(context.staged(ChangeFile)) > changed:
        # A program that is run again after an edit is no repetition, whatever it says.
        acted.seen[:] = [mark for mark in acted.seen if not mark.startswith(_RAN)]
    text = clip(result.text, MAX_RESULT * 3)
    steady = text if result.steady is None else result.steady
    text += _loop_note(call, steady, acted, context, refused=isinstance(result.outcome, Refused))
    acted.good += good
    acted.records.append(call_record(turn, number, call, text, result.outcome))
    context.unseen += _unseen(call.name, result.outcome)
    context.read_now += [result.outcome] if isinstance(result.outcome, Read) else []


def _unseen(name: str, outcome: Outcome | None) -> list[Unseen]:
    """Return what went wrong, where calls after it in the same answer may go by its success."""
    if isinstance(outcome, Ran) and not outcome.well:
        ended = (
            f"ended with {outcome.exit_code}" if outcome.ended == "exit" else f"was stopped ({outcome.ended})"
        )
        return [Unseen(f"a program {ended}", refused=False)]
    if isinstance(outcome, Refused) and name not in _HARMLESS:
        return [Unseen(f"{name[:40]} was refused", refused=True)]
    return []


def _go_on_with_refusals(context: ToolContext, acted: _Acted) -> None:
    """Let the turn go on where the answer ends it although something in it was refused: its author would
    read that only when others wake it, or never."""
    refused = [each.text for each in context.unseen if each.refused]
    over = bool(context.staged(Finish)) or bool(context.staged(Verdict))
    if not refused or not context.ends_turn or acted.stopped or over:
        return
    context.ends_turn = False
    note = f"Your turn goes on: {'; '.join(dict.fromkeys(refused))}. See to that, then wait."
    acted.records[-1:] = [replace(last, result=f"{last.result}\n({note})") for last in acted.records[-1:]]


async def _result_of(
    call: ToolCall, context: ToolContext, role: str, offered: Sequence[str]
) -> tuple[ToolResult, bool]:
    try:
        outside = _outside_tool(call, context)
        if outside is not None:
            return await call_outside(context, outside, call.arguments), True
        tool, arguments = parse_call(call, role, offered)
        return await tool.run(context, arguments), True
    except BadCall as error:
        return ToolResult(str(error), Refused("malformed")), False
    except ToolRefused as error:
        return ToolResult(str(error), error.outcome), True
    except (Stale, StorageFull, Fenced):
        raise
    except EngineError as error:
        return ToolResult(f"{call.name} could not be done: {error}", Refused("failed")), True
    except Exception as error:
        if is_full(error):
            raise StorageFull(FULL) from error
        if is_disconnect(error):
            raise  # no fault of the call: the answer is acted on again
        log.exception("tool %s of agent %s failed inside", call.name, context.agent.id)
        text = f"{call.name} failed inside; this was logged. Try another way."
        return ToolResult(text, Refused("failed")), True


def _outside_tool(call: ToolCall, context: ToolContext) -> OutsideTool | None:
    if context.outside is None or call.name in TOOLS:
        return None
    return context.outside.named(call.name, context.agent.role, context.task.space)


def _remembered(seen: Sequence[str]) -> tuple[str, ...]:
    """Return the marks that are kept: those of the newest calls, and of refused ones before them."""
    before = [mark for mark in seen[:-_REMEMBERED] if mark.startswith(_REFUSED)]
    return (*before[-_REFUSED_REMEMBERED:], *seen[-_REMEMBERED:])


def _loop_note(call: ToolCall, result: str, acted: _Acted, context: ToolContext, *, refused: bool) -> str:
    """React to a repeated call with the same result: a note, then a report, then the end of the turn."""
    said = f"{call.name}|{call.arguments}|{result}".encode("utf-8", "replace")
    mark = hashlib.blake2b(said, digest_size=6)
    made = (_REFUSED if refused else _RAN if call.name == RUN.name else "") + mark.hexdigest()
    acted.seen.append(made)
    times = _remembered(acted.seen).count(made)
    action = judge_loop(times, context.options.watch)
    if not action:
        return ""
    if times % context.options.watch.loop == 0:
        detail = f"called {call.name[:40]} {times} times with the same result"
        context.stage(Notice("loop", action, detail, notify_head=action != "nudged"))
    if action == "paused":
        acted.stopped = context.ends_turn = True
    return f"\n(You made this same call {times} times with the same result. Do something else.)"
