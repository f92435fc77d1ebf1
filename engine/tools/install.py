"""Tool install_packages: Python packages for the programs of the task, within the operator's policy."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from engine.budget.team import open_questions
from engine.connectors.leaving import holds_foreign
from engine.domain.effects import AddPackages, AskPackages, RaiseGate
from engine.domain.outcomes import ToolResult
from engine.domain.packages import (
    MAX_PINS,
    MAX_WANTED,
    Pin,
    Wanted,
    check_hashes,
    sort_wanted,
    wanted_in,
    wanted_of,
)
from engine.errors import Invalid
from engine.store.packages import asked_of, pins_of
from engine.tools.ask_human import MAX_QUESTIONS
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.files import checked_path, read_text


class InstallArguments(Arguments):
    """Arguments of install_packages."""

    packages: list[str] = Field(default_factory=list, max_length=MAX_WANTED, description="such as pandas>=2")
    file: str = Field("", description="or requirements.txt, pyproject.toml")


async def install_packages(context: ToolContext, arguments: InstallArguments) -> ToolResult:
    """Fetch packages that are allowed and stage them; ask the people for others. Raises ToolRefused."""
    context.check_not_finished()
    if context.packages is None or not context.options.packages.on:
        raise ToolRefused("No packages can be installed here. Do without.", "unavailable")
    try:
        most = MAX_PINS if arguments.file else MAX_WANTED
        return await _install(context, await _wanted(context, arguments), most)
    except Invalid as error:
        raise ToolRefused(str(error)) from error


async def _wanted(context: ToolContext, arguments: InstallArguments) -> tuple[Wanted, ...]:
    named = {each.name: each for each in map(wanted_of, arguments.packages)}
    if arguments.file:
        path = checked_path(arguments.file)
        text, _ = await read_text(context, path)
        named = {each.name: each for each in wanted_in(path, text)} | named
    if not named:
        raise ToolRefused("Name the packages, or the file that names them.", "missing")
    return tuple(named.values())


async def _install(context: ToolContext, wanted: tuple[Wanted, ...], most: int) -> ToolResult:
    assert context.packages is not None
    pins = await pins_now(context)
    asked = await context.db.read(lambda c: asked_of(c, context.task.id))
    policy = context.options.packages
    # The index hears the name, which text from outside may have chosen, such as a file that people attached.
    if context.options.guard and await context.db.read(lambda c: holds_foreign(c, context.task.id)):
        policy = policy.without_wildcards()
    found = sort_wanted(wanted, policy, asked, pins, attended=context.task.attended, most=most)
    if found.ask:
        return await _ask(context, found.ask)
    if not found.fetch:
        return ToolResult(f"Runs have them already: {_shown(pins)}.")
    new = await context.packages.fetch([each.text for each in found.fetch], pins)
    check_hashes(found.fetch, new)
    if not new:
        return ToolResult(f"Runs have them already: {_shown(pins)}.")
    named = {each.name for each in found.fetch}
    new = tuple(sorted(new, key=lambda pin: pin.name not in named))  # lists are cut: what was asked for first
    context.stage(AddPackages(new))
    older = tuple(pin for pin in new if pin.older)
    note = ""
    if older:
        note = f" Newer versions of {_shown(older)} do not fit here, or need what has no wheel."
    return ToolResult(f"Runs of this task have from now on: {_shown(new)}.{note}")


async def _ask(context: ToolContext, wanted: tuple[Wanted, ...]) -> ToolResult:
    waiting = await context.db.read(lambda c: open_questions(c, context.agent.id))
    staged = len(context.staged(RaiseGate)) + len(context.staged(AskPackages))
    if waiting + staged >= MAX_QUESTIONS:
        raise ToolRefused(f"{MAX_QUESTIONS} of your questions wait for an answer. Go on without meanwhile.")
    context.stage(AskPackages(tuple(each.name for each in wanted), ", ".join(each.text for each in wanted)))
    context.ends_turn = True
    return ToolResult("The people are asked. The answer comes as a message; then call this again.")


def _shown(pins: tuple[Pin, ...]) -> str:
    return ", ".join(pin.shown for pin in pins)


async def pins_now(context: ToolContext) -> tuple[Pin, ...]:
    """Return the packages of the task, those included that this step adds."""
    pins = await context.db.read(lambda c: pins_of(c, context.task.id))
    known = {pin.name for pin in pins}
    added = (pin for effect in context.staged(AddPackages) for pin in effect.pins)
    return (*pins, *(pin for pin in added if pin.name not in known))


async def site_now(context: ToolContext) -> Path | None:
    """Return the folder of the task's packages for a run, None when it has none. Raises ToolRefused."""
    if context.packages is None:
        return None
    pins = await pins_now(context)
    try:
        return await context.packages.site(pins) if pins else None
    except Invalid as error:
        raise ToolRefused(f"Nothing was run: {error}", "unavailable") from error


INSTALL = Tool(
    "install_packages",
    "Get Python packages for runs of this task.",
    InstallArguments,
    WORKERS,
    install_packages,
    slow=True,
)
