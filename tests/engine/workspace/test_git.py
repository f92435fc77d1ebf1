"""The Workspace port on git, judged by the git command line."""

from __future__ import annotations

import asyncio
import random
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.errors import Invalid, NotFound
from engine.ports import Revision
from engine.workspace import GitWorkspace
from engine.workspace.loose import loose_ids
from engine.workspace.repository import MAX_PACKS, TaskRepository
from tests.engine.workspace.conftest import Git

TASK = 7


async def write(workspace: GitWorkspace, id: int, path: str, text: str, agent: str = "Ada") -> Revision:
    """Put and record one revision."""
    blob = await workspace.put(TASK, text.encode())
    revision = Revision(id, TASK, path, blob, agent, f"step-{id}", 1_700_000_000.0 + id, f"note {id}")
    await workspace.record(TASK, [revision])
    return revision


def repository(workspace: GitWorkspace) -> Path:
    """Where the task's repository is."""
    return workspace.root / f"{TASK}.git"


async def test_what_was_put_comes_back(workspace: GitWorkspace) -> None:
    """Bytes of any kind are found again under their id, and a repeat gives the same id."""
    content = bytes(range(256)) * 10
    blob = await workspace.put(TASK, content)
    assert await workspace.put(TASK, content) == blob
    assert await workspace.get(TASK, blob) == content


TORN = [b"", b"x\x01cut", b"no zlib at all", zlib.compress(b"tree 3\0abc"), zlib.compress(bytes(99))[:-7]]
"""What a power failure or a bad disk may leave of an object. libgit2 reads some of it for ever."""


def tear(workspace: GitWorkspace, oid: str, left: bytes) -> None:
    """Leave only that of a loose object."""
    place = repository(workspace) / "objects" / oid[:2] / oid[2:]
    place.chmod(0o644)
    place.write_bytes(left)


@pytest.mark.parametrize("left", TORN)
async def test_damaged_content_is_an_error_and_stops_nothing_else(
    workspace: GitWorkspace, git: Git, left: bytes
) -> None:
    """It is named, not read for ever with the interpreter's lock held; others are packed and recorded."""
    await write(workspace, 1, "a", "whole")
    blob = await workspace.put(TASK, b"damaged")
    tear(workspace, blob, left)
    with pytest.raises(NotFound, match="damaged"):
        await workspace.get(TASK, blob)
    with pytest.raises(NotFound, match="damaged"):
        await workspace.merge(TASK, None, await workspace.put(TASK, b"other"), blob)
    repo = workspace._opened(TASK)
    for _ in range(MAX_PACKS + 2):
        await asyncio.to_thread(repo.pack)
        await workspace.put(TASK, str(_).encode())
    await write(workspace, 2, "b", "later")
    assert git("--git-dir", repository(workspace), "show", "main:a") == "whole"
    assert await workspace.put(TASK, b"damaged") == blob and await workspace.get(TASK, blob) == b"damaged"


@pytest.mark.parametrize("left", TORN)
async def test_content_that_a_power_failure_tore_is_stored_again(
    workspace: GitWorkspace, left: bytes
) -> None:
    """An object that nobody had waited for may be empty or cut; it is not taken for the file."""
    contents = [b"first", b"second"]
    blobs = await workspace.put_many(TASK, contents)
    for blob in blobs:
        tear(workspace, blob, left)
    assert await workspace.put(TASK, contents[0]) == blobs[0]
    assert await workspace.put_many(TASK, contents[1:]) == blobs[1:]
    wanted = [blobs[1], "0" * 40, blobs[0]]
    assert await workspace.get_many(TASK, wanted) == [contents[1], None, contents[0]]
    assert [await workspace.get(TASK, blob) for blob in blobs] == contents


@pytest.mark.parametrize("blob", ["", "0" * 40, "../../etc/passwd", "zz" * 20, "a" * 39])
async def test_unknown_content_is_named(workspace: GitWorkspace, blob: str) -> None:
    """An id that names nothing is NotFound, whatever it looks like."""
    with pytest.raises(NotFound):
        await workspace.get(TASK, blob)


async def test_too_large_content_is_refused(workspace: GitWorkspace) -> None:
    """The size limit is reported with both numbers."""
    with pytest.raises(Invalid, match=r"200,001.*200,000"):
        await workspace.put(TASK, b"x" * 200_001)


async def test_history_is_one_commit_a_revision(workspace: GitWorkspace, git: Git) -> None:
    """git itself sees one commit a revision, with author, trailers and content, and finds no fault."""
    await write(workspace, 3, "src/a.py", "one\n", "Ada")
    await write(workspace, 5, "src/b.py", "two\n", "Bob <evil>")
    repo = repository(workspace)
    log = git("--git-dir", repo, "log", "--format=%an|%ae|%at|%(trailers:key=Revision,valueonly)")
    assert [line for line in log.splitlines() if line] == [
        "Bob evil|bob-evil@agents.invalid|1700000005|5",
        "Ada|ada@agents.invalid|1700000003|3",
    ]
    assert git("--git-dir", repo, "show", "main:src/a.py") == "one\n"
    assert git("--git-dir", repo, "fsck", "--strict", "--full", "--no-dangling") == ""


async def test_recording_again_changes_nothing(workspace: GitWorkspace, git: Git) -> None:
    """Revisions at or below the recorded one are skipped, also by a newly opened workspace."""
    first = await write(workspace, 1, "a", "1")
    second = await write(workspace, 2, "a", "2")
    again = GitWorkspace(workspace.root)
    await again.record(TASK, [second, first])
    third = Revision(9, TASK, "b", first.blob, "Cy", "s", 1.0)
    await again.record(TASK, [first, third, second])
    assert await again.recorded(TASK) == 9
    assert git("--git-dir", repository(workspace), "rev-list", "--count", "main").strip() == "3"
    await write(workspace, 10, "c", "the first workspace sees what the second recorded")
    assert git("--git-dir", repository(workspace), "ls-tree", "--name-only", "main").split() == [
        "a",
        "b",
        "c",
    ]


async def test_nothing_recorded_is_zero(workspace: GitWorkspace) -> None:
    """An empty history answers plainly."""
    assert await workspace.recorded(TASK) == 0
    with pytest.raises(NotFound):
        await workspace.history(TASK, "a")
    with pytest.raises(NotFound):
        await workspace.blame(TASK, "a")
    with pytest.raises(NotFound):
        await workspace.export_bundle(TASK, workspace.root / "x.bundle")


async def test_record_refuses_content_never_put(workspace: GitWorkspace, git: Git) -> None:
    """A revision whose bytes are missing cannot make a broken history."""
    with pytest.raises(NotFound, match="never stored"):
        good = await workspace.put(TASK, b"good")
        batch = [
            Revision(1, TASK, "a", good, "Ada", "s", 1.0),
            Revision(2, TASK, "b", "ab" * 20, "Ada", "s", 1.0),
        ]
        await workspace.record(TASK, batch)
    assert await workspace.recorded(TASK) == 0
    await workspace.record(TASK, [Revision(3, TASK, "c", good, "Ada", "s", 1.0)])
    assert git("--git-dir", repository(workspace), "ls-tree", "--name-only", "main").split() == ["c"]


async def test_deleting_takes_empty_folders_along(workspace: GitWorkspace, git: Git) -> None:
    """A deletion is a commit, and a folder without files is removed."""
    await write(workspace, 1, "deep/er/a.txt", "a")
    await write(workspace, 2, "b.txt", "b")
    await workspace.record(TASK, [Revision(3, TASK, "deep/er/a.txt", None, "Bob", "s3", 3.0)])
    assert git("--git-dir", repository(workspace), "ls-tree", "--name-only", "main").split() == ["b.txt"]
    newest = (await workspace.history(TASK, "deep/er/a.txt"))[0]
    assert (newest.blob, newest.agent, newest.id) == (None, "Bob", 3)
    with pytest.raises(NotFound, match="deleted by Bob"):
        await workspace.blame(TASK, "deep/er/a.txt")


async def test_random_histories_match_a_plain_dictionary(workspace: GitWorkspace, git: Git) -> None:
    """After hundreds of writes, deletions and folders turning into files, git's tree is the expected one."""
    rng = random.Random(4)
    expected: dict[str, str] = {}
    paths = [f"{a}{b}" for a in ("", "x/", "x/y/", "z-1/", "z/", "z.b/") for b in ("a", "a.b", "a-b", "é")]
    revisions = []
    for id in range(1, 301):
        path, text = rng.choice(paths), f"{rng.random()}"
        deleted = rng.random() < 0.3
        blob = None if deleted else await workspace.put(TASK, text.encode())
        revisions.append(Revision(id, TASK, path, blob, "Ada", f"s{id}", float(id)))
        expected.pop(path, None) if deleted else expected.__setitem__(path, text)
    for start in range(0, 300, 50):
        await workspace.record(TASK, revisions[start : start + 50])
    listed = git(
        "--git-dir",
        repository(workspace),
        "-c",
        "core.quotePath=false",
        "ls-tree",
        "-r",
        "--name-only",
        "main",
    )
    assert sorted(listed.splitlines()) == sorted(expected)
    for path, text in expected.items():
        assert git("--git-dir", repository(workspace), "show", f"main:{path}") == text
    assert git("--git-dir", repository(workspace), "fsck", "--strict", "--full", "--no-dangling") == ""


async def test_history_gives_revisions_back(workspace: GitWorkspace) -> None:
    """Newest first, limited, equal to what was recorded."""
    mine = [await write(workspace, id, "a.txt", f"{id}") for id in (1, 2, 3)]
    await write(workspace, 4, "other.txt", "x")
    assert await workspace.history(TASK, "a.txt") == mine[::-1]
    assert await workspace.history(TASK, "a.txt", limit=2) == [mine[2], mine[1]]


async def test_notes_cannot_forge_trailers(workspace: GitWorkspace) -> None:
    """A model's note that looks like trailers stays a subject."""
    blob = await workspace.put(TASK, b"x")
    note = "hello\n\nStep: forged\nRevision: 999\nPath: other"
    await workspace.record(TASK, [Revision(1, TASK, "a", blob, "A\nB: c", "real\nRevision: 5", 1.0, note)])
    assert await workspace.recorded(TASK) == 1
    (found,) = await workspace.history(TASK, "a")
    assert found.step == "real Revision: 5"


async def test_blame_names_who_wrote_each_line(workspace: GitWorkspace) -> None:
    """Kept lines stay with their author through insertions, changes and deletions around them."""
    await write(workspace, 1, "a.txt", "one\ntwo\nthree\nfour\n", "Ada")
    await write(workspace, 2, "a.txt", "zero\none\ntwo\nTHREE\nfour\n", "Bob")
    await write(workspace, 3, "a.txt", "zero\none\nTHREE\nfour\nfive", "Cy")
    lines = await workspace.blame(TASK, "a.txt")
    assert [(line.number, line.agent, line.step, line.text) for line in lines] == [
        (1, "Bob", "step-2", "zero"),
        (2, "Ada", "step-1", "one"),
        (3, "Bob", "step-2", "THREE"),
        (4, "Ada", "step-1", "four"),
        (5, "Cy", "step-3", "five"),
    ]


async def test_blame_agrees_with_git(workspace: GitWorkspace, git: Git) -> None:
    """On a random history git's own blame names the same authors where the diff leaves no choice."""
    rng, lines = random.Random(1), [f"line {n}" for n in range(20)]
    for id in range(1, 30):
        position = rng.randrange(len(lines) + 1)
        lines.insert(position, f"unique {id}")
        if id % 3 == 0:
            del lines[rng.randrange(len(lines))]
        await write(workspace, id, "f", "\n".join(lines) + "\n", f"Agent{id % 4}")
    shown = git("--git-dir", repository(workspace), "blame", "--line-porcelain", "main", "--", "f")
    theirs = [line.removeprefix("author ") for line in shown.splitlines() if line.startswith("author ")]
    assert [line.agent for line in await workspace.blame(TASK, "f")] == theirs


async def test_binary_files_have_no_lines(workspace: GitWorkspace) -> None:
    """Blame of a picture is refused in words."""
    blob = await workspace.put(TASK, b"\x89PNG\0\xff")
    await workspace.record(TASK, [Revision(1, TASK, "p.png", blob, "Ada", "s", 1.0)])
    with pytest.raises(Invalid, match="not text"):
        await workspace.blame(TASK, "p.png")


async def test_bundle_can_be_cloned(workspace: GitWorkspace, git: Git, tmp_path: Path) -> None:
    """git clones the bundle and finds the history, before and after packing."""
    await write(workspace, 1, "a/b.txt", "one\n")
    await write(workspace, 2, "a/b.txt", "two\n")
    await workspace.put(TASK, b"a draft nobody committed")
    bundle = tmp_path / "out.bundle"
    await workspace.export_bundle(TASK, bundle)
    git("--git-dir", repository(workspace), "bundle", "verify", "-q", bundle)
    git("clone", "-q", bundle, tmp_path / "clone")
    assert (tmp_path / "clone" / "a" / "b.txt").read_text() == "two\n"
    assert git("-C", tmp_path / "clone", "rev-list", "--count", "HEAD").strip() == "2"


async def test_a_bundle_holds_all_that_the_history_holds(
    workspace: GitWorkspace, git: Git, tmp_path: Path
) -> None:
    """Files beside and below each other, taken away, and a file that became a folder: nothing is missing."""
    paths = ["top.txt", "a/b.txt", "a/c/d.txt", "é/f.txt", "top.txt", "a/b.txt", "g", "x/y", "x/z"]
    for id, path in enumerate(paths, start=1):
        await write(workspace, id, path, f"{path} {id}\n")
    deleted = [Revision(at, TASK, path, None, "Ada", "s", 1.0 * at) for at, path in ((10, "g"), (11, "x/y"))]
    await workspace.record(TASK, deleted)
    await write(workspace, 12, "g/h", "a folder now\n")
    bundle = tmp_path / "out.bundle"
    await workspace.export_bundle(TASK, bundle)
    git("clone", "-q", "--bare", bundle, tmp_path / "clone")
    listed = ("rev-list", "--objects", "--all")
    theirs = git("--git-dir", tmp_path / "clone", *listed)
    assert sorted(theirs.split()) == sorted(git("--git-dir", repository(workspace), *listed).split())
    git("--git-dir", tmp_path / "clone", "fsck", "--strict")


async def test_a_long_bundle_is_packed_tightly(workspace: GitWorkspace, tmp_path: Path) -> None:
    """Small changes to one text take little room: Discord's limit is for the bundle as well."""
    text = [f"line {number} of a text that is long enough\n" for number in range(400)]
    for id in range(1, 101):
        text[id] = f"changed by {id}\n"
        await write(workspace, id, "folder/text.md", "".join(text))
    bundle = tmp_path / "out.bundle"
    await workspace.export_bundle(TASK, bundle)
    assert bundle.stat().st_size < 3 * len("".join(text))


async def test_drop_forgets(workspace: GitWorkspace) -> None:
    """After drop the task starts from nothing."""
    await write(workspace, 1, "a", "1")
    await workspace.drop(TASK)
    assert not repository(workspace).exists()
    assert await workspace.recorded(TASK) == 0


async def test_repository_holds_nothing_that_runs(workspace: GitWorkspace, git: Git) -> None:
    """No hooks, a fixed configuration, and files named like git's own stay content."""
    await write(workspace, 1, "hooks/post-update", "#!/bin/sh\ntouch pwned\n")
    repo = repository(workspace)
    assert not (repo / "hooks").exists()
    assert not [path for path in repo.rglob("*") if path.is_file() and path.stat().st_mode & 0o111]
    git("--git-dir", repo, "gc", "-q")
    assert not list(workspace.root.rglob("pwned"))


async def test_many_writers_one_history(workspace: GitWorkspace, git: Git) -> None:
    """Fifty coroutines recording at once in any order of batches lose nothing and stay in id order."""
    blobs = await asyncio.gather(*(workspace.put(TASK, f"{n}".encode()) for n in range(50)))
    revisions = [Revision(n + 1, TASK, f"f{n}", blobs[n], f"A{n}", "s", 1.0) for n in range(50)]
    await asyncio.gather(*(workspace.record(TASK, revisions[: n + 1]) for n in range(50)))
    ids = git(
        "--git-dir", repository(workspace), "log", "--format=%(trailers:key=Revision,valueonly)", "main"
    )
    assert [int(id) for id in ids.split()] == list(range(50, 0, -1))


async def test_packing_keeps_everything(workspace: GitWorkspace, git: Git) -> None:
    """Packs replace loose objects while reads continue, many packs become one, and git finds no fault."""
    revisions = [await write(workspace, id, f"d{id % 5}/f", f"text {id}\n" * 20) for id in range(1, 41)]
    repo = workspace._opened(TASK)
    for id in range(41, 70):
        revisions.append(await write(workspace, id, "more", f"{id}"))
        await asyncio.to_thread(repo.pack)
    assert len(list((repo.objects / "pack").glob("*.pack"))) < 29
    for revision in revisions:
        assert revision.blob
        await workspace.get(TASK, revision.blob)
    await write(workspace, 99, "last", "after packing")
    assert git("--git-dir", repository(workspace), "fsck", "--strict", "--full", "--no-dangling") == ""
    assert git("--git-dir", repository(workspace), "rev-list", "--count", "main").strip() == "70"


async def at_rest(workspace: GitWorkspace) -> None:
    """Nothing is done beside the writers any more, which would settle the history again."""
    if workspace._care:
        await asyncio.wait(workspace._care.values())


@pytest.mark.parametrize("left", TORN)
async def test_a_power_cut_takes_only_what_can_be_recorded_again(
    workspace: GitWorkspace, git: Git, left: bytes
) -> None:
    """Commits whose objects never reached the disk are dropped on opening, and recording repairs that."""
    revisions = [await write(workspace, id, f"d{id % 2}/f", f"{id}") for id in range(1, 6)]
    await at_rest(workspace)
    repo = workspace._opened(TASK)
    repo.settle()
    settled = set(loose_ids(repo.objects))
    for id in range(6, 9):
        blob = await workspace.put(TASK, f"{id}".encode())
        revisions.append(Revision(id, TASK, "d0/f", blob, "Ada", f"s{id}", float(id)))
        repo.record(revisions)
    kept = {revision.blob for revision in revisions}
    for oid in set(loose_ids(repo.objects)) - settled - kept:
        tear(workspace, oid, left)
    after = GitWorkspace(workspace.root)
    assert await after.recorded(TASK) == 5
    await after.record(TASK, revisions)
    assert await after.recorded(TASK) == 8
    assert git("--git-dir", repository(workspace), "fsck", "--strict", "--full", "--no-dangling") == ""
    assert git("--git-dir", repository(workspace), "show", "main:d0/f") == "8"


async def test_a_branch_that_was_cut_off_goes_back(workspace: GitWorkspace) -> None:
    """An empty branch file, as a power cut may leave it, falls back to the settled commit or to nothing."""
    await write(workspace, 1, "a", "1")
    await at_rest(workspace)
    workspace._opened(TASK).settle()
    (repository(workspace) / "refs/heads/main").write_text("")
    assert await GitWorkspace(workspace.root).recorded(TASK) == 1
    (repository(workspace) / "refs/heads/main").write_text("")
    (repository(workspace) / "settled").unlink()
    assert await GitWorkspace(workspace.root).recorded(TASK) == 0


def test_many_lay_out_a_repository_at_once(tmp_path: Path) -> None:
    """Workers whose agents write a task's first files together all find a whole repository."""
    for number in range(20):
        place, together = tmp_path / f"{number}.git", threading.Barrier(8)

        def begin(place: Path = place, together: threading.Barrier = together) -> str:
            together.wait()
            return TaskRepository(place).put(b"x")

        with ThreadPoolExecutor(8) as threads:
            blobs = [future.result() for future in [threads.submit(begin) for _ in range(8)]]
        assert len(set(blobs)) == 1
        assert not list(place.glob("HEAD.*"))
