"""`make uninstall` removes what set-up and the bot made, and nothing without a yes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "uninstall.sh"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with an environment, data and a cached model, in a home of its own."""
    root = tmp_path / "checkout"
    (root / "scripts").mkdir(parents=True)
    shutil.copy(SCRIPT, root / "scripts")
    for folder in (root / ".venv", root / "data", tmp_path / "cache" / "megaagent" / "models"):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
    (root / ".env").write_text('DATA_DIR="data"\nDISCORD_TOKEN=abc\n')
    return root


def uninstall(checkout: Path, answers: str) -> str:
    """Run the script with these answers."""
    own = {"HOME": str(checkout.parent), "XDG_CACHE_HOME": str(checkout.parent / "cache")}
    kept = {name: value for name, value in os.environ.items() if name not in ("DATA_DIR", "DATABASE_URL")}
    done = subprocess.run(
        ["sh", "scripts/uninstall.sh"],
        cwd=checkout,
        env=kept | own,
        input=answers,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def there(checkout: Path) -> list[bool]:
    """Whether environment, model and data are there."""
    model = checkout.parent / "cache" / "megaagent"
    return [(checkout / ".venv").exists(), model.exists(), (checkout / "data").exists()]


@pytest.mark.parametrize(
    ("answers", "left"),
    [
        ("", [True, True, True]),
        ("n\nn\nn\n", [True, True, True]),
        ("y\ny\nn\n", [False, False, True]),
        ("n\nn\ny\n", [True, True, False]),
    ],
)
def test_each_part_goes_only_after_a_yes(checkout: Path, answers: str, left: list[bool]) -> None:
    """No answer is a no; the settings stay."""
    said = uninstall(checkout, answers)
    assert there(checkout) == left and (checkout / ".env").exists()
    assert "cannot be brought back" in said
