"""Addresses of pages: which form they have, which occur in a text, where the product connects to. Pure.

An address is normalised once, where it enters; from then on equal addresses are equal texts. A fragment is
never part of one: no server gets it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Literal
from urllib.parse import unquote

from yarl import URL

AddressBasis = Literal["person", "search", "page"]
"""Where an address of a task occurred: in people's words, in results of a search, on a page that was read."""

LONGEST = 2_000
USUAL_PORTS: Mapping[str, int] = {"http": 80, "https": 443}

_FOUND = re.compile(
    r"\bhttps?://[^\s<>\"'`{}|\\^\u0000-\u001f\u007f-\u00a0\u200b-\u200f\u2028-\u202e]+", re.I
)
_PLAIN = re.compile(r"[\x21-\x7e\u00a1-\U0010ffff]+")
_NUMERIC = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)")
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_DANGLING = ".,;:!?*_~"
_CLOSING = {")": "(", "]": "["}


class BadAddress(Exception):
    """An address that no page is read from, whoever names it; the text says why."""


def normal_address(written: str) -> str:
    """Return the one form of an address, without its fragment. Raises BadAddress.

    Only http and https, without user or password, and with a host that is a name or a plainly written IP
    address.
    """
    text = written.strip()
    if len(text) > LONGEST or not _PLAIN.fullmatch(text) or "\\" in text:
        raise BadAddress("it is no address, or too long a one")
    try:
        url = URL(text)
        scheme, host, port = url.scheme, url.raw_host, url.port
        has_login = "@" in text.split("://", 1)[-1].split("/", 1)[0].split("?", 1)[0]
        if scheme not in USUAL_PORTS:
            raise BadAddress("only http:// and https:// are read")
        if has_login:
            raise BadAddress("it has a user or a password in it")
        if not host or port is None:
            raise BadAddress("it names no host")
        _check_host(host)
        named = f"[{ip_address(host)}]" if ":" in host else host.rstrip(".").lower()
        at = "" if port == USUAL_PORTS[scheme] else f":{port}"
        made = f"{scheme}://{named}{at}{url.raw_path_qs}"
    except ValueError as error:
        raise BadAddress("it is no address") from error
    if len(made) > LONGEST or not made.isascii():
        raise BadAddress("it is no address, or too long a one")
    return made


def _check_host(host: str) -> None:
    """Check that everybody reads the host alike. Raises BadAddress for `0x7f.1`, `2130706433`, `127.1`."""
    if ":" in host:
        if "%" in host:
            raise BadAddress("it names an interface of this machine")
        return
    labels = host.rstrip(".").split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        raise BadAddress("it names no host")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            IPv4Address(host)
        except ValueError as error:
            raise BadAddress(
                "its host is a number that is not written as an IP address usually is"
            ) from error


def addresses_in_text(text: str) -> tuple[str, ...]:
    """Return the addresses that occur in a text, normalised, without repeats, in their order."""
    found: dict[str, None] = {}
    for match in _FOUND.finditer(text):
        for candidate in _readings(match.group()):
            try:
                found[normal_address(candidate)] = None
            except BadAddress:
                continue
    return tuple(found)


def _readings(found: str) -> tuple[str, ...]:
    """Return the addresses that may stand at this place of a text: two in a link whose label is one."""
    return tuple(_trimmed(part) for part in found.split("]("))


def _trimmed(text: str) -> str:
    """Return the text without what ends a sentence or a bracket around it."""
    text = text.rstrip(_DANGLING)
    while text and (opening := _CLOSING.get(text[-1])) and text.count(text[-1]) > text.count(opening):
        text = text[:-1].rstrip(_DANGLING)
    return text


# ---------------------------------------------------------------- what the operator allows


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What the operator allows beyond the usual. `hosts`: names (`*.` before one: all below it, a port after
    it: that port) whose pages may be read in any task. `private`: networks of this house that pages may be
    read from, though they are private. `ports`: those that pages may be read from."""

    hosts: tuple[str, ...] = ()
    private: tuple[IPv4Network | IPv6Network, ...] = ()
    ports: frozenset[int] = frozenset(USUAL_PORTS.values())

    @classmethod
    def of(
        cls, hosts: Iterable[str] = (), private: Iterable[str] = (), ports: Iterable[int] = ()
    ) -> AddressRules:
        """Return the rules as an operator writes them; `ports` come to the usual ones. Raises ValueError for
        what is no network."""
        named = tuple(host.strip().lower().rstrip("/") for host in hosts if host.strip())
        networks = tuple(ip_network(one.strip()) for one in private if one.strip())
        return cls(named, networks, frozenset({*USUAL_PORTS.values(), *ports}))

    def allows(self, address: str) -> bool:
        """Return whether the operator allows a normalised address in any task."""
        url = URL(address)
        host, port = url.raw_host or "", url.port
        return any(_fits(entry, host, port, usual=port in self.ports) for entry in self.hosts)

    def check(self, address: str) -> None:
        """Check the port of a normalised address. Raises BadAddress for one that is neither usual nor
        allowed."""
        url = URL(address)
        if url.port not in self.ports and not self.allows(address):
            raise BadAddress(f"pages are not read from port {url.port}")

    def connects_to(self, ip: str) -> bool:
        """Return whether the product may connect to an IP address for a page."""
        try:
            found = ip_address(ip)
        except ValueError:
            return False
        own = any(found.version == network.version and found in network for network in self.private)
        return own or is_public(found)


def _fits(entry: str, host: str, port: int | None, *, usual: bool) -> bool:
    name, _, number = entry.partition(":")
    if (number != str(port)) if number else not usual:
        return False
    return host.endswith(name[1:]) and host != name[2:] if name.startswith("*.") else host == name


_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # carriers' networks; some clouds answer about themselves here
            "127.0.0.0/8",
            "168.63.129.16/32",  # a public address at which a cloud answers about its machines
            "169.254.0.0/16",  # link-local; most clouds answer about their machines here
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocols: Teredo holds an IPv4 address
            "2001:db8::/32",
            "2002::/16",  # 6to4 holds an IPv4 address
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)
"""Outside 2000::/3 nothing is public: IPv4 in other clothes (::ffff:0:0/96, 64:ff9b::/96), local networks."""


def is_public(ip: IPv4Address | IPv6Address) -> bool:
    """Return whether an IP address belongs to the public internet and to nothing special."""
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_4)
    return ip.scope_id is None and ip in _PUBLIC_6 and not any(ip in network for network in _NOT_PUBLIC_6)


# ---------------------------------------------------------------- what a call's arguments hold


@dataclass(frozen=True, slots=True)
class Carried:
    """What the arguments of a call can carry: addresses, and whether there is anything else that could say
    something: other words, long or many numbers, names of arguments that the tool does not have.

    `marks`: short numbers, yes and no, nothing. A few are how a tool is used; a row of them is a text, also
    over many calls.
    """

    addresses: tuple[str, ...]
    words: bool
    marks: tuple[str, ...] = field(default=(), compare=False)


_SHORT_NUMBER = 10_000
FEW = 3
"""Marks, in one call or as they change over many, that say next to nothing."""

_INVISIBLE = (0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF)
_SCHEMES = (
    r"https?|wss?|s?ftps?|tftp|ssh|sftp|git|svn|hg|rsync|gopher|dict|ldaps?|mailto|xmpp|sips?|stuns?|turns?|telnet"
    r"|rtsp|rtmps?|smb|cifs|afp|nfs|webdavs?|imaps?|pop3s?|smtps?|rediss?|postgres(?:ql)?|mysql|mariadb|mongodb"
    r"|amqps?|mqtts?|magnet|jdbc|odbc|webcal|feed|view-source|(?:git|svn|hg|bzr|mongodb)\+\w+|file(?=://[^/\s])"
)
_ENDINGS = (
    "com|net|org|info|io|dev|app|me|xyz|site|online|biz|co|ai|cc|eu|de|uk|fr|ru|cn|in|us|example|test|click|link"
    "|zip|mov|page|top|club|shop|store|tech|website|cloud|icu|vip|gg|tv|ly|ws|onion|internal|localhost|edu|gov"
    r"|xn--[a-z0-9-]{1,59}"
)
_NO_ENDINGS = (
    "js|jsx|ts|tsx|mjs|cjs|json|jsonl|txt|html|htm|css|scss|yml|yaml|toml|xml|csv|tsv|cfg|conf|ini|lock|log|java|go|cpp"
    "|hpp|cs|php|rb|kt|swift|sql|pdf|png|jpg|jpeg|gif|svg|docx|xlsx|ipynb|git|github|venv"
)
"""Ends of the names of files and folders that are no top-level domains."""

_START = r"(?<![\w./\\%+-])"
_LOOKS_LIKE_ONE = re.compile(
    rf"(?<![\w+.-])(?:{_SCHEMES}):[^\s]"
    r"|(?<![\w:/])//[\w\[]|(?<![\w:\\])\\\\\w"  # what follows the scheme of the place it is used in; a share
    rf"|{_START}(?:[\w-]+\.)+(?:{_ENDINGS})(?:[/:?#,\s\"'`)>\\]|$)"
    rf"|{_START}(?:[\w-]+\.)+(?!(?:{_NO_ENDINGS})\b)[^\W\d_]{{2,24}}(?:[/\\#]|\?\S+=|:\d{{2,5}}/)"
    r"|@(?:[\w-]+\.)+[^\W\d_]{2,24}\b"
    r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?=[/:?#\\]|$)|\[(?=[0-9a-f]{0,4}:[0-9a-f]{0,4}:)[0-9a-f:.%]{2,60}\]",
    re.I,
)
"""What a program may connect to. Paths of files and a server's own addresses (`memo://x`) are words."""

_DOTS = str.maketrans(
    {"\u3002": ".", "\uff0e": ".", "\uff61": ".", **dict.fromkeys(map(chr, _INVISIBLE), "")}
)


def _looks_like_one(text: str) -> bool:
    """Return whether a program could read an address in a text, also with marks escaped or in other forms."""
    read = unquote(unicodedata.normalize("NFKC", text.translate(_DOTS)))
    return any(_LOOKS_LIKE_ONE.search(one) for one in dict.fromkeys((text, read)))


def carried_by(arguments: Mapping[str, Any], names: Collection[str] | None = None) -> Carried:
    """Return what arguments can carry. `names`: of the tool's arguments, None for any.

    A text that is one address as a whole counts as an address, as it is written when it cannot be normalised.
    """
    addresses: dict[str, None] = {}
    words = names is not None and any(name not in names for name in arguments)
    marks: list[str] = []
    for leaf in _leaves(arguments):
        if isinstance(leaf, str) and _looks_like_one(leaf):
            found = addresses_in_text(leaf)
            whole = found[0] if len(found) == 1 and _is_whole(leaf, found[0]) else leaf
            addresses[whole] = None
        elif isinstance(leaf, str) and leaf.strip():
            words = True
        else:
            marks.append(repr(leaf))
            long = isinstance(leaf, float) or (isinstance(leaf, int) and abs(leaf) >= _SHORT_NUMBER)
            words = words or len(marks) > FEW or long
    return Carried(tuple(addresses), words, tuple(marks))


def _is_whole(leaf: str, address: str) -> bool:
    """Return whether a text is nothing but this address; a fragment is more, as its reader may use it."""
    try:
        return "#" not in leaf and normal_address(leaf) == address
    except BadAddress:
        return False


def _leaves(value: Any, *, inside: bool = False) -> Iterable[Any]:
    """Yield the values in arguments, and the names inside them, which a schema need not know."""
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            if inside:
                yield name
            yield from _leaves(each, inside=True)
    elif isinstance(value, list | tuple) and value:
        for each in value:
            yield from _leaves(each, inside=True)
    else:
        yield value
