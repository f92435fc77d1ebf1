# ruff: noqa: E501, RUF001 - patterns of formats are read whole, wide bars and all
"""Tool calls that a model wrote into its text, in the formats of the usual chat templates, pure.

Models do so where the server has no parser for their template, or misses it. A call is read only when it is
whole and of an offered tool; markup is taken out of the text in any case, so that it is never said aloud.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.llm.reading.closed import up_to_last
from engine.llm.reading.names import known_name


@dataclass(frozen=True, slots=True)
class TextCall:
    """A call written as text; `arguments` is JSON text."""

    name: str
    arguments: str


@dataclass(slots=True)
class Found:
    """The calls of a text, the remaining text, and whether it holds markup of an incomplete call."""

    rest: str
    calls: list[TextCall] = field(default_factory=list)
    broken: bool = False


Reader = Callable[[str], list[tuple[str, Any]]]
"""Reads the inside of a match as (name, arguments) pairs; raises ValueError when it is not whole."""

MAX_CALLS = 64
_decoder = json.JSONDecoder(strict=False)
_BAR = "[|｜]"
_NAME_KEYS = ("name", "tool", "tool_name", "function", "function_name", "recipient_name", "action")
_ARGUMENT_KEYS = (
    "arguments",
    "parameters",
    "args",
    "input",
    "params",
    "tool_input",
    "kwargs",
    "action_input",
)


def calls_in_text(text: str, offered: Mapping[str, object]) -> Found:
    """Return the calls of offered tools that stand in `text`."""
    found = Found(text)
    if not any(sign in text for sign in ("{", "<", "[", "｜")):
        return found
    for end, pattern, read in _FORMATS:
        if last := up_to_last(end, found.rest):
            taken = pattern.sub(
                lambda match, read=read: _take(match, read, offered, found),  # type: ignore[misc]
                found.rest[:last],
            )
            found.rest = taken + found.rest[last:]
    if not found.calls:
        _bare(found, offered)
    marked = _MARKS.search(found.rest)
    if marked:
        found.broken = True
        found.rest = found.rest[: marked.start()]
    if found.calls or found.broken:
        found.rest = _LEFTOVER.sub("", found.rest).strip()
    return found


def _take(match: re.Match[str], read: Reader, offered: Mapping[str, object], found: Found) -> str:
    """Add the calls of one match to `found` and return the text that replaces it."""
    inside = next((group for group in match.groups() if group is not None), match.group(0))
    made = _known(read, inside, offered)
    if made:
        found.calls = [*found.calls, *made][:MAX_CALLS]
        return ""
    if read is _fenced:
        return match.group(0)
    found.broken = True
    return ""


def _known(read: Reader, inside: str, offered: Mapping[str, object]) -> list[TextCall]:
    """Return the calls that `read` finds; none unless all are complete and of offered tools."""
    try:
        made = [(known_name(name, offered), arguments) for name, arguments in read(inside)]
    except (ValueError, SyntaxError, TypeError, AttributeError, RecursionError):
        return []
    if not all(name in offered for name, _ in made):
        return []
    return [
        TextCall(name, arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False))
        for name, arguments in made
    ]


# ---------------------------------------------------------------- readers


def _json_calls(inside: str) -> list[tuple[str, Any]]:
    """Parse one or several calls written as consecutive JSON values."""
    made: list[tuple[str, Any]] = []
    rest = inside.strip().strip("`").removeprefix("json").strip()
    while rest:
        value, end = _decoder.raw_decode(rest)
        made += list(_of_json(value))
        rest = rest[end:].lstrip(" \n\t\r,;")
    return made


def _of_json(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for one in value:
            yield from _of_json(one)
        return
    if not isinstance(value, dict):
        raise ValueError("no call")  # noqa: TRY004 - all that cannot be read is one kind here
    if isinstance(value.get("tool_calls"), list):
        yield from _of_json(value["tool_calls"])
        return
    if isinstance(value.get("function"), dict):
        yield from _of_json(value["function"])
        return
    name = next((value[key] for key in _NAME_KEYS if isinstance(value.get(key), str)), None)
    arguments = next((value[key] for key in _ARGUMENT_KEYS if key in value), None)
    if name is None or not isinstance(arguments, dict | str):
        raise ValueError("no call")
    yield name, arguments


def _fenced(inside: str) -> list[tuple[str, Any]]:
    return _json_calls(inside)


def _tagged(inside: str) -> list[tuple[str, Any]]:
    """Parse the inside of `<tool_call>` tags: JSON, Qwen's XML, GLM's keys and values, or a name and JSON."""
    bare = inside.strip()
    if bare.startswith(("{", "[", "`")):
        return _json_calls(bare)
    if "<function" in bare:
        return _xml_functions(bare)
    if "<invoke" in bare:
        return _invokes(bare)
    if "<arg_key>" in bare:
        name = bare.split("<arg_key>", 1)[0].strip()
        pairs = _between(r"<arg_key>([^<]*)</arg_key>\s*<arg_value>", "</arg_value>", bare)
        return [(name, {key.strip(): _value(value) for key, value in pairs})]
    named = re.match(r"([\w.:-]+)\s*(\{.*)\Z", bare, re.S)
    if not named:
        if re.fullmatch(r"[\w.:-]+", bare):
            return [(bare, {})]
        raise ValueError("no call")
    return [(named.group(1), _whole(named.group(2)))]


def _xml_functions(inside: str) -> list[tuple[str, Any]]:
    """Parse `<function=name>` with JSON or `<parameter=key>` inside."""
    made: list[tuple[str, Any]] = []
    for name, body in _between(r"<function(?:=|\s+name=)[\"']?([^\s\"'>]+)[\"']?\s*>", "</function>", inside):
        if body.strip().startswith("{"):
            made.append((name, _whole(body)))
            continue
        pairs = _between(r"<parameter(?:=|\s+name=)[\"']?([^\s\"'>]+)[\"']?[^>]*>", "</parameter>", body)
        made.append((name, {key: _value(value) for key, value in pairs}))
    return made


def _invokes(inside: str) -> list[tuple[str, Any]]:
    """Parse Anthropic's, MiniMax's and DeepSeek's `<invoke name="…">` with parameters."""
    plain = re.sub(rf"(?<!{_BAR}){_BAR}++DSML{_BAR}++", "", inside)
    plain = re.sub(r"(</?)(?:antml:|minimax:)", r"\1", plain)
    made: list[tuple[str, Any]] = []
    for name, body in _between(r"<invoke\s+name=[\"']([^\"']+)[\"']\s*>", "</invoke>", plain):
        pairs = _between(r"<parameter\s+name=[\"']([^\"']+)[\"']([^>]*)>", "</parameter>", body)
        made.append(
            (name, {k: v.strip("\n") if 'string="true"' in kind else _value(v) for k, kind, v in pairs})
        )
    return made


def _marked(inside: str) -> list[tuple[str, Any]]:
    """Parse DeepSeek's and Kimi's sections: calls between start and end marks, name and JSON separate."""
    made: list[tuple[str, Any]] = []
    for part in re.split(rf"<{_BAR}tool[▁_]call[▁_](?:begin|end){_BAR}>", inside):
        bare = part.strip()
        if not bare:
            continue
        pieces = re.split(rf"<{_BAR}tool[▁_](?:sep|call_argument_begin){_BAR}>", bare, maxsplit=1)
        if len(pieces) != 2:
            raise ValueError("no call")
        head, rest = pieces[0].strip(), pieces[1].strip()
        if head == "function":
            head, _, rest = rest.partition("\n")
        made.append((head.strip(), _whole(rest.strip().removeprefix("```json").strip("`").strip())))
    return made


def _mistral(inside: str) -> list[tuple[str, Any]]:
    """Parse `[TOOL_CALLS]` with a JSON list, or with names each followed by `[ARGS]` and JSON."""
    if inside.lstrip().startswith(("[{", "{")):
        return _json_calls(inside)
    made: list[tuple[str, Any]] = []
    for part in re.split(r"\[TOOL_CALLS\]", inside):
        named = re.match(r"\s*([\w.-]+)\s*+(?:\[CALL_ID\]\w+)?(?:\[ARGS\])?\s*+(\{.*)\Z", part, re.S)
        if part.strip():
            if not named:
                raise ValueError("no call")
            made.append((named.group(1), _whole(named.group(2))))
    return made


def _harmony(inside: str) -> list[tuple[str, Any]]:
    """Parse gpt-oss: `to=functions.NAME … <|message|>{JSON}`."""
    named = re.search(r"to=([\w.:-]+).{0,200}?<\|message\|>\s*+(\{.*)\Z", inside, re.S)
    if not named:
        raise ValueError("no call")
    return [(named.group(1), _whole(named.group(2)))]


def _pythonic(inside: str) -> list[tuple[str, Any]]:
    """Parse `[name(key="value"), …]`, as Llama 4 and others write it."""
    tree = ast.parse(inside.strip(), mode="eval").body
    made: list[tuple[str, Any]] = []
    for node in tree.elts if isinstance(tree, ast.List) else [tree]:
        if not isinstance(node, ast.Call) or node.args:
            raise ValueError("no call")
        values = {word.arg: ast.literal_eval(word.value) for word in node.keywords if word.arg}
        made.append((ast.unparse(node.func), values))
    return made


def _between(begin: str, end: str, text: str) -> list[tuple[str, ...]]:
    """Return the groups of each `begin`, and what is between it and the `end` after it, in order."""
    last = text.rfind(end) + len(end) if end in text else 0
    return re.findall(f"{begin}(.*?){re.escape(end)}", text[:last], re.S)


def _whole(text: str) -> Any:
    """Return the JSON object that `text` starts with. Raises ValueError if it is incomplete."""
    value, _ = _decoder.raw_decode(text.strip())
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004 - all that cannot be read is one kind here
    return value


def _value(text: str) -> Any:
    """Return a value of XML: parsed if it is JSON other than a string, else the text."""
    bare = text.strip()
    if bare[:1] in "[{" or bare in ("true", "false", "null") or re.fullmatch(r"-?\d{1,15}(\.\d+)?", bare):
        try:
            return _decoder.decode(bare)
        except (ValueError, RecursionError):
            pass
    return text.removeprefix("\n").removesuffix("\n")


# ---------------------------------------------------------------- formats

_FORMATS: tuple[tuple[re.Pattern[str], re.Pattern[str], Reader], ...] = (
    (re.compile(rf"<{_BAR}tool[▁_]calls(?:[▁_]section)?[▁_]end{_BAR}>"), re.compile(rf"<{_BAR}tool[▁_]calls(?:[▁_]section)?[▁_]begin{_BAR}>(.*?)<{_BAR}tool[▁_]calls(?:[▁_]section)?[▁_]end{_BAR}>", re.S), _marked),
    (re.compile(rf"</(?:{_BAR}+DSML{_BAR}+)?(?:antml:|minimax:)?(?:function_calls|tool_calls?)>"), re.compile(rf"<(?:{_BAR}+DSML{_BAR}+)?(?:antml:|minimax:)?(?:function_calls|tool_calls?)>\s*(<(?:{_BAR}+DSML{_BAR}+)?(?:antml:)?invoke.*?)</(?:{_BAR}+DSML{_BAR}+)?(?:antml:|minimax:)?(?:function_calls|tool_calls?)>", re.S), _invokes),
    (re.compile(r"</tool_calls?>"), re.compile(r"<tool_calls?>(.*?)</tool_calls?>", re.S), _tagged),
    (re.compile(r"</function_calls?>"), re.compile(r"<function_calls?>(.*?)</function_calls?>", re.S), _tagged),
    (re.compile(r"<tool_calls?\|>"), re.compile(r"<\|tool_calls?>(.*?)<tool_calls?\|>", re.S), _tagged),
    (re.compile(r"</function>"), re.compile(r"(<function(?:=|\s+name=).*?</function>)", re.S), _xml_functions),
    (re.compile(r"</(?:antml:)?invoke>"), re.compile(r"(<(?:antml:)?invoke\s+name=.*?</(?:antml:)?invoke>)", re.S), _invokes),
    (re.compile(r"\Z"), re.compile(r"((?:<\|start\|>assistant)?(?:<\|channel\|>\w+ )?\s{0,20}to=[\w.:-]+.{0,200}?<\|message\|>.*?)(?:<\|call\|>|\Z)", re.S), _harmony),
    (re.compile(r"\Z"), re.compile(r"\[TOOL_CALLS\](.*)\Z", re.S), _mistral),
    (re.compile(r"\Z"), re.compile(r"<\|(?:python_tag|tool_call|action_start\|> ?<\|plugin)\|>(.*?)(?:<\|(?:eom_id|eot_id|action_end|/tool_call)\|>|\Z)", re.S), _json_calls),
    (re.compile(r"\]"), re.compile(r"functools\s*(\[.*\])", re.S), _json_calls),
    (re.compile(r"```"), re.compile(r"```(?:json|tool_call|tool_code|tool|xml|python)?[ \t]*+\n?\s*+([\[{].*?)```", re.S), _fenced),
)  # fmt: skip
"""(the end of a call, the call, its reader) of each format; one that may be cut off ends with the text."""
_MARKS = re.compile(
    rf"<{_BAR}tool[▁_]call|<tool_calls?>|<function_calls?>|<function=|<(?:{_BAR}+DSML{_BAR}+)?(?:antml:)?invoke\s+name="
    r"|\[TOOL_CALLS\]|<\|python_tag\|>|<\|channel\|>commentary to="
)
_LEFTOVER = re.compile(rf"</?tool_calls?>|</?function_calls?>|<{_BAR}[\w▁]+{_BAR}>|```(?:json)?\s*```")
_PYTHONIC = re.compile(r"\A\s*(?:\[\s*[\w.]+\s*\(.*\)\s*\]|[\w.]+\(\s*\w+\s*=.*\))\s*\Z", re.S)
_JSON_CALL = re.compile(r'(?:\[\s*)?\{\s*"(?:name|tool|tool_name|function|tool_calls|action)"')
_ONLY_JSON = re.compile(r"\A\s*[\[{].*[\]}]\s*\Z", re.S)


def _bare(found: Found, offered: Mapping[str, object]) -> None:
    """Find calls in a text that consists of a call, or ends with one, as bare JSON."""
    if _PYTHONIC.match(found.rest):
        begin, read = 0, _pythonic
    elif _ONLY_JSON.match(found.rest):
        begin, read = 0, _json_calls
    elif at := _JSON_CALL.search(found.rest):
        begin, read = at.start(), _json_calls
    else:
        return
    made = _known(read, found.rest[begin:], offered)
    if made:
        found.calls = made[:MAX_CALLS]
        found.rest = found.rest[:begin].strip()
