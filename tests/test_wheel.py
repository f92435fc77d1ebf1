"""The wheel is the whole product: installed in an environment of its own, it runs in an empty folder."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.store.database import sync_engine
from tests.test_boundaries import ROOT

START_S = 120.0
NOT_BUILT = ("tests", "bench", "scenarios", "docs")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `megaagent` command of an environment with the wheel and, beside it, this one's libraries."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if not name.startswith(NOT_BUILT) and (ROOT / name).is_file():
            target = sources / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [
        "wheel",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
        "--wheel-dir",
        str(folder),
        str(sources),
    ]
    subprocess.run([*pip, *build], check=True, timeout=120)
    (wheel,) = folder.glob("megaagent-*.whl")
    home = folder / "environment"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    own = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    libraries = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    # Folders that a .pth file names are searched last, and .pth files in them (this checkout's) are not read.
    (Path(own) / "libraries.pth").write_text("\n".join(libraries) + "\n")
    subprocess.run(
        [*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)],
        check=True,
        timeout=120,
    )
    return home / "bin" / "megaagent"


@contextmanager
def running(command: Path, folder: Path) -> Iterator[str]:
    """`megaagent run` in local mode -> the page's address; stopped with SIGINT, it ends well."""
    settings = {"LOCAL_PORT": "0", "RUN_PACKAGES": "", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    said = folder.with_name("said")
    with said.open("w") as out:
        process = subprocess.Popen(
            [str(command), "run"],
            cwd=folder,
            stderr=out,
            env={"PATH": "/usr/bin:/bin:/usr/sbin", "HOME": str(folder.parent), **settings},
        )
    try:
        end = time.monotonic() + START_S
        while not (found := re.search(r"MegaAgent runs: (http://\S+)", said.read_text())):
            assert process.poll() is None and time.monotonic() < end, said.read_text()
            time.sleep(0.1)
        yield found[1]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, said.read_text()
    finally:
        process.kill()
        process.wait()


def test_the_installed_wheel_runs_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    """Its page answers, and its database is migrated to the newest version, in `var/` of that folder."""
    folder = tmp_path / "empty"
    folder.mkdir()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with running(installed, folder) as page, browser.open(page, timeout=10) as answer:
        assert b"<html" in answer.read()
    newest = max(path.name for path in (ROOT / "alembic" / "versions").glob("*.py")).split("_")[0]
    (database,) = (folder / "var").glob("*.db")
    engine = sync_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one() == newest
    engine.dispose()
    assert {path.name for path in folder.iterdir()} == {"var"}


def test_the_installed_wheel_holds_everything(installed: Path, tmp_path: Path) -> None:
    """Nothing comes from the checkout, and the migrations in the wheel match its models."""
    code = "import bot, engine, megaagent_migrations as m; print(bot.__file__, engine.__file__, *m.__path__)"
    where = subprocess.run(
        [str(installed.with_name("python")), "-c", code],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert str(ROOT) not in where
    done = subprocess.run(
        [str(installed), "migrations"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (0, "migrations match the models")
