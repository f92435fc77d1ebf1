"""Normalize endpoint addresses and keys as people write them; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

AZURE_VERSION = "2024-10-21"
_WHOLE = re.compile(r"/(?:chat/completions|completions|responses|embeddings|models|messages)/?$")
_AZURE = re.compile(r"\.(?:openai|cognitiveservices|services\.ai)\.azure\.com$")
_ODD = re.compile(r"[^\x21-\x7e]")
_LOCAL = re.compile(
    r"^(?:localhost|127\.|0\.0\.0\.0|\[?::1|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|host\.docker)"
)


@dataclass(frozen=True, slots=True)
class Address:
    """An endpoint address: `base` without an API's path, `query` for each request, `azure`: the key goes into
    the header `api-key`."""

    base: str
    query: tuple[tuple[str, str], ...] = ()
    azure: bool = False


def address_of(written: str) -> Address:
    """Return the address behind a base URL as people write it: with blanks or quotes, without a scheme, with
    the full path, in Azure's forms."""
    text = written.strip().strip("\"'").strip()
    if not text:
        return Address("")
    if "://" not in text:
        text = f"{'http' if _LOCAL.match(text) else 'https'}://{text}"
    parts = urlsplit(text)
    path = _WHOLE.sub("", parts.path.rstrip("/")).rstrip("/")
    query = tuple(parse_qsl(parts.query))
    named = bool(_AZURE.search(parts.hostname or ""))
    deployment = "/openai/deployments/" in path
    if named and path in ("", "/openai"):
        path = "/openai/v1"
    if deployment and not any(name == "api-version" for name, _ in query):
        query = (*query, ("api-version", AZURE_VERSION))
    base = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    return Address(base, query, named or deployment)


def cleaned_key(written: str) -> str:
    """Return a key without surrounding blanks, line ends, quotes or "Bearer"."""
    key = written.strip().strip("\"'").strip()
    return key[7:].strip() if key.lower().startswith("bearer ") else key


def odd_in_key(key: str) -> str:
    """Return the first character that no header can carry, "" if there is none."""
    found = _ODD.search(key)
    return found.group(0) if found else ""


def moved_to(asked: str, location: str) -> str | None:
    """Return a redirect's address if it may be followed with the key (same host, or the same host by https);
    else None."""
    target = urljoin(asked, location)
    before, after = urlsplit(asked), urlsplit(target)
    if after.hostname != before.hostname or (before.scheme == "https" and after.scheme != "https"):
        return None
    if after.port != before.port and after.scheme == before.scheme:
        return None
    return target
