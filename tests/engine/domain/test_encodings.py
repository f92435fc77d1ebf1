"""What is text, in which encoding, and what is none."""

import pytest

from engine.domain.encodings import decode


@pytest.mark.parametrize(
    ("content", "encoding", "says"),
    [
        (b"", "utf-8", ""),
        ("Straße\n".encode(), "utf-8", ""),
        ("Straße\n".encode("utf-8-sig"), "utf-8-sig", "byte order mark"),
        ("Straße;Zähler\r\n".encode("cp1252"), "cp1252", "shown as cp1252"),
        ("Straße;Zähler\r\n".encode("utf-16"), "utf-16", "shown as utf-16"),
    ],
)
def test_texts_are_read_in_the_encodings_that_spreadsheets_write(
    content: bytes, encoding: str, says: str
) -> None:
    """The byte order mark is no part of the text."""
    found = decode(content)
    assert found is not None and found.encoding == encoding and says in found.note
    assert found.text.strip() in ("", "Straße", "Straße;Zähler")


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\0\0",
        b"PK\x03\x04\xff\0",
        b"\xff\xfe\x01\x00",
        b"\xff\xd8\xff\xe0",
        bytes(range(256)) * 4,
    ],
)
def test_pictures_and_archives_are_no_text(content: bytes) -> None:
    """Nothing is made up for them."""
    assert decode(content) is None
