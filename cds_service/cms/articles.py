"""Articles of a contractor in force on a day, by the weekly copies that are loaded.

A copy has the newest version of an article only, which may begin in the future. So a day is answered by the first copy
after it, where the version began by then, else by the last copy up to it, if no other version may lie between.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Literal, Protocol

import msgspec

from cds_service.cms.catalog import Release
from cds_service.cms.layouts.article_rows import ArticleRow, DiagnosisRow

Part = Literal["A", "B"]


class Copy(Protocol):
    """A loaded copy: its description, and its rows by key."""

    release: Release

    def rows(self, key: str) -> list[Any]:
        """The rows of a key; none if it has none."""
        ...


class Article(msgspec.Struct, frozen=True):
    """A version of an article, and the copy that has it."""

    row: ArticleRow
    release: Release


class Articles(msgspec.Struct, frozen=True):
    """The articles in force that list a code, and a sentence for each whose version of the day is not loaded."""

    found: tuple[Article, ...]
    unknown: tuple[str, ...] = ()


class NoArticles(msgspec.Struct, frozen=True):
    """Nothing is known of a contractor on a day, with the reason as a sentence without period."""

    reason: str


def articles_on(copies: Sequence[Copy], part: Part, number: str, code: str, day: date) -> Articles | NoArticles:
    """The articles of a contractor, by part and number, that list a billing code on a day; copies newest first."""
    if not copies:
        return NoArticles("Medicare articles (MCD): no copy is loaded")
    after = next((copy for copy in reversed(copies) if copy.release.first > day), None)
    before = next((copy for copy in copies if copy.release.first <= day <= copy.release.last), None)
    used = [copy for copy in (after, before) if copy]
    if not used:
        newest = copies[0].release.first.isoformat()
        return NoArticles(f"Medicare articles (MCD): the newest loaded copy, of {newest}, is older than 14 days")
    if not any(copy.rows(f"contractor {part} {number}") for copy in used):
        return NoArticles(f"Medicare articles (MCD): no MAC for Part {part} with the number {number} has an article")
    found: list[Article] = []
    unknown: list[str] = []
    for each in sorted({each for copy in used for each in _listing(copy, part, number, code)}):
        answer = _on(each, after, before, day)
        if isinstance(answer, str):
            unknown.append(answer)
        elif answer and answer.row.lists(code) and (part, number) in answer.row.contractors:
            found.append(answer)
    return Articles(tuple(found), tuple(unknown))


def newest_articles(copies: Sequence[Copy], part: Part, number: str, code: str) -> tuple[Article, ...]:
    """The articles of a contractor that list a billing code in the newest copy, whatever their dates."""
    if not copies:
        return ()
    numbers = sorted(_listing(copies[0], part, number, code))
    return tuple(Article(row, copies[0].release) for each in numbers for row in _versions(copies[0], each))


def first_listed(copies: Iterable[Copy], diagnosis: str) -> date | None:
    """The first day of the oldest version of any article that lists a diagnosis; None if none does."""
    rows: Iterator[DiagnosisRow] = (row for copy in copies for row in copy.rows(f"diagnoses {diagnosis[:3]}"))
    return min((row.first for row in rows if row.code == diagnosis), default=None)


def _listing(copy: Copy, part: Part, number: str, code: str) -> set[int]:
    """The numbers of the articles that name a contractor and a code."""
    of_code, of_contractor = (
        {each for row in copy.rows(key) for each in row.articles}
        for key in (f"code {code}", f"contractor {part} {number}")
    )
    return of_code & of_contractor


def _versions(copy: Copy | None, number: int) -> list[ArticleRow]:
    return copy.rows(f"article {number}") if copy else []


def _in_force(copy: Copy | None, number: int, day: date) -> Article | None:
    rows = [row for row in _versions(copy, number) if row.in_force(day)]
    return Article(max(rows, key=lambda row: row.version), copy.release) if copy and rows else None


def _begins_after(day: date, row: ArticleRow) -> bool:
    return row.first is not None and row.first > day


def _on(number: int, after: Copy | None, before: Copy | None, day: date) -> Article | str | None:
    """The version of an article on a day; None if the article has ended, a sentence if the version is not known."""
    later, earlier = _in_force(after, number, day), _in_force(before, number, day)
    if later or (earlier and after is None):
        return later or earlier
    newer = _versions(after, number)
    if earlier and any(row.version == earlier.row.version + 1 and _begins_after(day, row) for row in newer):
        return earlier
    rows = newer or _versions(before, number)
    if rows and all(row.last is not None and row.last < day for row in rows):
        return None
    name = rows[0].name if rows else f"A{number}"
    return f"{name}: the version in force on {day.isoformat()} is not among the loaded copies"
