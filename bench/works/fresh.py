"""Works that were fixed before the rule of the second writing was changed, and are only run. Do not tune
anything to them."""

from __future__ import annotations

from bench.works.record import Work

BINARY = Work(
    name="binary",
    kind="function with examples",
    goal='''Write binary.py with this function:

def gaps(number: int) -> int:
    """Return the length of the longest run of zeros between two ones in the binary form of a number.
    >>> gaps(9)
    2
    >>> gaps(8)
    0
    >>> gaps(529)
    4
    """
''',
    files=("binary.py",),
    check="""
from binary import gaps
check("example", gaps(9) == 2)
check("end", gaps(8) == 0 and gaps(0) == 0)
check("longest", gaps(529) == 4)
check("ones", gaps(15) == 0)
""",
    reference={
        "binary.py": """
def gaps(number):
    return max(map(len, bin(number)[2:].strip("0").split("1")), default=0)
"""
    },
)

ROTATE = Work(
    name="rotate",
    kind="function in words",
    goal=(
        "Write rotate.py with a function rotate(items, steps) that returns a new list with the items moved "
        "to the right by steps places; what falls off at the end comes back at the beginning. Negative "
        "steps move to the left. An empty list stays empty."
    ),
    files=("rotate.py",),
    check="""
from rotate import rotate
given = [1, 2, 3, 4]
check("right", rotate(given, 1) == [4, 1, 2, 3])
check("left", rotate(given, -1) == [2, 3, 4, 1])
check("around", rotate(given, 6) == [3, 4, 1, 2])
check("empty", rotate([], 3) == [])
check("new", given == [1, 2, 3, 4])
""",
    reference={
        "rotate.py": """
def rotate(items, steps):
    if not items:
        return []
    steps %= len(items)
    return items[-steps:] + items[:-steps] if steps else list(items)
"""
    },
)

AREA = Work(
    name="area",
    kind="program with arguments",
    goal=(
        "Write area.py: `python area.py 3 4` prints the area of a rectangle of 3 by 4, here 12. With other "
        "than two arguments it prints `usage: area.py WIDTH HEIGHT` and ends with exit code 2."
    ),
    files=("area.py",),
    check="""
check("area", run("area.py", "3", "4").out.split() == ["12"])
few = run("area.py", "3")
check("usage", "usage: area.py WIDTH HEIGHT" in few.out + few.err)
check("code", few.code == 2 and run("area.py").code == 2)
""",
    reference={
        "area.py": """
import sys

if len(sys.argv) != 3:
    print("usage: area.py WIDTH HEIGHT")
    sys.exit(2)
print(int(sys.argv[1]) * int(sys.argv[2]))
"""
    },
)

EXTENSION = Work(
    name="extension",
    kind="program with arguments",
    goal=(
        "Write extension.py: `python extension.py FOLDER` prints, for the files of the folder itself, each "
        "ending such as `.txt` with how often it occurs, as in `.txt 2`, one a line, in alphabetical order. "
        "Files without an ending are left out."
    ),
    files=("extension.py",),
    check="""
Path("box").mkdir()
for name in ("a.txt", "b.txt", "c.md", "README"):
    put("box/" + name, "x")
check("counted", run("extension.py", "box").out.splitlines() == [".md 1", ".txt 2"])
Path("none").mkdir()
empty = run("extension.py", "none")
check("empty", empty.code == 0 and empty.out.strip() == "")
""",
    reference={
        "extension.py": """
import sys
from collections import Counter
from pathlib import Path

found = Counter(path.suffix for path in Path(sys.argv[1]).iterdir() if path.is_file() and path.suffix)
for suffix in sorted(found):
    print(suffix, found[suffix])
"""
    },
)

SHOUT = Work(
    name="shout",
    kind="filter of standard input",
    goal=(
        "Write shout.py: it reads text from standard input and prints each line in capital letters with the "
        "number of its words before it, as in `2 HELLO THERE`. Empty lines are left out."
    ),
    files=("shout.py",),
    check="""
said = run("shout.py", stdin="hello there\\n\\nyes\\n").out.splitlines()
check("lines", said == ["2 HELLO THERE", "1 YES"])
check("nothing", run("shout.py", stdin="").out == "")
""",
    reference={
        "shout.py": """
import sys

for line in sys.stdin:
    if line.strip():
        print(len(line.split()), line.strip().upper())
"""
    },
)

AVERAGE = Work(
    name="average",
    kind="filter of standard input",
    goal=(
        "Write average.py: it reads whole numbers from standard input, one a line, and prints their average "
        "with one decimal, as in `2.5`. Without any number it prints `no numbers`."
    ),
    files=("average.py",),
    check="""
check("half", run("average.py", stdin="2\\n3\\n").out.strip() == "2.5")
check("minus", run("average.py", stdin="-4\\n0\\n1\\n").out.strip() == "-1.0")
check("nothing", run("average.py", stdin="").out.strip() == "no numbers")
""",
    reference={
        "average.py": """
import sys

numbers = [int(line) for line in sys.stdin if line.strip()]
print(f"{sum(numbers) / len(numbers):.1f}" if numbers else "no numbers")
"""
    },
)

LIFT = Work(
    name="lift",
    kind="dialogue",
    goal=(
        "Write lift.py: a lift begins at floor 0. The program reads commands from standard input, one a "
        "line: `up` and `down` move it by one floor (never below 0 or above 5), `where` prints the floor, "
        "and `quit` ends the program. It prints nothing else."
    ),
    files=("lift.py",),
    check="""
check("up", run("lift.py", stdin="up\\nup\\nwhere\\nquit\\n").out.split() == ["2"])
check("bottom", run("lift.py", stdin="down\\nwhere\\nquit\\n").out.split() == ["0"])
check("top", run("lift.py", stdin="up\\n" * 9 + "where\\ndown\\nwhere\\nquit\\n").out.split() == ["5", "4"])
""",
    reference={
        "lift.py": """
floor = 0
while (command := input().strip()) != "quit":
    if command == "up":
        floor = min(5, floor + 1)
    elif command == "down":
        floor = max(0, floor - 1)
    elif command == "where":
        print(floor)
"""
    },
)

CLOCK = Work(
    name="clock",
    kind="program and tests",
    goal=(
        "Write clock.py with a function minutes(text) that turns a time such as `2:05` into minutes, here "
        "125, and raises ValueError for anything else, also for minutes above 59. Write test_clock.py with "
        "pytest tests for both."
    ),
    files=("clock.py", "test_clock.py"),
    check="""
from clock import minutes
check("usual", minutes("2:05") == 125 and minutes("0:00") == 0)
check("words", raises(ValueError, minutes, "noon"))
check("sixty", raises(ValueError, minutes, "1:60"))
check("tests pass", pytest("test_clock.py").passed >= 2)
check("tests tell", pytest("test_clock.py").failed == 0)
""",
    reference={
        "clock.py": """
import re

def minutes(text):
    found = re.fullmatch(r"(\\d+):([0-5]\\d)", text)
    if not found:
        raise ValueError(text)
    return int(found[1]) * 60 + int(found[2])
""",
        "test_clock.py": """
import pytest

from clock import minutes

def test_usual():
    assert minutes("2:05") == 125

def test_other():
    with pytest.raises(ValueError):
        minutes("1:60")
""",
    },
)

INVOICE = Work(
    name="invoice",
    kind="files in, files out",
    goal=(
        "Write invoice.py: it reads items.csv, which has the header `name,price,count` (price and count are "
        "whole numbers), and writes total.txt with one line, the sum of price times count of all items."
    ),
    files=("invoice.py",),
    check="""
put("items.csv", "name,price,count\\npen,2,3\\nbook,10,1\\n")
check("runs", run("invoice.py").code == 0)
check("sum", got("total.txt").strip() == "16")
put("items.csv", "name,price,count\\n")
run("invoice.py")
check("nothing", got("total.txt").strip() == "0")
""",
    reference={
        "invoice.py": """
import csv

with open("items.csv") as file:
    total = sum(int(row["price"]) * int(row["count"]) for row in csv.DictReader(file))
with open("total.txt", "w") as file:
    file.write(f"{total}\\n")
"""
    },
)

SPLIT = Work(
    name="split",
    kind="files in, files out",
    goal=(
        "Write split.py: it reads all.txt and writes its lines that begin with `#` to comments.txt and all "
        "others to rest.txt, each in their order."
    ),
    files=("split.py",),
    check="""
put("all.txt", "# a\\nb\\n#c\\nd\\n")
check("runs", run("split.py").code == 0)
check("comments", got("comments.txt").splitlines() == ["# a", "#c"])
check("rest", got("rest.txt").splitlines() == ["b", "d"])
""",
    reference={
        "split.py": """
with open("all.txt") as file:
    lines = file.readlines()
with open("comments.txt", "w") as file:
    file.writelines(line for line in lines if line.startswith("#"))
with open("rest.txt", "w") as file:
    file.writelines(line for line in lines if not line.startswith("#"))
"""
    },
)

PLANETS = Work(
    name="planets",
    kind="document",
    goal=(
        "Write planets.json: a list of the four inner planets in their order from the sun, each an object "
        "with `name` and `moons` (their number: Mercury 0, Venus 0, Earth 1, Mars 2)."
    ),
    files=("planets.json",),
    check="""
rows = loaded("planets.json") or []
check("names", [row.get("name") for row in rows] == ["Mercury", "Venus", "Earth", "Mars"])
check("moons", [row.get("moons") for row in rows] == [0, 0, 1, 2])
""",
    reference={
        "planets.json": (
            '[{"name": "Mercury", "moons": 0}, {"name": "Venus", "moons": 0}, '
            '{"name": "Earth", "moons": 1}, {"name": "Mars", "moons": 2}]\n'
        )
    },
)

FOLD = Work(
    name="fold",
    kind="function with examples",
    goal='''Write fold.py with this function:

def fold(text: str, width: int) -> list[str]:
    """Return the words of a text in lines of at most `width` characters, as many words a line as fit.
    A word that is longer than `width` stands alone.
    >>> fold("the cat sat", 7)
    ['the cat', 'sat']
    >>> fold("", 5)
    []
    """
''',
    files=("fold.py",),
    check="""
from fold import fold
check("example", fold("the cat sat", 7) == ["the cat", "sat"])
check("empty", fold("", 5) == [])
check("long", fold("a extraordinary b", 5) == ["a", "extraordinary", "b"])
check("exact", fold("ab cd", 5) == ["ab cd"])
""",
    reference={
        "fold.py": """
def fold(text, width):
    lines = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines
"""
    },
)

FRESH: tuple[Work, ...] = (
    INVOICE,
    AREA,
    SHOUT,
    ROTATE,
    LIFT,
    CLOCK,
    PLANETS,
    BINARY,
    EXTENSION,
    SPLIT,
    AVERAGE,
    FOLD,
)
"""In the order in which they are run: each kind once, then the rest."""
