"""What agents may ask for as packages, and what the operator's policy makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.packages import (
    Asked,
    PackagePolicy,
    Pin,
    check_hashes,
    sort_wanted,
    wanted_in,
    wanted_of,
)
from engine.errors import Invalid


def test_where_names_may_carry_data_wildcards_allow_none() -> None:
    """Names that the operator spelled out do; others ask, also where they would be refused otherwise."""
    found = PackagePolicy(("numpy", "types-*", "*"), "off").without_wildcards()
    assert (found.allows("numpy"), found.allows("types-x"), found.others) == (True, False, "ask")
    plain = PackagePolicy(("numpy",), "off")
    assert plain.without_wildcards() == plain


REFUSED = (
    "--index-url=http://evil",
    "-r other.txt",
    "-e .",
    ".",
    "./local",
    "../up",
    "/etc/passwd",
    "https://evil.example/x-1-py3-none-any.whl",
    "x @ https://evil.example/x.whl",
    "x @ file:///etc/passwd",
    "git+https://evil.example/x",
    "x.whl",
    "x\n--index-url=http://evil",
    "x\0",
    "nümpy",
    "x===whatever",
    "",
    "x" * 300,
    "x; python_version < '3'",
)


@pytest.mark.parametrize("text", REFUSED)
def test_nothing_but_names_and_versions_is_taken(text: str) -> None:
    """No options, addresses, paths, or two lines in one; each refusal is a sentence."""
    if text == "x.whl":  # a lawful name, which no index has
        assert wanted_of(text).name == "x-whl"
        return
    with pytest.raises(Invalid, match=r"\."):
        wanted_of(text)


@given(st.text(max_size=40))
def test_whatever_is_taken_is_no_option_for_pip(text: str) -> None:
    """What goes to pip begins with a letter or digit and is one word of a requirement."""
    try:
        wanted = wanted_of(text)
    except Invalid:
        return
    assert wanted.text[0].isalnum() and not {" ", "@", "/", "\\", ";", "\n"} & set(wanted.text)


def test_files_of_a_workspace_name_packages() -> None:
    """requirements.txt with comments and hashes, pyproject.toml; options are not followed."""
    text = "# needed\nNumPy >= 2  # fast\n\npandas[excel]==2.1 \\\n    --hash=sha256:00\n"
    found = wanted_in("requirements.txt", f"{text}rich ; python_version>'3'\n")
    assert [each.text for each in found] == ["NumPy>=2", "pandas[excel]==2.1", "rich"]
    project = '[project]\nname = "x"\ndependencies = ["numpy>=2", "rich"]\n'
    assert [each.name for each in wanted_in("pyproject.toml", project)] == ["numpy", "rich"]
    for path, bad in (
        ("requirements.txt", "numpy\n-r more.txt\n"),
        ("requirements.txt", "./mine\n"),
        ("pyproject.toml", "[project\n"),
        ("pyproject.toml", '[project]\ndependencies = "numpy"\n'),
    ):
        with pytest.raises(Invalid):
            wanted_in(path, bad)


POLICY = PackagePolicy(("numpy", "Types_*"), "ask")
WANTED = tuple(map(wanted_of, ("numpy", "types-pyyaml", "rich")))


def test_a_file_of_a_workspace_is_read_as_pip_reads_it() -> None:
    """Lines for other platforms do not count, two lines about one package both hold, hashes are kept."""
    text = "\ufeffcolorama; sys_platform == 'win32'\nnumpy>=1\nNumPy<3\n"
    text += f"rich[jupyter]\nrich>=13 \\\n --hash=sha256:{'AB' * 32}\t\\\n --hash=sha256:{'cd' * 32}\n"
    numpy, rich = wanted_in("requirements.txt", text)
    assert numpy.met_by("2.1") and not numpy.met_by("3.0") and not numpy.hashes
    assert (rich.text, set(rich.hashes)) == ("rich[jupyter]>=13", {"ab" * 32, "cd" * 32})
    good, bad = Pin("rich", "13.1", "r.whl", "cd" * 32), Pin("rich", "13.1", "r.whl", "ef" * 32)
    check_hashes((numpy, rich), (good,))
    with pytest.raises(Invalid, match=r"none for numpy 2\.1"):
        check_hashes((numpy, rich), (good, Pin("numpy", "2.1", "n.whl", "ef" * 32)))
    with pytest.raises(Invalid, match="none of the hashes"):
        check_hashes((numpy, rich), (bad,))


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("requirements.txt", "colorama; sys_platform == 'win32'\n", "names no package"),
        ("requirements.txt", "numpy --hash=md5:00\n", "sha256"),
        ("requirements.txt", "numpy --hash=sha256:../x\n", "sha256"),
        ("requirements.txt", "numpy --global-option=x\n", "no package name"),
        ("requirements.txt", "numpy\n--extra-index-url http://evil\n", "not followed"),
        ("requirements.txt", "-e git+https://evil/x#egg=x\n", "not followed"),
        ("requirements.txt", "x @ https://evil/x.whl ; sys_platform != 'win32'\n", "index only"),
        ("pyproject.toml", "[tool.poetry.dependencies]\nnumpy = '*'\n", "project.dependencies"),
        ("pyproject.toml", "[project]\ndependencies = ['x @ file:///etc/passwd']\n", "index only"),
    ],
)
def test_a_line_that_is_not_followed_is_refused_in_words(path: str, text: str, why: str) -> None:
    """Nothing of the file is taken then."""
    with pytest.raises(Invalid, match=why):
        wanted_in(path, text)


def test_where_a_file_names_hashes_nothing_comes_without_one() -> None:
    """What is needed besides has to be one of the file's own, as pip has it."""
    wanted = wanted_in("requirements.txt", f"oak --hash=sha256:{'a' * 64}\n")
    oak, leaf = Pin("oak", "1", "o.whl", "a" * 64), Pin("leaf", "2", "l.whl", "b" * 64)
    check_hashes(wanted, [oak])
    with pytest.raises(Invalid, match="none for leaf 2"):
        check_hashes(wanted, [oak, leaf])
    check_hashes((wanted_of("oak"),), [oak, leaf])


def test_a_file_may_name_more_packages_than_an_agent_at_once() -> None:
    """A list made by a tool is long."""
    many = wanted_in("requirements.txt", "".join(f"p{n}\n" for n in range(40)))
    policy = PackagePolicy(("p*",), "off")
    with pytest.raises(Invalid, match="At most 20"):
        sort_wanted(many, policy, Asked(), (), attended=False)
    assert len(sort_wanted(many, policy, Asked(), (), attended=False, most=80).fetch) == 40


def test_extras_of_a_package_that_the_task_has_are_fetched() -> None:
    """The package stays as it is, what the extra needs comes along; names are compared as PyPI does."""
    wanted = (wanted_of("requests[socks]>=2"), wanted_of("requests"), wanted_of("ruamel.yaml"))
    pins = (Pin("requests", "2.31", "r.whl", "00"),)
    policy = PackagePolicy(("requests", "Ruamel.YAML"), "off")
    found = sort_wanted(wanted, policy, Asked(), pins, attended=False)
    assert [each.text for each in found.fetch] == ["requests[socks]>=2", "ruamel.yaml"]


def test_the_policy_sorts_what_is_asked_for() -> None:
    """Globs of the operator are fetched, others asked for; what people allowed is fetched, too."""
    found = sort_wanted(WANTED, POLICY, Asked(), (), attended=True)
    assert [each.name for each in found.fetch] == ["numpy", "types-pyyaml"]
    assert [each.name for each in found.ask] == ["rich"]
    granted = sort_wanted(WANTED, POLICY, Asked(granted=frozenset({"rich"})), (), attended=True)
    assert len(granted.fetch) == 3 and not granted.ask


@pytest.mark.parametrize(
    ("policy", "asked", "attended", "words"),
    [
        (
            PackagePolicy(("numpy",), "off"),
            Asked(),
            True,
            "The operator allows numpy only, not types-pyyaml, rich",
        ),
        (PackagePolicy((), "off"), Asked(), True, "The operator allows no packages"),
        (POLICY, Asked(), False, "Nobody attends this task"),
        (POLICY, Asked(declined=frozenset({"rich"})), True, "The people refused rich"),
        (POLICY, Asked(pending=frozenset({"rich"})), True, "The people are being asked for rich"),
    ],
)
def test_a_refusal_says_who_and_what_next(
    policy: PackagePolicy, asked: Asked, attended: bool, words: str
) -> None:
    """The operator, the people, or nobody there to ask."""
    with pytest.raises(Invalid, match=words):
        sort_wanted(WANTED, policy, asked, (), attended=attended)


def test_a_task_keeps_the_versions_that_it_has() -> None:
    """What is there already is not fetched again; another version of it is refused."""
    pins = (Pin("numpy", "2.1.0", "f", "0"),)
    assert not sort_wanted((wanted_of("NumPy>=2"),), POLICY, Asked(), pins, attended=True).fetch
    with pytest.raises(Invalid, match=r"has numpy 2\.1\.0 already"):
        sort_wanted((wanted_of("numpy<2"),), POLICY, Asked(), pins, attended=True)
