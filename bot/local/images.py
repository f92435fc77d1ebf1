"""Images sent as data URIs."""

from __future__ import annotations

import base64
import binascii
import re

from bot.local.apierrors import form_error

_DATA_URI = re.compile(r"data:image/(png|jpeg|jpg|gif|webp);base64,(.*)", re.DOTALL)


def data_uri(value: object, field: str) -> tuple[bytes, str]:
    """Return the bytes and file extension of an image given as a data URI; raise 50035 if it is not one."""
    match = _DATA_URI.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise form_error(field, "IMAGE_INVALID", "Invalid image data")
    try:
        return base64.b64decode(match[2], validate=True), match[1]
    except binascii.Error as error:
        raise form_error(field, "IMAGE_INVALID", "Invalid image data") from error
