"""A file, its history and its authors as Discord text of at most 2,000 characters (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from bot import texts
from bot.discord.formatting import cut, fenced, language_of, plain, size
from bot.discord.identities import owner_id
from engine.ports import BlameLine, Revision
from engine.queries import FileView

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
SHOWN = 1700


def is_picture(path: str) -> bool:
    """Return True if Discord shows the file as an image."""
    return path.lower().endswith(PICTURES)


def author_name(author: str) -> str:
    """Return a file's author as people know it; versions before kept the key of a person."""
    return texts.A_PERSON if owner_id(author) is not None else author


def content_text(file: FileView, content: bytes) -> str:
    """The beginning of a text in a code block of its language; for other bytes only what they are."""
    by = f"revision {file.revision} by {plain(author_name(file.agent), 40)}"
    head = f"**{plain(file.path, 120)}** · {size(file.size)} · {by}"
    if b"\0" in content[:8000]:
        return f"{head}\nThis is not a text file. Use Download to get it."
    text = content[:8000].decode("utf-8", "replace")
    more = (
        "\n-# Only the beginning; Download has all of it." if len(text) > SHOWN or len(content) > 8000 else ""
    )
    return f"{head}\n{fenced(text, language_of(file.path), SHOWN)}{more}"


def history_text(path: str, revisions: Sequence[Revision]) -> str:
    """Return the revisions of a file with author and time, newest first."""
    lines = [f"`{r.id}` <t:{int(r.at)}:f> {plain(author_name(r.agent), 40)}{_note(r)}" for r in revisions]
    return cut(f"**{plain(path, 120)}**, newest first\n" + "\n".join(lines), 2000)


def _note(revision: Revision) -> str:
    note = revision.note or ("deleted" if revision.blob is None else "")
    return f" · {plain(note, 60)}" if note else ""


def blame_text(path: str, lines: Sequence[BlameLine]) -> str:
    """Return each line with its author, named once per run of lines, as many as fit."""
    width = max((len(author_name(line.agent)) for line in lines), default=0)
    shown, last = [], ""
    for line in lines:
        name = "" if line.agent == last else author_name(line.agent)
        shown.append(f"{name[:16]:<{min(width, 16)}} {line.number:>4} {line.text}")
        last = line.agent
    return f"**{plain(path, 120)}**, author of each line\n{fenced(chr(10).join(shown), '', SHOWN)}"
