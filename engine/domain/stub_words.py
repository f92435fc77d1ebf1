"""Words that say that a piece of a program is still to be written, or is empty on purpose. Pure."""

from __future__ import annotations

import re

TODO = re.compile(
    r"\b(?:to-?do|fixme|tbd)\b|\b(?:not|to be) (?:yet )?implemented\b|\bnot implemented\b|\bplaceholder\b|"
    r"\bimplement(?:ation)?\b.*\bhere\b|\byour (?:code|logic|implementation)\b|\bimplementation to\b|"
    r"\b(?:logic|code|implementation) (?:goes )?here\b|^implement\b|noch nicht implementiert|"
    r"hier implementieren|à implémenter|por implementar|da implementare|待实现|未实现|未実装|ここに実装",
    re.I,
)
"""In a comment: what stands here is still to be written."""

UNFINISHED = re.compile(
    r"^\W*(?:error\W+)?(?:(?:\w+\W+){0,4}(?:is |are )?not (?:yet )?implemented(?: yet)?|to-?do\b.{0,60}|"
    r"to be implemented|unimplemented|coming soon|placeholder)\W*$",
    re.I,
)
"""As the whole of a text that a program prints, returns or raises."""

NOTHING = re.compile(r"no_?op|nothing|ignore|dummy|silent|null|placeholder|stub|fake|empty", re.I)
"""In a name: it is to do nothing."""

ON_PURPOSE = re.compile(
    r"overrid|overwritten by|subclass|\bhooks?\b|no-?op|\bnothing\b|intentional|on purpose|deliberate|"
    r"not needed|not required|by default|optional|ignore|silence",
    re.I,
)
"""In a comment or docstring: it is empty on purpose."""

HANDLER = re.compile(r"^_|handler|callback|hook|default|^on_?[A-Z_a-z]|listener|^handle", re.I)
"""In a name: a function that is handed to others, and may have nothing to do."""

ELIDED = re.compile(
    r"^\W*(?:(?:the )?(?:rest|remainder) of (?:the |your |my )?(?:code|file|functions?|implementation|"
    r"program|methods?|logic|script|styles|content|page)"
    r"(?: (?:goes |stays |is |remains? )?(?:here|the same|unchanged|as before))?|"
    r"(?:existing|previous|remaining|other) (?:code|functions?|methods|logic|styles|content)"
    r"(?: (?:goes |stays |is |remains? )?(?:here|the same|unchanged|as before))?|"
    r"(?:your|add (?:your|more)|insert (?:your|the|more)?) ?(?:own )?"
    r"(?:code|logic|functions|implementation|styles|content|text)(?: goes)? here)\W*$",
    re.I,
)
"""As the whole of a comment: here a part of the file was left out."""
