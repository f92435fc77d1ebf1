"""The script that makes the README's moving picture still finds what it clicks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_boundaries import ROOT

pytestmark = pytest.mark.soak


@pytest.mark.timeout(300)
def test_the_moving_picture_can_be_made(tmp_path: Path) -> None:
    """The demonstration is played in a browser from its button to the finished card."""
    target = tmp_path / "demo.gif"
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "moving_picture.py", "--to", target],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert target.read_bytes().startswith(b"GIF8")
