"""Check the parts of the card and the card itself."""

from card import AGE, NAME, WIDTH, candles, card, read

poem, picture = read("poem.txt"), read("picture.txt")
assert len(poem) == 4, f"the poem has {len(poem)} lines, not 4"
assert NAME in poem[0], "the poem does not name her"
assert "nine candles" in " ".join(poem), "the poem has not nine candles"
assert max(map(len, poem + picture)) <= WIDTH, "a line is too long for the frame"
assert candles(AGE)[0].count("'") == AGE, "the card has not nine candles"
widths = {len(line) for line in card(NAME, AGE, picture, poem).splitlines()}
assert len(widths) == 1, "the frame is not straight"
print("Four lines, nine candles, a straight frame: the card is right.")
