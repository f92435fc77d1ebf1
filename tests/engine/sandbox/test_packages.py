"""What the operator allows programs to import, installed from a wheel made here (tests need no internet)."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import NotConfigured
from engine.ports import RunRequest, Sandbox
from engine.sandbox import choose_sandbox, load_environment, prepare_environment
from engine.settings import EngineSettings
from engine.tools import specs_for

METADATA = "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A package of one module and one command."""
    path = tmp_path / "tinything-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tinything.py", "def main():\n    print('tiny')\n")
        archive.writestr("tinything-1.0.dist-info/METADATA", METADATA)
        archive.writestr("tinything-1.0.dist-info/WHEEL", WHEEL)
        archive.writestr(
            "tinything-1.0.dist-info/entry_points.txt", "[console_scripts]\ntiny=tinything:main\n"
        )
        archive.writestr("tinything-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a dropped user can pass: pytest's own folders are closed to others."""
    made = Path(tempfile.mkdtemp(prefix="environment-"))
    made.chmod(0o755)
    yield made / "environment"
    shutil.rmtree(made)


async def ran(sandbox: Sandbox, *argv: str) -> str:
    """What it printed."""
    assert sandbox.status().available, sandbox.status().reason
    return (await sandbox.run(RunRequest(argv, {}))).output.strip()


async def test_programs_import_what_the_operator_allows(folder: Path, wheel: Path) -> None:
    """Its modules and commands are there, agents are told of it, and programs cannot change it."""
    prepare_environment(folder, [str(wheel)])
    sandbox = choose_sandbox(folder)
    assert await ran(sandbox, "python", "-c", "import tinything; tinything.main()") == "tiny"
    assert await ran(sandbox, "tiny") == "tiny"
    spoil = "import tinything; open(tinything.__file__, 'a').write('spoiled')"
    assert "Error: [Errno" in await ran(sandbox, "python", "-c", spoil)
    assert await ran(sandbox, "tiny") == "tiny"
    assert sandbox.status().packages == ("tinything",)
    [run] = [s for s in specs_for("member", packages=sandbox.status().packages) if s.name == "run"]
    assert " with tinything; nothing can be installed." in run.description


async def test_a_package_that_cannot_be_installed_is_named_and_costs_nothing(
    folder: Path, wheel: Path
) -> None:
    """The set-up fails in plain words; with the old list all is as it was, and nothing is built again."""
    prepare_environment(folder, [str(wheel)])
    with pytest.raises(NotConfigured, match=r"could not install .*gone\.whl.*\(RUN_PACKAGES\)"):
        prepare_environment(folder, [str(wheel), str(wheel.with_name("gone.whl"))])
    heard: list[str] = []
    prepare_environment(folder, [str(wheel)], heard.append)
    assert len(heard) == 1 and "ready" in heard[0]
    assert load_environment(folder).names == ("tinything",)
    assert await ran(choose_sandbox(folder), "tiny") == "tiny"


@pytest.mark.parametrize("written", ["pytest, numpy>=2", '["pytest", "numpy>=2"]'])
def test_the_list_is_read_as_operators_write_it(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    """With commas, or as JSON."""
    monkeypatch.setenv("RUN_PACKAGES", written)
    assert EngineSettings(_env_file=None).run_packages == ("pytest", "numpy>=2")  # type: ignore[call-arg]
