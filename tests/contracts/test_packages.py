"""Packages of a task, every backend: asking, permission, pins that agents at work at once agree on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from engine import TurnOptions
from engine.commands import AnswerGate, StartTask
from engine.domain.packages import PackagePolicy, Pin, wanted_of
from engine.events import PackagesAdded
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest, RunResult
from engine.store.core import EVENTS, GATES, PACKAGES
from engine.tools import ToolOptions
from tests.contracts.conftest import World, still
from tests.fakes.cast import View
from tests.fakes.parts import FakeSandbox


def pin(name: str, version: str) -> Pin:
    """A wheel of that name and version."""
    return Pin(name, version, f"{name}-{version}-py3-none-any.whl", f"{name}{version}".ljust(64, "0"))


@dataclass
class Shelf:
    """Packages that need no index: each fetch gets the next version, or the one that is pinned already.

    The first `together` fetches wait for each other, so that agents commit what they could not know of.
    """

    together: int = 1
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def fetch(self, wanted: Sequence[str], pins: Sequence[Pin]) -> tuple[Pin, ...]:
        """Return a pin of each, of a version of its own."""
        self.asked.append(tuple(wanted))
        number = len(self.asked)
        while len(self.asked) < self.together:  # noqa: ASYNC110 - until the others ask
            await asyncio.sleep(0.005)
        known = {each.name for each in pins}
        return tuple(
            pin(name, f"1.{number}") for text in wanted if (name := wanted_of(text).name) not in known
        )

    async def site(self, pins: Sequence[Pin]) -> Path:
        """A folder that says what is in it."""
        return Path("/", *sorted(each.shown.replace(" ", "-") for each in pins))


def options(allowed: tuple[str, ...]) -> TurnOptions:
    """What is not allowed is asked for."""
    return TurnOptions(
        tools=ToolOptions(plan_approval_over=1_000, audit_rounds=0, packages=PackagePolicy(allowed, "ask"))
    )


async def test_members_at_once_agree_on_one_version_of_a_package(world: World) -> None:
    """Three fetch the same name at the same time and get three versions: one is the task's, all use it."""
    heard: dict[str, str] = {}

    def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        if view.name == "Boss":
            crew = [{"name": n, "role": "w", "task": "Use oak."} for n in ("Ada", "Ben", "Cy")]
            return (
                say("I see.") if view.did("recruit") else call(("recruit", {"members": crew, "wait": True}))
            )
        if not view.did("install_packages"):
            return call(("install_packages", {"packages": ["oak"]}), ("run", {"command": ["python", "x.py"]}))
        heard[view.name] = view.all
        return say("Done.")

    shelf, sandbox = Shelf(together=3), FakeSandbox(lambda _: RunResult(0, "ok"))
    engine = await world.start(script, turn=options(("oak",)), packages=shelf, sandbox=sandbox)
    await engine.handle(StartTask("g", "me", "here"))
    await world.until(lambda: still(world))
    [kept] = await world.rows(sa.select(PACKAGES))
    assert len(heard) == 3 and len(sandbox.requests) == 3
    assert {request.packages for request in sandbox.requests} == {Path("/", f"oak-{kept.version}")}
    added = sa.select(EVENTS.c.seq).where(EVENTS.c.kind == PackagesAdded.__name__)
    assert len(await world.rows(added)) == 1


async def test_a_workspace_names_its_packages_and_people_decide(world: World) -> None:
    """A pyproject.toml and a requirements.txt of the workspace: what is not allowed waits for a person. What
    one allows is fetched, what one refuses is not asked for again."""
    project = '[project]\nname = "x"\nversion = "1"\ndependencies = ["oak>=1", "elm"]\n'
    files = [
        ("write_file", {"path": "pyproject.toml", "content": project}),
        ("write_file", {"path": "requirements.txt", "content": "# more\nyew==1.0  # poison\n"}),
    ]
    heard: list[str] = []

    def script(request: ChatRequest) -> ChatAnswer:
        view = View(request)
        heard.append(view.last)
        if not view.did("write_file"):
            return call(*files, ("install_packages", {"file": "pyproject.toml"}))
        if "allowed" in view.last and "from now on" not in view.all:
            return call(
                ("install_packages", {"file": "pyproject.toml"}),
                ("install_packages", {"file": "requirements.txt"}),
            )
        if "refused the packages" in view.last:
            return call(("install_packages", {"file": "requirements.txt"}))
        return say("I see.")

    async def decide(choice: str) -> None:
        await world.until(asks)
        gate = (await asks())[0]
        await engine.handle(AnswerGate(gate.id, "me", choice))
        await world.until(lambda: still(world))

    async def asks() -> list[sa.Row[tuple[int]]]:
        return await world.rows(sa.select(GATES.c.id, GATES.c.question).where(GATES.c.basis.is_(None)))

    shelf = Shelf()
    engine = await world.start(script, turn=options(("oak",)), packages=shelf)
    await engine.handle(StartTask("g", "me", "here"))
    await decide("allow_packages")
    await decide("refuse_packages")
    assert shelf.asked == [("oak>=1", "elm")]
    pins = [row.name for row in await world.rows(sa.select(PACKAGES.c.name).order_by(PACKAGES.c.name))]
    assert pins == ["elm", "oak"]
    assert any("The people refused yew. Do without." in text for text in heard)
