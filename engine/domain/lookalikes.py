"""Detection of names that look alike: fold letters of other scripts, digits, accents and marks. Pure."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from engine.domain.clean import clean_line

_TWINS = {
    # Cyrillic
    "a": "\u0430\u04d5",
    "b": "\u0432\u042c\u044c\u0431\u0183",
    "c": "\u0441\u04ab",
    "d": "\u0501\u0502",
    "e": "\u0435\u0451\u0454\u04bd\u04d9",
    "g": "\u050d",
    "h": "\u04bb\u043d\u04ca\u04a3",
    "i": "\u0456\u0457\u04cf\u0406",
    "j": "\u0458",
    "k": "\u043a\u049b\u049f",
    "m": "\u043c\u04ce",
    "n": "\u043f\u0438\u0439\u0578\u057c",
    "o": "\u043e\u04e9\u0473\u0585",
    "p": "\u0440\u048f",
    "q": "\u051b",
    "r": "\u0433\u0453\u044f",
    "s": "\u0455",
    "t": "\u0442\u04ad",
    "u": "\u0446\u057d",
    "v": "\u0475\u0477",
    "w": "\u051d\u0448\u0461\u0561",
    "x": "\u0445\u04b3",
    "y": "\u0443\u04af\u04ef\u045e",
    "z": "\u0437",
}
_MORE_TWINS = {
    # Greek, Armenian, Cherokee, Lisu, Latin letters that look like others, signs.
    "a": "\u03b1\u0251\u1d00\u13aa\ua4ee\u0391",
    "b": "\u03b2\u0299\u13f4\ua4d0\u00df\u0253",
    "c": "\u03f2\u1d04\u13df\ua4da\u0188",
    "d": "\u1d05\u13a0\ua4d3\u0256\u0257\u00f0\u0111",
    "e": "\u03b5\u1d07\u13ac\ua4f0\u0259\u025b\u212e",
    "f": "\u017f\u0192\ua730\ua4dd",
    "g": "\u0261\u0262\u13c0\u0581\u0260",
    "h": "\u03b7\u029c\u13bb\ua4e7\u0570",
    "i": "\u03b9\u0131\u026a\u13a5\u0269",
    "j": "\u03f3\u1d0a\u13ab\ua4d9\u0575",
    "k": "\u03ba\u1d0b\u13e6\ua4d7\u0199",
    "l": "\u029f\u13de\ua4e1\u01c0\u0142",
    "m": "\u03bc\u1d0d\u13b7\ua4df\u03fb",
    "n": "\u03bd\u0274\ua4e0\u014b\u0272",
    "o": "\u03bf\u03c3\u1d0f\ua4f3\u00f8\u0275\u0d20\u0ae6\u0966",
    "p": "\u03c1\u1d18\u13e2\ua4d1\u00fe",
    "q": "\u0566\u0563",
    "r": "\u0280\u13d2\ua4e3\u027e",
    "s": "\ua731\u13da\ua4e2\u0282\u1e9e\u01bd",
    "t": "\u03c4\u1d1b\u13a2\ua4d4\u01ad",
    "u": "\u03c5\u1d1c\ua4f4\u028b\u057d",
    "v": "\u1d20\u13d9\ua4e6\u0475",
    "w": "\u03c9\u1d21\u13b3\ua4ea\u026f",
    "x": "\u03c7\ua4eb\u00d7\u1541",
    "y": "\u03b3\u028f\u13bd\ua4ec\u0263",
    "z": "\u03b6\u1d22\u13c3\ua4dc\u0240",
}
_FOLD = {
    ord(twin): letter for table in (_TWINS, _MORE_TWINS) for letter, twins in table.items() for twin in twins
}
_ALIKE = str.maketrans({"i": "l", "1": "l", "0": "o"})
_PAIRS = (("rn", "m"), ("vv", "w"))


@lru_cache(4_096)
def folded(name: str) -> str:
    """Return a name's plain letters: case-folded, without accents, look-alikes of other scripts and marks."""
    text = unicodedata.normalize("NFKC", clean_line(name)).casefold()
    text = unicodedata.normalize("NFKD", text.translate(_FOLD))
    kept = [c for c in text.casefold().translate(_FOLD) if not 200 <= unicodedata.combining(c) <= 240]
    return " ".join("".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in kept).split())


@lru_cache(maxsize=4_096)  # each recruit is compared with everybody there is
def look(name: str) -> str:
    """Return the form in which names are compared: equal for names that a reader could confuse."""
    text = folded(name).translate(_ALIKE)
    for pair, single in _PAIRS:
        text = text.replace(pair, single)
    return text


_SAME_SHAPE = frozenset("аеорсухіјѕԁһԛԝӏАВЕКМНОРСТХЅІЈοιναΑΒΕΖΗΙΚΜΝΟΡΤΥΧ")  # noqa: RUF001 - that is the point
_LIKE_QUOTES = frozenset("“”„‟″＂ʺ˝")  # noqa: RUF001 - that is the point


def deceives(word: str) -> bool:
    """Return whether a reader could take the word for another: letters of several scripts or of a script
    that draws all of them like Latin ones, letters in a compatibility form, quotes like those of JSON."""
    if any(c in _LIKE_QUOTES or (c.isalnum() and unicodedata.normalize("NFKC", c) != c) for c in word):
        return True
    letters = [c for c in word if c.isalpha()]
    scripts = {unicodedata.name(c, "?").split()[0] for c in letters}
    if "LATIN" in scripts and len(scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "LISU", "COPTIC"}):
        return True
    return len(letters) > 2 and all(c in _SAME_SHAPE for c in letters)
