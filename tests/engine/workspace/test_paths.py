"""Which paths are accepted, and how refusals read."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.workspace import check_collision, check_set, normal_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.txt", "a.txt"),
        ("./src//main.py", "src/main.py"),
        ("src/./a", "src/a"),
        ("e\u0301.md", "é.md"),
        (".gitignore", ".gitignore"),
        (".github/workflows/ci.yml", ".github/workflows/ci.yml"),
        ("日本/資料.txt", "日本/資料.txt"),
        ("console.log", "console.log"),
        ("git.txt", "git.txt"),
        ("a b/c d.txt", "a b/c d.txt"),
        ("質問\uff1f.md", "質問\uff1f.md"),
        ("½ and ¥5.md", "½ and ¥5.md"),
        ("wait….md", "wait….md"),
    ],
)
def test_good_paths_have_one_spelling(text: str, path: str) -> None:
    """Everyday names pass, in normal form."""
    assert normal_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "./",
        "/etc/passwd",
        "//server/share",
        "a/",
        "..",
        "../a",
        "a/../../b",
        "a/..",
        "a\\b",
        "C:/x",
        "c:x",
        "a:stream",
        "a\0b",
        "a\nb",
        "a\tb",
        "a\x1b[31m",
        "a\u202eb",
        "a\u200bb",
        "a\ufeff",
        ".git/config",
        ".GIT/hooks/pre-commit",
        "x/.Git",
        ".git.",
        ".git ",
        "git~1",
        "GIT~2/config",
        ".g\u200cit/config",
        "\uff0egit/config",
        ".gitmodules",
        ".gitattributes",
        "gitmod~1",
        "GI7EBA~1",
        "CON",
        "nul",
        "aux.txt",
        "com1.tar.gz",
        "lpt¹",
        "CONIN$",
        "a.",
        "a ",
        " a",
        "a /b",
        "a?b",
        "a*b",
        "a<b",
        'a"b',
        "a|b",
        "-rf",
        "~root",
        "x" * 121,
        "/".join("a" * 17),
        "/".join(["abcdefghijklmnopqrstuvwxyz"] * 12),
        "\ud800",
        "\u2024\u2024\uff0f\u2024\u2024\uff0fevil.txt",
        "\u2025/evil.txt",
        "\uff0e\uff0e/evil.txt",
        "a/..\u2215..\u2215evil.txt",
        "..\u00a5evil.txt",
        "a\uff0fb",
        "a\uff3cb",
        "\u2100.txt",
        "\u3164",
        "a/\uffa0",
        "\u2800.md",
        "a\u115fb",
        "a\ufe0f.md",
        "\u3000",
        "notes\u2026",
        "\uff0drf",
    ],
)
def test_bad_paths_are_refused_in_a_sentence(text: str) -> None:
    """Everything that is dangerous or breaks somewhere is refused with what to do."""
    with pytest.raises(Invalid) as refusal:
        normal_path(text)
    assert str(refusal.value).endswith(".")
    assert not set(str(refusal.value)) & set("\0\n\x1b\u202e\u200b")


@given(st.text(max_size=60))
def test_what_passes_is_safe_and_stays(text: str) -> None:
    """Any accepted path is relative, NFC, free of controls and dots, and its own normal form."""
    try:
        path = normal_path(text)
    except Invalid:
        return
    assert normal_path(path) == path == unicodedata.normalize("NFC", path)
    assert not path.startswith("/")
    for name in path.split("/"):
        assert name not in ("", ".", "..")
        assert name.casefold().rstrip(". ") != ".git"
        assert name == name.strip() == name.rstrip(".")
        assert not any(unicodedata.category(char).startswith("C") for char in name)


_SMALL_PATHS = st.lists(
    st.lists(st.sampled_from(["a", "A", "b", "é", "É"]), min_size=1, max_size=3).map("/".join),
    max_size=6,
    unique=True,
)


@given(_SMALL_PATHS)
def test_both_collision_checks_agree(paths: list[str]) -> None:
    """The check of a whole set refuses exactly the sets in which some pair collides."""

    def refused(check: object, *words: object) -> bool:
        try:
            check(*words)  # type: ignore[operator]
        except Invalid:
            return True
        return False

    pairs = any(refused(check_collision, path, paths[:at]) for at, path in enumerate(paths))
    assert refused(check_set, paths) == pairs


@pytest.mark.parametrize(
    ("path", "other", "word"),
    [
        ("readme", "README", "upper and lower case"),
        ("a/b", "a", "is a file"),
        ("a", "a/b", "is a folder"),
        ("Src/b", "src/a", "exists as 'src'"),
    ],
)
def test_collisions_say_what_is_there(path: str, other: str, word: str) -> None:
    """The refusal names the thing in the way."""
    with pytest.raises(Invalid, match=word):
        check_collision(path, ["elsewhere/x", other])
    check_collision(path, ["elsewhere/x", path])
