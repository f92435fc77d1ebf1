"""Which files of a task a command loads: those it names, what they import, what they run. Pure.

Followed are static imports, modules and scripts named by constants, and Python given with -c; of programs in
other languages the files that their words lead to. A file more than a program really loads does no harm: who
judges hears of one more file.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from engine.domain.checks import RUNNABLE, deciding
from engine.domain.mentions import is_source, mentioned, started

MOST_READ = 400
"""Files whose imports are followed."""

MOST_PARSED = 400_000
"""Bytes of a source that is looked into."""

MAX_CONSTANT = 200
"""Characters of a constant that may name a file."""

_BY_NAME = frozenset({"import_module", "__import__", "run_module", "importorskip"})


def loaded(command: Sequence[str], files: Mapping[str, bytes]) -> list[str]:
    """Return the files that decide the result of a command and those they load, directly or indirectly."""
    modules = _modules_by_end(tuple(sorted(files)))
    waiting = [*deciding(command, files), *started(command, files)]
    waiting += [path for code in _inline(command) for path in _loads(code, "", files, modules)]
    found = dict.fromkeys(waiting)
    waiting = list(found)
    while waiting and len(found) < MOST_READ:
        path = waiting.pop(0)
        follows = path.endswith(RUNNABLE) or is_source(path)
        for other in _loads(files[path], path, files, modules) if follows else ():
            if other not in found:
                found[other] = None
                waiting.append(other)
    return sorted(found)


def read_by(command: Sequence[str], files: Mapping[str, bytes]) -> list[str]:
    """Return the files that a run depends on: what it loads, and data that its programs name by constants
    (a path, or a folder with all below it)."""
    programs = loaded(command, files)
    sources = [*_inline(command), *(files[path] for path in programs if path.endswith(".py"))]
    named = {word for source in sources for word in _facts(source).constants} | set(command)
    folders = tuple(f"{word.removeprefix('./').rstrip('/')}/" for word in named if word.strip("./"))
    exact = {word.removeprefix("./") for word in named}
    data = {path for path in files if path in exact or path.startswith(folders)}
    return sorted(data | set(programs))


def _inline(command: Sequence[str]) -> list[bytes]:
    """Return the Python that a command holds itself, after -c."""
    python = command[0].rpartition("/")[2].startswith("python") if command else False
    return [code.encode() for flag, code in pairwise(command) if python and flag == "-c"]


def _loads(source: bytes, path: str, files: Mapping[str, bytes], modules: Mapping[str, str]) -> Iterator[str]:
    if path and not path.endswith(".py"):
        words = source.decode("utf-8", "replace").replace("'", " ").replace('"', " ").split()
        yield from (word for word in map(_plain, words) if word in files and word != path)
        yield from mentioned(source[:MOST_PARSED], path, files)
        return
    folders = path.split("/")[:-1]
    above = ["/".join(folders[:count]) for count in range(len(folders), -1, -1)]
    facts = _facts(source)
    for module in facts.modules:
        found = [file for root in (*above, "src") for file in _files_of(f"{root}/{module}", files)]
        known = not module or module.partition("/")[0] in sys.stdlib_module_names
        yield from found or ([] if known else _anywhere(module, modules))
    started_by_name = (f"{text.replace('.', '/')}.py" for text in facts.constants if "." in text)
    yield from (name for name in started_by_name if name in files)
    for script in (text for text in facts.constants if text.endswith(RUNNABLE)):
        beside = [_plain(f"{root}/{_plain(script)}") for root in above]
        yield from (name for name in beside if name in files)


@dataclass(frozen=True, slots=True)
class _Facts:
    """The modules that a source imports, as paths without suffix, and its short string constants."""

    modules: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()


@lru_cache(maxsize=512)
def _facts(source: bytes) -> _Facts:
    """Return the facts of a Python source; none of one that cannot be parsed."""
    if len(source) > MOST_PARSED:
        return _Facts()
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _Facts()
    modules = dict.fromkeys(module for node in nodes for module in _modules(node))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return _Facts(tuple(modules), tuple(dict.fromkeys(text for text in texts if len(text) < MAX_CONSTANT)))


def _plain(word: str) -> str:
    return word.strip("/").removeprefix("./")


def _modules(node: ast.AST) -> Iterator[str]:
    """Yield imported modules as paths without suffix; of relative imports only the part after the dots."""
    if isinstance(node, ast.Import):
        yield from (alias.name.replace(".", "/") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = (node.module or "").replace(".", "/")
        yield base
        yield from (f"{base}/{alias.name}".strip("/") for alias in node.names)
    elif isinstance(node, ast.Call) and _called(node) in _BY_NAME:
        yield from _texts(node.args[:1])
    elif isinstance(node, ast.Assign) and any(_is_plugins(target) for target in node.targets):
        yield from _texts([node.value])


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _is_plugins(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "pytest_plugins"


def _texts(values: Iterable[ast.expr]) -> Iterator[str]:
    for value in values:
        for node in ast.walk(value):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value.lstrip(".").replace(".", "/")


def _files_of(module: str, files: Mapping[str, bytes]) -> Iterator[str]:
    parts = module.strip("/").split("/")
    for count in range(1, len(parts) + 1):
        prefix = "/".join(parts[:count])
        yield from (path for path in (f"{prefix}.py", f"{prefix}/__init__.py") if path in files)


@lru_cache(maxsize=4)
def _modules_by_end(paths: tuple[str, ...]) -> dict[str, str]:
    """Return the path of each module by its name alone: programs may extend the import path."""
    return {_name(path): path for path in paths if path.endswith(".py")}


def _name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").rpartition("/")[2]


def _anywhere(module: str, modules: Mapping[str, str]) -> list[str]:
    first = module.partition("/")[0]
    return [modules[first]] if first in modules else []
