"""Fetch a page: from a checked address, over a connection to exactly the IP address that was checked.

At each hop of a redirect the name is resolved once, each of its IP addresses is judged, and the connection
goes to one that passed: a second answer of the name service changes nothing. Nothing of this process goes
along: no cookies, no login, no referring page, no proxy.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.request import getproxies_environment

import httpx2
from yarl import URL

from engine.domain.addresses import AddressRules, BadAddress, normal_address

AGENT = "MegaAgent/0.1 (reads pages for people's tasks)"
HEADERS = {
    "User-Agent": AGENT,
    "Accept": "text/html, application/xhtml+xml, text/*;q=0.9, application/pdf;q=0.8, application/json;q=0.8",
    "Accept-Encoding": "gzip, deflate",
    "Accept-Language": "en, *;q=0.5",
    "Connection": "close",
}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_IPS = 4

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Return the IP addresses of a host. Raises OSError when there is none."""


class NotFetched(Exception):
    """The page was not fetched; the text says why. `unreachable`: nothing answered, so the network may be
    away."""

    def __init__(self, text: str, *, unreachable: bool = False) -> None:
        super().__init__(text)
        self.unreachable = unreachable


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """`sent`, `unpacked`: bytes of a body as they come and as they are read. `seconds`: for everything."""

    sent: int = 5_000_000
    unpacked: int = 12_000_000
    seconds: float = 30.0
    redirects: int = 5


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page: the address that it came from in the end, its media type in lower case, and its bytes."""

    address: str
    status: int
    kind: str
    charset: str
    body: bytes


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """See `Resolve`; by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def proxy_note() -> str:
    """Return why a proxy of the environment does not help here, nothing where none is set."""
    if not {"http", "https", "all"} & set(getproxies_environment()):
        return ""
    return (
        " This machine has a proxy, which pages are not read through: it would look names up itself, so no "
        "address could be checked. Pages need a direct way out, or an MCP server that fetches them."
    )


class Fetcher:
    """Fetches pages under the operator's rules and these limits."""

    def __init__(
        self,
        rules: AddressRules,
        limits: FetchLimits | None = None,
        resolve: Resolve = resolve_host,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.rules, self._limits, self.resolve = rules, limits or FetchLimits(), resolve
        self._tls = tls

    async def get(self, address: str, takes: Callable[[str], bool]) -> Fetched:
        """Fetch an address, following redirects. `takes`: whether a media type is read. Raises NotFetched."""
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await self._follow(address, takes)
        except TimeoutError as error:
            why = f"It did not come within {self._limits.seconds:g} seconds."
            raise NotFetched(why, unreachable=True) from error

    async def _follow(self, address: str, takes: Callable[[str], bool]) -> Fetched:
        at = self._checked(address)
        for _ in range(self._limits.redirects + 1):
            async with self._answer(at) as answer:
                onward = answer.headers.get("location", "")
                if answer.status_code not in REDIRECTS or not onward:
                    return await self._read(at, answer, takes)
            at = self._checked(_joined(at, onward))
        raise NotFetched(f"It leads on more than {self._limits.redirects} times.")

    def _checked(self, address: str) -> str:
        try:
            checked = normal_address(address)
            self.rules.check(checked)
        except BadAddress as error:
            raise NotFetched(f"This address is not read: {error}.") from error
        return checked

    # ------------------------------------------------------------ one request

    @asynccontextmanager
    async def _answer(self, address: str) -> AsyncIterator[httpx2.Response]:
        """Ask for an address at one of its IP addresses that passed, the next when nobody answers there."""
        url = URL(address)
        host, port = url.raw_host or "", url.port or 0
        ips = await self._permitted(host, port)
        for number, ip in enumerate(ips):
            client = httpx2.AsyncClient(
                transport=httpx2.AsyncHTTPTransport(verify=self._context(), trust_env=False),
                timeout=httpx2.Timeout(self._limits.seconds, connect=10.0),
                trust_env=False,
            )
            async with client:
                try:
                    answer = await client.send(_request(client, url, host, ip), stream=True)
                except httpx2.ConnectError as error:
                    if number + 1 < len(ips):
                        continue
                    raise NotFetched(f"{host} cannot be reached.{proxy_note()}", unreachable=True) from error
                except httpx2.HTTPError as error:
                    raise NotFetched(f"{host} did not answer properly.", unreachable=True) from error
                try:
                    yield answer
                except httpx2.HTTPError as error:
                    raise NotFetched(f"{host} broke off its answer.") from error
                finally:
                    await answer.aclose()
                return

    def _context(self) -> ssl.SSLContext:
        """Return the settings of TLS, made once: it reads the system's certificates."""
        if self._tls is None:
            self._tls = httpx2.create_ssl_context(trust_env=False)
        return self._tls

    async def _permitted(self, host: str, port: int) -> Sequence[str]:
        try:
            found = await self.resolve(host.strip("[]"), port)
        except (OSError, UnicodeError) as error:
            why = f"There is no host {host}, or no network.{proxy_note()}"
            raise NotFetched(why, unreachable=True) from error
        permitted = [ip for ip in found if self.rules.connects_to(ip)][:MAX_IPS]
        if not permitted:
            raise NotFetched(f"{host} is not on the public internet: pages are read only from there.")
        return permitted

    # ------------------------------------------------------------ the body

    async def _read(self, address: str, answer: httpx2.Response, takes: Callable[[str], bool]) -> Fetched:
        written = answer.headers.get("content-type", "")
        kind, _, more = written.partition(";")
        kind = kind.strip().lower()
        if answer.status_code >= 400:
            return Fetched(address, answer.status_code, kind, "", b"")
        if not takes(kind):
            size = answer.headers.get("content-length", "")
            said = f", {int(size):,} bytes" if size.isdecimal() and len(size) < 16 else ""
            raise NotFetched(f"It is not a text to read ({kind[:60] or 'of no stated type'}{said}).")
        body = await self._unpacked(answer)
        return Fetched(address, answer.status_code, kind, _charset(more), body)

    async def _unpacked(self, answer: httpx2.Response) -> bytes:
        """Return the body, unpacked piece by piece so that a small one cannot become a huge one."""
        packing = answer.headers.get("content-encoding", "identity").strip().lower()
        if packing not in ("identity", "", "gzip", "x-gzip", "deflate"):
            raise NotFetched(f"It is packed in a way that is not read ({packing[:40]}).")
        unpacker = _Unpacker(packing, self._limits.unpacked)
        sent, parts = 0, list[bytes]()
        async for piece in answer.aiter_raw():
            sent += len(piece)
            if sent > self._limits.sent:
                raise NotFetched(f"It is larger than {self._limits.sent:,} bytes.")
            parts.append(unpacker.add(piece))
        return b"".join(parts)


class _Unpacker:
    """Unpacks pieces of a body, at most `limit` bytes in all."""

    def __init__(self, packing: str, limit: int) -> None:
        self._left, self._plain = limit, packing in ("identity", "")
        # 32: gzip and zlib are told apart by their first bytes; deflate is zlib by its standard.
        self._zip = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def add(self, piece: bytes) -> bytes:
        """Return what a piece unpacks to. Raises NotFetched over the limit and for damaged data."""
        try:
            made = piece if self._plain else self._zip.decompress(piece, self._left + 1)
        except zlib.error as error:
            raise NotFetched("It is damaged: it cannot be unpacked.") from error
        self._left -= len(made)
        if self._left < 0:
            raise NotFetched("It is too large once unpacked.")
        return made


def _request(client: httpx2.AsyncClient, url: URL, host: str, ip: str) -> httpx2.Request:
    """Return the request to one IP address that names the host as if it had been asked by name."""
    where = f"[{ip}]" if ":" in ip else ip
    named = f"[{host}]" if ":" in host else host
    port = "" if url.is_default_port() else f":{url.port}"
    return client.build_request(
        "GET",
        f"{url.scheme}://{where}:{url.port}{url.raw_path_qs}",
        headers={**HEADERS, "Host": f"{named}{port}"},
        extensions={"sni_hostname": host} if url.scheme == "https" else {},
    )


def _joined(address: str, onward: str) -> str:
    try:
        return str(URL(address).join(URL(onward)))
    except ValueError as error:
        raise NotFetched("It leads on to what is no address.") from error


def _charset(more: str) -> str:
    for part in more.split(";"):
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'").lower()[:40]
    return ""
