"""Files people and the bot have uploaded, served from loopback."""

from __future__ import annotations

import hmac
import mimetypes
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from simcord.backend.cdn import CdnStore

from bot.local.conditions import Conditions

#: What a browser may show in place; everything else is only ever downloaded.
INLINE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def clean_filename(name: str) -> str:
    """Return a name without path, spaces or control characters, as Discord stores uploads."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    return re.sub(r"[^\w.\-]", "_", base).lstrip(".") or "file"


class LocalCdn(CdnStore):
    """Blobs by path. Blobs no longer in memory are read with ``load``.

    An address ends with a signature by ``key``, as Discord's do: whoever got the address may fetch it.
    """

    def __init__(self, base: str, load: Callable[[str], bytes | None], key: str) -> None:
        super().__init__()
        self.base = base
        self._load = load
        self._key = key.encode()
        self.conditions = Conditions()
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.unsaved: dict[str, bytes] = {}

    def store_attachment(
        self,
        attachment_id: int,
        channel_id: int,
        filename: str,
        data: bytes,
        description: str | None,
    ) -> dict[str, Any]:
        """Store a file and return Discord's attachment object for it."""
        name = clean_filename(filename)
        url = self.keep(f"/cdn/attachments/{channel_id}/{attachment_id}/{name}", data)
        attachment = {
            "id": str(attachment_id),
            "filename": name,
            "size": len(data),
            "url": url,
            "proxy_url": url,
            "content_type": mimetypes.guess_type(name)[0] or "application/octet-stream",
            **image_size(data),
        }
        return attachment | ({"description": description} if description else {})

    def keep(self, path: str, data: bytes) -> str:
        """Store ``data`` under ``path`` and return its URL."""
        self.unsaved[path] = data
        return self._address(path)

    def fresh(self, url: str) -> str:
        """Return an address of the same file that lasts from now on, as Discord gives with each message."""
        if self.conditions.links_last_s is None or not url.startswith(self.base):
            return url
        return self._address(unquote(url.removeprefix(self.base).partition("?")[0]))

    def _address(self, path: str) -> str:
        lasts = self.conditions.links_last_s
        if lasts is None:
            return f"{self.base}{quote(path)}?hm={self.signature(path)}"
        ends = f"{int(self.now().timestamp() + lasts):x}"
        return f"{self.base}{quote(path)}?ex={ends}&hm={self.signature(path, ends)}"

    def expired(self, ends: str) -> bool:
        """Return whether an address with this end is of no use any more."""
        return bool(ends) and self.now().timestamp() > int(ends, 16)

    def signature(self, path: str, ends: str = "") -> str:
        """Return the signature that an address of ``path`` must carry."""
        return hmac.digest(self._key, f"{path}{ends}".encode(), "sha256").hex()

    def sign(self, text: str) -> str:
        """Return the text with signatures added to addresses stored before addresses carried one."""
        bare = re.compile(re.escape(self.base) + r"(/cdn/(?:attachments|avatars)/[^\s\"\\?]+)(?![^\s\"\\])")
        return bare.sub(lambda m: f"{m[0]}?hm={self.signature(unquote(m[1]))}", text)

    def get(self, url: str) -> bytes | None:
        """Return the bytes under a URL or path of this store, or None."""
        path = unquote(url.removeprefix(self.base).partition("?")[0])
        found = self.unsaved.get(path)
        return self._load(path) if found is None else found


def image_size(data: bytes) -> dict[str, int]:
    """Return ``width`` and ``height`` of a PNG or GIF, or nothing; Discord gives both for images."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    elif data[:4] == b"GIF8" and len(data) >= 10:
        width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    else:
        return {}
    return {"width": width, "height": height}
