"""Carry out what a monitoring rule found: send messages, mute a pair, replace an agent, ask the people."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.gates import choices_of
from engine.domain.snapshot import Finding
from engine.events import EventBody, Intervened
from engine.lifecycle.gates import NewGate, raise_gate
from engine.lifecycle.replacement import replace_agent
from engine.ports import Wake
from engine.store.core import (
    AGENTS,
    MESSAGES,
    AnyRow,
    append_events,
)
from engine.store.interventions import count_intervention, has_wrapped_up
from engine.store.messages import add_system_message


def intervene(
    connection: Connection, task: AnyRow, findings: Sequence[Finding], now: float
) -> tuple[Wake, ...]:
    """Carry out the findings. Return the agents to wake."""
    wakes: dict[int, Wake] = {}
    for finding in findings:
        times = count_intervention(connection, task.id, finding.rule, finding.subject, now)
        key = f"t{task.id}.{finding.rule}.{finding.subject}.{times}"
        events: list[EventBody] = [_event_of(connection, task, finding)]
        for number, message in enumerate(finding.messages):
            add_system_message(
                connection,
                task.id,
                message.agent_id,
                message.text,
                f"{key}.m{number}",
                now,
                wakes=message.wakes,
            )
            if message.wakes:
                wakes[message.agent_id] = Wake(message.agent_id, task.id)
        if finding.mute is not None:
            _mute(connection, task.id, finding.mute)
        if finding.replace is not None:
            fresh, more = _replace(connection, task, finding, now)
            events += more
            wakes[fresh] = Wake(fresh, task.id)
        if finding.ask:
            events += _ask(connection, task, finding.ask, key, now)
            wakes |= {} if task.attended else {task.boss_id: Wake(task.boss_id, task.id)}
        append_events(connection, [(f"{key}.e{n}", body) for n, body in enumerate(events)], now)
    return tuple(wakes.values())


def _ask(connection: Connection, task: AnyRow, ask: str, key: str, now: float) -> list[EventBody]:
    """Raise a gate; in an unattended task send the question to the boss instead."""
    if task.attended:
        choices = choices_of("stall", wrapped=has_wrapped_up(connection, task.id))
        question = NewGate("stall", ask, choices, f"{key}.gate", task.root_group_id)
        return [raise_gate(connection, task.id, question, now)]
    add_system_message(connection, task.id, task.boss_id, f"{ask} Nobody attends: decide yourself.", key, now)
    return []


def _event_of(connection: Connection, task: AnyRow, finding: Finding) -> Intervened:
    agent = None
    if finding.agent_id is not None:
        found = sa.select(AGENTS.c.id, AGENTS.c.group_id, AGENTS.c.name)
        agent = connection.execute(found.where(AGENTS.c.id == finding.agent_id)).first()
    return Intervened(
        task.id,
        agent.group_id if agent else task.root_group_id,
        agent.id if agent else None,
        agent.name if agent else "",
        finding.rule,
        "reported" if finding.action == "asked" and not task.attended else finding.action,
        finding.detail,
        names=agent is not None,
    )


def _mute(connection: Connection, task_id: int, pair: tuple[int, int]) -> None:
    connection.execute(
        MESSAGES.update()
        .where(
            MESSAGES.c.task_id == task_id,
            MESSAGES.c.from_agent.in_(pair),
            MESSAGES.c.to_agent.in_(pair),
            MESSAGES.c.from_kind == "agent",
            MESSAGES.c.consumed_step.is_(None),
        )
        .values(wakes=False)
    )


def _replace(
    connection: Connection, task: AnyRow, finding: Finding, now: float
) -> tuple[int, list[EventBody]]:
    """Replace an agent by a new one with the same role and instructions. Return (its id, events)."""
    query = sa.select(AGENTS).where(AGENTS.c.id == finding.replace).with_for_update()
    successor = replace_agent(connection, connection.execute(query).one(), finding.detail, now)
    return successor.id, list(successor.events)
