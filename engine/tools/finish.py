"""Tool finish: the boss ends the task with a report."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import Connection

from engine.domain.completeness import Missing, told
from engine.domain.effects import Assign, ChangeAssignment, CollectWords, Finish
from engine.domain.outcomes import Finished, ToolResult, Unfinished
from engine.domain.speech import unanswered_people
from engine.lifecycle.open_messages import open_messages
from engine.store.core import AGENTS, ASSIGNMENTS, TASKS, AnyRow
from engine.tools.base import Arguments, Tool, ToolContext, ToolRefused
from engine.tools.completeness import what_is_missing
from engine.tools.embedding import vectors_of
from engine.tools.protected import ask_first, protections
from engine.tools.review import check_files
from engine.tools.task_title import name_task, title_field

MAX_LESSON = 500
WORDS_CHARS = 2_000


class FinishArguments(Arguments):
    """Arguments of finish."""

    report: str = Field(min_length=1, description="first the result in plain words, then what does not work")
    deliverables: list[str] = Field(default_factory=list, max_length=50)
    lessons: list[str] = Field(default_factory=list, max_length=5, description="for later tasks here")
    title: str = title_field()


async def finish(context: ToolContext, arguments: FinishArguments) -> ToolResult:
    """Stage the audit or the end of the task. Raises ToolRefused while work is open; work accepted in the
    same answer counts as closed."""
    context.check_not_finished()
    if await context.db.read(lambda c: _is_judged(c, context.task.id)):
        raise ToolRefused(
            "An auditor is checking the result now. End your turn; you are woken by its judgement."
        )
    await _check_words(context)
    changes = context.staged(ChangeAssignment)
    closed = {change.assignment_id for change in changes if change.state in ("accepted", "cancelled")}
    there = await context.db.read(lambda c: _open_work(c, context.task.id, closed))
    open_work = [] if _wraps_up(context) else there  # all others have stopped
    given = [each.title for each in context.staged(Assign)]
    if open_work or given:
        raise ToolRefused(_unfinished(open_work, given, context.agent.id))
    context.check_seen("Not finished")
    deliverables = await check_files(context, arguments.deliverables)
    missing = await _missing(context)
    if (await protections(context)).finish and not _wraps_up(context):
        await ask_first(context, "finish", {"report": arguments.report, "deliverables": deliverables})
    audit = context.options.audit_rounds > 0 and not missing
    lessons = tuple(" ".join(line.split())[:MAX_LESSON] for line in arguments.lessons if line.strip())
    vectors, _ = await vectors_of(context, lessons)  # without them they are found by keywords
    report = "" if context.options.by_runs else arguments.report
    asks = any(map(_is_asked, missing)) and context.task.attended and not _wraps_up(context)
    context.stage(Finish(report, deliverables, audit, lessons, vectors, missing, asks))
    name_task(context, arguments.title)
    context.ends_turn = True
    text = "An auditor checks the result now." if audit else "The task is finished."
    if missing:
        people = "People are asked whether they take it so." if asks else "The task ends as not finished."
        text = f"Missing: {told(missing)}. {people}"
    return ToolResult(text, Finished(audit))


async def _missing(context: ToolContext) -> tuple[Missing, ...]:
    """Return what is plainly missing. Raises ToolRefused the first time, so that it is made."""
    missing = await what_is_missing(context)
    asked = [each for each in missing if _is_asked(each)]
    if not asked or _wraps_up(context) or _was_told(context):
        return missing
    raise ToolRefused(
        f"Not finished: {told(asked)}. Make what is missing, whole, run it, then call finish again. "
        "Where it is meant to be so, call finish again and say why in the report.",
        outcome=Unfinished(tuple(dict.fromkeys(each.path for each in asked if each.path))),
    )


def _is_asked(missing: Missing) -> bool:
    """Return whether the boss is asked to make something, and people whether they take the result without it.

    A failed run was shown to the agent that ran it, and a small model has had its second try.
    """
    return missing.kind != "fails"


def _wraps_up(context: ToolContext) -> bool:
    """Return whether the task has to end now, with what there is."""
    read = [*context.facts.inbox, *(message for step in context.facts.past for message in step.messages)]
    return any(message.about == "wrap_up" for message in read)


def _was_told(context: ToolContext) -> bool:
    return any(isinstance(call.outcome, Unfinished) for step in context.facts.past for call in step.calls)


async def _check_words(context: ToolContext) -> None:
    """Check that no message of people is open; those to agents that cannot run are forwarded to the boss.
    Raises ToolRefused."""
    reading = {message.id for message in context.facts.inbox}
    words = await context.db.read(lambda c: open_messages(c, context.task.id, acting=context.agent.id))
    words = tuple(each for each in words if each.id not in reading)
    if not words:
        return
    if any(each.stranded for each in words):
        context.stage(CollectWords())
    lines = "".join(f"\n{each.quoted[:WORDS_CHARS]}" for each in words[:8])
    told = f"Not finished: people said this, and it is not acted on yet:{lines}\n"
    mine = any(each.stranded or each.to_id == context.agent.id for each in words)
    if mine or unanswered_people(context.facts):
        raise ToolRefused(
            f"{told}What was said to you comes to you now. While others act on theirs, end your turn; then "
            "call finish again."
        )
    context.ends_turn = True  # else one more answer would only say that it waits
    raise ToolRefused(f"{told}Your turn ends here. You are woken when nobody works on it; then finish again.")


def _is_judged(connection: Connection, task_id: int) -> bool:
    return connection.execute(sa.select(TASKS.c.auditor_id).where(TASKS.c.id == task_id)).scalar() is not None


def _unfinished(works: Sequence[AnyRow], given: Sequence[str], boss_id: int) -> str:
    """Return what is open, who has to act on it, and what the boss can do: it reviews what it gave itself."""
    lines = [f"#{work.id} {work.title} of {work.name} {_waits_for(work, boss_id)}" for work in works]
    lines += [f"{title} was given in this same answer" for title in given]
    mine = any(work.state == "submitted" and work.giver_id == boss_id for work in works)
    then = "Review what waits for you." if mine else "End your turn; submissions wake you."
    return f"Not finished: {'; '.join(lines[:8])}. {then} Dismiss who cannot do its part."


def _waits_for(work: AnyRow, boss_id: int) -> str:
    if work.state == "open":
        return "is open"
    return "waits for your review" if work.giver_id == boss_id else f"waits for the review of {work.giver}"


def _open_work(connection: Connection, task_id: int, closed: set[int]) -> list[AnyRow]:
    giver = AGENTS.alias("giver")
    query = (
        sa.select(
            ASSIGNMENTS.c.id,
            ASSIGNMENTS.c.title,
            ASSIGNMENTS.c.state,
            ASSIGNMENTS.c.giver_id,
            AGENTS.c.name,
            giver.c.name.label("giver"),
        )
        .join(AGENTS, AGENTS.c.id == ASSIGNMENTS.c.assignee_id)
        .join(giver, giver.c.id == ASSIGNMENTS.c.giver_id)
        .where(ASSIGNMENTS.c.task_id == task_id, ASSIGNMENTS.c.state.in_(("open", "submitted")))
        .order_by(ASSIGNMENTS.c.id)
    )
    return [row for row in connection.execute(query) if row.id not in closed]


FINISH = Tool("finish", "End the task with a truthful report.", FinishArguments, frozenset({"boss"}), finish)
