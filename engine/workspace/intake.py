"""Import of people's files, zips and git bundles: from untrusted bytes to what the workspace accepts."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from engine.domain.source import suffix_of
from engine.domain.zips import DAMAGED_ZIP
from engine.errors import Invalid
from engine.workspace.limits import WorkspaceLimits, check_file, check_room
from engine.workspace.pack import GitObject, read_pack
from engine.workspace.paths import check_set, is_gits_own, normal_path
from engine.workspace.tree import parse_tree

_JUNK = re.compile(r"(^|/)(__MACOSX(/|$)|\.DS_Store$|Thumbs\.db$)")
_PIECE = 256 * 1024
_ENCRYPTED = 0x1
_BRANCHES = ("HEAD", "refs/heads/main", "refs/heads/master")
_TREE, _FILES, _LINK, _MODULE = b"40000", (b"100644", b"100755", b"100664"), b"120000", b"160000"
_MAX_TAGS = 5
_AS_IT_IS = "To bring it as it is, give it another suffix."


@dataclass(slots=True)
class Brought:
    """The imported files, and the entries left out with the reason."""

    files: dict[str, bytes] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def unpack(files: Mapping[str, bytes], limits: WorkspaceLimits) -> Brought:
    """Return people's files by path; in place of a zip or a bundle what it holds, in a folder of its name.

    Raises Invalid, which names the archive, where it cannot be read, and where all together are over the
    limits. Blocking: as long as unpacking takes.
    """
    brought, total = Brought(), 0
    for path, data in files.items():
        read = _ARCHIVES.get(suffix_of(path))
        room = replace(
            limits, files=limits.files - len(brought.files), total_bytes=limits.total_bytes - total
        )
        inside = Brought({path: data}) if read is None else _archive(path, read, data, room)
        if twice := brought.files.keys() & inside.files.keys():
            raise Invalid(f"The file {min(twice)!r} is brought twice.", "Give one of them another name.")
        brought.files |= inside.files
        brought.left_out += inside.left_out
        total += sum(map(len, inside.files.values()))
        check_room(limits, len(brought.files), total)
    check_set(brought.files)
    return brought


def folder_of(path: str) -> str:
    """Return where the files of an archive are, with a slash at the end; any other path as it is."""
    suffix = suffix_of(path)
    return f"{path[: -len(suffix)]}/" if suffix in _ARCHIVES else path


def _archive(
    path: str, read: Callable[[bytes, WorkspaceLimits], Brought], data: bytes, room: WorkspaceLimits
) -> Brought:
    name, folder = path.rpartition("/")[2], folder_of(path)
    try:
        inside = read(data, room)
    except Invalid as error:
        raise Invalid(
            f"{name} cannot be unpacked. {error.refusal.reason}", f"{error.refusal.next_step} {_AS_IT_IS}"
        ) from error
    if not inside.files:
        raise Invalid(f"{name} holds no files.", f"Attach the files themselves. {_AS_IT_IS}")
    own = f"{folder.rstrip('/').rpartition('/')[2]}/"
    cut = len(own) if all(each.startswith(own) for each in inside.files) else 0
    brought = Brought(left_out=[f"{name}: {each}" for each in inside.left_out])
    for each, content in inside.files.items():
        try:
            brought.files[normal_path(f"{folder}{each[cut:]}", room.path_depth)] = content
        except Invalid as error:
            brought.left_out.append(f"{name}: {each}: {error}")
    return brought


def read_zip(data: bytes, limits: WorkspaceLimits) -> Brought:
    """Return the files of a zip. Raises Invalid for anything unsafe, encrypted, damaged or over the
    limits."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _unzip(archive, limits)
    except DAMAGED_ZIP as error:
        raise Invalid(
            "The zip is damaged or of a kind not read here.", "Pack it again as a plain zip."
        ) from error


def _unzip(archive: zipfile.ZipFile, limits: WorkspaceLimits) -> Brought:
    brought = Brought()
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    check_room(limits, len(entries), sum(entry.file_size for entry in entries))
    left = limits.total_bytes
    for entry in entries:
        if reason := _left_out(entry):
            brought.left_out.append(f"{entry.filename}: {reason}")
            continue
        path = _checked_entry(entry, limits)
        if path in brought.files:
            raise Invalid(f"The zip holds {path!r} twice.", "Pack it again with each file once.")
        brought.files[path] = content = _read_entry(archive, entry, min(left, limits.file_bytes))
        left -= len(content)
    check_set(brought.files)
    return brought


def _left_out(entry: zipfile.ZipInfo) -> str:
    """Return why an entry is not taken in although it is safe to take in the others; "" where it is taken."""
    if _JUNK.search(entry.filename):
        return "made by a system, not by people"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "links are not taken in"
    if any(is_gits_own(name) for name in entry.filename.split("/")):
        return "a file of git itself"
    return ""


def _checked_entry(entry: zipfile.ZipInfo, limits: WorkspaceLimits) -> str:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise Invalid(f"{entry.filename!r} in the zip is a special file.", "Pack only plain files.")
    if entry.flag_bits & _ENCRYPTED:
        raise Invalid("The zip is encrypted.", "Send it without a password.")
    check_file(limits, entry.file_size)
    try:
        return normal_path(entry.filename, limits.path_depth)
    except Invalid as error:
        raise Invalid(f"The zip holds a name that is not safe, {entry.filename!r}.", f"{error}") from error


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    parts, size = [], 0
    with archive.open(entry) as file:
        while piece := file.read(_PIECE):
            parts.append(piece)
            size += len(piece)
            if size > min(most, entry.file_size):
                raise Invalid(
                    f"{entry.filename!r} unpacks to more than it says or may.", "The zip is not safe."
                )
    return b"".join(parts)


def read_bundle(data: bytes, limits: WorkspaceLimits) -> Brought:
    """Return the files of the newest commit of a git bundle (gitformat-bundle(5)), versions 2 and 3, SHA-1.

    Links, submodules and names that the workspace refuses are left out with the reason. Raises Invalid if the
    bundle is damaged, incomplete or over the limits.
    """
    tip, start = _read_header(data)
    objects = read_pack(data[start:], budget=2 * limits.total_bytes)
    brought = Brought()
    walk = _Walk(objects, limits, brought)
    walk.folder(_tree_of(objects, tip), "")
    check_set(brought.files)
    return brought


def _read_header(data: bytes) -> tuple[str, int]:
    head, found, _ = data[:1_000_000].partition(b"\n\n")
    lines = head.decode("utf-8", "replace").split("\n")
    if not found or lines[0] not in ("# v2 git bundle", "# v3 git bundle"):
        raise Invalid("This is not a git bundle.", "Make one with `git bundle create file.bundle --all`.")
    if any(line.startswith("-") for line in lines):
        raise Invalid(
            "The bundle builds on commits it does not hold.", "Make one with the whole history (--all)."
        )
    if any(line.startswith("@") and line != "@object-format=sha1" for line in lines):
        raise Invalid(
            "The bundle is filtered or not SHA-1, which is not read here.", "Send a plain bundle or a zip."
        )
    references = dict(line.split(" ", 1)[::-1] for line in lines[1:] if re.match(r"[0-9a-f]{40} ", line))
    tip = next((references[name] for name in _BRANCHES if name in references), None)
    tip = tip or next(iter(references.values()), None)
    if tip is None:
        raise Invalid("The bundle names no branch.", "Make one with `git bundle create file.bundle --all`.")
    return tip, len(head) + 2


def _tree_of(objects: dict[str, GitObject], tip: str) -> str:
    for _ in range(_MAX_TAGS):
        found = _object(objects, tip)
        first = found.data.split(b"\n", 1)[0].decode("ascii", "replace")
        if found.kind == "commit" and first.startswith("tree "):
            return first.removeprefix("tree ")
        if found.kind != "tag":
            break
        tip = first.removeprefix("object ")
    raise Invalid("The bundle's branch does not lead to files.", "Make it again from a branch.")


def _object(objects: dict[str, GitObject], name: str) -> GitObject:
    if name not in objects:
        raise Invalid("The bundle is incomplete.", "Make one with the whole history (--all).")
    return objects[name]


@dataclass(slots=True)
class _Walk:
    """Walks a tree and collects its files, counting every entry: trees may refer to each other many times."""

    objects: dict[str, GitObject]
    limits: WorkspaceLimits
    brought: Brought
    seen: int = 0
    total: int = 0

    def folder(self, name: str, prefix: str) -> None:
        try:
            entries = parse_tree(_object(self.objects, name).data)
        except ValueError as error:
            raise Invalid("The bundle is damaged.", "Make it again.") from error
        for mode, raw, oid in entries:
            self.seen += 1
            check_room(self.limits, self.seen, self.total)
            self._entry(mode, prefix + raw.decode("utf-8", "replace"), oid.hex())

    def _entry(self, mode: bytes, path: str, oid: str) -> None:
        if mode in (_LINK, _MODULE):
            self.brought.left_out.append(f"{path}: links and submodules are not taken in")
            return
        try:
            normal = normal_path(path, self.limits.path_depth)
        except Invalid as error:
            self.brought.left_out.append(f"{path}: {error}")
            return
        if mode == _TREE:
            self.folder(oid, path + "/")
        elif mode in _FILES:
            self._file(normal, _object(self.objects, oid).data)

    def _file(self, path: str, content: bytes) -> None:
        check_file(self.limits, len(content))
        self.total += len(content)
        check_room(self.limits, self.seen, self.total)
        self.brought.files[path] = content


_ARCHIVES: Mapping[str, Callable[[bytes, WorkspaceLimits], Brought]] = {
    ".zip": read_zip,
    ".bundle": read_bundle,
}
