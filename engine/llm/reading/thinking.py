"""Remove thoughts from the text of an answer before it is said or sent back."""

from __future__ import annotations

import re

from engine.llm.reading.closed import up_to_last

_EACH_NAME = (
    "think", "thinking", "thought", "thoughts", "reasoning", "reflection", "scratchpad", "seed:think",
    "mm:think", "inner_monologue",
)  # fmt: skip
_NAMES = "|".join(_EACH_NAME)
_PAIRS = (
    *((rf"(?<!`)<{name}\b[^>\n]{{0,80}}>", rf"</{name}\s*>(?!`)") for name in _EACH_NAME),
    ("◁think▷", "◁/think▷"),
    (r"\[THINK\]", r"\[/THINK\]"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
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
    r"|<\|(?:end|return|im_end|eot_id|endoftext|START_RESPONSE|END_RESPONSE)\|>"
)
_SIGNS = ("think", "thought", "reason", "reflection", "THINK", "<|", "scratchpad", "monologue")


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
    left = _HARMONY.sub("", left)
    if not _in_code(left):
        left = _CLOSED_ONLY.sub("", left)
    left = _OPEN_ONLY.sub("", left)
    left = _FINAL.sub("", left)
    return left.strip() if left != text else text


def _in_code(text: str) -> bool:
    """Return True if a closing tag is only quoted, in a code block."""
    fence = text.find("```")
    return 0 <= fence < text.find("</")
