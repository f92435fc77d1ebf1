"""Tool calls that a model wrote into its text, in the formats of the usual templates (`formats.py`), pure.

Models do so where the server has no parser for their template, or misses it. A call is read only when it is
whole and of an offered tool, and not where the text only shows it: in code, in the middle of a line, in a
code block with words after it. Markup is taken out of the text in any case, so that it is never said aloud.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from engine.llm.reading.closed import up_to_last
from engine.llm.reading.formats import (
    FORMATS,
    LEFTOVER,
    MARKS,
    OBSERVED,
    REACT,
    THOUGHT,
    UNREAD,
    Format,
    Made,
    as_tag,
    json_calls,
    named,
    pythonic,
    react,
    tags_of,
)
from engine.llm.reading.names import known_name


@dataclass(frozen=True, slots=True)
class TextCall:
    """A call written as text; `arguments` is JSON text."""

    name: str
    arguments: str


@dataclass(slots=True)
class Found:
    """The calls of a text and the remaining text.

    `broken`: it holds markup of an incomplete call. `shown`: it shows a whole call, with words around it.
    """

    rest: str
    calls: list[TextCall] = field(default_factory=list)
    broken: bool = False
    shown: bool = False
    veiled: list[str] = field(default_factory=list)

    def veil(self, text: str) -> str:
        """Return what stands for a piece of text in which nothing is looked for."""
        self.veiled.append(text)
        return f"\0{len(self.veiled) - 1}\0"

    def unveiled(self, text: str) -> str:
        """Return a text with its pieces as they were."""
        while _VEILED.search(text):
            text = _VEILED.sub(lambda found: self.veiled[int(found.group(1))], text)
        return text


MAX_CALLS, MAX_BLOCKS = 64, 16
_VEILED = re.compile("\0(\\d+)\0")
_SIGNS = ("{", "<", "[", "\uff5c", "(")
_FENCE = re.compile(r"[ \t]{0,3}(```+|~~~+)")
_TAG = re.compile(r"<(/?)[\w|\uff5c]")
_PYTHONIC = re.compile(r"\A\s*(?:\[\s*[\w.]+\s*\(.*\)\s*\]|[\w.]+\(\s*\w+\s*=.*\))\s*\Z", re.S)
_JSON_CALL = re.compile(r'(?:\[\s*)?\{\s*"(?:name|tool|tool_name|function|tool_calls|action|type)"')
_ONLY_JSON = re.compile(r"\A\s*[\[{].*[\]}]\s*\Z", re.S)
_NAMED = re.compile(r"\A\s*[\w.:-]+\s*(?:\[ARGS\]|\n)\s*\{.*\}\s*\Z", re.S)


def calls_in_text(text: str, offered: Mapping[str, object]) -> Found:
    """Return the calls of offered tools that stand in `text`."""
    found = Found(text)
    if not any(sign in text for sign in _SIGNS) or "\0" in text:
        return found
    found.rest = _without_shown_blocks(text, offered, found)
    for each in FORMATS:
        if last := up_to_last(each.end, found.rest):
            taken = each.call.sub(
                lambda match, each=each: _take(match, each, offered, found),  # type: ignore[misc]
                found.rest[:last],
            )
            found.rest = taken + found.rest[last:]
    if not found.calls:
        _tags(found, offered)
    if not found.calls:
        _actions(found, offered)
    if not found.calls:
        _bare(found, offered)
    if found.calls:
        found.rest = LEFTOVER.sub("", found.rest)
    marked = MARKS.search(found.rest)
    if marked:
        found.broken = True
        found.rest = LEFTOVER.sub("", found.rest[: marked.start()])
    found.rest = found.unveiled(found.rest)
    if found.calls or found.broken:
        found.rest = found.rest.strip()
    return found


# ---------------------------------------------------------------- what is only shown


def _without_shown_blocks(text: str, offered: Mapping[str, object], found: Found) -> str:
    """Return the text with its code blocks veiled where words follow the last of them: they explain it."""
    blocks = _blocks(text)
    if not blocks:
        return text
    if not LEFTOVER.sub("", text[blocks[-1][1] :]).strip():
        return text
    made, at = [], 0
    for begin, end in blocks:
        block = text[begin:end]
        made.append(text[at:begin])
        made.append(found.veil(block) if _is_balanced(block) else block)
        at = end
    for begin, end in blocks[:MAX_BLOCKS]:
        found.shown = found.shown or bool(calls_in_text(text[begin:end], offered).calls)
    return "".join([*made, text[at:]])


def _blocks(text: str) -> list[tuple[int, int]]:
    """Return where the fenced code blocks of a text begin and end."""
    made: list[tuple[int, int]] = []
    begin, mark, at = -1, "", 0
    for line in text.splitlines(keepends=True):
        fence = _FENCE.match(line)
        if fence and begin < 0:
            begin, mark = at, fence.group(1)
            if line.strip().endswith(mark) and line.strip() != mark:  # all on one line
                begin = -1
        elif fence and fence.group(1).startswith(mark) and line.strip() == fence.group(1):
            made.append((begin, at + len(line)))
            begin = -1
        at += len(line)
    return made


def _is_balanced(block: str) -> bool:
    """Return whether a block is one of the text: the first tag in it begins something. Else it stands within
    the arguments of a call."""
    first = _TAG.search(block)
    return first is None or not first.group(1)


def _is_shown(match: re.Match[str], text: str) -> bool:
    """Return whether a call in `text` stands in code, or in the middle of a line of words."""
    before = text[max(0, match.start() - 400) : match.start()].rpartition("\n")[2].rstrip(" \t")
    after = text[match.end() : match.end() + 400].partition("\n")[0].strip(" \t")
    if before.endswith("`") and not before.endswith("```"):
        return True
    words_before = bool(before) and before[-1] not in ">]|\uff5c\0"
    return words_before and bool(after) and after[0] not in "<[`|\uff5c\0"


# ---------------------------------------------------------------- what is called


def _take(match: re.Match[str], each: Format, offered: Mapping[str, object], found: Found) -> str:
    """Add the calls of one match to `found` and return the text that replaces it."""
    inside = next((group for group in match.groups() if group is not None), match.group(0))
    made = _known(each.read, found.unveiled(inside), offered)
    if _is_shown(match, found.rest):
        in_code = match.string[: match.start()].endswith("`")
        found.shown = found.shown or (bool(made) and not in_code)
        return found.veil(match.group(0))
    if made:
        found.calls = [*found.calls, *made][:MAX_CALLS]
        return ""
    if not each.sure:
        return match.group(0)
    found.broken = True
    return ""


def _known(read: Callable[[str], Made], inside: str, offered: Mapping[str, object]) -> list[TextCall]:
    """Return the calls that `read` finds; none unless all are complete and of offered tools."""
    try:
        made = [(known_name(name, offered), arguments) for name, arguments in read(inside)]
    except UNREAD:
        return []
    if not all(name in offered for name, _ in made):
        return []
    return [TextCall(name, _as_json(arguments)) for name, arguments in made]


def _as_json(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _tags(found: Found, offered: Mapping[str, object]) -> None:
    """Find calls whose tags are the tools' names, each alone on its lines, in the order of the text."""
    text, made, at = found.rest, list[str](), 0
    for begin, end, calls in sorted(_tags_in(found, offered), key=lambda one: one[:2]):
        if begin >= at:
            made.append(text[at:begin])
            found.calls = [*found.calls, *calls][:MAX_CALLS]
            at = end
    found.rest = "".join([*made, text[at:]])


def _tags_in(found: Found, offered: Mapping[str, object]) -> Iterator[tuple[int, int, list[TextCall]]]:
    """Yield (begin, end, calls) of each whole tag of a tool."""
    text = found.rest
    for name in (one for one in offered if f"<{one}" in text):
        for end, pattern in tags_of(name):
            for match in pattern.finditer(text, 0, text.rfind(end) + len(end)):
                line = text.find("\n", match.end())
                made = _known(partial(as_tag, name=name), found.unveiled(match.group(1)), offered)
                if made and not text[match.end() : line if line >= 0 else None].strip():
                    yield match.start(), match.end(), made


def _actions(found: Found, offered: Mapping[str, object]) -> None:
    """Find a call in the form of ReAct at the end, or before an observation that the model made up."""
    begin = REACT.search(found.rest)
    if not begin:
        return
    observed = OBSERVED.search(found.rest, begin.end())
    asked = found.rest[begin.start() : observed.start() if observed else len(found.rest)]
    made = _known(react, found.unveiled(asked), offered)
    if made:
        thought = THOUGHT.search(found.rest[: begin.start()])
        found.calls = made
        found.rest = found.rest[: thought.start() if thought else begin.start()].strip()


def _bare(found: Found, offered: Mapping[str, object]) -> None:
    """Find calls in a text that consists of a call, or ends with one, as bare JSON."""
    if _PYTHONIC.match(found.rest):
        begin, read = 0, pythonic
    elif _NAMED.match(found.rest):
        begin, read = 0, named
    elif _ONLY_JSON.match(found.rest):
        begin, read = 0, json_calls
    elif at := _JSON_CALL.search(found.rest):
        begin, read = at.start(), json_calls
    else:
        return
    made = _known(read, found.unveiled(found.rest[begin:]), offered)
    if made:
        found.calls = made[:MAX_CALLS]
        found.rest = found.rest[:begin].strip()
