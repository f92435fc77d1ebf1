"""The control group of all runs: made where it may be, else the reason is said; each run joins it first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.ports import RunRequest
from engine.sandbox.bubblewrap import BubblewrapSandbox
from engine.sandbox.cgroup import OURS, RUNS, RunsGroup, runs_group

MOST = 3 * 2**30


class Hierarchy:
    """A folder with the files of cgroup version 2, and this program in the group `own`."""

    def __init__(self, folder: Path, own: str, controllers: str = "cpu memory pids") -> None:
        self.mount, self.membership = folder / "mount", folder / "membership"
        self.own = self.mount / own.lstrip("/")
        self.make(self.own, controllers)
        self.make(self.own / OURS, "")
        self.make(self.own / RUNS, "")
        (self.own / "cgroup.procs").write_text("70\n71\n")
        self.membership.write_text(f"4:memory:/old\n0::{own}\n")

    def make(self, group: Path, controllers: str) -> None:
        """One group."""
        group.mkdir(parents=True, exist_ok=True)
        for name, text in (
            ("controllers", controllers),
            ("subtree_control", ""),
            ("procs", ""),
            ("type", ""),
        ):
            (group / f"cgroup.{name}").write_text(text)

    def group(self) -> RunsGroup:
        """Make the group of runs here."""
        return runs_group(MOST, self.mount, self.membership)


def test_a_containers_own_group_is_divided(tmp_path: Path) -> None:
    """The program moves to a group below, as the kernel asks; the runs' has its limit and no swap."""
    there = Hierarchy(tmp_path, "/")
    made = there.group()
    assert made.joins is not None and "3072 MiB, in a control group" in made.words
    assert (there.own / OURS / "cgroup.procs").read_text() == "71", "each in turn, the last one stands there"
    assert (there.own / "cgroup.subtree_control").read_text() == "+memory"
    assert (there.own / RUNS / "memory.max").read_text() == str(MOST)
    assert (there.own / RUNS / "memory.swap.max").read_text() == "0"
    made.add(4711)
    made.add(4712)
    assert (there.own / RUNS / "cgroup.procs").read_text() == "4711\n4712\n"
    made.close()
    made.add(4713)
    assert "4713" not in (there.own / RUNS / "cgroup.procs").read_text()


def test_a_second_start_moves_nobody(tmp_path: Path) -> None:
    """The program is in its group below already; the runs' group beside it is used again."""
    there = Hierarchy(tmp_path, "/service")
    (there.own / "cgroup.subtree_control").write_text("memory pids\n")
    there.membership.write_text(f"0::/service/{OURS}\n")
    (there.own / OURS / "cgroup.controllers").write_text("memory")
    made = there.group()
    assert made.joins is not None
    assert (there.own / OURS / "cgroup.procs").read_text() == ""
    made.close()


def test_a_unit_is_divided_only_where_systemd_gave_it_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group that others share, such as a login's, is left alone, also by root."""
    there = Hierarchy(tmp_path, "/system.slice/megaagent.service")
    refused = there.group()
    assert refused.joins is None and "Delegate=yes" in refused.words and "watched" in refused.words
    assert (there.own / OURS / "cgroup.procs").read_text() == ""
    marks = {(there.own, "trusted.delegate"): b"1"}

    def marked(path: Path, name: str) -> bytes:
        if (path, name) not in marks:
            raise OSError(61, "No data available")
        return marks[path, name]

    monkeypatch.setattr(os, "getxattr", marked)
    made = there.group()
    assert made.joins is not None
    made.close()


@pytest.mark.parametrize(
    ("controllers", "membership", "words"),
    [
        ("cpu pids", None, "memory is not among the controllers"),
        ("memory", "4:memory:/old\n", "none of version 2"),
        ("memory", "0::/elsewhere\n", "none of version 2"),
    ],
)
def test_without_the_controller_the_reason_is_said(
    tmp_path: Path, controllers: str, membership: str | None, words: str
) -> None:
    """Nothing is made or moved."""
    there = Hierarchy(tmp_path, "/", controllers)
    if membership:
        there.membership.write_text(membership)
    made = there.group()
    assert made.joins is None and words in made.words
    assert (there.own / "cgroup.subtree_control").read_text() == ""


def test_what_the_kernel_refuses_is_said(tmp_path: Path) -> None:
    """A read-only hierarchy, and one that is not there."""
    there = Hierarchy(tmp_path, "/")
    (there.own / "cgroup.subtree_control").unlink()
    assert "No such file" in there.group().words
    assert "No such file" in runs_group(MOST, tmp_path, tmp_path / "none").words


async def test_a_run_joins_before_its_program_begins(sandbox: BubblewrapSandbox, tmp_path: Path) -> None:
    """One process a run is put there from outside, and what cannot join is watched all the same."""
    there = Hierarchy(tmp_path, "/")
    group = there.group()
    before, sandbox._group = sandbox._group, group
    try:
        for _ in range(2):
            assert (await sandbox.run(RunRequest(("python", "-c", "print(1)"), {}))).output == "1\n"
        joined = (there.own / RUNS / "cgroup.procs").read_text().split()
        assert len(joined) == 2 and all(pid.isdigit() for pid in joined)
        group.close()
        group.joins = os.open(tmp_path, os.O_RDONLY)
        assert (await sandbox.run(RunRequest(("python", "-c", "print(2)"), {}))).output == "2\n"
        assert sandbox.status().bound == group.words
    finally:
        sandbox._group = before
        group.close()


KILL_ITSELF = "import os; os.kill(os.getpid(), 9)"


@pytest.mark.parametrize(
    ("program", "kills", "ended", "code"),
    [
        (KILL_ITSELF, 1, "memory", 137),
        (KILL_ITSELF, 0, "exit", 137),
        ("print(1)", 1, "exit", 0),
    ],
)
async def test_a_run_that_the_kernel_killed_for_memory_says_so(
    sandbox: BubblewrapSandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    kills: int,
    ended: str,
    code: int,
) -> None:
    """By the group's counter: a signal alone could be the program's own, a kill alone another run's."""
    there = Hierarchy(tmp_path, "/")
    with (there.own / RUNS / "memory.events").open("w") as counter:
        text = "low 0\noom 9\noom_kill 3\noom_group_kill 7\n"
        os.pwrite(counter.fileno(), text.encode(), 0)
        group = there.group()
        assert group.kills() == 3

        def join(_self: RunsGroup, _pid: int) -> None:
            after = text.replace("oom_kill 3", f"oom_kill {3 + kills}")
            os.pwrite(counter.fileno(), after.encode(), 0)

        monkeypatch.setattr(RunsGroup, "add", join)
        monkeypatch.setattr(sandbox, "_group", group)
        result = await sandbox.run(RunRequest(("python", "-c", program), {}))
    assert (result.ended, result.exit_code) == (ended, code)
    group.close()


@pytest.mark.parametrize(
    ("membership", "counter"),
    [
        ("4:memory:/box\n0::/\n", "memory/box/memory.oom_control"),
        ("4:cpu,memory:/docker/1\n", "memory/memory.oom_control"),
        ("0::/login\n", "login/memory.events"),
    ],
)
def test_without_a_group_the_program_s_own_counts(tmp_path: Path, membership: str, counter: str) -> None:
    """Of version 1, where a container may not see its group's name, and of version 2."""
    (tmp_path / "membership").write_text(membership)
    file = tmp_path / "mount" / counter
    file.parent.mkdir(parents=True)
    file.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n")
    group = runs_group(MOST, tmp_path / "mount", tmp_path / "membership")
    assert group.joins is None and group.kills() == 5
    group.close()
    file.unlink()
    assert group.kills() == 0
    assert runs_group(MOST, tmp_path / "mount", tmp_path / "membership").kills() == 0
