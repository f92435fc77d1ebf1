"""Reader of git packs from untrusted bytes, in this process, within a memory budget.

Format: gitformat-pack(5). libgit2 offers no way to index a pack from memory through pygit2, and git's own
program is not started on untrusted data.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from dataclasses import dataclass, field

from engine.errors import Invalid, Refusal

_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_OFFSET_DELTA, _REFERENCE_DELTA = 6, 7
_FEED = 65536
_OVERHEAD = 512  # bytes of memory that an object takes besides its content
_DAMAGED = Refusal("The bundle is damaged.", "Make it again with `git bundle create file.bundle --all`.")
_TOO_LARGE = Refusal(
    "The bundle's history is too large to read here.", "Send a zip of the newest files instead."
)


@dataclass(frozen=True, slots=True)
class GitObject:
    """A git object: kind (commit, tree, blob, tag) and content."""

    kind: str
    data: bytes


@dataclass(slots=True)
class _Reading:
    data: bytes
    budget: int
    at: int = 12
    by_offset: dict[int, GitObject] = field(default_factory=dict)
    by_id: dict[str, GitObject] = field(default_factory=dict)
    waiting: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    """By the id of the object that they change, which has not come yet: (where it stands, delta)."""


def read_pack(data: bytes, budget: int) -> dict[str, GitObject]:
    """Return all objects of a pack by id. Raises Invalid if damaged, incomplete or over `budget` bytes."""
    count = _checked_count(data)
    reading = _Reading(data, budget)
    try:
        for _ in range(count):
            _read_entry(reading)
        _settle_waiting(reading)
    except (IndexError, zlib.error, struct.error, ValueError) as error:
        raise Invalid(_DAMAGED.reason, _DAMAGED.next_step) from error
    return reading.by_id


def _checked_count(data: bytes) -> int:
    if len(data) < 32 or data[:4] != b"PACK":
        raise Invalid(_DAMAGED.reason, _DAMAGED.next_step)
    version, count = struct.unpack(">II", data[4:12])
    sound = hashlib.sha1(data[:-20], usedforsecurity=False).digest() == data[-20:]
    if version not in (2, 3) or not sound:
        raise Invalid(_DAMAGED.reason, _DAMAGED.next_step)
    return int(count)


def _read_entry(reading: _Reading) -> None:
    start = reading.at
    kind, size = _read_header(reading)
    if kind == _OFFSET_DELTA:
        base = reading.by_offset.get(start - _read_offset(reading))
        delta = _inflate(reading, size)
        _spend(reading, size)
        if base is None:
            raise ValueError("a delta without a base")
        _keep(reading, start, base.kind, _apply(base.data, delta, reading.budget))
    elif kind == _REFERENCE_DELTA:
        wanted = reading.data[reading.at : reading.at + 20].hex()
        reading.at += 20
        reading.waiting.setdefault(wanted, []).append((start, _inflate(reading, size)))
        _spend(reading, size)
    elif kind in _KINDS:
        _keep(reading, start, _KINDS[kind], _inflate(reading, size))
    else:
        raise ValueError(f"object kind {kind}")


def _settle_waiting(reading: _Reading) -> None:
    ready = [name for name in reading.waiting if name in reading.by_id]
    while ready:
        name = ready.pop()
        base = reading.by_id[name]
        for start, delta in reading.waiting.pop(name, ()):
            made = _keep(reading, start, base.kind, _apply(base.data, delta, reading.budget))
            if made in reading.waiting:
                ready.append(made)
    if reading.waiting:
        raise Invalid(
            "The bundle builds on commits it does not hold.", "Make one with the whole history (--all)."
        )


def _spend(reading: _Reading, size: int) -> None:
    reading.budget -= size
    if reading.budget < 0:
        raise Invalid(_TOO_LARGE.reason, _TOO_LARGE.next_step)


def _keep(reading: _Reading, start: int, kind: str, data: bytes) -> str:
    _spend(reading, len(data) + _OVERHEAD)
    framed = b"%s %d\0" % (kind.encode(), len(data))
    name = hashlib.sha1(framed + data, usedforsecurity=False).hexdigest()
    reading.by_offset[start] = reading.by_id[name] = GitObject(kind, data)
    return name


def _read_header(reading: _Reading) -> tuple[int, int]:
    byte = _next(reading)
    kind, size, shift = byte >> 4 & 7, byte & 15, 4
    while byte & 0x80:
        byte = _next(reading)
        size |= (byte & 0x7F) << shift
        shift += 7
    return kind, size


def _read_offset(reading: _Reading) -> int:
    byte = _next(reading)
    offset = byte & 0x7F
    while byte & 0x80:
        byte = _next(reading)
        offset = (offset + 1) << 7 | byte & 0x7F
    return offset


def _next(reading: _Reading) -> int:
    byte = reading.data[reading.at]
    reading.at += 1
    return byte


def _inflate(reading: _Reading, size: int) -> bytes:
    """Return the next `size` bytes decompressed; never unpacks more, whatever the stream says."""
    if size > reading.budget:
        raise Invalid(_TOO_LARGE.reason, _TOO_LARGE.next_step)
    engine, parts, made = zlib.decompressobj(), [], 0
    feed = min(_FEED, size + 64)  # what is left of a piece is copied: small objects take small pieces
    while not engine.eof:
        piece = reading.data[reading.at : reading.at + feed]
        if not piece:
            raise ValueError("the pack ends inside an object")
        part = engine.decompress(piece, size - made + 1)
        parts.append(part)
        made += len(part)
        if made > size:
            raise ValueError("an object is longer than it says")
        reading.at += len(piece) - len(engine.unused_data) - len(engine.unconsumed_tail)
    if made != size:
        raise ValueError("an object is shorter than it says")
    return b"".join(parts)


def _apply(base: bytes, delta: bytes, budget: int) -> bytes:
    orders = io.BytesIO(delta)
    if _delta_size(orders) != len(base):
        raise ValueError("a delta for another object")
    size = _delta_size(orders)
    if size > budget:
        raise Invalid(_TOO_LARGE.reason, _TOO_LARGE.next_step)
    result = bytearray()
    while orders.tell() < len(delta):
        result += _one_order(base, orders)
        if len(result) > size:
            raise ValueError("a delta makes more than it says")
    if len(result) != size:
        raise ValueError("a delta makes less than it says")
    return bytes(result)


def _one_order(base: bytes, orders: io.BytesIO) -> bytes:
    (order,) = _exactly(orders, 1)
    if order & 0x80:
        start = sum(_exactly(orders, 1)[0] << 8 * bit for bit in range(4) if order & 1 << bit)
        length = sum(_exactly(orders, 1)[0] << 8 * bit for bit in range(3) if order & 0x10 << bit) or 0x10000
        if start + length > len(base):
            raise ValueError("a delta copies from beyond its base")
        return base[start : start + length]
    if order == 0:
        raise ValueError("a delta with an order of zero")
    return _exactly(orders, order)


def _exactly(stream: io.BytesIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise ValueError("a delta ends too soon")
    return data


def _delta_size(stream: io.BytesIO) -> int:
    size = shift = 0
    while True:
        (byte,) = _exactly(stream, 1)
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return size
