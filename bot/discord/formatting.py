"""Format text for Discord (pure): escape foreign text; format sizes, money, durations and bars."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import discord

from engine.domain.budget import CENTS_ENOUGH, amounts
from engine.domain.clean import clean_line, clean_text

INVISIBLE = "\u200b"
ISOLATE, ISOLATED = "\u2068", "\u2069"
_FENCE = re.compile(r"`{3,}")


def plain(text: str, limit: int) -> str:
    """Return foreign text as one escaped line of at most `limit` characters, with an ellipsis if cut.

    Text written from right to left is isolated, so that what stands beside it keeps its place.
    """
    line = cut(clean_line(text), limit)
    turns = any(unicodedata.bidirectional(char) in ("R", "AL") for char in line)
    room = limit - 2 * turns
    line = cut(line, room)
    while len(escaped := escape(line)) > room and line:
        shorter = line.removesuffix("…")[:-1].rstrip()
        line = f"{shorter}…" if shorter else ""
    return f"{ISOLATE}{escaped}{ISOLATED}" if turns else escaped


_FENCED = re.compile(r"```(?:[\w+-]*\n)?(.*?)\n?```", re.DOTALL)
_CODE = re.compile(r"(`{1,9})(.{1,1000}?)\1")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_KEPT = re.compile("\0(\\d+)\0")
_RULE = re.compile(r"^[ \t]*+\|?(?:[ \t]*+:?-++:?[ \t]*+\|)++[ \t]*+(?::?-++:?)?[ \t]*+$\n?", re.MULTILINE)
_ROW = re.compile(r"^[ \t]*\|(.+)\|[ \t]*$", re.MULTILINE)
_ENDS = r"(?=[\s,;:!?)\]*|~]|\.(?:\s|$)|$)"
_MARKS = (
    (
        re.compile(r"!?\[([^\]\n]{1,300})\]\([^()\s]{1,1000}(?:\([^()\s]{0,300}\)[^()\s]{0,300}){0,3}\)"),
        r"\1",
    ),
    (re.compile(r"(\*{2,3}|~~|\|\|)(?=\S)(.{1,400}?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<!\w)\*(?=[^\s*])(.{1,400}?)(?<=[^\s*])\*(?!\w)"), r"\1"),
    (re.compile(r"(?<!\w)(_{1,3})(?=\S)(.{1,400}?)(?<=\S)\1" + _ENDS), r"\2"),
    (re.compile(r"^[ \t]{0,3}(?:(?:#{1,6}|-#|>>>|>)[ \t]+)+", re.MULTILINE), ""),
)
"""Each looks a bounded way ahead, so that no text takes long."""

_NESTED = 6
"""How deep marks in marks are taken off."""


def unmarked(text: str) -> str:
    """Return the text without Markdown's marks, for where they would be shown as typed.

    What stands in code or behind a backslash is text and is kept; rows of a table become their cells.
    """
    kept: list[str] = []

    def keep(inner: str) -> str:
        kept.append(inner)
        return f"\0{len(kept) - 1}\0"

    text = _FENCED.sub(lambda found: keep(found[1]), text.replace("\0", ""))
    text = _CODE.sub(lambda found: keep(found[2]), text)
    text = _ESCAPED.sub(lambda found: keep(found[1]), text)
    if _RULE.search(text):
        text = _ROW.sub(
            lambda row: " · ".join(each.strip() for each in row[1].split("|")), _RULE.sub("", text)
        )
    for _ in range(_NESTED):
        before = text
        for mark, inner in _MARKS:
            text = mark.sub(inner, text)
        if text == before:
            break
    return _KEPT.sub(lambda found: kept[int(found[1])], text)


def capitalised(text: str) -> str:
    """Return a clause as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def bare(text: str, limit: int) -> str:
    """Return `plain` of the text without Markdown's marks."""
    return plain(unmarked(text[: 8 * limit + 1_000]), limit)


def escape(text: str) -> str:
    """Escape foreign text: Markdown is shown as typed, mentions have no effect."""
    return discord.utils.escape_mentions(escape_marks(text)).replace("<", f"<{INVISIBLE}")


def escape_marks(text: str) -> str:
    """Return text whose Markdown is shown as typed.

    The library takes all from the first bracket of a line to its last parenthesis for one link, and leaves
    the links and marks in between as they are; so no link reaches it whole.
    """
    return "]\\(".join(map(discord.utils.escape_markdown, text.split("](")))


_ADDRESS = r"[a-z][a-z0-9+.-]*:[^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*"
_LINKS = re.compile(
    r"(?P<code>```.*?```|(?<!`)`[^`\n]+`(?!`))"
    rf"|!?\\?\[(?P<label>[^\[\]\n]*)\]\(\s*<?(?P<masked>{_ADDRESS})>?[^()\n]*\)"
    r"|<(?P<angled>https?://[^\s<>]*)>"
    r"|(?P<bare>https?://[^\s<>]+)",
    re.I | re.S,
)
_OWN = "https://discord.com/channels/"


def without_previews(text: str) -> str:
    """Return text in which each address is seen whole and Discord fetches none for a preview.

    What hides an address behind a label shows both. Code and links to messages on Discord stay as they are.
    """
    return _LINKS.sub(_seen_whole, text)


def _seen_whole(found: re.Match[str]) -> str:
    if found["code"] or found["angled"]:
        return found.group()
    address = found["masked"] or found["bare"]
    if address.startswith(_OWN):
        return found.group()
    if found["masked"]:
        shown = f"<{address}>" if address.lower().startswith(("http://", "https://")) else f"`{address}`"
        return f"{found['label']} ({shown})" if found["label"].strip() else shown
    whole = address.rstrip(".,;:!?*_~|'\")")
    if "(" in whole and address[len(whole) :].startswith(")"):
        whole += ")"
    return f"<{whole}>{address[len(whole) :]}"


def cut(text: str, limit: int) -> str:
    """Return `text`, cut to `limit` characters with an ellipsis if longer."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"


def fitting(lines: Sequence[str], limit: int) -> list[str]:
    """Return as many of the first lines as make a text of at most `limit` characters; at least one, cut."""
    kept = [cut(line, limit) for line in lines[:1]]
    for line in lines[1:]:
        if len("\n".join([*kept, line])) > limit:
            break
        kept.append(line)
    return kept


def fenced(text: str, language: str = "", limit: int = 1800) -> str:
    """Return a code block that foreign text cannot break out of, its content cut at `limit` characters."""
    safe = _FENCE.sub(lambda m: INVISIBLE.join(m.group()), clean_text(text))
    return f"```{language}\n{cut(safe, limit)}\n```"


def size(count: int) -> str:
    """Format a number of bytes: 312 B, 4.0 KiB, 2.5 MiB."""
    if count < 1024:
        return f"{count} B"
    if count < 1024 * 1024:
        return f"{count / 1024:.1f} KiB"
    return f"{count / 1024 / 1024:.1f} MiB"


def many(count: int, noun: str) -> str:
    """Format a count with its noun: 1 file, 2 files."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def dollars(micros: int) -> str:
    """Format micro-dollars with two decimals, or four below one cent."""
    value = micros / 1_000_000
    return f"${value:,.4f}" if 0.00005 <= value < 0.01 else f"${value:,.2f}"


def money_used(micros: int, cap: int) -> tuple[str, str]:
    """Format what is spent and its cap, to the same number of decimals where these are small amounts."""
    return amounts("cost", micros, cap) if cap < CENTS_ENOUGH else (dollars(micros), dollars(cap))


def span(seconds: float) -> str:
    """Format a duration in seconds: 40 s, 12 min, 3 h 05 min."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    minutes = whole // 60
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def bar(done: int, total: int, width: int = 16) -> str:
    """Return a progress bar of `width` blocks, full only when everything is done."""
    filled = width * done // total if total else 0
    return "█" * filled + "░" * (width - filled)


def safe_name(name: str) -> str:
    """Return a file name of letters, digits, dots, dashes and underscores; no folder, never empty."""
    folded = unicodedata.normalize("NFKC", name).replace("\\", "/").rsplit("/", 1)[-1]
    kept = re.sub(r"[^\w.\-]+", "_", folded).lstrip(".")[-80:]
    return kept or "file"


def language_of(path: str) -> str:
    """Return the code block language for a file's suffix, "" if unknown."""
    ending = path.rsplit(".", 1)[-1].lower()
    known = {"md": "md", "yml": "yaml", "txt": "", "h": "c", "hpp": "cpp", "cc": "cpp", "rs": "rust"}
    same = {
        "py",
        "js",
        "ts",
        "json",
        "yaml",
        "html",
        "css",
        "sh",
        "sql",
        "c",
        "cpp",
        "go",
        "java",
        "xml",
        "diff",
    }
    return known.get(ending, ending if ending in same else "")
