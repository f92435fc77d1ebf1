"""The gateway's streams are read by discord.py's own readers."""

from __future__ import annotations

import sys
import types
import zlib

import pytest
from discord import utils

from bot.local.compression import packer

MESSAGES = ['{"op":10}', '{"t":"READY","d":"' + "x" * 70_000 + '"}', '{"t":"漢字 🙂"}']


def test_discord_py_reads_the_stream_it_asks_for() -> None:
    """zstd from Python 3.14 on, zlib before: one stream, each message whole at once."""
    reader = utils._ActiveDecompressionContext()
    pack = packer(reader.COMPRESSION_TYPE)
    assert pack is not None
    assert [reader.decompress(pack(message.encode())) for message in MESSAGES] == MESSAGES


@pytest.mark.parametrize("module", ["compression.zstd", "zstandard"])
def test_either_module_of_zstd_makes_one_stream(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever discord.py found is there for us too: its calls, each flushed to the end of a block."""

    class Compressor:
        FLUSH_BLOCK = 1

        def __init__(self) -> None:
            self.stream = zlib.compressobj()

        def compressobj(self) -> Compressor:
            return self

        def compress(self, data: bytes, mode: int = 0) -> bytes:
            packed = self.stream.compress(data)
            return packed + self.flush(7) if mode == self.FLUSH_BLOCK else packed

        def flush(self, mode: int) -> bytes:
            assert mode == 7
            return self.stream.flush(zlib.Z_SYNC_FLUSH)

    made = types.ModuleType(module)
    made.__dict__.update(ZstdCompressor=Compressor, COMPRESSOBJ_FLUSH_BLOCK=7)
    for name in ("compression.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, made if name == module else None)
    pack, reader = packer("zstd-stream"), zlib.decompressobj()
    assert pack is not None
    assert [reader.decompress(pack(message.encode())).decode() for message in MESSAGES] == MESSAGES


def test_what_cannot_be_made_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No such compression, or no module for it."""
    for name in ("compression.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    assert packer("zstd-stream") is None and packer("brotli") is None
