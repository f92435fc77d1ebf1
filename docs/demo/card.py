"""Print a birthday card and keep it as card.txt."""

from pathlib import Path

NAME, AGE, WIDTH = "Mia", 9, 41


def read(name):
    """Return the lines of a file."""
    return Path(name).read_text(encoding="utf-8").splitlines()


def candles(age):
    """Return one candle for each year: a row of flames above a row of wax."""
    return [" ".join(mark * age) for mark in "'|"]


def card(name, age, picture, poem):
    """Return the card as text, with a frame around it."""
    title = f"HAPPY BIRTHDAY, {name.upper()}!"
    middle = [line.center(WIDTH) for line in (title, "", *candles(age))]
    inside = ["", *middle, "", *picture, "", *poem, ""]
    edge = "+" + "-" * (WIDTH + 2) + "+"
    return "\n".join([edge, *(f"| {line:<{WIDTH}} |" for line in inside), edge])


if __name__ == "__main__":
    text = card(NAME, AGE, read("picture.txt"), read("poem.txt"))
    Path("card.txt").write_text(text + "\n", encoding="utf-8")
    print(text)
