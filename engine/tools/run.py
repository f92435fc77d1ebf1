"""run: a program in a throw-away copy of the files, contained by the sandbox."""

from __future__ import annotations

import shlex

from pydantic import Field

from engine.domain.effects import ShowRun
from engine.errors import Invalid, NotConfigured
from engine.ports import RunRequest, RunResult
from engine.tools.base import EVERYONE, Arguments, Tool, ToolContext, ToolRefused, clip
from engine.tools.files import checkout, current_blob, stage_file

SHOWN = 1_500
_JUNK = ("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache")


class RunArguments(Arguments):
    """Arguments of run."""

    command: list[str] = Field(min_length=1, max_length=40, description='such as ["python", "main.py"]')
    stdin: str = Field("", description="what the program reads")
    timeout_s: float = Field(30, gt=0, le=120)


async def run(context: ToolContext, arguments: RunArguments) -> str:
    """Run, stage the files it changed, tell what it printed."""
    result = await execute(context, tuple(arguments.command), arguments.stdin, arguments.timeout_s)
    kept = await _keep_files(context, result)
    return describe(result) + kept


async def execute(
    context: ToolContext, command: tuple[str, ...], stdin: str = "", timeout_s: float = 30.0
) -> RunResult:
    """Run `command` on the files as this step sees them and show it to people. Raises ToolRefused."""
    files = await checkout(context)
    limit = min(timeout_s, context.options.run_timeout_s * 4)
    try:
        result = await context.sandbox.run(RunRequest(command, files, stdin.encode(), limit))
    except NotConfigured as error:
        raise ToolRefused(
            f"Programs cannot be run on this machine: {error} Go on without running."
        ) from error
    except Invalid as error:
        raise ToolRefused(str(error)) from error
    shown = clip(result.output, SHOWN)
    context.stage(ShowRun(shlex.join(command)[:300], result.exit_code, result.ended, shown))
    return result


def describe(result: RunResult) -> str:
    """What happened, for the model."""
    ends = {"exit": f"exit code {result.exit_code}", "timeout": "stopped: it took too long"}
    how = ends.get(result.ended, f"stopped: too much {result.ended}")
    return f"{how}, {result.seconds:.1f} s\n{clip(result.output) or '(no output)'}"


async def _keep_files(context: ToolContext, result: RunResult) -> str:
    changed = {path: data for path, data in result.changed.items() if not _is_junk(path)}
    for path, data in sorted(changed.items()):
        before = await current_blob(context, path)
        blob = await context.workspace.put(context.task.id, data)
        if blob != before:
            stage_file(context, path, blob, before, len(data), "changed" if before else "added")
    lines = [f"\nfiles written: {', '.join(sorted(changed))}"] if changed else []
    lines += [f"\nnot kept: {', '.join(result.refused[:10])}"] if result.refused else []
    return "".join(lines)


def _is_junk(path: str) -> bool:
    return any(part in _JUNK for part in path.split("/")) or path.endswith(".pyc")


RUN = Tool("run", "Run a program on a copy of the files.", RunArguments, EVERYONE, run)
