"""Whether the content of a file is what its name says: its format, a format's signature, whole. Pure.

Only what is plain: a text that some reader of the format may take is left alone, as are templates.
"""

from __future__ import annotations

import ast
import csv
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from xml.parsers import expat

import yaml

from engine.domain.source import left_open, source_of, suffix_of
from engine.domain.stubs import parsed

_APART = re.compile(r"fixture|testdata|sample|invalid|broken|malformed|bad|corrupt|template|\{\{", re.I)
_TEMPLATE = re.compile(r"\{\{|\{%|<%|<\?php")
_YAML_CHARS = 60_000
"""A longer text is not read: the reader takes a second for each hundred thousand characters."""
_DEEP = re.compile(r"(?:[\[{]\s*){40}")
"""Brackets in brackets: the reader takes a time that grows with the square of their number."""
_LOOSE_JSON = ("tsconfig", "jsconfig", ".vscode/", "devcontainer")
_FENCE = re.compile(r"\s*```")
_TEXTS = (".md", ".rst", ".txt", ".tex")
_ANSWER = re.compile(
    r"\s*(?:sure|certainly|of course|absolutely|here(?:'s| is| are)|below is|this is the|as requested)\b"
    r"[^\n]{0,120}(?:[:!]|\.)\s*\n",
    re.I,
)
_PYTHON = re.compile(
    r"^(?:def \w+\(.*\).*:|class \w+(?:\(.*\))?:|from [\w.]+ import .+|if __name__ == .+:)\s*$", re.M
)
_SENTENCE = re.compile(r"[.:!?]\s*$")
_SEPARATORS = (",", ";", "\t", "|")
_SIGNATURES: Mapping[str, tuple[bytes, ...]] = {
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".gif": (b"GIF87a", b"GIF89a"),
    ".webp": (b"RIFF",),
    ".wav": (b"RIFF",),
    ".pdf": (b"%PDF-",),
    ".zip": (b"PK",),
    ".docx": (b"PK",),
    ".xlsx": (b"PK",),
    ".pptx": (b"PK",),
    ".odt": (b"PK",),
    ".gz": (b"\x1f\x8b",),
    ".tgz": (b"\x1f\x8b",),
    ".ico": (b"\x00\x00\x01\x00",),
    ".sqlite": (b"SQLite format 3\x00",),
}
SIGNED = tuple(_SIGNATURES)
"""Suffixes of files that are no text and begin with a signature."""
_SHOWN_TAGS = ("script", "frameset")
CUT_OFF = "it is cut off: a block does not end"


def not_what_it_says(path: str, data: bytes, text: str) -> str:
    """Return what is wrong with the content of a file by its name; "" for nothing."""
    path = path.lower()
    suffix = suffix_of(path)
    if not data.strip() or not text.strip() or _APART.search(path):
        return ""
    if signatures := _SIGNATURES.get(suffix):
        return "" if data.startswith(signatures) else f"it is no {suffix[1:].upper()} file"
    if suffix == ".py":
        return "it does not compile" if parsed(text) is None else ""
    if suffix not in _TEXTS and not any(name in path for name in _LOOSE_JSON):
        if _FENCE.match(text):
            return "it is Markdown, not a table of values" if suffix in (".csv", ".tsv") else _FENCED
        if _ANSWER.match(text) and suffix in _RULES:
            return "it begins with an answer to somebody"
    return _by_rule(suffix, path, text)


def _by_rule(suffix: str, path: str, text: str) -> str:
    rule = _RULES.get(suffix)
    return rule(path, text) if rule else ""


_FENCED = "it begins with a Markdown fence"


def _json(path: str, text: str) -> str:
    if any(name in path for name in _LOOSE_JSON) or _TEMPLATE.search(text):
        return ""
    return "" if _loads(json.loads, text) else "it is not JSON"


def _json_lines(_: str, text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "" if all(_loads(json.loads, line) for line in lines) else "its lines are not JSON"


def _toml(_: str, text: str) -> str:
    return "" if _TEMPLATE.search(text) or _loads(tomllib.loads, text) else "it is not TOML"


def _loads(load: Callable[[str], object], text: str) -> bool:
    try:
        load(text)
    except (ValueError, RecursionError):
        return False
    return True


def _yaml(_: str, text: str) -> str:
    if _TEMPLATE.search(text) or len(text) > _YAML_CHARS or _DEEP.search(text):
        return ""
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
        return "it is not YAML"
    words = [each for each in documents if isinstance(each, yaml.ScalarNode) and " " in str(each.value)]
    return "it is a text, not YAML" if documents and len(words) == len(documents) else ""


def _table(_: str, text: str) -> str:
    first = next(line for line in text.splitlines() if line.strip()).strip()
    if (first.startswith("|") and first.endswith("|")) or re.match(r"#+ [^,;\t]*$", first):
        return "it is Markdown, not a table of values"
    if first[0] in "[{" and _loads(json.loads, text):
        return "it is JSON, not a table of values"
    return _rows(first, text)


def _rows(first: str, text: str) -> str:
    separator = max(_SEPARATORS, key=first.count)
    try:
        rows = [row for row in csv.reader(text.splitlines(), delimiter=separator) if any(row)]
    except csv.Error:
        return ""
    lines = [line for line in text.splitlines() if line.strip()]
    spoken = [line for line in lines if _SENTENCE.search(line) and len(line.split()) >= 5]
    if len(spoken) * 2 >= len(lines) and separator not in first:
        return "it is a text, not a table of values"
    counts = [len(row) for row in rows]
    most = max(map(counts.count, set(counts)), default=0)
    if separator in first and len(rows) > 2 and most * 2 < len(rows):
        return "its rows have different numbers of values"
    return ""


def _markup(path: str, text: str) -> str:
    if _TEMPLATE.search(text) or "<!ENTITY" in text:
        return ""  # entities may be made to grow without end
    parser = expat.ParserCreate()
    roots: list[str] = []
    parser.StartElementHandler = lambda name, _: roots.append(name) if not roots else None
    try:
        parser.Parse(text.strip().encode(), True)
    except (expat.ExpatError, ValueError):
        return "it has no markup" if "<" not in text else "its markup is not well-formed"
    root = roots[0].rpartition(":")[2] if roots else ""
    return "it is no SVG picture" if path.endswith(".svg") and root != "svg" else ""


class _Page(HTMLParser):
    """Note whether a page may show anything: words, a script, or any element in its body."""

    def __init__(self) -> None:
        super().__init__()
        self.body = self.shows = False
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.shows = self.shows or self.body or tag in _SHOWN_TAGS
        self.body = self.body or tag == "body"
        self._unseen += tag in ("title", "style")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in ("title", "style")

    def handle_data(self, data: str) -> None:
        self.shows = self.shows or (bool(data.strip()) and self._unseen <= 0)


def _page(_: str, text: str) -> str:
    if _TEMPLATE.search(text):
        return ""
    if "<" not in text:
        return "it has no markup"
    if not text.lstrip().startswith("<") and _is_program(text):
        return "it is a Python program"
    page = _Page()
    try:
        page.feed(text)
    except AssertionError:  # how the library ends at a declaration such as `<![x[`
        return ""
    return "its page shows nothing" if page.body and not page.shows else ""


def _style(_: str, text: str) -> str:
    source = source_of(".css", text)
    code = source.code.strip() if source else ""
    if code and "{" not in code and "@" not in code:
        return "it has no rules"
    return CUT_OFF if left_open(code) else ""


def _script(path: str, text: str) -> str:
    if _PYTHON.search(text) and _is_program(text):
        return "it is a Python program"
    source = source_of(suffix_of(path), text)
    return CUT_OFF if source is not None and left_open(source.code) else ""


def _shell(_: str, text: str) -> str:
    other = re.match(r"#!.*\b(?:python|perl|ruby|node|awk|fish)", text)
    return "it is a Python program" if not other and _is_program(text) else ""


def _prose(_: str, text: str) -> str:
    return "it is a Python program" if not text.lstrip().startswith("#") and _is_program(text) else ""


def _is_program(text: str) -> bool:
    """Return whether a text is a Python program, with a function or an import that no other language has."""
    tree = parsed(text)
    known = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    return tree is not None and any(isinstance(node, known) for node in tree.body)


_RULES: Mapping[str, Callable[[str, str], str]] = {
    ".json": _json, ".geojson": _json, ".ipynb": _json, ".webmanifest": _json,
    ".jsonl": _json_lines, ".ndjson": _json_lines,
    ".toml": _toml, ".yaml": _yaml, ".yml": _yaml, ".csv": _table, ".tsv": _table,
    ".svg": _markup, ".xml": _markup, ".html": _page, ".htm": _page, ".css": _style,
    ".js": _script, ".mjs": _script, ".ts": _script, ".go": _script, ".java": _script, ".rs": _script,
    ".c": lambda *_: "", ".cpp": lambda *_: "", ".php": lambda *_: "", ".rb": lambda *_: "",
    ".sh": _shell, ".md": _prose, ".sql": lambda *_: "",
}  # fmt: skip
RULED = tuple(_RULES)
"""Suffixes of texts whose content is looked at."""
