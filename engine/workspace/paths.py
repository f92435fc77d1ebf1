"""Rules for workspace paths: the same everywhere, on any file system, in zip and in git.

The rules join POSIX, Windows (reserved names and characters, Microsoft's "Naming Files, Paths, and
Namespaces") and git's protection of `.git` on HFS+ and NTFS (ignorable code points, 8.3 names).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from engine.domain.clean import clean_text
from engine.errors import Invalid

MAX_PATH_BYTES = 240
MAX_NAME_BYTES = 120
MAX_DEPTH = 16

_WINDOWS_FORBIDDEN = frozenset('<>:"|?*')
_WINDOWS_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.DOTALL
)
_GIT_OWN = frozenset({".git", ".gitmodules", ".gitattributes"})
_GIT_SHORT = re.compile(r"(git[a-z0-9]{0,3}|gi7eba|gi7d29|gi[0-9a-f]{4})~[0-9]+(\..*)?", re.DOTALL)
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Slashes that NFKC keeps but older zip tools and code pages of Windows turn into a separator.
_BECOME_SLASHES = re.compile("[\u00a5\u2044\u20a9\u2215\u2216\u29f5\u29f8\u29f9]")


def normal_path(text: str, depth: int = MAX_DEPTH) -> str:
    """Return the canonical spelling of a workspace path: relative, POSIX, NFC, without `.` and doubled
    slashes.

    Raises Invalid with a sentence the model can act on. `normal_path(normal_path(x)) == normal_path(x)`.
    """
    path = unicodedata.normalize("NFC", text)
    _check_whole(path)
    names = [name for name in path.split("/") if name not in ("", ".")]
    if not names:
        raise Invalid("The path is empty.", "Name a file, for example src/main.py.")
    for name in names:
        _check_name(name)
    return _checked_length(names, depth)


def _check_whole(path: str) -> None:
    if "\\" in path:
        raise Invalid("The path holds a backslash.", "Separate folders with / only.")
    if path.startswith("/"):
        raise Invalid("The path is absolute.", "Give it relative to the workspace, without the leading /.")
    if path.endswith("/"):
        raise Invalid("The path ends with / and names a folder.", "Name a file; folders come by themselves.")
    if any(_hidden(form) for form in (path, unicodedata.normalize("NFKC", path))):
        raise Invalid("The path holds control or invisible characters.", "Use visible characters only.")


def _hidden(text: str) -> bool:
    """Return True if part of the text is invisible; joiners, which HFS+ ignores, are refused in emoji too."""
    return clean_text(text) != text or any(unicodedata.category(c) in _HIDDEN_CATEGORIES for c in text)


def _check_name(name: str) -> None:
    forms = (name, unicodedata.normalize("NFKC", name))
    if any(".." in _BECOME_SLASHES.split(form) for form in forms):
        raise Invalid("The path holds `..`.", "Stay inside the workspace and write the path out.")
    if {"/", "\\"} & set(forms[1]):
        raise Invalid(
            f"{name!r} holds a character that many tools turn into / or a backslash.", "Leave it out."
        )
    if _WINDOWS_FORBIDDEN & set(name):
        raise Invalid(f'{name!r} holds one of < > : " | ? *, which Windows cannot store.', "Leave them out.")
    if any(form != form.strip() or form.endswith(".") for form in forms):
        raise Invalid(f"{name!r} begins or ends with a space or ends with a dot.", "Take that off.")
    if any(form.startswith(("-", "~")) for form in forms):
        raise Invalid(
            f"{name!r} begins with - or ~, which tools mistake for an option or a home.", "Rename it."
        )
    _check_reserved(name)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().rstrip(". ")


def is_gits_own(name: str) -> bool:
    """Return True if some system takes a name in a path for one of git's own files."""
    plain = _plain(name)
    return plain in _GIT_OWN or _GIT_SHORT.fullmatch(plain) is not None


def _check_reserved(name: str) -> None:
    plain = _plain(name)
    if is_gits_own(name):
        raise Invalid(
            f"{name!r} is a name of git itself and is kept out of the workspace.", "Choose another name."
        )
    if _WINDOWS_RESERVED.fullmatch(plain) or _WINDOWS_RESERVED.fullmatch(name.casefold()):
        raise Invalid(f"{name!r} is a device name on Windows.", "Choose another name.")


def _checked_length(names: list[str], depth: int) -> str:
    if len(names) > depth:
        raise Invalid(f"The path is {len(names)} levels deep and may be {depth}.", "Use fewer folders.")
    if any(len(name.encode()) > MAX_NAME_BYTES for name in names):
        raise Invalid(f"A name in the path is longer than {MAX_NAME_BYTES} bytes.", "Shorten it.")
    path = "/".join(names)
    if len(path.encode()) > MAX_PATH_BYTES:
        raise Invalid(f"The path is longer than {MAX_PATH_BYTES} bytes.", "Shorten it.")
    return path


def folded(path: str) -> str:
    """Return the key under which two paths are the same file on a case-insensitive system."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def check_collision(path: str, existing: Iterable[str]) -> None:
    """Raise Invalid if `path` cannot coexist with `existing` on every system.

    Two spellings that differ only by case, and a file at the path of a folder (or the reverse), cannot.
    """
    ours = _prefixes(path)
    for other in existing:
        if other != path:
            _check_against(path, ours, other)


def check_set(paths: Iterable[str]) -> None:
    """Raise Invalid if any two of `paths` cannot coexist; linear in their number."""
    index = PathIndex()
    for path in paths:
        index.add(path)


class PathIndex:
    """Set of paths that can coexist on every system."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folders: dict[str, tuple[str, str]] = {}  # key -> its spelling and a file in it

    def add(self, path: str) -> None:
        """Add `path`; idempotent. Raises Invalid, without a change, if it cannot coexist with the others."""
        *above, (own, _) = _prefixes(path).items()
        for key, spelling in above:
            known, inside = self._folders.get(key, (spelling, path))
            if key in self._files or known != spelling:
                check_collision(path, [self._files.get(key, inside)])
        if own in self._folders or own in self._files:
            check_collision(path, [self._files[own] if own in self._files else self._folders[own][1]])
        for key, spelling in above:
            self._folders.setdefault(key, (spelling, path))
        self._files[own] = path


def _prefixes(path: str) -> dict[str, str]:
    parts = path.split("/")
    spelled = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return {folded(prefix): prefix for prefix in spelled}


def _check_against(path: str, ours: dict[str, str], other: str) -> None:
    theirs = _prefixes(other)
    key, own = folded(other), folded(path)
    if key == own:
        raise Invalid(f"{path!r} differs from {other!r} by upper and lower case only.", f"Use {other!r}.")
    if key in ours:
        raise Invalid(f"{other!r} is a file, so {path!r} cannot be inside it.", "Choose another path.")
    if own in theirs:
        raise Invalid(f"{path!r} is a folder (it holds {other!r}).", "Choose another name.")
    for shared, spelling in theirs.items():
        if shared in ours and ours[shared] != spelling:
            raise Invalid(f"The folder of {path!r} exists as {spelling!r}.", "Use that spelling.")
