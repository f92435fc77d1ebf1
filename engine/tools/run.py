"""Tools run and send_input: a program in a temporary copy of the files, contained by the sandbox."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from engine.domain.checks import asks_on, runs_tests, shown
from engine.domain.effects import ShowRun
from engine.domain.outcomes import Ran, Running, ToolResult
from engine.errors import Invalid, NotConfigured
from engine.ports import RunRequest, RunResult
from engine.tools.base import EVERYONE, MAX_RESULT, Arguments, Tool, ToolContext, ToolRefused, clip
from engine.tools.checkout import Checkout
from engine.tools.files import checkout_to_run
from engine.tools.run_files import keep_run_files
from engine.tools.sessions import Sessions

SHOWN = 1_500
SEND_WAIT_S = 5.0
LONGEST_S = 120.0
"""Seconds that a run may ask for, and that a check of an assignment has."""


class RunArguments(Arguments):
    """Arguments of run."""

    command: list[str] = Field(min_length=1, max_length=40, description='such as ["python", "main.py"]')
    stdin: str = Field("", description="what the program reads")
    timeout_s: float = Field(30, gt=0, le=LONGEST_S)
    keep_open: bool = Field(False, description="true: it stays open, and you talk to it with send_input")


class SendInputArguments(Arguments):
    """Arguments of send_input."""

    text: str = Field("", max_length=20_000, description="what you type; a line ends with \\n")
    close: bool = Field(False, description="true: end the program")


async def run(context: ToolContext, arguments: RunArguments) -> ToolResult:
    """Run a program, stage the files it changed, return its output. Raises ToolRefused."""
    if arguments.keep_open:
        return await _start(context, arguments)
    command = tuple(arguments.command)
    result, given = await execute(context, command, arguments.stdin, arguments.timeout_s)
    return await _ended(context, result, given, context.options.output_chars)


async def _start(context: ToolContext, arguments: RunArguments) -> ToolResult:
    sessions = _sessions(context)
    command = shown(arguments.command)
    given = await checkout_to_run(context)
    argv, wait = tuple(arguments.command), context.options.run_timeout_s
    # Tests say the same here as in a run to the end and as a check.
    request = RunRequest(argv, given.files, arguments.stdin.encode(), wait, runs_tests(argv))
    call = (context.facts.step, context.slot())
    try:
        first = await sessions.start(context.agent.id, context.sandbox, request, command, given, call)
    except (NotConfigured, Invalid) as error:
        if isinstance(error, NotConfigured):
            raise ToolRefused(f"{error} Go on without running.", "unavailable") from error
        raise ToolRefused(str(error)) from error
    return await _conversed(context, first, command, given)


async def send_input(context: ToolContext, arguments: SendInputArguments) -> ToolResult:
    """Send input to the program that `run` with keep_open started in this turn. Raises ToolRefused."""
    sessions = _sessions(context)
    talk = sessions.of(context.agent.id)
    if talk is None:
        raise ToolRefused(
            "No program of yours is running: it was not started in this turn, or the engine was restarted "
            "meanwhile. Start it with run and keep_open true.",
            "missing",
        )
    if arguments.close:
        return await _conversed(context, await talk.session.close(), talk.command, talk.given)
    call = (context.facts.step, context.slot())
    result = await sessions.send(context.agent.id, arguments.text, SEND_WAIT_S, call)
    return await _conversed(context, result or await talk.session.close(), talk.command, talk.given)


def _sessions(context: ToolContext) -> Sessions:
    if context.sessions is None:
        raise ToolRefused("Programs cannot be kept open here. Give the whole input in stdin.", "unavailable")
    return context.sessions


async def _conversed(context: ToolContext, result: RunResult, command: str, given: Checkout) -> ToolResult:
    """Return the program's output; once it has ended, also stage the files it left."""
    if result.exit_code == -1 and result.ended == "exit":
        said = clip(result.output) or "(no output)"
        return ToolResult(f"running\n{said}\n(send_input answers it; it ends with your turn)", Running())
    context.stage(ShowRun(command, result.exit_code, result.ended, clip(result.output, SHOWN)))
    return await _ended(context, result, given)


async def _ended(
    context: ToolContext, result: RunResult, given: Checkout, limit: int = MAX_RESULT
) -> ToolResult:
    """Return the result of a program that ended, and stage the files it left."""
    kept = await keep_run_files(context, result, given)
    outcome = Ran(result.exit_code, result.ended, asks_on(result.output))
    steady = describe(replace(result, seconds=0.0), limit) + kept
    return ToolResult(describe(result, limit) + kept, outcome, steady)


async def execute(
    context: ToolContext,
    command: tuple[str, ...],
    stdin: str = "",
    timeout_s: float = 30.0,
    guarded: bool = False,
    check: bool = False,
) -> tuple[RunResult, Checkout]:
    """Run `command` on the files as this step sees them and show it to people. Raises ToolRefused.

    Tests always run guarded, so that they give the same result here as in a check. A call repeated after a
    stale commit gets the same result again; a `check` takes that of the same command on the same files.
    """
    given = await checkout_to_run(context)
    limit = min(timeout_s, context.options.run_timeout_s * 4)
    request = RunRequest(command, given.files, stdin.encode(), limit, guarded or runs_tests(command))
    agent, call, results = context.agent.id, (context.facts.step, context.slot()), context.results
    kept = results.of_call(agent, call, request)
    if kept is None and check and (kept := results.of_same(agent, request, given)):
        return kept.result, kept.given
    if kept is None:
        result = await _run(context, request)
        results.keep(agent, call, request, given, result)
    else:
        result, given = kept.result, kept.given
    said = clip(result.output, SHOWN)
    typed = len(stdin.splitlines())
    context.stage(ShowRun(shown(command), result.exit_code, result.ended, said, typed))
    return result, given


async def _run(context: ToolContext, request: RunRequest) -> RunResult:
    try:
        return await context.sandbox.run(request)
    except NotConfigured as error:
        raise ToolRefused(
            f"Programs cannot be run on this machine: {error} Go on without running.", "unavailable"
        ) from error
    except Invalid as error:
        raise ToolRefused(str(error)) from error


def describe(result: RunResult, limit: int = MAX_RESULT) -> str:
    """Describe a run for the model, its output within `limit` characters."""
    ends = {"exit": f"exit code {result.exit_code}", "timeout": "stopped: it took too long"}
    how = ends.get(result.ended, f"stopped: too much {result.ended}")
    return f"{how}, {result.seconds:.1f} s\n{clip(result.output, limit) or '(no output)'}"


RUN = Tool("run", "Run a program on a copy of the files.", RunArguments, EVERYONE, run, slow=True)
INPUT = Tool(
    "send_input",
    "Type into the program you keep open.",
    SendInputArguments,
    EVERYONE,
    send_input,
    slow=True,
)
