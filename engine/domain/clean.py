"""Clean text from outside: remove what controls a terminal or is invisible to people. Pure.

One rule for everything that leaves the engine: program output, agents' messages, reports, names, paths.
"""

from __future__ import annotations

import re

# ECMA-48: CSI, then OSC/DCS/SOS/PM/APC strings up to their terminator, then two-character escapes.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")

_CONTROLS = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
# Category Cf (bidi marks, zero-width, soft hyphen, tags, annotation, shorthand and musical controls) and the
# rest of what Unicode calls ignorable by default: variation selectors and what is reserved beside the tags.
_FORMAT = (
    "\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Letters and signs that draw nothing: Hangul, Khitan and Braille blanks, the null note head.
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0\U00016fe4\U0001d159"
_NO_CHARACTERS = "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_UNSEEN = f"[{_FORMAT}{_FILLERS}{_NO_CHARACTERS}]"

_PICTURE = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_ONE = f"{_PICTURE}[\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?"
# The only three tag sequences that are flags: England, Scotland, Wales.
_FLAGS = (
    "\U0001f3f4\U000e0067\U000e0062"
    "(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
_EMOJI = f"{_FLAGS}|[0-9#*]\ufe0f\u20e3|{_ONE}(?:\u200d{_ONE})*"
# RFC 5892, appendix A.1: joiners that a script cannot be written without.
_VIRAMA = "[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca]"
_ARABIC = "[\u0620-\u064a\u066e-\u06d3]"
_JOINERS = f"(?<={_VIRAMA})[\u200c\u200d]|(?<={_ARABIC})\u200c(?={_ARABIC})"

_NOT_PLAIN = re.compile(r"[^\x20-\x7e\n\t]")
_KEPT_OR_UNSEEN = re.compile(f"({_EMOJI}|{_JOINERS})|{_UNSEEN}|[{_CONTROLS}]")


def clean_text(text: str) -> str:
    """Return `text` without escape sequences, control characters and invisible characters.

    Of control characters only line feed and tab stay; every Unicode line end becomes a line feed. Bidi marks,
    tags, zero-width characters, fillers, variation selectors and lone surrogates are removed; joiners and
    selectors stay inside an emoji, and where Arabic or an Indic script needs them. Idempotent. Clean text
    before adding own marks (such as the zero-width space that disables a mention), never after.
    """
    if _NOT_PLAIN.search(text) is None:  # nearly all text; each prompt cleans what it quotes
        return text
    text = _ESCAPES.sub("", _LINE_ENDS.sub("\n", text))
    # Removing a character can join an emoji with a following modifier, which changes what belongs to it.
    while (cleaned := _KEPT_OR_UNSEEN.sub(lambda found: found.group(1) or "", text)) != text:
        text = cleaned
    return text


def clean_line(text: str) -> str:
    """Return `text` cleaned and on one line: every run of white space is one space, none at the ends."""
    return " ".join(clean_text(text).split())
