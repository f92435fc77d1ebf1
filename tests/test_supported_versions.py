"""The supported versions of Python are the same wherever they are listed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLASSIFIER = "Programming Language :: Python :: "


def classified() -> list[str]:
    """As the package says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = [c.removeprefix(CLASSIFIER) for c in project["classifiers"] if c.startswith(CLASSIFIER)]
    return [version for version in found if re.fullmatch(r"3\.\d+", version)]


def test_ci_and_the_fresh_machines_try_what_the_package_names() -> None:
    """A version that is added in one place is tried in all."""
    matrix = re.search(r"python: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text())
    fresh = re.search(r'^supported="(.*)"$', (ROOT / "scripts/fresh.sh").read_text(), re.MULTILINE)
    assert matrix and fresh
    assert re.findall(r"3\.\d+", matrix[1]) == classified()
    assert fresh[1].split() == classified()


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"])
def test_the_setup_takes_exactly_these(tmp_path: Path, version: str) -> None:
    """An interpreter that is too old or too new is refused with the versions that are right."""
    python = tmp_path / "python"
    minor = version.partition(".")[2]
    # Answers the set-up's question as an interpreter of that version would.
    python.write_text(
        "#!/bin/sh\n"
        f'words=$(printf %s "$2" | sed "s/sys.version_info/(3, {minor}, 0)/")\n'
        f'[ "$1" = -c ] || exit 9\nexec {sys.executable} -c "$words"\n'
    )
    python.chmod(0o755)
    setup = (ROOT / "scripts/setup.sh").read_text()
    functions = setup[: setup.index("\nmake_environment() {")].replace('cd "$(dirname "$0")/.."\n', "")
    words = ["sh", "-c", f"{functions}\nfind_python", "setup.sh"]
    env = {"PATH": "/usr/bin:/bin", "PYTHON": str(python)}
    found = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    if version in classified():
        assert found.stdout.strip() == str(python), found.stderr
    else:
        assert found.returncode == 1
        assert "Python 3.11, 3.12, 3.13 or 3.14 is needed" in found.stderr
