"""How deep a body may be nested and how long its lists may be.

What can be read in one pass is not looked at bracket by bracket, which would take longer than to read it: of it only
lists are counted whose elements are looked at one by one. Nobody looks at what else is nested in it, and the decoder
refuses what has no end.
"""

import re
from collections.abc import Sequence
from typing import Any

from cds_service.errors import BadRequest, TooLarge
from cds_service.fhir import resources as r
from cds_service.fhir.bundle import ReadBundle, Whole

# FHIR needs fewer than forty levels.
MOST_LEVELS = 64

# A Bundle's entry has some thirty objects and lists on average: codings, references, quantities.
_PARTS_PER_ENTRY = 50

# What is left of JSON when everything but brackets, commas and the ends of texts is taken away, with all brackets made
# one kind.
_NOT_MARKS = bytes(set(range(256)) - set(b'"[]{},'))
_ONE_KIND = bytes.maketrans(b"[]", b"{}")
_STRING = re.compile(rb'"[^"]*"')
_COMMA, _OPENING = b",{"

# Lists and objects with few elements, as most are.
_SHORT = tuple(b"{" + b"," * commas + b"}" for commas in range(9))


def require_few(whole: Whole, most_entries: int) -> None:
    """That no list of something that could be read has too many elements. Raises TooLarge."""
    resources: Sequence[Any] = [whole]
    if isinstance(whole, ReadBundle):
        resources = [entry.resource for entry in whole.entry or ()]
    items = (each.item or () for each in resources if type(each) is r.Claim)
    if max(map(len, (resources, *items))) > most_entries:
        raise _too_long(most_entries)


def require_bounded(body: bytes, most_entries: int) -> bytes:
    """The body, where its nesting and its lists are within bounds; told from its brackets, before it is decoded.

    Raises BadRequest where it is nested too deeply, TooLarge where a list, or all of it, has too many elements.
    """
    marks = _marks(_without_escapes(body))
    nesting = marks.translate(None, b",")
    if nesting.count(b"{") > _PARTS_PER_ENTRY * most_entries:
        raise TooLarge("the body holds more objects than this service accepts")
    if _is_deeper(nesting, MOST_LEVELS):
        raise BadRequest(f"the body is nested in more than {MOST_LEVELS} levels")
    if len(marks) - len(nesting) >= most_entries and _longest(_without_short(marks, most_entries)) > most_entries:
        raise _too_long(most_entries)
    return body


def is_too_deep(raw: bytes) -> bool:
    """Whether a piece of JSON is nested deeper than a body may be."""
    return _is_deeper(_marks(_without_escapes(raw)).translate(None, b","), MOST_LEVELS)


def _too_long(most_entries: int) -> TooLarge:
    return TooLarge(f"a list of the body holds more than {most_entries} elements")


def _without_escapes(body: bytes) -> bytes:
    """The same JSON, in whose texts no quotation mark is left but those that begin and end them."""
    return body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body


def _marks(plain: bytes) -> bytes:
    """Brackets and commas outside texts. What is not JSON may have any: the decoder refuses it.

    Whole passes by C over the body: looking at each byte in Python would take longer than all that follows.
    """
    kept = plain.translate(_ONE_KIND, _NOT_MARKS).replace(b'""', b"")
    return _STRING.sub(b"", kept) if b'"' in kept else kept


def _without_short(marks: bytes, most_entries: int) -> bytes:
    """The same without short lists and objects, the innermost first, as far as it takes to see that no list is long."""
    size = len(marks) + 1
    while marks.count(b",") >= most_entries and len(marks) < size:
        size = len(marks)
        for short in _SHORT[:most_entries]:
            marks = marks.replace(short, b"")
    return marks


def _is_deeper(nesting: bytes, levels: int) -> bool:
    """Whether anything is left when the innermost brackets have been taken away so many times."""
    for _ in range(levels):
        inner, nesting = nesting, nesting.replace(b"{}", b"")
        if len(inner) == len(nesting):
            return b"{" * (levels + 1) in nesting  # they do not match: no JSON
    return bool(nesting)


def _longest(marks: bytes) -> int:
    """The number of elements of the longest list or object."""
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
