"""What no text of FHIR holds: bytes that are not UTF-8, and control characters. Senders' text is read all the same."""

import re

import msgspec

# `\u0000` to `\u001f` without tab, line feed and carriage return, with all backslashes before: an even number is text.
# A search is fast that begins with a plain character; therefore the first backslash is looked behind, not before.
_CONTROL = re.compile(rb"\\(?<!\\\\)(\\*+)(?:[bf]|u00(?:0[0-8bBcCeEfF]|1[0-9a-fA-F]))")


def fault_in(raw: msgspec.Raw | bytes) -> str | None:
    """What is wrong with the texts of a piece of JSON, None where all is well.

    Where a code or a date has such a fault, it is another code or none: what was sent was not understood.
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
