"""Detects text that FHIR forbids: invalid UTF-8 and control characters. The data is parsed anyway."""

import re

import msgspec

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


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
