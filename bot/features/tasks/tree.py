"""Render the tree of agents as lines of text, in less detail if it does not fit (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot import texts
from bot.discord.formatting import cut, plain
from bot.features.tasks.doing import now_text
from bot.features.tasks.waiting import Waiting
from engine.queries import AgentView

DOING = 110
"""Characters of what an agent does."""


@dataclass(frozen=True, slots=True)
class Detail:
    """The detail of a tree: heads down to `depth`, members named or counted, current work shown or not."""

    depth: int
    members: bool
    doing: bool


LADDER = (
    Detail(99, True, True),
    Detail(99, True, False),
    Detail(99, False, True),
    Detail(99, False, False),
    Detail(2, False, False),
    Detail(1, False, False),
)


class _Tree:
    def __init__(self, agents: Sequence[AgentView], waiting: Waiting, model: str, ended: bool) -> None:
        self.waiting, self.model, self.ended = waiting, model, ended
        self.there = [a for a in agents if a.state != "dismissed"]
        self.roots = [a for a in self.there if a.head_id is None]
        self.under: dict[int, list[AgentView]] = {}
        known = {a.id for a in self.there}
        for agent in self.there:
            if agent.head_id is not None:
                head = agent.head_id if agent.head_id in known else self.roots[0].id
                self.under.setdefault(head, []).append(agent)

    def below(self, agent: AgentView) -> Iterator[AgentView]:
        """Everyone under an agent, at any depth."""
        for child in self.under.get(agent.id, []):
            yield child
            yield from self.below(child)

    def lines(self, agent: AgentView, detail: Detail, indent: str = "") -> Iterator[str]:
        """The agent's line, with whoever is folded away under it counted, and those of whoever is not."""
        children = self.under.get(agent.id, [])
        if agent.depth >= detail.depth:
            shown, folded = [], list(self.below(agent))
        else:
            shown = [c for c in children if detail.members or c.id in self.under]
            folded = [c for c in children if c not in shown]
        yield indent + _line(agent, detail.doing, self) + _counted(folded, self.ended)
        for child in shown:
            yield from self.lines(child, detail, indent + "  ")


def _line(agent: AgentView, doing: bool, tree: _Tree) -> str:
    mark = texts.ENDED_MARK if tree.ended else texts.WORKING.get(agent.state, "⚪")
    now = tree.waiting.line_of(agent.id) if agent.state == "working" else ""
    name = f"{mark} **{plain(agent.name, 40)}**"
    if agent.model and agent.model != tree.model:
        name += f" {texts.MODEL_USED.format(model=plain(agent.model, 40))}"
    if now:
        return f"{name} · {now}" if doing else name
    what = now_text(agent) or plain(agent.title, DOING)
    said = agent.name.casefold().startswith(what.casefold())  # as of Boss and Auditor 2
    tail = f" · {cut(what, DOING)}" if doing and not said else ""
    return f"{name}{tail}{_since(agent) if doing else ''}"


def _since(agent: AgentView) -> str:
    """Say since when an agent thinks about its next step; Discord keeps the time current without an edit."""
    if agent.state != "working" or not agent.last_active_at:
        return ""
    since = texts.LAST_STEP if agent.steps else texts.BEGAN
    return f" · {since.format(at=int(agent.last_active_at))}"


def _counted(agents: list[AgentView], ended: bool) -> str:
    if not agents:
        return ""
    states = Counter(agent.state for agent in agents)
    shown = [words.format(count=states[state]) for state, words in texts.STATES.items() if states[state]]
    return f" · with {len(agents)}" + ("" if ended else f": {', '.join(shown)}")


def tree_text(
    agents: Sequence[AgentView],
    limit: int = 1850,
    lines: int = 30,
    waiting: Waiting | None = None,
    model: str = "",
    ended: bool = False,
) -> str:
    """The tree in at most `limit` characters and `lines` lines, in the fullest detail that fits.

    `waiting`: what the agents write at this moment. `model`: the task's, "" for the usual ones; agents with
    another one show theirs. `ended`: nobody works and nobody waits any more.
    """
    tree = _Tree(agents, waiting or Waiting(), model, ended)
    roots = tree.roots
    if len(tree.there) <= 1:
        return "\n".join(_line(root, True, tree) for root in roots) + f"\n-# {texts.NOBODY_YET}"
    drawn: list[str] = []
    for detail in LADDER:
        drawn = [_quoted(line) for root in roots for line in tree.lines(root, detail)]
        if len(drawn) <= lines and len("\n".join(drawn)) <= limit:
            return "\n".join(drawn)
    return _first(drawn, limit, lines)


def _quoted(line: str) -> str:
    """Indent with em spaces, because Discord drops leading spaces."""
    bare = line.lstrip(" ")
    return "\u2003" * ((len(line) - len(bare)) // 2) + bare


def _first(drawn: list[str], limit: int, lines: int) -> str:
    kept: list[str] = []
    for line in drawn[: lines - 1]:
        if len("\n".join([*kept, line])) > limit - len(texts.TREE_MORE):
            break
        kept.append(line)
    return cut("\n".join([*kept, texts.TREE_MORE.format(count=len(drawn) - len(kept))]), limit)
