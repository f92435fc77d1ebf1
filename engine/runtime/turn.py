"""One turn of an agent: load, call the model, act, commit, until the model calls no tool."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count, product
from secrets import token_hex
from typing import Any, get_args

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from engine.budget.caps import at_cap
from engine.budget.settlement import spend_cut, spend_dropped, spend_lost, spend_stopped
from engine.connectors.connectors import Connectors
from engine.domain.effects import CountRefusal, Effect, GiveUp, Notice, StepOutcome
from engine.domain.models import DEMONSTRATION
from engine.domain.prompt import compose
from engine.domain.state import ModelState, StepFacts, Turn
from engine.errors import (
    Fenced,
    ModelBadAnswer,
    ModelError,
    ModelNeedsPerson,
    ModelRefused,
    ModelTooLong,
    ModelUnavailable,
    Stale,
    StorageFull,
)
from engine.llm.demonstration import RecordedModel
from engine.llm.local.policy import offer_of
from engine.ports import (
    AgentRole,
    ChatAnswer,
    ChatModel,
    Clock,
    Database,
    Dispatcher,
    Embedder,
    Packages,
    Sandbox,
    ToolSpec,
    Usage,
    Wake,
    Workspace,
)
from engine.runtime.cut_off import CutOff, ModelCalls, NoRoom, NotAsked
from engine.runtime.refusing import Place, Refusing
from engine.runtime.room import Behind, Room
from engine.steps.act import act, note_record, nothing_done, rest_answer
from engine.steps.commit import Committed, InboxChanged, commit_step
from engine.steps.load import MAX_INBOX_MESSAGES, CallLost, CallNames, CapHit, load_turn
from engine.store.driver_errors import is_disconnect
from engine.store.gates import answers_to
from engine.store.refusals import Lane, cause_of, refused_so_far, still_refuses
from engine.tools import ToolContext, ToolOptions, outside_specs, specs_for
from engine.tools.run_results import RunResults
from engine.tools.sessions import Sessions

log = logging.getLogger(__name__)

ROLES: tuple[AgentRole, ...] = get_args(AgentRole)
STALE_TRIES = 12
OUTAGES_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Waits for a database that is away while an answer is acted on; then the turn fails and is tried again."""
RETRY_S = 5.0
CAP_RETRY_S, ROOM_KEPT_S = 1.0, 5.0
"""Seconds between attempts to reserve, and for which an attempt keeps those below from what becomes free."""

DEMO_APPROVAL_OVER = 3
"""In a demonstration: agents over which a plan is approved."""

LIKELY_ANSWER = 1_000
"""Tokens of the answer that a cancelled call is booked with."""

MAX_TOO_LONG = 5
MAX_REFUSALS = 2
"""Refusals in a row for a reason other than length, after which the agent gives up. Where nobody knows the
reason no more are asked for in the whole task until the model answers: what cannot heal is asked twice."""


@dataclass(frozen=True, slots=True)
class EngineParts:
    """The adapters a turn works with."""

    db: Database
    model: ChatModel
    workspace: Workspace
    sandbox: Sandbox
    clock: Clock
    embedder: Embedder | None = None
    outside: Connectors | None = None
    packages: Packages | None = None


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """Options of turns. `demo_pace` multiplies the recorded waits of a demonstration, 0 for none.

    `history_tokens`: tokens of an agent's past steps that are replayed verbatim; `room`: the same by role,
    from what is known of its model now. `lane`: which roles ask the same model at the same endpoint, by role
    and the model a task names. `inbox_limit`: messages read at once. `narrow_answer`: tokens of an
    answer when the budget has no room for a longer one. `small`: a small model, which is offered only the
    tools that fit at the moment (`engine.llm.local.policy`).
    """

    history_tokens: int = 16_000
    tools: ToolOptions = field(default_factory=ToolOptions)
    inbox_limit: int = MAX_INBOX_MESSAGES
    small: bool = False
    narrow_answer: int = 4_096
    room: Callable[[AgentRole], int] | None = None
    lane: Callable[[AgentRole, str], Lane] = lambda _role, _model: Lane("", ROLES)
    demo_pace: float = 1.0


class TurnRunner:
    """Runs turns. `after_commit(task_id, committed)` is called after every commit, outside any
    transaction."""

    def __init__(
        self,
        parts: EngineParts,
        options: TurnOptions,
        after_commit: Callable[[int, Committed], None],
        dispatcher: Dispatcher,
    ) -> None:
        self._parts, self._options, self._after, self._dispatcher = parts, options, after_commit, dispatcher
        self._draining = False
        self._sessions, self._results = Sessions(), RunResults()
        self._calls = ModelCalls(parts.db, parts.clock)
        self._names = _Names()
        self._refusing = Refusing()
        self._room = Room()
        for role in ROLES:
            # Made at the start: their schemas take tens of milliseconds, and prompts are composed while
            # the store's writer waits.
            names = ("leads", "may_lead", "attended", "recalls", "talks")
            for values in product((True, False), repeat=len(names)):
                self._specs(role, **dict(zip(names, values, strict=True)))

    def _specs(self, role: AgentRole, **now: Any) -> tuple[ToolSpec, ...]:
        status = self._parts.sandbox.status()
        return specs_for(
            role,
            small=self._options.small,
            packages=status.packages,
            installs=self._installs,
            runs=status.available,
            **now,
        )

    @property
    def _installs(self) -> bool:
        """Return whether agents may ask for packages."""
        return self._parts.packages is not None and self._options.tools.packages.on

    def drain(self) -> None:
        """Let each turn end at its next commit; the agent continues wherever it is woken next."""
        self._draining = True

    async def run_turn(self, agent_id: int) -> None:
        """Run steps of one agent until its turn ends and its inbox is empty, or it may not run."""
        try:
            while await self._step(agent_id):
                pass
        finally:
            await self._end_programs(agent_id)

    async def _end_programs(self, agent_id: int) -> None:
        self._results.forget(agent_id)
        await self._sessions.close(agent_id)

    def _compose(self, facts: StepFacts, most_answer: int | None = None) -> Turn:
        self._room.check(facts.agent, self._parts.clock.now())
        if facts.task.model == DEMONSTRATION:
            # Which answers were given is read from the past steps, so they are never summarised.
            return compose(facts, (), sys.maxsize, self._model(facts).quote)
        # Each time an endpoint finds the prompt too long, the replayed history is halved.
        options, small = self._options, self._options.small
        room = options.room(facts.agent.role) if options.room else options.history_tokens
        allowance = min(options.history_tokens, room) >> facts.agent.model.too_long
        offer = offer_of(facts) if small else None
        agent = facts.agent
        tools = self._specs(
            agent.role,
            leads=facts.task.agents > 1 if agent.role == "boss" else agent.leads,
            may_lead=agent.depth < facts.task.max_depth,
            attended=facts.task.attended,
            recalls=facts.upto > 0,
            talks=facts.upto > 0 or facts.kept_open,
            outside=() if small else outside_specs(self._parts.outside, agent.role, facts.task.space),
        )
        return compose(facts, tools, allowance, self._parts.model.quote, offer, most_answer)

    async def _step(self, agent_id: int) -> bool:
        parts = self._parts
        if parts.outside is not None:
            await parts.outside.settled()
            await parts.outside.settle_untold(agent_id)
        loaded = self._refusing.number()
        try:
            turn = await self._load(agent_id)
        except CapHit as hit:
            return await self._at_cap(hit)
        except Behind:
            await parts.clock.sleep(CAP_RETRY_S)
            return True
        self._room.is_over(agent_id)
        if turn is None:
            return False
        if parts.db.trouble:  # what the answer leads to could not be kept, and would be paid for twice
            raise StorageFull(parts.db.trouble)
        started = parts.clock.now()
        try:
            answer = await self._answer(turn, loaded)
        except ModelRefused as error:
            # Nothing may be awaited before this: the refusal has made room for the next call already.
            with self._refusing.about(self._place(turn)) if _is_unknown(error) else nullcontext():
                return await self._refused(turn, error, started)
        except (CutOff, NoRoom, Fenced, ModelError) as error:
            return await self._unanswered(turn, error)
        try:
            return await self._act_and_commit(turn, answer, started)
        except asyncio.CancelledError:  # the process stops
            now = parts.clock.now()
            await parts.db.write(lambda c: spend_stopped(c, turn, answer, now))
            raise
        except StorageFull:
            parts.db.report_full()
            raise

    async def _answer(self, turn: Turn, loaded: int) -> ChatAnswer:
        """Return the answer of a step; `loaded`: the number of its load. The rest of one was paid for, and
        needs no model."""
        given = rest_answer(turn.rest) if turn.rest else turn.made
        if given is not None:
            return given
        if turn.facts.task.refusals >= MAX_REFUSALS and await self._still_refuses(turn):
            raise NotAsked
        self._refusing.reopen(self._place(turn), loaded)  # it answered, or somebody has it asked again
        try:
            return await self._ask(turn)
        except ModelBadAnswer as error:
            return _charged(ChatAnswer("", cost_micros=0, trouble=str(error)), error)

    async def _ask(self, turn: Turn) -> ChatAnswer:
        """Return the model's answer. How far it is is written down meanwhile, and what it may cost."""
        model, agent_id, place = self._model(turn.facts), turn.facts.agent.id, self._place(turn)
        call = self._calls.of(turn, lambda: place in self._refusing, partial(self._refusing.settled, place))
        request = replace(turn.request, heard=call.heard, meter=call)
        self._names.sent(agent_id)
        try:
            answer = await self._calls.make(call, lambda: model.complete(request))
        except asyncio.CancelledError:  # the process stops
            await self._settle_cut(turn, CutOff(sent=call.at_stake))
            raise
        except BaseException:
            if not call.at_stake:
                self._names.ended(agent_id, turn.call)
            raise
        self._refusing.reopen(place)
        return answer

    def _model(self, facts: StepFacts) -> ChatModel:
        """Return the model of a step: the recording in a demonstration."""
        parts = self._parts
        if facts.task.model != DEMONSTRATION:
            return parts.model
        agent_id = facts.agent.id
        return RecordedModel(
            facts,
            lambda: parts.db.read(lambda c: answers_to(c, agent_id)),
            parts.clock,
            self._options.demo_pace,
        )

    def _tools(self, facts: StepFacts) -> ToolOptions:
        """Return the options of a step's tools: a demonstration shows a plan, a question and an audit."""
        options = self._options.tools
        if facts.task.model != DEMONSTRATION:
            return options
        return replace(
            options,
            plan_approval_over=DEMO_APPROVAL_OVER,
            audit_rounds=1,
            by_runs=False,
        )

    async def look(self) -> None:
        """Cancel the model calls of agents that were paused, dismissed or replaced, or whose task ended."""
        await self._calls.look()

    async def stop(self) -> None:
        """Look at running calls no more; the dispatcher has ended all turns."""
        await self._calls.stop()

    async def _unanswered(self, turn: Turn, error: CutOff | NoRoom | Fenced | ModelError) -> bool:
        """Settle a cancelled call, ask about a cap, or wait until the model may be asked again. Return
        whether the agent tries again."""
        agent_id = turn.facts.agent.id
        if isinstance(error, NoRoom):
            self._names.ended(agent_id, turn.call)
            await self._at_cap(CapHit(turn.facts.task.id, turn.facts.agent, turn.held))
            return True  # to release what it holds, where it may not go on
        if isinstance(error, Fenced):
            return False
        if isinstance(error, CutOff):
            await self._settle_cut(turn, error)
            return True  # whoever resumed a paused agent meanwhile may have found it still at work
        if error.free or isinstance(error, ModelUnavailable | ModelNeedsPerson):
            # Other errors, of a model without an admission, count by the estimate when it is loaded next.
            self._names.ended(agent_id, turn.call)
        log.warning("agent %s waits: %s", agent_id, error)
        await self._parts.clock.sleep(min(getattr(error, "retry_after_s", None) or RETRY_S, 60.0))
        return True

    async def _settle_cut(self, turn: Turn, cut: CutOff) -> None:
        """Book a cancelled call by an estimate with an answer of usual length: nobody tells what it cost."""
        log.info("the model call of agent %s was cancelled", turn.facts.agent.id)
        likely = replace(turn.request, max_tokens=LIKELY_ANSWER)
        quote = self._model(turn.facts).quote(likely) if cut.sent else None
        now = self._parts.clock.now()
        await self._parts.db.write(lambda c: spend_cut(c, turn, quote, now))

    async def _load(self, agent_id: int) -> Turn | None:
        """Return the next step with its spending reserved, near a cap with room for a short answer only."""
        calls = self._names.of(agent_id)
        try:
            turn = await self._loaded(agent_id, calls)
        except CallLost as lost:
            log.warning("agent %s: a call of a process that has gone is booked by its estimate", agent_id)
            name, now = lost.call, self._parts.clock.now()
            # On its own: what is reserved next may not fit.
            await self._parts.db.write(lambda c: spend_lost(c, agent_id, name, now))
            turn = await self._loaded(agent_id, calls)
        self._names.ended(agent_id, turn.call if turn else "")
        return turn

    async def _loaded(self, agent_id: int, calls: CallNames) -> Turn | None:
        db, limit, now = self._parts.db, self._options.inbox_limit, self._parts.clock.now()
        try:
            return await db.write(
                lambda c: load_turn(c, agent_id, self._compose, now, limit, calls), durable=False
            )
        except CapHit:
            short = partial(self._compose, most_answer=self._options.narrow_answer)
        return await db.write(lambda c: load_turn(c, agent_id, short, now, limit, calls), durable=False)

    async def _at_cap(self, hit: CapHit) -> bool:
        """Wait for running calls to settle when that may make room, else ask about the cap.

        Return whether the agent tries again.
        """
        now, need, me = self._parts.clock.now(), hit.need, hit.agent_id

        def work(connection: Connection) -> tuple[bool, bool, tuple[Wake, ...]]:
            may_fit, wakes = at_cap(connection, hit.task_id, me, need, now)
            others = tuple(wake for wake in wakes if wake.agent_id != me)
            left = tuple(self._dispatcher.enlist(connection, others))
            return may_fit, len(others) < len(wakes), left

        may_fit, goes_on, left = await self._parts.db.write(work)
        self._after(hit.task_id, Committed(left, may_fit))
        if may_fit:
            self._room.waits(hit.agent, now + ROOM_KEPT_S)
            await self._parts.clock.sleep(CAP_RETRY_S)
        else:
            self._room.is_over(me)
        # An agent that was woken itself (to wrap up) continues here.
        return may_fit or goes_on

    async def _act_and_commit(self, turn: Turn, answer: ChatAnswer, started: float) -> bool:
        """Act and commit; act again on the same answer when others committed first, or the database was away
        for less than a minute."""
        outages = iter(OUTAGES_S)
        for attempt in range(STALE_TRIES):
            try:
                outcome = await self._act_when_reachable(turn, answer, started, outages, careful=attempt > 0)
                return await self._commit(turn, outcome)
            except InboxChanged:
                now = self._parts.clock.now()
                await self._parts.db.write(partial(spend_dropped, turn=turn, answer=answer, now=now))
                self._names.ended(turn.facts.agent.id, turn.call)
                return True
            except (Stale, IntegrityError) as stale:
                log.debug("agent %s acts again: %s", turn.facts.agent.id, stale)
                await asyncio.sleep(0.002 * attempt)
            except Fenced:
                log.info("agent %s was taken over; this step is dropped", turn.facts.agent.id)
                now = self._parts.clock.now()
                await self._parts.db.write(partial(spend_dropped, turn=turn, answer=answer, now=now))
                return False
        log.warning("agent %s: others kept committing first; its answer is dropped", turn.facts.agent.id)
        return await self._commit_or_leave(turn, nothing_done(turn, answer, started, self._parts.clock.now()))

    async def _act_when_reachable(
        self, turn: Turn, answer: ChatAnswer, started: float, outages: Iterator[float], *, careful: bool
    ) -> StepOutcome:
        """Return what the answer comes to; wait for `outages` while the database cannot be reached.

        Not for the commit: one whose response was lost may have happened, which the next load finds out.
        """
        while True:
            context = ToolContext(
                facts=turn.facts,
                db=self._parts.db,
                workspace=self._parts.workspace,
                sandbox=self._parts.sandbox,
                options=self._tools(turn.facts),
                embedder=self._parts.embedder,
                held=turn.held,
                sessions=self._sessions,
                outside=self._parts.outside,
                packages=self._parts.packages,
                results=self._results,
                upto=turn.upto,
                now=self._parts.clock.now,
                careful=careful,
            )
            try:
                return await act(turn, answer, context, started, self._parts.clock)
            except Exception as error:
                wait = next(outages, None) if is_disconnect(error) else None
                if wait is None:
                    raise
                log.warning("agent %s: the database is away; acting again in %g s", turn.facts.agent.id, wait)
                await asyncio.sleep(wait)
                careful = True

    async def _commit(self, turn: Turn, outcome: StepOutcome) -> bool:
        now = self._parts.clock.now()
        enlist = self._dispatcher.enlist
        leave = self._draining or (outcome.ends_turn and self._dispatcher.crowded())
        committed = await self._parts.db.write(
            lambda c: commit_step(c, turn, outcome, now, enlist, leave=leave)
        )
        self._after(turn.facts.task.id, committed)
        if outcome.ends_turn:
            await self._end_programs(turn.facts.agent.id)
        return committed.again

    async def _refused(self, turn: Turn, error: ModelRefused, started: float) -> bool:
        """Handle a refused prompt: shorten it when it was too long, retry any other once; then the agent
        gives
        up and the reason is reported."""
        if isinstance(error, NotAsked) and not await self._still_refuses(turn):
            # Somebody wrote since the step was loaded: whoever gave up now would pass over their words.
            self._names.ended(turn.facts.agent.id, turn.call)
            return True
        state = _after_refusal(turn.facts.agent.model, error)
        ends = state.too_long >= MAX_TOO_LONG or state.refusals >= MAX_REFUSALS
        counted = _is_unknown(error)
        ends = (counted and await self._ends_by(turn, error)) or isinstance(error, NotAsked) or ends
        detail = f"the model refused: {error}"[:600]
        effects: tuple[Effect, ...] = (self._counting(turn, error),) if counted else ()
        effects += (Notice("refused", "reported", detail, True), GiveUp(detail)) if ends else ()
        spent = _charged(ChatAnswer("", cost_micros=0), error)
        outcome = StepOutcome(
            said="",
            calls=(note_record(turn.facts.step, error.tell),) if error.tell else (),
            effects=effects,
            ends_turn=ends,
            usage=spent.usage,
            cost_micros=spent.cost_micros,
            model=spent.model,
            guessed=spent.guessed,
            started_at=started,
            ended_at=self._parts.clock.now(),
            bad_answers=turn.facts.agent.bad_answers,
            last_calls=turn.facts.agent.last_calls,
            state=state,
            reads=False,
        )
        return await self._commit_or_leave(turn, outcome)

    async def _ends_by(self, turn: Turn, error: ModelRefused) -> bool:
        """Return whether an agent gives up over a refusal nobody knows: at the second in the task, and in a
        task that was answered before at the first where its head may decide. Calls that wait are not sent."""
        task_id, lane, cause = turn.facts.task.id, self._lane(turn), cause_of(str(error))
        known = await self._parts.db.read(lambda c: refused_so_far(c, task_id, lane, cause))
        if known.times + 1 >= MAX_REFUSALS:
            self._refusing.close(self._place(turn))
            return True
        return known.answered and turn.facts.agent.head_id is not None

    async def _still_refuses(self, turn: Turn) -> bool:
        task_id, lane = turn.facts.task.id, self._lane(turn)
        return await self._parts.db.read(lambda c: still_refuses(c, task_id, lane, MAX_REFUSALS))

    def _counting(self, turn: Turn, error: ModelRefused) -> CountRefusal:
        lane = self._lane(turn)
        return CountRefusal(lane.key, lane.roles, cause_of(str(error)))

    def _lane(self, turn: Turn) -> Lane:
        return self._options.lane(turn.facts.agent.role, turn.facts.task.model)

    def _place(self, turn: Turn) -> Place:
        return turn.facts.task.id, self._lane(turn).key

    async def _commit_or_leave(self, turn: Turn, outcome: StepOutcome) -> bool:
        try:
            return await self._commit(turn, outcome)
        except Fenced:
            return False
        except Stale:
            return True


class _Names:
    """Names of the model calls of this process, and by agent the last one that cost nothing or is booked."""

    def __init__(self) -> None:
        self._life, self._numbers = token_hex(8), count()
        self._ended: dict[int, str] = {}

    def of(self, agent_id: int) -> CallNames:
        """Return the names for the next call of an agent."""
        return CallNames(f"{self._life}.{next(self._numbers)}", self._ended.get(agent_id, ""))

    def sent(self, agent_id: int) -> None:
        """Note that the agent's call may cost something from now on."""
        self._ended.pop(agent_id, None)

    def ended(self, agent_id: int, call: str) -> None:
        """Note that an agent's call was not sent, cost nothing or is booked."""
        if call:
            self._ended[agent_id] = call
        else:
            self._ended.pop(agent_id, None)


def _charged(answer: ChatAnswer, error: ModelError) -> ChatAnswer:
    """Return the answer with what its endpoint counted for an answer that cannot be used."""
    charge = error.charge
    if charge is None:
        return answer
    usage = Usage(charge.prompt, charge.cached, charge.completion)
    return replace(
        answer, usage=usage, cost_micros=charge.cost_micros, model=charge.model, guessed=charge.guessed
    )


def _is_unknown(error: ModelRefused) -> bool:
    """Return whether nobody knows the reason of a refusal, so that asking again may be of no use."""
    return type(error) is ModelRefused and not error.tell


def _after_refusal(before: ModelState, error: ModelRefused) -> ModelState:
    if isinstance(error, ModelTooLong):
        return replace(before, too_long=before.too_long + 1)
    return replace(before, refusals=before.refusals + 1)
