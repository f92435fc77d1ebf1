"""Load of a step: check that the agent may run, read what the step needs, reserve its spending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.prompt import MAX_SHOWN
from engine.domain.state import (
    AgentFacts,
    Colleague,
    InboxMessage,
    ModelState,
    StepFacts,
    TaskFacts,
    TodoItem,
    Turn,
)
from engine.ports import Quote
from engine.store.assignments import assignment_facts, shown_work
from engine.store.core import AGENTS, BUDGETS, INTERVENTIONS, MESSAGES, STEPS, TASKS, loads, waking
from engine.store.lookup import budget_path
from engine.store.months import id_path, months_of_agent, open_ids, release_months, reserve_months
from engine.store.prepared import (
    FetchedRow,
    Prepared,
    PreparedLists,
    demand,
    denied,
    listed,
    to_the_end,
    together,
)
from engine.store.refusals import REFUSAL
from engine.store.reservation import releasing, reserving
from engine.store.transcript import past_answers, past_summary, rest_of, unread

MAX_INBOX_MESSAGES = 1_000


MESSAGE_CHARS = 24_000


_chief = AGENTS.alias("chief")


_agent_and_task = Prepared(
    sa.select(
        AGENTS,
        TASKS.c.goal,
        TASKS.c.state.label("task_state"),
        TASKS.c.space,
        TASKS.c.payer,
        TASKS.c.boss_id,
        TASKS.c.agents,
        TASKS.c.max_agents,
        TASKS.c.max_depth,
        TASKS.c.max_members,
        TASKS.c.max_steps,
        TASKS.c.audit_round,
        TASKS.c.plan_state,
        TASKS.c.attended,
        TASKS.c.model.label("task_model"),
        BUDGETS.c.path.label("budget_path"),
        BUDGETS.c.frozen.label("budget_frozen"),
        _chief.c.name.label("chief_name"),
        _chief.c.title.label("chief_title"),
        _chief.c.status.label("chief_status"),
        sa.select(sa.func.max(INTERVENTIONS.c.times))
        .where(INTERVENTIONS.c.task_id == AGENTS.c.task_id, INTERVENTIONS.c.rule == REFUSAL)
        .correlate(AGENTS)
        .scalar_subquery()
        .label("task_refusals"),
    )
    .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
    .join(BUDGETS, BUDGETS.c.id == AGENTS.c.budget_id)
    .outerjoin(_chief, _chief.c.id == AGENTS.c.head_id)
    .where(AGENTS.c.id == sa.bindparam("agent"))
    .with_for_update(of=AGENTS)
)


_inbox = Prepared(
    sa.select(
        MESSAGES.c.id,
        MESSAGES.c.from_kind,
        MESSAGES.c.from_name,
        MESSAGES.c.text,
        MESSAGES.c.ref,
        MESSAGES.c.priority,
        MESSAGES.c.wakes,
        MESSAGES.c.about,
        MESSAGES.c.about_id,
    )
    .where(MESSAGES.c.to_agent == sa.bindparam("agent"), MESSAGES.c.consumed_step.is_(None))
    .order_by(MESSAGES.c.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
)


_past = Prepared(
    sa.select(
        STEPS.c.step,
        STEPS.c.input,
        STEPS.c.said,
        STEPS.c.calls_json,
        STEPS.c.messages_json,
        STEPS.c.kept,
        STEPS.c.continues,
    )
    .where(
        STEPS.c.agent_id == sa.bindparam("agent"),
        STEPS.c.step
        > sa.select(AGENTS.c.summary_upto).where(AGENTS.c.id == sa.bindparam("agent")).scalar_subquery(),
    )
    .order_by(STEPS.c.step)
)


_asks = AGENTS.alias("asks")


_begins = sa.and_(_asks.c.id == sa.bindparam("agent"), sa.not_(_asks.c.in_turn))


def _people_in(group: sa.Select[tuple[int]]) -> Prepared:
    return Prepared(
        sa.select(AGENTS.c.id, AGENTS.c.name, AGENTS.c.title, AGENTS.c.status)
        .where(
            AGENTS.c.group_id == group.scalar_subquery(),
            AGENTS.c.id != sa.bindparam("agent"),
            AGENTS.c.status != "dismissed",
        )
        .order_by(AGENTS.c.id)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )


_peers = _people_in(
    sa.select(_asks.c.group_id).where(
        _begins, sa.or_(_asks.c.leads_group_id.is_(None), _asks.c.leads_group_id != _asks.c.group_id)
    )
)


_members = _people_in(sa.select(_asks.c.leads_group_id).where(_begins))


def _chosen(length: int) -> sa.ColumnElement[bool]:
    return BUDGETS.c.id.in_(listed("path", length))


_reserve = PreparedLists(lambda length: reserving(BUDGETS, _chosen(length)))


_reserve_all = PreparedLists(
    lambda length: demand(reserving(BUDGETS, _chosen(length)).returning(BUDGETS.c.id), length)
)


_give_back = PreparedLists(lambda length: releasing(BUDGETS, _chosen(length)))


_hold = Prepared(
    AGENTS.update()
    .where(AGENTS.c.id == sa.bindparam("agent"))
    .values(
        reserved_micros=sa.bindparam("micros"),
        reserved_tokens=sa.bindparam("tokens"),
        held_in=sa.bindparam("months"),
        call=sa.bindparam("now_called"),
        call_guessed=sa.bindparam("guessed"),
    )
)


@dataclass(frozen=True, slots=True)
class CallNames:
    """Names of model calls: `next` of the one that is loaded; `ended` of the agent's last one that this
    process knows to have cost nothing, or to be booked."""

    next: str
    ended: str = ""


class CallLost(Exception):
    """A process made a call of the agent and has not booked it (`spend_lost`). It has gone, since an agent
    has one turn at a time."""

    def __init__(self, call: str) -> None:
        super().__init__(call)
        self.call = call


class CapHit(Exception):
    """A reservation of `need` for an agent would exceed a cap of its budget path, or of the month."""

    def __init__(self, task_id: int, agent: AgentFacts, need: Quote) -> None:
        super().__init__(task_id, agent.id, need)
        self.task_id, self.agent, self.agent_id, self.need = task_id, agent, agent.id, need


def load_turn(
    connection: Connection,
    agent_id: int,
    compose: Callable[[StepFacts], Turn],
    now: float,
    inbox_limit: int = MAX_INBOX_MESSAGES,
    calls: CallNames = CallNames(""),
) -> Turn | None:
    """Return the agent's next step with its spending reserved; None when it has no work or may not run.

    Reads at most `inbox_limit` messages; none and without a reservation to run the rest of an answer. Raises
    CapHit (nothing reserved) and CallLost. The agent is locked before its inbox is read, so messages whose
    wake-ups were merged into this one are already committed.
    """
    found = _look(connection, agent_id, inbox_limit, now)
    if found is None:
        return None
    row = found.agent
    if row.call not in ("", calls.ended):
        raise CallLost(row.call)
    if row.task_state != "running" or row.status != "active" or row.budget_frozen:
        _release(connection, row)
        return None
    if not row.in_turn and not _is_woken(connection, found, inbox_limit):
        _release(connection, row)
        return None
    turn = compose(_step_facts(row, found))
    if turn.rest is not None:
        return turn
    turn = replace(turn, call="" if turn.made else calls.next)
    _reserve_for(connection, found, turn, now)
    return turn


def _is_woken(connection: Connection, found: _Found, inbox_limit: int) -> bool:
    """Return whether an unread message wakes the agent; it may come after more than are read at once."""
    if any(message.wakes for message in found.inbox):
        return True
    return len(found.inbox) >= inbox_limit and waking.first(connection, agent=found.agent.id) is not None


def _release(connection: Connection, row: FetchedRow) -> None:
    """Release a reservation that a dropped answer left, because no step follows."""
    if not row.reserved_micros and not row.reserved_tokens:
        return
    give_back, ids = _give_back.of(path=budget_path(row.budget_path))
    give_back.run(connection, **ids, micros=row.reserved_micros, tokens=row.reserved_tokens)
    release_months(connection, row.held_in, row.reserved_micros, row.reserved_tokens)
    _hold.run(connection, agent=row.id, micros=0, tokens=0, months="", now_called="", guessed=False)


def _reserve_for(connection: Connection, found: _Found, turn: Turn, now: float) -> None:
    row, quote = found.agent, turn.held
    months = open_ids(connection, found.months, row, now)
    held_in = id_path(months)
    micros, tokens = quote.cost_micros - row.reserved_micros, quote.tokens - row.reserved_tokens
    in_month = (micros, tokens)
    if row.held_in != held_in:  # nothing is held yet, or a new month began, or another person pays
        release_months(connection, row.held_in, row.reserved_micros, row.reserved_tokens)
        in_month = (quote.cost_micros, quote.tokens)
    path = budget_path(row.budget_path)
    at_once = connection.dialect.name == "postgresql"
    reserve, ids = (_reserve_all if at_once else _reserve).of(path=path)
    try:
        with to_the_end(connection):
            reserved = reserve.run(connection, **ids, micros=micros, tokens=tokens)
            of_month = reserve_months(connection, months, *in_month)
            hold = {"micros": quote.cost_micros, "tokens": quote.tokens, "months": held_in}
            _hold.run(connection, agent=row.id, **hold, now_called=turn.call, guessed=quote.guessed)
    except Exception as error:
        if denied(error):
            raise CapHit(row.task_id, turn.facts.agent, quote) from error
        raise
    if not at_once and (reserved.rowcount != len(path) or of_month.rowcount != len(months)):
        raise CapHit(row.task_id, turn.facts.agent, quote)


@dataclass(frozen=True, slots=True)
class _Found:
    """Rows read for a step; colleagues only at the start of a turn."""

    agent: FetchedRow
    inbox: list[FetchedRow]
    past: list[FetchedRow]
    peers: list[FetchedRow]
    members: list[FetchedRow]
    work: list[FetchedRow]
    months: list[FetchedRow]


def _look(connection: Connection, agent_id: int, inbox_limit: int, now: float) -> _Found | None:
    """Lock and read the agent, then read the other rows of its step in the same batch."""
    with together(connection):
        asked = _agent_and_task.run(connection, agent=agent_id)
        inbox = _inbox.run(connection, agent=agent_id, most=inbox_limit)
        past = _past.run(connection, agent=agent_id)
        peers = _peers.run(connection, agent=agent_id, most=MAX_SHOWN + 1)
        members = _members.run(connection, agent=agent_id, most=MAX_SHOWN + 1)
        work = shown_work.run(connection, agent=agent_id, most=2 * MAX_SHOWN)
        months = months_of_agent.run(connection, agent=agent_id, now=now)
    rows = _agent_and_task.rows(connection, asked)
    if not rows:
        return None
    return _Found(
        rows[0],
        _inbox.rows(connection, inbox),
        _past.rows(connection, past),
        _peers.rows(connection, peers),
        _members.rows(connection, members),
        shown_work.rows(connection, work),
        months_of_agent.rows(connection, months),
    )


def _step_facts(row: FetchedRow, found: _Found) -> StepFacts:
    agent = _agent(row)
    head = None
    if agent.head_id is not None:
        paused = row.chief_status == "paused"
        head = Colleague(agent.head_id, row.chief_name, row.chief_title, "head", paused)
    return StepFacts(
        task=_task(row),
        agent=agent,
        inbox=() if agent.rest else _within(found.inbox),
        past=past_answers(found.past),
        colleagues=() if agent.in_turn else _colleagues_of(agent, head, found),
        work=tuple(map(assignment_facts, found.work)),
        head=head.name if head else "",
        upto=row.summary_upto,
    )


def _within(rows: Sequence[FetchedRow]) -> tuple[InboxMessage, ...]:
    """Return as many messages as fit into MESSAGE_CHARS, at least one; the rest stays unread."""
    kept: list[InboxMessage] = []
    size = 0
    for message in rows:
        size += len(message.text)
        if kept and size > MESSAGE_CHARS:
            break
        kept.append(unread(message))
    return tuple(kept)


def _task(row: FetchedRow) -> TaskFacts:
    return TaskFacts(
        id=row.task_id,
        goal=row.goal,
        space=row.space,
        boss_id=row.boss_id,
        agents=row.agents,
        max_agents=row.max_agents,
        max_depth=row.max_depth,
        max_members=row.max_members,
        max_steps=row.max_steps,
        audit_round=row.audit_round,
        plan_state=row.plan_state,
        attended=row.attended,
        model=row.task_model,
        refusals=row.task_refusals or 0,
    )


def _agent(row: FetchedRow) -> AgentFacts:
    return AgentFacts(
        id=row.id,
        name=row.name,
        role=row.role,
        title=row.title,
        instructions=row.instructions,
        group_id=row.group_id,
        leads_group_id=row.leads_group_id,
        head_id=row.head_id,
        budget_id=row.budget_id,
        budget_path=row.budget_path,
        depth=row.depth,
        fence=row.fence,
        turn=row.turn,
        turn_steps=row.turn_steps,
        in_turn=bool(row.in_turn),
        bad_answers=row.bad_answers,
        summary=past_summary(row.summary_json),
        todo=tuple(TodoItem(*item) for item in loads(row.todo_json)),
        last_calls=tuple(loads(row.last_calls_json)),
        reserved_micros=row.reserved_micros,
        reserved_tokens=row.reserved_tokens,
        model=ModelState(row.answer_tokens, row.too_long, row.refusals),
        rest=rest_of(row.rest_json),
        own_model=row.model,
        to_lead=bool(row.to_lead),
    )


def _colleagues_of(agent: AgentFacts, head: Colleague | None, found: _Found) -> tuple[Colleague, ...]:
    known = [head] if head else []
    for rows, relation in ((found.peers, "peer"), (found.members, "member")):
        known += [
            Colleague(row.id, row.name, row.title, relation, row.status == "paused")
            for row in rows
            if row.id != agent.head_id
        ]
    return tuple(known)
