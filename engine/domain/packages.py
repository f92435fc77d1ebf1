"""Python packages that a task's programs may use: what may be asked for, what the operator allows, the pins.

Pure. Only names with version ranges are taken (PEP 503, PEP 508): no addresses, no paths, no options.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
        globs = (re.sub("[-_.]+", "-", glob.strip().lower()) for glob in self.allowed)
        return any(fnmatchcase(name, glob) for glob in globs)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A package asked for: its canonical name, and the requirement as pip reads it. `hashes`: SHA-256 of the
    files that may be taken for it, all if none is named."""

    name: str
    text: str
    hashes: frozenset[str] = frozenset()

    @property
    def extras(self) -> bool:
        """Return whether it asks for more than the package itself."""
        return bool(Requirement(self.text).extras)

    def met_by(self, version: str) -> bool:
        """Return whether a version is within the range asked for."""
        return Requirement(self.text).specifier.contains(Version(version), prereleases=True)


@dataclass(frozen=True, slots=True)
class Pin:
    """A package of a task: exactly this wheel, by its SHA-256. `older`: it was chosen just now although there
    is a newer version, which does not fit or needs what has no wheel."""

    name: str
    version: str
    file: str
    sha256: str
    older: bool = field(default=False, compare=False)

    @property
    def shown(self) -> str:
        """Return name and version."""
        return f"{self.name} {self.version}"


def wanted_of(text: str) -> Wanted:
    """Return a package as it was asked for. Raises Invalid for anything but a name and a version range."""
    line = text.strip()
    if len(line) > MAX_LENGTH or not line.isascii() or not line.isprintable():
        raise Invalid(f"{line[:40]!a} is no package name.", "Name it as on PyPI, such as numpy or numpy>=2.")
    try:
        found = Requirement(line)
    except InvalidRequirement as error:
        raise Invalid(
            f"{line[:60]!r} is no package name.", "Name it as on PyPI, such as numpy>=2."
        ) from error
    if found.url is not None:
        raise Invalid(
            f"{found.name}: packages come from the index only, not from an address or a path.",
            "Give its name.",
        )
    if any(each.operator == "===" for each in found.specifier):
        raise Invalid(f"The version of {found.name} is not exact.", "Write it with ==.")
    if found.marker is not None and not found.marker.evaluate({"extra": ""}):
        raise Invalid(f"{found.name} is not for this platform ({found.marker}).", "Leave it out.")
    extras = f"[{','.join(sorted(found.extras))}]" if found.extras else ""
    return Wanted(canonicalize_name(found.name), f"{found.name}{extras}{found.specifier}")


def wanted_in(path: str, text: str) -> tuple[Wanted, ...]:
    """Return the packages that a requirements.txt or pyproject.toml names for this Python and platform, each
    once. Raises Invalid."""
    text = text.removeprefix("\ufeff")
    lines = _of_project(path, text) if path.endswith(".toml") else _of_requirements(text)
    found: dict[str, Wanted] = {}
    for line, hashes in lines:
        if _is_elsewhere(line):
            continue
        each = replace(wanted_of(line), hashes=hashes)
        found[each.name] = _both(found[each.name], each) if each.name in found else each
    if not found:
        where = f"{path}, under project.dependencies," if path.endswith(".toml") else path
        raise Invalid(
            f"{where} names no package for this Python and platform.", "Name the packages yourself."
        )
    return tuple(found.values())


def _is_elsewhere(line: str) -> bool:
    """Return whether a lawful line is for another Python or platform, so that it does not count here."""
    try:
        marker = Requirement(line).marker
    except InvalidRequirement:
        return False
    return marker is not None and not marker.evaluate({"extra": ""})


def _both(one: Wanted, other: Wanted) -> Wanted:
    """Return two lines about one package as one that holds both ranges."""
    first, second = Requirement(one.text), Requirement(other.text)
    extras = ",".join(sorted(first.extras | second.extras))
    text = f"{first.name}{f'[{extras}]' if extras else ''}{first.specifier & second.specifier}"
    hashes = one.hashes & other.hashes if one.hashes and other.hashes else one.hashes | other.hashes
    return Wanted(one.name, text, hashes)


_Line = tuple[str, frozenset[str]]


def _of_project(path: str, text: str) -> list[_Line]:
    try:
        project: Any = tomllib.loads(text).get("project", {})
        lines = project.get("dependencies", []) if isinstance(project, dict) else []
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{path} cannot be read: {error}.", "Name the packages yourself.") from error
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Invalid(f"{path}: project.dependencies is no list of texts.", "Name the packages yourself.")
    return [(line, frozenset()) for line in lines]


def _of_requirements(text: str) -> list[_Line]:
    """Return the lines with the SHA-256 hashes that each names. Raises Invalid for options."""
    joined = text.replace("\\\r\n", " ").replace("\\\n", " ")
    lines = (f" {line}".replace("\t", " ").split(" #")[0].strip() for line in joined.splitlines())
    made = []
    for line in filter(None, lines):
        named, *hashes = line.split(" --hash")
        if named.startswith("-"):
            raise Invalid(f"The option {named[:60]!r} is not followed.", "Name the packages yourself.")
        made.append((named.strip(), frozenset(_hash(named.strip(), given) for given in hashes)))
    return made


def _hash(line: str, given: str) -> str:
    kind, _, digest = given.lstrip("= ").strip().partition(":")
    if kind != "sha256" or not digest.isalnum():
        raise Invalid(
            f"{line[:60]!a}: only hashes of the form --hash=sha256:… are checked.", "Name such ones."
        )
    return digest.lower()


def check_hashes(wanted: Collection[Wanted], pins: Iterable[Pin]) -> None:
    """Check that what was fetched is one of the files that the workspace names: all of it where it names any
    hash, as pip does. Raises Invalid."""
    by_name, hashed = {pin.name: pin for pin in pins}, {each.name for each in wanted if each.hashes}
    free = [pin.shown for pin in by_name.values() if pin.name not in hashed]
    if hashed and free:
        raise Invalid(
            f"The file names hashes, but none for {', '.join(free[:10])}.",
            "Nothing of it is used: name a hash for each package that comes along, or none at all.",
        )
    for each in wanted:
        pin = by_name.get(each.name)
        if pin is not None and each.hashes and pin.sha256 not in each.hashes:
            raise Invalid(
                f"The index's wheel of {pin.shown} has none of the hashes that the file names for it.",
                "It is not used: correct the hashes, or do without.",
            )


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
    wanted: Iterable[Wanted],
    policy: PackagePolicy,
    asked: Asked,
    pins: Collection[Pin],
    *,
    attended: bool,
    most: int = MAX_WANTED,
) -> Sorted:
    """Return what is to be fetched and what people are to be asked for; what is pinned already is neither.

    Raises Invalid, for the model, when the operator or a person has refused one of them.
    """
    versions = {pin.name: pin.version for pin in pins}
    new = [each for each in wanted if each.extras or not _is_met(each, versions)]
    taken = next((each for each in new if each.name in versions and not _is_met(each, versions)), None)
    if taken is not None:
        raise Invalid(
            f"This task has {taken.name} {versions[taken.name]} already, and keeps it.", "Work with that."
        )
    if len(new) > most:
        raise Invalid(f"At most {most} packages can be asked for at once.", "Name those you need now.")
    fetch = [each for each in new if policy.allows(each.name) or each.name in asked.granted]
    rest = [each for each in new if each not in fetch]
    _check_rest(rest, policy, asked, attended=attended)
    return Sorted(tuple(fetch), tuple(rest))


def _is_met(each: Wanted, versions: Mapping[str, str]) -> bool:
    return each.name in versions and each.met_by(versions[each.name])


def _check_rest(rest: Sequence[Wanted], policy: PackagePolicy, asked: Asked, *, attended: bool) -> None:
    declined = [each.name for each in rest if each.name in asked.declined]
    if declined:
        raise Invalid(f"The people refused {', '.join(declined)}.", "Do without.")
    pending = [each.name for each in rest if each.name in asked.pending]
    if pending:
        raise Invalid(
            f"The people are being asked for {', '.join(pending)}.", "The answer comes as a message."
        )
    if rest and policy.others == "off":
        allowed = f"allows {', '.join(policy.allowed)} only" if policy.allowed else "allows no packages"
        raise Invalid(f"The operator {allowed}, not {', '.join(each.name for each in rest)}.", "Do without.")
    if rest and not attended:
        names = ", ".join(each.name for each in rest)
        raise Invalid(
            f"Nobody attends this task who could allow {names}.", "Do without, and say so in the report."
        )
