"""Render events as one-line entries for the card and the log (pure); None for events without an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.discord.formatting import bare, capitalised, many, plain, size
from bot.texts import AUDIT_VERDICT, caps
from bot.texts.gates import answer_text
from engine import events as e


def _plan(body: e.PlanProposed) -> str:
    return f"📝 Plan: {many(len(body.groups), 'group')}, {many(body.agents, 'agent')}"


def _group(body: e.GroupFormed) -> str:
    return f"🏠 New group: {plain(body.name, 60)}"


def _joined(body: e.AgentJoined) -> str:
    if body.replaces:
        return f"👋 {plain(body.name, 40)} took over from {plain(body.replaces, 40)}"
    said = body.name.casefold().startswith(body.title.casefold())  # as of Boss and Auditor 2
    title = "" if said else f": {plain(body.title, 60)}"
    return f"👋 {plain(body.name, 40)} joined{title}"


def _left(body: e.AgentLeft) -> str:
    return f"🚪 {plain(body.name, 40)} left: {bare(body.reason, 80)}"


CHANGED = {
    "paused": "was paused",
    "resumed": "was resumed",
    "edited": "was edited",
    "model": "was given another model",
}


def _changed(body: e.AgentChanged) -> str:
    who = f" by {plain(body.by_name, 60)}" if body.by_name else ""
    return f"✋ {plain(body.name, 40)} {CHANGED[body.change]}{who}"


def _continued(body: e.TaskContinued) -> str:
    return f"▶️ Continued by {plain(body.by_name, 60)}"


ASSIGNMENT = {
    "open": "📌 {giver} assigned to {assignee}: {title}",
    "amended": "✏️ {giver} changed the assignment of {assignee}: {title}",
    "submitted": "📬 {assignee} submitted: {title}",
    "accepted": "✅ {giver} accepted from {assignee}: {title}",
    "rejected": "↩️ {giver} returned to {assignee}: {title}",
    "cancelled": "🚫 Cancelled: {title}",
}


def _assignment(body: e.AssignmentChanged) -> str:
    names = {"giver": plain(body.giver, 40), "assignee": plain(body.assignee, 40)}
    if body.taken_from:
        return f"📌 {names['assignee']} took over: {plain(body.title, 70)}"
    return ASSIGNMENT[body.state].format(title=plain(body.title, 70), **names)


def _accepted_changed(body: e.AcceptedWorkChanged) -> str:
    paths = plain(", ".join(body.paths), 80)
    return f"✏️ {plain(body.name, 40)} changed {paths} after “{plain(body.title, 60)}” was accepted"


def _packages(body: e.PackagesAdded) -> str:
    return f"📦 {plain(body.name, 40)} added {plain(', '.join(body.packages), 100)}"


def _file(body: e.FileWritten) -> str:
    return f"📄 {plain(body.name, 40)} {body.change} {plain(body.path, 80)} ({size(body.size)})"


def _ran(body: e.CodeRan) -> str:
    outcome = "ok" if body.exit_code == 0 else f"exit code {body.exit_code}"
    outcome = "ended by its agent" if body.ended == "closed" else outcome
    return f"⚙️ {plain(body.name, 40)} ran {plain(body.command, 60)}: {outcome}"


CALLED = {
    "done": "🔌 {name} called {tool} of {server}",
    "failed": "🔌 {name} called {tool} of {server}, which failed",
    "not_sent": "🔌 {name} could not call {tool} of {server}",
    "unknown": "⚠️ {name} called {tool} of {server}: unclear whether it went through",
    "refused": "🔌 {name} may not call {tool} of {server}",
}


def _outside(body: e.OutsideCalled) -> str:
    names = {"tool": plain(body.tool, 60), "server": plain(body.server, 40)}
    return CALLED[body.end].format(name=plain(body.name, 40), **names)


def _gate(body: e.GateRaised) -> str | None:
    if body.kind == "plan":
        return None  # its own line says what is planned
    if body.call is not None:
        return f"🔌 {plain(body.name, 40)} asks to call {bare(body.question, 90)}"
    who = f"{plain(body.name, 40)} asks: " if body.name else ""
    return f"❓ {who}{bare(body.question, 90)}"


def _closed(body: e.GateClosed) -> str | None:
    if body.basis == "timeout":
        return "💬 No answer in time"
    answer = answer_text(body.choice, body.text, body.limits)
    who = f" by {plain(body.by_name, 60)}" if body.by_name else ""
    return f"💬 Answered{who}: {plain(answer, 90)}" if body.basis == "person" else None


def _cap(body: e.CapReached) -> str:
    whose = f" of {plain(body.name, 40)}" if body.agent_id is not None else ""
    mark = "👥" if body.cap == "agents" else "💰"
    return f"{mark} {body.used}% of the cap on {body.cap}{whose} is used"


INTERVENED = {
    "nudged": "🩺 Reminded {name}: {detail}",
    "reported": "🩺 Reported {name} to its head: {detail}",
    "replaced": "🩺 Replaced {name}: {detail}",
    "paused": "🩺 Stopped {name}: {detail}",
    "asked": "🩺 Asked people about {name}: {detail}",
}


INTERVENED_NAMED = {
    "nudged": "🩺 {detail} (reminded)",
    "reported": "🩺 {detail} (reported)",
    "replaced": "🩺 {detail} (replaced)",
    "paused": "🩺 {detail} (stopped)",
    "asked": "🩺 {detail} (people were asked)",
}
"""The same, where what happened already names the agent."""


def _caps_changed(body: e.CapsChanged) -> str:
    of = f" of {plain(body.name, 40)}" if body.agent_id is not None else ""
    who = f" by {plain(body.by_name, 60)}" if body.by_name else ""
    return f"📐 Caps{of} set{who}: {caps(body.limits)}"


def _intervened(body: e.Intervened) -> str:
    name = plain(body.name, 40) if body.agent_id is not None else "the whole task"
    forms = INTERVENED_NAMED if body.names else INTERVENED
    return forms[body.action].format(name=name, detail=bare(capitalised(body.detail), 120))


def _waiting(body: e.ModelWaiting) -> str:
    return f"⏳ The model is unavailable: {bare(body.reason, 90)}"


def _audited(body: e.Audited) -> str:
    return f"🔍 Audit {body.round}: {AUDIT_VERDICT[body.verdict]}"


def _task(body: e.TaskChanged, by_name: str = "") -> str:
    done = "▶️ Resumed" if body.state == "running" else "⏸️ Paused"
    if by_name:
        return f"{done} by {plain(by_name, 60)}"
    return f"{done}: {bare(body.reason, 90)}" if body.reason else done


def _ended(body: e.TaskEnded, by_name: str = "") -> str:
    return f"🏁 Ended: {body.state}{f' by {plain(by_name, 60)}' if by_name and body.by else ''}"


LINES: Mapping[type[Any], Callable[[Any], str | None]] = {
    e.TaskAccepted: lambda body: "🚀 Task started",
    e.TaskChanged: _task,
    e.TaskEnded: _ended,
    e.TaskContinued: _continued,
    e.PlanProposed: _plan,
    e.TaskNamed: lambda body: f"🏷️ The task is called {plain(body.title, 60)}",
    e.GroupFormed: _group,
    e.AgentJoined: _joined,
    e.AgentLeft: _left,
    e.AgentChanged: _changed,
    e.RemarkNoted: lambda body: f"💭 {plain(body.name, 40)}, waiting: {bare(body.text, 200)}",
    e.AssignmentChanged: _assignment,
    e.AcceptedWorkChanged: _accepted_changed,
    e.FileWritten: _file,
    e.PackagesAdded: _packages,
    e.CodeRan: _ran,
    e.OutsideCalled: _outside,
    e.GateRaised: _gate,
    e.GateReminded: lambda body: f"⏰ Still open: {bare(body.question, 90)}",
    e.GateClosed: _closed,
    e.CapReached: _cap,
    e.CapsChanged: _caps_changed,
    e.Intervened: _intervened,
    e.ModelWaiting: _waiting,
    e.ModelNotice: lambda body: f"📎 {bare(body.text, 200)}",
    e.ModelBack: lambda body: "🔌 The model answers again",
    e.AuditBegun: lambda body: f"🔍 {plain(body.auditor, 40)} checks the result",
    e.Audited: _audited,
}


BY_PEOPLE: Mapping[type[Any], Callable[[Any, str], str]] = {e.TaskChanged: _task, e.TaskEnded: _ended}
"""The same for what a person did, who is named."""


def log_line(body: e.EventBody, by_name: str = "") -> str | None:
    """Return the log line of an event, None for events shown elsewhere (messages and their reading).

    `by_name`: the person whose command caused it, as shown.
    """
    if by_name and (told := BY_PEOPLE.get(type(body))):
        return told(body, by_name)
    line_of = LINES.get(type(body))
    return line_of(body) if line_of else None
