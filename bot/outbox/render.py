"""Render events as posts (pure). The bot states mechanics, the persona states meaning.

Agents' text never pings: what goes out carries allowed mentions of `pings` only, and those are filled for
an answer, a gate, the end and followers alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Protocol

from bot.discord.formatting import cut, dollars, fenced, many, plain, size
from bot.discord.identities import owner_id
from bot.notifications.followers import Followers, ping
from bot.notifications.gate_reminder import Asked, Watchers, reminder
from bot.notifications.repeat_pause import repeat_paused
from bot.outbox.post import Lane, Post
from bot.outbox.split import excerpt
from bot.texts import outbox as wording
from bot.texts.gates import answer_text, closed
from engine import events as ev
from engine.domain.clean import clean_text
from engine.domain.completeness import Missing
from engine.domain.outside import AskedCall, Source

LONGEST_TEXT = 100_000
QUESTION, EXPLAINED = 1600, 1100
"""Characters of a question, and of one under which its buttons are explained."""
QUOTE = 80
UNHEEDED_SHOWN, END_SOURCES = 10, 15
NAME = 200
RUN = 300


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
    task = scene.task(event.body.task_id)
    if task is None:
        return ()
    make = _MAKERS.get(type(event.body))
    posts = make(event.body, _Frame(event.seq, task, scene)) if make is not None else []
    if task.demonstration:
        posts = _labelled(event.body, posts)
    told = ping(event, task.root_group_id, task.owner_id, scene.followers)
    return (*posts, told) if told is not None else tuple(posts)


def _labelled(body: ev.EventBody, posts: Sequence[Post]) -> list[Post]:
    """Return the posts of a demonstration; where it begins, asks, is judged and ends, they say what it is."""
    label = wording.DEMONSTRATION.get(type(body).__name__, "")
    if not label or not posts or posts[0].fold:
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


def defused(text: str) -> str:
    """Model's or person's text that cannot look like a mention of everyone or of a role."""
    text = re.sub(r"@(everyone|here)\b", "@\u200b\\1", text, flags=re.IGNORECASE)
    return text.replace("<@&", "<@\u200b&")


def code(text: str, limit: int = 80) -> str:
    """Text inside inline code, on one line, that cannot end the code early."""
    return cut(" ".join(text.replace("`", "'").split()), limit)


def _spoke(body: ev.AgentSpoke, at: _Frame) -> list[Post]:
    agent = at.scene.agent(body.agent_id)
    answered = tuple(a for ref in body.refs if (a := at.scene.asked(ref)) is not None)
    lane = Lane.ANSWER if body.refs else Lane.HEAD if agent and agent.leads else Lane.CHATTER
    text = defused(body.text.strip()[:LONGEST_TEXT])
    if not text:
        return []
    if body.sources:
        text += f"\n{defused(wording.SOURCES.format(sources=source_names(body.sources)))}"
    return [
        Post(
            body.task_id,
            body.group_id,
            at.seq,
            "say",
            lane,
            text,
            persona=agent.persona if agent else plain(body.name, 80),
            face=body.name,
            agent_id=body.agent_id,
            head=_answer_head(body.refs, at) if body.refs else _to_head(body.to),
            ref=body.refs[-1] if body.refs else "",
            silent=not body.refs,
            pings=tuple(dict.fromkeys(each.user_id for each in answered)),
        )
    ]


def _to_head(to: tuple[str, ...]) -> str:
    if not to:
        return ""
    names = ", ".join(wording.ADDRESSEES.get(name) or plain(name, 40) for name in to[:6])
    more = wording.AND_MORE.format(count=len(to) - 6) if len(to) > 6 else ""
    return wording.TO.format(names=names + more)


def _answer_head(refs: tuple[str, ...], at: _Frame) -> str:
    ref = refs[-1]
    link = f"https://discord.com/channels/{at.task.guild_id}/{ref.replace(':', '/')}"
    asked = at.scene.asked(ref)
    if asked is None:
        return wording.ANSWER_UNKNOWN.format(link=link)
    return wording.ANSWER.format(user=asked.user_id, excerpt=plain(asked.excerpt, QUOTE), link=link)


def _read(body: ev.MessageRead, at: _Frame) -> list[Post]:
    group = at.task.root_group_id
    return [Post(body.task_id, group, at.seq, "react", Lane.STATUS, "👀", ref=body.ref, eager=False)]


def _plan(body: ev.PlanProposed, at: _Frame) -> list[Post]:
    """The whole plan on one card; with the gate's buttons where it waits for approval."""
    card = wording.PLAN_CARD.format(
        groups="\n".join(wording.PLAN_GROUP.format(group=plain(group, 120)) for group in body.groups[:20]),
        more=wording.PLAN_MORE.format(count=len(body.groups) - 20) if len(body.groups) > 20 else "",
        why=excerpt(defused(body.summary), 1500),
        agents=many(body.agents, "agent"),
        tokens=body.tokens,
        cost=_plan_cost(body),
        minutes=wording.PLAN_MINUTES.format(minutes=body.minutes) if body.minutes else "",
    )
    if body.gate_id is None:
        return [replace(at.note(wording.PLAN, body.group_id, Lane.STATUS), card=card)]
    post = _asking(wording.PLAN_ASKS, body.group_id, body.gate_id, at)
    return [replace(post, card=card)]


def _plan_cost(body: ev.PlanProposed) -> str:
    if not body.cost_micros:
        return wording.PLAN_NO_PRICE
    cost = dollars(body.cost_micros)
    return wording.PLAN_CEILING.format(cost=cost) if body.guessed else cost


def _formed(body: ev.GroupFormed, at: _Frame) -> list[Post]:
    if body.parent_id is None:
        return []
    agent = at.scene.agent(body.head_id)
    head = plain(agent.name, NAME) if agent else "?"
    return [at.note(wording.FORMED.format(head=head, group=plain(body.name, NAME)), body.parent_id)]


def _joined(body: ev.AgentJoined, at: _Frame) -> list[Post]:
    agent = at.scene.agent(body.agent_id)
    if agent and agent.leads and body.group_id == at.task.root_group_id:
        return [_opening(body, at)]
    name = wording.NAME_TITLE.format(name=plain(body.name, 80), title=plain(body.title, 80))
    if body.title.casefold() == body.name.casefold():
        name = wording.NAME_ONLY.format(name=plain(body.name, 80))
    note = at.note(wording.JOINED.format(name=name), body.group_id)
    return [replace(note, fold="joined", folded=name, eager=False, agent_id=body.agent_id)]


def _opening(body: ev.AgentJoined, at: _Frame) -> Post:
    """The first line in a task's first place: it makes the place, so that there is one to watch at once."""
    goal = plain(at.task.goal, QUOTE * 4)
    text = wording.OPENING.format(boss=plain(body.name, NAME), goal=goal)
    return replace(at.note(text, body.group_id, Lane.STATUS), agent_id=body.agent_id)


def _left(body: ev.AgentLeft, at: _Frame) -> list[Post]:
    return [
        at.note(
            wording.LEFT.format(name=plain(body.name, NAME), reason=plain(body.reason, NAME)), body.group_id
        )
    ]


def _changed(body: ev.AgentChanged, at: _Frame) -> list[Post]:
    return [at.note(wording.AGENT_CHANGED[body.change].format(name=plain(body.name, NAME)), body.group_id)]


def _assignment(body: ev.AssignmentChanged, at: _Frame) -> list[Post]:
    text = wording.ASSIGNMENT[body.state].format(
        id=body.assignment_id,
        title=plain(body.title, NAME),
        giver=plain(body.giver, NAME),
        assignee=plain(body.assignee, NAME),
    )
    if body.note:
        text += wording.NOTE_LINE.format(note=plain(body.note, 300))
    return [at.note(text, body.group_id, Lane.CHATTER if body.state == "open" else Lane.HEAD)]


def _accepted_changed(body: ev.AcceptedWorkChanged, at: _Frame) -> list[Post]:
    more = wording.AND_MORE.format(count=len(body.paths) - 6) if len(body.paths) > 6 else ""
    text = wording.ACCEPTED_CHANGED.format(
        name=plain(body.name, NAME),
        files=", ".join(f"`{code(path)}`" for path in body.paths[:6]) + more,
        id=body.assignment_id,
        giver=plain(body.giver, NAME),
    )
    return [at.note(text, body.group_id, Lane.HEAD)]


def _file(body: ev.FileWritten, at: _Frame) -> list[Post]:
    file = wording.FILE_NAME.format(path=code(body.path), revision=body.revision, size=size(body.size))
    note = at.note(wording.FILE[body.change].format(name=plain(body.name, NAME), file=file), body.group_id)
    return [replace(note, fold=f"{body.change}:{body.agent_id}", folded=file)]


def _ran(body: ev.CodeRan, at: _Frame) -> list[Post]:
    good = body.ended == "closed" or (body.ended == "exit" and body.exit_code == 0)
    how = wording.RAN_OK if good else wording.RAN_EXIT.format(code=body.exit_code)
    if body.ended != "exit":
        how = wording.RAN_ENDED.get(body.ended, body.ended)
    text = wording.RAN.format(name=plain(body.name, NAME), command=code(body.command), how=how)
    tail = body.output.strip()[-600:]
    if tail and not good:
        text += f"\n{fenced(tail)}"
    return [at.note(text, body.group_id)]


def _gate(body: ev.GateRaised, at: _Frame) -> list[Post]:
    if body.kind == "plan":
        return []  # the plan itself follows, and its card asks
    who = plain(body.name, NAME) if body.agent_id is not None else wording.GATE_ENGINE
    if body.call is not None:
        return [_asking(_call_text(body.call, who), body.group_id, body.gate_id, at)]
    most = QUESTION if body.kind == "question" else EXPLAINED
    text = wording.GATE[body.kind].format(name=who, question=excerpt(body.question, most))
    return [_asking(text, body.group_id, body.gate_id, at)]


def _call_text(call: AskedCall, who: str) -> str:
    """Return the call with all of its arguments; the outbox attaches what does not fit into messages."""
    head = wording.GATE["tool"].format(name=who, tool=plain(call.tool, 100), server=plain(call.server, 100))
    return f"{head}\n{fenced(call.arguments, 'json', LONGEST_TEXT)}"


def _outside(body: ev.OutsideCalled, at: _Frame) -> list[Post]:
    text = wording.OUTSIDE[body.end].format(
        name=plain(body.name, NAME),
        tool=plain(body.tool, 100),
        server=plain(body.server, 100),
        arguments=code(body.arguments, 200),
        reused=wording.OUTSIDE_REUSED if body.reused else "",
    )
    if body.addresses and body.end == "done":
        shown = ", ".join(f"`{code(address, 120)}`" for address in body.addresses[:3])
        text += wording.OUTSIDE_FROM.format(addresses=shown)
    return [at.note(text, body.group_id, Lane.STATUS if body.end == "unknown" else Lane.CHATTER)]


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


def _asking(text: str, group_id: int, gate_id: int, at: _Frame) -> Post:
    """Return a gate's post, which mentions the owner unless they turned notifications off."""
    owner = at.task.notified_id
    note = at.note(f"<@{owner}> {text}" if owner else text, group_id, Lane.STATUS)
    pings = (owner,) if owner else ()
    return replace(note, kind="gate", silent=False, pings=pings, gate_id=gate_id)


def _reminded(body: ev.GateReminded, at: _Frame) -> list[Post]:
    where = Asked(at.task.guild_id, at.scene.place_of(body.group_id), at.task.notified_id)
    return [reminder(body, at.seq, where, at.scene.watchers(at.task.guild_id))]


def _gate_closed(body: ev.GateClosed, at: _Frame) -> list[Post]:
    """What became of it, and its buttons taken off, which may be pressed until then."""
    told = _answered(body, at)
    return [told, replace(told, kind="close_gate", text="", gate_id=body.gate_id)]


def _answered(body: ev.GateClosed, at: _Frame) -> Post:
    if body.basis != "person":
        return at.note(closed(body.basis, body.choice), body.group_id, Lane.STATUS)
    person = owner_id(body.by)
    who = f"<@{person}>" if person is not None else plain(body.by, NAME)
    answer = plain(answer_text(body.choice, body.text, body.limits), 300)
    return at.note(wording.GATE_CLOSED.format(who=who, answer=answer), body.group_id, Lane.STATUS)


def _task_changed(body: ev.TaskChanged, at: _Frame) -> list[Post]:
    text = (
        wording.PAUSED.format(reason=plain(body.reason, NAME)) if body.state == "paused" else wording.RESUMED
    )
    return [at.note(text, lane=Lane.STATUS)]


def _cap(body: ev.CapReached, at: _Frame) -> list[Post]:
    if body.percent >= 100 and body.cap != "agents":
        return []  # a gate asks how to continue, or the wrap-up says why
    amount = dollars if body.cap == "cost" else "{:,}".format
    if body.agent_id is not None:
        return [_subtree_cap(body, amount, at)]
    text = wording.CAP_FULL if body.percent >= 100 else wording.CAP_WARNING
    text = text.format(percent=body.percent, cap=body.cap, spent=amount(body.spent), limit=amount(body.limit))
    return [at.note(text, lane=Lane.STATUS)]


def _subtree_cap(body: ev.CapReached, amount: Callable[[int], str], at: _Frame) -> Post:
    """A part's cap is near: who set it is named and not pinged, there is nothing to decide yet."""
    setter = owner_id(body.by) or 0
    text = wording.SUBTREE_CAP_WARNING.format(
        setter=f"<@{setter}> " if setter else "",
        percent=body.percent,
        cap=body.cap,
        who=plain(body.name, NAME),
        spent=amount(body.spent),
        limit=amount(body.limit),
    )
    return at.note(text, lane=Lane.STATUS)


def _intervened(body: ev.Intervened, at: _Frame) -> list[Post]:
    if body.action == "asked":
        return []  # the gate that follows says it
    who = plain(body.name, NAME) if body.agent_id is not None else wording.WHOLE_TASK
    loud = body.action in ("paused", "replaced")
    form = wording.INTERVENED_NAMED if body.names else wording.INTERVENED
    text = form.format(who=who, detail=plain(body.detail, 400))
    return [at.note(text, body.group_id, Lane.STATUS if loud else Lane.CHATTER)]


def _model_waiting(body: ev.ModelWaiting, at: _Frame) -> list[Post]:
    text = wording.MODEL_WAITING.format(reason=plain(body.reason, 300), seconds=round(body.retry_in_s))
    return [at.note(text, lane=Lane.STATUS)]


def _model_notice(body: ev.ModelNotice, at: _Frame) -> list[Post]:
    return [at.note(wording.MODEL_NOTICE.format(text=plain(body.text, 400)), lane=Lane.STATUS)]


def _model_back(body: ev.ModelBack, at: _Frame) -> list[Post]:
    return [at.note(wording.MODEL_BACK, lane=Lane.STATUS)]


def _audited(body: ev.Audited, at: _Frame) -> list[Post]:
    text = wording.AUDIT[body.verdict].format(round=body.round)
    return [at.note(f"{text}\n{excerpt(body.findings, 1500)}".strip(), body.group_id, Lane.HEAD)]


def _ended(body: ev.TaskEnded, at: _Frame) -> list[Post]:
    head = wording.END_UNFINISHED if body.missing else wording.END.get(body.state, body.state)
    lines = [head, *map(_lacking, body.missing), body.report.strip()]
    if body.state == "done" and body.basis not in ("audited", "ran") and not body.missing:
        lines.append(wording.END_UNVERIFIED)
    if body.state != "done":
        lines.append(wording.END_EARLY)
    if body.sources:
        lines.append(wording.SOURCES.format(sources=source_names(body.sources, END_SOURCES)))
    lines += _unheeded(body.unheeded)
    lines += [wording.END_RUN.format(run=plain(line, RUN)) for line in body.runs]
    owner = at.task.notified_id
    lines[0] = f"<@{owner}> {lines[0]}" if owner else lines[0]
    note = at.note("\n".join(line for line in lines if line), body.group_id, Lane.CHATTER)
    pings = (owner,) if owner else ()
    return [replace(note, kind="end", silent=False, pings=pings, files=body.deliverables)]


def _lacking(missing: Missing) -> str:
    """One thing that a result plainly lacks, in a line."""
    line = wording.MISSING[missing.kind].format(path=plain(missing.path, 120), what=plain(missing.what, 300))
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
    ev.GroupFormed: _formed,
    ev.AgentJoined: _joined,
    ev.AgentLeft: _left,
    ev.AgentChanged: _changed,
    ev.AssignmentChanged: _assignment,
    ev.AcceptedWorkChanged: _accepted_changed,
    ev.FileWritten: _file,
    ev.CodeRan: _ran,
    ev.OutsideCalled: _outside,
    ev.GateRaised: _gate,
    ev.GateReminded: _reminded,
    ev.GateClosed: _gate_closed,
    ev.TaskChanged: _task_changed,
    ev.CapReached: _cap,
    ev.Intervened: _intervened,
    ev.ModelWaiting: _model_waiting,
    ev.ModelBack: _model_back,
    ev.ModelNotice: _model_notice,
    ev.Audited: _audited,
    ev.TaskEnded: _ended,
}
