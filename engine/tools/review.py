"""submit, review, verdict: work is accepted by what the files and runs show."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.domain.effects import ChangeAssignment, Verdict
from engine.domain.offer import calls_of, ran, ran_well
from engine.domain.state import Work
from engine.errors import Invalid
from engine.store.load import load_assignment, load_work
from engine.tools.base import LED, WORKERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.files import current_files
from engine.tools.run import describe, execute
from engine.workspace import normal_path


class SubmitArguments(Arguments):
    """Arguments of submit."""

    assignment: int = Field(description="its number")
    summary: str = Field(min_length=1, description="what is done and how you saw that it works")
    files: list[str] = Field(default_factory=list, max_length=50, description="the files it is in")


async def submit(context: ToolContext, arguments: SubmitArguments) -> str:
    """Check the evidence, then stage the submission. No evidence, no submission."""
    work = await _find(context, arguments.assignment)
    if work.assignee_id != context.agent.id:
        raise ToolRefused(f"Assignment #{work.id} belongs to {work.assignee}. {await _mine(context)}")
    if work.state != "open":
        raise ToolRefused(f"Assignment #{work.id} is {work.state}; only an open one can be submitted.")
    await check_files(context, arguments.files)
    if work.command:
        result = await execute(context, work.command)
        if result.exit_code != 0:
            raise ToolRefused(
                f"Not submitted: its check failed. {describe(result)}\nMend it, then submit again."
            )
    context.stage(
        ChangeAssignment(work.id, ("open",), "submitted", arguments.summary, tuple(arguments.files))
    )
    context.ends_turn = True
    return f"Submitted to {work.giver}, who reviews it."


async def _find(context: ToolContext, number: int) -> Work:
    work = await context.db.read(lambda c: load_assignment(c, context.task.id, number))
    if work is None:
        raise ToolRefused(f"There is no assignment #{number}. {await _mine(context)}")
    return work


async def _mine(context: ToolContext) -> str:
    work = await context.db.read(lambda c: load_work(c, context.agent.id))
    mine = [f"#{w.id} {w.title} (yours, {w.state})" for w in work if w.assignee_id == context.agent.id]
    mine += [
        f"#{w.id} {w.title} (given to {w.assignee}, {w.state})"
        for w in work
        if w.giver_id == context.agent.id
    ]
    return f"Open now: {'; '.join(mine)}." if mine else "You have no open assignments."


async def check_files(context: ToolContext, files: list[str]) -> None:
    """Raises ToolRefused for a path that is no file of the task."""
    rows = await context.db.read(lambda c: current_files(c, context.task.id))
    present = {row.path for row in rows} | {p for p, f in context.files.items() if f.blob is not None}
    for name in files:
        try:
            path = normal_path(name)
        except Invalid as error:
            raise ToolRefused(str(error)) from error
        if path not in present:
            raise ToolRefused(f"There is no file {path}. Write it before you submit, or leave it out.")


class ReviewArguments(Arguments):
    """Arguments of review."""

    assignment: int = Field(description="its number")
    verdict: Literal["accept", "reject"]
    feedback: str = Field("", description="the exact defect, when rejected")


async def review(context: ToolContext, arguments: ReviewArguments) -> str:
    """Stage the verdict on a member's submission."""
    work = await _find(context, arguments.assignment)
    if work.giver_id != context.agent.id:
        raise ToolRefused(f"Assignment #{work.id} was given by {work.giver}, who reviews it.")
    if work.state != "submitted":
        raise ToolRefused(f"Assignment #{work.id} is {work.state}; only a submitted one can be reviewed.")
    if arguments.verdict == "reject" and not arguments.feedback.strip():
        raise ToolRefused("Say in feedback exactly what is wrong.")
    state: Literal["accepted", "rejected"] = "accepted" if arguments.verdict == "accept" else "rejected"
    context.stage(ChangeAssignment(work.id, ("submitted",), state, arguments.feedback))
    return f"Assignment #{work.id} {state}."


class VerdictArguments(Arguments):
    """Arguments of verdict."""

    verdict: Literal["accept", "reject"]
    findings: str = Field(min_length=1, description="what you ran and saw; each defect and how to see it")


async def verdict(context: ToolContext, arguments: VerdictArguments) -> str:
    """Stage the auditor's judgement; where it goes by runs, one that they contradict is refused."""
    if context.options.by_runs:
        _check_by_runs(context, accepts=arguments.verdict == "accept")
    last = context.task.audit_round >= context.options.audit_rounds
    context.stage(Verdict(arguments.verdict == "accept", arguments.findings, last))
    context.ends_turn = True
    return "Noted."


def _check_by_runs(context: ToolContext, *, accepts: bool) -> None:
    runs = [call for call in calls_of(context.scene) if ran(call)]
    if runs and accepts != ran_well(runs[-1]):
        other = "reject" if accepts else "accept"
        raise ToolRefused(f"Your last run says otherwise: {runs[-1].result[:80]!r}. The verdict is {other}.")
    if not runs and accepts:
        raise ToolRefused("You have run nothing. Run it, or reject what cannot be run.")


SUBMIT = Tool("submit", "Hand in an assignment.", SubmitArguments, LED, submit)
REVIEW = Tool("review", "Accept or reject a submission.", ReviewArguments, WORKERS, review)
VERDICT = Tool("verdict", "Judge the result.", VerdictArguments, frozenset({"auditor"}), verdict)
