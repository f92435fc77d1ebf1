"""Functions that somebody left empty, in languages with blocks in braces and in shell and Ruby. Pure.

Read from the text without a parser, so it leans to silence: where braces do not come out even nothing is
said, and an empty function without a comment counts only where it belongs to no class.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.domain.source import BRACES, Source, blocks, source_of, suffix_of
from engine.domain.stub_words import HANDLER, NOTHING, ON_PURPOSE, TODO, UNFINISHED

_SCRIPT = (".js", ".mjs", ".ts", ".jsx", ".tsx")
_WORD = r"[A-Za-z_$][\w$]*"
_TYPE = r"(?:\s*:\s*[\w<>\[\]|&., ]+?)?"
_KEYWORDS = frozenset(
    ("if", "for", "while", "switch", "catch", "with", "match", "loop", "else", "do", "return")
)
_CALL = rf"(?P<name>{_WORD})\s*(?:<[^<>{{}}()]*>\s*)?\((?:[^(){{}}]|\([^(){{}}]*\))*\)"
_FREE = {
    "script": re.compile(
        rf"\bfunction\s*\*?\s*{_CALL}{_TYPE}\s*$|\b(?:const|let|var)\s+(?P<other>{_WORD}){_TYPE}\s*=\s*(?:async\s*)?"
        rf"(?:function\s*\*?\s*\([^{{}}]*\)|(?:\([^{{}}]*\)|{_WORD}){_TYPE}\s*=>)\s*$"
    ),
    ".go": re.compile(rf"\bfunc\s+{_CALL}[^{{}}]*$"),
    ".rs": re.compile(rf"\bfn\s+{_CALL}[^{{}}]*$"),
    ".c": re.compile(rf"(?:^|\n)[\w\s*]+?[\s*]{_CALL}\s*$"),
    ".cpp": re.compile(rf"(?:^|\n)(?:[\w:<>&*,]+\s+)+[*&]*{_CALL}\s*(?:const)?\s*$"),
    ".php": re.compile(rf"\bfunction\s+{_CALL}[^{{}}]*$"),
}
"""How a function that belongs to no class is headed, right before the brace that opens it."""
_ANY = re.compile(rf"(?:^|[\s*&.:]){_CALL}[^{{}};=()]*(?:=>\s*)?$")
_TRIVIAL = re.compile(
    r"(?:return\b[ \t]*(?:null|undefined|None|nil|NULL|nullptr|-?\d+(?:\.\d+)?|false|true|''|\"\"|``|"
    r"\[\s*\]|\{\s*\}|Ok\(\(\)\))?|pass|:|true|\(\s*\)|Ok\(\(\)\))?",
)
_SAYS = re.compile(
    r"(?:return\s+|(?:console\.\w+|print(?:ln|f)?|System\.out\.print(?:ln|f)?|fmt\.Print(?:ln|f)?|println!|puts|echo|"
    r"alert|throw\s+(?:new\s+)?\w+|throw\s+std::\w+|panic|raise\s+\w+\s*,?|die)\s*\(?\s*)"
    r"(?P<quote>[\"'`])(?P<text>.*?)(?P=quote)\s*\)?",
    re.S,
)
_RAISES = re.compile(
    r"(?:todo!|unimplemented!)\s*\(.*\)|throw\s+new\s+(?:UnsupportedOperation|NotImplemented)\w*\s*\(.*\)|"
    r"raise\s+NotImplementedError.*",
    re.S,
)
_PLAIN = re.compile(r"\w{3,}")
"""A name that says what is done; not one of a shortened program."""
_HEAD_CHARS = 400
_SHELL_FUNCTION = re.compile(r"^[ \t]*(?:function[ \t]+)?(?P<name>[\w-]+)[ \t]*\(\)\s*\{", re.M)
_RUBY_FUNCTION = re.compile(
    r"^(?P<indent>[ \t]*)def[ \t]+(?P<name>[\w.?!]+)[^\n]*\n(?P<body>(?:.*\n){0,30}?)(?P=indent)end\b", re.M
)
_SCRIPT_TAG = re.compile(
    r"<script\b(?![^>]*\btype\s*=\s*[\"']?(?:application/|text/(?!javascript)))[^>]*>(.*?)</script\s*>",
    re.S | re.I,
)
_SCRIPT_END = re.compile(r"</script\s*>", re.I)


@dataclass(frozen=True, slots=True)
class _Function:
    """A function: its name, its body without comments, the comments in it, what belongs to no class, and
    whether the class around it has others around it (a base, an interface) that ask for it."""

    name: str
    body: str
    comments: str
    free: bool
    asked_for: bool


def empty_functions_in_blocks(programs: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (path, name) of each function that is a stub, in order; of pages, those in their scripts."""
    found = []
    for path, text in programs.items():
        for language, part in _parts(path, text):
            source = source_of(language, part)
            if source is not None:
                stubs = (each for each in _functions(language, source) if _is_stub(each, source))
                found += [(path, each.name) for each in stubs]
    return found


def _parts(path: str, text: str) -> list[tuple[str, str]]:
    if suffix_of(path) in (".html", ".htm"):
        last = 0  # a tag that nothing closes would be looked through to the end
        for end in _SCRIPT_END.finditer(text):
            last = end.end()
        return [(".js", found[1]) for found in _SCRIPT_TAG.finditer(text, 0, last)]
    return [(suffix_of(path), text)]


def _functions(language: str, source: Source) -> Iterator[_Function]:
    if language == ".sh":
        pairs = blocks(source.code) or {}
        for found in _SHELL_FUNCTION.finditer(source.code):
            at = found.end() - 1
            if at in pairs:
                yield _function(found["name"], source, at + 1, pairs[at], free=False)
    elif language == ".rb":
        for found in _RUBY_FUNCTION.finditer(source.code):
            yield _function(
                found["name"], source, found.start("body"), found.end("body"), free=not found["indent"]
            )
    elif language in BRACES and language != ".css":
        yield from _in_braces(language, source)


def _in_braces(language: str, source: Source) -> Iterator[_Function]:
    pairs = blocks(source.code)
    if pairs is None:
        return
    free = _FREE.get("script" if language in _SCRIPT else language)
    around: list[int] = []
    for at in sorted(pairs):
        while around and pairs[around[-1]] < at:
            around.pop()
        head = source.code[_head_start(source.code, at) : at]
        own = free.search(head) if free else None
        found = own or _ANY.search(head)
        name = _name_of(found)
        if name and name not in _KEYWORDS:
            outer = source.code[_head_start(source.code, around[-1]) : around[-1]] if around else ""
            yield _function(
                name, source, at + 1, pairs[at],
                free=own is not None and not around, asked_for=_is_asked_for(outer, source.code),
            )  # fmt: skip
        around.append(at)


def _name_of(found: re.Match[str] | None) -> str:
    named = found.groupdict() if found else {}
    return named.get("name") or named.get("other") or ""


def _head_start(code: str, at: int) -> int:
    """Return where the words begin that head a block: after the last brace or semicolon before it."""
    start = max(code.rfind(mark, max(0, at - _HEAD_CHARS), at) for mark in "{};")
    return max(start + 1, at - _HEAD_CHARS, 0)


def _is_asked_for(outer: str, code: str) -> bool:
    """Return whether a class around a function has a base or an interface, or is one itself."""
    if re.search(r"\b(?:extends|implements|interface|trait|abstract|for)\b|:\s*public\b", outer):
        return True
    named = re.search(rf"\bclass\s+({_WORD})", outer)
    based = rf"\b(?:extends\s+|:\s*public\s+){re.escape(named[1])}\b" if named else ""
    return bool(based) and re.search(based, code) is not None


def _function(
    name: str, source: Source, start: int, end: int, *, free: bool, asked_for: bool = False
) -> _Function:
    comments = "\n".join(source.comments_in(start, end))
    return _Function(name, source.strings[start:end].strip(" \t\n;"), comments, free, asked_for)


def _is_stub(function: _Function, source: Source) -> bool:
    if NOTHING.search(function.name) or ON_PURPOSE.search(function.comments):
        return False
    body = function.body
    if _RAISES.fullmatch(body) or ((said := _SAYS.fullmatch(body)) and UNFINISHED.match(said["text"])):
        return not function.asked_for
    if any(TODO.search(each) for each in function.comments.splitlines()):
        lines = [line.strip(" \t;") for line in body.splitlines()]
        return all(_TRIVIAL.fullmatch(line) or _SAYS.fullmatch(line) for line in lines)
    if body or function.comments or not function.free:
        return False
    return _PLAIN.match(function.name) is not None and not _is_handed_on(function.name, source.code)


def _is_handed_on(name: str, code: str) -> bool:
    """Return whether a function named like a handler is given to others, not only called."""
    given = rf"(?<![\w$]){re.escape(name)}\b(?!\s*[(\w])"
    return bool(HANDLER.search(name)) and re.search(given, code) is not None
