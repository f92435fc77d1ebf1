"""What a result plainly lacks, by its files, its runs and the goal's own words; nobody's opinion. Pure.

Checked before anything is called done, whatever the model. Each rule would rather miss a fault than name one
that is none; a person may accept a result all the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.domain.account import RunRecord
from engine.domain.contents import SIGNED, not_what_it_says
from engine.domain.loops import goes_round, without_code
from engine.domain.source import source_of, suffix_of
from engine.domain.stub_words import ELIDED
from engine.domain.stubs import empty_functions, parsed
from engine.domain.stubs_in_blocks import empty_functions_in_blocks
from engine.domain.wanted import (
    asks_for_interfaces,
    asks_for_output,
    asks_for_repetition,
    asks_for_tests,
    files_to_make,
    options_to_have,
    output_of,
)

MissingKind = Literal[
    "file",
    "empty_file",
    "tests",
    "option",
    "empty_function",
    "left_out",
    "silent",
    "repeats",
    "content",
    "example",
    "fails",
]
"""What is missing: a file that the goal names, its content, tests, an option, the body of a function, a part
that words stand for, any output of a program, text other than repetitions, content of the kind that the
file's name says, a result that an example of the goal states, a run that ends well."""

MOST = 20
CODE = (
    ".py",
    ".js",
    ".ts",
    ".tsx",
    ".jsx",
    ".mjs",
    ".sh",
    ".c",
    ".cpp",
    ".rs",
    ".go",
    ".java",
    ".rb",
    ".php",
)
PROSE = (".md", ".txt", ".rst", ".html")
_PAGES = (".html", ".htm")
_TEST_PATH = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__)/|(?:^|/)test[\w-]*\.\w+$|[._-](?:test|tests|spec)\.\w+$", re.I
)
_TEST_TEXT = re.compile(
    r"\bdef test\w*\(|\bunittest\b|\bdoctest\b|^>>> |\bdescribe\(|\bit\(|#\[test\]|\bfunc Test", re.M
)
_PYTHON_TEST = re.compile(r"\bdef test|\bclass \w*Test|\bdoctest\b|^>>> |^[ \t]*+assert ", re.M)
_CHECKS = re.compile(
    r"assert|expect|should|raises|fail|check|verify|compare|\bt\.\w+\(|\bexit\b|^>>> |\bdoctest\b|approx|"
    r"\[ |test -",
    re.M | re.I,
)
_TAKES_OPTIONS = re.compile(
    r"\b(?:typer|fire|click|docopt|getopts?|flag|pflag|yargs|commander|clap|structopt|parseArgs|optparse|minimist)\b"
)
_PLACEHOLDER = re.compile(
    r"^\W*(?:to-?do|tbd|to be (?:written|added|done|completed|filled in)|coming soon|lorem ipsum.*|"
    r"(?:insert|add|put|write|enter|your) (?:\w+ ){0,5}(?:here|goes here)|"
    r"(?:content|text|description) (?:goes )?here|placeholder(?: text)?)\W*$",
    re.I,
)
_HEADING = re.compile(r"^(?:#{1,6}\s.*|[=~^-]{3,})$")


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that is missing: in which file, where it is one's, and what: a name or a few words."""

    kind: MissingKind
    path: str = ""
    what: str = ""


def missing_in(
    goal: str, files: Mapping[str, bytes], runs: Sequence[RunRecord], others: Collection[str] = ()
) -> tuple[Missing, ...]:
    """Return what the result plainly lacks.

    `goal`: with all that people said since. `files`: those that the agents made; `others`: the paths of
    people's own, which are theirs, and of what is too large to look into.
    """
    texts = {path: data.decode("utf-8", "replace") for path, data in files.items()}
    found = [
        *_named_files(goal, texts, others),
        *([] if asks_for_interfaces(goal) else _unwritten(texts)),
        *_tests(goal, texts),
        *_options(goal, texts),
        *(
            Missing("content", path, why)
            for path, text in texts.items()
            if (why := not_what_it_says(path, files[path], text))
        ),
        *([] if asks_for_repetition(goal) else _repetitions(texts)),
        *_silence(goal, texts, runs),
    ]
    return tuple(found[:MOST])


def _named_files(goal: str, texts: Mapping[str, str], others: Collection[str]) -> Iterator[Missing]:
    base = {path.rpartition("/")[2].lower(): path for path in (*others, *texts)}
    stems = {name.rpartition(".")[0]: path for name, path in base.items() if "." in name}
    for wanted in files_to_make(goal):
        name = wanted.rpartition("/")[2].lower()
        path = wanted if wanted in texts else base.get(name) or ("." not in name and stems.get(name)) or None
        if path is None:
            yield Missing("file", wanted)
        elif path in texts and not path.endswith("__init__.py") and _says_nothing(goal, path, texts[path]):
            yield Missing("empty_file", path)


def _says_nothing(goal: str, path: str, text: str) -> bool:
    """Return whether a file is blank, or holds nothing but comments, or headings over nothing."""
    if not text.strip():
        return True
    suffix = suffix_of(path)
    if suffix == ".py":
        tree = parsed(text)
        return tree is not None and not tree.body
    source = source_of(suffix, text)
    if source is not None:
        return not source.code.strip()
    if suffix not in (".md", ".rst", ".txt") or asks_for_interfaces(goal) or _OUTLINE.search(goal):
        return False
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    bare = [line for line in lines if not _HEADING.match(line)]
    return len(bare) < len(lines) and all(map(_PLACEHOLDER.match, bare))


_OUTLINE = re.compile(r"\b(?:outline|headings?|titles?|to-?do|checklist|gliederung|plan du)\b", re.I)


def _unwritten(texts: Mapping[str, str]) -> Iterator[Missing]:
    programs = {path: text for path, text in texts.items() if suffix_of(path) in CODE}
    python = {path: text for path, text in programs.items() if path.endswith(".py")}
    pages = {path: text for path, text in texts.items() if suffix_of(path) in _PAGES}
    others = {path: text for path, text in programs.items() if path not in python}
    empty = [*empty_functions(python), *empty_functions_in_blocks({**others, **pages})]
    yield from (Missing("empty_function", path, name) for path, name in empty)
    said = {path for path, _ in empty} | {
        path for path, text in texts.items() if _says_nothing("", path, text)
    }
    for path, text in texts.items():
        if path not in said and (words := _left_out(path, text)):
            yield Missing("left_out", path, words)


def _left_out(path: str, text: str) -> str:
    """Return the words that stand in a file for a part that nobody wrote; "" where there are none."""
    source = source_of(suffix_of(path), text)
    if source is not None:
        return next((said for said in source.lone_comments() if len(said) < 100 and ELIDED.match(said)), "")
    if suffix_of(path) in (".md", ".rst"):
        lines = [line.strip() for line in without_code(text).splitlines()]
        return next((line for line in lines if _PLACEHOLDER.match(line) and not _HEADING.match(line)), "")
    return ""


def _tests(goal: str, texts: Mapping[str, str]) -> Iterator[Missing]:
    code = {path: text for path, text in texts.items() if suffix_of(path) in CODE}
    if not code or not asks_for_tests(goal):
        return
    tests = {path: text for path, text in code.items() if _is_test(path, text)}
    if not tests:
        yield Missing("tests")
    elif not any(map(_CHECKS.search, tests.values())):
        yield Missing("tests", min(tests), "check nothing")


def _is_test(path: str, text: str) -> bool:
    if not _TEST_PATH.search(path):
        return _TEST_TEXT.search(text) is not None
    return not path.endswith(".py") or _PYTHON_TEST.search(text) is not None or "unittest" in text


def _options(goal: str, texts: Mapping[str, str]) -> Iterator[Missing]:
    code = [_uncommented(path, text) for path, text in texts.items() if suffix_of(path) in CODE]
    for option in options_to_have(goal) if code else ():
        if not any(_has_option(option, text) for text in code):
            yield Missing("option", "", option)


def _uncommented(path: str, text: str) -> str:
    source = source_of(suffix_of(path), text)
    return text if source is None else source.strings


def _has_option(option: str, code: str) -> bool:
    """Return whether a program names an option: as it is typed, or as a library that reads options has it."""
    bare = option.lstrip("-")
    if re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", code) or re.search(
        rf"[\"']{re.escape(bare)}[\"':=]", code
    ):
        return True
    if not option.startswith("--"):
        return bool(re.search(rf"getopts?\b.*{re.escape(bare)}", code))
    names = rf"(?<![A-Za-z0-9])(?:{re.escape(bare)}|{re.escape(bare.replace('-', '_'))})(?![A-Za-z0-9])"
    return _TAKES_OPTIONS.search(code) is not None and re.search(names, code) is not None


def _repetitions(texts: Mapping[str, str]) -> Iterator[Missing]:
    for path, text in texts.items():
        if suffix_of(path) not in SIGNED and goes_round(path, text):
            yield Missing("repeats", path)


def _silence(goal: str, texts: Mapping[str, str], runs: Sequence[RunRecord]) -> Iterator[Missing]:
    """Yield the programs that printed nothing in any run, though the goal wants to see something of them."""
    every = {path: [ran for ran in runs if path in _words_of(ran)] for path in texts}
    tried = [path for path, own in every.items() if own and all(map(_was_silent, own))]
    loud = [ran for ran in runs if not _was_silent(ran)]
    if not loud and asks_for_output(goal):
        yield from (Missing("silent", path) for path in tried)
        return
    known = all(_words_of(ran) & set(texts) for ran in loud)
    for path in tried:
        if known and output_of(path, goal) and not _is_used(path, texts):
            yield Missing("silent", path)


def _is_used(path: str, texts: Mapping[str, str]) -> bool:
    """Return whether another file names this one, which may then be a part of it."""
    stem = path.rpartition("/")[2].partition(".")[0]
    return any(re.search(rf"\b{re.escape(stem)}\b", text) for other, text in texts.items() if other != path)


def _was_silent(ran: RunRecord) -> bool:
    return ran.ended == "exit" and ran.exit_code == 0 and not ran.output.strip()


def _words_of(ran: RunRecord) -> set[str]:
    return {word.removeprefix("./") for word in ran.command.split()}


_TOLD: dict[MissingKind, str] = {
    "file": "{path} is not there",
    "empty_file": "{path} is empty",
    "tests": "there are no tests",
    "left_out": "a part of {path} is left out: {what}",
    "option": "nothing has the option {what}",
    "empty_function": "{what}() in {path} is empty",
    "silent": "{path} prints nothing",
    "repeats": "{path} says the same again and again",
    "content": "{path} is not what its name says: {what}",
    "example": "an example of the goal fails: {what}",
    "fails": "{what} failed when it was run last",
}


def told(missing: Iterable[Missing]) -> str:
    """Return in words what is missing, for agents and in a question to people."""
    return "; ".join(_line(each) for each in missing)


def _line(missing: Missing) -> str:
    if missing.kind == "tests" and missing.what:
        return f"the tests in {missing.path} check nothing"
    return _TOLD[missing.kind].format(path=missing.path, what=missing.what)
