"""Works that may be looked at while the product is changed."""

from __future__ import annotations

from bench.works.record import Work

RUNLENGTH = Work(
    name="runlength",
    kind="function with examples",
    goal='''Write runlength.py with this function:

def runlength(text: str) -> str:
    """Return the text with each run of equal characters as the character and its length.
    >>> runlength("aaab")
    'a3b1'
    >>> runlength("")
    \'\'
    >>> runlength("abba")
    'a1b2a1'
    """
''',
    files=("runlength.py",),
    check="""
from runlength import runlength
check("example", runlength("aaab") == "a3b1")
check("empty", runlength("") == "")
check("long run", runlength("x" * 12) == "x12")
check("mixed", runlength("abba  c") == "a1b2a1 2c1")
""",
    reference={
        "runlength.py": """
from itertools import groupby

def runlength(text):
    return "".join(f"{key}{len(list(run))}" for key, run in groupby(text))
"""
    },
)

VOWELS = Work(
    name="vowels",
    kind="function in words",
    goal=(
        "Write vowels.py with a function count_vowels(text) that returns how many of the letters a, e, i, "
        "o and u are in the text, capital letters included."
    ),
    files=("vowels.py",),
    check="""
from vowels import count_vowels
check("some", count_vowels("education") == 5)
check("capitals", count_vowels("AEIOU and u") == 7)
check("none", count_vowels("rhythm") == 0)
check("empty", count_vowels("") == 0)
""",
    reference={"vowels.py": "def count_vowels(text):\n    return sum(c in 'aeiou' for c in text.lower())\n"},
)

CHUNKS = Work(
    name="chunks",
    kind="function in words",
    goal=(
        "Write chunks.py with a function chunks(items, size) that returns a list of lists: the items in "
        "order, cut into pieces of the given size; the last piece may be shorter. A size below 1 raises "
        "ValueError."
    ),
    files=("chunks.py",),
    check="""
from chunks import chunks
check("even", chunks([1, 2, 3, 4], 2) == [[1, 2], [3, 4]])
check("rest", chunks([1, 2, 3], 2) == [[1, 2], [3]])
check("empty", chunks([], 3) == [])
check("size", raises(ValueError, chunks, [1], 0))
""",
    reference={
        "chunks.py": """
def chunks(items, size):
    if size < 1:
        raise ValueError("size must be at least 1")
    return [list(items[at:at + size]) for at in range(0, len(items), size)]
"""
    },
)

TEMPERATURE = Work(
    name="temperature",
    kind="program with arguments",
    goal=(
        "Write temperature.py. It takes a number and a unit on the command line: `python temperature.py "
        "100 C` prints 212.0 (to Fahrenheit), `python temperature.py 32 F` prints 0.0 (to Celsius). It "
        "prints nothing but the number, with one digit after the point."
    ),
    files=("temperature.py",),
    check="""
check("C", run("temperature.py", "100", "C").out.split() == ["212.0"])
check("F", run("temperature.py", "32", "F").out.split() == ["0.0"])
check("fraction", run("temperature.py", "37.5", "C").out.split() == ["99.5"])
check("minus", run("temperature.py", "-40", "F").out.split() == ["-40.0"])
""",
    reference={
        "temperature.py": """
import sys

value, unit = float(sys.argv[1]), sys.argv[2]
print(f"{value * 9 / 5 + 32 if unit == 'C' else (value - 32) * 5 / 9:.1f}")
"""
    },
)

LONGEST = Work(
    name="longest",
    kind="program with arguments",
    goal=(
        "Write longest.py: it prints the longest of the words given on the command line, the first of "
        "equals. Without any word it prints `no words` and ends with exit code 2."
    ),
    files=("longest.py",),
    check="""
check("longest", run("longest.py", "a", "three", "to").out.strip() == "three")
check("first", run("longest.py", "abc", "xyz").out.strip() == "abc")
nothing = run("longest.py")
check("code", nothing.code == 2)
check("says", "no words" in nothing.out + nothing.err)
""",
    reference={
        "longest.py": """
import sys

if not sys.argv[1:]:
    print("no words")
    sys.exit(2)
print(max(sys.argv[1:], key=len))
"""
    },
)

TOTAL = Work(
    name="total",
    kind="filter of standard input",
    goal=(
        "Write total.py: it reads whole numbers from standard input, one a line, and prints their sum. "
        "Empty lines are skipped. For no numbers it prints 0."
    ),
    files=("total.py",),
    check="""
check("sum", run("total.py", stdin="1\\n2\\n3\\n").out.split()[-1:] == ["6"])
check("empty lines", run("total.py", stdin="5\\n\\n-2\\n\\n").out.split()[-1:] == ["3"])
check("nothing", run("total.py", stdin="").out.split()[-1:] == ["0"])
""",
    reference={"total.py": "import sys\n\nprint(sum(int(line) for line in sys.stdin if line.strip()))\n"},
)

SHOP = Work(
    name="shop",
    kind="dialogue",
    goal=(
        "Write shop.py, a program that reads commands from the keyboard until `quit`: `add NAME PRICE` "
        "puts something into the basket, `total` prints the sum of all prices with two digits after the "
        "point, `list` prints the names, one a line. For anything else it prints `unknown command`."
    ),
    files=("shop.py",),
    check="""
said = run("shop.py", stdin="add milk 1.5\\nadd bread 2.25\\ntotal\\nlist\\nfly\\nquit\\n")
check("ends", said.code == 0)
check("total", "3.75" in said.out)
check("list", "milk" in said.out and "bread" in said.out)
check("unknown", "unknown command" in said.out.lower())
""",
    reference={
        "shop.py": """
basket = []
while True:
    words = input().split()
    if words == ["quit"]:
        break
    if len(words) == 3 and words[0] == "add":
        basket.append((words[1], float(words[2])))
    elif words == ["total"]:
        print(f"{sum(price for _, price in basket):.2f}")
    elif words == ["list"]:
        for name, _ in basket:
            print(name)
    else:
        print("unknown command")
"""
    },
)

GUESS = Work(
    name="guess",
    kind="dialogue",
    goal=(
        "Write guess.py: the secret number is 37. The program asks for a number again and again; it prints "
        "`higher` when the secret is higher than what was typed, `lower` when it is lower, and `found in N "
        "tries` when it is right, then it ends. What is no number is not counted; it prints `a number, "
        "please`."
    ),
    files=("guess.py",),
    check="""
said = run("guess.py", stdin="10\\n50\\nabc\\n37\\n")
check("ends", said.code == 0)
check("higher", "higher" in said.out.lower())
check("lower", "lower" in said.out.lower())
check("nonsense", "a number, please" in said.out.lower())
check("count", "found in 3 tries" in said.out.lower())
""",
    reference={
        "guess.py": """
tries = 0
while True:
    try:
        number = int(input("Number: "))
    except ValueError:
        print("a number, please")
        continue
    tries += 1
    if number == 37:
        print(f"found in {tries} tries")
        break
    print("higher" if number < 37 else "lower")
"""
    },
)

LEAP = Work(
    name="leap",
    kind="program and tests",
    goal=(
        "Write leap.py with a function is_leap(year) for the Gregorian calendar, and test_leap.py with "
        "pytest tests for it: a usual year, a leap year, 1900 and 2000."
    ),
    files=("leap.py", "test_leap.py"),
    check="""
from leap import is_leap
check("leap", is_leap(2024) and is_leap(2000))
check("usual", not is_leap(2023) and not is_leap(1900))
check("tests pass", pytest("test_leap.py").passed >= 1)
replace("leap.py", "def is_leap(year):\\n    return year % 4 == 0\\n")
check("tests notice 1900", pytest("test_leap.py").failed >= 1)
""",
    reference={
        "leap.py": "def is_leap(year):\n    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)\n",
        "test_leap.py": """
from leap import is_leap

def test_years():
    assert not is_leap(2023)
    assert is_leap(2024)
    assert not is_leap(1900)
    assert is_leap(2000)
""",
    },
)

SALES = Work(
    name="sales",
    kind="files in, files out",
    goal=(
        "Write sales.py: it reads sales.csv (first line `item,amount`, then lines such as `tea,3`) and "
        "writes totals.json, an object with the sum of the amounts of each item."
    ),
    files=("sales.py",),
    check="""
put("sales.csv", "item,amount\\ntea,3\\ncoffee,5\\ntea,4\\n")
check("runs", run("sales.py").code == 0)
made = loaded("totals.json")
check("sums", made == {"tea": 7, "coffee": 5})
put("sales.csv", "item,amount\\n")
run("sales.py")
check("none", loaded("totals.json") == {})
""",
    reference={
        "sales.py": """
import csv
import json

totals = {}
with open("sales.csv", newline="") as file:
    for row in csv.DictReader(file):
        totals[row["item"]] = totals.get(row["item"], 0) + int(row["amount"])
with open("totals.json", "w") as file:
    json.dump(totals, file)
"""
    },
)

WORDS = Work(
    name="words",
    kind="files in, files out",
    goal=(
        "Write words.py: it reads input.txt and writes counts.csv with the header `word,count` and a line "
        "for each word in alphabetical order. Words are separated by white space and counted in lower case."
    ),
    files=("words.py",),
    check="""
put("input.txt", "The cat and the dog\\nand THE end\\n")
check("runs", run("words.py").code == 0)
lines = got("counts.csv").split()
check("header", lines[:1] == ["word,count"])
check("counts", lines[1:] == ["and,2", "cat,1", "dog,1", "end,1", "the,3"])
""",
    reference={
        "words.py": """
from collections import Counter

with open("input.txt") as file:
    counts = Counter(file.read().lower().split())
with open("counts.csv", "w") as file:
    file.write("word,count\\n")
    for word in sorted(counts):
        file.write(f"{word},{counts[word]}\\n")
"""
    },
)

MENU = Work(
    name="menu",
    kind="document",
    goal=(
        "Write menu.json: a JSON list of exactly three dishes. Each is an object with `name` (text), "
        "`price` (a number) and `vegetarian` (true or false). At least one is vegetarian and at least one "
        "is not."
    ),
    files=("menu.json",),
    check="""
menu = loaded("menu.json")
check("three", isinstance(menu, list) and len(menu) == 3)
check("names", all(isinstance(dish["name"], str) and dish["name"] for dish in menu))
check("prices", all(isinstance(dish["price"], (int, float)) for dish in menu))
check("both", {dish["vegetarian"] for dish in menu} == {True, False})
""",
    reference={
        "menu.json": (
            '[{"name": "Soup", "price": 4, "vegetarian": true}, {"name": "Stew", "price": 9.5, '
            '"vegetarian": false}, {"name": "Salad", "price": 5, "vegetarian": true}]\n'
        )
    },
)

SEEN: tuple[Work, ...] = (
    RUNLENGTH,
    VOWELS,
    TEMPERATURE,
    TOTAL,
    SHOP,
    LEAP,
    SALES,
    MENU,
    CHUNKS,
    LONGEST,
    GUESS,
    WORDS,
)
