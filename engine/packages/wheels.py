"""Wheels: what may be in one, and unpacking. A wheel is read as a zip file and nothing of it is executed.

Left out: scripts, headers and data of the `.data` folder, and files that Python would run as it starts
(`.pth`, `sitecustomize`, `usercustomize`). A wheel with an unsafe path is refused whole.
"""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from engine.domain.packages import Pin
from engine.domain.zips import DAMAGED_ZIP
from engine.errors import Invalid

MAX_ENTRIES = 20_000
_CHUNK = 1024 * 1024
_MERGED = ("purelib", "platlib")
_AT_START = frozenset({"sitecustomize.py", "usercustomize.py", "sitecustomize", "usercustomize"})


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a wheel, and its path in the folder of packages."""

    info: zipfile.ZipInfo
    target: str


def pin_of(wheel: Path) -> Pin:
    """Return the pin of a fetched file. Raises Invalid unless it is a wheel by its name."""
    try:
        name, version, _, _ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise Invalid(
            f"The index gave {wheel.name[:60]!a}, which is no wheel.", "Choose another package."
        ) from error
    return Pin(canonicalize_name(name), str(version), wheel.name, digest_of(wheel))


def digest_of(wheel: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with wheel.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def members(wheel: Path, shown: str, most: int) -> list[Member]:
    """Return the files of a wheel that are unpacked, at most `most` bytes. Raises Invalid for a damaged or
    unsafe one."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            infos = archive.infolist()
    except DAMAGED_ZIP as error:
        raise Invalid(f"The wheel of {shown} is damaged.", "Choose another version.") from error
    if len(infos) > MAX_ENTRIES or sum(info.file_size for info in infos) > most:
        raise Invalid(
            f"{shown} is too large to unpack ({MAX_ENTRIES:,} files, {most:,} bytes).", "Do without."
        )
    found: dict[str, Member] = {}
    for info in infos:
        target = _target(info, shown)
        if target and target not in found:
            found[target] = Member(info, target)
    _check_tree(found, shown)
    return list(found.values())


def _target(info: zipfile.ZipInfo, shown: str) -> str:
    """Return where a file goes, "" for what is left out. Raises Invalid for an unsafe path or kind."""
    name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
    path = PurePosixPath(name)
    bad = "\\" in name or "\0" in name or path.is_absolute() or ".." in path.parts or ":" in name
    if (
        bad
        or not name.isprintable()
        or len(name) > 500
        or (kind and not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)))
    ):
        raise Invalid(f"The wheel of {shown} holds an unsafe path, {name[:60]!a}.", "It is not used.")
    if info.flag_bits & 0x1:
        raise Invalid(f"The wheel of {shown} is encrypted.", "It is not used.")
    parts = path.parts
    if info.is_dir() or not parts:
        return ""
    if parts[0].endswith(".data"):
        parts = parts[2:] if len(parts) > 2 and parts[1] in _MERGED else ()
    if not parts or parts[0] in _AT_START or (len(parts) == 1 and parts[0].endswith(".pth")):
        return ""
    return "/".join(parts)


def _check_tree(found: dict[str, Member], shown: str) -> None:
    """Check that no path is both a file and a folder. Raises Invalid."""
    for target in found:
        if any(str(parent) in found for parent in PurePosixPath(target).parents):
            raise Invalid(f"The wheel of {shown} holds {target[:60]!a} below a file.", "It is not used.")


def unpack(wheel: Path, shown: str, target: Path, most: int) -> int:
    """Unpack a wheel below `target`, beside what is there, which stays. Return the bytes written.

    Raises Invalid for a damaged or unsafe wheel, whatever sizes it claims.
    """
    written, found = 0, members(wheel, shown, most)
    with zipfile.ZipFile(wheel) as archive:
        for member in found:
            place = target / member.target
            if place.exists() or any(parent.is_file() for parent in _between(place, target)):
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                for chunk in _chunks(archive, member.info, shown):
                    written += file.write(chunk)
                    if written > most:
                        break
            if written > most:
                raise Invalid(f"{shown} is larger than it claims.", "It is not used.")
    return written


def _between(place: Path, target: Path) -> list[Path]:
    return [parent for parent in place.parents if parent != target and parent.is_relative_to(target)]


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, shown: str) -> Iterator[bytes]:
    try:
        with archive.open(info) as source:
            while chunk := source.read(_CHUNK):
                yield chunk
    except DAMAGED_ZIP as error:
        raise Invalid(f"The wheel of {shown} is damaged.", "Choose another version.") from error
