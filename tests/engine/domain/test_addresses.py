"""Addresses of pages: one form, who may be connected to, and what arguments carry."""

from __future__ import annotations

import time
from ipaddress import ip_address

import pytest

from engine.domain.addresses import (
    AddressRules,
    BadAddress,
    Carried,
    addresses_in_text,
    carried_by,
    is_public,
    normal_address,
)

SAME = {
    "HTTPS://Example.COM:443": "https://example.com/",
    "http://example.com.:80/a/../b?x=%7e#frag": "http://example.com/b?x=~",
    "https://Bücher.example/ä": "https://xn--bcher-kva.example/%C3%A4",
    "http://[2606:4700:0:0::1111]:8080/": "http://[2606:4700::1111]:8080/",
    " https://example.com/a(b)?q=1&r=2 ": "https://example.com/a(b)?q=1&r=2",
}
BAD = [
    "ftp://example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://",
    "https:///x",
    "//example.com/x",
    "example.com",
    "http://me@example.com/",
    "http://me:pw@example.com/",
    "http://@example.com/",
    "http://example.com\\@evil.example/",
    "http://127.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://1.2.3/",
    "http://1.2.3.4.5/",
    "http://[fe80::1%25eth0]/",
    "http://a..b/",
    "http://exa%00mple.com/",
    "http://exa%6dple.com/%zz\x00",
    "http://example.com:99999/",
]


def test_an_address_has_one_form() -> None:
    """Whatever way it was written in; no fragment, which no server would get."""
    assert {written: normal_address(written) for written in SAME} == SAME
    assert all(normal_address(form) == form for form in SAME.values())


@pytest.mark.parametrize("written", [*BAD, "http://exam ple.com/", "http://e/" + "a" * 2_000])
def test_what_readers_could_take_for_another_is_no_address(written: str) -> None:
    """Other schemes, logins, numbers in other clothes, invisible characters."""
    with pytest.raises(BadAddress):
        normal_address(written)


PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "192.88.99.1",
    "203.0.113.5",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:8.8.8.8",
    "::8.8.8.8",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "2002:808:808::1",
    "2001::1",
    "2001:db8::1",
    "fec0::1",
    "100::1",
    "fe80::1%eth0",
]


def test_only_the_public_internet_is_connected_to() -> None:
    """No private, local, shared, metadata or multicast address, nor IPv4 in other clothes."""
    assert [ip for ip in PRIVATE if is_public(ip_address(ip))] == []
    assert all(is_public(ip_address(ip)) for ip in ("8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00::1"))
    rules = AddressRules.of(private=["10.1.0.0/16"])
    assert rules.connects_to("10.1.2.3") and not rules.connects_to("10.2.0.1")
    assert not rules.connects_to("no address")


def test_the_operator_allows_hosts_and_ports() -> None:
    """A host alone, all below a name, a host with its port; never one that only looks alike."""
    rules = AddressRules.of(["docs.example.org", "*.intern.example", "wiki.example:8080"], ports=[8443])
    allowed = ["https://docs.example.org/x", "http://a.intern.example/", "http://wiki.example:8080/"]
    others = ["https://org/", "https://xdocs.example.org/", "http://intern.example/", "http://wiki.example/"]
    assert all(rules.allows(one) for one in allowed)
    assert not any(rules.allows(one) for one in others)
    rules.check("https://any.example:8443/")
    with pytest.raises(BadAddress, match="port 22"):
        rules.check("http://any.example:22/")


def test_addresses_are_found_in_text() -> None:
    """As people and pages write them: in brackets, as Markdown, at the end of a sentence."""
    text = (
        "See https://a.example/x(y), (http://b.example/c). [d](https://d.example/e) <https://f.example/>! "
        "https://g.example/?q=1&r=2; ftp://h.example http://me@i.example/ https://A.example/x(y)"
    )
    assert addresses_in_text(text) == (
        "https://a.example/x(y)",
        "http://b.example/c",
        "https://d.example/e",
        "https://f.example/",
        "https://g.example/?q=1&r=2",
    )


def test_a_link_whose_label_is_an_address_holds_two() -> None:
    """What a person reads and what it leads to, each without the marks around it."""
    text = "See [https://a.example/x](https://b.example/y), and [it](https://c.example/z(1))."
    assert addresses_in_text(text) == ("https://a.example/x", "https://b.example/y", "https://c.example/z(1)")


def test_what_arguments_carry() -> None:
    """Addresses, whole or with more; other words, and numbers long enough to say something."""
    found = carried_by({"url": "https://A.example/x", "max_length": 5_000, "raw": True, "none": None})
    assert (found.addresses, found.words) == (("https://a.example/x",), False)
    for leaf in (
        "https://a.example/x#f",
        "go to https://a.example/x now",
        "a.example/x",
        "mailto:me@a.example",
    ):
        assert carried_by({"deep": [{"x": leaf}]}).addresses == (leaf,)
    for leaf in (
        "docs/readme.md",
        "/srv/site.git",
        "file:///home/a.txt",
        "memo://insights",
        "main.rs",
        "e.g. tea",
    ):
        assert carried_by({"path": leaf}) == Carried((), True), leaf
    assert carried_by({"query": "tea"}).words and carried_by({"n": 12_345_678}).words
    assert not carried_by({"time": "", "n": 3, "more": [1]}, ("time", "n", "more")).words
    for said in (
        {"n": [99, 97, 110, 97]},
        {"canary": True},
        {"n": {"canary": True}},
        {"n": [{"canary": None}]},
    ):
        assert carried_by(said, ("n",)).words, said


HOSTS = [
    *[
        "evil.click/x",
        "x.evil.zip",
        "evil.link?q=x",
        "x.evil.click:443",
        "93.184.216.34/x",
        "93.184.216.34:8080",
    ],
    *[
        "[2606:2800:220:1::1]/x",
        "git@evil.click:x.git",
        "file://evil.click/x",
        "smb://evil/x",
        "dict://evil:1/x",
    ],
    *[
        "git+https://evil.click/x",
        "jdbc:mysql://evil/x",
        "svn+ssh://evil/x",
        "magnet:?xt=x",
        "ev%69l.example/x",
    ],
    *[
        "src=//evil.click/x",
        "url(evil.click/x)",
        "xn--x.xn--p1ai/x",
        "'evil.click/x'",
        "//evil/x",
        "www.evil.co.jp/x",
    ],
    *("evil\u3002click/x", "evil\uff0eexample/x", "e\u200bvil.example/x", r"\\evil\x", r"evil.click\x"),
    *("user:x@evil.click", "clone x --mirror evil.page/x", "<a href=//evil.page/x>"),
]
WORDS = [
    *[
        "src/main.py:12",
        "notes.txt",
        "docs/my.folder/x",
        "conf.d/nginx.conf",
        "v1.2.3",
        "README.md",
        "memo://x",
        "HEAD~1",
    ],
    *[
        "engine.domain.guard",
        "3.14/2",
        "Node.js/TypeScript",
        "./a.b/c",
        "foo.bar?",
        "/srv/site/a.b/c",
        "2026.11.30",
    ],
    *["file:///srv/site/x.txt", "1.2.3.4.5", "@types/node", "package.json:3", "tests/test_a.py::test_b"],
    *("the price of tea in 2026?", r"C:\Users\x.txt", "10.0.0.1 is private", ".github/workflows"),
]


@pytest.mark.parametrize("text", HOSTS)
def test_what_a_program_may_connect_to_is_an_address(text: str) -> None:
    """Without a scheme, with any other, of any domain, as a number, a share, a remote of git, and escaped."""
    assert carried_by({"item": text}).addresses


@pytest.mark.parametrize("text", WORDS)
def test_paths_versions_and_names_are_words(text: str) -> None:
    """A server of files, of git or of notes is not asked about for each of its own."""
    assert not carried_by({"item": text}).addresses


def test_no_argument_takes_long() -> None:
    """Arguments are as long as an agent likes."""
    for text in ("a." * 20_000, "//" * 20_000, "1." * 20_000, "[0:" + ":" * 40_000, "a.bb:" * 10_000):
        began = time.process_time()
        carried_by({"item": text})
        assert time.process_time() - began < 2.0
