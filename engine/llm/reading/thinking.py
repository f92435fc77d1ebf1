"""Remove thoughts from the text of an answer before it is said or sent back."""

from __future__ import annotations

import re

_NAMES = (
    r"think|thinking|thought|thoughts|reasoning|reflection|scratchpad|seed:think|mm:think|inner_monologue"
)
_PAIRED = re.compile(rf"(?<!`)<({_NAMES})\b[^>\n]{{0,80}}>.*?</\1\s*>(?!`)", re.I | re.S)
_END = re.compile(rf"</(?:{_NAMES})\s*>", re.I)
_OTHERS = (
    ("◁/think▷", re.compile(r"◁think▷.*?◁/think▷", re.S)),
    ("[/THINK]", re.compile(r"\[THINK\].*?\[/THINK\]", re.S)),
    ("<|end_of_thought|>", re.compile(r"<\|begin_of_thought\|>.*?<\|end_of_thought\|>", re.S)),
    ("<|END_THINKING|>", re.compile(r"<\|START_THINKING\|>.*?<\|END_THINKING\|>", re.S)),
    ("<channel|>", re.compile(r"<\|channel>(?:thought|analysis)\b.*?<channel\|>", re.S)),
    (
        "<|message|>",
        re.compile(
            r"(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>.*?"
            r"(?:<\|end\|>|(?=<\|start\|>)|(?=<\|channel\|>)|\Z)",
            re.S,
        ),
    ),
)
"""(what a pair cannot end without, the pair): each tag that nothing closes would be looked for to the end."""
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
    left = _without_pairs(text)
    for end, pattern in _OTHERS:
        left = pattern.sub("", left) if end in left else left
    if not _in_code(left):
        left = _CLOSED_ONLY.sub("", left)
    left = _OPEN_ONLY.sub("", left)
    left = _FINAL.sub("", left)
    return left.strip() if left != text else text


def _without_pairs(text: str) -> str:
    """Return `text` without paired tags; behind the last closing tag none is looked for."""
    last = 0
    for found in _END.finditer(text):
        last = found.end()
    return _PAIRED.sub("", text[: last + 1]) + text[last + 1 :]


def _in_code(text: str) -> bool:
    """Return True if a closing tag is only quoted, in a code block."""
    fence = text.find("```")
    return 0 <= fence < text.find("</")
