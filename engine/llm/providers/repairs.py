# ruff: noqa: E501 - patterns are read whole
"""What an endpoint's refusal teaches about how it wants requests: one change each, pure.

A repair is remembered for (endpoint, model); the request is sent again at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from engine.llm import phrases
from engine.llm.faults import ErrorReply
from engine.llm.providers.families import CALLS_A_TOOL
from engine.llm.providers.quirks import Quirks

MOST_REPAIRS = 8
LEAST_ANSWER = 256
LEAST_WINDOW = 1_024

_REFUSES = re.compile(
    r"unsupported|not support|un(?:known|recogni[sz]ed|expected)|extra|not permitted|not allowed|forbidden"
    r"|not accepted|invalid|cannot find field|no such field|additional propert|instead|is deprecated|does not exist",
    re.I,
)
_LACKS = re.compile(
    r"missing|required|must be (?:passed|provided|included|sent)|pass(?:ed)? back|expected|lacks", re.I
)
_OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_NUMBER = r"\[?`?'?\"?\(?\b(\d[\d,_]{2,})\b"
_LIMITS = (
    re.compile(
        r"(?:maximum|\bmax\b|limit|context[_ ](?:length|size|window)|n_ctx|allowed|at most|up to|less than or equal to"
        rf"|(?:smaller|less|lower|greater|larger) than|below|exceed\w{{0,8}})[^\d\[]{{0,60}}{_NUMBER}",
        re.I,
    ),
    re.compile(rf"(?:>|<=)\s*{_NUMBER}"),
    re.compile(rf"{_NUMBER}\s*(?:tokens?\s*)?(?:maximum|max\b)", re.I),
    re.compile(rf"\[\s*\d+\s*,\s*{_NUMBER}\s*\]"),
    re.compile(rf"(?:between|from) \d+ (?:\(inclusive\) )?(?:and|to) {_NUMBER}", re.I),
)
_PROMPT = (
    re.compile(rf"{_NUMBER} (?:tokens )?(?:in the messages|in your prompt|input tokens|in the prompt)", re.I),
    re.compile(rf"(?:resulted in|requested|contains?|has|request \(?)\s*{_NUMBER}", re.I),
    re.compile(rf"{_NUMBER}\s*(?:\+\s*\d+\s*)?>"),
)
_SCHEMA = re.compile(r"schema|function_declaration|parameters|tools\W|unknown name", re.I)
_KEYWORDS = ("anyOf", "enum", "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength")


@dataclass(frozen=True, slots=True)
class Sent:
    """A refused request: answer limit, estimated prompt, optional fields, and what may have caused the
    refusal."""

    limit: int
    prompt: int
    fields: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    tools: bool = False
    null_content: bool = False
    many_calls: bool = False
    spoken_calls: bool = False
    system: bool = False


@dataclass(frozen=True, slots=True)
class Repaired:
    """The request shape from now on, and the sentence that people read about it once."""

    quirks: Quirks
    said: str


Learn = Callable[[Quirks, ErrorReply, Sent], Quirks | None]


def learn(quirks: Quirks, said: ErrorReply, sent: Sent) -> Repaired | None:
    """Return the one change of the request shape that this refusal asks for; None if it asks for none that is
    known."""
    if said.status not in (400, 402, 404, 405, 406, 409, 413, 415, 422, 429, 500, 501):
        return None
    if said.says(phrases.MODERATED) or said.says(phrases.BAD_ANSWER):  # no fault of the request's form
        return None
    for name, words, rule in _REPAIRS:
        changed = rule(quirks, said, sent)
        if changed is not None and changed != quirks:
            return Repaired(replace(changed, repaired=(*quirks.repaired, name)), words.format(q=changed))
    return None


def reported_window(said: ErrorReply, sent: Sent) -> int:
    """Return the window that a refusal for length names, 0 if it names no plausible one."""
    found = [number for number in _numbers(said.words, _LIMITS) if number >= LEAST_WINDOW]
    fitting = [number for number in found if number < (sent.prompt + sent.limit) * 2]
    return min(fitting, default=0)


def _numbers(words: str, patterns: tuple[re.Pattern[str], ...]) -> Iterator[int]:
    for pattern in patterns:
        for match in pattern.finditer(words):
            yield int(match.group(1).replace(",", "").replace("_", ""))


def _too_long(said: ErrorReply) -> bool:
    return said.says(phrases.TOO_LONG) or said.says(phrases.TOO_LARGE_FOR_RATE)


def _limit_name(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    name, other = quirks.limit_name, _OTHER_NAME[quirks.limit_name]
    swapped = "limit name" in quirks.repaired
    mentions = names_field(said.words, name, re.I)
    if swapped or not mentions or not said.says(_REFUSES) or _too_long(said):
        return None
    if said.status == 402 or said.says(phrases.NO_CREDIT):  # fewer tokens would cost less, by any name
        return None
    if next(_numbers(said.words, _LIMITS), 0) and not names_field(said.words, other, re.I):
        return None
    return replace(quirks, limit_name=other)


def _most_answer(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    """Handle an answer limit larger than the model gives, or than the account can pay for."""
    about = re.search(
        r"max_?(?:completion_?|output_?)?tokens|output length|max_new_tokens|max(?:imum)? tokens|completion tokens|output tokens"
        r"|can only afford",
        said.words,
        re.I,
    )
    if not about or (
        said.says(phrases.TOO_LONG)
        and not re.search(
            r"at most|less than or equal|range|maximum tokens value|completion tokens exceed",
            said.words,
            re.I,
        )
    ):
        return None
    afford = re.search(rf"can only afford {_NUMBER}", said.words)
    found = [int(afford.group(1).replace(",", ""))] if afford else list(_numbers(said.words, _LIMITS))
    fitting = [number for number in found if LEAST_ANSWER <= number < sent.limit]
    if afford and (not fitting or fitting[0] < LEAST_WINDOW):
        return None
    # Of "less than 4096" the number itself is too many.
    strict = re.search(r"\b(?:less|lower|smaller) than (?!or\b)|\(exclusive\)", said.words, re.I) is not None
    return replace(quirks, most_answer=max(fitting) - strict) if fitting else None


def _window(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    """Handle a prompt and answer that are too long together, where a shorter answer is enough."""
    if not _too_long(said):
        return None
    window = reported_window(said, sent)
    if not window or (quirks.window and window >= quirks.window):
        return None
    named = [number for number in _numbers(said.words, _PROMPT) if number != window]
    prompt = min([sent.prompt, *(number for number in named if number < sent.prompt)])
    if window - prompt < LEAST_ANSWER * 2:
        return None
    return replace(quirks, window=window)


def _effort(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    if not sent.tools or not re.search(r"reasoning[_. ]?effort", said.words, re.I):
        return None
    if "reasoning_effort" in sent.own:
        return None
    if quirks.effort:
        return replace(quirks, effort="", drop=quirks.drop | {"reasoning_effort"})
    return replace(quirks, effort="none") if "reasoning_effort" not in quirks.drop else None


def _content(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    wrong = re.search(
        r"null|none|empty|blank|\bnil\b|has no\b|match any variant|missing|required|must be|should be|expected|invalid|valid string",
        said.words,
        re.I,
    )
    about = re.search(r"\bcontents?\b|ContentBlock|MessageContent|NoneType", said.words, re.I)
    if quirks.filler or not sent.null_content or not wrong or not about or _too_long(said):
        return None
    if re.search(r"schema", said.words, re.I):
        return None
    return replace(quirks, filler=CALLS_A_TOOL)


def _thoughts(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    """Handle an endpoint that wants thoughts or signatures of earlier answers that are not stored."""
    if not said.says(_LACKS):
        return None
    if re.search(r"thought[_ ]?signature", said.words, re.I):
        return replace(quirks, stand_ins=quirks.stand_ins | {"signature"})
    if re.search(r"reasoning_content|thinking mode", said.words, re.I):
        return replace(
            quirks, stand_ins=quirks.stand_ins | {"thoughts"}, drop=quirks.drop - {"reasoning_content"}
        )
    return None


def _fields(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    """Handle an optional field that the endpoint does not know."""
    if not said.says(_REFUSES):
        return None
    named = {name for name in sent.fields - sent.own - quirks.drop if names_field(said.words, name)}
    # These are words too; as fields they are quoted.
    words = {"reasoning", "name"} & named
    named -= {word for word in words if not re.search(rf"[\"'`.]{word}\b", said.words)}
    return replace(quirks, drop=quirks.drop | named) if named else None


def names_field(words: str, name: str, flags: re.RegexFlag = re.NOFLAG) -> bool:
    """Return whether a text names a field of the request, in snake or in camel case."""
    head, *rest = name.split("_")
    camel = head + "".join(map(str.capitalize, rest))
    return re.search(rf"\b(?:{re.escape(name)}|{re.escape(camel)})\b", words, flags) is not None


def _streams(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    """Handle an endpoint, or a model, that answers in streams only."""
    wanted = re.search(
        r"only supports? (?:the )?stream|stream(?:ing)? (?:mode )?(?:only|is required|must be (?:set to )?(?:true|enabled))"
        r"|(?:set|use|requires?|enable|must have) [`'\"]?stream(?:ing)?\b|non-?stream(?:ing)? .{0,40}not (?:supported|allowed)"
        r"|for non-?streaming|only streaming\b|stream(?:ing)? parameter to be true|stream['\"`]? must be true"
        r"|stream(?:=| is |: )false|['\"`]stream['\"`] does not support false",
        said.words,
        re.I,
    )
    return replace(quirks, streams=True, stream=False) if wanted else None


def _tool_names(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    wanted = re.search(
        r"function_response\.name|messages\W\d+\W*(?:tool\.)?name\b|function response name"
        r"|(?:tool|function) (?:role )?(?:messages?|responses?|results?)\b.{0,40}\bname\b"
        r"|\bname\b.{0,40}(?:tool|function) (?:messages?|responses?|results?)",
        said.words,
        re.I,
    )
    lacks = said.says(_LACKS) or re.search(r"empty|must have|invalid", said.words, re.I)
    return replace(quirks, tool_names=True) if wanted and lacks and sent.tools else None


def _bare_calls(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    """Handle an endpoint that takes either words or calls in a message."""
    wanted = re.search(
        r"content or tool_?calls.{0,20}not both|(?:text|content)\b.{0,30}not allowed when .{0,10}tool_?calls"
        r"|content must be (?:null|empty|omitted).{0,30}tool_?calls",
        said.words,
        re.I,
    )
    return replace(quirks, bare_calls=True, filler="") if wanted and sent.spoken_calls else None


def _one_call(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    wanted = re.search(
        r"single tool[- ]calls?|(?:only|exactly|most) one tool call|one tool call (?:at a time|per)|multiple tool calls|parallel (?:tool|function) call|"
        r"more than one tool",
        said.words,
        re.I,
    )
    return replace(quirks, one_call=True) if wanted and sent.many_calls else None


def _system(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    wanted = re.search(
        r"(?:system|developer)(?:[_ ](?:role|message|instruction|prompt)s?)?\b.{0,40}"
        r"(?:not supported|unsupported|not allowed|not enabled|invalid)|(?:unexpected|unsupported|invalid) (?:message )?role.{0,10}system"
        r"|n[o']t support (?:the )?'?\"?(?:system|developer)\b|role\W.{0,20}must be one of (?!.*system)|only '?user'?(?:,| and|, and|/) ?'?assistant"
        r"|should be 'user'(?:,| or) ?'assistant'",
        said.words,
        re.I,
    )
    return replace(quirks, merge_system=True) if wanted and sent.system else None


def _schema(quirks: Quirks, said: ErrorReply, sent: Sent) -> Quirks | None:
    if not sent.tools or not said.says(_SCHEMA):
        return None
    named = {word for word in _KEYWORDS if _is_keyword(word, said.words)} - quirks.schema_drop
    return replace(quirks, schema_drop=quirks.schema_drop | named) if named else None


def _is_keyword(word: str, words: str) -> bool:
    """Return whether a text names a keyword of schemas; what is a word of English too is quoted then."""
    if re.search(rf"keywords?:? {word}\b", words):
        return True
    quoted = rf"[\"'`.{{\[]{word}\b|\b{word}[\"'`:\]}}]" if word.islower() else rf"\b{word}\b"
    return re.search(quoted, words) is not None


_REPAIRS: tuple[tuple[str, str, Learn], ...] = (
    ("streams", "it is asked for streams", _streams),
    ("limit name", "the answer's limit is named {q.limit_name}", _limit_name),
    ("longest answer", "answers have at most {q.most_answer} tokens", _most_answer),
    ("window", "prompt and answer have {q.window} tokens together (MODEL_CONTEXT_TOKENS)", _window),
    ("thinking", "with tools the thinking effort is said to be {q.effort!r}", _effort),
    ("kept thoughts", "thoughts of earlier answers are sent back or stood in for", _thoughts),
    ("fields", "it does not take {q.drop}", _fields),
    ("system", "the rules go into the first user message", _system),
    ("tool names", "results of calls name their tool", _tool_names),
    ("bare calls", "texts beside calls are left out", _bare_calls),
    ("content", "calls are accompanied by a text", _content),
    ("one call", "calls are sent back one at a time", _one_call),
    ("schema", "tool schemas go without {q.schema_drop}", _schema),
)
