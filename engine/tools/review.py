"""Tools submit, review and verdict: work is accepted by what files and runs show."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Literal

from pydantic import Field

from engine.domain.account import RunRecord, findings_of
from engine.domain.changes import FileChange
from engine.domain.checks import RUNNABLE, deciding, hidden_by_python, named, shown
from engine.domain.completeness import PROSE
from engine.domain.effects import ChangeAssignment, ShowRun, Verdict
from engine.domain.evidence import Evidence, concerned, evidence_of
from engine.domain.naming import address_key
from engine.domain.outcomes import Judged, Reviewed, Submitted, ToolResult
from engine.domain.state import AssignmentFacts
from engine.errors import Invalid
from engine.lifecycle.open_messages import unread_by, unread_on_work
from engine.lifecycle.run_evidence import last_run, ran_for
from engine.store.assignments import load_assignment, load_work
from engine.tools.base import LED, WORKERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.changes import history_of, paths_ever, since_assignment
from engine.tools.diff import since_review
from engine.tools.enclosed import NamedFiles, made_since
from engine.tools.files import current_files
from engine.tools.reading import check_read
from engine.tools.run import LONGEST_S, describe, execute
from engine.tools.run_files import keep_run_files
from engine.workspace import normal_path

MAX_CHANGED = 3_000
"""Characters of what changed since the rejection, in the message of a second submission."""


class SubmitArguments(Arguments):
    """Arguments of submit."""

    assignment: int
    summary: str = Field(min_length=1, description="what is done, how you saw it work")
    files: list[str] = Field(default_factory=list, max_length=50)


async def submit(context: ToolContext, arguments: SubmitArguments) -> ToolResult:
    """Run the assignment's check, then stage the submission. Raises ToolRefused when the check fails, and
    over words on this work that the member has not read."""
    work = await find_assignment(context, arguments.assignment)
    if work.assignee_id != context.agent.id:
        raise ToolRefused(f"Assignment #{work.id} belongs to {work.assignee}. {await _mine(context)}")
    if work.state != "open":
        raise ToolRefused(f"Assignment #{work.id} is {work.state}; only an open one can be submitted.")
    context.check_seen("Not submitted")
    await _check_read(context, work)
    listed = await check_files(context, arguments.files)
    note, outcome = arguments.summary, Submitted(work.id)
    if work.command:
        evidence = await _check(context, work)
        # Theirs last: it can look like ours.
        note = f"{evidence.text()}\n{context.agent.name} says: {arguments.summary}"
        passed = evidence.tests.passed if evidence.tests else 0
        kind: Literal["tests", "exit"] = "tests" if evidence.tests else "exit"
        altered = tuple(each.path for each in evidence.altered)
        outcome = Submitted(work.id, kind, passed, evidence.own, altered)
    changed = await since_assignment(context, work, listed)
    repaired = await since_review(context, work.id, MAX_CHANGED)
    diff = await made_since(context, work, listed) if repaired is None else repaired
    context.stage(
        ChangeAssignment(
            work.id,
            ("open",),
            "submitted",
            note,
            listed,
            diff,
            changed,
            said=arguments.summary,
            command=shown(work.command),
            checked=outcome.checked,
            passed=outcome.passed,
            again=repaired is not None,
            unrun=not work.command and await _ran_nothing(context, work, changed),
        )
    )
    context.ends_turn = True
    return ToolResult(f"Submitted to {work.giver}, who reviews it.", outcome)


async def _check_read(context: ToolContext, work: AssignmentFacts) -> None:
    """Check that nobody said anything on this work that comes only with the next step. Raises ToolRefused."""
    reading = {message.id for message in context.facts.inbox}
    unread = await context.db.read(lambda c: unread_on_work(c, context.agent.id, work))
    authors = dict.fromkeys(name for number, name in unread.items() if number not in reading)
    if authors:
        raise ToolRefused(
            f"Not submitted: {named(list(authors))} wrote to you meanwhile. You read it next; submit again "
            "once your work fits it."
        )


async def _ran_nothing(context: ToolContext, work: AssignmentFacts, changed: tuple[FileChange, ...]) -> bool:
    """Return whether the agent ran nothing since the work was given, or rejected; False for documents alone,
    of which nothing can be run."""
    documents = bool(changed) and all(each.path.lower().endswith(PROSE) for each in changed)
    if documents or context.staged(ShowRun):
        return False
    return not await context.db.read(lambda c: ran_for(c, context.task.id, context.agent.id, work.id))


async def _check(context: ToolContext, work: AssignmentFacts) -> Evidence:
    """Run an assignment's check. Return what it shows. Raises ToolRefused when it shows nothing.

    What it wrote is kept, as of any run of the member: it may be part of the work, or have to fit to it.
    """
    result, given = await execute(context, work.command, timeout_s=LONGEST_S, guarded=True, check=True)
    tests = result.tests
    if result.exit_code != 0 or result.ended != "exit" or (tests is not None and not tests.passed):
        hidden = named(hidden_by_python(given.files))
        hint = f"A check imports Python's own modules before yours of the same name: {hidden}.\n"
        nothing = "No test of it passed.\n" if tests is not None and not tests.passed else ""
        raise ToolRefused(
            f"Not submitted: its check failed. {describe(result)}\n{nothing}{hint if hidden else ''}"
            "Repair it, then submit again.",
            "check_failed",
        )
    ever = await paths_ever(context)
    paths = await asyncio.to_thread(concerned, work.command, given.files, ever)
    history = await history_of(context, paths)
    evidence = await asyncio.to_thread(
        evidence_of, work.command, context.agent.name, work.giver, tests, history, given.files
    )
    rewritten = sorted(path for path in deciding(work.command, given.files) if path in result.changed)
    bent = f"it rewrote, while it ran, what it goes by: {named(rewritten)}." if rewritten else evidence.bent
    if bent:
        raise ToolRefused(
            f"Not submitted: its check shows nothing, because {bent} Repair it, then submit again.",
            "check_failed",
        )
    await keep_run_files(context, result, given)
    return evidence


async def find_assignment(context: ToolContext, number: int) -> AssignmentFacts:
    """Return an assignment of the task as this step leaves it. Raises ToolRefused when there is none."""
    work = await context.db.read(lambda c: load_assignment(c, context.task.id, number))
    if work is None:
        raise ToolRefused(f"There is no assignment #{number}. {await _mine(context)}", "missing")
    for change in context.staged(ChangeAssignment):
        if change.assignment_id == number:
            work = replace(work, state="open" if change.state == "rejected" else change.state)
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


async def check_files(context: ToolContext, files: list[str]) -> tuple[str, ...]:
    """Check that all paths are files of the task, or folders, which stand for the files in them. Return them
    in normal spelling. Raises ToolRefused."""
    found: dict[str, None] = {}
    rows = await context.db.read(lambda c: current_files(c, context.task.id))
    present = {row.path for row in rows} | {p for p, f in context.files.items() if f.blob is not None}
    for name in files:
        try:
            path = normal_path(name.rstrip("/"))
        except Invalid as error:
            raise ToolRefused(str(error)) from error
        inside = sorted(each for each in present if each.startswith(f"{path}/"))
        if path not in present and not inside:
            raise ToolRefused(f"There is no file {path}. Write it first, or leave it out.", "missing")
        found |= dict.fromkeys([path] if path in present else inside)
    return tuple(found)


class ReviewArguments(Arguments):
    """Arguments of review."""

    assignment: int
    verdict: Literal["accept", "reject"]
    feedback: str = Field("", description="the exact defect")
    wait: bool = Field(False, description="true: end your turn")


async def review(context: ToolContext, arguments: ReviewArguments) -> ToolResult:
    """Stage the review of a member's submission. Raises ToolRefused."""
    work = await find_assignment(context, arguments.assignment)
    if work.giver_id != context.agent.id:
        raise ToolRefused(f"Assignment #{work.id} was given by {work.giver}, who reviews it.")
    if work.state != "submitted":
        raise ToolRefused(f"Assignment #{work.id} is {work.state}; only a submitted one can be reviewed.")
    if arguments.verdict == "reject" and not arguments.feedback.strip():
        raise ToolRefused("Say in feedback exactly what is wrong.")
    state: Literal["accepted", "rejected"] = "accepted" if arguments.verdict == "accept" else "rejected"
    newer = ""
    if state == "rejected":
        said = f"{work.title}\n{work.details}\n{arguments.feedback}"
        newer = await NamedFiles(context).newer(said, address_key(work.assignee))
    context.stage(ChangeAssignment(work.id, ("submitted",), state, arguments.feedback, newer=newer))
    context.ends_turn = context.ends_turn or arguments.wait
    return ToolResult(f"Assignment #{work.id} {state}.", Reviewed(work.id, state == "accepted"))


class VerdictArguments(Arguments):
    """Arguments of verdict."""

    verdict: Literal["accept", "reject"]
    findings: str = Field(min_length=1, description="what you ran and saw; each defect and how to see it")


async def verdict(context: ToolContext, arguments: VerdictArguments) -> ToolResult:
    """Stage the auditor's verdict. Raises ToolRefused when runs decide and contradict it, and for an
    acceptance of documents that were not read to their end."""
    reading = {message.id for message in context.facts.inbox}
    if await context.db.read(lambda c: unread_by(c, context.agent.id) - reading):
        raise ToolRefused("Not yet: you have not read all that people said. The rest comes now; judge then.")
    accepts, by_runs = arguments.verdict == "accept", context.options.by_runs
    findings = arguments.findings
    if by_runs:
        seen = await _last_run(context)
        await _check_by_runs(context, seen, accepts=accepts)
        findings = findings_of(seen) if accepts or seen else findings
    elif accepts:
        await check_read(context)
    if accepts:
        context.check_seen("Not accepted")
    if context.staged(Verdict):
        raise ToolRefused("You gave your verdict before, in this same answer.")
    last = context.task.audit_round >= context.options.audit_rounds
    context.stage(Verdict(accepts, findings, last, by_runs))
    context.ends_turn = True
    return ToolResult("Noted.", Judged(accepts))


async def _last_run(context: ToolContext) -> RunRecord | None:
    """Return the agent's last run, as this step leaves it."""
    staged = [RunRecord(ran.command, ran.exit_code, ran.ended, ran.output) for ran in context.staged(ShowRun)]
    stored = await context.db.read(lambda c: last_run(c, context.task.id, context.agent.id))
    return staged[-1] if staged else stored


async def _check_by_runs(context: ToolContext, last: RunRecord | None, *, accepts: bool) -> None:
    if last is not None and accepts != last.well:
        other = "reject" if accepts else "accept"
        raise ToolRefused(f"Your last run says otherwise: {findings_of(last)} The verdict is {other}.")
    if last is None and accepts and await _has_programs(context):
        raise ToolRefused("You have run nothing. Run it, or reject what cannot be run.")


async def _has_programs(context: ToolContext) -> bool:
    rows = await context.db.read(lambda c: current_files(c, context.task.id))
    return any(row.path.endswith(RUNNABLE) for row in rows)


SUBMIT = Tool("submit", "Submit an assignment.", SubmitArguments, LED, submit, slow=True)
REVIEW = Tool("review", "Accept or reject a submission.", ReviewArguments, WORKERS, review)
VERDICT = Tool("verdict", "Judge the result.", VerdictArguments, frozenset({"auditor"}), verdict)
