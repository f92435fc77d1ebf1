# ruff: noqa: E501, RUF001 - patterns of formats are read whole, wide bars and all
"""The formats in which chat templates have models write tool calls, and the reader of each; pure.

A reader gets the inside of a match and returns (name, arguments) pairs. It raises ValueError, or another of
`UNREAD`, when the call is not whole: nothing is completed but what the template's own end marks vouch for.
"""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Made = list[tuple[str, Any]]
Reader = Callable[[str], Made]
UNREAD = (ValueError, SyntaxError, TypeError, AttributeError, RecursionError, MemoryError)
"""What a reader raises."""

_decoder = json.JSONDecoder(strict=False)
_BAR = "[|｜]"
_DSML = rf"(?:{_BAR}+DSML{_BAR}+)?"
_SPACE = r"(?:\w{1,12}:)?"
"""A namespace of tags, such as `antml:`, `minimax:` or `seed:`."""

_TAG = r"(?:\w{1,12}[:_])?(?:tool_?calls?|function_?calls?)"
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
_BESIDE = frozenset({"id", "type", "tool_call_id", "call_id", "index"})
_AFTER_JSON = re.compile(r"(?:[\s}\]`;,]|<[^<>]{1,40}>)*\Z")
_MOST_LITERAL = 200_000


@dataclass(frozen=True, slots=True)
class Format:
    """`end`: how its calls end, as they are looked for only up to the last of these; `call`: a whole one.

    `sure`: its marks stand for calls only, so that what is not read is no text for people.
    """

    end: re.Pattern[str]
    call: re.Pattern[str]
    read: Reader
    sure: bool = True


# ---------------------------------------------------------------- JSON


def json_calls(inside: str, *, tagged: bool = False) -> Made:
    """Read one or several calls written as consecutive JSON values; `tagged`: an end mark stands after
    them."""
    made: Made = []
    rest = inside.strip().strip("`").removeprefix("json").strip()
    while rest:
        try:
            value, end = _decoder.raw_decode(rest)
        except ValueError:
            if made and _AFTER_JSON.match(rest):
                break
            value, end = _in_other_notation(rest, tagged=tagged), len(rest)
        made += list(_of_json(value, tagged=tagged))
        rest = rest[end:].lstrip(" \n\t\r,;")
    return made


def _in_other_notation(text: str, *, tagged: bool) -> Any:
    """Return a value in Python's notation, or one that lacks its last brace before an end mark."""
    if len(text) > _MOST_LITERAL:
        raise ValueError("too long")
    try:
        return ast.literal_eval(text.strip())
    except UNREAD:
        if not tagged:
            raise
    value, end = _decoder.raw_decode(f"{text}}}")
    if end != len(text) + 1:
        raise ValueError("no call")
    return value


def _of_json(value: Any, *, tagged: bool = False) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for one in value:
            yield from _of_json(one, tagged=tagged)
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
    if name is None and len(value) == 1 and tagged:  # {"the tool": {its arguments}}
        [(name, arguments)] = value.items()
    elif arguments is None and tagged:
        arguments = {k: v for k, v in value.items() if k not in _BESIDE and v is not name}
    if name is None or not isinstance(arguments, dict | str):
        raise ValueError("no call")
    yield name, arguments


def whole(text: str) -> Any:
    """Return the JSON object that `text` starts with. Raises ValueError if it is incomplete."""
    value, _ = _decoder.raw_decode(text.strip())
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004 - all that cannot be read is one kind here
    return value


def named(inside: str) -> Made:
    """Read a name and its JSON, with only marks between and after them."""
    found = re.match(
        r"\s*([\w.:-]+)\s*(?:<[^<>]{1,40}>|\[ARGS\]|```json|json|code)*\s*(\{.*)\Z", inside, re.S
    )
    if not found:
        raise ValueError("no call")
    value, end = _decoder.raw_decode(found.group(2))
    if not _AFTER_JSON.match(found.group(2)[end:]):
        raise ValueError("no call")
    return [(found.group(1), value)]


# ---------------------------------------------------------------- tags


def tagged(inside: str) -> Made:
    """Read what stands between the tags of a call: JSON, Qwen's XML, GLM's keys and values, a name and JSON,
    Python, and Gemma's braces."""
    attribute = re.match(r"\s+name=[\"']([^\"']+)[\"'][^>]*>(.*)\Z", inside, re.S)
    if attribute:
        return _with_name(attribute.group(1), attribute.group(2).strip())
    bare = inside.lstrip(">").strip()
    for sign, read in _INSIDE:
        if sign.search(bare):
            return read(bare)
    raise ValueError("no call")


def arguments_in_name(name: str) -> str:
    """Return the arguments, as JSON, that a server's parser left behind the name of a call; "" for none."""
    if "<arg_key>" not in name and "{" not in name[1:]:
        return ""
    try:
        [(_, arguments)] = tagged(name)
    except UNREAD:
        return ""
    return json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, dict) else ""


def _with_name(name: str, body: str) -> Made:
    if not body:
        return [(name, {})]
    value, _ = _decoder.raw_decode(body)
    if isinstance(value, dict) and value.get("name") == name:
        return list(_of_json(value, tagged=True))
    return [(name, whole(body))]


def _keys_and_values(bare: str) -> Made:
    name = bare.split("<arg_key>", 1)[0].strip()
    pairs = _between(r"<arg_key>([^<]*)</arg_key>\s*<arg_value>", "</arg_value>", bare)
    if len(pairs) != bare.count("<arg_key>"):
        raise ValueError("no call")
    return [(name, {key.strip(): _value(value) for key, value in pairs})]


def _only_name(bare: str) -> Made:
    return [(re.split(r"[<(]", bare, maxsplit=1)[0].strip(), {})]


def _spelled(bare: str) -> Made:
    """Read a name and arguments in tags of their own, as older templates have them."""
    name = re.search(r"<(?:tool_)?name>\s*([\w.:-]+)\s*</(?:tool_)?name>", bare)
    given = re.search(r"<(arguments|parameters|input|args)>(.*?)</\1>", bare, re.S)
    if not name:
        raise ValueError("no call")
    return [(name.group(1), _tag_values(given.group(2)) if given else {})]


def _tag_values(body: str) -> Any:
    """Return arguments as JSON or as a tag each; all of the text must be theirs."""
    bare = body.strip()
    if bare.startswith("{"):
        return whole(bare)
    pairs = re.compile(r"\s*<([\w.-]+)>(.*?)</\1>", re.S)
    made: dict[str, Any] = {}
    at = 0
    while at < len(bare):
        found = pairs.match(bare, at)
        if not found:
            raise ValueError("no call")
        made[found.group(1)] = _value(found.group(2))
        at = found.end()
    return made


def xml_functions(inside: str) -> Made:
    """Read `<function=name>` with JSON or `<parameter=key>` inside."""
    made: Made = []
    begins = list(re.finditer(r"<function(?:=|\s+name=)[\"']?([^\s\"'>]+)[\"']?\s*>", inside))
    for begin, after in zip(begins, [*begins[1:], None], strict=True):
        rest = inside[begin.end() : after.start() if after else len(inside)]
        body = rest.partition("</function>")[0]
        if body.strip().startswith("{"):
            made.append((begin.group(1), whole(body)))
            continue
        made.append((begin.group(1), _xml_parameters(body)))
    return made


def _xml_parameters(body: str) -> dict[str, Any]:
    """Return the parameters of an XML call; one whose end is missing ends where the next one begins."""
    begin = re.compile(r"<parameter(?:=|\s+name=)[\"']?([^\s\"'>]+)[\"']?[^>]*>")
    found = list(begin.finditer(body))
    made: dict[str, Any] = {}
    at = 0
    for each, after in zip(found, [*found[1:], None], strict=True):
        if each.start() < at:  # inside the value before it
            continue
        end = body.find("</parameter>", each.end())
        following = after.start() if after else len(body)
        # The end that comes next is another one's where that begins before it, new and on its own line.
        lost = after and following < end and body[following - 1] == "\n" and after[1] not in (*made, each[1])
        value = body[each.end() : following if end < 0 or lost else end]
        made[each.group(1)] = _value(value.rstrip("\n") if lost else value)
        at = each.end() + len(value)
    return made


def invokes(inside: str) -> Made:
    """Read `<invoke name="…">` with parameters, of Anthropic, MiniMax, DeepSeek and Step."""
    plain = re.sub(rf"(?<!{_BAR}){_BAR}++DSML{_BAR}++", "", inside)
    plain = re.sub(r"(</?)\w{1,12}:(?=invoke|parameter)", r"\1", plain)
    made: Made = []
    for name, body in _between(r"<invoke\s+name=[\"']([^\"']+)[\"']\s*>", "</invoke>", plain):
        pairs = _between(r"<parameter\s+name=[\"']([^\"']+)[\"']([^>]*)>", "</parameter>", body)
        if len(pairs) != len(re.findall(r"<parameter\s+name=", body)) and "</parameter>" not in body:
            raise ValueError("no call")
        made.append(
            (name, {k: v.strip("\n") if 'string="true"' in kind else _value(v) for k, kind, v in pairs})
        )
    if not made and "<tool_name>" in plain:
        return _spelled(plain)
    return made


def as_tag(body: str, name: str) -> Made:
    """Read a call whose tag is the tool's name, with its arguments as tags or as attributes."""
    attributes, _, inside = body.partition(">")
    if not inside:
        pairs = re.findall(r"\s+([\w.-]+)=\"([^\"]*)\"", attributes.rstrip("/ "))
        return [(name, {key: _value(html.unescape(value)) for key, value in pairs})]
    made = _tag_values(inside)
    if not made:
        raise ValueError("no call")
    return [(name, made)]


# ---------------------------------------------------------------- marks


def marked(inside: str) -> Made:
    """Read DeepSeek's and Kimi's calls: between start and end marks, name and JSON separate."""
    made: Made = []
    for part in re.split(rf"<{_BAR}tool[▁_]call[▁_](?:begin|end){_BAR}>", inside):
        bare = part.strip()
        if not bare:
            continue
        pieces = re.split(rf"<{_BAR}tool[▁_](?:sep|call_argument_begin){_BAR}>", bare, maxsplit=1)
        if len(pieces) != 2:
            raise ValueError("no call")
        head, rest = pieces[0].strip(), pieces[1].strip()
        if "invoke name=" in rest:
            made += invokes(rest)
            continue
        if head == "function":
            head, _, rest = rest.partition("\n")
        made.append((head.strip(), whole(rest.strip().removeprefix("```json").strip("`").strip())))
    return made


def _solar(inside: str) -> Made:
    _, _, rest = inside.partition("<|tool_call:name|>")
    name, _, arguments = rest.partition("<|tool_call:args|>")
    return [(name.strip(), whole(arguments))]


def mistral(inside: str) -> Made:
    """Read `[TOOL_CALLS]` with a JSON list, or with names each followed by `[ARGS]` and JSON."""
    if inside.lstrip().startswith(("[{", "{")):
        return json_calls(inside)
    made: Made = []
    for part in re.split(r"\[TOOL_CALLS\]", inside):
        found = re.match(r"\s*([\w.-]+)\s*+(?:\[CALL_ID\]\w+)?(?:\[ARGS\])?\s*+(\{.*)\Z", part, re.S)
        if part.strip():
            if not found:
                raise ValueError("no call")
            made.append((found.group(1), whole(found.group(2))))
    return made


def harmony(inside: str) -> Made:
    """Read gpt-oss: `to=functions.NAME … <|message|>{JSON}`."""
    found = re.search(r"to=([\w.:-]+).{0,200}?<\|message\|>\s*+(\{.*)\Z", inside, re.S)
    if not found:
        raise ValueError("no call")
    return [(found.group(1), whole(found.group(2)))]


REACT = re.compile(
    r"^[ \t]*\**Action:\**[ \t]*([`*]*[\w.-]+[`*]*)[ \t]*\n\s{0,9}\**Action[ _]Input:\**", re.M
)
OBSERVED = re.compile(r"^[ \t]*\**Observation:", re.M)
THOUGHT = re.compile(r"^[ \t]*\**Thought:", re.M)


def react(inside: str) -> Made:
    """Read `Action: NAME` and `Action Input: {JSON}`, the usual form where a model knows no tools."""
    begin = REACT.match(inside)
    text = inside[begin.end() :].strip().strip("`").removeprefix("json").strip() if begin else ""
    value, end = _decoder.raw_decode(text)
    if not begin or not isinstance(value, dict) or not _AFTER_JSON.match(text[end:]):
        raise ValueError("no call")
    return [(begin.group(1).strip("*`"), value)]


def pythonic(inside: str) -> Made:
    """Read `[name(key="value"), …]`, or a call a line, in `print()` or not: Llama 4, Gemma, OLMo, LFM."""
    made: Made = []
    for statement in ast.parse(inside.strip()).body:
        if not isinstance(statement, ast.Expr):
            raise ValueError("no call")  # noqa: TRY004 - all that cannot be read is one kind here
        tree = statement.value
        for node in tree.elts if isinstance(tree, ast.List | ast.Tuple) else [tree]:
            made.append(_python_call(node))
    return made


def _python_call(node: ast.expr) -> tuple[str, Any]:
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "print" and len(node.args) == 1:
        node = node.args[0]
    if not isinstance(node, ast.Call) or any(word.arg is None for word in node.keywords):
        raise ValueError("no call")
    name = ast.unparse(node.func).removesuffix(".call")
    if node.args:
        given = ast.literal_eval(node.args[0])
        if len(node.args) > 1 or node.keywords or not isinstance(given, dict):
            raise ValueError("no call")
        return name, given
    return name, {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}


def python_tag(inside: str) -> Made:
    """Read what Llama writes after its python tag: JSON, or a call in Python's notation."""
    bare = inside.strip()
    return json_calls(bare) if bare.startswith(("{", '[{"')) else pythonic(bare)


def braced(inside: str) -> Made:
    """Read Gemma's `call:name{key:<|"|>text<|"|>,…}`, whose texts stand between marks of their own."""
    found = re.match(r"\s*call:([\w.:-]+)\s*(\{.*\})\s*\Z", inside, re.S)
    if not found:
        raise ValueError("no call")
    pieces = re.split(r"<\|\"\|>|<escape>", found.group(2))
    if len(pieces) % 2 == 0:
        raise ValueError("no call")
    texts = [json.dumps(text) for text in pieces[1::2]]
    plain = [re.sub(r"([{,]\s*)([A-Za-z_][\w.-]*)\s*:", r'\1"\2":', piece) for piece in pieces[::2]]
    body = plain[0] + "".join(text + after for text, after in zip(texts, plain[1:], strict=True))
    return [(found.group(1), json.loads(body))]


# ---------------------------------------------------------------- help


def _between(begin: str, end: str, text: str) -> list[tuple[str, ...]]:
    """Return the groups of each `begin`, and what is between it and the `end` after it, in order."""
    last = text.rfind(end) + len(end) if end in text else 0
    return re.findall(f"{begin}(.*?){re.escape(end)}", text[:last], re.S)


def _value(text: str) -> Any:
    """Return a value of XML: parsed if it is JSON other than a string, else the text."""
    bare = text.strip()
    if bare[:1] in "[{" or bare in ("true", "false", "null") or re.fullmatch(r"-?\d{1,15}(\.\d+)?", bare):
        try:
            return _decoder.decode(bare)
        except (ValueError, RecursionError):
            pass
    return text.removeprefix("\n").removesuffix("\n")


_INSIDE: tuple[tuple[re.Pattern[str], Reader], ...] = (
    (re.compile(r"\A(?:[{`]|\[\s*[\]{])"), lambda bare: json_calls(bare, tagged=True)),
    (re.compile(r"<function[=\s]"), xml_functions),
    (re.compile(rf"<{_DSML}{_SPACE}invoke\b"), invokes),
    (re.compile(r"<arg_key>"), _keys_and_values),
    (re.compile(r"\Acall:"), braced),
    (re.compile(r"<(?:tool_)?name>"), _spelled),
    (re.compile(r"\A[\w.:-]+\s*(?:\{|```)"), named),
    (re.compile(r"\A[\w.:-]+(?:\(\))?\s*(?:</\w+>\s*)*\Z"), _only_name),
    (re.compile(r"\A(?:\[\s*)?[\w.]+\("), pythonic),
)
"""What stands between the tags of a call, by how it looks."""


# ---------------------------------------------------------------- the table


def _format(end: str, call: str, read: Reader, *, sure: bool = True) -> Format:
    return Format(re.compile(end), re.compile(call, re.S), read, sure)


FORMATS: tuple[Format, ...] = (
    _format(rf"<{_BAR}tool[▁_]calls(?:[▁_]section)?[▁_]end{_BAR}>", rf"<{_BAR}tool[▁_]calls(?:[▁_]section)?[▁_]begin{_BAR}>(.*?)<{_BAR}tool[▁_]calls(?:[▁_]section)?[▁_]end{_BAR}>", marked),
    _format(rf"<{_BAR}tool[▁_]call[▁_]end{_BAR}>", rf"<{_BAR}tool[▁_]call[▁_]begin{_BAR}>(.*?)<{_BAR}tool[▁_]call[▁_]end{_BAR}>", marked),
    _format(r"<\|tool_call_end\|>", r"(?<![\w.:-])([\w.:-]{1,100}\s{0,9}<\|tool_call_argument_begin\|>.*?)<\|tool_call_end\|>", marked),
    _format(r"<\|tool_call:end\|>", r"<\|tool_call:begin\|>(.*?)<\|tool_call:end\|>", _solar),
    _format(rf"</{_DSML}{_TAG}>", rf"<{_DSML}{_TAG}>\s*(<{_DSML}{_SPACE}invoke.*?)</{_DSML}{_TAG}>", invokes),
    _format(rf"(?i)</{_TAG}>", rf"(?i)<{_TAG}(?:>|(?=\s+name=))(.*?)</{_TAG}>", tagged),
    _format(r"<(?:\|/)?tool_calls?\|>", r"<\|tool_calls?(?:\|)?>(.*?)<(?:\|/)?tool_calls?\|>", tagged),
    _format(r"<\|tool_call_end\|>", r"<\|tool_call_start\|>(.*?)<\|tool_call_end\|>", tagged),
    _format(r"<end_function_call>", r"<start_function_call>(.*?)<end_function_call>", tagged),
    _format(r"<\|END_ACTION\|>", r"<\|START_ACTION\|>(.*?)<\|END_ACTION\|>", tagged),
    _format(r"\[END_TOOL_REQUEST\]", r"\[TOOL_REQUEST\](.*?)\[END_TOOL_REQUEST\]", tagged),
    _format(r"</(?:tool|tool_use|tool_code)>", r"<(?:tool|tool_use|tool_code)(?:>|(?=\s+name=))(.*?)</(?:tool|tool_use|tool_code)>", tagged, sure=False),
    _format(r"</function>", r"(<function(?:=|\s+name=).*?</function>)", xml_functions),
    _format(rf"</{_DSML}{_SPACE}invoke>", rf"(<{_DSML}{_SPACE}invoke(?:\s+name=|>).*?</{_DSML}{_SPACE}invoke>)", invokes),
    _format(r"\Z", r"((?:<\|start\|>assistant)?(?:<\|channel\|>\w+ )?\s{0,20}to=[\w.:-]+.{0,200}?<\|message\|>.*?)(?:<\|call\|>|\Z)", harmony),
    _format(r"\Z", r"(?:(?:\A|\n)[ ]{0,20}|(?:assistant)?(?:commentary|analysis)[ ]*)to=([\w.:-]+[ ]*(?:(?:json|code)\s*)?\{.*)\Z", named, sure=False),
    _format(r"\Z", r"\[TOOL_CALLS\](.*)\Z", mistral),
    _format(r"\Z", r"<\|(?:python_tag|tool_call|python_start|action_start\|> ?<\|plugin)\|>(.*?)(?:<\|(?:eom_id|eot_id|python_end|action_end|/tool_call)\|>|\Z)", python_tag),
    _format(r"\Z", r"<\|recipient\|>\s*([\w.-]+\s*<\|content\|>\s*\{.*?)(?=<\|from\|>|<\|stop\|>|\Z)", named),
    _format(r"\Z", r"(?:\A|(?<=\n))>>>([\w.-]+\n\{.*?)(?=\n>>>|\Z)", named, sure=False),
    _format(r"\]", r"functools\s*(\[.*\])", json_calls),
    _format(r"```", r"```(?:tool_code|tool_call|tool)[ \t]*+\n\s*+([a-zA-Z_][\w.]*\(.*?)```", pythonic, sure=False),
    _format(r"```", r"```(?:json|tool_call|tool_code|tool|xml|python)?[ \t]*+\n?\s*+([\[{].*?)```", json_calls, sure=False),
)  # fmt: skip

MARKS = re.compile(
    rf"(?<!`)(?:<{_BAR}tool[▁_]call[▁_]begin|<\|tool_call|<{_DSML}{_TAG}>|<function=|<{_DSML}{_SPACE}invoke\s+name="
    r"|\[TOOL_CALLS\]|<\|python_tag\|>|<\|START_ACTION\|>|<start_function_call>|\[TOOL_REQUEST\]|<\|channel\|>commentary to=)",
    re.I,
)
"""How calls begin: what is left of one was not read."""

LEFTOVER = re.compile(
    rf"</?{_DSML}{_TAG}[^<>]{{0,80}}>|</?\w{{1,12}}_calls>|<{_BAR}/?[\w▁:]+{_BAR}?>|<[\w▁]+{_BAR}>|```\w*\s*```|```(?:json)?\s*\Z"
    r"|(?:\A|(?<=\n))\**Action:\**\s*\Z|\[/?(?:END_)?TOOL_REQUEST\]|<tool_response>.*?(?:</tool_response>|\Z)",
    re.I | re.S,
)
"""Marks that stand for nothing once the calls are read."""


def tags_of(tool: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the ends and patterns of calls whose tag is the tool's name: with content, and without."""
    name = re.escape(tool)
    return (
        (f"</{tool}>", re.compile(rf"^[ \t]*<{name}(>.*?)</{name}>", re.S | re.M)),
        ("/>", re.compile(rf"^[ \t]*<{name}((?:\s+[\w.-]+=\"[^\"<>]*\")+\s*/)>", re.M)),
    )
