"""The engine's tables. Times are Unix seconds, money micro-dollars; `key` columns make repeats harmless.

Columns that end in `_json` hold JSON text, which steps write and read unchanged.
"""

from __future__ import annotations

from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

ENGINE_METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class EngineTable(SQLModel):
    """Base class of the engine's tables."""

    metadata: ClassVar[sa.MetaData] = ENGINE_METADATA


class TaskRow(EngineTable, table=True):
    """A task. `basis`: what its report is based on (`engine.events.EndBasis`), set by the boss's `finish`;
    `paused_for`: `PauseCause`; `continued`: how often it was continued after an end, last at
    `continued_at`. `payer`: whose budget of the month it uses, who started or last continued it.
    `waited_s`: seconds for which all of it waited for people since its start or continuation, without the
    wait that began at `waiting_since`; minutes do not run then.
    `title`: what its boss calls it, "" before. `plan_minutes`: how long its plan takes.
    """

    __tablename__ = "tasks"
    id: int | None = Field(default=None, primary_key=True)
    goal: str
    state: str = Field(index=True)
    reason: str = ""
    paused_for: str = Field(default="", sa_column_kwargs={"server_default": ""})
    space: str = Field(index=True)
    by: str
    attended: bool = True
    model: str = ""
    created_at: float
    ended_at: float | None = None
    deadline_at: float | None = None
    max_agents: int
    max_depth: int
    max_members: int
    max_steps: int
    max_minutes: int
    agents: int = 0
    boss_id: int | None = None
    root_group_id: int | None = None
    report: str = ""
    deliverables_json: str = "[]"
    verified: bool = False
    basis: str = Field(default="", sa_column_kwargs={"server_default": ""})
    audit_round: int = 0
    auditor_id: int | None = None
    plan_state: str = "none"
    plan_agents: int = 0
    plan_minutes: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    title: str = Field(default="", sa_column_kwargs={"server_default": ""})
    lessons_json: str = "[]"
    quiet_rounds: int = 0
    progress_at: float = 0.0
    continued: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    continued_at: float | None = None
    payer: str = Field(default="", sa_column_kwargs={"server_default": ""})
    waited_s: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})
    waiting_since: float | None = None


class StartRow(EngineTable, table=True):
    """A person's start or continuation of a task: who, what it may use (`limits_json`), and what the task had
    used before. A continued task has several."""

    __tablename__ = "starts"
    __table_args__ = (Index("ix_starts_person", "space", "by", "at"),)
    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="tasks.id", index=True)
    by: str
    space: str
    at: float
    limits_json: str
    spent_before: int = Field(default=0, sa_type=sa.BigInteger)


class BudgetRow(EngineTable, table=True):
    """Caps and spending of a task or of an agent's subtree; spending also counts for all budgets above.

    `cap_agents` and `cap_minutes` only for subtrees: a task's own are in its row. `set_by`: the person who
    capped a subtree, empty when its head did. `wrapped`: the extra tenth to wrap up was given.
    """

    __tablename__ = "budgets"
    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="tasks.id", index=True)
    parent_id: int | None = Field(default=None, foreign_key="budgets.id")
    path: str = ""
    agent_id: int | None = None
    set_by: str = Field(default="", sa_column_kwargs={"server_default": ""})
    frozen: bool = False
    wrapped: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    cap_agents: int | None = None
    cap_minutes: int | None = None
    deadline_at: float | None = None
    cap_micros: int | None = Field(default=None, sa_type=sa.BigInteger)
    cap_tokens: int | None = Field(default=None, sa_type=sa.BigInteger)
    spent_micros: int = Field(default=0, sa_type=sa.BigInteger)
    spent_tokens: int = Field(default=0, sa_type=sa.BigInteger)
    prompt_tokens: int = Field(default=0, sa_type=sa.BigInteger)
    cached_tokens: int = Field(default=0, sa_type=sa.BigInteger)
    completion_tokens: int = Field(default=0, sa_type=sa.BigInteger)
    reserved_micros: int = Field(default=0, sa_type=sa.BigInteger)
    reserved_tokens: int = Field(default=0, sa_type=sa.BigInteger)
    calls: int = 0
    unpriced: int = 0
    estimated: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    warned: int = 0


class ProtectionRow(EngineTable, table=True):
    """What agents of a space do only after a person agreed to exactly that."""

    __tablename__ = "protections"
    space: str = Field(primary_key=True)
    run: bool
    recruit_over: int | None = None
    finish: bool
    tools: bool


class ActionRequestRow(EngineTable, table=True):
    """A protected action that people were asked for: its arguments and their digest. The gate's answer says
    whether it may be done; `used`: it was, once."""

    __tablename__ = "action_requests"
    gate_id: int = Field(foreign_key="gates.id", primary_key=True)
    task_id: int = Field(foreign_key="tasks.id", index=True)
    action: str
    digest: str
    arguments_json: str
    used: bool = False


class MonthRuleRow(EngineTable, table=True):
    """What a space, and each person in it, may use in a calendar month of the time zone `zone`."""

    __tablename__ = "month_rules"
    space: str = Field(primary_key=True)
    zone: str
    space_micros: int | None = Field(default=None, sa_type=sa.BigInteger)
    space_tokens: int | None = Field(default=None, sa_type=sa.BigInteger)
    person_micros: int | None = Field(default=None, sa_type=sa.BigInteger)
    person_tokens: int | None = Field(default=None, sa_type=sa.BigInteger)


class MonthBudgetRow(EngineTable, table=True):
    """Caps and spending of a space (`by` "") or of a person in it in one calendar month, from `begins_at` to
    before `ends_at`. `warned`: which parts were told (`engine.domain.months`)."""

    __tablename__ = "month_budgets"
    __table_args__ = (UniqueConstraint("space", "by", "month"),)
    id: int | None = Field(default=None, primary_key=True)
    space: str
    by: str
    month: str
    begins_at: float
    ends_at: float
    cap_micros: int | None = Field(default=None, sa_type=sa.BigInteger)
    cap_tokens: int | None = Field(default=None, sa_type=sa.BigInteger)
    spent_micros: int = Field(default=0, sa_type=sa.BigInteger)
    spent_tokens: int = Field(default=0, sa_type=sa.BigInteger)
    reserved_micros: int = Field(default=0, sa_type=sa.BigInteger)
    reserved_tokens: int = Field(default=0, sa_type=sa.BigInteger)
    warned: int = 0


class SpendingRow(EngineTable, table=True):
    """What a task used of a model, or of a server of tools (`kind` "outside"), in a quarter of an hour.

    `at`: when that began. `by`: in whose name. `unpriced`: calls whose price nobody knows. `estimated`: calls
    booked by an estimate, as nobody said what they used.
    """

    __tablename__ = "spending"
    __table_args__ = (Index("ix_spending_space", "space", "at"),)
    task_id: int = Field(foreign_key="tasks.id", primary_key=True)
    at: int = Field(primary_key=True, sa_type=sa.BigInteger)
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    by: str = Field(primary_key=True)
    space: str
    cost_micros: int = Field(default=0, sa_type=sa.BigInteger)
    prompt_tokens: int = Field(default=0, sa_type=sa.BigInteger)
    completion_tokens: int = Field(default=0, sa_type=sa.BigInteger)
    calls: int = 0
    unpriced: int = 0
    estimated: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class GroupRow(EngineTable, table=True):
    """A group: one head and its members."""

    __tablename__ = "groups"
    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="tasks.id", index=True)
    parent_id: int | None = Field(default=None, foreign_key="groups.id")
    head_id: int = Field(index=True)
    name: str
    depth: int = 0


class AgentRow(EngineTable, table=True):
    """An agent. `fence` counts its committed steps and is compared and set by each commit.

    `rest_json`: calls of its last answer that are still to be run; `parts`: how many of its steps ran such
    calls, without asking the model. `refused`: why the model refuses it permanently; it is paused then, until
    somebody sends it a message.
    `paused_with`: the agent whose pause paused it (itself, or one above it), WRAP_UP when the task wrapped
    up. `model`: its own model, empty for the task's. `held_in`: ids of the month's budgets that hold its
    reservation too. `call`: the model call that may have reached its endpoint and is not booked, which the
    reservation is for; `call_guessed`: at a ceiling price. `lost_call`: the last one that was booked without
    an answer, for the process that made it had gone. `to_lead`: it was recruited to lead, and has the tools
    for it from its first step on.
    """

    __tablename__ = "agents"
    __table_args__ = (
        UniqueConstraint("task_id", "name_key"),
        # In the order in which colleagues are shown: of a large group only the first are read.
        Index("ix_agents_group", "group_id", "id"),
        Index(
            "ix_agents_open_turn",
            "task_id",
            sqlite_where=sa.text("in_turn"),
            postgresql_where=sa.text("in_turn"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="tasks.id", index=True)
    group_id: int
    leads_group_id: int | None = None
    head_id: int | None = None
    budget_id: int
    name: str
    name_key: str
    role: str
    title: str
    instructions: str
    status: str = "active"
    paused_with: int | None = None
    model: str = Field(default="", sa_column_kwargs={"server_default": ""})
    held_in: str = Field(default="", sa_column_kwargs={"server_default": ""})
    call: str = Field(default="", sa_column_kwargs={"server_default": ""})
    call_guessed: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    lost_call: str = Field(default="", sa_column_kwargs={"server_default": ""})
    to_lead: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    depth: int = 0
    fence: int = 0
    turn: int = 0
    in_turn: bool = False
    turn_steps: int = 0
    bad_answers: int = 0
    todo_json: str = "[]"
    doing_json: str = Field(default="[]", sa_column_kwargs={"server_default": "[]"})
    summary_json: str = Field(default="[]", sa_column_kwargs={"server_default": "[]"})
    summary_upto: int = 0
    last_prompt_tokens: int = 0
    answer_tokens: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    too_long: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    refusals: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    refused: str = Field(default="", sa_column_kwargs={"server_default": ""})
    rest_json: str = Field(default="", sa_column_kwargs={"server_default": ""})
    parts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    reserved_micros: int = Field(default=0, sa_type=sa.BigInteger)
    reserved_tokens: int = 0
    spent_micros: int = Field(default=0, sa_type=sa.BigInteger)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    last_calls_json: str = "[]"
    active_at: float = 0.0
    created_at: float = 0.0


class MessageRow(EngineTable, table=True):
    """A message to one agent; unread until a committed step consumes it, exactly once.

    `about`: what the receiver should do (`engine.domain.state.About`); `about_id`: the id of the
    assignment, outside call or budget.
    `preface`: the lines at the beginning of `text` that are the engine's and not the sender's; an edit of the
    sender's words keeps them.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("key"),
        Index(
            "ix_messages_unread",
            "to_agent",
            "id",
            sqlite_where=sa.text("consumed_step IS NULL"),
            postgresql_where=sa.text("consumed_step IS NULL"),
        ),
        Index(
            "ix_messages_not_of_agents",
            "task_id",
            "id",
            sqlite_where=sa.text("from_kind <> 'agent'"),
            postgresql_where=sa.text("from_kind <> 'agent'"),
        ),
        Index(
            "ix_messages_between",
            "to_agent",
            "from_agent",
            "id",
            sqlite_where=sa.text("from_agent IS NOT NULL"),
            postgresql_where=sa.text("from_agent IS NOT NULL"),
        ),
        Index(
            "ix_messages_people",
            "task_id",
            "from_name",
            sqlite_where=sa.text("from_kind = 'person'"),
            postgresql_where=sa.text("from_kind = 'person'"),
        ),
        Index(
            "ix_messages_sent",
            "from_agent",
            "to_agent",
            "id",
            sqlite_where=sa.text("from_agent IS NOT NULL"),
            postgresql_where=sa.text("from_agent IS NOT NULL"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    task_id: int
    to_agent: int
    from_agent: int | None = None
    from_kind: str
    from_name: str
    text: str
    preface: str = Field(default="", sa_column_kwargs={"server_default": ""})
    key: str
    ref: str | None = Field(default=None, index=True)
    wakes: bool = True
    priority: int = 5
    about: str = Field(default="", sa_column_kwargs={"server_default": ""})
    about_id: int | None = None
    created_at: float
    consumed_step: int | None = None


class InterventionRow(EngineTable, table=True):
    """How often a monitoring rule acted on a subject, so that it escalates the next time."""

    __tablename__ = "interventions"
    task_id: int = Field(foreign_key="tasks.id", primary_key=True)
    rule: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    times: int = 0
    at: float = 0.0


class StepRow(EngineTable, table=True):
    """One committed model call with its tool calls; `messages_json`: the messages that it read; `kept`: an
    opaque value that its endpoint wants back. `continues`: it holds further calls of the answer before."""

    __tablename__ = "steps"
    __table_args__ = (UniqueConstraint("agent_id", "step"),)
    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(index=True)
    agent_id: int
    step: int
    turn: int
    input: str
    said: str
    calls_json: str
    messages_json: str = Field(default="[]", sa_column_kwargs={"server_default": "[]"})
    kept: str = Field(default="", sa_column_kwargs={"server_default": ""})
    continues: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    started_at: float
    ended_at: float
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost_micros: int | None = Field(default=None, sa_type=sa.BigInteger)
    model: str


class ModelCallRow(EngineTable, table=True):
    """How far the model call of an agent's `step` is, as written down `at`; void once the step is committed.

    `sent`: it has reached the endpoint. The others are those of `engine.ports.Written`. No foreign key: its
    lock on the agent could wait for a step, and a step for it.
    """

    __tablename__ = "model_calls"
    agent_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    task_id: int = Field(index=True)
    step: int
    began_at: float
    at: float
    sent: bool
    tokens: int
    read: float
    tool: str
    path: str
    lines: int
    words: str


class AssignmentRow(EngineTable, table=True):
    """An assignment that a head gave, with its acceptance criteria. `changed_json`: the paths that had
    changed for it when it was submitted last."""

    __tablename__ = "assignments"
    __table_args__ = (UniqueConstraint("key"),)
    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="tasks.id", index=True)
    group_id: int
    giver_id: int = Field(index=True)
    assignee_id: int = Field(index=True)
    title: str
    details: str
    acceptance: str = ""
    command_json: str = "[]"
    state: str = "open"
    summary: str = ""
    feedback: str = ""
    files_json: str = "[]"
    changed_json: str = Field(default="[]", sa_column_kwargs={"server_default": "[]"})
    key: str
    created_at: float
    changed_at: float


class WaitRow(EngineTable, table=True):
    """An idle agent waits for a file (`path`), for an assignment to be handed in, or for the answer of one
    that it asked (`answer_of`)."""

    __tablename__ = "waits"
    __table_args__ = (Index("ix_waits_task", "task_id", "path"),)
    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="tasks.id")
    agent_id: int = Field(index=True)
    path: str = ""
    assignment_id: int | None = None
    answer_of: int | None = None
    created_at: float


class FileRow(EngineTable, table=True):
    """The current content of a path; `blob` is None when deleted. `accepted_json`: the assignments as part of
    which it was accepted, each with the last notice of a later change, "" for none."""

    __tablename__ = "files"
    task_id: int = Field(foreign_key="tasks.id", primary_key=True)
    path: str = Field(primary_key=True)
    blob: str | None
    revision: int
    size: int = 0
    agent: str = ""
    changed_at: float = 0.0
    accepted_json: str = Field(default="", sa_column_kwargs={"server_default": ""})


class RevisionRow(EngineTable, table=True):
    """One committed change of one file, in the order of ids; projected into the task's git history."""

    __tablename__ = "revisions"
    __table_args__ = (Index("ix_revisions_task", "task_id", "id"), UniqueConstraint("key"))
    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="tasks.id")
    path: str
    blob: str | None
    agent: str
    step: str
    key: str
    at: float
    note: str = ""


class EventRow(EngineTable, table=True):
    """An event, in the order of `seq`. `by`, `by_name`: whose command caused it, "" when no person's did."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("key"),
        Index("ix_events_task", "task_id", "seq"),
        Index(
            "ix_events_people",
            "task_id",
            "by_name",
            sqlite_where=sa.text("by_name <> ''"),
            postgresql_where=sa.text("by_name <> ''"),
        ),
    )
    seq: int | None = Field(default=None, primary_key=True)
    task_id: int
    key: str
    kind: str
    payload_json: str
    at: float
    by: str = Field(default="", sa_column_kwargs={"server_default": ""})
    by_name: str = Field(default="", sa_column_kwargs={"server_default": ""})


class PackageRow(EngineTable, table=True):
    """A Python package of a task's programs: exactly the wheel with this SHA-256."""

    __tablename__ = "packages"
    task_id: int = Field(foreign_key="tasks.id", primary_key=True)
    name: str = Field(primary_key=True)
    version: str
    file: str
    sha256: str
    agent: str
    at: float


class PackageRequestRow(EngineTable, table=True):
    """A package that people were asked for; the gate's answer says whether it may be fetched."""

    __tablename__ = "package_requests"
    gate_id: int = Field(foreign_key="gates.id", primary_key=True)
    name: str = Field(primary_key=True)
    task_id: int = Field(index=True)


class GateRow(EngineTable, table=True):
    """A question that only a person may answer; `basis`: why it is closed, None while open.

    `choices_json`: id and effect of each choice, and the text of an agent's own options. `text`: the answer's
    text; `limits_json`: the caps that came with an approval. `due_at`: when `default_effect` applies.
    `remind_at`: when the next reminder, or after the last (`reminded` counts them) the default, is due.
    """

    __tablename__ = "gates"
    __table_args__ = (UniqueConstraint("key"),)
    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="tasks.id", index=True)
    group_id: int
    agent_id: int | None = None
    kind: str
    name: str
    question: str
    choices_json: str = "[]"
    basis: str | None = None
    choice_id: str | None = None
    text: str = ""
    limits_json: str | None = None
    answered_by: str = ""
    key: str
    created_at: float
    due_at: float | None = None
    remind_at: float | None = Field(default=None, index=True)
    reminded: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    default_effect: str = Field(default="", sa_column_kwargs={"server_default": ""})


class GateRuleRow(EngineTable, table=True):
    """How long gates of a kind wait for people in a space, and what comes of them when nobody answers."""

    __tablename__ = "gate_rules"
    space: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    wait_s: float
    default_effect: str


class MemoryRow(EngineTable, table=True):
    """A memory; `space` is set when it is kept for later tasks of that space.

    `signs`: the signs of the embedding, one bit per number, to find similar ones fast.
    """

    __tablename__ = "memories"
    __table_args__ = (UniqueConstraint("key"),)
    id: int | None = Field(default=None, primary_key=True)
    task_id: int | None = Field(default=None, index=True)
    agent_id: int | None = Field(default=None, index=True)
    space: str | None = Field(default=None, index=True)
    text: str
    source: str
    embedding: bytes | None = None
    signs: bytes | None = None
    key: str
    created_at: float


class RepeatRow(EngineTable, table=True):
    """A repeated task; `next_at`: the next start, `ended_at`: set when it was stopped.

    `limits_json`: the caps of each run as set at creation. `skipped`: starts skipped because the previous run
    had not ended. `paused_at`, `paused_why`: set once its creator may start no more tasks. `origin`: where it
    was created and each run starts.
    """

    __tablename__ = "repeats"
    id: int | None = Field(default=None, primary_key=True)
    goal: str
    space: str = Field(index=True)
    by: str
    cron: str
    zone: str
    model: str = ""
    limits_json: str
    created_at: float
    next_at: float = Field(index=True)
    last_task_id: int | None = None
    runs: int = 0
    skipped: int = 0
    paused_at: float | None = None
    paused_why: str = Field(default="", sa_column_kwargs={"server_default": ""})
    ended_at: float | None = None
    origin: str = Field(default="", sa_column_kwargs={"server_default": ""})


class DecisionRow(EngineTable, table=True):
    """A decision of a person, in the order of `id`; rows are never changed.

    `kind`: the name of the command. `subject_id`: the id that it returned. `digest`: SHA-256 of what was
    decided on. `by`: "" when nobody answered in time.
    """

    __tablename__ = "decisions"
    __table_args__ = (Index("ix_decisions_space", "space", "id"), Index("ix_decisions_task", "task_id", "id"))
    id: int | None = Field(default=None, primary_key=True)
    at: float
    by: str
    space: str
    task_id: int | None = None
    kind: str
    subject_id: int
    digest: str
    content_json: str


class TaskAddressRow(EngineTable, table=True):
    """A normalised address that occurred in a task; `basis`: `engine.domain.addresses.AddressBasis`.

    `digest`: SHA-256 of the address, which may be too long for an index.
    """

    __tablename__ = "task_addresses"
    task_id: int = Field(foreign_key="tasks.id", primary_key=True)
    digest: str = Field(primary_key=True)
    address: str
    basis: str
    at: float


class SignInRow(EngineTable, table=True):
    """What a sign-in at a server of `mcp.json` gave (`engine.connectors.mcp.signin_store.Kept`).

    `number`: changes with each change. `renewing_by`: the process that renews its tokens, until then.
    """

    __tablename__ = "sign_ins"
    server: str = Field(primary_key=True)
    number: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    kept_json: str = Field(default="", sa_column_kwargs={"server_default": ""})
    renewing_by: str = Field(default="", sa_column_kwargs={"server_default": ""})
    renewing_until: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})


class OutsideCallRow(EngineTable, table=True):
    """A call to a tool of the world outside, written before it is sent: the ledger.

    `state`: `engine.domain.outside.CallState`. `digest` is of server, tool and arguments. `gate_id`: the gate
    that asked a person, and `why`; `standing`: they agreed to this tool for the rest of the task. `told`: its
    agent knows what became of it. `lease_until`: after it nobody waits for the answer any more.
    `addresses_json`: where the result comes from. `paid_in`: ids of the month's budgets that its price was
    booked on.
    """

    __tablename__ = "outside_calls"
    __table_args__ = (
        UniqueConstraint("key"),
        Index("ix_outside_calls_digest", "task_id", "digest"),
        Index("ix_outside_calls_rate", "server", "sent_at"),
        Index(
            "ix_outside_calls_open",
            "state",
            sqlite_where=sa.text("state = 'pending' OR state = 'sent'"),
            postgresql_where=sa.text("state = 'pending' OR state = 'sent'"),
        ),
        Index(
            "ix_outside_calls_untold",
            "agent_id",
            sqlite_where=sa.text("NOT told"),
            postgresql_where=sa.text("NOT told"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="tasks.id")
    agent_id: int
    step: int
    key: str
    name: str
    server: str
    tool: str
    digest: str
    arguments_json: str
    state: str
    reads_only: bool
    repeatable: bool
    gate_id: int | None = Field(default=None, index=True)
    why: str = Field(default="", sa_column_kwargs={"server_default": ""})
    standing: bool = False
    price_micros: int = Field(default=0, sa_type=sa.BigInteger)
    paid_in: str = Field(default="", sa_column_kwargs={"server_default": ""})
    failed: bool = False
    result: str = ""
    addresses_json: str = "[]"
    told: bool = False
    created_at: float
    sent_at: float | None = None
    ended_at: float | None = None
    lease_until: float | None = None
