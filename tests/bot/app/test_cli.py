"""The command says what an operator can repair in one line, without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CANARY = "cli-canary-7Gt4"


def doctor(folder: Path, url: str) -> str:
    """What `megaagent doctor` says with this database; it must fail."""
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV") if name in os.environ}
    env = keep | {"DATA_DIR": str(folder), "DATABASE_URL": url, "PYTHONPATH": str(ROOT), "RUN_PACKAGES": ""}
    command = [sys.executable, "-m", "bot", "doctor"]
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"mysql://u:{CANARY}@h/d", "DATABASE_URL begins with 'mysql'"),
        (f"postgresql://u:{CANARY}@127.0.0.1:odd/d", "is not the address of a database"),
        (
            f"postgresql://u:{CANARY}@127.0.0.1:1/d",
            "PostgreSQL does not answer at postgresql://u@127.0.0.1:1/d",
        ),
        (f"postgresql://u:{CANARY}@nowhere.invalid/d", "The host of the database is unknown"),
        ("", "The database file"),
    ],
)
def test_a_database_that_does_not_work(tmp_path: Path, url: str, said: str) -> None:
    """Wrong kind, odd port, nobody there, no such host, a damaged file."""
    (tmp_path / "megaagent.db").write_bytes(b"no database at all " * 300)
    told = doctor(tmp_path, url)
    (line,) = told.strip().splitlines()
    assert line.startswith("✗ ") and said in line
    assert CANARY not in told
