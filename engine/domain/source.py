"""The text of a program with its comments and strings told apart, for several languages. Pure.

Not a parser: where brackets do not come out even, whoever asks is told so and decides nothing from the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

BRACES = (".js", ".mjs", ".ts", ".jsx", ".tsx", ".go", ".c", ".cpp", ".rs", ".java", ".php", ".css")
"""Suffixes of languages with blocks in braces."""

_DOUBLE = r'"(?:\\.|[^"\\\n])*"'
_SINGLE = r"'(?:\\.|[^'\\\n])*'"
_SLASHES = r"//[^\n]*|/\*.*?(?:\*/|\Z)"
_HASH = r"(?<![^\s;])#[^\n]*"
_TEMPLATE = r"`(?:\\.|[^`\\])*`"
_PATTERN = (
    r"(?:(?<=[=(,:;!&|?{}\[+])|(?<=return)|(?<=^))[ \t]*"
    r"/(?![*/ ])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*"
)
_TRIPLE = r'"""(?:\\.|[^\\])*?"""' + r"|'''(?:\\.|[^\\])*?'''"


def _lexer(comment: str, *strings: str) -> re.Pattern[str]:
    return re.compile(f"(?P<comment>{comment})|(?P<string>{'|'.join(strings)})", re.S)


_SCRIPT = _lexer(_SLASHES, _DOUBLE, _SINGLE, _TEMPLATE, _PATTERN)
_GO = _lexer(_SLASHES, _DOUBLE, r"'(?:\\[^\n]{1,9}|[^'\\\n])'", r"`[^`]*`")
_RUST = _lexer(_SLASHES, r'"(?:\\.|[^"\\])*"', r"'(?:\\[^\n']{1,9}|[^'\\\n])'")
_C = _lexer(_SLASHES, _DOUBLE, r"'(?:\\.|[^'\\\n])*'")
_PHP = _lexer(rf"{_SLASHES}|{_HASH}", r'"(?:\\.|[^"\\])*"', r"'(?:\\.|[^'\\])*'")
_CSS = _lexer(r"/\*.*?(?:\*/|\Z)", _DOUBLE, _SINGLE)
_PYTHON = _lexer(r"#[^\n]*", _TRIPLE, _DOUBLE, _SINGLE)
_SHELL = _lexer(_HASH, r'"(?:\\.|[^"\\])*"', r"'[^']*'")
_LEXERS = {
    ".py": _PYTHON, ".rb": _SHELL, ".sh": _SHELL, ".go": _GO, ".rs": _RUST, ".c": _C, ".cpp": _C,
    ".java": _C, ".php": _PHP, ".css": _CSS,
    **dict.fromkeys((".js", ".mjs", ".ts", ".jsx", ".tsx"), _SCRIPT),
}  # fmt: skip
_MARK = re.compile(r"^[\s#/*;\-]+|[\s*/]+$")
_BRACKET = re.compile(r"[{}]")


@dataclass(frozen=True, slots=True)
class Source:
    """A program at its own length: `code` with strings and comments blanked, `strings` with comments blanked,
    and the comments with where each begins."""

    code: str
    strings: str
    comments: tuple[tuple[int, str], ...]

    def lone_comments(self) -> Iterator[str]:
        """Yield the words of the comments that are no line of a longer one."""
        lines = [self.code.count("\n", 0, at) for at, _ in self.comments]
        for number, (line, (_, text)) in enumerate(zip(lines, self.comments, strict=True)):
            if (
                line - 1 not in lines[max(0, number - 1) : number]
                and line + 1 not in lines[number + 1 : number + 2]
            ):
                yield text

    def comments_in(self, start: int, end: int) -> Iterator[str]:
        """Yield the words of the comments between two places."""
        return (text for at, text in self.comments if start <= at < end)


def suffix_of(path: str) -> str:
    """Return a path's suffix in lower case, with its point; "" for none."""
    name = path.rpartition("/")[2].lower()
    return name[name.rindex(".") :] if "." in name[1:] else ""


def source_of(suffix: str, text: str) -> Source | None:
    """Return a program's text taken apart; None for a suffix whose language is not known here."""
    lexer = _LEXERS.get(suffix)
    if lexer is None:
        return None
    comments = tuple(
        (found.start(), _words(found[0])) for found in lexer.finditer(text) if found["comment"] is not None
    )
    strings = lexer.sub(lambda found: _blank(found[0]) if found["comment"] is not None else found[0], text)
    code = lexer.sub(
        lambda found: _blank(found[0]) if found["comment"] is not None else _hollow(found[0]), text
    )
    return Source(code, strings, comments)


def _words(comment: str) -> str:
    return " ".join(line for each in comment.splitlines() if (line := _MARK.sub("", each)))


def _blank(text: str) -> str:
    return "".join("\n" if char == "\n" else " " for char in text)


def _hollow(text: str) -> str:
    """Blank a string but for its quotes."""
    return text[0] + _blank(text[1:-1]) + text[-1] if len(text) > 1 else text


def blocks(code: str) -> dict[int, int] | None:
    """Return where each brace of a blanked program opens and closes; None if they do not come out even."""
    open_at: list[int] = []
    pairs = {}
    for found in _BRACKET.finditer(code):
        if found[0] == "{":
            open_at.append(found.start())
        elif not open_at:
            return None
        else:
            pairs[open_at.pop()] = found.start()
    return None if open_at else pairs


def left_open(code: str) -> bool:
    """Return whether a blanked program ends inside a block, as a text that was cut off does."""
    depth = 0
    for found in _BRACKET.finditer(code):
        depth += 1 if found[0] == "{" else -1
        if depth < 0:
            return False
    return depth > 0
