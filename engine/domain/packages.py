"""Python packages that a task's programs may use: what may be asked for, what the operator allows, the pins.

Pure. Only names with version ranges are taken (PEP 503, PEP 508): no addresses, no paths, no options.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from engine.errors import Invalid

MAX_WANTED = 20
"""Packages asked for at once; what they need comes with them."""

MAX_PINS = 80
"""Packages of one task, those that others need included."""

MAX_LENGTH = 200

Others = Literal["ask", "off"]


@dataclass(frozen=True, slots=True)
class PackagePolicy:
    """The operator's policy: names (globs) that are fetched without asking, and what holds for all others."""

    allowed: tuple[str, ...] = ()
    others: Others = "off"

    @property
    def on(self) -> bool:
        """Return whether any package can ever be fetched."""
        return bool(self.allowed) or self.others == "ask"

    def without_wildcards(self) -> PackagePolicy:
        """Return the policy where names may carry data: only those spelled out need no person."""
        spelled = tuple(name for name in self.allowed if not set(name) & set("*?["))
        return self if spelled == self.allowed else PackagePolicy(spelled, "ask")

    def allows(self, name: str) -> bool:
        """Return whether a package is fetched without asking."""
        globs = (glob.strip().lower().replace("_", "-") for glob in self.allowed)
        return any(fnmatchcase(name, glob) for glob in globs)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A package asked for: its canonical name, and the requirement as pip reads it."""

    name: str
    text: str

    def met_by(self, version: str) -> bool:
        """Return whether a version is within the range asked for."""
        return Requirement(self.text).specifier.contains(Version(version), prereleases=True)


@dataclass(frozen=True, slots=True)
class Pin:
    """A package of a task: exactly this wheel, by its SHA-256."""

    name: str
    version: str
    file: str
    sha256: str

    @property
    def shown(self) -> str:
        """Return name and version."""
        return f"{self.name} {self.version}"


def wanted_of(text: str) -> Wanted:
    """Return a package as it was asked for. Raises Invalid for anything but a name and a version range."""
    line = text.strip()
    if len(line) > MAX_LENGTH or not line.isascii() or not line.isprintable():
        raise Invalid(f"{line[:40]!a} is no package name. Name it as on PyPI, such as numpy or numpy>=2.")
    try:
        found = Requirement(line)
    except InvalidRequirement as error:
        raise Invalid(f"{line[:60]!r} is no package name. Name it as on PyPI, such as numpy>=2.") from error
    if found.url is not None:
        raise Invalid(f"{found.name}: packages are taken from the index only, not from an address or a path.")
    if any(each.operator == "===" for each in found.specifier):
        raise Invalid(f"{found.name}: write the version with ==.")
    if found.marker is not None and not found.marker.evaluate({"extra": ""}):
        raise Invalid(f"{found.name} is not for this platform ({found.marker}). Leave it out.")
    extras = f"[{','.join(sorted(found.extras))}]" if found.extras else ""
    return Wanted(canonicalize_name(found.name), f"{found.name}{extras}{found.specifier}")


def wanted_in(path: str, text: str) -> tuple[Wanted, ...]:
    """Return the packages that a requirements.txt or pyproject.toml names. Raises Invalid."""
    lines = _of_project(path, text) if path.endswith(".toml") else _of_requirements(text)
    return tuple({each.name: each for each in map(wanted_of, lines)}.values())


def _of_project(path: str, text: str) -> list[str]:
    try:
        project: Any = tomllib.loads(text).get("project", {})
        lines = project.get("dependencies", []) if isinstance(project, dict) else []
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{path} cannot be read: {error}. Name the packages yourself.") from error
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Invalid(f"{path}: project.dependencies is no list of texts. Name the packages yourself.")
    return lines


def _of_requirements(text: str) -> list[str]:
    joined = text.replace("\\\r\n", " ").replace("\\\n", " ")
    lines = (f" {line}".split(" #")[0].split(" --hash")[0].strip() for line in joined.splitlines())
    found = [line for line in lines if line]
    option = next((line for line in found if line.startswith("-")), None)
    if option is not None:
        raise Invalid(f"The option {option[:60]!r} is not followed. Name the packages yourself.")
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """What people said of packages before: those allowed and refused, and those they are being asked for."""

    granted: frozenset[str] = frozenset()
    declined: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sorted:
    """Packages by what happens to them."""

    fetch: tuple[Wanted, ...]
    ask: tuple[Wanted, ...]


def sort_wanted(
    wanted: Iterable[Wanted], policy: PackagePolicy, asked: Asked, pins: Collection[Pin], *, attended: bool
) -> Sorted:
    """Return what is to be fetched and what people are to be asked for; what is pinned already is neither.

    Raises Invalid, for the model, when the operator or a person has refused one of them.
    """
    versions = {pin.name: pin.version for pin in pins}
    new = [each for each in wanted if each.name not in versions or not each.met_by(versions[each.name])]
    taken = next((each for each in new if each.name in versions), None)
    if taken is not None:
        raise Invalid(
            f"This task has {taken.name} {versions[taken.name]} already, and keeps it. Work with that."
        )
    if len(new) > MAX_WANTED:
        raise Invalid(f"At most {MAX_WANTED} packages can be asked for at once. Name those you need now.")
    fetch = [each for each in new if policy.allows(each.name) or each.name in asked.granted]
    rest = [each for each in new if each not in fetch]
    _check_rest(rest, policy, asked, attended=attended)
    return Sorted(tuple(fetch), tuple(rest))


def _check_rest(rest: Sequence[Wanted], policy: PackagePolicy, asked: Asked, *, attended: bool) -> None:
    declined = [each.name for each in rest if each.name in asked.declined]
    if declined:
        raise Invalid(f"The people refused {', '.join(declined)}. Do without.")
    pending = [each.name for each in rest if each.name in asked.pending]
    if pending:
        raise Invalid(f"The people are being asked for {', '.join(pending)}. The answer comes as a message.")
    if rest and policy.others == "off":
        allowed = f"allows {', '.join(policy.allowed)} only" if policy.allowed else "allows no packages"
        raise Invalid(f"The operator {allowed}, not {', '.join(each.name for each in rest)}. Do without.")
    if rest and not attended:
        names = ", ".join(each.name for each in rest)
        raise Invalid(
            f"Nobody attends this task who could allow {names}. Do without, and say so in the report."
        )
