"""Fetch wheels with pip, as a program that may download and nothing else.

What it chose is read from its report, which is data: versions, and whether their authors withdrew them.
`--only-binary=:all:` keeps pip from building anything; what it leaves besides wheels is refused. Its own
settings of the machine (index, proxy, certificates) hold, no other ones.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

from engine.errors import Invalid, Refusal

FETCH_S = 240.0
_LOOK_S = 0.2
_KEPT = re.compile(r"PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY|CONFIG_FILE)$")
_AWAY = re.compile(
    r"NewConnectionError|ConnectionError|Connection refused|Name or service not known|timed out|SSLError"
    r"|Temporary failure in name resolution|Max retries|ProxyError|[Cc]onnection (broken|reset)",
)
_CLASH = re.compile(r"^ERROR: (ResolutionImpossible|Cannot install)", re.MULTILINE)
_NONE = re.compile(r"No matching distribution found for ([^\s;(]+)")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_SOURCE = re.compile(r"No sources permitted for ([A-Za-z0-9._-]+):")
_ABSENT = re.compile(r"404 Client Error: [^\n]*?/([A-Za-z0-9._-]+)/? - skipping")


@dataclass(frozen=True, slots=True)
class Fetched:
    """The wheels of one fetch. By canonical name: `withdrawn` by their authors, though they can be had, and
    `older` than the newest that there is for who asked, which does not fit or needs what has no wheel."""

    wheels: tuple[Path, ...]
    withdrawn: frozenset[str] = frozenset()
    older: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Chosen:
    """A package that pip chose, as its report says."""

    name: str
    version: str
    is_withdrawn: bool
    is_requested: bool


@dataclass(frozen=True, slots=True)
class _Pip:
    """Pip for the interpreter `python`, in a folder of its own, with at most `most` bytes there."""

    python: Path
    folder: Path
    most: int
    index: str

    async def choose(self, wanted: Sequence[str], *options: str) -> tuple[Chosen, ...]:
        """Return what pip would install. Raises Invalid."""
        report = self.folder / "report.json"
        words = ["install", "--dry-run", "--ignore-installed", "--report", str(report), *options]
        await self.run(words, wanted, wanted)
        return chosen_in(await asyncio.to_thread(report.read_bytes))

    async def run(self, command: Sequence[str], given: Sequence[str], wanted: Sequence[str]) -> None:
        """Run a command on the packages `given`. Raises Invalid with one sentence and the next step."""
        words = [sys.executable, "-I", "-m", "pip", "--python", str(self.python), *command]
        words += ["--only-binary=:all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
        words += ["--no-color", "-vv", "--retries", "1", "--timeout", "20"]
        words += [*(["--index-url", self.index] if self.index else []), "--", *given]
        done, said = await _run(words, self.folder, self.folder / "tmp", self.most)
        if not done:
            why = _why(said, wanted)
            raise Invalid(why.reason, why.next_step)


async def fetch_wheels(
    python: Path, wanted: Sequence[str], constraints: Sequence[str], folder: Path, most: int, index: str
) -> Fetched:
    """Download the wheels of `wanted` and of all they need into `folder`, at most `most` bytes.

    Raises Invalid with one sentence and the next step.
    """
    out = folder / "out"
    out.mkdir()
    (folder / "tmp").mkdir()
    fixed = folder / "constraints.txt"
    fixed.write_text("".join(f"{line}\n" for line in constraints))
    pip = _Pip(python, folder, most, index)
    chosen = await pip.choose(wanted, "-c", str(fixed))
    newest = {one.name: Version(one.version) for one in await pip.choose(wanted, "--no-deps")}
    exactly = [f"{one.name}=={one.version}" for one in chosen]
    await pip.run(["download", "--no-deps", "-d", str(out)], exactly, wanted)
    found = sorted(out.iterdir())
    strange = next((path.name for path in found if path.suffix != ".whl" or not path.is_file()), None)
    if strange is not None:
        raise Invalid(f"The index gave {strange[:60]!a}, which is no wheel.", "Choose another package.")
    asked = [one for one in chosen if one.is_requested]
    older = {one.name for one in asked if Version(one.version) < newest.get(one.name, Version("0"))}
    withdrawn = {one.name for one in chosen if one.is_withdrawn}
    return Fetched(tuple(found), frozenset(withdrawn), frozenset(older))


def chosen_in(report: bytes) -> tuple[Chosen, ...]:
    """Return what pip's report of an installation names (its format, version 1)."""
    return tuple(
        Chosen(
            canonicalize_name(str(one["metadata"]["name"])),
            str(one["metadata"]["version"]),
            bool(one["is_yanked"]),
            bool(one["requested"]),
        )
        for one in json.loads(report)["install"]
    )


def _names(pattern: re.Pattern[str], said: str) -> frozenset[str]:
    return frozenset(canonicalize_name(name) for name in pattern.findall(said))


async def _run(words: Sequence[str], folder: Path, temporary: Path, most: int) -> tuple[bool, str]:
    """Run pip within its limits. Return whether it succeeded, and what it said. Raises Invalid."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_") or _KEPT.match(k)}
    environment |= {"TMPDIR": str(temporary)}
    log = folder / "pip.log"
    with log.open("wb") as said:
        pip = await asyncio.create_subprocess_exec(
            *words,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        await _within_limits(pip, folder, most)
    finally:
        if pip.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(pip.pid, signal.SIGKILL)
            await pip.wait()
    return pip.returncode == 0, await asyncio.to_thread(log.read_text, "utf-8", "replace")


async def _within_limits(pip: asyncio.subprocess.Process, folder: Path, most: int) -> None:
    ended = asyncio.ensure_future(pip.wait())
    try:
        async with asyncio.timeout(FETCH_S):
            while not (await asyncio.wait({ended}, timeout=_LOOK_S))[0]:
                if await asyncio.to_thread(_size, folder) > most:
                    raise Invalid(
                        f"These packages are larger than {most // 2**20} MB.", "Ask for smaller ones."
                    )
    except TimeoutError as error:
        raise Invalid(f"The package index took longer than {FETCH_S:.0f} s.", "Try again later.") from error
    finally:
        ended.cancel()
    if await asyncio.to_thread(_size, folder) > most:
        raise Invalid(f"These packages are larger than {most // 2**20} MB.", "Ask for smaller ones.")


def _size(folder: Path) -> int:
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                total += Path(place, name).lstat().st_size
    return total


def _why(said: str, wanted: Sequence[str]) -> Refusal:
    """Return why pip failed. Its words decide the wording only."""
    names = ", ".join(wanted)
    if _CLASH.search(said):
        return Refusal(
            f"{names} cannot go together with the versions that this task has.", "Ask for other versions."
        )
    if _AWAY.search(said):
        return Refusal(
            f"The package index cannot be reached to fetch {names}.", "Go on without, or try later."
        )
    none = _NONE.search(said)
    if none:
        return _missing(none[1], said, wanted)
    last = next((line for line in reversed(said.splitlines()) if line.startswith("ERROR")), "no reason given")
    return Refusal(f"{names} could not be fetched: {last[:200]}.", "Choose other packages, or do without.")


def _missing(found: str, said: str, wanted: Sequence[str]) -> Refusal:
    """Return why a package cannot be had: there is none, it would have to be built, or none fits."""
    named = _NAME.match(found)
    name = canonicalize_name(named[0]) if named else ""
    asked = {canonicalize_name(match[0]) for each in wanted if (match := _NAME.match(each))}
    who = ascii(found)[1:-1][:60] + ("" if name in asked else f", which {', '.join(wanted)[:80]} needs,")
    if name in _names(_ABSENT, said):
        return Refusal(f"The index has no package {who.rstrip(',')}.", "Look at how its name is written.")
    if name in _names(_SOURCE, said):
        return Refusal(
            f"There is no wheel of {who} for this Python, only source, and nothing is built here.",
            "Choose another version or package.",
        )
    return Refusal(
        f"There is no wheel of {who} for this Python and platform.", "Choose another version or package."
    )
