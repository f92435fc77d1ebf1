"""In which form a message is tried next when Discord refuses the one before; pure.

`plain` is the message as it was written. `smaller` leaves files out and names them. `bot` is the same words
in the bot's voice. `buttonless` leaves the buttons out and says how to answer without them. `note` says that
Discord does not take the words and attaches them as a file, `file` the same without buttons. `bare` says so
without a file, `last` without buttons too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, get_args

from bot.outbox.outcomes import Fault
from bot.outbox.post import BOT, OutgoingMessage, TextFile
from bot.personas.faces import face_number
from bot.texts import outbox as wording

Form = Literal["plain", "smaller", "bot", "buttonless", "note", "file", "bare", "last"]
FORMS: tuple[Form, ...] = get_args(Form)
FILES_NAMED = 8
NAME = 100
"""Characters of the name of an attached file; the end is kept."""

_NEXT: dict[Fault, dict[Form, Form]] = {
    "size": {"plain": "smaller", "bot": "smaller", "smaller": "bare", "note": "bare"},
    "content": {"plain": "note", "smaller": "note", "bot": "note", "note": "bare"},
    "components": {
        "plain": "buttonless",
        "smaller": "buttonless",
        "bot": "buttonless",
        "note": "file",
        "bare": "last",
    },
}
_OTHERWISE: dict[Form, Form] = {"plain": "bot", "smaller": "bot", "bot": "note", "note": "bare"}
_WITHOUT_BUTTONS: dict[Form, Form] = {"buttonless": "file", "file": "last"}


def next_form(form: Form, fault: Fault) -> Form | None:
    """Return the form to try after `form` was refused for `fault`; None when there is none left."""
    return (_NEXT.get(fault, _OTHERWISE) | _WITHOUT_BUTTONS).get(form)


def in_form(message: OutgoingMessage, form: Form) -> OutgoingMessage:
    """Return the message in a form; its pings and place are kept in each."""
    if form in ("plain", "bot"):
        return message
    if form == "buttonless":
        return replace(message, buttons=False)
    if form == "smaller":
        line = f"\n{wording.TOO_LARGE.format(names=file_names(message.files))}" if message.files else ""
        return replace(message, files=(), content=message.content + line)
    pings = " ".join(f"<@{ping}>" for ping in message.pings)
    said = (wording.NOT_TAKEN if form in ("note", "file") else wording.NOT_TAKEN_BARE).format(
        name=message.persona or BOT
    )
    texts = (TextFile(wording.WHOLE_FILE, _words(message)),) if form in ("note", "file") else ()
    content = f"{said} {pings}".strip()
    buttons = message.buttons and form not in ("file", "last")
    return replace(
        message, persona="", face="", content=content, cards=(), texts=texts, files=(), buttons=buttons
    )


def attached_names(paths: Sequence[str], taken: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names under which the files of one message are attached, each once and none of `taken`.

    Discord shows no folders: a name is the last part of a path, and the whole path where several end alike.
    """
    ends = [path.rsplit("/", 1)[-1] for path in paths]
    used = {name.casefold() for name in taken}
    often = Counter(end.casefold() for end in ends) + Counter(used)
    made: list[str] = []
    for path, end in zip(paths, ends, strict=True):
        whole = end if often[end.casefold()] == 1 else path.replace("/", "_")
        name, number = whole[-NAME:] or "file", 1
        while name.casefold() in used:
            number += 1
            name = f"{number}_{whole}"[:NAME]
        used.add(name.casefold())
        made.append(name)
    return tuple(made)


def file_names(paths: Sequence[str]) -> str:
    """Return the names of files that are not attached, and how many more there are."""
    names = ", ".join(f"`{path.replace('`', '')[:60]}`" for path in paths[:FILES_NAMED])
    more = len(paths) - FILES_NAMED
    return names + (wording.AND_MORE.format(count=more) if more > 0 else "")


def _words(message: OutgoingMessage) -> str:
    """Everything the message says, as one text."""
    cards = [f"**{card.author}**\n{card.text}" for card in message.cards]
    return "\n\n".join([message.content, *cards, *(text.text for text in message.texts)])


def safe_name(persona: str) -> str:
    """Return a name no filter minds, the same for the same persona."""
    return wording.SAFE_NAME.format(number=face_number(persona))
