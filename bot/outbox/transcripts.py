"""Render transcripts: Markdown for digests, Markdown and HTML for logs and archives."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection, select

from bot.outbox.post import BOT, UPDATE_KINDS, Post, load_post
from bot.outbox.split import closed, open_fence
from bot.storage.tables import groups, outbox
from engine.ports import Database

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;"
    "background:#313338;color:#dbdee1}h1,h2{color:#f2f3f5}"
    "article{padding:.4rem 0;border-top:1px solid #3f4147}"
    "b{color:#f2f3f5}time{color:#949ba4;font-size:.8em;margin-left:.5em}small{color:#949ba4}"
    "div{overflow-wrap:anywhere;margin:.2rem 0}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#2b2d31;padding:.4rem}"
)

_POLICY = (
    "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">"
)


NOT_TRANSCRIBED = (*UPDATE_KINDS, "ping")
"""Kinds of posts that are not part of a transcript."""


@dataclass(frozen=True, slots=True)
class Line:
    """One post in `place` at unix time `at`; `head` and `foot` are its small print, "" for none."""

    at: float
    place: str
    author: str
    head: str
    text: str
    foot: str = ""


def line_of(post: Post, at: float, place: str = "") -> Line:
    """Return a post as a transcript line."""
    return Line(
        at,
        place,
        post.persona or BOT,
        _unprinted(post.head),
        "\n".join(part for part in (post.text, post.card, post.attached) if part),
        _unprinted(post.foot),
    )


def _unprinted(small: str) -> str:
    """Return small print, a line for each person who is answered, say, as one line without its marks."""
    return " · ".join(line.removeprefix("-# ") for line in small.split("\n"))


def markdown(lines: Sequence[Line], title: str) -> str:
    """Return a transcript as Markdown with UTC times; open code fences are closed."""
    parts = [f"# {_one_line(title)}\n"]
    place = ""
    for line in lines:
        if line.place != place:
            place = line.place
            parts.append(f"## {_one_line(place)}\n")
        head = f"_{_one_line(line.head)}_\n\n" if line.head else ""
        foot = f"\n_{_one_line(line.foot)}_\n" if line.foot else ""
        parts.append(f"**{_one_line(line.author)}** · {_clock(line.at)}\n\n{head}{closed(line.text)}\n{foot}")
    return "\n".join(parts)


def page(lines: Sequence[Line], title: str) -> str:
    """Return a transcript as one HTML page without external resources or scripts; all text is escaped."""
    body, place = [], ""
    for line in lines:
        if line.place != place:
            place = line.place
            body.append(f"<h2>{html.escape(place)}</h2>")
        body.append(_article(line))
    name = html.escape(title)
    head = f"<meta charset='utf-8'>{_POLICY}<title>{name}</title><style>{_STYLE}</style>"
    content = f"<h1>{name}</h1>{''.join(body)}"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{content}</body></html>\n"


def _article(line: Line) -> str:
    head = f"<br><small>{_inline(line.head)}</small>" if line.head else ""
    foot = f"<small>{_inline(line.foot)}</small>" if line.foot else ""
    return (
        f"<article><b>{html.escape(line.author)}</b><time>{_clock(line.at)}</time>{head}"
        f"<div>{_drawn(line.text)}</div>{foot}</article>"
    )


def _drawn(text: str) -> str:
    """Return Discord's Markdown as HTML; every character of the text is escaped."""
    made, fence = [], ""
    for row in text.split("\n"):
        now = open_fence(row, fence)
        if now != fence:
            language = html.escape(now.strip("`~ "))
            made.append(f"<small>{language}</small><pre>" if now else "</pre>")
        elif fence:
            made.append(f"{html.escape(row)}\n")
        elif small := re.match(r"-# (.*)", row):
            made.append(f"<small>{_inline(small[1])}</small><br>")
        elif title := re.match(r"#{1,3} (.*)", row):
            made.append(f"<b>{_inline(title[1])}</b><br>")
        else:
            made.append(f"{_inline(row)}<br>")
        fence = now
    return "".join(made) + ("</pre>" if fence else "")


def _inline(text: str) -> str:
    """Return one line with its bold, italic and code as HTML, and ids of people and channels as words."""
    escaped = html.escape(text.replace("\u200b", ""))
    for mark, inner in _INLINE:
        escaped = mark.sub(inner, escaped)
    return re.sub(r"\\([\\`*_~|>#.\-\[\]()])", r"\1", escaped)


_INLINE = (
    (re.compile(r"&lt;@!?\d+&gt;"), "@person"),
    (re.compile(r"&lt;#\d+&gt;"), "#channel"),
    (re.compile(r"&lt;t:\d+(?::\w)?&gt;"), ""),
    (re.compile(r"(?<!\\)`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"(?<![\\*])\*\*(?=\S)(.+?)(?<=\S)\*\*"), r"<b>\1</b>"),
    (re.compile(r"(?<![\\*])\*(?=[^\s*])([^*]+?)(?<=\S)\*(?!\*)"), r"<i>\1</i>"),
)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _one_line(text: str) -> str:
    return " ".join(text.split())


class Transcripts:
    """Reads transcripts from the outbox; waiting posts are included."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lines(self, task_id: int, group_id: int | None = None) -> list[Line]:
        """Return the posts of a task or of one group, in order; empty if unknown."""
        return await self._database.read(lambda connection: _lines(connection, task_id, group_id))

    async def text(self, task_id: int, group_id: int | None, title: str, form: Literal["md", "html"]) -> str:
        """Return a transcript as file content; a task's is ordered by group, then time."""
        lines = await self.lines(task_id, group_id)
        if group_id is None:
            order = {place: i for i, place in enumerate(dict.fromkeys(line.place for line in lines))}
            lines.sort(key=lambda line: order[line.place])
        return markdown(lines, title) if form == "md" else page(lines, title)


def _lines(connection: Connection, task_id: int, group_id: int | None) -> list[Line]:
    query = (
        select(outbox.c.post, outbox.c.at, groups.c.name)
        .join(groups, groups.c.group_id == outbox.c.group_id, isouter=True)
        .where(outbox.c.task_id == task_id)
        .order_by(outbox.c.id)
    )
    if group_id is not None:
        query = query.where(outbox.c.group_id == group_id)
    rows = connection.execute(query).all()
    posts = ((load_post(data), at, name or "") for data, at, name in rows)
    return [line_of(post, at, name) for post, at, name in posts if post.kind not in NOT_TRANSCRIBED]
