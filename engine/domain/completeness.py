"""What a result plainly lacks, by its files, its runs and the goal's own words; nobody's opinion. Pure.

Checked before anything is called done, whatever the model. Each rule would rather miss a fault than name one
that is none; a person may accept a result all the same.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.domain.account import RunRecord
from engine.domain.stubs import empty_functions, parsed
from engine.domain.wanted import (
    asks_for_interfaces,
    asks_for_output,
    asks_for_repetition,
    asks_for_tests,
    files_to_make,
    options_to_have,
)

MissingKind = Literal[
    "file", "empty_file", "tests", "option", "empty_function", "silent", "repeats", "content", "example"
]
"""What is missing: a file that the goal names, its content, tests, an option, the body of a function, any
output of a program, text other than repetitions, content of the kind that the file's name says, a result
that an example of the goal states."""

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
LOOP = 5
LOOP_CHARS = 200
_LONGEST_PERIOD = 12
_TEST_PATH = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__)/|(?:^|/)test[\w-]*\.\w+$|[._-](?:test|tests|spec)\.\w+$", re.I
)
_TEST_TEXT = re.compile(
    r"\bdef test\w*\(|\bunittest\b|\bdoctest\b|^>>> |\bdescribe\(|\bit\(|#\[test\]|\bfunc Test", re.M
)
_APART = re.compile(r"fixture|testdata|sample|invalid|broken|malformed|bad|corrupt|\{\{", re.I)
_LOOSE_JSON = ("tsconfig", "jsconfig", ".vscode/", "devcontainer")
_FENCE = re.compile(r"\s*```")


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
        *_bodies(goal, texts),
        *_tests(goal, texts),
        *_options(goal, texts),
        *_contents(texts),
        *([] if asks_for_repetition(goal) else _repetitions(texts)),
        *_silence(goal, texts, runs),
    ]
    return tuple(found[:MOST])


def _named_files(goal: str, texts: Mapping[str, str], others: Collection[str]) -> Iterator[Missing]:
    base = {path.rpartition("/")[2].lower(): path for path in (*others, *texts)}
    for wanted in files_to_make(goal):
        path = wanted if wanted in texts else base.get(wanted.rpartition("/")[2].lower())
        if path is None:
            yield Missing("file", wanted)
        elif path in texts and not texts[path].strip() and not path.endswith("__init__.py"):
            yield Missing("empty_file", path)


def _bodies(goal: str, texts: Mapping[str, str]) -> Iterator[Missing]:
    if asks_for_interfaces(goal):
        return
    programs = {path: text for path, text in texts.items() if path.endswith(".py")}
    for path, name in empty_functions(programs):
        yield Missing("empty_function", path, name)


def _tests(goal: str, texts: Mapping[str, str]) -> Iterator[Missing]:
    code = {path: text for path, text in texts.items() if path.endswith(CODE)}
    if not code or not asks_for_tests(goal):
        return
    if not any(_TEST_PATH.search(path) or _TEST_TEXT.search(text) for path, text in code.items()):
        yield Missing("tests")


def _options(goal: str, texts: Mapping[str, str]) -> Iterator[Missing]:
    code = [text for path, text in texts.items() if path.endswith(CODE)]
    for option in options_to_have(goal) if code else ():
        words = {option, option[2:], option[2:].replace("-", "_")}
        if not any(word in text for word in words for text in texts.values()):
            yield Missing("option", "", option)


def _contents(texts: Mapping[str, str]) -> Iterator[Missing]:
    for path, text in texts.items():
        if text.strip() and not _APART.search(path) and (why := _not_what_it_says(path.lower(), text)):
            yield Missing("content", path, why)


def _not_what_it_says(path: str, text: str) -> str:
    """Return what is wrong with the content of a file by its name; "" for nothing."""
    fenced = _FENCE.match(text) is not None
    if path.endswith(".py"):
        return "it does not compile" if parsed(text) is None else ""
    if path.endswith(".json") and not any(name in path for name in _LOOSE_JSON):
        return "" if _loads(json.loads, text) else "it is not JSON"
    if path.endswith(".toml"):
        return "" if _loads(tomllib.loads, text) else "it is not TOML"
    if path.endswith((".csv", ".tsv")):
        first = next(line for line in text.splitlines() if line.strip()).strip()
        marked = fenced or (first.startswith("|") and first.endswith("|")) or re.match(r"#+ [^,;\t]*$", first)
        return "it is Markdown, not a table of values" if marked else ""
    if path.endswith((".html", ".htm", ".svg", ".xml")):
        return "" if "<" in text and not fenced else "it has no markup"
    return "it begins with a Markdown fence" if fenced and path.endswith(CODE) else ""


def _loads(load: object, text: str) -> bool:
    try:
        load(text)  # type: ignore[operator]  # one of two parsers
    except (ValueError, RecursionError):
        return False
    return True


def _repetitions(texts: Mapping[str, str]) -> Iterator[Missing]:
    for path, text in texts.items():
        if path.endswith(PROSE) and _goes_round(text):
            yield Missing("repeats", path)


def _goes_round(text: str) -> bool:
    """Return whether the same lines or sentences stand one after another LOOP times, as a model writes when
    it is stuck."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    sentences = [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]
    return _loops(lines) or _loops(sentences)


def _loops(parts: Sequence[str]) -> bool:
    for period in range(1, min(_LONGEST_PERIOD, len(parts) // LOOP) + 1):
        same = chars = 0
        for at in range(period, len(parts)):
            if parts[at] == parts[at - period] and any(map(str.isalpha, parts[at])):
                same, chars = same + 1, chars + len(parts[at])
            else:
                same = chars = 0
            if same >= period * (LOOP - 1) and chars >= LOOP_CHARS:
                return True
    return False


def _silence(goal: str, texts: Mapping[str, str], runs: Sequence[RunRecord]) -> Iterator[Missing]:
    """Yield the programs that were run when no run printed anything, though the goal wants to see some."""
    ended = [ran for ran in runs if ran.ended == "exit" and ran.exit_code == 0]
    if not ended or len(ended) < len(runs) or any(ran.output.strip() for ran in ended):
        return
    if asks_for_output(goal):
        for path in _named_by(ended, texts):
            yield Missing("silent", path)


def _named_by(runs: Iterable[RunRecord], texts: Mapping[str, str]) -> list[str]:
    words = {word.removeprefix("./") for ran in runs for word in ran.command.split()}
    return [path for path in texts if path in words]


_TOLD: dict[MissingKind, str] = {
    "file": "{path} is not there",
    "empty_file": "{path} is empty",
    "tests": "there are no tests",
    "option": "nothing has the option {what}",
    "empty_function": "{what}() in {path} is empty",
    "silent": "{path} prints nothing",
    "repeats": "{path} says the same again and again",
    "content": "{path} is not what its name says: {what}",
    "example": "an example of the goal fails: {what}",
}


def told(missing: Iterable[Missing]) -> str:
    """Return in words what is missing, for agents and in a question to people."""
    return "; ".join(_TOLD[each.kind].format(path=each.path, what=each.what) for each in missing)
