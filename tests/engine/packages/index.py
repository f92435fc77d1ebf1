"""A package index on loopback (PEP 503), and wheels as good and as bad as anybody could make them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


def wheel(name: str, version: str, files: Mapping[str, str | bytes], needs: str = "") -> tuple[str, bytes]:
    """A wheel's file name and content; files are written as they are named, whatever that is."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {needs}\n" if needs else ""
    wheel_text = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in {f"{info}/METADATA": metadata, f"{info}/WHEEL": wheel_text, **files}.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "")
    return f"{name}-{version}-py3-none-any.whl", content.getvalue()


class Index:
    """What is served, by project and file name; `asked` counts downloads; `yanked` files were withdrawn."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.asked: list[str] = []
        self.yanked: set[str] = set()
        self.url = ""

    def add(self, name: str, content: bytes, project: str = "") -> None:
        """Serve a file; its project is named by its file name."""
        key = (project or name.split("-", maxsplit=1)[0]).lower().replace("_", "-")
        self.files.setdefault(key, {})[name] = content


@contextmanager
def serving(index: Index) -> Iterator[Index]:
    """Serve the index until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = [part for part in self.path.split("/") if part]
            found = index.files.get(parts[1]) if len(parts) > 1 and parts[0] == "simple" else None
            if found is not None and len(parts) == 2:
                marks = dict.fromkeys(index.yanked, ' data-yanked=""')
                links = [
                    f'<a href="{name}#sha256={hashlib.sha256(content).hexdigest()}"'
                    f"{marks.get(name, '')}>{name}</a>"
                    for name, content in found.items()
                ]
                self._send("text/html", "".join(links).encode())
            elif found is not None and parts[2] in found:
                index.asked.append(parts[2])
                self._send("application/octet-stream", found[parts[2]])
            else:
                self.send_error(404)

        def _send(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        index.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()
