"""Detects text that FHIR forbids: invalid UTF-8 and control characters. Resources are parsed anyway."""

import re

import msgspec

from cds_service.errors import BadRequest

# Written before JSON by PowerShell and some editors.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Escapes `\u0000` to `\u001f` except tab, line feed and carriage return, with any preceding backslashes: an odd number
# of those makes it plain text. The lookbehind follows the first backslash since searches for a literal start are fast.
_CONTROL = re.compile(rb"\\(?<!\\\\)(\\*+)(?:[bf]|u00(?:0[0-8bBcCeEfF]|1[0-9a-fA-F]))")


def fault_in(raw: msgspec.Raw | bytes) -> str | None:
    """The fault in the texts of a piece of JSON; None if there is none.

    A code or date with such a fault may have been changed in transit and cannot be trusted.
    """
    text = bytes(raw)
    if not text.isascii() and not _is_utf8(text):
        return "expected text in UTF-8"
    if b"\\" in text and any(len(found[1]) % 2 == 0 for found in _CONTROL.finditer(text)):
        return "expected text without control characters"
    return None


def utf8_json(body: bytes) -> bytes:
    """A JSON text without its byte order mark. Raises BadRequest if it is in another encoding than UTF-8."""
    # In UTF-16 and UTF-32, one of the first bytes is NUL, which is valid UTF-8 but never JSON.
    if b"\0" in body[:4] or not (body.isascii() or _is_utf8(body)):
        raise BadRequest("the body: expected JSON in UTF-8, found another encoding")
    return body.removeprefix(BYTE_ORDER_MARK)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
