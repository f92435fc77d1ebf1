"""Names Discord accepts, distinct; faces that are the same on every machine."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bot.personas.faces import FACES, default_url, face_number, face_png, template_url
from bot.personas.names import persona_name

NAMES = st.text(max_size=120) | st.text(
    st.sampled_from("diScORDclyde @#:`*_\u200b\u00adeveryonehere\uff24"), max_size=60
)


@given(NAMES, NAMES, st.sets(NAMES, max_size=5))
def test_every_name_is_accepted(name: str, title: str, others: set[str]) -> None:
    """1 to 80 visible characters, no banned word, no mark-up, not one that is taken."""
    taken = {persona_name(other) for other in others}
    made = persona_name(name, title, taken)
    low = made.casefold()
    assert 1 <= len(made) <= 80 and made == made.strip()
    assert "discord" not in low and "clyde" not in low
    assert not set(made) & set("@#:`*_~|<>\\\u200b\u200d\u00ad")
    assert low not in {each.casefold() for each in taken}
    assert low not in {"everyone", "here"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada", "Ada · Chief"),
        ("Dis\u200bcord", "D·iscord · Chief"),
        ("\uff23lyde", "C·lyde · Chief"),
        ("", "Agent · Chief"),
    ],
)
def test_disguises_do_not_pass(name: str, shown: str) -> None:
    """Zero-width and full-width spellings are seen through."""
    assert persona_name(name, "Chief") == shown


def test_long_titles_are_left_out() -> None:
    """A title that would not fit beside the name stays away; so does one that repeats it."""
    assert persona_name("Ada", "x" * 33) == "Ada"
    assert persona_name("Chief Ada", "chief") == "Chief Ada"


def test_same_names_are_numbered() -> None:
    """Two agents of a task never share a name, whatever the case."""
    assert persona_name("ada", "", ["Ada"]) == "ada 2"


def test_faces_differ_and_stay() -> None:
    """Drawings are small, square, equal for equal numbers, different for different ones."""
    some = [face_png(number) for number in range(0, FACES, 60)]
    assert len(set(some)) == len(some)
    assert face_png(60) == some[1]
    picture = Image.open(io.BytesIO(some[0]))
    assert picture.size == (128, 128) and all(len(png) < 256_000 for png in some)


def test_a_name_has_one_face_everywhere() -> None:
    """The number depends on the name alone."""
    assert face_number("Ada") == face_number("ada") == 398
    assert 0 <= face_number("") < FACES


def test_addresses() -> None:
    """The operator's belongs to the name and does not tell it; without a template there is a picture too."""
    made = template_url("https://x/{seed}.png", "canary7f3a91qx")
    assert re.fullmatch(r"https://x/[0-9a-f]{12}\.png", made) and "canary" not in made
    assert made == template_url("https://x/{seed}.png", "Canary7f3a91qx")
    assert made != template_url("https://x/{seed}.png", "canary")
    assert default_url("Ada").startswith("https://cdn.discordapp.com/embed/avatars/")
