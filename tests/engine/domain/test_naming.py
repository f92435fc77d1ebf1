"""Names that a reader would take for somebody else's are told apart or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.naming import (
    MAX_NAME,
    clean_name,
    is_foreign_title,
    is_reserved,
    is_role,
    name_key,
    named_as,
    person_keys,
    unique_name,
)
from engine.domain.titles import LONGEST, shortened, title_of

TWINS = [
    "boss",
    "BOSS",
    "Bo\u0455s",
    "\u0412\u043e\u0455\u0455",
    "\uff22\uff4f\uff53\uff53",
    "Boss\u3164",
    "Bo\u200bss",
    "B0ss",
    "Bo\u0301ss",
    "\u0392\u03bf\u0455s",
    "@Boss",
    "Boss\U000e0041",
    "B\u01a1ss",
    "\U0001d401\U0001d428\U0001d42c\U0001d42c",
]


@pytest.mark.parametrize("twin", TWINS)
def test_what_looks_like_a_name_is_that_name(twin: str) -> None:
    """Case, width, fillers, accents and letters of other scripts make no other name."""
    assert name_key(twin) == name_key("Boss")
    assert unique_name(twin, {name_key("Boss")}).endswith(" 2")
    assert is_role(twin) and is_role(f"the {twin}") and is_role(f"{twin} 7")


@pytest.mark.parametrize(
    "name",
    [
        "the system",
        "System",
        "SYSTEM 2",
        "\u0405ystem",
        "Person",
        "User",
        "users",
        "People",
        "Humans",
        "hum\u0430n",
        "a person",
        "The Engine",
        "everyone",
        "Ada a person who watches this task",
        "group",
        "me",
        "All",
    ],
)
def test_nobody_is_called_like_the_engine_or_a_person(name: str) -> None:
    """Such a name is refused where it is chosen, and marked where it comes all the same."""
    assert is_reserved(name)
    made = unique_name(name, ())
    assert made.startswith("Agent called ") and len(made) <= MAX_NAME


@pytest.mark.parametrize(
    "name",
    [
        "Ali",
        "Ian",
        "System Architect",
        "User Interface",
        "Head of Design",
        "People Ops",
        "Jos\u00e9",
        "\u5c0f\u660e",
    ],
)
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    """Nothing is refused for a word inside it."""
    assert not is_reserved(name) and not is_role(name)
    assert unique_name(name, ()) == name


@pytest.mark.parametrize(
    ("title", "foreign"),
    [
        ("system", True),
        ("\uff33ystem message", True),
        ("Boss", True),
        ("the b\u043ess", True),
        ("AUDITOR 2", True),
        ("Ada's helper, a person who watches this task", True),
        ("", False),
        ("head", False),
        ("member", False),
        ("audits the tests", False),
        ("system tester", False),
    ],
)
def test_no_title_passes_for_the_engine_people_or_a_role_that_it_gives(title: str, foreign: bool) -> None:
    """A title stands beside the name wherever the name does."""
    assert is_foreign_title(title) == foreign


@given(st.lists(st.text(max_size=60), max_size=12))
def test_names_of_a_task_never_look_alike(wanted: list[str]) -> None:
    """However they are asked for: each is short, clean and unlike those before."""
    taken: set[str] = set()
    for each in wanted:
        name = unique_name(each, taken)
        assert name_key(name) not in taken and 0 < len(name) <= MAX_NAME and clean_name(name) == name
        taken.add(name_key(name))


SPEAKERS = (
    *("system", "engine", "megaagent", "discord", "admins", "moderator", "person", "users", "everyone"),
    *("boss", "head", "member", "auditor"),
)
LETTERS = {
    "e": "\u0435\uff45\u00e9",
    "o": "\u043e\u03bf0",
    "s": "\u0455\uff33",
    "a": "\u0430\u00e5",
    "m": "\u217f",
}
AROUND = (
    "{}",
    "the {}",
    "The {} 2",
    "[{}]",
    "*{}*",
    "{}!",
    "\u2014 {} \u2014",
    "{}\u200b",
    "\u3164{}",
    "{} \U0001f527",
)


@st.composite
def disguised(draw: st.DrawFn) -> str:
    """A word for who speaks, as somebody would write it who wants to be taken for it."""
    word = draw(st.sampled_from(SPEAKERS))
    letters = [draw(st.sampled_from([c, c.upper(), *LETTERS.get(c, "")])) for c in word]
    gap = draw(st.sampled_from(("", "", "\u200d", " ", "\u00ad")))
    return draw(st.sampled_from(AROUND)).format(gap.join(letters))


@given(disguised())
def test_no_group_and_no_task_is_called_like_who_speaks(name: str) -> None:
    """However it is written, the name says that it is a group or a task; what is told apart stays so."""
    group = named_as(clean_name(name), "group")
    assert group.endswith(" group") and named_as(group, "group") == group and len(group) <= MAX_NAME
    for title in (shortened(name), title_of(name)):
        assert title.endswith(" task") and shortened(title) == title and len(title) <= LONGEST


@pytest.mark.parametrize(
    "name", ["Gobang", "Engine room", "System design", "Discord bot", "Head of Design", "Heads", "Ada group"]
)
def test_ordinary_groups_and_tasks_keep_their_names(name: str) -> None:
    """A word among others takes nobody's name."""
    assert named_as(name, "group") == name == shortened(name) == title_of(name)


@pytest.mark.parametrize(
    ("goal", "title"),
    [
        (
            "Write a handbook for our new volunteers on the care of trees",
            "Write a handbook for our new volunteers",
        ),
        (
            "Write the rules for a club of many old gardeners",
            "Write the rules for a club of many old gardeners",
        ),
        ("Say what this is for", "Say what this is for"),
    ],
)
def test_a_title_that_is_cut_ends_with_a_word_that_can_end_it(goal: str, title: str) -> None:
    """No article and no preposition stands last where more followed; a whole title stays as it is."""
    assert title_of(goal) == title


@pytest.mark.parametrize(
    ("goal", "title"),
    [
        (
            "Write a national consultation paper 'Warm, Near': one",
            "Write a national consultation paper 'Warm, Near'",
        ),
        ("Write a national consultation paper 'Warm, Near, Far': one", "Write a national consultation paper"),
        ('Write a paper for citizens on "Warm, Near, Connected, Fair"', "Write a paper for citizens"),
        ("Write 'Warm, Near': it is good", "Write 'Warm, Near'"),
        ("Sort a list (a, b, c). Then stop", "Sort a list"),
        ("It's the users' list, so sort it", "It's the users' list"),
    ],
)
def test_a_title_ends_in_no_open_quotation(goal: str, title: str) -> None:
    """It ends before one that is cut; an apostrophe begins none."""
    assert title_of(goal) == title


@pytest.mark.parametrize("name", ["group", "The Group", "Eve, a person who watches this task"])
def test_a_group_that_could_only_be_an_address_or_a_person_has_no_such_name(name: str) -> None:
    """It is called after its head instead."""
    assert named_as(name, "group") == ""


@pytest.mark.parametrize(
    "named", ["Ann", "ANN (crew)", "\u0410nn (Crew (EU))", "Ann (she/her) (manages the server)"]
)
def test_a_person_is_known_without_the_title_that_follows(named: str) -> None:
    """A role's name may hold brackets too."""
    assert name_key("Ann") in person_keys(named)
    assert name_key("Crew") not in person_keys(named)


def test_a_person_without_a_name_has_no_key() -> None:
    """Nor has one whose name is not drawn."""
    assert person_keys("") == person_keys("\u3164") == frozenset()


def test_a_long_name_of_a_person_is_known_as_an_agent_would_bear_it() -> None:
    """Names of agents are cut."""
    long = "Ann the person who keeps all of the accounts of us"
    assert name_key(clean_name(long)) in person_keys(f"{long} (crew)")
