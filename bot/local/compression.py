"""Compression of the gateway's messages, as Discord offers it and discord.py asks for it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

Pack = Callable[[bytes], bytes]
"""Makes one message of a stream into bytes that can be read at once."""


def packer(kind: str) -> Pack | None:
    """Return a new stream's packer for `zlib-stream` or `zstd-stream`, None where it cannot be made.

    discord.py asks for zstd where it can read it: with Python 3.14, or with the package zstandard.
    """
    return next(_packers(kind), None)


def _packers(kind: str) -> Iterator[Pack]:
    if kind == "zlib-stream":
        yield _zlib()
    if kind == "zstd-stream":
        # By name: the modules are not there for the oldest Python that is supported.
        with suppress(ImportError):
            yield _zstd(import_module("compression.zstd"))
        with suppress(ImportError):
            yield _zstandard(import_module("zstandard"))


def _zlib() -> Pack:
    stream = zlib.compressobj()
    return lambda message: stream.compress(message) + stream.flush(zlib.Z_SYNC_FLUSH)


def _zstd(module: Any) -> Pack:
    stream = module.ZstdCompressor()

    def pack(message: bytes) -> bytes:
        packed: bytes = stream.compress(message, mode=stream.FLUSH_BLOCK)
        return packed

    return pack


def _zstandard(module: Any) -> Pack:
    stream = module.ZstdCompressor().compressobj()

    def pack(message: bytes) -> bytes:
        packed: bytes = stream.compress(message) + stream.flush(module.COMPRESSOBJ_FLUSH_BLOCK)
        return packed

    return pack
