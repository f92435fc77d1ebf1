"""The live card of a task: one LayoutView, within 40 components and 4,000 characters of text (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import discord

from bot import texts
from bot.discord.formatting import bar, bare, cut, dollars, many, money_used, plain, span
from bot.features.tasks.buttons import TaskButton
from bot.features.tasks.questions import OpenQuestion, question_lines
from bot.features.tasks.tree import tree_text
from bot.features.tasks.waiting import Waiting
from engine.events import TaskState
from engine.queries import AgentView, Spend, TaskView

COLOUR: dict[TaskState, int] = {
    "running": 0x3BA55D,
    "paused": 0xFAA61A,
    "done": 0x5865F2,
    "stopped": 0x747F8D,
    "failed": 0xED4245,
}
LIVE = frozenset({"running", "paused"})
TREE, TODO_SHOWN = 1800, 8
"""Characters of the tree and the boss's list together, and most items of the list."""
TEXT = 4_000
"""Characters of all texts of a card (Discord's rule); the tree takes what the others leave."""


@dataclass(frozen=True, slots=True)
class CardModel:
    """The content of a card; equal models produce equal cards."""

    task: TaskView
    agents: tuple[AgentView, ...]
    lines: tuple[str, ...]
    no_room: bool = False
    waiting: Waiting = field(default_factory=Waiting)
    questions: tuple[OpenQuestion, ...] = ()
    usual_model: str = ""

    def without_words(self) -> CardModel:
        """Return the card without what people and agents wrote: Discord's filters do not take that."""
        task = replace(self.task, goal=texts.CARD_WORDS_REFUSED, title="", reason="", report="")
        return replace(self, task=task, agents=(), lines=(), questions=())


def card_view(model: CardModel) -> discord.ui.LayoutView:
    """The card; its buttons work after a restart."""
    view = discord.ui.LayoutView(timeout=None)
    box: discord.ui.Container[discord.ui.LayoutView] = discord.ui.Container(
        accent_colour=discord.Colour(COLOUR[model.task.state])
    )
    for index, text in enumerate(_blocks(model)):
        if index:
            box.add_item(discord.ui.Separator())
        box.add_item(discord.ui.TextDisplay(text))
    for row in _rows(model.task):
        box.add_item(discord.ui.ActionRow(*row))
    view.add_item(box)
    return view


def digest(view: discord.ui.LayoutView) -> str:
    """Return a digest of the card's content, so that it is edited only on change."""
    drawn = json.dumps(_components(view), sort_keys=True, default=str)
    return hashlib.sha256(drawn.encode()).hexdigest()[:16]


def _components(view: discord.ui.LayoutView) -> Any:
    return view.to_components()  # type: ignore[no-untyped-call]


def _blocks(model: CardModel) -> list[str]:
    ended = model.task.state not in LIVE
    agents = [at_rest(agent) for agent in model.agents] if ended else model.agents
    head = _head(model.task)
    if model.no_room:
        head += f"\n{texts.DISK_FULL}"
    over = model.task.state == "done" and model.task.basis != "unfinished"
    todo = "" if over else _checklist(model)
    waiting = Waiting() if ended else model.waiting
    numbers = "\n".join(part for part in (_numbers(model), waiting.usual) if part)
    log = cut("\n".join(f"-# {line}" for line in model.lines), 700)
    room = min(TREE, TEXT - len(head) - len(numbers) - len(log)) - len(todo)
    tree = tree_text(agents, room, waiting=waiting, model=model.task.model, ended=ended)
    return [part for part in (head, numbers, todo, tree, log) if part]


def at_rest(agent: AgentView) -> AgentView:
    """Return an agent of a task that has ended, which does nothing and waits for nothing."""
    return replace(agent, doing=(), waits_for=(), is_at_cap=False)


def _checklist(model: CardModel) -> str:
    """Return the boss's own list as it ticks, "" while it has none."""
    boss = next((agent for agent in model.agents if agent.id == model.task.boss_id), None)
    items = boss.todo if boss is not None else ()
    lines = [f"{texts.TODO.get(status, '☐')} {bare(text, 70)}" for text, status in items[:TODO_SHOWN]]
    if len(items) > TODO_SHOWN:
        lines.append(texts.TODO_MORE.format(count=len(items) - TODO_SHOWN))
    return "\n".join(lines)


def state_of(task: TaskView) -> str:
    """Return a task's state in words; one that ended without what the goal plainly asks for is not done."""
    return texts.UNFINISHED if task.basis == "unfinished" else texts.STATE[task.state]


def _head(task: TaskView) -> str:
    state = state_of(task)
    if task.state == "done" and task.basis != "unfinished":
        state += f" · {texts.VERIFIED if task.verified else texts.UNVERIFIED}"
    recorded = f"\n{texts.DEMONSTRATION}" if task.demonstration else ""
    reason = f"\n-# {plain(task.reason, 150)}" if task.reason else ""
    said = task.report.partition("\n\n")[0] if task.state not in LIVE else ""
    report = f"\n{bare(said, 500)}" if said else ""
    title = f"\n**{plain(task.title, 60)}**" if task.title and task.title != task.goal else ""
    return f"## Task #{task.id} · {state}{title}\n> {bare(task.goal, 300)}{recorded}{reason}{report}"


def cost_text(spend: Spend) -> str:
    """Return what was spent; what no known price was counted for is never shown as nothing."""
    if spend.priced:
        return dollars(spend.cost_micros)
    return (
        texts.COST_CEILING.format(cost=dollars(spend.cost_micros))
        if spend.cost_micros
        else texts.COST_UNKNOWN
    )


def _numbers(model: CardModel) -> str:
    task = model.task
    progress = (
        f"`{bar(task.accepted, task.assignments)}` {task.accepted} of {task.assignments} assignments done"
    )
    lines = [
        *([progress] if task.assignments else []),
        (texts.AT_WORK if task.state in LIVE else texts.AT_REST).format(
            agents=many(task.agents, "agent"),
            working=task.working,
            waiting=max(0, task.agents - task.working),
            files=many(task.files, "file"),
        ),
        *_spending(task),
        _time(task),
    ]
    named = task.model or model.usual_model
    if named and not task.demonstration:
        lines.append(texts.MODEL_USED.format(model=plain(named, 60)))
    return "\n".join([*lines, *question_lines(model.questions)])


def _spending(task: TaskView) -> Sequence[str]:
    """Return what was spent and used: on one line, or on two where it must be said how money is counted."""
    if task.demonstration:
        return ()  # its own line says that it costs nothing
    spend = task.spend
    spent, cap = money_used(spend.cost_micros, task.limits.cost_micros or 0)
    used = spend.prompt_tokens + spend.completion_tokens
    tokens = texts.TOKENS_USED.format(used=used, cap=task.limits.tokens or 0)
    if not spend.priced and spend.cost_micros:
        return texts.MONEY_CEILING.format(spent=spent, cap=cap), tokens
    money = texts.MONEY_USED.format(spent=spent if spend.priced else cost_text(spend), cap=cap)
    return (f"{money} · {tokens}",)


def _time(task: TaskView) -> str:
    """Return since when a task runs; of one that ended, how long it took."""
    if task.ended_at is not None:
        took = texts.TOOK if task.continued_at is None else texts.TOOK_CONTINUED
        return took.format(span=span(task.ended_at - (task.continued_at or task.created_at)))
    expected = texts.EXPECTED.format(minutes=task.plan_minutes) if task.plan_minutes else ""
    began = int(task.continued_at or task.created_at)
    return texts.SINCE.format(at=began, expected=expected, minutes=task.limits.minutes)


def _rows(task: TaskView) -> Sequence[Sequence[TaskButton]]:
    look = [TaskButton(task.id, verb) for verb in ("picture", "timeline", "files")]
    if task.state not in LIVE:
        return [look] if task.demonstration else [[TaskButton(task.id, "continue")], look]
    first = "pause" if task.state == "running" else "resume"
    steer = [TaskButton(task.id, verb) for verb in (first, "stop", "follow", "cap")]
    return [steer, look]
