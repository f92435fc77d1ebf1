"""What tasks, people and servers have spent is one sum wherever it is counted, whatever comes between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from bot.features.spend.totals import report_of
from engine import commands as c
from engine.budget.embeddings import BookedCall, book_embedding, settle_embedding
from engine.budget.settlement import spend_cut, spend_dropped, spend_lost, spend_unanswered
from engine.budget.tree import SubtreeCaps, set_budget
from engine.connectors.ledger import Begun, NewCall, begin, give_up
from engine.domain.prompt import compose
from engine.domain.state import Turn
from engine.errors import Charge, EngineError, Fenced, Refused
from engine.llm.scripted import ScriptedModel, say
from engine.ports import OutsideAnswer, Quote
from engine.steps.load import CallLost, CallNames, CapHit, load_turn
from engine.store.core import AGENTS, BUDGETS, MONTHS, SPENDING, TASKS
from engine.store.messages import add_system_message
from engine.store.spending import spending_of
from engine.tools import specs_for
from tests.contracts.test_isolation import Lab, lab
from tests.fakes.bystanders import NOW, Side
from tests.fakes.outside import tool

__all__ = ["lab"]

MODEL = ScriptedModel(lambda _request: say("x"))
SHOP = tool("buy", price_micros=7)
ACTORS = ("boss", "cy", "bob")
MONTH_S = 31 * 86_400.0


@dataclass
class Ledger:
    """The subject's tasks and what is under way in it."""

    lab: Lab
    side: Side
    now: float = NOW
    number: int = 0
    turns: dict[str, Turn] = field(default_factory=dict)
    embedded: list[BookedCall] = field(default_factory=list)
    bought: list[int] = field(default_factory=list)

    def write(self, work: Callable[[Connection], Any]) -> Any:
        """Carry out one transaction; what is refused changes nothing."""
        try:
            return self.lab.store.write_now(work)
        except (EngineError, Refused, CapHit, Fenced):
            return None

    def differences(self) -> dict[object, object]:
        """What each sum has beside the ledger: of the task, and of each month of the space and its people."""
        connection, side = self.lab.store.connection, self.side
        tokens = SPENDING.c.prompt_tokens + SPENDING.c.completion_tokens
        summed = (sa.func.coalesce(sa.func.sum(each), 0) for each in (SPENDING.c.cost_micros, tokens))
        ledger = sa.select(*summed).where(SPENDING.c.space == side.space)

        def beside(row: Any, *where: Any) -> tuple[int, int]:
            micros, used = connection.execute(ledger.where(*where)).one()
            return row.spent_micros - micros, row.spent_tokens - used

        root = sa.select(BUDGETS).where(BUDGETS.c.task_id == side.task, BUDGETS.c.parent_id.is_(None))
        found: dict[object, object] = {
            "task": beside(connection.execute(root).one(), SPENDING.c.task_id == side.task)
        }
        for row in connection.execute(sa.select(MONTHS).where(MONTHS.c.space == side.space)).all():
            during = (SPENDING.c.at >= int(row.begins_at), SPENDING.c.at < int(row.ends_at))
            mine = (SPENDING.c.by == row.by,) if row.by else ()
            found[row.id] = beside(row, *during, *mine)
        return found

    def shown(self) -> tuple[int, int]:
        """What `/spend` shows in all beside the task's budget."""
        report = report_of(self.lab.store.write_now(lambda db: spending_of(db, self.side.space, 0.0, None)))
        root = sa.select(BUDGETS).where(BUDGETS.c.task_id == self.side.task, BUDGETS.c.parent_id.is_(None))
        row = self.lab.store.connection.execute(root).one()
        return row.spent_micros - report.cost_micros, row.spent_tokens - report.tokens

    # ------------------------------------------------------------ what may come

    async def act(self, what: str, who: str, cost: int) -> None:
        """Do one of the things that are tried; `who` and `cost` where it has them."""
        self.number += 1
        self.lab.clock.at = self.now
        agent = self.side.agents[who]
        person = f"discord:{cost}"
        if what in COMMANDS:
            try:
                await self.lab.engine().handle(COMMANDS[what](self.side, agent, person))
            except EngineError:
                return  # refused in this state
        elif what == "month":
            self.now += MONTH_S
        else:
            getattr(self, f"_{what}")(who, agent, cost)

    def _call(self, who: str, agent: int, cost: int) -> None:
        """Load a step: its call is reserved and under way."""
        key, name = f"sums.{self.number}", f"call{self.number}"
        self.write(lambda db: add_system_message(db, self.side.task, agent, "Go on.", key, self.now))
        quote = Quote(1_000, 100 + cost)

        def composed(facts: Any) -> Turn:
            return compose(facts, specs_for(facts.agent.role), 16_000, lambda _: quote, None, None)

        try:
            turn = self.write(lambda db: load_turn(db, agent, composed, self.now, 100, CallNames(name)))
        except CallLost as lost:
            gone = lost.call
            self.write(lambda db: spend_lost(db, agent, gone, self.now))
            return
        if turn is not None:
            self.turns[who] = turn

    def _dropped(self, who: str, agent: int, cost: int) -> None:
        if (turn := self.turns.get(who)) is not None:
            answer = say("x")
            self.write(lambda db: spend_dropped(db, turn, answer, self.now))

    def _unanswered(self, who: str, agent: int, cost: int) -> None:
        charge = Charge("m", prompt=5, completion=3, cost_micros=cost) if cost % 2 else None
        if (turn := self.turns.get(who)) is not None:
            self.write(lambda db: spend_unanswered(db, turn, charge, self.now))

    def _cut(self, who: str, agent: int, cost: int) -> None:
        quote = Quote(50, cost) if cost % 2 else None
        if (turn := self.turns.pop(who, None)) is not None:
            self.write(lambda db: spend_cut(db, turn, quote, self.now))

    def _lost(self, who: str, agent: int, cost: int) -> None:
        if (turn := self.turns.pop(who, None)) is not None:
            self.write(lambda db: spend_lost(db, agent, turn.call, self.now))

    def _embed(self, who: str, agent: int, cost: int) -> None:
        booked = self.write(lambda db: book_embedding(db, agent, "v", Quote(20, cost), self.now))
        self.embedded += [booked] if booked else []

    def _embedded(self, who: str, agent: int, cost: int) -> None:
        if self.embedded:
            booked, price = self.embedded.pop(), Quote(9, cost // 2) if cost % 2 else None
            self.write(lambda db: settle_embedding(db, booked, price))

    def _buy(self, who: str, agent: int, cost: int) -> None:
        def buy(db: Connection) -> Any:
            fence = db.execute(sa.select(AGENTS.c.fence).where(AGENTS.c.id == agent)).scalar_one()
            key = f"buy.{self.number}"
            return begin(db, NewCall(self.side.task, agent, fence, 1, key, SHOP, key, "{}"), self.now)

        made = self.write(buy)
        self.bought += [made.id] if isinstance(made, Begun) else []

    def _refund(self, who: str, agent: int, cost: int) -> None:
        if self.bought:
            call = self.bought.pop()
            self.write(lambda db: give_up(db, call, "failed", OutsideAnswer("closed"), self.now))

    def _part(self, who: str, agent: int, cost: int) -> None:
        self.write(lambda db: set_budget(db, agent, SubtreeCaps(micros=10**6), self.now))


COMMANDS: dict[str, Callable[[Side, int, str], c.Command]] = {
    "stop": lambda side, agent, by: c.StopTask(side.task, by),
    "continue": lambda side, agent, by: c.ContinueTask(side.task, by, "Eve", c.Limits(cost_micros=10**6)),
    "dismiss": lambda side, agent, by: c.DismissAgent(agent, by),
    "replace": lambda side, agent, by: c.ReplaceAgent(agent, by),
    "pause": lambda side, agent, by: c.PauseAgent(agent, by),
    "resume": lambda side, agent, by: c.ResumeAgent(agent, by),
}
CALLS = (
    "call",
    "dropped",
    "unanswered",
    "cut",
    "lost",
    "embed",
    "embedded",
    "buy",
    "refund",
    "part",
    "month",
)
ACT = st.tuples(st.sampled_from((*COMMANDS, *CALLS)), st.sampled_from(ACTORS), st.integers(1, 9))


@settings(max_examples=12, deadline=None)
@given(st.lists(ACT, min_size=3, max_size=12))
@example([("call", "boss", 1), ("stop", "boss", 1), ("continue", "boss", 5), ("cut", "boss", 3)])
@example([("call", "boss", 1), ("month", "boss", 1), ("cut", "boss", 3)])
@example([("buy", "cy", 1), ("stop", "cy", 1), ("continue", "cy", 5), ("refund", "cy", 1)])
@example([("buy", "cy", 1), ("month", "cy", 1), ("call", "boss", 1), ("refund", "cy", 1)])
async def test_ledger_task_month_and_person_have_spent_the_same(
    lab: Lab, acts: list[tuple[str, str, int]]
) -> None:
    """In any order of calls, answers, losses, prices, refunds, commands and months."""
    ledger = Ledger(lab, lab.trio().subject)
    lab.store.write_now(lambda db: _quiet(db, ledger.side))
    before, shown = ledger.differences(), ledger.shown()
    for what, who, cost in acts:
        await ledger.act(what, who, cost)
        now = ledger.differences()
        assert now == {key: before.get(key, (0, 0)) for key in now}, (what, who, cost)
        assert ledger.shown() == shown


def _quiet(connection: Connection, side: Side) -> None:
    """Let nothing made up be held, and nothing stop an agent from going on."""
    mine = AGENTS.c.task_id == side.task
    connection.execute(AGENTS.update().where(mine).values(call="", status="active", refused=""))
    budgets = BUDGETS.update().where(BUDGETS.c.task_id == side.task)
    connection.execute(budgets.values(frozen=False, cap_micros=10**9, cap_tokens=10**9))
    connection.execute(TASKS.update().where(TASKS.c.id == side.task).values(state="running"))
