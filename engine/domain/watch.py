"""Monitoring rules: pure functions of a snapshot and the current time (docs/architecture.md).

Each rule detects one kind of unproductive behaviour. It first nudges the agents, then their head, then acts
itself. What a rule did before is in the snapshot (`acted`), so the same finding escalates the next time, at
least `cooldown_s` later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.domain.snapshot import (
    Acted,
    AgentMessage,
    Finding,
    Nudge,
    OpenWork,
    Snapshot,
    Watched,
    WatchOptions,
)
from engine.domain.wait_graph import waits, waits_for_cycles

Rule = Callable[[Snapshot, float, WatchOptions], Iterator[Finding]]


# ---------------------------------------------------------------- the whole task stands still


@dataclass(frozen=True, slots=True)
class QuietTask:
    """A running task in which no agent is busy or ready."""

    boss_id: int
    auditor_id: int | None
    work: tuple[OpenWork, ...]
    rounds: int


@dataclass(frozen=True, slots=True)
class AskPeople:
    """Ask the people, because nudges did not help or cannot (`why`)."""

    question: str
    rule: Literal["stall", "audit"] = "stall"
    why: str = ""


def judge_quiet(task: QuietTask, options: WatchOptions) -> list[Nudge] | AskPeople:
    """Return nudges about what is open in a quiet task, or a question for people after `quiet_rounds`."""
    if task.rounds >= options.quiet_rounds and task.auditor_id is not None:
        return AskPeople("The auditor has not judged the result. Accept it as it is?", "audit")
    if task.rounds >= options.quiet_rounds:
        return AskPeople(f"No agent is working, though {_still_open(task.work)}. What should the boss do?")
    if task.auditor_id is not None:
        return [Nudge(task.auditor_id, "Your judgement is still open: call verdict with accept or reject.")]
    nudges = [_open_work_nudge(work) for work in task.work]
    if nudges:
        return nudges
    return [
        Nudge(
            task.boss_id,
            "Nobody has anything to do. If the goal is met, call finish; "
            "if not, do or assign what is missing.",
        )
    ]


def _still_open(work: Sequence[OpenWork]) -> str:
    """Return what a quiet task has left: its assignments, else its end."""
    if not work:
        return "the boss has not ended the task"
    return "1 assignment is open" if len(work) == 1 else f"{len(work)} assignments are open"


def _open_work_nudge(work: OpenWork) -> Nudge:
    if work.state == "submitted":
        return Nudge(
            work.giver_id, f"Assignment #{work.id} ({work.title}) was submitted and waits for your review."
        )
    if work.stuck:
        return Nudge(
            work.giver_id,
            f"Assignment #{work.id} ({work.title}) cannot continue: {work.stuck}. "
            "Repair that, give the work to another agent, or dismiss the one that has it.",
        )
    if work.waits_for:
        return Nudge(
            work.giver_id,
            f"Assignment #{work.id} ({work.title}) waits for {work.waits_for}, and nobody is at work. "
            "Have it made, or tell its agent to continue without it.",
        )
    return Nudge(
        work.assignee_id,
        f"Assignment #{work.id} ({work.title}) is still open. Continue it and submit it; "
        "if you cannot, tell your head what you need.",
    )


# ---------------------------------------------------------------- one agent's own calls


def judge_loop(times: int, options: WatchOptions) -> Literal["", "nudged", "reported", "paused"]:
    """Return the action on a call repeated `times` with the same result: nudge, report, end of the turn."""
    if times < options.loop:
        return ""
    if times >= options.loop * 3:
        return "paused"
    return "reported" if times == options.loop * 2 else "nudged"


# ---------------------------------------------------------------- rules over the snapshot


def judge(snapshot: Snapshot, now: float, options: WatchOptions) -> list[Finding]:
    """Return the findings of all rules at this moment."""
    return [finding for rule in RULES for finding in rule(snapshot, now, options)]


def _before(
    snapshot: Snapshot, rule: str, subject: str, now: float, options: WatchOptions, since: float = 0.0
) -> int | None:
    """Return how often the rule acted on the subject since `since`; None during its cooldown."""
    acted = snapshot.acted.get((rule, subject), Acted(0, 0.0))
    if acted.times and now - acted.at < options.cooldown_s:
        return None
    return acted.times if acted.at >= since else 0


def silent_agents(snapshot: Snapshot, now: float, options: WatchOptions) -> Iterator[Finding]:
    """Find idle agents with open work that wait for nobody: nudge, tell the head, ask; replace if failing."""
    for work in snapshot.work:
        agent = snapshot.by_id.get(work.assignee_id)
        if work.state != "open" or agent is None or not _is_silent(snapshot, agent, now, options):
            continue
        times = _before(snapshot, "silence", f"#{work.id}", now, options)
        if times is not None:
            yield _about_silence(snapshot, work, agent, times, options)


def _is_silent(snapshot: Snapshot, agent: Watched, now: float, options: WatchOptions) -> bool:
    asked = snapshot.owed.get(agent.id, {})
    waits = agent.id in snapshot.asking or agent.id in snapshot.givers
    # An answer is waited for while who owes it is at work (`unanswered` sees to the others).
    waits = waits or any(
        wait.agent_id == agent.id and wait.what.answer_of is None for wait in snapshot.waiting
    )
    waits = waits or any(snapshot.busy(other) for other in asked)
    # Others' work may be what it waits for: it is looked at again when they are done.
    waits = waits or any(
        snapshot.busy(work.assignee_id)
        for work in snapshot.work
        if work.state == "open" and work.assignee_id != agent.id
    )
    return not waits and snapshot.idle(agent.id) and now - agent.active_at >= options.silent_s


def _about_silence(
    snapshot: Snapshot, work: OpenWork, agent: Watched, times: int, options: WatchOptions
) -> Finding:
    subject, what = f"#{work.id}", f"assignment #{work.id} ({work.title})"
    nudge = Nudge(
        agent.id,
        f"You have stopped working on {what}. Continue it; if you wait for something, tell your head what.",
    )
    detail = f"{agent.name} has stopped working on {what}, which is still open"
    if times == 0 or agent.head_id is None:
        return Finding("silence", subject, "nudged", agent.id, detail, (nudge,))
    if times >= options.ask_after:
        ask = f"{detail}. Reminders did not help. What should the boss do?"
        return Finding("silence", subject, "asked", agent.id, detail, ask=ask)
    failed = ("failed", str(agent.id)) in snapshot.acted
    if failed and times >= options.replace_after and not agent.leads:
        notice = Nudge(agent.head_id, f"{detail}; a fresh agent takes over its work.", wakes=False)
        return Finding("silence", subject, "replaced", agent.id, detail, (notice,), replace=agent.id)
    words = f"{detail}. Tell it what to do, dismiss it, or do without."
    return Finding("silence", subject, "reported", agent.id, detail, (nudge, Nudge(agent.head_id, words)))


def unanswered(snapshot: Snapshot, now: float, options: WatchOptions) -> Iterator[Finding]:
    """Find idle agents that owe an answer to one with open work: remind them, then tell the asker to
    continue.

    Messages from agents without open work need no reminder: nothing waits, and a reminder costs two calls.
    """
    at_work = {work.assignee_id for work in snapshot.work if work.state == "open"}
    for wait in waits(snapshot):
        if wait.agent_id not in at_work or not wait.asked_at or now - wait.asked_at < options.silent_s / 2:
            continue
        subject = f"{wait.agent_id}-{wait.for_id}"
        times = _before(snapshot, "unanswered", subject, now, options, wait.asked_at)
        if times is None or times > 1:
            continue
        asker, asked = snapshot.name(wait.agent_id), snapshot.name(wait.for_id)
        detail = f"{asker} waits for {asked}: {wait.why}"
        reminder = Nudge(wait.for_id, f"{asker} still waits for {wait.why}. Answer with send_message.")
        go_on = Nudge(wait.agent_id, f"No answer comes from {asked}. Decide yourself and continue.")
        message = go_on if times else reminder
        yield Finding("unanswered", subject, "nudged", message.agent_id, detail, (message,))


def waiting_in_circles(snapshot: Snapshot, now: float, options: WatchOptions) -> Iterator[Finding]:
    """Find cycles of idle agents that wait for each other: tell all of them, then the boss."""
    for cycle in waits_for_cycles(snapshot):
        subject = "-".join(str(wait.agent_id) for wait in sorted(cycle, key=lambda w: w.agent_id))
        times = _before(snapshot, "cycle", subject, now, options)
        if times is None:
            continue
        chain = "; ".join(
            f"{snapshot.name(w.agent_id)} waits for {snapshot.name(w.for_id)} ({w.why})" for w in cycle
        )
        messages = [
            Nudge(
                w.agent_id, f"You wait in a circle: {chain}. Break it: answer, decide, or continue without."
            )
            for w in cycle
        ]
        if times:
            messages.append(Nudge(snapshot.boss_id, f"Agents wait in a circle: {chain}. Decide for them."))
        action: Literal["reported", "nudged"] = "reported" if times else "nudged"
        yield Finding("cycle", subject, action, cycle[0].agent_id, chain, tuple(messages))


def chatter(snapshot: Snapshot, now: float, options: WatchOptions) -> Iterator[Finding]:
    """Find pairs of agents that exchange short messages and produce nothing: warn them, then mute the
    pair."""
    for (one, other), messages in _exchanges(snapshot).items():
        last = _empty_exchange(snapshot, messages, options)
        if len(last) < options.chatter:
            continue
        subject = f"{one}-{other}"
        acted = snapshot.acted.get(("chatter", subject), Acted(0, 0.0))
        fresh = sum(message.at > acted.at for message in last)
        if acted.times and fresh < options.chatter // 2:
            continue
        yield _about_chatter(snapshot, (one, other), len(last), acted.times)


def _exchanges(snapshot: Snapshot) -> dict[tuple[int, int], list[AgentMessage]]:
    found: dict[tuple[int, int], list[AgentMessage]] = {}
    for message in snapshot.messages:
        pair = (min(message.from_id, message.to_id), max(message.from_id, message.to_id))
        found.setdefault(pair, []).append(message)
    return found


def _empty_exchange(
    snapshot: Snapshot, messages: Sequence[AgentMessage], options: WatchOptions
) -> list[AgentMessage]:
    """Return the newest messages that alternate, are short, and come after the last product of either."""
    kept: list[AgentMessage] = []
    for message in reversed(messages):
        sender = snapshot.by_id.get(message.from_id)
        other = snapshot.by_id.get(message.to_id)
        if sender is None or other is None or message.chars > options.chatter_chars:
            break
        if message.at <= max(sender.produced_at, other.produced_at):
            break
        if kept and kept[-1].from_id == message.from_id:
            break
        kept.append(message)
    return kept


def _about_chatter(snapshot: Snapshot, pair: tuple[int, int], count: int, times: int) -> Finding:
    one, other = snapshot.by_id[pair[0]], snapshot.by_id[pair[1]]
    detail = f"{one.name} and {other.name} exchanged {count} messages in a row and produced nothing"
    words = (
        "Your last messages changed nothing. Send no more thanks or confirmations: work, or end your turn."
    )
    messages = tuple(Nudge(agent.id, words, wakes=False) for agent in (one, other))
    if times == 0:
        return Finding("chatter", f"{one.id}-{other.id}", "nudged", one.id, detail, messages)
    heads = {a.head_id for a in (one, other) if a.head_id is not None} - set(pair)
    notice = tuple(Nudge(head, f"{detail}. Their talk no longer wakes them.") for head in sorted(heads))
    return Finding(
        "chatter", f"{one.id}-{other.id}", "reported", one.id, detail, messages + notice, mute=pair
    )


def heads_at_members_work(snapshot: Snapshot, now: float, options: WatchOptions) -> Iterator[Finding]:
    """Find heads that write the files themselves while a member is idle: nudge, then report. While the result
    is being judged there is nothing to give away."""
    if snapshot.audited:
        return
    for head_id, members in snapshot.members.items():
        head = snapshot.by_id.get(head_id)
        if head is None or head.writes < options.head_writes or not head.active:
            continue
        theirs = sum(member.writes for member in members)
        idle = [m.name for m in members if snapshot.idle(m.id)]
        if theirs >= head.writes or not idle:
            continue
        times = _before(snapshot, "overreach", str(head.id), now, options)
        if times is not None:
            yield _about_overreach(snapshot, head, idle, times)


def _about_overreach(snapshot: Snapshot, head: Watched, idle: Sequence[str], times: int) -> Finding:
    detail = (
        f"{head.name} wrote files itself {head.writes} times while {', '.join(idle[:5])} had nothing to do"
    )
    words = f"You do your members' work: {', '.join(idle[:5])} can do it. Assign it, or dismiss them."
    messages = [Nudge(head.id, words, wakes=False)]
    if times and head.head_id is not None:
        messages.append(Nudge(head.head_id, f"{detail}."))
        return Finding("overreach", str(head.id), "reported", head.id, detail, tuple(messages))
    return Finding("overreach", str(head.id), "nudged", head.id, detail, tuple(messages))


def runaway_recruiting(snapshot: Snapshot, now: float, options: WatchOptions) -> Iterator[Finding]:
    """Find heads whose recruits have no work: nudge, report, then ask the people."""
    for head_id, members in snapshot.members.items():
        bored = [m for m in members if _is_bored(snapshot, m, now, options)]
        if len(bored) < options.unassigned or head_id not in snapshot.by_id:
            continue
        times = _before(snapshot, "recruiting", str(head_id), now, options)
        if times is not None:
            yield _about_recruiting(snapshot, snapshot.by_id[head_id], bored, times)


def _is_bored(snapshot: Snapshot, agent: Watched, now: float, options: WatchOptions) -> bool:
    """Return whether a member recruited some time ago is idle, leads nobody, and has had neither an
    assignment
    nor a question that it answered."""
    waited = now - agent.joined_at >= options.unassigned_s
    used = agent.id in snapshot.given or agent.id in snapshot.spoke or agent.steps > 1
    return waited and not used and snapshot.idle(agent.id) and not agent.leads


def _about_recruiting(snapshot: Snapshot, head: Watched, bored: Sequence[Watched], times: int) -> Finding:
    names = ", ".join(agent.name for agent in bored[:6])
    detail = f"{head.name} recruited {len(bored)} agents and gave them no work: {names}"
    subject = str(head.id)
    notice = Nudge(
        head.id, f"You recruited {names} and gave them no work. Assign them work now, or dismiss them."
    )
    if times == 0:
        return Finding("recruiting", subject, "nudged", head.id, detail, (notice,))
    if times == 1 and head.head_id is not None:
        return Finding(
            "recruiting", subject, "reported", head.id, detail, (notice, Nudge(head.head_id, f"{detail}."))
        )
    return Finding("recruiting", subject, "asked", head.id, detail, ask=f"{detail}. What should the boss do?")


def delegation_relays(snapshot: Snapshot, now: float, options: WatchOptions) -> Iterator[Finding]:
    """Find work passed down a chain of heads with one member each: tell the last one to do it."""
    for agent in snapshot.agents:
        chain = _relay_above(snapshot, agent)
        if agent.leads or len(chain) < options.relay or any(above.writes for above in chain):
            continue
        times = _before(snapshot, "relay", str(agent.id), now, options, agent.produced_at)
        if times is None or times > 1:
            continue
        detail = f"{', '.join(a.name for a in reversed(chain))} only passed the work on to {agent.name}"
        messages = [Nudge(agent.id, "Recruit nobody: do this work yourself.")]
        if times and agent.head_id is not None:
            messages.append(Nudge(agent.head_id, f"{detail}; one agent is enough for it."))
        yield Finding(
            "relay", str(agent.id), "reported" if times else "nudged", agent.id, detail, tuple(messages)
        )


def _relay_above(snapshot: Snapshot, agent: Watched) -> list[Watched]:
    """Return the heads above an agent, nearest first, as long as each leads exactly one agent."""
    chain: list[Watched] = []
    while agent.head_id is not None and len(snapshot.members.get(agent.head_id, ())) == 1:
        above = snapshot.by_id.get(agent.head_id)
        if above is None:
            break
        chain.append(above)
        agent = above
    return chain


def beyond_the_plan(snapshot: Snapshot, now: float, options: WatchOptions) -> Iterator[Finding]:
    """Find a task with more agents than its plan named, by `plan_excess`: ask the people once."""
    limit = snapshot.plan_agents * options.plan_excess
    count = len(snapshot.agents)
    if snapshot.plan_agents and count > limit and ("plan", "task") not in snapshot.acted:
        detail = f"the plan named {snapshot.plan_agents} agents, and there are {count}"
        ask = f"The plan named {snapshot.plan_agents} agents, and there are {count}. What should happen now?"
        yield Finding("plan", "task", "asked", None, detail, ask=ask)


RULES: tuple[Rule, ...] = (
    waiting_in_circles,
    unanswered,
    silent_agents,
    chatter,
    heads_at_members_work,
    runaway_recruiting,
    delegation_relays,
    beyond_the_plan,
)
