"""CMS's releases: calendar quarters, such as 2026Q3, and weekly editions, by their date."""

import re
from datetime import date, timedelta
from typing import NamedTuple

_NAME = re.compile(r"(19|20)(\d\d)-?[qQ]([1-4])")
_EDITION_LASTS = timedelta(days=14)
_MONTHS = {"jan": 1, "apr": 2, "jul": 3, "oct": 4}


class Quarter(NamedTuple):
    """A calendar quarter; written 2026Q3."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year}Q{self.number}"

    @property
    def first(self) -> date:
        """The first day."""
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def last(self) -> date:
        """The last day."""
        following = date(self.year + 1, 1, 1) if self.number == 4 else date(self.year, 3 * self.number + 1, 1)
        return following - timedelta(days=1)


class Edition(NamedTuple):
    """A copy of a database that changes weekly; written as its date, 2026-09-28."""

    first: date

    def __str__(self) -> str:
        return self.first.isoformat()

    @property
    def last(self) -> date:
        """The last day that it tells about; after two weeks it has changed."""
        return min(self.first, date.max - _EDITION_LASTS) + _EDITION_LASTS


ReleaseDate = Quarter | Edition


def parse_release(text: str) -> ReleaseDate | None:
    """The quarter (2026Q3) or edition (2026-09-28) that a text names; None for any other text."""
    try:
        return parse_quarter(text) or Edition(date.fromisoformat(text))
    except ValueError:
        return None


def quarter_of(day: date) -> Quarter:
    """The quarter of a day."""
    return Quarter(day.year, (day.month + 2) // 3)


def parse_quarter(text: str) -> Quarter | None:
    """The quarter written as `2026Q3`, `2026q3` or `2026-q3`; None for any other text."""
    found = _NAME.fullmatch(text)
    return Quarter(int(found[1] + found[2]), int(found[3])) if found else None


def quarter_in(text: str) -> Quarter | None:
    """The first quarter that a text names in this form, or None."""
    found = _NAME.search(text)
    return parse_quarter(found[0]) if found else None


def quarter_of_month(year: str, month: str) -> Quarter | None:
    """The quarter that begins with a month, given by its English name or first three letters; None for other months."""
    number = _MONTHS.get(month[:3].lower())
    return Quarter(int(year), number) if number else None
