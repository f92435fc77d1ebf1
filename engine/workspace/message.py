"""Format of a revision in a git commit message, written and parsed (pure)."""

from __future__ import annotations

import re
import unicodedata

from engine.ports import Revision

MAX_SUBJECT = 200
EMAIL_DOMAIN = "agents.invalid"  # RFC 2606: .invalid never resolves


def one_line(text: str, limit: int = MAX_SUBJECT) -> str:
    """Return `text` as one line of visible characters, so that nothing in it passes for a trailer or
    header."""
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    return " ".join(visible.split())[:limit].strip()


def author_line(agent: str, at: float) -> str:
    """Return `Name <slug@agents.invalid> seconds +0000`, as git wants it in a commit object."""
    name = one_line(re.sub(r"[<>]", "", agent), 80).strip(".,:;\"' ") or "agent"
    slug = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-") or "agent"
    return f"{name} <{slug}@{EMAIL_DOMAIN}> {max(0, int(at))} +0000"


def commit_message(revision: Revision) -> str:
    """Return the subject, then one paragraph of trailers that `parse_trailers` reads back."""
    verb = "Delete" if revision.blob is None else "Write"
    subject = one_line(revision.note) or f"{verb} {revision.path}"
    return f"{subject}\n\nStep: {one_line(revision.step)}\nRevision: {revision.id}\nPath: {revision.path}\n"


def parse_trailers(message: str) -> dict[str, str]:
    """Return the trailers of the last paragraph; a subject alone has none."""
    _, _, last = message.rstrip("\n").rpartition("\n\n")
    return dict(line.split(": ", 1) for line in last.split("\n") if ": " in line)
