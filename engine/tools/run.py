"""Tools run and send_input: a program in a temporary copy of the files, contained by the sandbox."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import replace

from pydantic import Field

from engine.domain.checks import runs_tests, shown
from engine.domain.effects import ShowRun
from engine.domain.inconclusive import Lack, lack_of
from engine.domain.loading import read_by
from engine.domain.outcomes import Ran, Running, ToolResult
from engine.errors import Invalid, NotConfigured
from engine.ports import RunRequest, RunResult
from engine.tools.base import EVERYONE, MAX_RESULT, Arguments, Tool, ToolContext, ToolRefused, clip
from engine.tools.checkout import Checkout
from engine.tools.command_line import Command
from engine.tools.files import checkout_to_run
from engine.tools.install import site_now
from engine.tools.protected import ask_first, protections, run_arguments
from engine.tools.run_files import keep_run_files
from engine.tools.sessions import Conversation, Sessions, is_over

SHOWN = 1_500
TALK_SHOWN = 6_000
"""Characters of a conversation that are kept."""

_LACKED = re.compile(r"ModuleNotFoundError: No module named '([^'\n]+)'")
MOST_DEPENDS = 200
"""Files kept with a run as those that it depends on."""

SEND_WAIT_S = 5.0
LONGEST_S = 120.0
"""Seconds that a run may ask for, and that a check of an assignment has."""


class RunArguments(Arguments):
    """Arguments of run."""

    command: Command = Field(min_length=1, max_length=40, description='as ["sh", "-c", "..."]')
    stdin: str = ""
    timeout_s: float = Field(30, gt=0, le=LONGEST_S, description=f"{LONGEST_S:.0f} at most")
    keep_open: bool = Field(False, description="true: it stays open, you get send_input")


class SendInputArguments(Arguments):
    """Arguments of send_input."""

    text: str = Field("", max_length=20_000, description="lines end with \\n")
    close: bool = Field(False, description="true: end the program")


async def run(context: ToolContext, arguments: RunArguments) -> ToolResult:
    """Run a program, stage the files it changed, return its output. Raises ToolRefused."""
    if arguments.keep_open:
        return await _start(context, arguments)
    command = tuple(arguments.command)
    result, given = await execute(context, command, arguments.stdin, arguments.timeout_s)
    return await _ended(context, command, result, given, context.options.output_chars)


async def _start(context: ToolContext, arguments: RunArguments) -> ToolResult:
    sessions = _sessions(context)
    await close_conversation(context)
    command = shown(arguments.command)
    given = await checkout_to_run(context)
    argv, wait = tuple(arguments.command), context.options.run_timeout_s
    await _agreed(context, argv, arguments.stdin, given)
    # Tests say the same here as in a run to the end and as a check.
    site = await site_now(context)
    request = RunRequest(argv, given.files, arguments.stdin.encode(), wait, runs_tests(argv), site)
    try:
        talk, first = await sessions.start(
            context.agent.id, context.sandbox, request, command, given, _call(context)
        )
    except (NotConfigured, Invalid) as error:
        if isinstance(error, NotConfigured):
            raise ToolRefused(f"{error} Go on without running.", "unavailable") from error
        raise ToolRefused(str(error)) from error
    return await _conversed(context, talk, first)


async def send_input(context: ToolContext, arguments: SendInputArguments) -> ToolResult:
    """Send input to the program that `run` with keep_open started in this turn. Raises ToolRefused."""
    sessions, call = _sessions(context), _call(context)
    talk = sessions.of_call(context.agent.id, call)
    if talk is None:
        raise ToolRefused(
            "No program of yours is running: it was not started in this turn, or the engine was restarted "
            "meanwhile. Start it with run and keep_open true.",
            "missing",
        )
    if talk.last is not None and call not in talk.answers:
        raise ToolRefused(
            f"It has ended: {_how(talk.last)}. Start it again with run and keep_open.", "missing"
        )
    if arguments.close:
        result = await sessions.end(talk, call)
    else:
        result = await sessions.send(talk, arguments.text, SEND_WAIT_S, call)
    return await _conversed(context, talk, result)


def _call(context: ToolContext) -> tuple[int, int]:
    return context.facts.step, context.slot()


async def close_conversation(context: ToolContext) -> None:
    """End the program that the agent still keeps open, show it and stage the files it left."""
    if context.sessions is None:
        return
    call = _call(context)
    talk = context.sessions.of_call(context.agent.id, call)
    if talk is not None and (talk.last is None or call in talk.answers):
        await _conversed(context, talk, await context.sessions.end(talk, call))


def _sessions(context: ToolContext) -> Sessions:
    if context.sessions is None:
        raise ToolRefused("Programs cannot be kept open here. Give the whole input in stdin.", "unavailable")
    return context.sessions


async def _conversed(context: ToolContext, talk: Conversation, result: RunResult) -> ToolResult:
    """Return the program's output; once it has ended, show the whole conversation and stage what it left."""
    if not is_over(result):
        said = clip(result.output) or "(no output)"
        return ToolResult(f"running\n{said}\n(send_input answers it; it ends with your turn)", Running())
    depends = await _depends(talk.argv, talk.given)
    said, lack = clip(talk.text, TALK_SHOWN), _lack(talk.argv, result, talk.given)
    context.stage(
        ShowRun(
            talk.command,
            result.exit_code,
            result.ended,
            said,
            talk.typed,
            depends,
            talked=True,
            lack=lack.want,
        )
    )
    return await _ended(context, talk.argv, result, talk.given)


async def _depends(command: tuple[str, ...], given: Checkout) -> tuple[str, ...] | None:
    """Return the files that a run depends on, None when none is known or they are too many to keep."""
    found = await asyncio.to_thread(read_by, command, given.files)
    return tuple(found) if 0 < len(found) <= MOST_DEPENDS else None


def _lack(command: tuple[str, ...], result: RunResult, given: Checkout) -> Lack:
    return (
        lack_of(command, result.exit_code, result.output, given.files) if result.ended == "exit" else Lack()
    )


async def _ended(
    context: ToolContext,
    command: tuple[str, ...],
    result: RunResult,
    given: Checkout,
    limit: int = MAX_RESULT,
) -> ToolResult:
    """Return the result of a program that ended, and stage the files it left."""
    kept = await keep_run_files(context, result, given) + _missing(context, result, given)
    lack = _lack(command, result, given)
    outcome = Ran(result.exit_code, result.ended, lack.want, lack.path)
    steady = describe(replace(result, seconds=0.0), limit) + kept
    return ToolResult(describe(result, limit) + kept, outcome, steady)


def _own_modules(paths: Iterable[str]) -> set[str]:
    """Return the names under which the task's own files can be imported, in whatever folder they are."""
    parts = (part for path in paths if path.endswith(".py") for part in path.removesuffix(".py").split("/"))
    return set(parts)


def _missing(context: ToolContext, result: RunResult, given: Checkout) -> str:
    """Return how to get a module that a program lacked, "" where that cannot be."""
    lacked = {name.partition(".")[0] for name in _LACKED.findall(result.output)}
    if context.packages is None or context.agent.role == "auditor" or lacked <= _own_modules(given.files):
        return ""
    named = [path for path in ("requirements.txt", "pyproject.toml") if path in given.files]
    return f"\n(install_packages gets what is missing{f', also by {named[0]}' if named else ''})"


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
    site = await site_now(context)
    request = RunRequest(command, given.files, stdin.encode(), limit, guarded or runs_tests(command), site)
    agent, call, results = context.agent.id, (context.facts.step, context.slot()), context.results
    kept = results.of_call(agent, call, request)
    if kept is None and check and (kept := results.of_same(agent, request, given)):
        return kept.result, kept.given
    if kept is None:
        await _agreed(context, command, stdin, given)
        result = await _run(context, request)
        results.keep(agent, call, request, given, result)
    else:
        result, given = kept.result, kept.given
    said = clip(result.output, SHOWN)
    typed = len(stdin.splitlines())
    depends, tests = await _depends(command, given), runs_tests(command)
    lack = _lack(command, result, given)
    context.stage(
        ShowRun(
            shown(command),
            result.exit_code,
            result.ended,
            said,
            typed,
            depends,
            tests,
            lack=lack.want,
        )
    )
    return result, given


async def _agreed(context: ToolContext, command: tuple[str, ...], stdin: str, given: Checkout) -> None:
    """Ask the people first where programs are protected. Raises ToolRefused unless it may be run now."""
    if (await protections(context)).run:
        depends = await _depends(command, given)
        await ask_first(context, "run", await run_arguments(command, stdin, given.files, depends))


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
    return f"{_how(result)}, {result.seconds:.1f} s\n{clip(result.output, limit) or '(no output)'}"


def _how(result: RunResult) -> str:
    tests = result.tests
    said = (
        f" ({tests.runner}, in one process with the code it tests, counted {tests.passed} of "
        f"{tests.collected} without a failure: no proof)"
        if tests and result.exit_code == 0
        else ""
    )
    ends = {
        "exit": f"exit code {result.exit_code}{said}",
        "timeout": "stopped: it took too long",
        "killed": "stopped: it was killed",
        "closed": "ended by you",
    }
    return ends.get(result.ended, f"stopped: too much {result.ended}")


RUN = Tool("run", "Run a program on the files.", RunArguments, EVERYONE, run, slow=True)
INPUT = Tool(
    "send_input",
    "Type into your open program.",
    SendInputArguments,
    EVERYONE,
    send_input,
    slow=True,
)
