"""Redaction of secrets in text: known ones in any encoding, and strings that look like one."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from engine.domain.secret_looks import NAMED, hidden_by_look

HIDDEN = "[hidden]"

_SHORTEST = 8
"""Secrets of this length or more are hidden anywhere; shorter ones only when they are no ordinary word."""
_SHORTEST_ODD = 5
_LONG = 16
_PIECE = 10
"""A run of this many characters of a long secret is hidden too: errors quote keys cut or in parts.
Shorter secrets must be separate words: the password "postgres" must not hide a part of "postgresql"."""

_ESCAPED = re.compile(
    r"(?P<plain>[a-zA-Z0-9_.,:;=/+*~@!?#$^|<>()\[\]{}-]+)"
    r"|\\+u(?P<u>[0-9a-fA-F]{4})|\\+x(?P<x>[0-9a-fA-F]{2})|%(?P<p>[0-9a-fA-F]{2})"
    r"|&\#(?P<d>\d{1,7});|&\#[xX](?P<h>[0-9a-fA-F]{1,6});"
    r"|(?P<gap>\\+[nrtvf]|[\s\"'\\\u00ad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]+)"
    r"|(?P<one>.)",
    re.S,
)


class Redaction:
    """Hides known secrets and strings that look like one: `Redaction(secrets)(text)`.

    A known secret is found whole or in pieces, with line ends, blanks or quotes inside it, and with escapes
    of JSON, Python, HTML or URLs. Idempotent.
    """

    __slots__ = ("_known", "_pieces", "secrets")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = frozenset(secret for secret in secrets if _worth_hiding(secret.strip()))
        forms = {_letters(secret) for secret in self.secrets}
        forms |= {_letters(base64.b64encode(s.encode()).decode().rstrip("=")) for s in self.secrets}
        self._known = sorted(filter(_worth_hiding, forms), key=len, reverse=True)
        long = [form for form in forms if len(form) >= _LONG]
        self._pieces = frozenset(form[i : i + _PIECE] for form in long for i in range(len(form) - _PIECE + 1))

    def with_more(self, secrets: Iterable[str]) -> Redaction:
        """Return a redaction that hides `secrets` too."""
        more = self.secrets.union(secrets)
        return self if more == self.secrets else Redaction(more)

    def __call__(self, text: str) -> str:
        """Return `text` with `HIDDEN` in place of each secret."""
        return hidden_by_look(self.without_known(text), HIDDEN)

    def without_known(self, text: str) -> str:
        """Return `text` with `HIDDEN` in place of each known secret."""
        if not self._known:
            return text
        letters, begins, ends = _unfolded(text)
        found = [*self._whole(letters), *self._in_pieces(letters)]
        spans = [(begins[begin], ends[end - 1], end - begin) for begin, end in found]
        parts, after = [], 0
        for begin, end in _joined([(b, e) for b, e, size in spans if size >= _PIECE or _alone(text, b, e)]):
            parts += [text[after:begin], HIDDEN]
            after = end
        return "".join([*parts, text[after:]])

    def _whole(self, letters: str) -> Iterator[tuple[int, int]]:
        for secret in self._known:
            at = letters.find(secret)
            while at >= 0:
                yield at, at + len(secret)
                at = letters.find(secret, at + 1)

    def _in_pieces(self, letters: str) -> Iterator[tuple[int, int]]:
        pieces, last = self._pieces, len(letters) - _PIECE
        found = [at for at in range(last + 1) if letters[at : at + _PIECE] in pieces] if pieces else []
        return ((at, at + _PIECE) for at in found)


def secrets_in(settings: Iterable[tuple[str, Any]]) -> frozenset[str]:
    """Return every secret among named values: secret types, names such as `api_key`, parts of URLs."""
    return frozenset(found for name, value in settings for found in _secrets_of(name, value))


def without_password(url: str) -> str:
    """Return a URL without password and query."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return Redaction()(url)
    if rest.count("@") > 1:  # where the password ends is a guess
        return f"{scheme}://{HIDDEN}"
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    user, at, place = rest.rpartition("@")
    return f"{scheme}://{user.split(':', 1)[0]}{at}{place}"


def _secrets_of(name: str, value: Any) -> Iterator[str]:
    if hasattr(value, "get_secret_value"):
        yield value.get_secret_value()
    elif isinstance(value, str):
        if NAMED.search(name):
            yield value
        yield from _secrets_of_address(value)
    elif isinstance(value, Mapping):
        for inner, one in value.items():
            yield from _secrets_of(str(inner), one)
    elif hasattr(type(value), "model_fields"):
        for inner, one in value:
            yield from _secrets_of(inner, one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from _secrets_of(name, one)


def _secrets_of_address(address: str) -> Iterator[str]:
    _, mark, rest = address.partition("://")
    if not mark:
        return
    login, at, _ = rest.rpartition("@")
    if at:
        user, colon, password = login.partition(":")
        secret = password if colon else user if len(user) >= _LONG else ""
        yield from (secret, unquote(secret))
        # A password with "/" or "@" in it that nobody escaped is read, and quoted, in parts.
        yield from (part for part in re.split(r"[/@:#?]", secret) if part != secret)
    for name, value in parse_qsl(urlsplit("//" + rest.rpartition("@")[2]).query):
        if NAMED.search(name):
            yield value


def _worth_hiding(secret: str) -> bool:
    return len(secret) >= _SHORTEST or (len(secret) >= _SHORTEST_ODD and not secret.isalpha())


def _letters(text: str) -> str:
    return _unfolded(text)[0]


def _unfolded(text: str) -> tuple[str, list[int], list[int]]:
    """Return the bytes that `text` encodes, in lower case without gaps, and where each starts and ends in
    it."""
    letters: list[str] = []
    begins: list[int] = []
    ends: list[int] = []
    for match in _ESCAPED.finditer(text):
        begin, end = match.span()
        if match.lastgroup == "plain":
            letters.append(text[begin:end].lower())
            begins.extend(range(begin, end))
            ends.extend(range(begin + 1, end + 1))
        else:
            meant = _meant(match)
            letters.append(meant)
            begins += [begin] * len(meant)
            ends += [end] * len(meant)
    return "".join(letters), begins, ends


def _meant(match: re.Match[str]) -> str:
    kind, written = match.lastgroup, match[match.lastgroup or 0]
    if kind == "one":
        return written.lower() if written.isascii() else _as_bytes(written)
    if kind == "gap":
        return ""
    code = int(written, 10 if kind == "d" else 16)
    if code < 0x80:
        return chr(code).strip().lower()
    return chr(code) if kind in ("x", "p") else _as_bytes(chr(min(code, 0x10FFFF)))


def _as_bytes(letter: str) -> str:
    return letter.encode("utf-8", "surrogatepass").decode("latin-1")


def _alone(text: str, begin: int, end: int) -> bool:
    """Return whether no letter or digit is directly before or after the span."""
    return not (text[max(begin - 1, 0) : begin].isalnum() or text[end : end + 1].isalnum())


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined
