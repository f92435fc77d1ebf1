"""Which files programs in other languages than Python, and shell lines, name. Pure.

Nothing is parsed: a word that leads to a file of the task, from the program's folder or the root, with its
suffix or without, counts. One file more does no harm: who judges hears of it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice, pairwise

SOURCES = (
    ".awk", ".bash", ".c", ".cc", ".cjs", ".cpp", ".cs", ".go", ".h", ".hpp", ".java", ".jl", ".js", ".jsx",
    ".kt", ".lua", ".mjs", ".mk", ".php", ".pl", ".pm", ".r", ".rb", ".rs", ".sed", ".sh", ".swift", ".t",
    ".ts", ".tsx", ".zsh",
)  # fmt: skip
"""Suffixes of programs whose words are looked at."""

MOST_WORDS = 20_000

_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_MAKERS = frozenset({"make", "gmake"})
_RUNNERS = frozenset(
    {"ant", "bun", "cargo", "ctest", "deno", "dotnet", "go", "gradle", "gradlew", "jest", "mocha", "mvn",
     "npm", "npx", "phpunit", "pnpm", "prove", "rake", "rspec", "swift", "vitest", "yarn"}
)  # fmt: skip
"""Runners of other languages, which find their files by rules of their own."""

_SETTINGS = frozenset(
    {"build.gradle", "build.xml", "Cargo.toml", "CMakeLists.txt", "composer.json", "deno.json", "go.mod",
     "jest.config.js", "package.json", "Package.swift", "phpunit.xml", "pom.xml", "Rakefile", "tsconfig.json",
     "vitest.config.ts"}
)  # fmt: skip
_WORD = re.compile(r"(?P<quoted>(?<=[\"'<]))?[\w@+./:-]++(?P<ends>(?=[\"'>]))?")
_LIBRARIES = ("", "lib", "src", "include")


def is_source(path: str) -> bool:
    """Return whether a file is a program whose words are looked at."""
    return path.lower().endswith(SOURCES) or posixpath.basename(path) in {*_MAKEFILES, *_SETTINGS}


def mentioned(source: bytes, path: str, files: Iterable[str]) -> list[str]:
    """Return the files that a program's words lead to."""
    text = source.decode("utf-8", "replace")
    words = islice(_words(text), MOST_WORDS)
    suffix = posixpath.splitext(path)[1]
    return sorted(set(_found(words, posixpath.dirname(path), suffix, files)) - {path})


def _words(text: str) -> Iterator[str]:
    """Yield the words that may be paths: with a point, slash or colon, or between quotes."""
    for match in _WORD.finditer(text):
        word = match[0]
        is_quoted = match["quoted"] is not None and match["ends"] is not None
        if not {".", "/", ":"}.isdisjoint(word) or (is_quoted and "@" not in word):
            yield word


def started(command: Sequence[str], files: Iterable[str]) -> list[str]:
    """Return the files that a command starts with by rules of its program, or after a change of folder."""
    words = [word.strip("'\"();&|") for argument in command for word in argument.split()]
    names = {posixpath.basename(word) for word in words}
    paths = sorted(files)
    after = [posixpath.normpath(folder) for one, folder in pairwise(words) if one in _MOVES]
    found = {f"{folder}/{word}" for folder in after for word in words} & set(paths)
    if names & _MAKERS:
        found |= {path for path in paths if path in _made(after)}
    if names & _RUNNERS or ("node" in names and "--test" in words):
        found |= {path for path in paths if is_source(path)}
    return sorted(found)


_MOVES = frozenset({"cd", "-C", "--directory", "--prefix", "pushd"})


def _made(folders: Sequence[str]) -> set[str]:
    return {posixpath.join(folder, name) for folder in ("", *folders) for name in _MAKEFILES}


def _found(words: Iterable[str], folder: str, suffix: str, files: Iterable[str]) -> Iterator[str]:
    by_name = _by_name(tuple(sorted(files)))
    for word in dict.fromkeys(words):
        plain = word.strip(".:") if not word.startswith(".") else word.rstrip(".:")
        forms = dict.fromkeys([plain, plain.replace("::", "/"), plain.replace(".", "/")])
        for form in filter(None, forms):
            for root in dict.fromkeys([folder, *_LIBRARIES]):
                place = posixpath.normpath(posixpath.join(root, form.lstrip("/")))
                yield from _same_language(by_name.get(place, ()), place, suffix)


def _same_language(paths: Sequence[str], place: str, suffix: str) -> Iterator[str]:
    """Yield the file of that very name, else those that only lack the suffix in it."""
    exact = [path for path in paths if path == place]
    near = [path for path in paths if path.endswith((suffix, ".json", ".py") if suffix else SOURCES)]
    yield from exact or near or paths


@lru_cache(maxsize=4)
def _by_name(paths: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the files by their path, by it without suffix, and by the folder of an index file."""
    found: dict[str, list[str]] = {}
    for path in paths:
        stem = posixpath.splitext(path)[0]
        found.setdefault(path, []).append(path)
        if stem != path:
            found.setdefault(stem, []).append(path)
        if posixpath.basename(stem) in ("index", "mod", "__main__") and posixpath.dirname(path):
            found.setdefault(posixpath.dirname(path), []).append(path)
    return {name: tuple(each) for name, each in found.items()}
