"""What a goal names, so that code can look whether it is there: files, tests, options, output. Pure.

A goal is free text, so these rules lean to silence: what is not plainly asked for is not wanted. A file that
the work is to read, or that a program makes when it runs, is not asked for; nor is one only spoken of.
"""

from __future__ import annotations

import re

from engine.domain import wanted_words as words

_SUFFIXES = (
    "py|js|ts|tsx|jsx|mjs|sh|html|htm|css|md|rst|txt|csv|tsv|json|toml|yaml|yml|xml|svg|sql|c|h|cpp|hpp|rs|go|"
    "java|rb|php|tex|ini|cfg|png|jpg|jpeg|gif|pdf|docx|xlsx|pptx|jsonl|ipynb"
)
_FILE = re.compile(rf"(?<![\w/.:@*-])((?:[\w-]+/)*[\w-]+(?:\.[\w-]+)*\.(?:{_SUFFIXES}))(?![\w/-]|\.\w)", re.I)
_BARE = re.compile(
    r"(?<![\w/.@-])(README|CHANGELOG|LICENSE|Dockerfile|Makefile)(?![\w-]|\.\w)(?=(?:\s+file)?\b)"
)
"""Files that are named without a suffix."""
MOST_NAMES = 50
"""Names of files that are looked at in one clause: each is weighed with all that stands before it."""
_NOT_FILES = re.compile(
    r"(?:node|next|nuxt|vue|react|three|d3|express|ember|backbone|chart|p5)\.js|(?:discord|web)\.py", re.I
)
_MAKE = (
    r"(?:re)?write|create|make|build|produce|deliver|add|generate|save|put|provide|implement|prepare|draft|"
    r"compose|develop|draw|sketch|paint|design an?|called|named|hand in|call (?:it|them|this|that|the \w+)|"
    r"(?:want|need|would like)(?! (?:you )?to\b| help)|give me|send me|get me"
)
_USE = (
    r"make sure|ensure|reads?|reading|loads?|loading|opens?|opening|parses?|parsing|from|uses?|using|takes?|"
    r"taking|writes|saves|creates|makes|produces|generates|stores|outputs?|exports?|prints?|converts?|fix(?:es)?|explains?|reviews?|"
    r"summari[sz]es?|describes?|checks?|imports?|given|see|existing|attached|analy[sz]es?|runs?|running|"
    r"translates?|refactors?|improves?|edits?|changes?|updates?|deletes?|removes?|replaces?|whose|python3?|node|"
    r"like|than"
)
_VERB = re.compile(rf"\b(?:(?P<use>{words.USE}|{_USE})|(?P<make>{_MAKE}|{words.MAKE}))\b", re.I)
_SPOKEN_OF = re.compile(
    rf"\b(?:of|for|about|on|against|like|via|through|by|{words.SPOKEN_OF})\s+(?:(?:the|a|an|my|our|this)\s+)?\W*$",
    re.I,
)
_DENIED = re.compile(
    rf"(?:(?:\bnot|n['\u2019]t|\bnever|\bwithout|\bno)\b|{words.DENIED})[^.;\n]{{0,25}}$", re.I
)
_CLAUSE = re.compile(r"(?<=[.!?;])\s+|(?<=[\u3002\uff01\uff1f\uff1b])\s*|\n+")

_SHORT_OPTION = re.compile(r"\b(?:option|flag|switch)s?\s+\W?(-[a-z])(?![\w-])", re.I)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.I)
_QUOTED = re.compile(r"`([^`\n]+)`")
_OWN_COMMAND = re.compile(r"^\s*(?:python3?|node|sh|bash|--|\./|[\w/.-]+\.(?:py|js|sh)\b)", re.I)

_TESTS = re.compile(
    r"\b(?:with|and|plus|add|write|includ(?:e|es|ing)|has|have|create|provide)\s+"
    r"(?:(?!(?:no|not|the|these|those|such|that|which|who|it)\b)[\w-]+\s+){0,3}?tests\b(?!\s+(?:pass|data|results?|of\b))",
    re.I,
)
_NAMED_TESTS = re.compile(r"\b(?:unit|pytest|integration|automated|regression)[ -]tests?\b(?!\s+pass)", re.I)
_NO_TESTS = re.compile(
    r"(?:\b(?:no|without|not need|not write|pass(?:es)?|run|existing|our|my|their|these|those|the following|"
    r"hidden)|n['\u2019]t (?:need|write|add))\s+(?:\w+\s+){0,2}tests?\b",
    re.I,
)
_OUTPUT = re.compile(
    r"\b(?:prints?|printed|displays?|shows?|outputs?|says|asks|plays?|tells|greets|reports|lists|counts|game|quiz|"
    r"clock)\b",
    re.I,
)
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
    for clause in _CLAUSE.split(words.spaced(goal)):
        names = sorted((*_FILE.finditer(clause), *_BARE.finditer(clause)), key=re.Match.start)
        for name in names[:MOST_NAMES]:
            match _said_of(clause, name):
                case "make":
                    wanted[name[1]] = None
                case "leave":
                    unwanted.add(name[1])
    return tuple(path for path in wanted if path not in unwanted)


def _said_of(clause: str, name: re.Match[str]) -> str:
    """Return whether a clause says to make the file it names ("make"), or not to ("leave"); else ""."""
    before, verb = clause[: name.start()], _verb_of(clause, name)
    if verb is None or _NOT_FILES.fullmatch(name[1]) or _SPOKEN_OF.search(before):
        return ""
    comes_before = verb.end() <= name.start()
    if comes_before and (
        _DENIED.search(before[: verb.start()]) or words.DENIED_AFTER_VERB.search(before[verb.end() :])
    ):
        return "leave"
    spoken_of = comes_before and words.RELATIVE.search(before[verb.start() :]) is not None
    return "" if verb["use"] or spoken_of or _in_relative(before) else "make"


def _in_relative(before: str) -> bool:
    """Return whether the name stands in a clause about a file that was named before it."""
    named = _FILE.search(before)
    return named is not None and words.RELATIVE.search(before, named.end()) is not None


def _verb_of(clause: str, name: re.Match[str]) -> re.Match[str] | None:
    """Return the verb that decides whether a file is asked for: the nearest before its name in the clause, or
    else (and always where verbs stand last) the first after it."""
    blank = _without_files(clause)
    before = [*_VERB.finditer(blank, 0, name.start()), *words.HAN.finditer(blank, 0, name.start())]
    if before and not words.VERB_LAST.search(clause):
        return max(before, key=re.Match.end)
    return words.AFTER.search(blank, name.end())


def _without_files(text: str) -> str:
    """Blank out names of files, whose parts are no verbs (`make.py`), at their length."""
    return _FILE.sub(lambda found: " " * len(found[0]), text)


def options_to_have(goal: str) -> tuple[str, ...]:
    """Return the options (`--dry-run`, or `-q` where it is called one) that a goal asks for.

    Those in commands of other programs are left out.
    """
    shown = _QUOTED.sub(lambda found: found[1] if _OWN_COMMAND.match(found[1]) else " ", goal)
    places = [(found[0], found.start()) for found in _OPTION.finditer(shown)]
    places += [(found[1], found.start()) for found in _SHORT_OPTION.finditer(shown)]
    named = [(option, bool(_DENIED.search(shown[:at]))) for option, at in places]
    unwanted = {option for option, denied in named if denied}
    return tuple(dict.fromkeys(option for option, _ in named if option not in unwanted))


def asks_for_tests(goal: str) -> bool:
    """Return whether a goal asks for tests of a program."""
    asked = _TESTS.search(goal) or _NAMED_TESTS.search(goal) or words.TESTS.search(goal)
    return bool(asked) and not _NO_TESTS.search(goal) and not words.NO_TESTS.search(goal)


def asks_for_output(goal: str) -> bool:
    """Return whether what a goal asks for prints or shows something."""
    said = _without_files(goal)
    return bool(_OUTPUT.search(said) or words.OUTPUT.search(said))


def output_of(path: str, goal: str) -> bool:
    """Return whether a goal says, right after it names a file, that it prints or shows something."""
    name = path.rpartition("/")[2]
    names = list(_FILE.finditer(goal))
    for at, found in enumerate(names):
        if found[1].rpartition("/")[2].lower() == name.lower():
            end = names[at + 1].start() if at + 1 < len(names) else len(goal)
            if asks_for_output(_CLAUSE.split(goal[found.end() : end])[0]):
                return True
    return False


def asks_for_interfaces(goal: str) -> bool:
    """Return whether a goal asks for code whose functions stay empty."""
    return bool(_INTERFACE.search(goal) or words.INTERFACE.search(goal))


def asks_for_repetition(goal: str) -> bool:
    """Return whether a goal asks for a text that repeats itself."""
    return bool(_REPEATS.search(goal) or words.REPEATS.search(goal))


def names_of_files(text: str) -> tuple[str, ...]:
    """Return all names of files in a text, asked for or not."""
    return tuple(
        found[1] for found in _FILE.finditer(words.spaced(text)) if not _NOT_FILES.fullmatch(found[1])
    )
