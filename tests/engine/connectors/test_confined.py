"""The program that reads foreign documents, taken over by one: it reaches no file, no network, no process."""

from __future__ import annotations

import json
import os
import socket
import zlib
from pathlib import Path

import pytest

from engine.connectors.web import confined
from engine.connectors.web.confined import Confinement, confinement
from engine.connectors.web.extract import answer
from engine.connectors.web.fetch import Fetched
from engine.connectors.web.reader import PROGRAM, PageReader, Unreadable

TAKEN_OVER = """
import json, os, socket, sys
head = json.loads(sys.stdin.buffer.readline())
where = json.loads(sys.stdin.buffer.read(head["size"]))
got = []
def tries(name, act):
    try:
        act()
    except Exception:
        return
    got.append(name)
tries("secret", lambda: open(where["secret"]).read())
tries("folder", lambda: os.listdir(os.path.dirname(where["secret"])).index("secret.txt"))
tries("home", lambda: os.listdir(where["home"]).index("engine"))
tries("write", lambda: open(where["secret"] + ".new", "w"))
tries("port", lambda: socket.create_connection(("127.0.0.1", where["port"]), 2))
tries("name", lambda: socket.getaddrinfo("localhost.example", 80))
tries("parent", lambda: os.kill(where["pid"], 0))
tries("variables", lambda: os.environ["CANARY_TOKEN"])
tries("memory", lambda: open(f"/proc/{where['pid']}/environ").read())
print(json.dumps({"title": "", "text": ",".join(got) or "nothing", "links": []}), flush=True)
"""


async def test_a_parser_that_is_taken_over_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a file of the bot's user, nor its folders, variables, processes, the network or a name service."""
    monkeypatch.setenv("CANARY_TOKEN", "secret")
    secret, program = tmp_path / "secret.txt", tmp_path / "program.py"
    secret.write_text("secret")
    program.write_text(TAKEN_OVER)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        where = {
            "secret": str(secret),
            "home": str(Path.cwd()),
            "port": listener.getsockname()[1],
            "pid": os.getpid(),
        }
        reader = PageReader(program=program)
        try:
            read = await reader.read(Fetched("http://x/", 200, "text/html", "", json.dumps(where).encode()))
        finally:
            await reader.close()
    assert read.text == "nothing"
    assert not secret.with_name("secret.txt.new").exists()


async def test_without_a_sandbox_it_says_so_and_reads_without_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It limits itself there: memory, and no file of any size."""
    told: list[str] = []
    monkeypatch.setattr(confined.log, "warning", lambda text, *words: told.append(text % words))
    monkeypatch.setenv("CANARY_TOKEN", "secret")
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    made = await confinement()
    assert made == Confinement() and "only limits itself" in told[0]
    process = await made.start(PROGRAM)
    head = {"size": 2, "kind": "text/plain", "charset": "", "address": ""}
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(head).encode() + b"\nhi")
    assert json.loads(await process.stdout.readline())["text"] == "hi"
    assert b"CANARY_TOKEN" not in _of(process.pid, "environ")
    assert b"Max file size             0 " in _of(process.pid, "limits")
    process.stdin.close()
    await process.wait()


def _of(pid: int, what: str) -> bytes:
    return Path(f"/proc/{pid}/{what}").read_bytes()


async def test_a_document_that_unpacks_without_end_is_refused() -> None:
    """A PDF whose stream is a bomb of flate in flate, and a page that is nested without end."""
    bomb = zlib.compress(zlib.compress(b"0 " * 30_000_000, 1), 9)
    body = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>endobj\n"
        b"4 0 obj<</Filter[/FlateDecode/FlateDecode]/Length "
        + f"{len(bomb)}>>stream\n".encode()
        + bomb
        + b"\nendstream endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    )
    assert len(body) < 200_000
    reader = PageReader(seconds=2.0)
    try:
        with pytest.raises(Unreadable):
            await reader.read(Fetched("http://x/a.pdf", 200, "application/pdf", "", body))
        reader._seconds = 30.0
        page = b"<html><body>" + b"<div>" * 5_000 + b"deep"
        deep = await reader.read(Fetched("http://x/", 200, "text/html", "utf-8", page))
        assert len(deep.text) < 100
        assert (await reader.read(Fetched("http://x/", 200, "text/plain", "", b"still here"))).text
    finally:
        await reader.close()
    assert answer(b"\xff", "text/plain", "no-such-charset", "")["text"] == "\ufffd"
