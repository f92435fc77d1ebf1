"""Odd files that a run leaves: each is refused by its name, all else is kept, and running goes on."""

from __future__ import annotations

import pytest

from engine.ports import Sandbox
from tests.engine.autonomy.conftest import Stage
from tests.engine.tools.test_run_files import Told, python, states, write

ODD = {
    "line break": ("open('a\\nb', 'w')", ["a\\nb"]),
    "not text": ("open(b'\\xff\\xfe.txt', 'w')", ["\\udcff\\udcfe.txt"]),
    "lone surrogate": ("open(b'\\xed\\xa0\\x80.txt', 'w')", [".txt: "]),
    "longest": ("open('n' * 255, 'w')", ["n" * 60]),
    "leading dash": ("open('-rf', 'w'); open('--help', 'w')", ["-rf: ", "--help: "]),
    "case pair": ("open('Same.txt', 'w'); open('SAME.txt', 'w')", ["Same.txt: "]),
    "case pair of folders": ("p('Dir/x'); p('dIR/y')", ["dIR/y: "]),
    "not composed": ("open('e\\u0301.txt', 'w')", ["e\\u0301.txt: "]),
    "compatibility": ("open('\\uff0e\\uff0e', 'w'); open('a\\uff0fb', 'w')", ["\\uff0e\\uff0e", "a\\uff0fb"]),
    "devices of Windows": (
        "[open(n, 'w') for n in ('CON', 'aux.txt', 'COM1', 'nul.c')]",
        ["CON", "aux.txt", "nul.c"],
    ),
    "git": (
        "p('.git/config'); p('sub/.GIT/hooks/x'); open('.gitmodules', 'w')",
        [".git", "sub/.GIT", ".gitmodules"],
    ),
    "git on Windows": ("open('GIT~1', 'w'); open('.g\\u200cit', 'w')", ["GIT~1", ".g\\u200cit"]),
    "links": (
        "os.symlink('/etc/passwd', 'l'); os.symlink('.', 'loop'); os.symlink('gone', 'd')",
        ["l: ", "loop", "d: "],
    ),
    "link in place of a folder": ("shutil.move('dir', 'other'); os.symlink('other', 'dir')", ["dir: "]),
    "socket": ("s = socket.socket(socket.AF_UNIX); s.bind('s')", ["s: "]),
    "pipe, which cannot even be made": ("try: os.mkfifo('p')\nexcept PermissionError: pass", []),
    "sparse and large": ("open('giant', 'wb').truncate(20 << 20)", ["giant: "]),
    "hard links of much": (
        "f = open('one', 'wb'); f.truncate(15 << 20); [os.link('one', f'l{n:02}') for n in range(40)]",
        ["l"],
    ),
    "folder in place of a file": ("os.remove('a.txt'); p('a.txt/inner')", []),
    "file in place of a folder": ("shutil.rmtree('dir'); open('dir', 'w')", []),
    "closed folder": ("p('shut/x'); os.chmod('shut', 0)", ["shut: "]),
    "closed file": ("open('shut', 'w'); os.chmod('shut', 0)", ["shut: "]),
    "closed root": ("os.chmod('.', 0o300)", []),
    "trailing": ("open('x.', 'w'); open(' y', 'w'); open('z ', 'w')", ["x.: ", " y: ", "z : "]),
    "deep": ("p('/'.join('abcdefghijklmnopqrst') + '/x')", ["levels deep"]),
    "tilde and backslash": (
        "open('~', 'w'); open('a\\\\b', 'w'); open('c:d', 'w')",
        ["~: ", "a\\\\b: ", "c:d: "],
    ),
    "invisible": (
        "open('\\u3164', 'w'); open('a\\u202eb', 'w'); open('c\\U000e0041', 'w')",
        ["\\u3164", "a\\u202eb"],
    ),
}
"""What a program does, and what the agent has to read of it."""

BEGIN = """
import os, shutil, socket
def p(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, 'w').write('x')
"""
END = "\nopen('good.txt', 'w').write('good')\nprint('said')\n"
LOOK = python("import os; print(sorted(os.listdir()), open('good.txt').read())")


@pytest.mark.parametrize("kind", ODD)
async def test_what_is_odd_is_refused_alone(stage: Stage, real: Sandbox, kind: str) -> None:
    """The output, the good file and the next run are there; of the odd ones nothing."""
    told = Told()
    source, names = ODD[kind]
    before = (write("a.txt"), write("dir/b.txt"))
    bad = python(BEGIN + source + END)
    play = await stage({"Boss": told.part(before, (bad,), (LOOK,))}, sandbox=real)
    await play.end()
    left = told.texts[1]
    assert left.startswith("exit code 0") and "said" in left, left
    if kind != "closed root":
        assert "good.txt" in left.partition("files written: ")[2].partition("\n")[0], left
        assert "good" in told.texts[2].splitlines()[-1] or "good" in told.texts[2], told.texts[2]
    refused = left.partition("not kept: ")[2]
    assert not [name for name in names if name not in refused], (names, left)
    assert "incident" not in left


async def test_of_many_refused_the_number_is_true(stage: Stage, real: Sandbox) -> None:
    """Names of the first, and how many more there are: all of them, not as many as were remembered."""
    told = Told()
    source = BEGIN + "[open(f'-{n:04}', 'w').close() for n in range(900)]" + END
    play = await stage({"Boss": told.part((python(source),))}, sandbox=real)
    await play.end()
    assert "files written: good.txt" in told.texts[0]
    assert "and 880 more" in told.texts[0], told.texts[0]
    assert states(play) == {"good.txt": "added"}
