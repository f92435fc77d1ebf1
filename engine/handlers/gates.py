"""Handlers of answers to gates. The effect of the choice decides what an answer does, never its text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.budget.limits import caps_now, lower_caps, tell_subtree_caps, tell_task_caps
from engine.budget.month_caps import raise_month
from engine.budget.notices import outdate_notices
from engine.budget.tree import freeze
from engine.commands import AnswerGate, Limits
from engine.domain.budget import in_numbers
from engine.domain.gate_rules import GateDefault
from engine.domain.gates import (
    HALF,
    SUBTREE_CAP,
    TENTH,
    Answer,
    GateBasis,
    GateEffect,
    check_answer,
    extension,
    load_choices,
)
from engine.domain.state import About
from engine.domain.text import foreign_name
from engine.errors import NotFound, WrongState
from engine.events import EndBasis, GateClosed
from engine.handlers.decisions import gate_subject, record
from engine.handlers.result import HandlerResult
from engine.lifecycle.agents import clear_refusal, dismiss, subtree
from engine.lifecycle.ending import Ending, current_report, end_task
from engine.lifecycle.task_state import ready_agents, reopen
from engine.lifecycle.waiting import begin_waiting, end_waiting
from engine.lifecycle.wrap_up import wrap_up
from engine.ports import Wake
from engine.store.addresses import add_words
from engine.store.core import (
    ACTION_REQUESTS,
    AGENTS,
    ASSIGNMENTS,
    BUDGETS,
    GATES,
    OUTSIDE_CALLS,
    TASKS,
    AnyRow,
    append_events,
    dumps,
    loads,
)
from engine.store.lookup import get_task
from engine.store.messages import add_system_message
from engine.store.packages import asked_in
from engine.store.starts import began_at, run_key


@dataclass(frozen=True, slots=True)
class _Answered:
    """A gate closed by this transaction, the row of its task, and its answer."""

    connection: Connection
    gate: AnyRow
    task: AnyRow
    answer: Answer
    basis: GateBasis
    now: float
    by: str = ""
    by_name: str = ""

    @property
    def who(self) -> str:
        """Return who answered, for agents: where people disagree, it decides whose words count."""
        return foreign_name(self.by_name) or "The people"

    def send(self, agent_id: int, text: str, about: About = "answer") -> tuple[Wake, ...]:
        """Send an agent the result of the gate. Return the agent's wake-up."""
        key = f"gate{self.gate.id}.answer.{agent_id}"
        clear_refusal(self.connection, agent_id)
        add_system_message(
            self.connection,
            self.task.id,
            agent_id,
            text,
            key,
            self.now,
            priority=0,
            about=(about, None),
            name=self.by_name,
        )
        return (Wake(agent_id, self.task.id, 0),)

    @property
    def by_person(self) -> bool:
        """Return whether a person answered; else nobody did in time."""
        return self.basis == "person"

    def set_task(self, **values: object) -> None:
        """Update the task's row."""
        self.connection.execute(TASKS.update().where(TASKS.c.id == self.task.id).values(**values))


def answer_gate(connection: Connection, command: AnswerGate, now: float) -> HandlerResult:
    """Close a gate with a person's answer; only the first answer counts.

    Raises NotFound, WrongState when the gate is closed, Invalid for an answer that its kind does not allow.
    """
    gate = connection.execute(sa.select(GATES).where(GATES.c.id == command.gate_id)).first()
    if gate is None:
        raise NotFound(f"There is no question {command.gate_id}.", "Use /task status to see the open ones.")
    if gate.basis is not None:
        raise WrongState(
            "This question has already been answered.", "Write to the agent if something should change."
        )
    choices = load_choices(loads(gate.choices_json))
    answer = check_answer(gate.kind, choices, command.choice_id, command.text, command.limits)
    return _close(connection, gate, answer, "person", (command.by, command.by_name), now)


def close_unanswered(connection: Connection, gate: AnyRow, default: GateDefault, now: float) -> HandlerResult:
    """Let a gate that nobody answered come to its default, and add that to the audit trail.

    A default that the gate no longer offers falls back to the last of its choices, which ends or refuses.
    Raises WrongState when it was answered meanwhile.
    """
    choices = load_choices(loads(gate.choices_json))
    chosen = next((each for each in choices if each.effect == default), choices[-1] if choices else None)
    answer = Answer(None if default == "decide" else chosen, "", None)
    subject = gate_subject(connection, gate.id)
    done = _close(connection, gate, answer, "timeout", ("", ""), now)
    content = {**subject.answered(answer.choice.id if answer.choice else None), "basis": "timeout"}
    record(connection, "AnswerGate", "", subject, (gate.task_id, gate.id), content, now)
    return done


def _close(
    connection: Connection, gate: AnyRow, answer: Answer, basis: GateBasis, who: tuple[str, str], now: float
) -> HandlerResult:
    by, by_name = who
    chosen = answer.choice.id if answer.choice else None
    limits = dumps(asdict(answer.limits)) if answer.limits else None
    taken = connection.execute(
        GATES.update()
        .where(GATES.c.id == gate.id, GATES.c.basis.is_(None))
        .values(basis=basis, choice_id=chosen, text=answer.text, limits_json=limits, answered_by=by)
    )
    if taken.rowcount != 1:
        raise WrongState(
            "This question has already been answered.", "Write to the agent if something should change."
        )
    add_words(connection, gate.task_id, answer.text, now)
    closed = GateClosed(
        gate.task_id, gate.group_id, gate.id, basis, by, answer.choice, answer.text, answer.limits, by_name
    )
    append_events(connection, [(f"gate{gate.id}.closed", closed)], now)
    end_waiting(connection, gate.task_id, now)
    task = get_task(connection, gate.task_id)
    answered = _Answered(connection, gate, task, answer, basis, now, by, by_name)
    answered.set_task(progress_at=now, quiet_rounds=0)
    wakes = _act_of(answer, basis)(answered)
    if get_task(connection, gate.task_id).state == "paused":
        begin_waiting(connection, gate.task_id, now)
    return HandlerResult(gate.id, wakes)


def _act_of(answer: Answer, basis: GateBasis) -> Callable[[_Answered], tuple[Wake, ...]]:
    if answer.choice is not None:
        return _EFFECTS[answer.choice.effect]
    return _apply_text if basis == "person" else _decide


# ---------------------------------------------------------------- effects


def _approve(at: _Answered) -> tuple[Wake, ...]:
    at.set_task(plan_state="approved")
    if at.answer.limits:
        lower_caps(at.connection, at.task, at.answer.limits)
    who = f"{at.who} approved your plan." if at.by_person else "Nobody answered in time: work by your plan."
    caps = in_numbers(at.answer.limits or Limits())
    within = f" Within these caps: {caps}." if caps else ""
    return at.send(at.gate.agent_id or at.task.boss_id, _with_note(f"{who} Continue.{within}", at))


def _refuse_plan(at: _Answered) -> tuple[Wake, ...]:
    """Leave the team as it is: what an earlier plan allowed is allowed still."""
    earlier = sa.and_(GATES.c.task_id == at.task.id, GATES.c.kind == "plan", GATES.c.choice_id == "approve")
    approved = at.connection.execute(sa.select(GATES.c.id).where(earlier).limit(1)).first() is not None
    at.set_task(plan_state="approved" if approved else "none", plan_agents=at.task.agents if approved else 0)
    who = f"{at.who} refused your plan." if at.by_person else "Nobody approved your plan in time."
    text = f"{who} Go on with the team there is."
    return at.send(at.gate.agent_id or at.task.boss_id, _with_note(text, at))


def _stop(at: _Answered) -> tuple[Wake, ...]:
    """The closed question says what was asked; the end says who ended it, or that nobody answered."""
    why = "" if at.by_person else "Nobody answered in time."
    return _end(at, Ending("stopped", "stopped", why, by=at.by))


def _accept(at: _Answered) -> tuple[Wake, ...]:
    basis: EndBasis = "ran" if at.task.basis == "ran" else "accepted"
    report = current_report(at.connection, at.task)
    return _end(at, Ending("done", basis, report, tuple(loads(at.task.deliverables_json))))


def _end(at: _Answered, ending: Ending) -> tuple[Wake, ...]:
    events = end_task(at.connection, at.task.id, ending, at.now)
    keyed = [(f"{run_key(at.task)}.end.{number}", body) for number, body in enumerate(events)]
    append_events(at.connection, keyed, at.now)
    return ()


def _another_round(at: _Answered) -> tuple[Wake, ...]:
    at.set_task(auditor_id=None)
    return _pass_on(at, _with_note("another round: repair what is missing, then call finish again.", at))


def _retry(at: _Answered) -> tuple[Wake, ...]:
    return _pass_on(at, _with_note("continue and try again.", at))


def _with_note(text: str, at: _Answered) -> str:
    return f"{text}\nThey add: {at.answer.text}" if at.answer.text else text


def _option(at: _Answered) -> tuple[Wake, ...]:
    """Send an agent the option that it offered in its own question."""
    chosen = at.answer.choice.text if at.answer.choice else ""
    if not at.by_person:
        return _pass_on(at, f"its first option counts, {chosen}")
    return _pass_on(at, "\n".join(part for part in (chosen, at.answer.text) if part))


def _decide(at: _Answered) -> tuple[Wake, ...]:
    """Let the agent that asked decide: nobody answered its question in time."""
    return _pass_on(at, "decide yourself, and say in the report what you assumed.")


def _apply_text(at: _Answered) -> tuple[Wake, ...]:
    """Send free text to the agent that has to act on it; the text itself decides nothing."""
    if at.gate.kind == "plan":
        # Free text changes the plan, so the changed plan is shown again before many agents are recruited.
        at.set_task(plan_state="none", plan_agents=0)
        text = (
            f"{at.who} answered your plan: {at.answer.text}\nChange the plan by that. If it still needs "
            "more than a handful of agents, call propose_plan with the changed one; if not, continue."
        )
        return at.send(at.gate.agent_id or at.task.boss_id, text)
    if at.gate.kind == "tool":
        return _refuse_call(at)
    if at.gate.kind == "action":
        return _refuse_action(at)
    if at.gate.kind == "audit":
        at.set_task(auditor_id=None)
    return _pass_on(at, at.answer.text)


def _allow_call(at: _Answered) -> tuple[Wake, ...]:
    """Let the engine make exactly the call that was shown, once."""
    _approve_call(at, standing=False)
    return ()


def _allow_tool(at: _Answered) -> tuple[Wake, ...]:
    """Let the engine make this call, and any other of the same tool for the rest of the task."""
    _approve_call(at, standing=True)
    return ()


def _approve_call(at: _Answered, *, standing: bool) -> None:
    asked = sa.and_(OUTSIDE_CALLS.c.gate_id == at.gate.id, OUTSIDE_CALLS.c.state == "asked")
    approved = OUTSIDE_CALLS.update().where(asked).values(state="pending", standing=standing)
    if at.connection.execute(approved).rowcount != 1:
        raise WrongState(
            "This call is not waiting any more.", "Write to the agent if something should change."
        )


def _refuse_call(at: _Answered) -> tuple[Wake, ...]:
    call = at.connection.execute(sa.select(OUTSIDE_CALLS).where(OUTSIDE_CALLS.c.gate_id == at.gate.id)).one()
    refused = OUTSIDE_CALLS.update().where(OUTSIDE_CALLS.c.id == call.id)
    at.connection.execute(refused.values(state="refused", told=True, ended_at=at.now))
    says = f" They say: {at.answer.text}" if at.answer.text else ""
    text = f"{at.who} refused your call {call.id} of {call.name}. It was not made.{says}"
    if not at.by_person:
        text = f"Nobody allowed your call {call.id} of {call.name} in time. It was not made."
    return at.send(call.agent_id, text)


def _pass_on(at: _Answered, answer: str) -> tuple[Wake, ...]:
    to = at.task.boss_id if at.gate.kind == "audit" else at.gate.agent_id or at.task.boss_id
    question = f'"{at.gate.question[:300]}"'
    if at.by_person:
        return at.send(to, f"{at.who} answered your question {question}: {answer}")
    return at.send(to, f"Nobody answered your question {question} in time: {answer}")


def _raise_half(at: _Answered) -> tuple[Wake, ...]:
    if at.gate.kind == SUBTREE_CAP:
        return _extend_subtree(at, HALF)
    more = extension(caps_now(at.connection, at.task), HALF)
    root = sa.and_(BUDGETS.c.task_id == at.task.id, BUDGETS.c.parent_id.is_(None))
    raised = {"cap_micros": more.cost_micros, "cap_tokens": more.tokens}
    values = {name: BUDGETS.c[name] + extra for name, extra in raised.items() if extra is not None}
    outdate_notices(at.connection, root)
    at.connection.execute(BUDGETS.update().where(root).values(warned=0, **values))
    later = max(at.task.deadline_at or at.now, at.now) + (more.minutes or 0) * 60
    worked = later - began_at(at.task) - at.task.waited_s
    at.set_task(deadline_at=later, max_minutes=math.ceil(worked / 60))
    tell_task_caps(at.connection, at.task.id, at.now)
    if at.task.state == "paused":
        return reopen(at.connection, at.task, "cap_raised", at.now, at.by)
    return ready_agents(at.connection, at.task.id)


def _raise_month(at: _Answered) -> tuple[Wake, ...]:
    return raise_month(at.connection, at.task, at.now)


def _wait_month(_at: _Answered) -> tuple[Wake, ...]:
    """Leave the task paused: it resumes by itself where the month's budgets have room again."""
    return ()


def _wrap_up(at: _Answered) -> tuple[Wake, ...]:
    """Stop everyone but the boss and let the boss finish; give a subtree a tenth more to finish in."""
    if at.gate.kind == SUBTREE_CAP:
        return _extend_subtree(at, TENTH)
    why = "a person asked to wrap up" if at.by_person else "nobody answered in time"
    wakes = wrap_up(at.connection, at.task, why, at.now)
    if get_task(at.connection, at.task.id).state == "paused":
        reopen(at.connection, at.task, "wrapped_up", at.now, at.by)
    return wakes


# ---------------------------------------------------------------- a subtree at its cap


def _subtree(at: _Answered) -> tuple[AnyRow, AnyRow | None]:
    """Return the agent whose subtree is capped, and its budget; None when it has left or has no budget."""
    agent = at.connection.execute(sa.select(AGENTS).where(AGENTS.c.id == at.gate.agent_id)).one()
    row = at.connection.execute(
        sa.select(BUDGETS).where(BUDGETS.c.agent_id == agent.id).with_for_update()
    ).first()
    return agent, None if agent.status == "dismissed" else row


def _extend_subtree(at: _Answered, part: int) -> tuple[Wake, ...]:
    """Raise each cap of the subtree by one `part`-th, minutes counted from now, and resume the subtree.

    The extra tenth for wrapping up is given once: `wrapped` stays set until somebody raises the cap by half.
    """
    agent, row = _subtree(at)
    if row is None:
        return ()
    caps = Limits(cost_micros=row.cap_micros, tokens=row.cap_tokens, minutes=row.cap_minutes)
    more = extension(caps, part)
    extra = {"cap_micros": more.cost_micros, "cap_tokens": more.tokens, "cap_minutes": more.minutes}
    values: dict[str, object] = {name: getattr(row, name) + n for name, n in extra.items() if n is not None}
    if row.deadline_at is not None:
        values["deadline_at"] = max(row.deadline_at, at.now) + (more.minutes or 0) * 60
    values |= {"warned": 0, "wrapped": part == TENTH}
    outdate_notices(at.connection, BUDGETS.c.id == row.id)
    at.connection.execute(BUDGETS.update().where(BUDGETS.c.id == row.id).values(**values))
    freeze(at.connection, row.id, frozen=False)
    if part == TENTH:
        _tell_to_wrap_up(at, agent.id)
    else:
        tell_subtree_caps(at.connection, row.id, at.now)
    return ready_agents(at.connection, at.task.id)


def _tell_to_wrap_up(at: _Answered, agent_id: int) -> None:
    """Tell the agent, and those below it with open work: who is not told goes on and uses up the tenth."""
    below = [row.id for row in subtree(at.connection, agent_id)]
    mine = sa.and_(ASSIGNMENTS.c.assignee_id.in_(below), ASSIGNMENTS.c.state == "open")
    at_work = set(at.connection.execute(sa.select(ASSIGNMENTS.c.assignee_id).where(mine)).scalars())
    who = "a person wants what there is of your part." if at.by_person else "nobody raised your cap in time."
    whose = "yours" if at_work <= {agent_id} else "there for all of you"
    text = (
        f"Wrap up: {who} A tenth more is {whose} for that. Start nothing new; hand in what you have, and "
        "say truthfully what is missing."
    )
    for number in below:
        if number == agent_id or number in at_work:
            at.send(number, text, "wrap_up")


def _dismiss(at: _Answered) -> tuple[Wake, ...]:
    agent, row = _subtree(at)
    if row is None:
        return ()
    whose = "by a person" if at.by_person else "since nobody answered in time"
    events = dismiss(at.connection, agent.id, f"dismissed {whose} at its cap", at.now)
    keyed = [(f"gate{at.gate.id}.left.{number}", body) for number, body in enumerate(events)]
    append_events(at.connection, keyed, at.now)
    text = (
        f"{agent.name} had used its cap, and was dismissed {whose}. Its open assignments are cancelled; do "
        "without them, or give them to others."
    )
    return at.send(agent.head_id or at.task.boss_id, text)


def _allow_packages(at: _Answered) -> tuple[Wake, ...]:
    names = ", ".join(asked_in(at.connection, at.gate.id))
    return _notify_asker(at, f"{at.who} allowed the packages {names}. Call install_packages for them again.")


def _refuse_packages(at: _Answered) -> tuple[Wake, ...]:
    names = ", ".join(asked_in(at.connection, at.gate.id))
    who = f"{at.who} refused" if at.by_person else "Nobody allowed in time"
    return _notify_asker(at, _with_note(f"{who} the packages {names}. Do without.", at))


def _allow_action(at: _Answered) -> tuple[Wake, ...]:
    """Tell the agent that it may do exactly what was shown, once."""
    asked = sa.select(ACTION_REQUESTS).where(ACTION_REQUESTS.c.gate_id == at.gate.id)
    row = at.connection.execute(asked).first()
    if row is None:
        raise WrongState(
            "This action is not waiting any more.", "Write to the agent if something should change."
        )
    text = (
        f"{at.who} agreed that you {row.action}, once and exactly so: {row.arguments_json}\nMake the same "
        "call again now; with other arguments or files they are asked again."
    )
    return _notify_asker(at, text)


def _refuse_action(at: _Answered) -> tuple[Wake, ...]:
    asked = sa.select(ACTION_REQUESTS.c.action).where(ACTION_REQUESTS.c.gate_id == at.gate.id)
    action = at.connection.execute(asked).scalar() or "do this"
    who = f"{at.who} refused that" if at.by_person else "Nobody agreed in time that"
    return _notify_asker(at, _with_note(f"{who} you {action} as you asked. Do without it.", at))


def _notify_asker(at: _Answered, text: str) -> tuple[Wake, ...]:
    return at.send(at.gate.agent_id or at.task.boss_id, text)


_EFFECTS: Mapping[GateEffect, Callable[[_Answered], tuple[Wake, ...]]] = {
    "approve": _approve,
    "cancel": _stop,
    "refuse_plan": _refuse_plan,
    "raise_half": _raise_half,
    "raise_month": _raise_month,
    "wait_month": _wait_month,
    "wrap_up": _wrap_up,
    "stop": _stop,
    "dismiss": _dismiss,
    "accept": _accept,
    "another_round": _another_round,
    "retry": _retry,
    "option": _option,
    "allow_call": _allow_call,
    "allow_tool": _allow_tool,
    "refuse_call": _refuse_call,
    "allow_packages": _allow_packages,
    "refuse_packages": _refuse_packages,
    "allow_action": _allow_action,
    "refuse_action": _refuse_action,
}
