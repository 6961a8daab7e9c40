"""Limits on the nesting depth and list lengths of request bodies.

Requests that the typed decoder accepts in one pass need only a check of the lists that are iterated; the decoder itself
rejects excessive nesting. Other requests are scanned for depth and list lengths before decoding.
"""

import re
from collections.abc import Sequence
from typing import Any

from cds_service.errors import BadRequest, TooLarge
from cds_service.fhir import resources as r
from cds_service.fhir.bundle import BundleOrResource, DecodedBundle

# FHIR needs fewer than forty levels.
MAX_LEVELS = 64

# A Bundle entry has about thirty objects and lists on average: codings, references, quantities.
_PARTS_PER_ENTRY = 50

# For reducing JSON to brackets, commas and quotation marks, with all brackets converted to braces.
_NOT_MARKS = bytes(set(range(256)) - set(b'"[]{},'))
_ONE_KIND = bytes.maketrans(b"[]", b"{}")
_STRING = re.compile(rb'"[^"]*"')
_COMMA, _OPENING = b",{"

# Lists and objects with few elements, the common case.
_SHORT = tuple(b"{" + b"," * commas + b"}" for commas in range(9))


def require_short_lists(value: BundleOrResource, max_entries: int) -> None:
    """Check the lengths of a decoded value's lists. Raises TooLarge."""
    resources: Sequence[Any] = [value]
    if isinstance(value, DecodedBundle):
        resources = [entry.resource for entry in value.entry or ()]
    items = (each.item or () for each in resources if type(each) is r.Claim)
    if max(map(len, (resources, *items))) > max_entries:
        raise _too_long(max_entries)


def require_within_limits(body: bytes, max_entries: int) -> bytes:
    """The body, after checking its nesting and lists by its brackets, before decoding.

    Raises BadRequest if it is nested too deeply, TooLarge if a list or the whole body has too many elements.
    """
    marks = _marks(_without_escapes(body))
    nesting = marks.translate(None, b",")
    if nesting.count(b"{") > _PARTS_PER_ENTRY * max_entries:
        raise TooLarge("the body has more objects than this service accepts")
    if _is_deeper(nesting, MAX_LEVELS):
        raise BadRequest(f"the body is nested more than {MAX_LEVELS} levels deep")
    if len(marks) - len(nesting) >= max_entries and _longest(_without_short(marks, max_entries)) > max_entries:
        raise _too_long(max_entries)
    return body


def is_too_deep(raw: bytes) -> bool:
    """True if a piece of JSON exceeds the nesting limit."""
    return _is_deeper(_marks(_without_escapes(raw)).translate(None, b","), MAX_LEVELS)


def _too_long(max_entries: int) -> TooLarge:
    return TooLarge(f"a list in the body has more than {max_entries} elements")


def _without_escapes(body: bytes) -> bytes:
    """The JSON without escaped backslashes and quotation marks."""
    return body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body


def _marks(plain: bytes) -> bytes:
    """The brackets and commas outside strings. Invalid JSON gives arbitrary results; the decoder rejects it later.

    Runs entirely in C: a loop over bytes in Python would take longer than decoding.
    """
    kept = plain.translate(_ONE_KIND, _NOT_MARKS).replace(b'""', b"")
    return _STRING.sub(b"", kept) if b'"' in kept else kept


def _without_short(marks: bytes, max_entries: int) -> bytes:
    """The marks without short lists and objects, removed from the inside until no list can be too long."""
    size = len(marks) + 1
    while marks.count(b",") >= max_entries and len(marks) < size:
        size = len(marks)
        for short in _SHORT[:max_entries]:
            marks = marks.replace(short, b"")
    return marks


def _is_deeper(nesting: bytes, levels: int) -> bool:
    """True if brackets remain after removing the innermost ones `levels` times."""
    for _ in range(levels):
        inner, nesting = nesting, nesting.replace(b"{}", b"")
        if len(inner) == len(nesting):
            return b"{" * (levels + 1) in nesting  # unbalanced brackets, so not JSON
    return bool(nesting)


def _longest(marks: bytes) -> int:
    """The length of the longest list or object."""
    longest = commas = 0
    outer: list[int] = []
    for sign in marks:
        if sign == _COMMA:
            commas += 1
            longest = max(longest, commas)
        elif sign == _OPENING:
            outer.append(commas)
            commas = 0
        else:
            commas = outer.pop() if outer else 0
    return longest + 1
