"""The packages of tasks on this machine: a cache of wheels by hash, and folders of unpacked sets.

Both are caches: what is missing is fetched again by its pin, and nothing but the pinned hash is taken. A
crash at any instant leaves at most a folder that the next start removes.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

from engine.domain.packages import MAX_PINS, Pin
from engine.errors import Invalid
from engine.packages.compiled import compile_modules
from engine.packages.fetch import fetch_wheels
from engine.packages.wheels import digest_of, members, pin_of, unpack
from engine.sandbox.environment import PACKAGES
from engine.workspace.loose import sync_file_system

UNPACKED = 4
"""How many times larger than the wheels the unpacked files may be."""

KEPT_SETS = 40
_OLD_S = 86_400.0


class PipPackages:
    """Packages below `folder`, for the interpreter `python`; `index`: the index, "" for pip's own."""

    def __init__(self, folder: Path, python: Path, most: int, index: str = "") -> None:
        self._folder, self._python, self._most, self._index = folder, python, most, index
        self._one = asyncio.Lock()
        self._wheels, self._sets = folder / "wheels", folder / "sets"
        for place in (folder, self._wheels, self._sets):
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(0o755)
        self._sweep()

    async def fetch(self, wanted: Sequence[str], pins: Sequence[Pin]) -> tuple[Pin, ...]:
        """Fetch packages and what they need, consistent with those that are pinned.

        Return the new pins. Raises Invalid with one sentence and the next step.
        """
        async with self._one:
            return await self._fetch(wanted, pins)

    async def _fetch(self, wanted: Sequence[str], pins: Sequence[Pin]) -> tuple[Pin, ...]:
        work = self._work("fetch")
        try:
            fixed = [f"{pin.name}=={pin.version}" for pin in pins]
            found = await fetch_wheels(self._python, wanted, fixed, work, self._most, self._index)
            made = await asyncio.to_thread(lambda: [(path, pin_of(path)) for path in found.wheels])
            known = {pin.name: pin for pin in pins}
            for path, pin in made:
                old = known.setdefault(pin.name, pin)
                if (old.version, old.sha256) != (pin.version, pin.sha256):
                    raise Invalid(
                        f"The index has another file for {old.shown} than this task.", "Do without it."
                    )
                if pin.name in found.withdrawn and pin.name not in {each.name for each in pins}:
                    raise Invalid(f"{pin.shown} was withdrawn by its authors.", "Ask for another version.")
                await asyncio.to_thread(members, path, pin.shown, self._most * UNPACKED)
            if len(known) > MAX_PINS:
                raise Invalid(
                    f"That would be {len(known)} packages; a task may have {MAX_PINS}.", "Ask for fewer."
                )
            self._check_size(known.values(), {pin.sha256: path for path, pin in made})
            for path, pin in made:
                path.replace(self._wheels / f"{pin.sha256}.whl")
            had = {pin.name for pin in pins}
            return tuple(
                replace(pin, older=pin.name in found.older) for _, pin in made if pin.name not in had
            )
        except OSError as error:
            raise Invalid(
                f"Packages cannot be stored now: {error.strerror}.", "Go on without them."
            ) from error
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    def _check_size(self, pins: Iterable[Pin], new: dict[str, Path]) -> None:
        places = (new.get(pin.sha256, self._wheel(pin)) for pin in pins)
        if sum(place.stat().st_size for place in places if place.exists()) > self._most:
            raise Invalid(
                f"The packages of a task may have {self._most // 2**20} MB in all.", "Ask for smaller ones."
            )

    async def site(self, pins: Sequence[Pin]) -> Path:
        """Return the folder with these packages unpacked; what is missing is fetched again by its hash.

        Raises Invalid when that is not possible.
        """
        ordered = sorted(pins, key=lambda pin: pin.name)
        key = hashlib.sha256("\n".join(pin.sha256 for pin in ordered).encode()).hexdigest()
        target = self._sets / key
        if not target.exists():
            async with self._one:
                if not target.exists():
                    await self._refetch(ordered)
                    await asyncio.to_thread(self._build, ordered, target)
        os.utime(target)
        return target

    async def _refetch(self, pins: Sequence[Pin]) -> None:
        missing = [pin for pin in pins if not await asyncio.to_thread(self._is_whole, pin)]
        if missing:
            await self._fetch([f"{pin.name}=={pin.version}" for pin in missing], pins)
        lost = [pin.shown for pin in missing if not self._wheel(pin).exists()]
        if lost:
            raise Invalid(f"{', '.join(lost)} cannot be fetched again as it was.", "Tell the people.")

    def _is_whole(self, pin: Pin) -> bool:
        """Return whether a wheel is there as it was pinned; remove one that the disk has damaged."""
        wheel = self._wheel(pin)
        if wheel.exists() and digest_of(wheel) != pin.sha256:
            wheel.unlink()
        return wheel.exists()

    def _wheel(self, pin: Pin) -> Path:
        return self._wheels / f"{pin.sha256}.whl"

    def _build(self, pins: Sequence[Pin], target: Path) -> None:
        fresh = self._work("set")
        try:
            room = self._most * UNPACKED
            for pin in pins:
                room -= unpack(self._wheel(pin), pin.shown, fresh, room)
            compile_modules(self._python, fresh, PACKAGES)
            _open_to_all(fresh)
            sync_file_system(
                fresh
            )  # a power failure after the rename would leave a set with empty files, used for ever
            fresh.rename(target)
        except OSError as error:
            if not target.exists():
                raise Invalid(
                    f"Packages cannot be unpacked now: {error.strerror}.", "Go on without them."
                ) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _work(self, what: str) -> Path:
        place = self._folder / f"{what}-{token_hex(8)}"
        place.mkdir(mode=0o700)
        return place

    def _sweep(self) -> None:
        """Remove what crashes left, and sets and wheels that nobody has used for a day beyond the newest."""
        old = time.time() - _OLD_S
        left = [path for what in ("fetch", "set") for path in self._folder.glob(f"{what}-*")]
        used = sorted(self._sets.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in [*left, *used[KEPT_SETS:]]:
            if path.stat().st_mtime < old:
                shutil.rmtree(path, ignore_errors=True)
        wheels = sorted(self._wheels.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        room = self._most * 10
        for path in wheels:
            room -= path.stat().st_size
            if room < 0 and path.stat().st_mtime < old:
                path.unlink(missing_ok=True)


def _open_to_all(folder: Path) -> None:
    folder.chmod(0o755)
    for place, folders, files in os.walk(folder):
        for name in folders:
            Path(place, name).chmod(0o755)
        for name in files:
            Path(place, name).chmod(0o644)
