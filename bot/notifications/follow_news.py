"""Choose the events that followers are notified of, and render each as one line (pure)."""

from __future__ import annotations

from bot import texts
from bot.discord.formatting import bare, plain
from bot.storage.guild_settings import FollowMode
from engine import events as e


def news(body: e.EventBody) -> tuple[str, tuple[FollowMode, ...]] | None:
    """Return the line of an event and the follow modes notified of it; None for all other events.

    Mode "answers" gets what needs a person, and the end; "all" also groups, accepted work, caps and audits.
    """
    if (line := _urgent(body)) is not None:
        return line, ("answers", "all")
    return (line, ("all",)) if (line := _progress(body)) is not None else None


def _urgent(body: e.EventBody) -> str | None:
    match body:
        case e.GateRaised():
            form = texts.NEWS_GATE if body.name else texts.NEWS_GATE_UNNAMED
            return form.format(name=plain(body.name, 60), question=bare(body.question, 200))
        case e.TaskEnded():
            state = texts.UNFINISHED if body.basis == "unfinished" else texts.STATE[body.state]
            return texts.NEWS_END.format(id=body.task_id, state=state)
        case e.CapReached() if body.percent >= 100:
            return _cap(body)
    return None


def _progress(body: e.EventBody) -> str | None:
    match body:
        case e.CapReached():
            return _cap(body)
        case e.GroupFormed() if body.parent_id is not None:
            return texts.NEWS_GROUP.format(name=plain(body.name, 80))
        case e.AssignmentChanged() if body.state == "accepted":
            return texts.NEWS_ACCEPTED.format(name=plain(body.assignee, 60), title=plain(body.title, 120))
        case e.Audited():
            return texts.NEWS_AUDIT.format(round=body.round, verdict=texts.AUDIT_VERDICT[body.verdict])
    return None


def _cap(body: e.CapReached) -> str:
    if body.agent_id is None:
        return texts.NEWS_CAP.format(percent=body.used, cap=body.cap)
    return texts.NEWS_SUBTREE_CAP.format(percent=body.used, cap=body.cap, name=plain(body.name, 60))
