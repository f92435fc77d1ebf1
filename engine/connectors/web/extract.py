"""Turn pages into text: a program of its own, fed over its standard input. Imports nothing of this project.

Parsers of foreign documents run here, apart from the product: without its secrets, with bounded memory, and
ended from outside when one takes too long. It ends when nothing is asked for some minutes.

A request is one line of JSON with `size`, `kind`, `charset` and `address`, then so many bytes. An answer is
one line of JSON: `title`, `text`, `links` as pairs of address and label, or `error`.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import resource
import select
import sys
from typing import Any
from urllib.parse import urljoin

MEMORY = 1_500_000_000
IDLE_S = 180.0
MAX_TEXT = 400_000
MAX_LINKS = 300
MAX_PDF_PAGES = 300
LABEL = 100


def main() -> None:
    """Answer requests until the input ends or nothing is asked for a while."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    source, out = sys.stdin.buffer, sys.stdout
    while select.select([source], [], [], IDLE_S)[0]:
        head = source.readline()
        if not head:
            return
        asked = json.loads(head)
        body = source.read(asked["size"])
        out.write(json.dumps(answer(body, asked["kind"], asked["charset"], asked["address"])) + "\n")
        out.flush()


def answer(body: bytes, kind: str, charset: str, address: str) -> dict[str, Any]:
    """Return the text of one document, or why there is none."""
    try:
        if kind == "application/pdf":
            return of_pdf(body)
        if kind in ("text/html", "application/xhtml+xml"):
            return of_html(body, charset, address)
        return {"title": "", "text": decoded(body, charset)[:MAX_TEXT], "links": []}
    except MemoryError:
        return {"error": "it needs too much memory to be read"}
    except RecursionError:
        return {"error": "it is nested too deeply"}
    except Exception as error:  # noqa: BLE001 - parsers raise whatever a document makes them raise
        return {"error": f"it cannot be read ({type(error).__name__})"}


def decoded(body: bytes, charset: str) -> str:
    """Return text in its stated encoding, else as UTF-8."""
    for name in (charset, "utf-8"):
        with contextlib.suppress(LookupError, UnicodeDecodeError, ValueError):
            if name:
                return body.decode(name)
    return body.decode("utf-8", "replace")


def of_html(body: bytes, charset: str, address: str) -> dict[str, Any]:
    """Return the main text of a page, all of its text where no main one is found, and its links."""
    import trafilatura  # noqa: PLC0415 - the program starts before it is loaded
    from lxml import html  # noqa: PLC0415

    parser = html.HTMLParser(encoding=charset if known(charset) else None, huge_tree=False)
    tree = html.document_fromstring(body, parser=parser)
    base = next((found.get("href") for found in tree.iter("base") if found.get("href")), "")
    links = links_of(tree, urljoin(address, base))
    title = next((squeezed(found.text_content()) for found in tree.iter("title")), "")
    text = trafilatura.extract(
        html.tostring(tree, encoding="unicode"),
        output_format="markdown",
        include_comments=False,
        include_tables=True,
        favor_recall=True,
    )
    return {"title": title[:300], "text": (text or all_text(tree))[:MAX_TEXT], "links": links}


def known(charset: str) -> bool:
    """Return whether an encoding exists."""
    try:
        "".encode(charset)
    except (LookupError, ValueError):
        return False
    return bool(charset)


def links_of(tree: Any, base: str) -> list[tuple[str, str]]:
    """Return the links of a page in their order, each address once."""
    found: dict[str, str] = {}
    for link in tree.iter("a"):
        written = link.get("href")
        if not written:
            continue
        try:
            whole = urljoin(base, written.strip()).split("#", 1)[0]
        except ValueError:
            continue
        if whole.lower().startswith(("http://", "https://")) and whole not in found:
            found[whole] = squeezed(link.text_content())[:LABEL]
            if len(found) >= MAX_LINKS:
                break
    return list(found.items())


def all_text(tree: Any) -> str:
    """Return all that a page shows, without scripts and styles."""
    for hidden in list(tree.iter("script", "style", "noscript", "template")):
        hidden.drop_tree()
    lines = (squeezed(line) for line in tree.text_content().splitlines())
    return "\n".join(line for line in lines if line)


def squeezed(text: str) -> str:
    """Return text on one line."""
    return re.sub(r"\s+", " ", text).strip()


def of_pdf(body: bytes) -> dict[str, Any]:
    """Return the text of a PDF, page by page, with the addresses that its links name."""
    from pypdf import PdfReader  # noqa: PLC0415

    reader = PdfReader(io.BytesIO(body))
    if reader.is_encrypted and not reader.decrypt(""):
        return {"error": "it is encrypted"}
    parts: list[str] = []
    links: dict[str, str] = {}
    size = 0
    for number, page in enumerate(reader.pages[:MAX_PDF_PAGES], 1):
        text = f"(page {number})\n{page.extract_text()}"
        parts.append(text)
        size += len(text)
        for uri in addresses_of(page):
            if len(links) < MAX_LINKS:
                links[uri] = ""
        if size > MAX_TEXT:
            break
    about: Any = reader.metadata or {}
    title = str(about.get("/Title") or "")
    return {
        "title": squeezed(title)[:300],
        "text": "\n\n".join(parts)[:MAX_TEXT],
        "links": list(links.items()),
    }


def addresses_of(page: Any) -> list[str]:
    """Return the addresses that the links of a PDF's page name."""
    notes: list[Any] = [note.get_object() for note in page.get("/Annots") or ()]
    actions: list[Any] = [note.get("/A") for note in notes]
    found = [action.get_object().get("/URI") for action in actions if action]
    return [str(uri) for uri in found if isinstance(uri, str)]


if __name__ == "__main__":
    main()
