"""The paragraphs of contractors' articles: the billing codes that one names, and if it states conditions in prose.

Only the paragraph of a group of diagnoses says which procedures its list is for. Its text is not kept.
"""

import html
import re
from collections.abc import Collection

_TAG = re.compile(r"<[^<>]*>")
_CODE = re.compile(r"(?<![0-9A-Z.$/-])(?:\d{4}[0-9A-Z]|[A-Z]\d{4})(?![0-9A-Z]|\.\d)")
_RANGE = re.compile(rf"({_CODE.pattern})\s*(?:[-\u2013\u2014]|\bthrough\b|\bthru\b|\bto\b)\s*([0-9A-Z]{{5}})\b")
# Words of a condition that a list of codes does not show: a second diagnosis, an exception, a code of its own.
_CONDITION = re.compile(
    r"\b(?:except\w*|exclud\w*|secondary|only|unless|conjunction|accompan\w*|dual)\b"
    r"|\bnot (?:be )?(?:subject|requir|appl)|\bin addition\b|\balong with\b|\bother than\b|\bbilled with\b"
    r"|\bone of the following\b",
    re.IGNORECASE,
)


def plain_text(written: str) -> str:
    """A paragraph without HTML, on one line; its entities may be escaped twice."""
    text = _TAG.sub(" ", html.unescape(html.unescape(_TAG.sub(" ", written))))
    return " ".join(text.split())


def named_codes(text: str, listed: Collection[str]) -> tuple[str, ...]:
    """The billing codes that a text names, sorted; of a range, its ends and those of `listed` between them."""
    found = set(_CODE.findall(text))
    for match in _RANGE.finditer(text):
        found.add(match[2])
        found |= {code for code in listed if match[1] <= code <= match[2]}
    return tuple(sorted(found))


def states_condition(text: str) -> bool:
    """True if a text has a word of a condition, which only a person can apply."""
    return _CONDITION.search(text) is not None
