"""Hostile wheels: nothing leaves the folder, nothing of them runs as Python starts, no size is believed."""

from __future__ import annotations

import io
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.packages.wheels import members, pin_of, unpack
from tests.engine.packages.index import wheel

MOST = 1_000_000
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def stored(folder: Path, made: tuple[str, bytes]) -> Path:
    """The wheel as a file."""
    path = folder / made[0]
    path.write_bytes(made[1])
    return path


def link(target: str) -> tuple[zipfile.ZipInfo, str]:
    """A symbolic link as zip files hold them."""
    info = zipfile.ZipInfo("mod/link")
    info.external_attr = 0o120777 << 16
    return info, target


@pytest.mark.parametrize(
    "path",
    ["../out.py", "/etc/out.py", "a/../../out.py", "a\\..\\out.py", "c:/out.py", "a\u202eb.py", "x" * 600],
)
def test_a_wheel_with_an_unsafe_path_is_refused_whole(tmp_path: Path, path: str) -> None:
    """Nothing of it is written, inside or outside."""
    made = stored(tmp_path, wheel("bad", "1.0", {"good.py": "", path: "x = 1\n"}))
    target = tmp_path / "deep" / "site"
    target.mkdir(parents=True)
    with pytest.raises(Invalid, match="unsafe path"):
        unpack(made, "bad 1.0", target, MOST)
    assert list(target.iterdir()) == [] and not (tmp_path / "deep" / "out.py").exists()


def test_links_and_files_below_files_are_refused(tmp_path: Path) -> None:
    """A link to the host, and a name that is a file and a folder."""
    name, content = wheel("bad", "1.0", {"a": "x"})
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(*link("/etc/passwd"))
    with pytest.raises(Invalid, match="unsafe path"):
        members(stored(tmp_path, (name, buffer.getvalue())), "bad", MOST)
    with pytest.raises(Invalid, match="below a file"):
        members(stored(tmp_path, wheel("bad", "1.0", {"a": "x", "a/b.py": "x"})), "bad", MOST)


@pytest.mark.parametrize(("mode", "taken"), [(0o100644, True), (0o010644, False), (0o140644, False)])
def test_only_plain_files_are_taken(tmp_path: Path, mode: int, taken: bool) -> None:
    """By the kind that the archive gives a member: a pipe and a socket are none."""
    name, content = wheel("kinds", "1.0", {"a.py": "x"})
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive:
        info = zipfile.ZipInfo("mod/b.py")
        info.external_attr = mode << 16
        archive.writestr(info, "y")
    file = stored(tmp_path, (name, buffer.getvalue()))
    if taken:
        assert "mod/b.py" in {member.target for member in members(file, "kinds", MOST)}
    else:
        with pytest.raises(Invalid, match="unsafe path"):
            members(file, "kinds", MOST)


def test_what_would_run_by_itself_or_outside_python_is_left_out(tmp_path: Path) -> None:
    """Start-up files, scripts, headers and data; the library of the `.data` folder comes with the rest."""
    files = {
        "mod/__init__.py": "",
        "evil.pth": "import os; os.system('x')",
        "sitecustomize.py": "x",
        "usercustomize/__init__.py": "x",
        "bad-1.0.data/scripts/tool": "#!python",
        "bad-1.0.data/data/etc/passwd": "x",
        "bad-1.0.data/headers/a.h": "x",
        "bad-1.0.data/purelib/pure.py": "x",
        "bad-1.0.data/purelib/more.pth": "x",
    }
    unpack(stored(tmp_path, wheel("bad", "1.0", files)), "bad", tmp_path / "site", MOST)
    found = {str(p.relative_to(tmp_path / "site")) for p in (tmp_path / "site").rglob("*") if p.is_file()}
    info = {f"bad-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD")}
    assert found == {"mod/__init__.py", "pure.py", *info}


def test_sizes_are_bounded_whatever_a_wheel_claims(tmp_path: Path) -> None:
    """A bomb of zeros, too many files, and one whose directory lies about its size."""
    with pytest.raises(Invalid, match="too large"):
        members(stored(tmp_path, wheel("bomb", "1.0", {"zeros": b"\0" * (MOST + 1)})), "bomb", MOST)
    many = {f"m/{number}.py": "" for number in range(20_001)}
    with pytest.raises(Invalid, match="too large"):
        members(stored(tmp_path, wheel("many", "1.0", many)), "many", MOST)
    name, content = wheel("liar", "1.0", {"zeros": b"\0" * 3_000_000})
    lying = content.replace((3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != content
    (tmp_path / "site").mkdir()
    with pytest.raises(Invalid, match=r"damaged|larger than it claims"):
        unpack(stored(tmp_path, (name, lying)), "liar", tmp_path / "site", MOST)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 cut"])
def test_a_damaged_wheel_is_told_as_one(tmp_path: Path, content: bytes) -> None:
    """Not as an error inside."""
    with pytest.raises(Invalid, match="damaged"):
        members(stored(tmp_path, ("bad-1.0-py3-none-any.whl", content)), "bad 1.0", MOST)


@given(packing=st.sampled_from(_PACKINGS), at=st.floats(0, 1), byte=st.integers(1, 255))
@settings(deadline=None, max_examples=150)
def test_a_wheel_with_a_wrong_byte_is_unpacked_or_told_as_damaged(packing: int, at: float, byte: int) -> None:
    """Wherever it is and however the wheel is packed; no error of a decoder comes out."""
    name, content = wheel("odd", "1.0", {"text.py": "".join(f"line {n}\n" for n in range(400))})
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(packed, "w", packing) as again:
        for info in archive.infolist():
            again.writestr(info.filename, archive.read(info), packing)
    damaged = bytearray(packed.getvalue())
    damaged[int(at * (len(damaged) - 1))] ^= byte
    with tempfile.TemporaryDirectory() as folder, suppress(Invalid):
        unpack(stored(Path(folder), (name, bytes(damaged))), "odd", Path(folder) / "site", MOST)


@pytest.mark.parametrize("name", ["bad-1.0.tar.gz", "bad.whl", "-1.0-py3-none-any.whl"])
def test_what_is_no_wheel_by_its_name_has_no_pin(tmp_path: Path, name: str) -> None:
    """Source archives are never looked into."""
    with pytest.raises(Invalid, match="no wheel"):
        pin_of(stored(tmp_path, (name, b"x")))
