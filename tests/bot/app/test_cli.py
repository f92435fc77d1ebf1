"""The command says what an operator can repair in one line, without a traceback."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from tests.fakes.forked_cli import Case, run_all

CANARY = "cli-canary-7Gt4"
WORKS_NOT = {
    f"mysql://u:{CANARY}@h/d": "DATABASE_URL begins with 'mysql'",
    f"postgresql://u:{CANARY}@127.0.0.1:odd/d": "is not the address of a database",
    f"postgresql://u:{CANARY}@127.0.0.1:1/d": "PostgreSQL does not answer at postgresql://u@127.0.0.1:1/d",
    f"postgresql://u:{CANARY}@nowhere.invalid/d": "The host of the database is unknown",
    "": "The database file",
}
"""Wrong kind, odd port, nobody there, no such host, a damaged file."""


@pytest.fixture(scope="module")
def doctors(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[int, str]]:
    """What `megaagent doctor` says with each of these databases, and its exit code."""
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV") if name in os.environ}
    cases = []
    for url in WORKS_NOT:
        folder = tmp_path_factory.mktemp("doctor")
        (folder / "megaagent.db").write_bytes(b"no database at all " * 300)
        env = {"DATA_DIR": str(folder), "DATABASE_URL": url, "RUN_PACKAGES": ""}
        cases.append(Case(("doctor",), str(folder), keep | env))
    return dict(zip(WORKS_NOT, run_all(cases), strict=True))


@pytest.mark.parametrize(("url", "said"), WORKS_NOT.items())
def test_a_database_that_does_not_work(doctors: Mapping[str, tuple[int, str]], url: str, said: str) -> None:
    """The doctor fails with one line that says what is wrong, without the password."""
    code, told = doctors[url]
    assert code == 1
    (line,) = told.strip().splitlines()
    assert line.startswith("✗ ") and said in line
    assert CANARY not in told
