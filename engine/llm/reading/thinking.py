"""Remove thoughts from the text of an answer before it is said or sent back."""

from __future__ import annotations

import re

from engine.llm.reading.closed import up_to_last

_EACH_NAME = (
    "think", "thinking", "thought", "thoughts", "reasoning", "reflection", "scratchpad", "seed:think",
    "mm:think", "longcat_think", "inner_monologue",
)  # fmt: skip
_NAMES = "|".join(_EACH_NAME)
_PAIRS = (
    *((rf"(?<!`)<{name}\b[^>\n]{{0,80}}>", rf"</{name}\s*>(?!`)") for name in _EACH_NAME),
    ("◁think▷", "◁/think▷"),
    (r"\[THINK\]", r"\[/THINK\]"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    (r"<\|think\|>", r"<\|/think\|>"),
    (r"<unused94>(?:thought\b)?", r"<unused95>"),
    (r"<details type=\"reasoning\"[^>\n]{0,80}>", r"</details>"),
    (r"<\|channel>(?:thought|analysis)\b", r"<channel\|>"),
)
_PAIRED = tuple((re.compile(end, re.I), re.compile(f"{begin}.*?{end}", re.I | re.S)) for begin, end in _PAIRS)
_HARMONY = re.compile(
    r"(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>.*?"
    r"(?:<\|end\|>|(?=<\|start\|>)|(?=<\|channel\|>)|\Z)",
    re.S,
)
_CLOSED_ONLY = re.compile(rf"\A.*</({_NAMES})\s*>(?!`)|\A.*◁/think▷|\A.*\[/THINK\]", re.I | re.S)
_OPEN_ONLY = re.compile(
    rf"\A\s*<({_NAMES})\b[^>\n]{{0,80}}>.*\Z|\A\s*◁think▷.*\Z|\A\s*\[THINK\].*\Z", re.I | re.S
)
_FINAL = re.compile(
    r"(?:<\|start\|>assistant)?<\|channel\|>(?:final|commentary)(?:<\|constrain\|>\w+)?<\|message\|>"
    r"|<\|(?:end|return|im_end|eot_id|endoftext|(?:START|END)_RESPONSE|(?:begin|end)_of_(?:solution|box))\|>"
    r"|(?<!`)<(?:end_of_turn|eos|\uff5cend\u2581of\u2581sentence\uff5c)>(?!`)"
)
_RUNAWAY = re.compile(
    r"(?<!`)(?:<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|<\uff5c|<\|)(?:user|User|observation)\b"
)
"""Where a model that missed its end goes on in the person's name."""

_HEADER = re.compile(
    r"\A\s*(?:<\|im_start\|>assistant|<\|start_header_id\|>assistant<\|end_header_id\|>|<start_of_turn>model"
    r"|assistant(?=\s*\n))\s*"
)
_UNMARKED = re.compile(
    r"\A\s*analysis(?:.*assistantfinal|.*?assistant(?=commentary\s+to=))"
    r"|\A\s*Here(?: is|'s) my thought process:.*?Here(?: is|'s) my response:\s*"
    r"|\A.*\[BEGIN FINAL RESPONSE\]",
    re.S,
)
"""Thoughts between words in place of marks: gpt-oss whose marks were left out, Granite, Apriel."""

_WRAPPED = re.compile(r"\A\s*<(answer|response|output)>(.*)</\1>\s*\Z", re.S)
_SIGNS = (
    "think", "thought", "reason", "reflection", "THINK", "<|", "scratchpad", "monologue", "assistant",
    "<answer>", "FINAL RESPONSE", "<unused9", "_of_turn>", "<eos>", "</s>", "<\uff5c",
)  # fmt: skip


def without_thoughts(text: str) -> str:
    """Return `text` without thoughts in tags.

    Removes tag pairs outside backticks, everything before a lone closing tag (the opening one was in the
    prompt), and everything after a lone opening tag that starts the text.
    """
    if not any(sign in text for sign in _SIGNS):
        return text
    left = text
    for end, pair in _PAIRED:
        if last := up_to_last(end, left):
            left = pair.sub("", left[:last]) + left[last:]
    left = _UNMARKED.sub("", _HARMONY.sub("", left))
    if not _in_code(left):
        left = _CLOSED_ONLY.sub("", left)
    left = _OPEN_ONLY.sub("", left)
    left = _without_marks(left)
    wrapped = _WRAPPED.match(left)
    if wrapped and (left != text or wrapped.group(1) == "answer"):
        left = wrapped.group(2)
    return left.strip() if left != text else text


def _without_marks(text: str) -> str:
    """Return a text without the marks of a chat template, and without what follows in another's name."""
    if runaway := _RUNAWAY.search(text):
        text = text[: runaway.start()]
    left = _FINAL.sub("", _HEADER.sub("", text)).replace("[END FINAL RESPONSE]", "")
    ended = left.rstrip().endswith("</s>") and "<s>" not in left
    return left.rstrip().removesuffix("</s>") if ended else left


def _in_code(text: str) -> bool:
    """Return True if a closing tag is only quoted, in a code block."""
    fence = text.find("```")
    return 0 <= fence < text.find("</")
