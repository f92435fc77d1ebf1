"""Whatever kind of Python there is, programs inside get one that starts, or the reason is told."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import NotConfigured
from engine.ports import RunRequest
from engine.sandbox import choose_sandbox, interpreter, prepare_environment, probe
from engine.sandbox.interpreter import find_libraries

SAYS = "import json, ssl, sqlite3, sys; print(json.dumps([sys.prefix, sys.executable, sys.version]))"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a dropped user can pass, and which nothing inside covers."""
    made = Path(tempfile.mkdtemp(prefix="environment-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose lines are what the system's loader says of every program."""
    said = tmp_path / "said"
    ldd = tmp_path / "ldd"
    ldd.write_text(f"#!/bin/sh\ncat {said}\n")
    ldd.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return said


def test_a_copy_of_this_python_runs_inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a shared library or without: a host whose only Python lies in a home directory gets a sandbox."""
    monkeypatch.setattr(interpreter, "system_pythons", lambda inside: [])
    made = prepare_environment(folder / "env", [])
    sandbox = choose_sandbox(folder / "env")
    assert sandbox.status().available, sandbox.status().reason
    found = probe._run_aside(sandbox, RunRequest(("python", "-c", SAYS), {}))  # type: ignore[arg-type]
    assert json.loads(found.output) == ["/env", "/env/bin/python", sys.version]
    assert made.hidden == ()


def test_libraries_outside_are_at_their_own_paths_inside(
    folder: Path, loader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked up relative to the program or by the path set when it was built, a library is found."""
    base = folder / "python"
    own, foreign = base / "lib" / "libpython3.so.1.0", folder / "elsewhere" / "libother.so.1"
    for library in (own, foreign):
        library.parent.mkdir(parents=True, exist_ok=True)
        library.write_text(library.name)
    loader.write_text(f"\tlibpython => {base}/bin/../lib/{own.name} (0x01)\n\tother.so => {foreign} (0x02)\n")
    monkeypatch.setattr(interpreter, "system_pythons", lambda inside: [])
    monkeypatch.setattr(sys, "base_prefix", str(base))
    made = prepare_environment(folder / "env", [])
    root = made.root
    assert (made.tree / "lib" / own.name).read_text() == own.name
    assert (root / own.relative_to("/")).readlink() == Path("/env/lib") / own.name
    assert (root / foreign.relative_to("/")).read_text() == foreign.name


def test_a_library_that_the_inside_covers_is_refused(
    folder: Path, loader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python in /tmp is not there inside, and people read so before a program fails."""
    library = Path(tempfile.mkdtemp()) / "libpython3.so"
    library.write_text("")
    loader.write_text(f"\tlibpython3.so => {library} (0x01)\n")
    monkeypatch.setattr(interpreter, "system_pythons", lambda inside: [])
    with pytest.raises(NotConfigured, match=f"needs {library}, and inside the sandbox another folder covers"):
        prepare_environment(folder / "env", [])
    shutil.rmtree(library.parent)


def test_a_library_only_ld_library_path_finds_is_named(loader: Path) -> None:
    """Programs inside do not have the variable."""
    loader.write_text("\tlibpython3.so.1.0 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x02)\n")
    with pytest.raises(
        NotConfigured, match=r"needs libpython3\.so\.1\.0, which is found through LD_LIBRARY_PATH"
    ):
        find_libraries(Path(sys.executable), [])


def test_libraries_are_looked_up_without_ld_library_path(
    tmp_path: Path, loader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's variable must not hide what the inside lacks."""
    (tmp_path / "ldd").write_text('#!/bin/sh\n[ -z "$LD_LIBRARY_PATH" ] && echo "libx.so => not found"\n')
    monkeypatch.setenv("LD_LIBRARY_PATH", "/somewhere")
    with pytest.raises(NotConfigured, match=r"libx\.so"):
        find_libraries(Path(sys.executable), [])


def test_a_system_python_that_needs_what_is_outside_is_passed_over(
    folder: Path, loader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is taken, and the reason is said."""
    real = interpreter._own_executable()
    loader.write_text("\tlibodd.so => /odd/libodd.so (0x01)\n")
    monkeypatch.setattr(interpreter, "system_pythons", lambda inside: [real])
    heard: list[str] = []
    # The copy needs it too, and it is nowhere.
    with pytest.raises(OSError, match=r"libodd\.so"):
        prepare_environment(folder / "env", [], heard.append)
    assert any("is not used for the sandbox" in said for said in heard)
    assert heard[-1].startswith("Copying the Python of")


def test_a_system_without_bubblewrap_builds_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS, whatever kind of Python is there, the reason comes first."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(NotConfigured, match="exists on Linux only"):
        prepare_environment(folder / "env", [])
    assert not (folder / "env").exists()


def test_a_replaced_system_python_is_noticed(folder: Path) -> None:
    """After a system's upgrade the environment is built again."""
    made = prepare_environment(folder / "env", [])
    record = json.loads((made.folder / "ready.json").read_text())
    (made.folder / "ready.json").write_text(json.dumps({**record, "python": "3.11.0 (another one)"}))
    assert prepare_environment(folder / "env", []) == made
