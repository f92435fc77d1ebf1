"""Zip and bundle from strangers: what comes in, and what is refused."""

from __future__ import annotations

import hashlib
import io
import random
import stat
import struct
import tracemalloc
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.ports import Revision
from engine.workspace import GitWorkspace, WorkspaceLimits, folder_of, read_bundle, read_zip, unpack
from engine.workspace.pack import read_pack
from tests.engine.workspace.conftest import Git

LIMITS = WorkspaceLimits(file_bytes=100_000, total_bytes=400_000, files=50, path_depth=8)


def zipped(entries: list[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """A zip of names and contents."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return target.getvalue()


def test_a_plain_zip_comes_in() -> None:
    """Files with their folders; system junk is left out and named."""
    data = zipped(
        [("a/b.txt", b"b"), ("c.bin", b"\0\xff"), ("a/", b""), ("__MACOSX/x", b""), ("a/.DS_Store", b"")]
    )
    brought = read_zip(data, LIMITS)
    assert brought.files == {"a/b.txt": b"b", "c.bin": b"\0\xff"}
    assert len(brought.left_out) == 2


def test_what_a_checkout_holds_besides_files_is_left_out() -> None:
    """A folder packed with its history, or downloaded from a host of repositories, comes in all the same."""
    others: list[tuple[str | zipfile.ZipInfo, bytes]] = [
        (".git/config", b""), ("a/.GIT/hooks/post-checkout", b""), (".gitattributes", b""), ("GIT~1/x", b"")
    ]  # fmt: skip
    link = (_special(stat.S_IFLNK | 0o777), b"/etc/passwd")
    brought = read_zip(zipped([*others, link, (".gitignore", b"x"), ("a/b.py", b"1")]), LIMITS)
    assert brought.files == {".gitignore": b"x", "a/b.py": b"1"}
    assert [each.partition(": ")[2] for each in brought.left_out] == ["a file of git itself"] * 4 + [
        "links are not taken in"
    ]


def test_archives_stand_for_what_they_hold() -> None:
    """In a folder of their name; a folder of that name inside is not repeated."""
    one = zipped([("a.py", b"1"), ("src/b.py", b"2"), (".git/HEAD", b"")])
    two = zipped([("Two/a.py", b"3"), ("Two/.DS_Store", b"")])
    given = {"in/one.zip": one, "in/Two.ZIP": two, "in/plain.txt": b"zip"}
    brought = unpack(given, LIMITS)
    assert brought.files == {
        "in/one/a.py": b"1", "in/one/src/b.py": b"2", "in/Two/a.py": b"3", "in/plain.txt": b"zip"
    }  # fmt: skip
    assert brought.left_out == [
        "one.zip: .git/HEAD: a file of git itself", "Two.ZIP: Two/.DS_Store: made by a system, not by people"
    ]  # fmt: skip
    assert [folder_of(path) for path in given] == ["in/one/", "in/Two/", "in/plain.txt"]


def test_a_name_that_its_folder_makes_too_long_is_left_out() -> None:
    """The others come in."""
    brought = unpack({f"{'d' * 100}.zip": zipped([("x" * 110 + "/" + "y" * 50, b""), ("a", b"1")])}, LIMITS)
    assert list(brought.files) == [f"{'d' * 100}/a"] and "240 bytes" in brought.left_out[0]


def test_archives_together_are_within_the_limits() -> None:
    """Each alone would be."""
    one = zipped([(f"f{n}", bytes(90_000)) for n in range(3)])
    unpack({"a.zip": one}, LIMITS)
    with pytest.raises(Invalid, match=r"b\.zip cannot be unpacked.*270,000 bytes and may have 130,000"):
        unpack({"a.zip": one, "b.zip": one}, LIMITS)
    with pytest.raises(Invalid, match="400,001 bytes"):
        unpack({f"{n}": bytes(100_000) for n in range(4)} | {"last": b"x"}, LIMITS)


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({"a.zip": b"no zip"}, r"^a\.zip cannot be unpacked\. .*damaged.* give it another suffix\.$"),
        ({"a.bundle": b"no bundle"}, r"^a\.bundle cannot be unpacked\. This is not a git bundle\."),
        ({"a.zip": zipped([("__MACOSX/x", b"")])}, "holds no files"),
        ({"a.zip": zipped([("x", b"")]), "a/x": b""}, "'a/x' is brought twice"),
        ({"a.zip": zipped([("x", b"")]), "A": b""}, "is a file|is a folder"),
        ({"a.zip": zipped([("x", b"")]), "A/y": b""}, "spelling"),
    ],
)
def test_archives_that_cannot_be_unpacked_are_named(files: dict[str, bytes], word: str) -> None:
    """With what is wrong and what to do."""
    with pytest.raises(Invalid, match=word):
        unpack(files, LIMITS)


def _special(mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link")
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("entries", "word"),
    [
        ([("../evil", b"")], "not safe"),
        ([("a/../../evil", b"")], "not safe"),
        ([("/etc/passwd", b"")], "absolute"),
        ([("C:\\x", b"")], "backslash"),
        ([("a\nb", b"")], "control"),
        ([(_special(stat.S_IFIFO | 0o777), b"")], "special file"),
        ([("a", b""), ("A", b"")], "upper and lower case"),
        ([("a", b""), ("a/b", b"")], "is a file"),
        ([("big", bytes(100_001))], "100,001 bytes"),
        ([(f"f{n}", bytes(90_000)) for n in range(5)], "450,000 bytes"),
        ([(f"f{n}", b"") for n in range(51)], "50 files"),
    ],
)
def test_bad_zips_are_refused(entries: list[tuple[str | zipfile.ZipInfo, bytes]], word: str) -> None:
    """Traversal, links, collisions and sizes are each refused in words."""
    with pytest.raises(Invalid, match=word):
        read_zip(zipped(entries), LIMITS)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused() -> None:
    """Two entries of one name cannot both be the file."""
    with pytest.raises(Invalid, match="twice"):
        read_zip(zipped([("a", b"1"), ("a", b"2")]), LIMITS)


def test_an_encrypted_zip_is_refused() -> None:
    """The flag alone is enough; nobody is asked for a password."""
    data = bytearray(zipped([("a", b"secret")]))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(Invalid, match="encrypted"):
        read_zip(bytes(data), LIMITS)


def test_a_zip_of_too_many_entries_is_refused_at_once() -> None:
    """100,000 names are counted before any is read."""
    data = zipped([(f"folder/{number}", b"") for number in range(100_000)])
    with pytest.raises(Invalid, match="10,000 files"):
        read_zip(data, WorkspaceLimits())


def test_a_zip_bomb_is_refused() -> None:
    """What unpacks to far more than it weighs stops at the limit, by what it says and by what it does."""
    bomb = zipped([(f"zeros{number}", bytes(60_000)) for number in range(10)])
    assert len(bomb) < 10_000
    with pytest.raises(Invalid, match="600,000 bytes"):
        read_zip(bomb, LIMITS)
    nested = zipped([("inner.zip", zipped([("zeros", bytes(90_000))]))])
    assert set(read_zip(nested, LIMITS).files) == {"inner.zip"}


def test_a_zip_that_lies_about_its_size_is_refused() -> None:
    """More bytes than the directory says are never unpacked to the end."""
    data = bytearray(zipped([("a", bytes(50_000_000))]))
    for header, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        start = data.index(header) + at
        data[start : start + 4] = struct.pack("<I", 10)
    tracemalloc.start()
    with pytest.raises(Invalid):
        read_zip(bytes(data), LIMITS)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_zips_are_invalid_or_right(data: st.DataObject) -> None:
    """Any flipped byte gives Invalid or a sound answer, never another error."""
    raw = bytearray(zipped([("a/b.txt", b"hello" * 50), ("c", b"x")]))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        brought = read_zip(bytes(raw), LIMITS)
    except Invalid:
        return
    assert all(".." not in path for path in brought.files)


async def _bundle(tmp_path: Path, count: int = 30) -> tuple[bytes, dict[str, bytes]]:
    workspace, files = GitWorkspace(tmp_path / "w"), {}
    rng = random.Random(3)
    text = [f"line {n}\n" for n in range(300)]
    for id in range(1, count + 1):
        text[rng.randrange(300)] = f"changed {id}\n"
        path = f"d{id % 3}/f{id % 5}.txt"
        files[path] = "".join(text).encode()
        blob = await workspace.put(1, files[path])
        await workspace.record(1, [Revision(id, 1, path, blob, "Ada", "s", float(id))])
    await workspace.export_bundle(1, tmp_path / "x.bundle")
    return (tmp_path / "x.bundle").read_bytes(), files


async def test_our_own_bundle_comes_back(tmp_path: Path) -> None:
    """What was exported (deltas included) is read to the same files."""
    data, files = await _bundle(tmp_path)
    assert read_bundle(data, LIMITS).files == files


async def test_gits_own_bundle_comes_in(tmp_path: Path, git: Git) -> None:
    """A bundle made by git, with tags, links and attributes: files come, the rest is named."""
    repo = tmp_path / "repo"
    git("init", "-q", "-b", "main", repo)
    (repo / "src").mkdir()
    for number in range(5):
        (repo / "src" / "a.txt").write_text("".join(f"{n * number}\n" for n in range(500)))
        (repo / "run.sh").write_text("#!/bin/sh\n")
        (repo / "run.sh").chmod(0o755)
        git("-C", repo, "add", "-A")
        git(
            "-C",
            repo,
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@x",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "x",
        )
    (repo / "link").symlink_to("/etc/passwd")
    (repo / ".gitattributes").write_text("* text\n")
    git("-C", repo, "add", "-A")
    git("-C", repo, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "-m", "links")
    git("-C", repo, "repack", "-adfq")
    for words in (("--all",), ("--version=3", "--all")):
        bundle = tmp_path / "git.bundle"
        git("-C", repo, "bundle", "create", "-q", *words[:-1], bundle, words[-1])
        brought = read_bundle(bundle.read_bytes(), LIMITS)
        expected = (repo / "src" / "a.txt").read_bytes()
        assert brought.files == {"src/a.txt": expected, "run.sh": b"#!/bin/sh\n"}
        assert [entry.split(":")[0] for entry in brought.left_out] == [".gitattributes", "link"]
    git("-C", repo, "bundle", "create", "-q", bundle, "main~1..main")
    with pytest.raises(Invalid, match="whole history"):
        read_bundle(bundle.read_bytes(), LIMITS)


async def test_a_hostile_bundle_plants_nothing(tmp_path: Path, git: Git) -> None:
    """Hooks, configuration, submodules, links and ways up in its trees are left out by name."""
    repo = tmp_path / "repo"
    git("init", "-q", "--bare", repo)
    (tmp_path / "evil").write_text("#!/bin/sh\ntouch /tmp/pwned\n")
    blob = git("--git-dir", repo, "hash-object", "-w", tmp_path / "evil").strip()
    inner = _tree(git, repo, tmp_path, [f"100755 blob {blob}\tpost-checkout"])
    dotgit = _tree(git, repo, tmp_path, [f"040000 tree {inner}\thooks", f"100644 blob {blob}\tconfig"])
    entries = [f"040000 tree {dotgit}\t{name}" for name in (".git", "..", ".GIT", "git~1")]
    entries += [f"100644 blob {blob}\t{name}" for name in (".gitmodules", ".gitattributes", "good.sh")]
    entries += [f"160000 commit {'1' * 40}\tmodule", f"120000 blob {blob}\tlink"]
    tree = _tree(git, repo, tmp_path, entries)
    words = ("-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", "-m", "x", tree)
    commit = git("--git-dir", repo, *words).strip()
    git("--git-dir", repo, "update-ref", "refs/heads/main", commit)
    git("--git-dir", repo, "bundle", "create", "-q", tmp_path / "evil.bundle", "main")
    brought = read_bundle((tmp_path / "evil.bundle").read_bytes(), LIMITS)
    assert set(brought.files) == {"good.sh"}
    left = {entry.split(":")[0] for entry in brought.left_out}
    assert left == {".git", "..", ".GIT", "git~1", ".gitmodules", ".gitattributes", "module", "link"}


def _tree(git: Git, repo: Path, tmp_path: Path, entries: list[str]) -> str:
    lines = tmp_path / "entries"
    lines.write_text("\n".join(entries) + "\n")
    done = git("--git-dir", repo, "-c", f"alias.fromfile=!git mktree --missing < '{lines}'", "fromfile")
    return done.strip()


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_damaged_bundles_are_invalid(data: st.DataObject, bundle: bytes) -> None:
    """Flipped bytes and cut ends, with a corrected checksum, give Invalid or files, never another error."""
    raw = bytearray(bundle)
    start = raw.index(b"PACK")
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(start, len(raw) - 21))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(start + 40, len(raw) - 21)) : -20]
    raw[-20:] = hashlib.sha1(raw[start:-20]).digest()
    try:
        read_bundle(bytes(raw), LIMITS)
    except Invalid:
        return


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A bundle with a history."""
    import asyncio

    return asyncio.run(_bundle(tmp_path_factory.mktemp("bundle"), 12))[0]


def _packed(objects: list[tuple[int, bytes]]) -> bytes:
    body = b"PACK" + struct.pack(">II", 2, len(objects))
    for kind, content in objects:
        base = content[:20] if kind == 7 else b""
        length = len(content) - len(base)
        size, first = length >> 4, kind << 4 | length & 15
        header = bytearray([first | (0x80 if size else 0)])
        while size:
            header.append(size & 0x7F | (0x80 if size >> 7 else 0))
            size >>= 7
        body += bytes(header) + base + zlib.compress(content[len(base) :])
    return body + hashlib.sha1(body).digest()


def _id(kind: str, content: bytes) -> bytes:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).digest()


def test_a_bundle_that_names_itself_over_and_over_is_refused() -> None:
    """Trees that hold each other ten-fold would unfold without end; counting stops it."""
    blob = b"x"
    objects, mode, below = [(3, blob)], b"100644", _id("blob", blob)
    for _ in range(7):
        tree = b"".join(mode + b" f%d\0" % n + below for n in range(10))
        objects.append((2, tree))
        mode, below = b"40000", _id("tree", tree)
    commit = b"tree " + below.hex().encode() + b"\n\nx"
    objects.append((1, commit))
    tip = _id("commit", commit).hex().encode()
    data = b"# v2 git bundle\n" + tip + b" HEAD\n\n" + _packed(objects)
    with pytest.raises(Invalid, match="50 files"):
        read_bundle(data, LIMITS)


def test_an_object_that_unpacks_too_large_is_refused() -> None:
    """The budget is checked before a byte is unpacked."""
    data = b"# v2 git bundle\n" + b"a" * 40 + b" HEAD\n\n" + _packed([(3, bytes(30_000_000))])
    tracemalloc.start()
    with pytest.raises(Invalid, match="too large"):
        read_bundle(data, LIMITS)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def _delta(base: bytes, made: bytes) -> bytes:
    """A delta that adds all of `made`, of up to 127 bytes."""
    return bytes([len(base), len(made), len(made)]) + made


def test_deltas_count_towards_the_budget() -> None:
    """They wait in memory for what they change: fifty small ones could hold a hundred times the limit."""
    waiting = [(7, b"\0" * 20 + bytes(700_000)) for _ in range(50)]
    data = b"# v2 git bundle\n" + b"a" * 40 + b" HEAD\n\n" + _packed(waiting)
    assert len(data) < 100_000
    tracemalloc.start()
    with pytest.raises(Invalid, match="too large"):
        read_bundle(data, LIMITS)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_objects_count_towards_the_budget_however_small() -> None:
    """A million empty ones take memory too."""
    data = b"# v2 git bundle\n" + b"a" * 40 + b" HEAD\n\n" + _packed([(3, b"")] * 20_000)
    with pytest.raises(Invalid, match="too large"):
        read_bundle(data, LIMITS)


def test_a_chain_of_deltas_is_read_in_a_time_that_grows_with_it() -> None:
    """Each changes the one after it in the pack, so that none is ready before the last."""
    texts = [f"{number:05}".encode() for number in range(20_000)]
    chain = [(3, texts[0])]
    for before, made in pairwise(texts):
        chain.append((7, _id("blob", before) + _delta(before, made)))
    assert len(read_pack(_packed(chain[::-1]), budget=100_000_000)) == len(texts)


@pytest.mark.parametrize("data", [b"", b"hello", b"# v2 git bundle\n\n", b"# v9 git bundle\n\nPACK"])
def test_what_is_no_bundle_is_said(data: bytes) -> None:
    """Other bytes are refused with how to make a bundle."""
    with pytest.raises(Invalid):
        read_bundle(data, LIMITS)
