"""A workspace on a temporary folder, and the git command line as an independent judge."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.workspace import GitWorkspace, WorkspaceLimits

Git = Callable[..., str]


@pytest.fixture
def workspace(tmp_path: Path) -> GitWorkspace:
    """A fresh workspace with small limits."""
    return GitWorkspace(tmp_path / "workspaces", WorkspaceLimits(file_bytes=200_000))


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Run the git command line without any configuration of this machine; give its output."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }

    def run(*words: str | Path) -> str:
        done = subprocess.run(["git", *map(str, words)], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
