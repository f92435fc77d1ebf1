"""What followers are told, and how (pure): one line with a mention, never more often than it is worth."""

from __future__ import annotations

from bot import texts
from bot.discord.formatting import plain
from bot.storage.guild_settings import FollowMode
from engine import events as e


def news(body: e.EventBody) -> tuple[str, tuple[FollowMode, ...]] | None:
    """A line and who is told it; None for everything else.

    "answers": what needs a person, and the end. "all": besides, groups, accepted work, caps, audits.
    """
    if (line := _urgent(body)) is not None:
        return line, ("answers", "all")
    return (line, ("all",)) if (line := _progress(body)) is not None else None


def _urgent(body: e.EventBody) -> str | None:
    match body:
        case e.GateRaised():
            return texts.NEWS_GATE.format(name=plain(body.name, 60), question=plain(body.question, 200))
        case e.TaskEnded():
            return texts.NEWS_END.format(id=body.task_id, state=texts.STATE[body.state])
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
            return texts.NEWS_AUDIT.format(round=body.round, verdict=body.verdict)
    return None


def _cap(body: e.CapReached) -> str:
    if body.agent_id is None:
        return texts.NEWS_CAP.format(percent=body.percent, cap=body.cap)
    return texts.NEWS_SHARE.format(percent=body.percent, cap=body.cap, name=plain(body.name, 60))
