"""Effects of calls to the world outside: gates for those that need one, what people see of the others."""

from __future__ import annotations

from engine.connectors.ledger import is_asked, told
from engine.domain.effects import AskCall, RaiseGate, ShowCall
from engine.domain.gates import Choice, choices_of
from engine.domain.guard import FOR_THE_TASK
from engine.domain.outside import AskedCall
from engine.errors import Stale
from engine.events import OutsideCalled
from engine.steps.apply import open_gate
from engine.steps.unit_of_work import UnitOfWork
from engine.store.core import OUTSIDE_CALLS


def apply_ask_call(effect: AskCall, unit: UnitOfWork) -> None:
    """Raise the gate and write the call as asked; both carry the digest of exactly this call."""
    tool = effect.tool
    if is_asked(unit.connection, unit.task_id, effect.digest):
        raise Stale("people were asked about this call meanwhile")
    shown = AskedCall(tool.server, tool.tool, effect.readable, effect.digest, effect.why)
    question = RaiseGate("tool", f"{tool.tool} of {tool.server}", _choices(effect))
    gate = open_gate(unit, question, unit.own_group, call=shown)
    unit.connection.execute(
        OUTSIDE_CALLS.insert().values(
            task_id=unit.task_id,
            agent_id=unit.agent.id,
            step=unit.turn.facts.step,
            key=f"{unit.step_key}.ask{effect.slot}",
            name=tool.name,
            server=tool.server,
            tool=tool.tool,
            digest=effect.digest,
            arguments_json=effect.arguments,
            state="asked",
            reads_only=tool.reads_only,
            repeatable=tool.repeatable,
            gate_id=gate,
            why=effect.why,
            price_micros=tool.price_micros,
            created_at=unit.now,
        )
    )


def _choices(effect: AskCall) -> tuple[Choice, ...]:
    """Return the choices; agreeing for the task is offered where it would spare a further question."""
    lasting = effect.why in FOR_THE_TASK
    return tuple(choice for choice in choices_of("tool") if lasting or choice.effect != "allow_tool")


def apply_show_call(effect: ShowCall, unit: UnitOfWork) -> None:
    """Show the call, and note that its agent has the outcome in this step."""
    if not effect.reused:
        told(unit.connection, effect.call)
    if effect.known:
        return
    unit.event(
        OutsideCalled(
            unit.task_id,
            unit.leads if unit.leads is not None else unit.own_group,
            unit.agent.id,
            unit.agent.name,
            effect.server,
            effect.tool,
            effect.call,
            effect.end,
            effect.arguments,
            effect.addresses,
            effect.price_micros,
            effect.reused,
        )
    )
