"""Missing parts in many languages and file types: what is seen, and what looks alike and is good."""

from __future__ import annotations

import time

import pytest

from engine.domain.account import RunRecord
from engine.domain.completeness import missing_in

Files = dict[str, str]
ONCE = "Hotel room for two nights near the river,120\n"
TWICE = "Dinner at the harbour restaurant,45\n"
TIP = "Drink enough water during the day to stay healthy.\n"
WEEK = "".join(f"- {day}: Run for thirty minutes at an easy pace\n" for day in ("Mon", "Tue", "Wed", "Thu"))


def seen(goal: str, files: Files, *runs: RunRecord) -> list[tuple[str, str, str]]:
    """Return what is missing, as (kind, path, what)."""
    texts = {path: text.encode() for path, text in files.items()}
    return [(each.kind, each.path, each.what) for each in missing_in(goal, texts, runs)]


STUBS = [
    ("todo.js", "function add(item) {}\nfunction remove(item) {\n  // TODO: implement\n}\n", ["add", "remove"]),
    ("api.mjs", "export const load = async (id) => {\n  // your code here\n};\n", ["load"]),
    ("calc.ts", 'export function add(a: number): number {\n  throw new Error("Not implemented");\n}\n', ["add"]),
    ("s.ts", "class S {\n  async load(): Promise<void> {\n    // TODO: load from disk\n  }\n}\n", ["load"]),
    ("view.jsx", "function App() {\n  const save = () => {\n    // TODO\n  };\n  return <p>Don't</p>;\n}\n", ["save"]),
    ("page.html", "<p>x</p><script>\nfunction add() {\n // TODO\n}\n</script>\n", ["add"]),
    ("b.sh", 'restore() {\n  echo "not implemented yet"\n}\nok() { echo "hi ${A}"; }\n', ["restore"]),
    ("main.go", "package main\nfunc Load(p string) error {\n\t// TODO: implement\n\treturn nil\n}\n", ["Load"]),
    ("l.c", "void push(int x) {\n    // TODO\n}\nstatic void pop(void) {}\nint main(void) { return 0; }\n", ["push", "pop"]),
    ("M.java", "class M {\n  void run() {\n    // TODO implement\n  }\n  private M() {}\n}\n", ["run"]),
    ("m.rs", "fn parse(s: &'static str) -> u32 { todo!() }\nfn main() { parse(\"1\"); }\n", ["parse"]),
    ("a.php", "<?php\nfunction load($x) {\n  # TODO\n  return null;\n}\n", ["load"]),
    ("a.rb", "def load(x)\n  # TODO\nend\n\ndef ok\n  if true\n    1\n  end\nend\n", ["load"]),
    ("a.py", "def parse(x):\n    # TODO: implement parsing\n    result = None\n    return result\n", ["parse"]),
    ("a.py", 'def convert(x):\n    print("Not implemented yet")\n', ["convert"]),
    ("a.py", 'def convert(x):\n    raise Exception("TODO")\n', ["convert"]),
    ("a.py", "class Game:\n    # TODO: write the game\n    pass\n", ["Game"]),
    ("gui.py", "def save():\n    pass\n\nButton(command=save)\n", ["save"]),
]  # fmt: skip
ON_PURPOSE = [
    ("a.js", "const noop = () => {};\nfunction run(cb = () => {}) { cb(); }\nonerror = function () {};\nrun();\n"),
    ("a.js", "try { x() } catch (e) {}\nfor (;;) {}\nfunction onLost() {}\nbus.on('lost', onLost);\nconst r = /[{]/;\n"),
    ("a.ts", "class A {\n  constructor(private x: number) {}\n}\nabstract class B {\n  protected hook(): void {}\n}\n"),
    ("a.js", "class S { area() { throw new Error('not implemented'); } }\nclass Q extends S { area() { return 1; } }\n"),
    ("a.go", "package a\n\ntype T struct{}\n\nfunc (T) isNode() {}\nfunc (t T) Close() error { return nil }\n"),
    ("W.java", "class W extends WindowAdapter {\n  public void windowOpened(WindowEvent e) {}\n}\n"),
    ("d.rs", "impl Drop for X { fn drop(&mut self) {} }\nfn f() -> char { '{' }\n"),
    ("v.cpp", "class A { public: A() {} virtual ~A() {} virtual void tick() {} };\nint main() { return 0; }\n"),
    ("a.py", "import signal\n\ndef on_alarm(*_):\n    pass\n\nsignal.signal(signal.SIGALRM, on_alarm)\n"),
    ("a.py", "def _default_log(text):\n    pass\n\ndef run(log=_default_log):\n    log('x')\n"),
    ("a.py", 'class Plug:\n    def setup(self):\n        """Override to set up."""\n    def run(self):\n        go()\n'),
    ("a.py", "def close(self):\n    pass  # nothing to close\n"),
    ("a.py", "def f():\n    try:\n        g()\n    except OSError:\n        pass\n"),
    ("a.pyi", "def f(x: int) -> int: ...\n"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "text", "names"), STUBS)
def test_an_empty_function_is_seen_in_any_language(path: str, text: str, names: list[str]) -> None:
    """A body that is blank, says that it is to be written, or only raises or prints so."""
    assert seen("Write it.", {path: text}) == [("empty_function", path, name) for name in names]


@pytest.mark.parametrize(("path", "text"), ON_PURPOSE)
def test_a_function_that_is_empty_on_purpose_is_none(path: str, text: str) -> None:
    """Hooks, handlers, constructors, markers, and what a base or an interface asks for."""
    assert seen("Write it.", {path: text}) == []


@pytest.mark.parametrize(
    ("path", "text", "wrong"),
    [
        ("a.yaml", "```yaml\na: 1\n```\n", True),
        ("a.yaml", "a: [1, 2\nb: : c\n", True),
        ("a.yml", "The settings are as follows, see below.\n", True),
        ("a.yml", "A: !Ref B\n---\nb: 2\n", False),
        ("a.yml", "a: {{ x }}\n{% if y %}\nb: 1\n{% endif %}\n", False),
        ("logo.svg", "<html><body>logo</body></html>", True),
        ("logo.svg", '<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"></svg>\n', True),
        ("logo.svg", '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>\n', False),
        ("feed.xml", "<feed><a></feed>", True),
        ("index.html", 'import os\nprint("<h1>hi</h1>")\n', True),
        ("index.html", "<!DOCTYPE html><html><head><title>x</title></head><body>\n</body></html>", True),
        ("index.html", '<html><body></body><script src="a.js"></script></html>', False),
        ("board.html", '<body><div class="row"><i></i></div></body>', False),
        ("style.css", "The page should have a blue background.\n", True),
        ("style.css", ".a {\n  color: red;\n", True),
        ("style.css", '@import url("a.css");\n', False),
        ("a.js", "def main():\n    print('hi')\n\nmain()\n", True),
        ("a.js", "function f() {\n  if (x) {\n    g();\n", True),
        ("a.js", "const t = `${xs.map(x => `<li>${x}</li>`)}`; const r = /\\{/;\n", False),
        ("a.js", "Here is the program:\n\nconsole.log(1);\n", True),
        ("a.sh", "import os\nprint('x')\n", True),
        ("a.sh", "#!/usr/bin/env python3\nimport os\n", False),
        (
            "b.csv",
            "Here is the budget:\n\nThe hotel costs about 100 euros.\nWe should keep some money.\n",
            True,
        ),
        ("b.csv", '[{"item": "bed", "cost": 3}]\n', True),
        ("b.csv", "item,cost\nbed\nfood,1,2,3\n", True),
        ("b.csv", 'word;n\nalpha;"1;2"\nbeta;3\n', False),
        ("b.csv", "word\nalpha\nbeta\n", False),
        ("a.jsonl", "{}\n{}\n", False),
        ("a.csv", ",,\n", False),
        ("a.csv", "\x1c", False),
        ("a.jsonl", "{}\nand so on\n", True),
        ("README.md", "import os\n\ndef main():\n    print(os.name)\n", True),
        ("photo.png", "A picture of a cat.", True),
        ("report.pdf", "# Report\n", True),
    ],
)
def test_content_is_what_the_name_says_in_many_formats(path: str, text: str, wrong: bool) -> None:
    """What a reader of the format would refuse; fragments, templates and loose forms are left alone."""
    assert [kind for kind, *_ in seen("Make it.", {path: text})] == (["content"] if wrong else [])


@pytest.mark.parametrize(
    ("path", "text", "loops"),
    [
        ("tips.md", "".join(f"{n}. {TIP}" for n in range(1, 12)), True),
        ("a.txt", "very " * 300, True),
        ("a.md", "喝足够的水对健康很重要，每天都要坚持下去，不要忘记，这是非常重要的一件事情。" * 9, True),
        ("b.csv", "item,cost\n" + (ONCE + TWICE) * 12, True),
        ("s.css", ".b {\n  color: red;\n  padding: 10px 20px 10px 20px;\n  background: blue;\n}\n" * 12, True),
        ("s.sh", 'echo "Copying the files from the source folder to the target folder"\n' * 20, True),
        ("a.html", "<body>\n" + "<p>The museum opens at ten in the morning.</p>\n" * 9 + "</body>", True),
        ("a.html", "<ul>\n" + '<li class="item"><span class="box"></span>Free</li>\n' * 60 + "</ul>", False),
        ("d.json", "[\n" + '{"x": 0, "y": 0},\n' * 50 + '{"x": 0}]', False),
        ("w.md", "".join(f"## Week {n}\n{WEEK}" for n in range(1, 5)), False),
        ("w.md", "".join(f"### Day {n}\nWarm up, then stretch every muscle group well.\nDo {n} pushups.\n" for n in range(12)), False),
        ("t.md", "- [ ] Drink a glass of water in the morning or at noon\n" * 9, False),
        ("d.csv", "0,0,0,0,0,0\n" * 50, False),
        ("b.txt", "X O X O X O X O\n" * 30, False),
    ],
)  # fmt: skip
def test_only_what_a_stuck_model_writes_is_a_repetition(path: str, text: str, loops: bool) -> None:
    """Lines, sentences, words, rows and rules that loop; grids, plans, forms and data do not."""
    assert [kind for kind, *_ in seen("Make it.", {path: text})] == (["repeats"] if loops else [])


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("a.py", "# This program renames files\n# TODO\n", "empty_file"),
        ("style.css", "/* styles go here */\n", "empty_file"),
        ("plan.md", "# Plan\n\nTODO\n", "empty_file"),
        ("plan.md", "# Plan\n\nWe leave at ten.\n\n## Costs\n\n[Insert the costs here]\n", "left_out"),
        ("a.js", "run();\n// ... rest of the code remains the same\n", "left_out"),
        ("a.py", "import os\nprint(os.name)\n# Add your code here\n", "left_out"),
        ("a.py", "# This is why the\n# rest of the code\n# reads the name.\nprint(1)\n", ""),
        ("plan.md", "# Plan\n\nWrite me at the desk. Add your name to the list.\n", ""),
        ("plan.md", "Put this in:\n\n```js\n// your code here\n```\n", ""),
    ],
)
def test_a_part_that_words_stand_for_is_missing(path: str, text: str, kind: str) -> None:
    """A file of comments or headings alone, and a comment or line in the place of a part."""
    assert [each for each, *_ in seen(f"Write {path}.", {path: text})] == ([kind] if kind else [])


def test_a_placeholder_is_no_fault_where_a_template_is_asked_for() -> None:
    """The goal decides."""
    assert seen("Write letter.md, a template.", {"letter.md": "Dear [your name here],\n\nTODO\n"}) == []


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ('import argparse\np.add_argument("--list")\n', True),
        ("import typer\ndef main(list: bool = False):\n    go(list)\n", True),
        ('package main\nvar l = flag.Bool("list", false, "")\n', True),
        ("# --list lists all\nprint(list([1]))\n", False),
    ],
)
def test_an_option_is_looked_for_in_the_program_itself(text: str, has: bool) -> None:
    """A comment, another file or a function of the same name is no option."""
    path = "todo.go" if "package" in text else "todo.py"
    found = seen(
        f"Write {path} with an option --list, and README.md.", {path: text, "README.md": "Use --list.\n"}
    )
    assert found == ([] if has else [("option", "", "--list")])


def test_tests_that_test_or_check_nothing_are_none() -> None:
    """A file of tests without a test, or without a check in any of them."""
    program = {"a.py": "def f():\n    return 1\n"}
    goal = "Write a.py with tests."
    assert seen(goal, {**program, "test_a.py": "import a\n"}) == [("tests", "", "")]
    empty = {"test_a.py": "from a import f\n\ndef test_f():\n    f()\n"}
    assert seen(goal, {**program, **empty}) == [("tests", "test_a.py", "check nothing")]
    assert seen(goal, {**program, "test_a.py": "def test_f():\n    assert f() == 1\n"}) == []


def test_a_silent_program_is_seen_beside_a_loud_one() -> None:
    """Unless the loud one uses it, or the goal asks for no output of it."""
    silent, loud = RunRecord("python game.py", 0, "exit", ""), RunRecord("python note.py", 0, "exit", "x\n")
    files = {"game.py": "def play():\n    print(1)\n", "note.py": "print('x')\n"}
    assert seen("Write game.py, a guessing game, and note.py.", files, silent, loud) == [
        ("silent", "game.py", "")
    ]
    used = {**files, "note.py": "import game\nprint('x')\n"}
    assert seen("Write game.py, a guessing game, and note.py.", used, silent, loud) == []
    assert seen("Write game.py with a function board().", files, silent) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.rb", "def a\n" * 6_000),
        ("a.yaml", "[" * 6_000),
        ("a.svg", '<!DOCTYPE svg [<!ENTITY a "x">]>' + "&a;" * 9_000),
        ("a.js", "(/" * 20_000),
        ("a.md", "plan.md " * 6_000),
    ],
)
def test_a_text_made_to_take_long_takes_no_long_time(path: str, text: str) -> None:
    """Agents' texts are read by rules without a deadline: none grows with the square of a text's length."""
    began = time.process_time()
    seen(f"Write {path}. {text if path == 'a.md' else ''}", {path: text})
    assert time.process_time() - began < 3.0
