"""What a goal names, so that code can look whether it is there: files, tests, options, output. Pure.

A goal is free text, so these rules lean to silence: what is not plainly asked for is not wanted. A file that
the work is to read, or that a program makes when it runs, is not asked for; nor is one only spoken of.
"""

from __future__ import annotations

import re

_SUFFIXES = (
    "py|js|ts|tsx|jsx|mjs|sh|html|htm|css|md|rst|txt|csv|tsv|json|toml|yaml|yml|xml|svg|sql|c|h|cpp|hpp|rs|go|"
    "java|rb|php|tex|ini|cfg"
)
_FILE = re.compile(rf"(?<![\w/.:@*-])((?:[\w-]+/)*[\w-]+(?:\.[\w-]+)*\.(?:{_SUFFIXES}))(?![\w/-]|\.\w)", re.I)
_NOT_FILES = re.compile(
    r"(?:node|next|nuxt|vue|react|three|d3|express|ember|backbone|chart|p5)\.js|(?:discord|web)\.py", re.I
)
_MAKE = (
    r"(?:re)?write|create|make|build|produce|deliver|add|generate|save|put|provide|implement|prepare|draft|"
    r"compose|develop|called|named|hand in"
)
_USE = (
    r"reads?|reading|loads?|loading|opens?|opening|parses?|parsing|from|uses?|using|takes?|taking|writes|saves|"
    r"creates|makes|produces|generates|stores|outputs?|exports?|prints?|converts?|fix(?:es)?|explains?|reviews?|"
    r"summari[sz]es?|describes?|checks?|imports?|given|see|existing|attached|analy[sz]es?|runs?|running|"
    r"translates?|refactors?|improves?|edits?|changes?|updates?|deletes?|removes?|replaces?|whose|python3?|node|"
    r"like|than"
)
_VERB = re.compile(rf"\b(?:(?P<make>{_MAKE})|(?P<use>{_USE}))\b", re.I)
_SPOKEN_OF = re.compile(
    r"\b(?:of|for|about|on|against|like|via|through|by)\s+(?:(?:the|a|an|my|our|this)\s+)?\W*$", re.I
)
_DENIED = re.compile(r"(?:\bnot|n['\u2019]t|\bnever|\bwithout|\bno)\b[^.;\n]{0,25}$", re.I)
_CLAUSE = re.compile(r"(?<=[.!?;])\s+|\n+")

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.I)
_QUOTED = re.compile(r"`([^`\n]+)`")
_OWN_COMMAND = re.compile(r"^\s*(?:python3?|node|sh|bash|--|\./|[\w/.-]+\.(?:py|js|sh)\b)", re.I)

_TESTS = re.compile(
    r"\b(?:with|and|plus|add|write|includ(?:e|es|ing)|has|have|create|provide)\s+"
    r"(?:(?!(?:no|not|the|these|those|such)\b)[\w-]+\s+){0,3}?tests\b(?!\s+(?:pass|data|results?|of\b))",
    re.I,
)
_NAMED_TESTS = re.compile(r"\b(?:unit|pytest|integration|automated|regression)[ -]tests?\b(?!\s+pass)", re.I)
_NO_TESTS = re.compile(
    r"(?:\b(?:no|without|not need|not write|pass(?:es)?|run|existing|our|my|their|these|those|the following|"
    r"hidden)|n['\u2019]t (?:need|write|add))\s+(?:\w+\s+){0,2}tests?\b",
    re.I,
)
_OUTPUT = re.compile(r"\b(?:prints?|printed|displays?|shows?|outputs?|says|asks|plays?)\b", re.I)
_INTERFACE = re.compile(
    r"(?<!line )(?<!user )(?<!web )(?<!text )(?<!graphical )\binterfaces?\b|\b(?:abstract|skeletons?|stubs?|"
    r"scaffold(?:ing)?|placeholders?|boilerplate|signatures?|template|protocols?|exercises?|fill in|"
    r"to be completed|left empty|not implemented)\b",
    re.I,
)
_REPEATS = re.compile(
    r"\b(?:repeat\w*|song|lyrics|refrain|chorus|lorem|mantra|litany|times|lines of)\b", re.I
)


def files_to_make(goal: str) -> tuple[str, ...]:
    """Return the files that a goal asks to be made, in order, without those that it says not to make."""
    wanted: dict[str, None] = {}
    unwanted: set[str] = set()
    for clause in _CLAUSE.split(goal):
        for name in _FILE.finditer(clause):
            before = clause[: name.start()]
            verb = _verb_of(before)
            if verb is None or _NOT_FILES.fullmatch(name[1]) or _SPOKEN_OF.search(before):
                continue
            if _DENIED.search(before[: verb.start()]):
                unwanted.add(name[1])
            elif not verb["use"]:
                wanted[name[1]] = None
    return tuple(path for path in wanted if path not in unwanted)


def _verb_of(before: str) -> re.Match[str] | None:
    """Return the nearest verb before a file's name in its clause, which decides whether it is asked for."""
    verbs = list(_VERB.finditer(_without_files(before)))
    return verbs[-1] if verbs else None


def _without_files(text: str) -> str:
    """Blank out names of files, whose parts are no verbs (`make.py`), at their length."""
    return _FILE.sub(lambda found: " " * len(found[0]), text)


def options_to_have(goal: str) -> tuple[str, ...]:
    """Return the options (`--dry-run`) that a goal asks for; those in commands of other programs are left
    out."""
    shown = _QUOTED.sub(lambda found: found[1] if _OWN_COMMAND.match(found[1]) else " ", goal)
    named = [(found[0], bool(_DENIED.search(shown[: found.start()]))) for found in _OPTION.finditer(shown)]
    unwanted = {option for option, denied in named if denied}
    return tuple(dict.fromkeys(option for option, _ in named if option not in unwanted))


def asks_for_tests(goal: str) -> bool:
    """Return whether a goal asks for tests of a program."""
    asked = _TESTS.search(goal) or _NAMED_TESTS.search(goal)
    return bool(asked) and not _NO_TESTS.search(goal)


def asks_for_output(goal: str) -> bool:
    """Return whether what a goal asks for prints or shows something."""
    return bool(_OUTPUT.search(goal))


def asks_for_interfaces(goal: str) -> bool:
    """Return whether a goal asks for code whose functions stay empty."""
    return bool(_INTERFACE.search(goal))


def asks_for_repetition(goal: str) -> bool:
    """Return whether a goal asks for a text that repeats itself."""
    return bool(_REPEATS.search(goal))


def names_of_files(text: str) -> tuple[str, ...]:
    """Return all names of files in a text, asked for or not."""
    return tuple(found[1] for found in _FILE.finditer(text) if not _NOT_FILES.fullmatch(found[1]))
