"""Which sandbox a machine gets, and that the test of escapes can fail."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from engine.errors import NotConfigured
from engine.ports import RunRequest, RunResult
from engine.sandbox import (
    choose_sandbox,
    environment_folder,
    load_environment,
    prepare_environment,
    probe,
    program,
)
from engine.sandbox import environment as environment_module
from engine.sandbox.escapes import leads_out, ways_out


def test_a_good_machine_gets_bubblewrap(environment: Path) -> None:
    """Probed once, available, named."""
    status = choose_sandbox(environment).status()
    assert (status.available, status.mechanism, status.reason) == (True, "bubblewrap", "")


async def test_without_environment_every_run_is_refused(tmp_path: Path) -> None:
    """The refusal says what to do, for run and open alike."""
    refusing = choose_sandbox(tmp_path)
    assert not refusing.status().available
    assert "set-up" in refusing.status().reason
    for call in (refusing.run, refusing.open):
        with pytest.raises(NotConfigured, match="set-up"):
            await call(RunRequest(("true",), {}))


def test_without_bubblewrap_it_says_what_to_install(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing program is named with its package."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert "apt install bubblewrap" in choose_sandbox(environment).status().reason


def test_another_system_is_refused(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS never runs code unsandboxed."""
    monkeypatch.setattr(sys, "platform", "darwin")
    status = choose_sandbox(environment).status()
    assert not status.available
    assert "Linux" in status.reason


def test_a_bubblewrap_that_cannot_set_up_is_refused(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What bubblewrap said is the reason people read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the dropped user must get at it
        broken = Path(folder) / "bwrap"
        broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
        broken.chmod(0o755)
        monkeypatch.setattr(shutil, "which", lambda *_, **__: str(broken))
        status = choose_sandbox(environment).status()
    assert not status.available
    assert "No permissions to create new namespace" in status.reason


HANGS = {
    "before it says anything": "",
    "with a process it named": "printf '{\"child-pid\": %d}' $! >&$info; exec {info}>&-",
}


def runs(pid: int) -> bool:
    """Return True for a process that has not ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("said", HANGS.values(), ids=HANGS)
def test_a_bubblewrap_that_hangs_is_refused_and_killed(
    said: str, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time is limited, and a process that left its group and keeps its pipes is not waited for."""
    monkeypatch.setattr(program, "_SETUP_S", 0.3)
    monkeypatch.setattr(program, "_LAST_WORDS_S", 0.3)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)  # the dropped user writes to it
        pids = Path(folder) / "pids"
        broken = Path(folder) / "bwrap"
        broken.write_text(
            '#!/bin/bash\n[ "$1" != --help ] || exit 0\n'
            'while [ "$1" != --info-fd ]; do shift; done; info=$2\n'
            "echo 'bwrap: half-way' >&2\nsetsid sleep 300 {info}>&- &\n"
            f"echo $$ $! >{pids}\n{said}\nsleep 300\n"
        )
        broken.chmod(0o755)
        monkeypatch.setattr(shutil, "which", lambda *_, **__: str(broken))
        with ThreadPoolExecutor(1) as pool:
            status = pool.submit(lambda: choose_sandbox(environment).status())
            try:
                assert "half-way" in status.result(20).reason
                outer, inner = map(int, pids.read_text().split())
                assert not runs(outer)
                assert not said or not runs(inner)
            finally:  # else the pool would wait for it
                for pid in map(int, pids.read_text().split()):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)


def test_a_leak_means_refusal(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One way out that worked is enough, and it is named."""
    leaky = RunResult(0, '["reading a host file"]\n')
    monkeypatch.setattr(probe, "_run_aside", lambda *_: leaky)
    status = choose_sandbox(environment).status()
    assert not status.available
    assert "reading a host file" in status.reason


def test_a_test_that_says_nothing_means_refusal(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No verdict is not a good verdict."""
    monkeypatch.setattr(probe, "_run_aside", lambda *_: RunResult(0, "hello\n"))
    assert not choose_sandbox(environment).status().available


def test_the_ways_out_are_open_outside(tmp_path: Path) -> None:
    """The same attempts succeed where nothing contains them, so a pass means something."""
    canary = tmp_path / "canary"
    canary.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ways = ways_out({"canary": str(canary), "port": listener.getsockname()[1]})
        harmless = ["reading a host file", "writing a host file", "the processes of the host"]
        harmless += ["the network of the host", "a kernel socket", "memory no limit sees"]
        harmless += ["a process outside the filter"]
        assert [name for name in harmless if not leads_out(ways[name])] == []


@pytest.mark.parametrize(
    ("status", "leaks"),
    [
        ("CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n", False),
        ("CapPrm:\t0000000000000000\nCapEff:\t0000000000000400\n", True),
        ("CapPrm:\t0000000000000001\nCapEff:\t0000000000000000\n", True),
        ("CapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\n", True),
        ("Name:\tx\nCapAmb:\t0000000000000000\n", False),
    ],
    ids=["none", "effective", "permitted", "bounding", "others"],
)
def test_capabilities_are_a_way_out(monkeypatch: pytest.MonkeyPatch, status: str, leaks: bool) -> None:
    """The probe reads them from what the kernel says of the process."""
    monkeypatch.setattr(Path, "read_text", lambda path: {"/proc/self/status": status}[str(path)])
    assert leads_out(ways_out({"canary": "", "port": 0})["capabilities"]) is leaks


def test_preparing_twice_does_nothing(environment: Path) -> None:
    """A ready environment is recognised and said so."""
    heard: list[str] = []
    before = (environment / "ready.json").stat().st_mtime_ns
    prepare_environment(environment, ["pytest"], heard.append)
    assert (environment / "ready.json").stat().st_mtime_ns == before
    assert heard == ["The sandbox's Python is ready (pytest)."]


def test_another_list_of_packages_is_built_again(tmp_path: Path) -> None:
    """The environment holds exactly what is allowed."""
    made = prepare_environment(tmp_path / "env", [])
    assert made.packages == ()
    assert load_environment(tmp_path / "env") == made
    assert not list(made.tree.glob("lib/python*/site-packages/pytest"))


def test_a_home_directory_is_no_place_for_roots_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that the dropped user could not pass is replaced; an open one is kept."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shared = environment_folder(closed, ["pytest", "numpy"])
    assert shared.parent == environment_module.ROOT_FOLDER
    assert environment_folder(closed / "deeper", ["numpy", "pytest"]) == shared
    assert environment_folder(closed, ["pytest"]) != shared
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert environment_folder(closed, []) == closed / "sandbox-env"


_OPENINGS = """
import os, tempfile
from engine.sandbox.escapes import ways_out

def unlinked():
    name = tempfile.mkstemp()[1]
    kept = open(name)
    os.unlink(name)
    return [kept]

openings = {
    "none": list,
    "library": lambda: [open(os.__file__)],
    "writable": lambda: [open(os.devnull, "w")],
    "pipe": lambda: [os.fdopen(number) for number in os.pipe()],
    "unlinked": unlinked,
}
for name, opening in openings.items():
    kept = opening()
    print(name, ways_out({})["open files of the host"]())
    [one.close() for one in kept]
"""


def test_handles_of_the_host_are_told_from_own_ones() -> None:
    """A library that keeps its own file open to read, as newer releases of libffi do, leads nowhere."""
    asked = subprocess.run([sys.executable, "-c", _OPENINGS], capture_output=True, text=True, check=True)
    told = dict(line.split() for line in asked.stdout.splitlines())
    leads = {"writable": "True", "pipe": "True", "unlinked": "True"}
    assert told == {"none": "False", "library": "False"} | leads
