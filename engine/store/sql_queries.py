"""Implementation of `Queries`, the reads for the user interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import Limits, MonthRule, Protections
from engine.domain.doing import load_doing
from engine.domain.gate_rules import GateRule
from engine.domain.gates import GateKind
from engine.domain.months import MonthLeft
from engine.domain.quota import Used
from engine.domain.titles import title_of
from engine.domain.waits import Awaited
from engine.errors import NotFound, Refusal
from engine.events import Event, EventBody, load_event
from engine.ports import BlameLine, Database, Revision, Workspace
from engine.queries import (
    AgentView,
    AssignmentView,
    BudgetView,
    DecisionView,
    FileView,
    GateView,
    GroupView,
    MemoryView,
    ModelCallView,
    RepeatView,
    Spend,
    SpendingView,
    StepView,
    TaskView,
)
from engine.store.core import (
    AGENTS,
    ASSIGNMENTS,
    BUDGETS,
    DECISIONS,
    EVENTS,
    FILES,
    GATES,
    GROUPS,
    MEMORIES,
    MESSAGES,
    REVISIONS,
    STARTS,
    STEPS,
    TASKS,
    WAITS,
    AnyRow,
    loads,
)
from engine.store.gate_rules import rules_of
from engine.store.gates import gate_views
from engine.store.model_calls import calls_under_way, usual_seconds
from engine.store.months import both_left, rule_of
from engine.store.protected import protections_of
from engine.store.repeats import repeat_views
from engine.store.spending import spending_of
from engine.store.starts import used_by

_unread = (
    sa.select(MESSAGES.c.id)
    .where(MESSAGES.c.to_agent == AGENTS.c.id, MESSAGES.c.consumed_step.is_(None), MESSAGES.c.wakes)
    .correlate(AGENTS)
    .exists()
)
_spends_from = BUDGETS.alias("spends_from")
_at_cap = (
    sa.select(_spends_from.c.frozen)
    .where(_spends_from.c.id == AGENTS.c.budget_id)
    .correlate(AGENTS)
    .scalar_subquery()
)
_has_to_work = sa.and_(AGENTS.c.status == "active", sa.or_(AGENTS.c.in_turn, _unread))
_busy = sa.and_(_has_to_work, ~_at_cap)
_answering = sa.and_(AGENTS.c.status == "active", AGENTS.c.call != "")
"""Of a paused task: its call is under way and runs to its end."""


_BUDGET_COLUMNS = (
    "id",
    "cap_micros",
    "cap_tokens",
    "cap_agents",
    "cap_minutes",
    "spent_micros",
    "spent_tokens",
    "deadline_at",
    "frozen",
)
"""Columns of a subtree's budget that an agent's view shows."""


def _count(target: sa.Table, *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    query = sa.select(sa.func.count()).select_from(target).where(target.c.task_id == TASKS.c.id, *where)
    return query.correlate(TASKS).scalar_subquery()


_tasks = sa.select(
    TASKS,
    BUDGETS,
    _count(AGENTS, _busy).label("working"),
    _count(AGENTS, _answering).label("answering"),
    _count(ASSIGNMENTS, ASSIGNMENTS.c.state != "cancelled").label("given"),
    _count(ASSIGNMENTS, ASSIGNMENTS.c.state == "accepted").label("accepted"),
    _count(FILES, FILES.c.blob.is_not(None)).label("file_count"),
    _count(GATES, GATES.c.basis.is_(None)).label("open_gates"),
    sa.select(STARTS.c.limits_json)
    .where(STARTS.c.task_id == TASKS.c.id)
    .order_by(STARTS.c.id.desc())
    .limit(1)
    .correlate(TASKS)
    .scalar_subquery()
    .label("given_json"),
).join(BUDGETS, sa.and_(BUDGETS.c.task_id == TASKS.c.id, BUDGETS.c.parent_id.is_(None)))
_subtree_budgets, _below = BUDGETS.alias("subtree_budgets"), BUDGETS.alias("below")
_under = AGENTS.alias("under")
_agents_in_subtree = (
    sa.select(sa.func.count())
    .select_from(_under.join(_below, _below.c.id == _under.c.budget_id))
    .where(_below.c.path.startswith(_subtree_budgets.c.path), _under.c.status != "dismissed")
    .correlate(_subtree_budgets)
    .scalar_subquery()
)
_agents = (
    sa.select(
        AGENTS,
        _busy.label("busy"),
        _answering.label("answering"),
        sa.and_(_has_to_work, _at_cap).label("held"),
        *(_subtree_budgets.c[name].label(f"subtree_{name}") for name in _BUDGET_COLUMNS),
        sa.case((_subtree_budgets.c.id.is_not(None), _agents_in_subtree), else_=0).label("subtree_agents"),
        TASKS.c.state.label("task_state"),
        TASKS.c.model.label("task_model"),
    )
    .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
    .outerjoin(
        _subtree_budgets,
        sa.and_(_subtree_budgets.c.task_id == AGENTS.c.task_id, _subtree_budgets.c.agent_id == AGENTS.c.id),
    )
)


def _spend(row: AnyRow) -> Spend:
    return Spend(
        cost_micros=row.spent_micros,
        prompt_tokens=row.prompt_tokens,
        cached_tokens=row.cached_tokens,
        completion_tokens=row.completion_tokens,
        calls=row.calls,
        priced=row.unpriced == 0,
    )


def _task_view(row: AnyRow) -> TaskView:
    limits = Limits(
        agents=row.max_agents,
        depth=row.max_depth,
        members=row.max_members,
        steps=row.max_steps,
        cost_micros=row.cap_micros,
        tokens=row.cap_tokens,
        minutes=row.max_minutes,
    )
    return TaskView(
        id=row.id,
        goal=row.goal,
        state=row.state,
        reason=row.reason,
        space=row.space,
        by=row.by,
        created_at=row.created_at,
        ended_at=row.ended_at,
        root_group_id=row.root_group_id,
        boss_id=row.boss_id,
        agents=row.agents,
        working=row.working if row.state == "running" else row.answering if row.state == "paused" else 0,
        assignments=row.given,
        accepted=row.accepted,
        files=row.file_count,
        open_gates=row.open_gates,
        spend=_spend(row),
        limits=limits,
        report=row.report if row.ended_at else "",
        verified=row.verified,
        model=row.model,
        basis=row.basis if row.ended_at and row.basis else "unknown",
        continued=row.continued,
        continued_at=row.continued_at,
        given=Limits(**loads(row.given_json)) if row.given_json else Limits(),
        title=row.title or title_of(row.goal),
        plan_minutes=row.plan_minutes,
    )


def _budget_view(row: AnyRow) -> BudgetView | None:
    if row.subtree_id is None:
        return None
    caps = Limits(
        agents=row.subtree_cap_agents,
        cost_micros=row.subtree_cap_micros,
        tokens=row.subtree_cap_tokens,
        minutes=row.subtree_cap_minutes,
    )
    return BudgetView(
        caps=caps,
        spent_micros=row.subtree_spent_micros,
        spent_tokens=row.subtree_spent_tokens,
        agents=row.subtree_agents,
        ends_at=row.subtree_deadline_at,
        stopped=bool(row.subtree_frozen),
    )


_owes = AGENTS.alias("owes")


def _agent_view(row: AnyRow, waits_for: tuple[str, ...]) -> AgentView:
    busy = row.busy if row.task_state == "running" else row.answering and row.task_state == "paused"
    state = row.status if row.status != "active" else ("working" if busy else "idle")
    return AgentView(
        id=row.id,
        task_id=row.task_id,
        name=row.name,
        role=row.role,
        title=row.title,
        instructions=row.instructions,
        state=state,
        group_id=row.group_id,
        leads_group_id=row.leads_group_id,
        head_id=row.head_id,
        depth=row.depth,
        doing=load_doing(loads(row.doing_json)),
        todo=tuple((text, status) for text, status in loads(row.todo_json)),
        steps=row.fence,
        spend=Spend(
            cost_micros=row.spent_micros,
            prompt_tokens=row.prompt_tokens,
            completion_tokens=row.completion_tokens,
            calls=row.fence - row.parts,
        ),
        last_active_at=row.active_at,
        budget=_budget_view(row),
        waits_for=waits_for,
        is_at_cap=bool(row.held),
        model=row.model or row.task_model,
    )


def _group_views(connection: Connection, *where: sa.ColumnElement[bool]) -> list[GroupView]:
    groups = connection.execute(sa.select(GROUPS).where(*where).order_by(GROUPS.c.id)).all()
    if not groups:
        return []
    members: dict[int, list[int]] = {row.id: [] for row in groups}
    heads = {row.id: row.head_id for row in groups}
    found = connection.execute(
        sa.select(AGENTS.c.id, AGENTS.c.group_id)
        .where(AGENTS.c.group_id.in_(list(members)), AGENTS.c.status != "dismissed")
        .order_by(AGENTS.c.id)
    )
    for row in found:
        if heads[row.group_id] != row.id:
            members[row.group_id].append(row.id)
    return [
        GroupView(g.id, g.task_id, g.name, g.parent_id, g.head_id, g.depth, tuple(members[g.id]))
        for g in groups
    ]


def _assignment_views(connection: Connection, task_id: int) -> list[AssignmentView]:
    giver, assignee = AGENTS.alias(), AGENTS.alias()
    rows = connection.execute(
        sa.select(ASSIGNMENTS, giver.c.name.label("giver"), assignee.c.name.label("assignee"))
        .join(giver, giver.c.id == ASSIGNMENTS.c.giver_id)
        .join(assignee, assignee.c.id == ASSIGNMENTS.c.assignee_id)
        .where(ASSIGNMENTS.c.task_id == task_id)
        .order_by(ASSIGNMENTS.c.id)
    )
    return [
        AssignmentView(
            id=r.id,
            task_id=r.task_id,
            title=r.title,
            details=r.details,
            acceptance=r.acceptance,
            giver=r.giver,
            assignee=r.assignee,
            state=r.state,
            summary=r.summary,
            feedback=r.feedback,
            files=tuple(loads(r.files_json)),
            given_at=r.created_at,
        )
        for r in rows
    ]


def _step_view(row: AnyRow) -> StepView:
    calls = tuple((name, arguments, result) for _, name, arguments, result, *_ in loads(row.calls_json))
    return StepView(
        agent_id=row.agent_id,
        turn=row.turn,
        step=row.step,
        at=row.ended_at,
        seconds=row.ended_at - row.started_at,
        read=row.input,
        said=row.said,
        calls=calls,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cost_micros=row.cost_micros or 0,
        model=row.model,
    )


class SqlQueries:
    """`engine.look`: each read is a consistent snapshot; history and blame catch up with git first."""

    def __init__(
        self, db: Database, workspace: Workspace, catch_up: Callable[[int], Awaitable[None]]
    ) -> None:
        self._db, self._workspace, self._catch_up = db, workspace, catch_up

    async def tasks(
        self, space: str | None = None, limit: int = 50, *, unended: bool = False
    ) -> Sequence[TaskView]:
        """Return the newest tasks of a space (None: of all), newest first. `unended`: only those that have
        not ended."""
        query = _tasks.order_by(TASKS.c.id.desc()).limit(limit)
        if unended:
            query = query.where(TASKS.c.ended_at.is_(None))
        if space is not None:
            query = query.where(TASKS.c.space == space)
        return [_task_view(row) for row in await self._all(query)]

    async def task(self, task_id: int) -> TaskView:
        """Return one task. Raises NotFound."""
        return _task_view(
            await self._one(
                _tasks.where(TASKS.c.id == task_id),
                Refusal(f"There is no task {task_id}.", "Use /task list to see the tasks."),
            )
        )

    async def agents(self, task_id: int) -> Sequence[AgentView]:
        """Return all agents of a task, including dismissed ones, in the order they joined."""
        query = _agents.where(AGENTS.c.task_id == task_id).order_by(AGENTS.c.id)
        waits = await self._waits(WAITS.c.task_id == task_id)
        return [_agent_view(row, waits.get(row.id, ())) for row in await self._all(query)]

    async def agent(self, agent_id: int) -> AgentView:
        """Return one agent. Raises NotFound."""
        row = await self._one(
            _agents.where(AGENTS.c.id == agent_id),
            Refusal(f"There is no agent {agent_id}.", "Use /task tree to see the agents."),
        )
        return _agent_view(row, (await self._waits(WAITS.c.agent_id == agent_id)).get(agent_id, ()))

    async def _waits(self, where: sa.ColumnElement[bool]) -> dict[int, tuple[str, ...]]:
        held: dict[int, tuple[str, ...]] = {}
        query = (
            sa.select(WAITS, _owes.c.name)
            .outerjoin(_owes, _owes.c.id == WAITS.c.answer_of)
            .where(where)
            .order_by(WAITS.c.id)
        )
        for row in await self._all(query):
            shown = Awaited(row.path, row.assignment_id, row.answer_of, row.name or "").shown
            held[row.agent_id] = (*held.get(row.agent_id, ()), shown)
        return held

    async def groups(self, task_id: int) -> Sequence[GroupView]:
        """Return all groups of a task, in the order they were formed."""
        return await self._db.read(lambda c: _group_views(c, GROUPS.c.task_id == task_id))

    async def group(self, group_id: int) -> GroupView:
        """Return one group. Raises NotFound."""
        found = await self._db.read(lambda c: _group_views(c, GROUPS.c.id == group_id))
        if not found:
            raise NotFound(f"There is no group {group_id}.", "Use /task tree to see the groups.")
        return found[0]

    async def assignments(self, task_id: int) -> Sequence[AssignmentView]:
        """Return all assignments of a task, in the order they were given."""
        return await self._db.read(lambda c: _assignment_views(c, task_id))

    async def steps(
        self, agent_id: int, limit: int = 20, *, until: float | None = None, upto: int | None = None
    ) -> Sequence[StepView]:
        """See `Queries.steps`."""
        query = sa.select(STEPS).where(STEPS.c.agent_id == agent_id)
        if until is not None:
            query = query.where(STEPS.c.ended_at <= until)
        if upto is not None:
            query = query.where(STEPS.c.step <= upto)
        query = query.order_by(STEPS.c.step.desc()).limit(limit)
        return [_step_view(row) for row in await self._all(query)]

    async def timeline(self, task_id: int) -> Sequence[tuple[int, float, float, int]]:
        """See `Queries.timeline`."""
        query = (
            sa.select(STEPS.c.agent_id, STEPS.c.started_at, STEPS.c.ended_at, STEPS.c.cost_micros)
            .where(STEPS.c.task_id == task_id)
            .order_by(STEPS.c.started_at)
        )
        return [(r.agent_id, r.started_at, r.ended_at, r.cost_micros or 0) for r in await self._all(query)]

    async def events(self, task_id: int, kinds: Sequence[type[EventBody]]) -> Sequence[Event]:
        """See `Queries.events`."""
        wanted = sa.and_(EVENTS.c.task_id == task_id, EVENTS.c.kind.in_([kind.__name__ for kind in kinds]))
        rows = await self._all(sa.select(EVENTS).where(wanted).order_by(EVENTS.c.seq))
        return [Event(r.seq, r.at, load_event(r.kind, loads(r.payload_json)), r.by, r.by_name) for r in rows]

    async def model_calls(self, task_id: int | None = None) -> Sequence[ModelCallView]:
        """See `Queries.model_calls`."""
        return await self._db.read(lambda c: calls_under_way(c, task_id))

    async def working_groups(self, task_id: int | None = None) -> Sequence[int]:
        """See `Queries.working_groups`."""
        running = sa.and_(TASKS.c.id == AGENTS.c.task_id, TASKS.c.state == "running")
        query = sa.select(AGENTS.c.group_id).join(TASKS, running).where(_busy)
        if task_id is not None:
            query = query.where(AGENTS.c.task_id == task_id)
        return [row.group_id for row in await self._all(query.distinct().order_by(AGENTS.c.group_id))]

    async def usual_seconds(self, task_id: int) -> float | None:
        """See `Queries.usual_seconds`."""
        return await self._db.read(lambda c: usual_seconds(c, task_id))

    async def gates(self, task_id: int, open_only: bool = True) -> Sequence[GateView]:
        """Return the gates of a task, newest first."""
        query = sa.select(GATES).where(GATES.c.task_id == task_id).order_by(GATES.c.id.desc())
        if open_only:
            query = query.where(GATES.c.basis.is_(None))
        return await self._db.read(lambda c: gate_views(c, query))

    async def gate(self, gate_id: int) -> GateView:
        """Return one gate. Raises NotFound."""
        query = sa.select(GATES).where(GATES.c.id == gate_id)
        found = await self._db.read(lambda c: gate_views(c, query))
        if not found:
            raise NotFound(f"There is no question {gate_id}.", "Use /task status to see the open ones.")
        return found[0]

    async def files(self, task_id: int) -> Sequence[FileView]:
        """Return the current files of a task, by path."""
        query = sa.select(FILES).where(FILES.c.task_id == task_id, FILES.c.blob.is_not(None))
        rows = await self._all(query.order_by(FILES.c.path))
        return [FileView(r.path, r.revision, r.size, r.agent, r.changed_at) for r in rows]

    async def read_file(self, task_id: int, path: str, revision: int | None = None) -> bytes:
        """Return the content of a path, now or at a revision. Raises NotFound."""
        query = (
            sa.select(REVISIONS.c.blob)
            .where(REVISIONS.c.task_id == task_id, REVISIONS.c.path == path)
            .order_by(REVISIONS.c.id.desc())
            .limit(1)
        )
        if revision is not None:
            query = query.where(REVISIONS.c.id <= revision)
        row = await self._one(
            query, Refusal(f"Task {task_id} has no file {path}.", "Use /task files to see its files.")
        )
        if row.blob is None:
            raise NotFound(f"{path} was deleted.", "Its older revisions are still available.")
        return await self._workspace.get(task_id, row.blob)

    async def history(self, task_id: int, path: str, limit: int = 50) -> Sequence[Revision]:
        """Return the revisions of a file, newest first."""
        await self._catch_up(task_id)
        return await self._workspace.history(task_id, path, limit)

    async def blame(self, task_id: int, path: str) -> Sequence[BlameLine]:
        """Return the author of each line of a file."""
        await self._catch_up(task_id)
        return await self._workspace.blame(task_id, path)

    async def memories(self, space: str) -> Sequence[MemoryView]:
        """Return the memories kept for later tasks of a space, newest first."""
        query = sa.select(MEMORIES).where(MEMORIES.c.space == space).order_by(MEMORIES.c.id.desc())
        rows = await self._all(query)
        return [MemoryView(r.id, r.space, r.text, r.source, r.created_at) for r in rows]

    async def repeats(self, space: str) -> Sequence[RepeatView]:
        """Return the repeats of a space that have not ended, the next to run first."""
        return await self._db.read(lambda c: repeat_views(c, space))

    async def decisions(
        self,
        space: str,
        task_id: int | None = None,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> Sequence[DecisionView]:
        """See `Queries.decisions`."""
        query = sa.select(DECISIONS).where(DECISIONS.c.space == space)
        if task_id is not None:
            query = query.where(DECISIONS.c.task_id == task_id)
        if before is not None:
            query = query.where(DECISIONS.c.id < before)
        if after is not None:
            query = query.where(DECISIONS.c.id > after)
        order = DECISIONS.c.id if after is not None else DECISIONS.c.id.desc()
        rows = sorted(await self._all(query.order_by(order).limit(limit)), key=lambda row: -row.id)
        return [
            DecisionView(
                r.id, r.at, r.by, r.space, r.task_id, r.kind, r.subject_id, r.digest, loads(r.content_json)
            )
            for r in rows
        ]

    async def gate_rules(self, space: str) -> Mapping[GateKind, GateRule]:
        """Return how long the gates of each kind wait in a space, and what comes of them unanswered."""
        return await self._db.read(lambda c: rules_of(c, space))

    async def used(self, by: str, space: str, now: float) -> Used:
        """See `Queries.used`."""
        return await self._db.read(lambda c: used_by(c, by, space, now))

    async def spending(self, space: str, since: float, by: str | None = None) -> Sequence[SpendingView]:
        """See `Queries.spending`."""
        return await self._db.read(lambda c: spending_of(c, space, since, by))

    async def month_rule(self, space: str) -> MonthRule:
        """See `Queries.month_rule`."""
        return await self._db.read(lambda c: rule_of(c, space))

    async def protections(self, space: str) -> Protections:
        """See `Queries.protections`."""
        return await self._db.read(lambda c: protections_of(c, space))

    async def month_left(self, by: str, space: str, now: float) -> Sequence[MonthLeft]:
        """See `Queries.month_left`."""
        return await self._db.read(lambda c: both_left(c, space, by, now))

    async def _all(self, query: sa.Select[*tuple[object, ...]]) -> Sequence[AnyRow]:
        return await self._db.read(lambda c: c.execute(query).all())

    async def _one(self, query: sa.Select[*tuple[object, ...]], missing: Refusal) -> AnyRow:
        rows = await self._all(query)
        if not rows:
            raise NotFound(missing.reason, missing.next_step)
        return rows[0]
