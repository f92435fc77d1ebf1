"""Render events as posts (pure). Personas ask, submit, judge and report; the bot says what is nobody's.

What an agent did between its words is told in small print under the next ones (`bot.outbox.acts`). What a
person would not miss is not posted at all: the log and *Inspect* have it.
Agents' text never pings: what goes out carries allowed mentions of `pings` only, and those are filled for
an answer, a gate, the end and followers alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from difflib import SequenceMatcher
from itertools import takewhile, zip_longest
from typing import Any, Protocol

from bot import texts
from bot.discord.formatting import (
    bare,
    capitalised,
    cut,
    dollars,
    fenced,
    many,
    money_used,
    plain,
    without_previews,
)
from bot.discord.identities import guild_of, owner_id
from bot.notifications.followers import Followers, pings
from bot.notifications.gate_reminder import Asked, Watchers, reminder
from bot.notifications.month_budget import month_reached
from bot.notifications.repeat_pause import repeat_paused
from bot.outbox.acts import MOST, Act, ActKind, small_print
from bot.outbox.post import EmbedCard, Lane, Post
from bot.outbox.split import excerpt
from bot.outbox.tables import with_tables
from bot.personas.names import persona_name
from bot.texts import outbox as wording
from bot.texts import steering
from bot.texts.gates import question_text
from engine import events as ev
from engine.domain.clean import clean_text
from engine.domain.completeness import Missing
from engine.domain.outside import WEB, AskedCall, Source

LONGEST_TEXT = 100_000
QUESTION, EXPLAINED = 1600, 1100
"""Characters of a question, and of one under which its buttons are explained."""
QUOTE, ANSWERED = 80, 3
"""Characters of a person's words above their answer, and people who are quoted above one answer."""
UNHEEDED_SHOWN, END_SOURCES = 10, 15
NAME = 200
EDIT_SHOWN, EDIT_COMPARED = 12, 500
"""Lines of changed instructions that are shown, and of each text that are compared with the other's."""
PLAN_PEOPLE = 8
"""Faces on a plan: of the ten embeds of a message one is the plan and one its choices."""


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What rendering needs of a task; ids are Discord's, 0 when there is none.

    `owner_notified` is False for an owner who asked to be told nothing.
    """

    task_id: int
    guild_id: int
    owner_id: int
    root_group_id: int
    owner_notified: bool = True
    goal: str = ""
    demonstration: bool = False

    @property
    def notified_id(self) -> int:
        """Return the user id to mention for gates and the end, 0 for nobody."""
        return self.owner_id if self.owner_notified else 0


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """What rendering needs of an agent."""

    agent_id: int
    name: str
    persona: str
    leads: bool
    role: str = ""
    did: tuple[Act, ...] = ()
    group_id: int = 0


@dataclass(frozen=True, slots=True)
class QuotedMessage:
    """A person's message that is being answered."""

    user_id: int
    excerpt: str


class RenderContext(Protocol):
    """Everything known when an event is rendered."""

    def task(self, task_id: int) -> TaskInfo | None:
        """Return a task, None if it was not started on Discord."""

    def agent(self, agent_id: int) -> AgentInfo | None:
        """Return an agent, None if it is unknown."""

    def named(self, task_id: int, name: str) -> AgentInfo | None:
        """Return the agent with exactly this name, None if it is unknown."""

    def head(self, group_id: int) -> AgentInfo | None:
        """Return the agent that leads a group, None if it is unknown."""

    def asked(self, ref: str) -> QuotedMessage | None:
        """Return the message with this reference, None if it did not come through this bot."""

    def followers(self, task_id: int) -> Followers:
        """Return the followers of a task."""

    def watchers(self, guild_id: int) -> Watchers:
        """Return whom a server wants to be reminded of open gates."""

    def place_of(self, group_id: int) -> int:
        """Return the channel or thread of a group, 0 if it has none yet."""


def render(event: ev.Event, scene: RenderContext) -> tuple[Post, ...]:
    """The posts of an event, in order; () when it shows nothing."""
    event = replace(event, body=_cleaned(event.body))
    if isinstance(event.body, ev.RepeatPaused):
        post = repeat_paused(event.body, event.seq)
        return (replace(post, text=defused(post.text)),) if post is not None else ()
    if isinstance(event.body, ev.MonthBudgetReached):
        post = month_reached(event.body, event.seq, scene.watchers(guild_of(event.body.space) or 0))
        return (replace(post, text=defused(post.text)),) if post is not None else ()
    task = scene.task(event.body.task_id)
    if task is None:
        return ()
    make = _MAKERS.get(type(event.body))
    posts = make(event.body, _Frame(event.seq, task, scene)) if make is not None else []
    if task.demonstration:
        posts = _labelled(event.body, posts)
    return (*posts, *pings(event, task.root_group_id, task.owner_id, scene.followers))


def _labelled(body: ev.EventBody, posts: Sequence[Post]) -> list[Post]:
    """Return the posts of a demonstration; where it begins, asks, is judged and ends, they say what it is."""
    label = wording.DEMONSTRATION.get(type(body).__name__, "")
    if not label or not posts:
        return list(posts)
    return [replace(posts[0], text=f"{posts[0].text}\n{label}"), *posts[1:]]


def _cleaned(body: ev.EventBody) -> ev.EventBody:
    """The event with every text in it cleaned, before any mark of ours is put into one."""
    cleaned: ev.EventBody = _clean_value(body)
    return cleaned


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, tuple):
        return tuple(map(_clean_value, value))
    if is_dataclass(value) and not isinstance(value, type):  # the event, the choices of a gate
        return replace(
            value, **{each.name: _clean_value(getattr(value, each.name)) for each in fields(value)}
        )
    return value


@dataclass(frozen=True, slots=True)
class _Frame:
    """The event's number, its task, and what is known."""

    seq: int
    task: TaskInfo
    scene: RenderContext

    def note(self, text: str, group_id: int = 0, lane: Lane = Lane.CHATTER) -> Post:
        """A line in the bot's voice; in the root group's place when none is named."""
        group = group_id or self.task.root_group_id
        return Post(self.task.task_id, group, self.seq, "note", lane, defused(text[:LONGEST_TEXT]))

    def words(
        self, agent: AgentInfo | None, group_id: int, text: str, lane: Lane, acts: tuple[Act, ...] = ()
    ) -> Post:
        """An agent's words, under its own name and face, with what it did since its last ones and `acts`.

        In the bot's voice for an agent that is not known.
        """
        note = self.note(with_tables(text), group_id, lane)
        if agent is None:
            return note
        return replace(
            note,
            kind="say",
            persona=agent.persona,
            face=agent.name,
            agent_id=agent.agent_id,
            foot=small_print((*agent.did, *acts)),
        )


def defused(text: str) -> str:
    """Model's or person's text that cannot look like a mention of everyone or of a role, nor make Discord
    fetch what it links to."""
    text = without_previews(text)
    text = re.sub(r"@(everyone|here)\b", "@\u200b\\1", text, flags=re.IGNORECASE)
    return text.replace("<@&", "<@\u200b&")


def code(text: str, limit: int = 80) -> str:
    """Text inside inline code, on one line, that cannot end the code early."""
    return cut(" ".join(text.replace("`", "'").split()), limit)


def _spoke(body: ev.AgentSpoke, at: _Frame) -> list[Post]:
    agent = at.scene.agent(body.agent_id) or AgentInfo(body.agent_id, body.name, plain(body.name, 80), False)
    answered = tuple(a for ref in body.refs if (a := at.scene.asked(ref)) is not None)
    lane = (
        Lane.ANSWER if body.refs else Lane.STATUS if body.asks else Lane.HEAD if agent.leads else Lane.CHATTER
    )
    text = body.text.strip()
    if not text:
        return []
    if body.sources:
        text += f"\n{defused(wording.SOURCES.format(sources=source_names(body.sources)))}"
    said = replace(
        at.words(agent, body.group_id, text, lane),
        head=_answer_head(body.refs, at) if body.refs else _to_head(body.to),
        ref=body.refs[-1] if body.refs else "",
        silent=not body.refs,
        pings=tuple(dict.fromkeys(each.user_id for each in answered)),
    )
    return [_marked_as_question(said, at) if body.asks else said]


def _marked_as_question(said: Post, at: _Frame) -> Post:
    """An agent that waits for what a person says to its message: seen as a question, and pings as one."""
    owner = at.task.notified_id
    pings = said.pings or ((owner,) if owner else ())
    named = "".join(f"<@{each}> " for each in pings if f"<@{each}>" not in said.head)
    return replace(said, text=f"{named}{question_text('question', said.text)}", pings=pings, silent=False)


def _to_head(to: tuple[str, ...]) -> str:
    if not to:
        return ""
    names = ", ".join(wording.ADDRESSEES.get(name) or plain(name, 40) for name in to[:6])
    more = wording.AND_MORE.format(count=len(to) - 6) if len(to) > 6 else ""
    return wording.TO.format(names=names + more)


def _answer_head(refs: tuple[str, ...], at: _Frame) -> str:
    """Return a line for each person who is answered, with the newest of what they wrote."""
    newest: dict[int, str] = {}
    for ref in refs:
        asked = at.scene.asked(ref)
        newest[asked.user_id if asked else 0] = _answer_line(ref, asked, at)
    lines = list(newest.values())
    more = wording.ANSWER_MORE.format(count=len(lines) - ANSWERED) if len(lines) > ANSWERED else ""
    return "\n".join([*lines[-ANSWERED:], *([more] if more else [])])


def _answer_line(ref: str, asked: QuotedMessage | None, at: _Frame) -> str:
    link = f"https://discord.com/channels/{at.task.guild_id}/{ref.replace(':', '/')}"
    if asked is None:
        return wording.ANSWER_UNKNOWN.format(link=link)
    return wording.ANSWER.format(user=asked.user_id, excerpt=bare(asked.excerpt, QUOTE), link=link)


def _read(body: ev.MessageRead, at: _Frame) -> list[Post]:
    group = at.task.root_group_id
    return [Post(body.task_id, group, at.seq, "react", Lane.STATUS, "👀", ref=body.ref, eager=False)]


def _plan(body: ev.PlanProposed, at: _Frame) -> list[Post]:
    """The whole plan on one card; with the gate's buttons where it waits for approval."""
    people = _planned_people(body)
    more = len(body.team) - len(people)
    card = wording.PLAN_CARD.format(
        groups="\n".join(wording.PLAN_GROUP.format(group=plain(group, 120)) for group in body.groups[:20]),
        more=wording.PLAN_MORE.format(count=len(body.groups) - 20) if len(body.groups) > 20 else "",
        why=excerpt(defused("\n".join(text for text in (body.summary, body.worth) if text)), 1500),
        agents=many(body.agents, "agent"),
        tokens=body.tokens,
        cost=wording.PLAN_NOTHING if at.task.demonstration else _plan_cost(body),
        minutes=wording.PLAN_MINUTES.format(minutes=body.minutes) if body.minutes else "",
        left=_plan_beyond(body) + _plan_left(body),
    ) + (wording.PLAN_PEOPLE_MORE.format(count=more) if more else "")
    boss = at.scene.head(at.task.root_group_id)
    if body.gate_id is None:
        shown = at.words(boss, body.group_id, wording.PLAN, Lane.STATUS)
    else:
        shown = _asking(boss, question_text("plan", ""), body.group_id, body.gate_id, at)
    return [replace(shown, card=card, people=people)]


def _planned_people(body: ev.PlanProposed) -> tuple[EmbedCard, ...]:
    """Return those whom a plan means to recruit, under the names and faces that they will have."""
    names: list[str] = []
    cards = []
    for member in body.team[:PLAN_PEOPLE]:
        names.append(persona_name(member.name, taken=names))
        cards.append(EmbedCard(names[-1], member.name, bare(member.part, 150) or wording.PLAN_NO_PART))
    return tuple(cards)


def _plan_left(body: ev.PlanProposed) -> str:
    """What the month's budgets leave, "" where there is none."""
    left = _amounts(body.left_micros, body.left_tokens)
    return wording.PLAN_LEFT.format(left=left) if left else ""


def _plan_beyond(body: ev.PlanProposed) -> str:
    """What the task may still use, "" where that is enough."""
    room = _amounts(body.room_micros, body.room_tokens)
    return wording.PLAN_BEYOND.format(left=room) if room else ""


def _amounts(micros: int | None, tokens: int | None) -> str:
    money = "" if micros is None else dollars(micros)
    return ", ".join(part for part in (money, "" if tokens is None else f"{tokens:,} tokens") if part)


def _plan_cost(body: ev.PlanProposed) -> str:
    if not body.cost_micros:
        return wording.PLAN_NO_PRICE
    cost = dollars(body.cost_micros)
    return wording.PLAN_CEILING.format(cost=cost) if body.guessed else cost


def _joined(body: ev.AgentJoined, at: _Frame) -> list[Post]:
    """The boss's joining opens the first place; a successor is told of by nobody; of all others their head
    tells (`act_of`)."""
    if body.replaces:
        text = wording.SUCCEEDED.format(name=plain(body.name, NAME), old=plain(body.replaces, NAME))
        return [at.note(text, body.group_id)]
    agent = at.scene.agent(body.agent_id)
    opens = agent and agent.leads and body.group_id == at.task.root_group_id and body.leads_group_id is None
    return [_opening(body, at)] if opens else []


def _opening(body: ev.AgentJoined, at: _Frame) -> Post:
    """The first line in a task's first place: it makes the place, so that there is one to watch at once."""
    goal = bare(at.task.goal, QUOTE * 4)
    text = wording.OPENING.format(boss=plain(body.name, NAME), goal=goal)
    return replace(at.note(text, body.group_id, Lane.STATUS), agent_id=body.agent_id)


def _left(body: ev.AgentLeft, at: _Frame) -> list[Post]:
    agent = at.scene.agent(body.agent_id)
    if agent and agent.role == "auditor":
        return []  # its verdict says that it has judged
    text = wording.LEFT.format(name=plain(body.name, NAME), reason=plain(body.reason, NAME))
    return [at.note(text, body.group_id)]


def _changed(body: ev.AgentChanged, at: _Frame) -> list[Post]:
    """What changed and who made it; of new instructions the lines that differ."""
    text = steering.AGENT_CHANGED[body.change].format(
        name=plain(body.name, NAME),
        by=steering.BY.format(who=plain(body.by_name, NAME)) if body.by_name else "",
        below=steering.BELOW.format(count=many(body.below, "agent")) if body.below else "",
        after=plain(body.after, NAME) or steering.USUAL_MODEL,
    )
    if body.change == "edited":
        text += edited_lines(body.before, body.after)
    return [at.note(text, body.group_id, Lane.STATUS)]


def edited_lines(before: str, after: str) -> str:
    """Return the lines that differ between two texts, as small print; "" when there are none."""
    differing = _differing(before.splitlines(), after.splitlines())
    shown = [form.format(line=plain(line, 300)) for form, line in differing[:EDIT_SHOWN]]
    if len(differing) > EDIT_SHOWN:
        shown.append(steering.EDIT_MORE.format(count=len(differing) - EDIT_SHOWN))
    return steering.EDIT_LINES.format(lines="\n".join(shown)) if shown else ""


def _differing(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, str]]:
    """Return the lines that went and came, each with its form, a new line after the one in whose place it
    stands. Bounded: it runs inside the only transaction that may write."""
    first = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    old, new = old[first:], new[first:]
    parts = [("replace", 0, len(old), 0, len(new))]
    if max(len(old), len(new)) <= EDIT_COMPARED:
        parts = list(SequenceMatcher(None, old, new).get_opcodes())
    marked: list[tuple[str, str]] = []
    for how, old_from, old_to, new_from, new_to in parts:
        pairs = zip_longest(old[old_from:old_to], new[new_from:new_to]) if how != "equal" else ()
        for was, now in pairs:
            marked += [(steering.EDIT_REMOVED, was)] if was is not None else []
            marked += [(steering.EDIT_ADDED, now)] if now is not None else []
    return marked


def _task_named(body: ev.TaskNamed, at: _Frame) -> list[Post]:
    """The task's category and first channel get its title."""
    note = at.note(body.title, body.group_id, Lane.STATUS)
    return [replace(note, kind="rename", eager=False)]


def _task_continued(body: ev.TaskContinued, at: _Frame) -> list[Post]:
    person = owner_id(body.by)
    name = plain(body.by_name, NAME)
    caps = texts.caps(body.limits)
    text = steering.POST_CONTINUED.format(who=name or f"<@{person}>", caps=caps)
    if body.kept:
        one = body.kept == 1
        text += steering.POST_KEPT_ONE if one else steering.POST_KEPT.format(count=body.kept)
    return [at.note(text, body.group_id, Lane.STATUS)]


def _assignment(body: ev.AssignmentChanged, at: _Frame) -> list[Post]:
    """A submission and a review with words; the rest is an act of whoever did it (`act_of`)."""
    title = plain(body.title, NAME)
    if body.state == "amended":
        agent = at.scene.named(body.task_id, body.giver)
        text = steering.AMENDED.format(
            title=title, assignee=plain(body.assignee, NAME), why=plain(body.note, 300)
        )
        return [at.words(agent, body.group_id, text, Lane.HEAD)]
    if body.state == "submitted":
        agent, acts = at.scene.named(body.task_id, body.assignee), _check(body)
        text = wording.ASSIGNMENT["submitted"].format(title=title)
        said = body.said or body.note
    elif body.state in ("accepted", "rejected") and body.note:
        agent, acts, said = at.scene.named(body.task_id, body.giver), (), body.note
        text = wording.ASSIGNMENT[body.state].format(title=title, assignee=plain(body.assignee, NAME))
    else:
        return []
    return [at.words(agent, body.group_id, f"{text}\n{said.strip()}".strip(), Lane.HEAD, acts)]


def _check(body: ev.AssignmentChanged) -> tuple[Act, ...]:
    """The check of a submission: its run, with the tests that passed where a runner said so."""
    if not body.checked:
        return ()
    if body.checked == "tests":
        return (Act("passed", body.command, str(body.passed)),)
    return (Act("ran", body.command),)


def act_of(body: ev.EventBody, scene: RenderContext) -> tuple[int, Act] | None:
    """Return what an event shows an agent to have done, with the agent's id; None for anything else."""
    act: Act | None = None
    agent_id = 0
    match body:
        case ev.FileWritten():
            kinds: dict[str, ActKind] = {"merged": "merged", "deleted": "deleted"}
            agent_id, act = body.agent_id, Act(kinds.get(body.change, "wrote"), body.path)
        case ev.CodeRan():
            agent_id, act = body.agent_id, _run(body)
        case ev.OutsideCalled() if body.end != "unknown":
            agent_id, act = body.agent_id, _called(body)
        case ev.PackagesAdded():
            agent_id, act = body.agent_id, Act("packages", ", ".join(body.packages[:6]))
        case ev.AcceptedWorkChanged():
            agent_id, act = body.agent_id, Act("reopened", ", ".join(body.paths[:6]), body.title)
        case ev.GroupFormed() if body.parent_id is not None:
            agent_id, act = body.head_id, Act("led", body.name)
        case ev.AgentJoined() if body.role != "auditor" and not body.replaces:
            head = scene.head(body.group_id)
            agent_id = head.agent_id if head and head.agent_id != body.agent_id else 0
            act = Act("recruited", body.name, body.title)
        case ev.AssignmentChanged() if body.state in ("open", "accepted") and (
            not body.taken_from if body.state == "open" else not body.note
        ):
            giver = scene.named(body.task_id, body.giver)
            agent_id = giver.agent_id if giver else 0
            act = Act("gave" if body.state == "open" else "accepted", body.title, body.assignee)
    return (agent_id, act) if act is not None and agent_id else None


def _run(body: ev.CodeRan) -> Act:
    if body.ended == "closed" or (body.ended == "exit" and body.exit_code == 0):
        return Act("ran", body.command)
    ended = wording.RAN_ENDED.get(body.ended, body.ended)
    return Act(
        "failed",
        body.command,
        wording.RAN_EXIT.format(code=body.exit_code) if body.ended == "exit" else ended,
    )


def acts_alone(agent: AgentInfo, event: ev.Event) -> Post | None:
    """Return a line of its own for an agent that did much without a word; None below `acts.MOST`."""
    return acts_post(agent, event, agent.group_id) if len(agent.did) >= MOST else None


def acts_post(agent: AgentInfo, event: ev.Event, group_id: int) -> Post:
    """Return a line of its own for what an agent did, in the place of a group."""
    text = small_print(agent.did)
    post = Post(event.body.task_id, group_id, event.seq, "say", Lane.CHATTER, text)
    return replace(post, persona=agent.persona, face=agent.name, agent_id=agent.agent_id)


def _gate(body: ev.GateRaised, at: _Frame) -> list[Post]:
    if body.kind == "plan":
        return []  # the plan itself follows, and its card asks
    most = QUESTION if body.kind == "question" else EXPLAINED
    asks = body.kind in ("question", "audit", "tool", "packages", "action")
    agent = at.scene.agent(body.agent_id) if asks and body.agent_id is not None else None
    asked = question_text(body.kind, excerpt(body.question, most))
    text = asked if body.call is None else call_text(body.call)
    return [_asking(agent, text, body.group_id, body.gate_id, at)]


def call_text(call: AskedCall) -> str:
    """Return the call with all of its arguments; the outbox attaches what does not fit into messages."""
    head = wording.ACTION_ASKED.get(call.tool, "") if not call.server else ""
    head = head or wording.CALL_ASKED.format(tool=plain(call.tool, 100), server=plain(call.server, 100))
    why = wording.CALL_WHY.get(call.why, "")
    return "\n".join(part for part in (head, fenced(call.arguments, "json", LONGEST_TEXT), why) if part)


def _outside(body: ev.OutsideCalled, at: _Frame) -> list[Post]:
    """A call of which nobody knows whether it happened, and the web that is away; all others are acts of the
    agent (`act_of`)."""
    if body.server == WEB and body.end == "not_sent":
        return [at.note(wording.WEB_AWAY.format(tool=plain(body.tool, 60)), body.group_id, Lane.STATUS)]
    if body.end != "unknown":
        return []
    text = wording.CALL_UNKNOWN.format(
        name=plain(body.name, NAME),
        tool=plain(body.tool, 100),
        server=plain(body.server, 100),
        arguments=code(body.arguments, 200),
    )
    return [replace(at.note(text, body.group_id, Lane.STATUS), agent_id=body.agent_id)]


def _called(body: ev.OutsideCalled) -> Act:
    where = ", ".join(body.addresses[:3]) if body.end == "done" else wording.CALL_ENDED.get(body.end, "")
    return Act("called", f"{body.server}: {body.tool}", where)


def source_names(sources: Sequence[Source], most: int = 5) -> str:
    """Return the sources of a text on one line; addresses are shown and cannot be clicked."""
    names = [
        (wording.SOURCE_AT if one.address else wording.SOURCE).format(
            tool=plain(one.tool, 60), server=plain(one.server, 60), address=code(one.address, 150)
        )
        for one in sources[:most]
    ]
    more = wording.AND_MORE.format(count=len(sources) - most) if len(sources) > most else ""
    return ", ".join(names) + more


def _asking(agent: AgentInfo | None, text: str, group_id: int, gate_id: int, at: _Frame) -> Post:
    """Return a gate's post, which mentions the owner unless they turned notifications off."""
    owner = at.task.notified_id
    post = at.words(agent, group_id, f"<@{owner}> {text}" if owner else text, Lane.STATUS)
    pings = (owner,) if owner else ()
    return replace(post, kind="gate", silent=False, pings=pings, gate_id=gate_id)


def _reminded(body: ev.GateReminded, at: _Frame) -> list[Post]:
    where = Asked(at.task.guild_id, at.scene.place_of(body.group_id), at.task.notified_id)
    return [reminder(body, at.seq, where, at.scene.watchers(at.task.guild_id))]


def _gate_closed(body: ev.GateClosed, at: _Frame) -> list[Post]:
    """The answer stands at the question: its buttons go, and who answered what comes in their place."""
    note = at.note("", body.group_id, Lane.STATUS)
    return [replace(note, kind="close_gate", gate_id=body.gate_id)]


def _task_changed(body: ev.TaskChanged, at: _Frame) -> list[Post]:
    if body.state == "paused" and body.cause in ("cap", "month"):
        return []  # the gate that asks about the cap or the month's budget says so
    by = _person(body.by)
    if body.state == "paused":
        text = (
            wording.PAUSED_BY.format(who=by) if by else wording.PAUSED.format(reason=plain(body.reason, NAME))
        )
    else:
        text = wording.RESUMED_BY.format(who=by) if by else wording.RESUMED
    return [at.note(text, lane=Lane.STATUS)]


def _person(by: str) -> str:
    """Return a mention of a person by the engine's key, which pings nobody by itself; "" for nobody."""
    person = owner_id(by)
    return f"<@{person}>" if person is not None else ""


def _cap(body: ev.CapReached, at: _Frame) -> list[Post]:
    if body.cap == "agents" if body.percent < 100 else body.cap != "agents":
        return []  # a gate asks how to continue, or the wrap-up says why; agents cost nothing by themselves
    if body.agent_id is not None:
        return [_subtree_cap(body, at)]
    warning = wording.CAP_WARNING if body.used < 100 else wording.CAP_PASSED
    text = wording.CAP_FULL if body.percent >= 100 else warning
    spent, limit = _used_of(body)
    text = text.format(percent=body.used, cap=body.cap, spent=spent, limit=limit)
    return [at.note(text, lane=Lane.STATUS)]


def _caps_changed(body: ev.CapsChanged, at: _Frame) -> list[Post]:
    """Who set which caps; people who follow see why work goes on, or stops."""
    caps, who = texts.caps(body.limits), plain(body.by_name, NAME) or _person(body.by) or wording.A_PERSON
    if not caps:
        return []
    form = wording.CAPS_BY if body.agent_id is None else wording.PART_CAPS_BY
    text = form.format(who=who, caps=caps, name=plain(body.name, NAME))
    return [at.note(text, body.group_id, Lane.STATUS)]


def _used_of(body: ev.CapReached) -> tuple[str, str]:
    if body.cap == "cost":
        return money_used(body.spent, body.limit)
    return f"{body.spent:,}", f"{body.limit:,}"


def _subtree_cap(body: ev.CapReached, at: _Frame) -> Post:
    """A part's cap is near: who set it is named and not pinged, there is nothing to decide yet."""
    setter = owner_id(body.by) or 0
    form = wording.SUBTREE_CAP_WARNING if body.used < 100 else wording.SUBTREE_CAP_PASSED
    spent, limit = _used_of(body)
    text = form.format(
        setter=f"<@{setter}> " if setter else "",
        percent=body.used,
        cap=body.cap,
        who=plain(body.name, NAME),
        spent=spent,
        limit=limit,
    )
    return at.note(text, lane=Lane.STATUS)


def _intervened(body: ev.Intervened, at: _Frame) -> list[Post]:
    if body.action not in ("paused", "replaced"):
        return []  # a gate that follows asks; what agents are told among themselves is in the log
    who = plain(body.name, NAME) if body.agent_id is not None else wording.WHOLE_TASK
    forms = wording.INTERVENED_NAMED if body.names else wording.INTERVENED
    text = forms[body.action].format(who=who, detail=plain(capitalised(body.detail), 400))
    return [at.note(text, body.group_id, Lane.STATUS)]


def _model_waiting(body: ev.ModelWaiting, at: _Frame) -> list[Post]:
    text = wording.MODEL_WAITING.format(reason=plain(body.reason, 300))
    return [at.note(text, lane=Lane.STATUS)]


def _model_notice(body: ev.ModelNotice, at: _Frame) -> list[Post]:
    return [at.note(wording.MODEL_NOTICE.format(text=plain(body.text, 400)), lane=Lane.STATUS)]


def _model_back(body: ev.ModelBack, at: _Frame) -> list[Post]:
    return [at.note(wording.MODEL_BACK, lane=Lane.STATUS)]


def _audited(body: ev.Audited, at: _Frame) -> list[Post]:
    text = f"{wording.AUDIT[body.verdict]}\n{body.findings.strip()}".strip()
    return [at.words(at.scene.agent(body.agent_id), body.group_id, text, Lane.HEAD)]


def _audit_begun(body: ev.AuditBegun, at: _Frame) -> list[Post]:
    text = wording.AUDIT_BEGUN.format(auditor=plain(body.auditor, NAME))
    return [at.words(at.scene.agent(body.agent_id), body.group_id, text, Lane.HEAD)]


def _ended(body: ev.TaskEnded, at: _Frame) -> list[Post]:
    head = wording.END_UNFINISHED if body.missing else wording.END.get(body.state, body.state)
    if by := _person(body.by):
        head = wording.STOPPED_BY.format(who=by)
    lines = [head, *map(_lacking, body.missing), body.report.strip()]
    if body.state == "done" and body.basis not in ("audited", "ran") and not body.missing:
        lines.append(wording.END_UNVERIFIED)
    if body.state != "done":
        lines.append(wording.END_EARLY)
    if body.sources:
        lines.append(wording.SOURCES.format(sources=source_names(body.sources, END_SOURCES)))
    lines += _unheeded(body.unheeded)
    owner = at.task.notified_id
    lines[0] = f"<@{owner}> {lines[0]}" if owner else lines[0]
    boss = at.scene.head(at.task.root_group_id)
    post = at.words(boss, body.group_id, "\n".join(line for line in lines if line), Lane.CHATTER)
    pings = (owner,) if owner else ()
    runs = "\n".join(body.runs)[:LONGEST_TEXT]
    post = replace(post, kind="end", silent=False, pings=pings, files=body.deliverables, attached=runs)
    post = replace(post, continues=not at.task.demonstration)
    state = texts.UNFINISHED if body.basis == "unfinished" else texts.STATE[body.state]
    return [replace(post, notice=wording.END_NOTICE.format(id=body.task_id, state=state))]


def _lacking(missing: Missing) -> str:
    """One thing that a result plainly lacks, in a line."""
    said = wording.MISSING[missing.kind]
    if missing.kind == "tests" and missing.path:
        said = wording.TESTS_CHECK_NOTHING
    line = said.format(path=plain(missing.path, 120), what=plain(missing.what, 300))
    return f"- {line}"


def _unheeded(words: Sequence[ev.Unheeded]) -> list[str]:
    """What people said and nobody acted on any more, each in a line."""
    if not words:
        return []
    lines = [
        wording.END_UNHEEDED_LINE.format(by=plain(w.said_by, 80), to=plain(w.to, 80), text=plain(w.text, 300))
        for w in words[:UNHEEDED_SHOWN]
    ]
    if len(words) > UNHEEDED_SHOWN:
        lines.append(wording.END_UNHEEDED_MORE.format(count=len(words) - UNHEEDED_SHOWN))
    return [wording.END_UNHEEDED, *lines]


_MAKERS: dict[type, Callable[[Any, _Frame], list[Post]]] = {
    ev.AgentSpoke: _spoke,
    ev.MessageRead: _read,
    ev.PlanProposed: _plan,
    ev.AgentJoined: _joined,
    ev.AgentLeft: _left,
    ev.AgentChanged: _changed,
    ev.AssignmentChanged: _assignment,
    ev.OutsideCalled: _outside,
    ev.GateRaised: _gate,
    ev.GateReminded: _reminded,
    ev.GateClosed: _gate_closed,
    ev.TaskChanged: _task_changed,
    ev.TaskContinued: _task_continued,
    ev.TaskNamed: _task_named,
    ev.CapReached: _cap,
    ev.CapsChanged: _caps_changed,
    ev.Intervened: _intervened,
    ev.ModelWaiting: _model_waiting,
    ev.ModelBack: _model_back,
    ev.ModelNotice: _model_notice,
    ev.AuditBegun: _audit_begun,
    ev.Audited: _audited,
    ev.TaskEnded: _ended,
}
