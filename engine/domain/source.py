"""The text of a program with its comments and strings told apart, for several languages. Pure.

Not a parser: where brackets do not come out even, whoever asks is told so and decides nothing from the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

BRACES = (".js", ".mjs", ".ts", ".jsx", ".tsx", ".go", ".c", ".cpp", ".rs", ".java", ".php", ".css")
"""Suffixes of languages with blocks in braces."""

_SLASHES = r"//[^\n]*|/\*.*?(?:\*/|\Z)"
_HASH = r"(?<![^\s;])#[^\n]*"
_PATTERN = (
    r"(?:(?<=[=(,:;!&|?{}\[+])|(?<=return)|(?<=^))[ \t]*"
    r"/(?![*/ ])(?:\\.|\[(?:\\.|[^\]\\\n]){0,300}\]|[^/\\\n\[]){1,1000}/[a-z]*"
)


@dataclass(frozen=True, slots=True)
class _Lexer:
    """A language: `opens` finds comments, whole literals and the beginnings of strings; `bodies` matches what
    may stand in a string, by its quote."""

    opens: re.Pattern[str]
    bodies: Mapping[str, re.Pattern[str]]


def _lexer(
    comment: str,
    *literals: str,
    one_line: Sequence[str] = "",
    over_lines: Sequence[str] = "",
    raw: Sequence[str] = "",
) -> _Lexer:
    """Return a lexer; `one_line` and `over_lines`: quotes of strings, `raw`: of those without escapes."""
    bodies = {
        quote: rf"(?:\\.|[^{quote[0]}\\]|{quote[0]}(?!{quote[1:]}))*" for quote in over_lines if quote[1:]
    }
    bodies |= {quote: rf"(?:\\.|[^{quote}\\])*" for quote in over_lines if not quote[1:]}
    bodies |= {quote: rf"(?:\\.|[^{quote}\\\n])*" for quote in one_line}
    bodies |= {quote: rf"[^{quote}]*" for quote in raw}
    whole = "".join(f"{each}|" for each in literals)
    return _Lexer(
        re.compile(f"(?P<comment>{comment})|{whole}(?P<quote>{'|'.join(bodies)})", re.S),
        {quote: re.compile(body, re.S) for quote, body in bodies.items()},
    )


_SCRIPT = _lexer(_SLASHES, _PATTERN, one_line="\"'", over_lines="`")
_GO = _lexer(_SLASHES, r"'(?:\\[^\n]{1,9}|[^'\\\n])'", one_line='"', raw="`")
_RUST = _lexer(_SLASHES, r"'(?:\\[^\n']{1,9}|[^'\\\n])'", over_lines='"')
_C = _lexer(_SLASHES, one_line="\"'")
_PHP = _lexer(rf"{_SLASHES}|{_HASH}", over_lines="\"'")
_CSS = _lexer(r"/\*.*?(?:\*/|\Z)", one_line="\"'")
_PYTHON = _lexer(r"#[^\n]*", one_line="\"'", over_lines=('"""', "'''"))
_SHELL = _lexer(_HASH, over_lines='"', raw="'")
_LEXERS = {
    ".py": _PYTHON, ".rb": _SHELL, ".sh": _SHELL, ".go": _GO, ".rs": _RUST, ".c": _C, ".cpp": _C,
    ".java": _C, ".php": _PHP, ".css": _CSS,
    **dict.fromkeys((".js", ".mjs", ".ts", ".jsx", ".tsx"), _SCRIPT),
}  # fmt: skip
_SPACES = "".join(filter(str.isspace, map(chr, range(0x3001))))
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
    comments: list[tuple[int, str]] = []
    code: list[str] = []
    strings: list[str] = []
    at = 0
    for start, end, is_comment in _tokens(lexer, text):
        between, token = text[at:start], text[start:end]
        if is_comment:
            comments.append((start, _words(token)))
        code += between, _blank(token) if is_comment else _hollow(token)
        strings += between, _blank(token) if is_comment else token
        at = end
    return Source("".join([*code, text[at:]]), "".join([*strings, text[at:]]), tuple(comments))


def _tokens(lexer: _Lexer, text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield where each comment and string is, and which is a comment; a quote that nothing closes is none.

    Takes a time that grows with the text's length: what no quote closes is not looked through again.
    """
    at = 0
    unclosed: dict[str, int] = {}
    while found := lexer.opens.search(text, at):
        start, at = found.span()
        quote = found["quote"]
        if quote is None:
            yield start, at, found["comment"] is not None
            continue
        for opener in dict.fromkeys((quote, quote[0])):
            if start < unclosed.get(opener, 0):
                continue
            body = lexer.bodies[opener].match(text, start + len(opener))
            end = body.end() if body else start
            if text.startswith(opener, end):
                at = end + len(opener)
                yield start, at, False
                break
            unclosed[opener] = end
        else:
            at = start + 1


def _words(comment: str) -> str:
    lines = (line.lstrip(f"{_SPACES}#/*;-").rstrip(f"{_SPACES}*/") for line in comment.splitlines())
    return " ".join(filter(None, lines))


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
