"""The set-up where it is stopped or takes long: nothing runs on unseen, nothing half made counts as whole."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
SETUP = (ROOT / "scripts/setup.sh").read_text().replace('cd "$(dirname "$0")/.."\n', "")


def heeds_interrupts() -> None:
    """Take SIGINT as usual: beside a shell, as under nohup, it is ignored, and a shell could not trap it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def functions(until: str) -> str:
    """Return the set-up's functions up to one."""
    return SETUP[: SETUP.index(f"\n{until}() {{")]


def test_an_environment_without_pip_is_created_again(tmp_path: Path) -> None:
    """Ctrl+C while it is created leaves one whose Python starts and has no pip."""
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\ncase "$2" in *pip*) exit 1 ;; esac\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    made = "quietly() { shift; echo made; }\nmake_environment"
    words = ["sh", "-c", f"{functions('setting')}\n{made}", "setup.sh"]
    env = {"PATH": "/usr/bin:/bin", "PYTHON": sys.executable}
    ran = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert "not whole" in ran.stdout and "made" in ran.stdout, ran
    python.write_text(f'#!/bin/sh\n[ "$2" = "import pip" ] && exit 0\nexec {sys.executable} "$@"\n')
    ran = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert "made" not in ran.stdout, ran


def test_ctrl_c_ends_what_is_being_installed_and_says_what_is_kept(tmp_path: Path) -> None:
    """A shell's background process ignores it, so it would go on installing."""
    (tmp_path / ".venv").mkdir()
    body = "quietly \"packages\" sh -c 'echo $$ >pid; exec sleep 60'"
    words = ["sh", "-c", f"{functions('setting')}\n{body}", "setup.sh"]
    running = subprocess.Popen(
        words,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heeds_interrupts,  # noqa: PLW1509 - no thread of this process holds a lock of it
    )
    until = time.monotonic() + 20
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        assert time.monotonic() < until
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    said, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    assert re.search(r"Stopped\. What is installed so far is kept \(\.venv, \d+ MB\)", said)
    child = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text()
