"""Pages of a loopback web: which connections are made, what is read, what is refused."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import ssl
import subprocess
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from ddgs.exceptions import DDGSException, RatelimitException
from pypdf import PdfWriter

from engine.connectors.web.fetch import Fetched, Fetcher, FetchLimits, NotFetched
from engine.connectors.web.reader import PageReader, Unreadable
from engine.connectors.web.search import ApiSearch, KeylessSearch, SearchFailed
from engine.connectors.web.servers import Web, WebOptions
from engine.domain.addresses import AddressRules
from engine.errors import NotSent
from engine.ports import OutsideAnswer
from tests.fakes.web import SITES, Handler, LoopbackWeb, loopback_web

LIMITS = FetchLimits(sent=200_000, unpacked=500_000, seconds=5.0, redirects=3)


@pytest.fixture
async def sites() -> AsyncIterator[LoopbackWeb]:
    """A web."""
    async with loopback_web() as made:
        yield made


def fetcher(sites: LoopbackWeb, limits: FetchLimits = LIMITS, tls: ssl.SSLContext | None = None) -> Fetcher:
    """A fetcher for which that web is the public internet."""
    rules = AddressRules.of(private=[f"{SITES}/32"], ports=[sites.port])
    return Fetcher(rules, limits, sites.resolve, tls)


def anything(_kind: str) -> bool:
    """Every type."""
    return True


async def refused(found: Fetcher, address: str) -> str:
    """Why a page is not fetched."""
    with pytest.raises(NotFetched) as failed:
        await found.get(address, lambda kind: kind.startswith("text/"))
    return str(failed.value)


async def test_a_page_is_asked_for_by_name_at_the_address_that_was_checked(sites: LoopbackWeb) -> None:
    """Resolved once; nothing of this process goes along; what a proxy setting says is nothing to it."""
    address = sites.page("news.example/a?b=c", "<p>Hello")
    sites.pages["news.example/a"] = sites.pages.pop("news.example/a?b=c")
    page = await fetcher(sites).get(f"{address}#secret", anything)
    assert (page.address, page.kind, page.body) == (address, "text/html", b"<p>Hello")
    assert sites.asked == ["GET news.example/a?b=c"]
    assert sites.looked_up == ["news.example"]
    assert set(sites.heads[0]) == {
        "Host",
        "User-Agent",
        "Accept",
        "Accept-Encoding",
        "Accept-Language",
        "Connection",
    }


@pytest.mark.parametrize(
    "ips",
    [
        ("127.0.0.1",),
        ("169.254.169.254",),
        ("10.0.0.1",),
        ("::1",),
        ("::ffff:127.0.0.1",),
        ("64:ff9b::7f00:1",),
    ],
)
async def test_a_name_of_this_house_is_not_connected_to(sites: LoopbackWeb, ips: tuple[str, ...]) -> None:
    """Whatever the name looks like: its IP address decides."""
    sites.names["inside.example"] = [ips]
    assert "not on the public internet" in await refused(fetcher(sites), sites.url("inside.example/"))
    assert sites.asked == []


async def test_of_several_ip_addresses_only_the_public_are_used_and_a_dead_one_is_passed_over(
    sites: LoopbackWeb,
) -> None:
    """127.0.0.6 stands for a public host that does not answer."""
    sites.names["two.example"] = [("127.0.0.1", "127.0.0.6", SITES)]
    sites.page("two.example/", "here")
    rules = AddressRules.of(private=["127.0.0.5/32", "127.0.0.6/32"], ports=[sites.port])
    page = await Fetcher(rules, LIMITS, sites.resolve).get(sites.url("two.example/"), anything)
    assert page.body == b"here"


async def test_a_second_answer_of_the_name_service_changes_nothing(sites: LoopbackWeb) -> None:
    """Rebinding: the name is asked once for each request, and the connection goes where was checked."""
    async with loopback_web("127.0.0.1") as machine:
        machine.page("rebind.example/", "the machine's secret")
        sites.names["rebind.example"] = [(SITES,), ("127.0.0.1",)]
        sites.page("rebind.example/", "public")
        page = await fetcher(sites).get(sites.url("rebind.example/"), anything)
        assert page.body == b"public"
        assert machine.asked == []


async def test_each_hop_of_a_redirect_is_checked(sites: LoopbackWeb) -> None:
    """To a private address, by name or number, to another scheme, port or login, in a circle: refused."""
    async with loopback_web("127.0.0.1") as machine:
        good = sites.page("b.example/end", "arrived")
        first = sites.redirect("a.example/", good)
        page = await fetcher(sites).get(first, anything)
        assert (page.address, page.body) == (good, b"arrived")
        sites.names["inside.example"] = [("127.0.0.1",)]
        bad = {
            f"http://127.0.0.1:{machine.port}/": "port",
            f"http://127.0.0.1:{sites.port}/": "public internet",
            f"http://inside.example:{sites.port}/": "public internet",
            f"http://[::ffff:127.0.0.1]:{sites.port}/": "public internet",
            "http://169.254.169.254/latest/meta-data/": "public internet",
            "file:///etc/passwd": "only http",
            f"http://me:pw@b.example:{sites.port}/end": "password",
            "http://2130706433/": "number",
            f"http://b.example:{sites.port + 1}/": "port",
            f"http://c.example:{sites.port}/": "more than 3 times",
        }
        sites.redirect("c.example/", sites.url("c.example/"))
        for to, why in bad.items():
            assert why in await refused(fetcher(sites), sites.redirect("trap.example/", to)), to
        assert machine.asked == []


def bytes_of(body: bytes, kind: str = "text/html", **headers: str) -> Handler:
    """A page of these bytes."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, headers={"Content-Type": kind, **headers})

    return answer


async def endless(request: web.Request) -> web.StreamResponse:
    """A page without an end."""
    answer = web.StreamResponse(headers={"Content-Type": "text/html"})
    await answer.prepare(request)
    while True:
        await answer.write(b"more and more " * 1_000)


async def dripping(request: web.Request) -> web.StreamResponse:
    """A page that comes byte by byte."""
    answer = web.StreamResponse(headers={"Content-Type": "text/html"})
    await answer.prepare(request)
    while True:
        await answer.write(b".")
        await asyncio.sleep(0.02)


async def test_size_time_type_and_unpacking_have_limits(sites: LoopbackWeb) -> None:
    """Endless pages, slow pages, bombs of gzip, wrong types and damaged ones."""
    quick, patient = (fetcher(sites, FetchLimits(200_000, 500_000, seconds, 3)) for seconds in (0.3, 20.0))
    bomb = gzip.compress(b"\0" * 50_000_000, 9)
    pages: dict[str, tuple[Handler, str]] = {
        "endless": (endless, "larger than 200,000"),
        "drip": (dripping, "within 0.3 seconds"),
        "bomb": (bytes_of(bomb, **{"Content-Encoding": "gzip"}), "once unpacked"),
        "twice": (
            bytes_of(gzip.compress(bomb), **{"Content-Encoding": "gzip, gzip"}),
            "way that is not read",
        ),
        "brotli": (bytes_of(b"x", **{"Content-Encoding": "br"}), "way that is not read"),
        "broken": (bytes_of(b"no gzip", **{"Content-Encoding": "gzip"}), "damaged"),
        "film": (bytes_of(b"\0\1", "video/mp4"), "not a text to read (video/mp4, 2 bytes)"),
    }
    for name, (handler, why) in pages.items():
        sites.pages[f"trap.example/{name}"] = handler
        reader = quick if name == "drip" else patient
        assert why in await refused(reader, sites.url(f"trap.example/{name}")), name
    sites.pages["ok.example/"] = bytes_of(zlib.compress(b"fine"), **{"Content-Encoding": "deflate"})
    assert (await quick.get(sites.url("ok.example/"), anything)).body == b"fine"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for safe.example that signs itself, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=safe"
    names = [
        "-addext",
        "subjectAltName=DNS:safe.example",
        "-keyout",
        str(made),
        "-out",
        str(folder / "c.pem"),
    ]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    made.write_text(made.read_text() + (folder / "c.pem").read_text())
    return made


async def test_tls_is_checked_against_the_name_not_the_ip_address(
    sites: LoopbackWeb, certificate: Path
) -> None:
    """The name goes into the greeting of TLS; a certificate of another name is refused."""
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate)
    greeted: list[str | None] = []
    served.sni_callback = lambda _socket, name, _context: greeted.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        said = b"safe" if b"Host: safe.example:" in head else b"other"
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(said) + said
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, SITES, 0, ssl=served)
    port = server.sockets[0].getsockname()[1]
    rules = AddressRules.of(private=[f"{SITES}/32"], ports=[port])
    found = Fetcher(rules, LIMITS, sites.resolve, trusting)
    async with server:
        assert (await found.get(f"https://safe.example:{port}/", anything)).body == b"safe"
        assert greeted == ["safe.example"]
        assert "cannot be reached" in await refused(found, f"https://other.example:{port}/")


# ---------------------------------------------------------------- reading

PAGE = """<html><head><title>Tea &amp; more</title><base href="/guide/"><script>steal()</script></head><body>
<nav><a href="/">Home</a></nav><main><h1>Tea</h1><p>Green tea is brewed at eighty degrees, which keeps it from
becoming bitter; see <a href="green.html#top">the guide</a> or http://plain.example/x.</p>
<a href="javascript:bad()">no</a><a href="mailto:a@b.c">no</a></main></body></html>"""


def pdf() -> bytes:
    """A PDF of one blank page."""
    writer, out = PdfWriter(), io.BytesIO()
    writer.add_blank_page(72, 72)
    writer.add_metadata({"/Title": "A paper"})
    writer.write(out)
    return out.getvalue()


async def read(found: Web, address: str, part: int = 1) -> OutsideAnswer:
    """What the tool answers."""
    tool = next(tool for tool in found.tools() if tool.name == "read_page")
    return await found.call(tool, {"address": address, "part": part})


async def test_a_page_becomes_text_with_numbered_links(sites: LoopbackWeb) -> None:
    """Its main text, its title, and links that are absolute; kept, so that its parts come from one fetch."""
    made = Web(None, fetcher(sites), WebOptions(), lambda: 0.0)
    address = sites.page("tea.example/index", PAGE)
    long = sites.page("tea.example/long", "word " * 5_000, "text/plain")
    paper = sites.url("tea.example/paper")
    sites.pages["tea.example/paper"] = bytes_of(pdf(), "application/pdf")
    try:
        answer = await read(made, address)
        assert answer.addresses == (address,)
        assert "Tea & more" in answer.text and "brewed at eighty degrees" in answer.text
        assert "steal()" not in answer.text
        guide = sites.url("tea.example/guide/green.html")
        assert answer.links == (address, sites.url("tea.example/"), guide, "http://plain.example/x")
        assert f"2. the guide: {guide}" in answer.text
        first, last = await read(made, long), await read(made, long, 3)
        assert "(part 1 of 3)" in first.text and "(part 3 of 3)" in last.text
        assert (await read(made, long, 9)).text == "The page has 3 parts."
        assert sites.pages_asked().count("tea.example/long") == 1
        assert "A paper" in (await read(made, paper)).text
        gone = await read(made, sites.url("tea.example/none"))
        assert gone.failed and "status 404" in gone.text
        assert sites.asked.count("GET tea.example/robots.txt") == 1
    finally:
        await made.close()


async def test_what_a_site_does_not_want_read_is_not(sites: LoopbackWeb) -> None:
    """By robots.txt; one that fails allows nothing, a missing one everything."""
    made = Web(None, fetcher(sites), WebOptions(), lambda: 0.0)
    rules = "User-agent: *\nDisallow: /private*\n\nUser-agent: MegaAgent\nDisallow: /not-for-us"
    sites.page("shy.example/robots.txt", rules, "text/plain")
    sites.page("sick.example/robots.txt", status=503)
    sites.page("shy.example/not-for-us", "x")
    sites.page("shy.example/private", "for others it is, for us there is a rule of our own", "text/plain")
    try:
        assert "robots.txt" in (await read(made, sites.url("shy.example/not-for-us"))).text
        assert not (await read(made, sites.url("shy.example/private"))).failed
        assert "robots.txt fails" in (await read(made, sites.url("sick.example/"))).text
    finally:
        await made.close()
    assert sites.pages_asked() == ["shy.example/private"]


def environment_of(pid: int) -> set[bytes]:
    """The names in a process's environment."""
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return {entry.partition(b"=")[0] for entry in entries if entry}


async def test_a_document_that_takes_too_long_or_too_much_ends_only_its_reader() -> None:
    """The next page is read by a new process, which has none of the product's environment."""
    reader = PageReader(seconds=5.0)
    deep = Fetched("http://a.example/", 200, "text/html", "", b"<div>" * 200_000)
    plain = Fetched("http://a.example/", 200, "text/plain", "latin-1", "caf\xe9".encode("latin-1"))
    broken = Fetched("http://a.example/", 200, "application/pdf", "", b"%PDF-1.4 nonsense")
    try:
        await asyncio.gather(*(reader.read(deep) for _ in range(1)), return_exceptions=True)
        with pytest.raises(Unreadable):
            await reader.read(broken)
        assert (await reader.read(plain)).text == "café"
        process = reader._process
        assert process is not None
        environment = environment_of(process.pid)
        assert environment <= {b"PATH", b"LANG"}
        process.kill()
        await process.wait()
        assert (await reader.read(plain)).text == "café"
        slow = PageReader(seconds=0.0)
        with pytest.raises(Unreadable, match="within 0 seconds"):
            await slow.read(plain)
    finally:
        await reader.close()


# ---------------------------------------------------------------- searching


async def test_each_service_is_asked_as_its_api_wants(sites: LoopbackWeb) -> None:
    """The address, the key and the words; results in one form; errors say what the operator has to do."""
    asked: list[tuple[str, str | None, Any]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        key = request.headers.get("X-Subscription-Token") or request.headers.get("Authorization", "")
        asked.append((request.path, key, dict(request.query) or await request.json()))
        found = {"url": "https://t.example/", "title": "T", "content": "C", "description": "C"}
        return web.json_response(
            {"results": [found, {"title": "no address"}, 7], "web": {"results": [found]}}
        )

    for path in ("search", "res/v1/web/search"):
        sites.pages[f"{SITES}/{path}"] = answer
    base = f"http://{SITES}:{sites.port}/"
    for form, key in (("searxng", ""), ("brave", "b-key"), ("tavily", "t-key")):
        (found,) = await ApiSearch(form, form, base, key).find("green tea")
        assert (found.address, found.title, found.excerpt) == ("https://t.example/", "T", "C")
    assert asked == [
        ("/search", "", {"q": "green tea", "format": "json"}),
        ("/res/v1/web/search", "b-key", {"q": "green tea", "count": "10", "text_decorations": "false"}),
        ("/search", "Bearer t-key", {"query": "green tea", "max_results": 10}),
    ]
    refusals = (
        ("searxng", 403, "allow the format json"),
        ("tavily", 401, "refuses the key"),
        ("searxng", 429, "no more searches"),
        ("tavily", 432, "no more searches"),
        ("tavily", 400, "other, fewer words"),
        ("searxng", 500, "status 500"),
    )
    for form, status, why in refusals:
        sites.page(f"{SITES}/search", status=status)
        with pytest.raises(SearchFailed, match=why):
            await ApiSearch(form, form, base, "a-key").find("x")
    await ApiSearch("brave", "brave", base, "a-key").find("tea " * 80)
    assert len(asked[-1][2]["q"].split()) == 50
    sites.page(f"{SITES}/search", "<html>")
    with pytest.raises(SearchFailed, match="format json"):
        await ApiSearch("SearXNG", "searxng", base).find("x")
    with pytest.raises(NotSent, match="cannot be reached"):
        await ApiSearch("SearXNG", "searxng", "http://127.0.0.6:9/").find("x")


async def test_results_are_numbered_and_become_readable(sites: LoopbackWeb) -> None:
    """What is no address of a page is left out; the state follows what the service does."""
    found = [
        {"url": "HTTPS://T.example", "title": "T\nT", "content": "C"},
        {"url": "javascript:x", "title": "no"},
    ]
    sites.page(f"{SITES}/search", json.dumps({"results": found}), "application/json")
    service = ApiSearch("SearXNG", "searxng", f"http://{SITES}:{sites.port}")
    made = Web(service, fetcher(sites), WebOptions(price_micros=5_000), lambda: 0.0)
    tool = next(tool for tool in made.tools() if tool.name == "web_search")
    answer = await made.call(tool, {"query": "tea"})
    assert answer.text == "1. T T\nhttps://t.example/\nC"
    assert (answer.links, tool.price_micros) == (("https://t.example/",), 5_000)
    assert made.states()[0].condition == "ready"
    away = Web(
        ApiSearch("SearXNG", "searxng", "http://127.0.0.6:9"), fetcher(sites), WebOptions(), lambda: 0.0
    )
    with pytest.raises(NotSent):
        await away.call(tool, {"query": "tea"})
    assert (away.states()[0].condition, "cannot be reached" in away.states()[0].detail) == ("down", True)
    page = next(tool for tool in away.tools() if tool.name == "read_page")
    dead = await made.call(page, {"address": "http://127.0.0.6/"})
    assert dead.failed, "one host that is gone is not the web that is away"


async def test_without_a_network_it_says_so(sites: LoopbackWeb) -> None:
    """Before anybody calls it, and when a page is called: found out by a name alone, not by a request."""

    async def nothing(_host: str, _port: int) -> tuple[str, ...]:
        raise OSError("no name service")

    offline = Fetcher(AddressRules(), LIMITS, nothing)
    made = Web(None, offline, WebOptions(), lambda: 0.0)
    await made.start()
    assert made.states()[0].condition == "starting"
    while made.states()[0].condition == "starting":  # noqa: ASYNC110 - its state is what is waited for
        await asyncio.sleep(0)
    assert made.states()[0].condition == "down" and "no network" in made.states()[0].detail
    with pytest.raises(NotSent, match="no network"):
        await read(made, "http://a.example/")
    await made.close()
    broken = Web(None, offline, WebOptions(), lambda: 0.0, "The web needs the extra [web].")
    await broken.start()
    assert (broken.states()[0].condition, broken.tools()) == ("wrong", ())
    await made.close()


async def test_the_search_without_a_key_tells_nothing_found_from_no_network(
    sites: LoopbackWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its library says the same for both; a pause that it wants is told."""
    said: list[Exception | list[dict[str, str]]] = []

    class Library:
        """The library's door."""

        def __init__(self, timeout: int) -> None:
            assert timeout

        def text(self, query: str, **_more: object) -> list[dict[str, str]]:
            """Answer as told."""
            answer = said.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return [each | {"body": query} for each in answer]

    monkeypatch.setattr("ddgs.DDGS", Library)
    made = Web(KeylessSearch(), fetcher(sites), WebOptions(), lambda: 0.0)
    search = next(tool for tool in made.tools() if tool.name == "web_search")
    said += [[{"href": "https://t.example/x", "title": "T"}], DDGSException("No results found.")]
    said += [RatelimitException("202"), DDGSException("No results found.")]
    assert (await made.call(search, {"query": "tea"})).text == "1. T\nhttps://t.example/x\ntea"
    nothing = await made.call(search, {"query": "tea"})
    assert nothing.failed and "found nothing" in nothing.text
    assert "wants a pause" in (await made.call(search, {"query": "tea"})).text

    async def no_name(_host: str, _port: int) -> tuple[str, ...]:
        raise OSError("no name service")

    made._fetcher.resolve = no_name
    with pytest.raises(NotSent, match="no network"):
        await made.call(search, {"query": "tea"})


async def test_a_proxy_is_named_where_pages_cannot_be_reached(
    sites: LoopbackWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing goes through it, since it would look names up itself; only where one is set it is named."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{sites.port}")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{sites.port}")
    nobody = "http://127.0.0.6:9/"
    reach = Fetcher(AddressRules.of(private=["127.0.0.6/32"], ports=[9]), FetchLimits(), sites.resolve)
    assert "not read through" in await refused(reach, nobody)
    assert sites.asked == []
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name)
    assert "proxy" not in await refused(reach, nobody)
