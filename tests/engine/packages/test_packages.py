"""Packages from an index on loopback, by the real pip, for programs in the real sandbox."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.commands import AnswerGate
from engine.domain.packages import PackagePolicy
from engine.errors import Invalid
from engine.events import CodeRan, GateRaised, PackagesAdded
from engine.llm.scripted import call, say
from engine.packages import PipPackages
from engine.ports import ChatAnswer, Sandbox
from engine.store.core import PACKAGES
from tests.engine.autonomy.conftest import Stage, stage
from tests.engine.packages.index import Index, serving, wheel
from tests.engine.tools.conftest import real
from tests.fakes.cast import View

__all__ = ["real", "stage"]

PYTHON = Path(sys.executable)
MOST = 3_000_000
BUILT = Path(tempfile.gettempdir()) / f"built-by-pip-{os.getpid()}"
"""Where the source archive's own code would write."""

STARTED = "import os; os.environ['STARTED'] = 'yes'"
USE = (
    "import os, sys, oak, leaf\n"
    "import json\n"
    "print(oak.said, leaf.said, os.environ.get('STARTED'), json.__file__.startswith('/packages'))\n"
    "try:\n    open('/packages/oak.py', 'a')\nexcept OSError as error:\n    print('read only')\n"
)


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    """Good packages and bad ones."""
    made = Index()
    fake = {"json.py": "said = 'fake'\n", "pytest.py": "raise SystemExit(0)\n", "start.pth": STARTED + "\n"}
    made.add(*wheel("oak", "1.0", {"oak.py": "said = 'oak 1'\n", **fake}, needs="leaf>=1"))
    made.add(*wheel("oak", "2.0", {"oak.py": "said = 'oak 2'\n"}, needs="leaf>=2"))
    made.add(*wheel("leaf", "1.5", {"leaf.py": "said = 'leaf 1'\n"}))
    made.add(*wheel("leaf", "2.5", {"leaf.py": "said = 'leaf 2'\n"}))
    made.add(*wheel("climber", "1.0", {"../../../climber.py": "x"}))
    made.add(*wheel("huge", "1.0", {"huge.bin": os.urandom(MOST + 1_000_000)}))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        setup = f"open({str(BUILT)!r}, 'w')\nfrom setuptools import setup\nsetup()\n".encode()
        entry = tarfile.TarInfo("source-1.0/setup.py")
        entry.size = len(setup)
        tar.addfile(entry, io.BytesIO(setup))
    made.add("source-1.0.tar.gz", archive.getvalue())
    made.add(*wheel("builder", "1.0", {"builder.py": "said = 1\n"}))
    made.add(*wheel("builder", "2.0", {"builder.py": "said = 2\n"}, needs="source"))
    made.add(*wheel("birch", "1.0", {"birch.py": "said = 1\n"}))
    made.add(*wheel("birch", "1.1", {"birch.py": "said = 2\n"}))
    made.yanked.add("birch-1.1-py3-none-any.whl")
    with serving(made):
        yield made


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that the user of a run may enter, as the product's own is."""
    with tempfile.TemporaryDirectory(prefix="packages-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def packages(folder: Path, index: Index) -> PipPackages:
    """A fresh cache."""
    return PipPackages(folder / "packages", PYTHON, MOST, index.url)


async def test_a_set_is_on_the_disk_before_it_is_used(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power failure must not leave a set of empty files under the name of a whole one."""
    store = packages(tmp_path, index)
    pins = await store.fetch(["leaf"], ())
    sets = tmp_path / "packages" / "sets"
    there: list[list[Path]] = []
    monkeypatch.setattr(
        "engine.packages.store.sync_file_system", lambda folder: there.append(list(sets.iterdir()))
    )
    await store.site(pins)
    await store.site(pins)
    assert there == [[]]


async def test_packages_are_compiled_once_and_show_no_path_of_this_machine(
    tmp_path: Path, index: Index
) -> None:
    """No run compiles them; a traceback names a file where programs find it."""
    store = packages(tmp_path, index)
    site = await store.site(await store.fetch(["leaf"], ()))
    made = list(site.rglob("*.pyc"))
    assert made and all(path.stat().st_mode & 0o044 for path in made)
    assert str(tmp_path).encode() not in b"".join(path.read_bytes() for path in made)


async def test_pins_stay_and_are_fetched_again_by_their_hash(tmp_path: Path, index: Index) -> None:
    """What is needed comes too; a later request keeps to the versions there are; a lost cache is filled again
    by the same files, and by no other ones."""
    first = packages(tmp_path, index)
    pins = await first.fetch(["oak<2"], ())
    assert [(pin.name, pin.version) for pin in pins] == [("leaf", "2.5"), ("oak", "1.0")]
    site = await first.site(pins)
    assert (site / "oak.py").read_text() == "said = 'oak 1'\n" and not (site / "start.pth").exists()
    assert await first.fetch(["leaf"], pins) == ()
    with pytest.raises(Invalid, match="cannot go together"):
        await first.fetch(["leaf<2"], pins)
    elsewhere = packages(tmp_path / "other", index)
    again = await elsewhere.site(pins)
    assert (again / "leaf.py").exists() and again.name == site.name
    for path in (tmp_path / "packages" / "wheels").iterdir():  # damaged on the disk
        path.write_bytes(path.read_bytes()[:-9] + b"\0" * 9)
    shutil.rmtree(site)
    assert (await first.site(pins) / "oak.py").read_text() == "said = 'oak 1'\n"
    name, changed = wheel("leaf", "2.5", {"leaf.py": "said = 'evil'\n"})
    good = index.files["leaf"][name]
    index.files["leaf"][name] = changed
    try:
        with pytest.raises(Invalid, match="another file for leaf"):
            await packages(tmp_path / "third", index).site(pins)
    finally:
        index.files["leaf"][name] = good


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("source", "There is no wheel of source for this Python, only source, and nothing is built"),
        ("builder>1", "There is no wheel of source, which builder>1 needs, for this .*, only source"),
        ("nothing-of-that-name", "The index has no package nothing-of-that-name. Look at how"),
        ("leaf>9", "There is no wheel of leaf>9 for this Python and platform. Choose"),
        ("birch==1.1", "birch 1.1 was withdrawn by its authors. Ask for another version"),
        ("climber", "unsafe path"),
        ("huge", "larger than"),
    ],
)
async def test_what_cannot_be_had_is_said_in_a_sentence(
    tmp_path: Path, index: Index, wanted: str, words: str
) -> None:
    """Sources are not built, bad wheels not kept, large ones stopped; nothing is left behind."""
    store = packages(tmp_path, index)
    with pytest.raises(Invalid, match=words) as refused:
        await store.fetch([wanted], ())
    assert "\n" not in str(refused.value) and str(refused.value).endswith(".")
    assert not await asyncio.to_thread(BUILT.exists)
    left = [path for path in (tmp_path / "packages").rglob("*") if path.name not in ("wheels", "sets")]
    assert left == [] and not (tmp_path / "climber.py").exists()


async def test_an_older_version_than_the_newest_is_said_to_be_one(tmp_path: Path, index: Index) -> None:
    """One that was chosen because the newest needs what has no wheel; a withdrawn one is never chosen, and
    stays where a task had it before."""
    store = packages(tmp_path, index)
    pins = await store.fetch(["builder", "birch"], ())
    assert [(pin.shown, pin.older) for pin in pins] == [("birch 1.0", False), ("builder 1.0", True)]
    index.yanked.add("birch-1.0-py3-none-any.whl")
    try:
        again = await packages(tmp_path / "other", index).site(pins)
    finally:
        index.yanked.remove("birch-1.0-py3-none-any.whl")
    assert (again / "birch.py").exists()


async def test_without_a_network_the_agent_is_told_to_go_on(tmp_path: Path) -> None:
    """An index that does not answer."""
    nowhere = Index()
    nowhere.url = "http://127.0.0.1:9/simple"
    with pytest.raises(Invalid, match=r"cannot be reached to fetch oak\. Go on without"):
        await packages(tmp_path, nowhere).fetch(["oak"], ())


async def test_a_fetch_that_is_cut_off_leaves_nothing_and_is_repeated(tmp_path: Path, index: Index) -> None:
    """Cancelled at its start, or killed with its folder left: the next one works, and the folder goes."""
    store = packages(tmp_path, index)
    fetching = asyncio.create_task(store.fetch(["leaf"], ()))
    while not list((tmp_path / "packages").glob("fetch-*/pip.log")):  # noqa: ASYNC110 pip tells nobody
        await asyncio.sleep(0.01)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert not list((tmp_path / "packages").glob("fetch-*"))
    left = tmp_path / "packages" / "fetch-killed"
    (left / "out").mkdir(parents=True)
    os.utime(left, (1.0, 1.0))
    again = packages(tmp_path, index)
    assert not left.exists()
    assert [pin.shown for pin in await again.fetch(["leaf"], ())] == ["leaf 2.5"]


INSTALL = ("install_packages", {"file": "requirements.txt"})


async def test_people_allow_packages_and_programs_of_that_task_have_them(
    passable: Path, index: Index, stage: Stage, real: Sandbox
) -> None:
    """The agent hears that a module is missing and asks by the workspace's own file. What a person allows
    cannot be written, shadows nothing, starts nothing, and is pinned and reported. A module that a colleague
    has yet to write is no package."""
    heard: list[str] = []
    own: list[str] = []

    def boss(view: View) -> ChatAnswer:
        heard.append(view.last)
        own[:] = [m.content for m in view.request.messages if "No module named 'team.parts'" in m.content]
        use = ("run", {"command": ["python", "use.py"]})
        wrote = [("write_file", {"path": "use.py", "content": USE})]
        wrote.append(("write_file", {"path": "requirements.txt", "content": "oak<2  # for use.py\n"}))
        wrote.append(("write_file", {"path": "team/__init__.py", "content": ""}))
        if not view.did("write_file"):
            return call(*wrote, ("run", {"command": ["python", "-c", "import team.parts"]}), use)
        if not view.did("install_packages"):
            return call(INSTALL)
        if "allowed the packages" in view.last:
            return call(INSTALL)
        if "from now on" in view.last:
            return call(use, INSTALL, ("install_packages", {"packages": ["oak==2.0"]}))
        return call(("finish", {"report": "done"})) if "already" in view.last else say("Waiting.")

    policy = PackagePolicy((), "ask")
    play = await stage({"Boss": boss}, sandbox=real, fetcher=packages(passable, index), packages=policy)
    gate = await play.until(GateRaised, kind="packages")
    assert gate.question == "oak<2"
    await play.do(AnswerGate(gate.gate_id, "me", "allow_packages"))
    end = await play.end()
    assert own and "install_packages" not in own[0]
    assert any("install_packages gets what is missing, also by requirements.txt" in text for text in heard)
    assert any("This task has oak 1.0 already" in text for text in heard)
    [added] = play.of(PackagesAdded)
    assert added.packages == ("oak 1.0", "leaf 2.5")
    pins = await play.db.read(lambda c: c.execute(sa.select(PACKAGES.c.name, PACKAGES.c.sha256)).all())
    assert {pin.name for pin in pins} == {"oak", "leaf"} and all(len(pin.sha256) == 64 for pin in pins)
    assert "Python packages fetched for it: leaf 2.5, oak 1.0" in end.runs
    output = play.of(CodeRan, command="python use.py")[-1].output
    assert output.splitlines() == ["oak 1 leaf 2 None False", "read only"]


async def test_two_agents_at_once_pin_one_version_of_a_package(
    tmp_path: Path, index: Index, stage: Stage
) -> None:
    """Both ask for the same name; the record holds it once, and a policy's glob needs no person."""

    def boss(view: View) -> ChatAnswer:
        twice = [("install_packages", {"packages": ["leaf"]})] * 2
        return call(*twice) if view.steps == 0 else call(("finish", {"report": view.last}))

    policy = PackagePolicy(("le*",), "off")
    play = await stage({"Boss": boss}, fetcher=packages(tmp_path, index), packages=policy)
    end = await play.end()
    assert "Runs have them already: leaf 2.5" in end.report
    assert len(play.of(PackagesAdded)) == 1 and not play.of(GateRaised)
