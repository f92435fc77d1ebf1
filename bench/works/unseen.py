"""Works that were fixed before anything was changed, and are only run. Do not tune anything to them."""

from __future__ import annotations

from bench.works.record import Work

DIGITS = Work(
    name="digits",
    kind="function with examples",
    goal='''Write digits.py with this function:

def digital_root(number: int) -> int:
    """Return the digital root: the sum of the decimal digits, taken again until one digit is left.
    >>> digital_root(38)
    2
    >>> digital_root(0)
    0
    >>> digital_root(-493)
    7
    """
''',
    files=("digits.py",),
    check="""
from digits import digital_root
check("example", digital_root(38) == 2)
check("zero", digital_root(0) == 0)
check("minus", digital_root(-493) == 7)
check("large", digital_root(10 ** 30 - 1) == 9)
""",
    reference={
        "digits.py": """
def digital_root(number):
    number = abs(number)
    while number > 9:
        number = sum(int(digit) for digit in str(number))
    return number
"""
    },
)

MERGE = Work(
    name="merge",
    kind="function with examples",
    goal='''Write merge.py with this function:

def merge(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans (first, last) in order, with spans that overlap or share an end joined to one.
    >>> merge([(5, 7), (1, 3), (2, 4)])
    [(1, 4), (5, 7)]
    >>> merge([(1, 2), (2, 3)])
    [(1, 3)]
    >>> merge([])
    []
    """
''',
    files=("merge.py",),
    check="""
from merge import merge
check("example", [tuple(s) for s in merge([(5, 7), (1, 3), (2, 4)])] == [(1, 4), (5, 7)])
check("shared", [tuple(s) for s in merge([(1, 2), (2, 3)])] == [(1, 3)])
check("empty", list(merge([])) == [])
check("inside", [tuple(s) for s in merge([(1, 9), (2, 3), (4, 5)])] == [(1, 9)])
""",
    reference={
        "merge.py": """
def merge(spans):
    made = []
    for first, last in sorted(spans):
        if made and first <= made[-1][1]:
            made[-1] = (made[-1][0], max(last, made[-1][1]))
        else:
            made.append((first, last))
    return made
"""
    },
)

SECOND = Work(
    name="second",
    kind="function in words",
    goal=(
        "Write second.py with a function second_largest(numbers) that returns the second largest of the "
        "different values in a list, or None where there are fewer than two different values."
    ),
    files=("second.py",),
    check="""
from second import second_largest
check("usual", second_largest([3, 9, 4]) == 4)
check("repeated", second_largest([5, 5, 2]) == 2)
check("equal", second_largest([7, 7]) is None)
check("empty", second_largest([]) is None)
check("minus", second_largest([-1, -5, -3]) == -3)
""",
    reference={
        "second.py": """
def second_largest(numbers):
    values = sorted(set(numbers))
    return values[-2] if len(values) > 1 else None
"""
    },
)

PRIMES = Work(
    name="primes",
    kind="program with arguments",
    goal=(
        "Write primes.py: `python primes.py 20` prints the prime numbers up to and including 20 on one "
        "line, separated by spaces. For a number below 2 it prints an empty line."
    ),
    files=("primes.py",),
    check="""
check("twenty", run("primes.py", "20").out.split() == ["2", "3", "5", "7", "11", "13", "17", "19"])
check("included", run("primes.py", "7").out.strip() == "2 3 5 7")
none = run("primes.py", "1")
check("none", none.code == 0 and none.out.strip() == "")
""",
    reference={
        "primes.py": """
import sys

limit = int(sys.argv[1])
print(*[n for n in range(2, limit + 1) if all(n % d for d in range(2, int(n ** 0.5) + 1))])
"""
    },
)

DISTINCT = Work(
    name="distinct",
    kind="filter of standard input",
    goal=(
        "Write distinct.py: it reads all lines from standard input and prints each different line once, in "
        "the order in which they first came."
    ),
    files=("distinct.py",),
    check="""
check("once", run("distinct.py", stdin="b\\na\\nb\\nc\\na\\n").out.splitlines() == ["b", "a", "c"])
check("nothing", run("distinct.py", stdin="").out == "")
check("last line", run("distinct.py", stdin="x\\nx").out.splitlines() == ["x"])
""",
    reference={
        "distinct.py": """
import sys

for line in dict.fromkeys(sys.stdin.read().splitlines()):
    print(line)
"""
    },
)

COUNTER = Work(
    name="counter",
    kind="filter of standard input",
    goal=(
        "Write counter.py: it reads a text from standard input and prints three numbers on one line, "
        "separated by spaces: how many lines, how many words, how many characters it has (line ends count "
        "as characters)."
    ),
    files=("counter.py",),
    check="""
check("text", run("counter.py", stdin="one two\\nthree\\n").out.split() == ["2", "3", "14"])
check("nothing", run("counter.py", stdin="").out.split() == ["0", "0", "0"])
check("spaces", run("counter.py", stdin="  a  b \\n").out.split() == ["1", "2", "8"])
""",
    reference={
        "counter.py": """
import sys

text = sys.stdin.read()
print(len(text.splitlines()), len(text.split()), len(text))
"""
    },
)

STACK = Work(
    name="stack",
    kind="dialogue",
    goal=(
        "Write stack.py, a program that reads commands from the keyboard until `quit`: `push X` puts the "
        "word X on a stack, `pop` takes the top word off and prints it, `show` prints all words from "
        "bottom to top on one line, separated by spaces. `pop` of an empty stack prints `empty`."
    ),
    files=("stack.py",),
    check="""
said = run("stack.py", stdin="push a\\npush b\\npush c\\nshow\\npop\\npop\\npop\\npop\\nquit\\n")
check("ends", said.code == 0)
check("show", "a b c" in said.out)
check("order", said.out.rfind("c") < said.out.rfind("b") < said.out.rfind("empty"))
check("empty", "empty" in said.out.lower())
""",
    reference={
        "stack.py": """
stack = []
while True:
    words = input().split()
    if words == ["quit"]:
        break
    if words[:1] == ["push"]:
        stack.append(words[1])
    elif words == ["pop"]:
        print(stack.pop() if stack else "empty")
    elif words == ["show"]:
        print(*stack)
"""
    },
)

SLUG = Work(
    name="slug",
    kind="program and tests",
    goal=(
        "Write slug.py with a function slug(title): lower case, every run of characters other than letters "
        "a to z and digits becomes one hyphen, no hyphen at the start or the end. Write test_slug.py with "
        "pytest tests for it, among them one for hyphens at the ends."
    ),
    files=("slug.py", "test_slug.py"),
    check="""
from slug import slug
check("usual", slug("Hello, World") == "hello-world")
check("ends", slug("  --A b!  ") == "a-b")
check("tests pass", pytest("test_slug.py").passed >= 1)
replace("slug.py", "import re\\n\\ndef slug(title):\\n    return re.sub('[^a-z0-9]+', '-', title.lower())\\n")
check("tests notice the ends", pytest("test_slug.py").failed >= 1)
""",
    reference={
        "slug.py": """
import re

def slug(title):
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")
""",
        "test_slug.py": """
from slug import slug

def test_words():
    assert slug("Hello, World") == "hello-world"

def test_ends():
    assert slug("!a b!") == "a-b"
""",
    },
)

LINES = Work(
    name="lines",
    kind="program and tests",
    goal=(
        "Write lines.py: `python lines.py FILE` prints the lines of the file with their numbers, as in `1: "
        "first line`. With the option --count it prints only how many lines there are. Write test_lines.py "
        "with pytest tests for both."
    ),
    files=("lines.py", "test_lines.py"),
    check="""
put("some.txt", "alpha\\nbeta\\n")
check("numbers", run("lines.py", "some.txt").out.splitlines() == ["1: alpha", "2: beta"])
counted = [run("lines.py", "--count", "some.txt"), run("lines.py", "some.txt", "--count")]
check("count", ["2"] in [each.out.split() for each in counted])
check("tests pass", pytest("test_lines.py").passed >= 2)
""",
    reference={
        "lines.py": """
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("file")
parser.add_argument("--count", action="store_true")
given = parser.parse_args()
with open(given.file) as file:
    lines = file.read().splitlines()
if given.count:
    print(len(lines))
else:
    for number, line in enumerate(lines, 1):
        print(f"{number}: {line}")
""",
        "test_lines.py": """
import subprocess
import sys

def shown(tmp_path, *options):
    path = tmp_path / "a.txt"
    path.write_text("x\\ny\\n")
    words = [sys.executable, "lines.py", str(path), *options]
    return subprocess.run(words, capture_output=True, text=True).stdout

def test_lines(tmp_path):
    assert shown(tmp_path) == "1: x\\n2: y\\n"

def test_count(tmp_path):
    assert shown(tmp_path, "--count") == "2\\n"
""",
    },
)

GRADES = Work(
    name="grades",
    kind="files in, files out",
    goal=(
        "Write grades.py: it reads grades.txt with lines such as `Ada 71` (a name and a whole number) and "
        "writes passed.txt with the names of those who have 50 or more, one a line, in alphabetical order."
    ),
    files=("grades.py",),
    check="""
put("grades.txt", "Zoe 50\\nBob 49\\nAda 71\\n")
check("runs", run("grades.py").code == 0)
check("passed", got("passed.txt").split() == ["Ada", "Zoe"])
put("grades.txt", "Bob 3\\n")
run("grades.py")
check("nobody", got("passed.txt").strip() == "")
""",
    reference={
        "grades.py": """
with open("grades.txt") as file:
    rows = [line.split() for line in file if line.strip()]
with open("passed.txt", "w") as file:
    for name in sorted(name for name, mark in rows if int(mark) >= 50):
        file.write(name + "\\n")
"""
    },
)

WEEK = Work(
    name="week",
    kind="document",
    goal=(
        "Write week.csv: the header `day,hours`, then a line for each day from Monday to Sunday, in this "
        "order, with 8 hours from Monday to Friday and 0 on Saturday and Sunday."
    ),
    files=("week.csv",),
    check="""
rows = got("week.csv").split()
days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
check("header", rows[:1] == ["day,hours"])
check("days", [row.split(",")[0] for row in rows[1:]] == days)
check("hours", [row.split(",")[1] for row in rows[1:]] == ["8"] * 5 + ["0"] * 2)
""",
    reference={
        "week.csv": (
            "day,hours\nMonday,8\nTuesday,8\nWednesday,8\nThursday,8\nFriday,8\nSaturday,0\nSunday,0\n"
        )
    },
)

NOTES = Work(
    name="notes",
    kind="document",
    goal=(
        "Write NOTES.md, in Markdown, about a small program called Tally: a title `# Tally`, a section `## "
        "Install` with the command `pip install tally` in a code block, and a section `## Use` with a list "
        "of exactly three items that begin with `- `."
    ),
    files=("NOTES.md",),
    check="""
text = got("NOTES.md")
lines = [line.strip() for line in text.splitlines()]
check("title", "# Tally" in lines)
check("sections", "## Install" in lines and "## Use" in lines)
check("command", "pip install tally" in text and "```" in text)
use = lines[lines.index("## Use"):] if "## Use" in lines else []
check("three", sum(line.startswith("- ") for line in use) == 3)
""",
    reference={
        "NOTES.md": (
            "# Tally\n\n## Install\n\n```\npip install tally\n```\n\n## Use\n\n- count\n- add\n- show\n"
        )
    },
)

UNSEEN: tuple[Work, ...] = (
    DIGITS,
    SECOND,
    PRIMES,
    DISTINCT,
    STACK,
    SLUG,
    GRADES,
    WEEK,
    MERGE,
    COUNTER,
    LINES,
    NOTES,
)
