"""Tool search_files: lines of all files that hold a text or match a pattern."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from fnmatch import fnmatchcase

from pydantic import Field

from engine.domain.encodings import decode
from engine.domain.outcomes import ToolResult
from engine.tools import line_search
from engine.tools.base import EVERYONE, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.files import checkout
from engine.tools.line_search import Found, Wanted
from engine.tools.schema import HIDDEN

PATTERN_S = 5.0
"""Seconds that a regular expression may take."""


class SearchFilesArguments(Arguments):
    """Arguments of search_files."""

    pattern: str = Field(min_length=1, max_length=1_000)
    regex: bool = False
    path: str = Field("", description="file, folder or glob")
    context: int = Field(0, ge=0, le=5)
    skip: int = Field(0, ge=0, json_schema_extra={HIDDEN: True})


async def search_files(context: ToolContext, arguments: SearchFilesArguments) -> ToolResult:
    """Return the lines that match, with what is around the hits. Raises ToolRefused."""
    if not arguments.regex and "\n" in arguments.pattern:
        raise ToolRefused("Lines are searched one by one: leave out the line break.")
    files = (await checkout(context)).files
    chosen = {path: data for path, data in files.items() if _is_meant(path, arguments.path)}
    if files and not chosen:
        raise ToolRefused(f"No file is {arguments.path}. Use list_files to see what there is.", "missing")
    texts, binary = _texts(chosen)
    wanted = Wanted(arguments.pattern, not arguments.regex, arguments.context, arguments.skip)
    if wanted.plain:
        found = await asyncio.to_thread(line_search.search, wanted, texts)
    else:
        found = await _by_pattern(wanted, texts)
    files_are = "file was" if binary == 1 else "files were"
    notes = f" {binary} binary {files_are} left out." if binary else ""
    if not found.lines:
        return ToolResult(f"No line of {len(texts)} files matches.{notes}")
    return ToolResult("\n".join([_head(found, wanted.skip) + notes, *found.shown]))


def _head(found: Found, skip: int) -> str:
    said = f"Matching lines: {found.lines}, files: {found.files}"
    if found.count == found.lines:
        return f"{said}:"
    if not found.count:
        return f"{said}; you left out all of them."
    until = skip + found.count
    more = f"; go on with skip={until}" if until < found.lines else ""
    return f"{said}; {skip + 1}-{until} are shown{more}:"


def _is_meant(path: str, wanted: str) -> bool:
    """Return whether a path is the one, in the folder or of the glob `wanted`."""
    wanted = wanted.removeprefix("./").rstrip("/")
    if wanted in ("", ".") or path == wanted or path.startswith(f"{wanted}/"):
        return True
    globs = {wanted, wanted.replace("**/", "")}
    name = path if "/" in wanted else path.rsplit("/", 1)[-1]
    return any(fnmatchcase(path, glob) or fnmatchcase(name, glob) for glob in globs)


def _texts(files: Mapping[str, bytes]) -> tuple[dict[str, str], int]:
    """Return the texts among the files, and how many are none."""
    texts: dict[str, str] = {}
    for path, data in files.items():
        if (found := decode(data)) is not None:
            texts[path] = found.text
    return texts, len(files) - len(texts)


async def _by_pattern(wanted: Wanted, texts: Mapping[str, str]) -> Found:
    """Search in a process of its own, which is killed when it takes too long. Raises ToolRefused."""
    try:
        re.compile(wanted.pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ToolRefused(f"The pattern is not a regular expression of Python: {error}.") from error
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-IS",
        line_search.__file__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={},
    )
    given = json.dumps({"wanted": asdict(wanted), "texts": dict(texts)}).encode()
    try:
        async with asyncio.timeout(PATTERN_S):
            said, _ = await process.communicate(given)
    except TimeoutError as error:
        raise ToolRefused(
            f"The search took longer than {PATTERN_S:.0f} s. Use a simpler pattern, or fewer files."
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ToolRefused("The search by this pattern failed. Use a simpler one.", "failed")
    return Found(**json.loads(said))


SEARCH = Tool(
    "search_files",
    "Find lines, ignoring case.",
    SearchFilesArguments,
    EVERYONE,
    search_files,
)
