"""Articles of a contractor in force on a day, by the weekly copies that are loaded.

A copy has the newest version of an article only, which may begin in the future. So a day is answered by its own copy or
the first one after it, where the version began by then, else by an older copy, if it has the version just before.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Literal, Protocol

import msgspec

from cds_service.cms.catalog import Release
from cds_service.cms.layouts.article_rows import ArticleRow, DiagnosisRow
from cds_service.languages.worded import worded

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
        return NoArticles(worded("Medicare articles (MCD): no copy is loaded"))
    after = [copy for copy in copies if copy.release.first >= day][-1:]
    until = [copy for copy in copies if copy.release.first < day]
    if not after and day > until[0].release.last:
        reason = worded(
            "Medicare articles (MCD): the newest loaded copy, of {day}, is older than 14 days",
            day=copies[0].release.first,
        )
        return NoArticles(reason)
    is_of_the_day = any(copy.release.first == day for copy in after)
    near = after if is_of_the_day else [*after, *until[:1]]
    if not any(copy.rows(f"contractor {part} {number}") for copy in near):
        reason = worded(
            "Medicare articles (MCD): no MAC for Part {part} with the number {number} has an article",
            part=part,
            number=number,
        )
        return NoArticles(reason)
    found: list[Article] = []
    unknown: list[str] = []
    for each in sorted({each for copy in near for each in _listing(copy, part, number, code)}):
        answer = _on(each, [*after, *until], day)
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


def _versions(copy: Copy, number: int) -> list[ArticleRow]:
    rows: list[ArticleRow] = copy.rows(f"article {number}")
    return sorted(rows, key=lambda row: row.version, reverse=True)


def _on(number: int, history: Sequence[Copy], day: date) -> Article | str | None:
    """The version of an article on a day, by its own copy or the first one after it, and older ones, newest first.

    None if the article has ended or does not exist yet, a sentence if the version is not known.
    """
    following: ArticleRow | None = None
    gone = False
    for copy in history:
        row = next(iter(_versions(copy, number)), None)
        if row is None:
            if following and day <= copy.release.last:
                return None
            if following or gone:
                break
            gone = True
        elif row.in_force(day):
            is_next = following is None or following.version == row.version + 1
            return Article(row, copy.release) if is_next and not gone else _not_known(row.name, day)
        elif row.last is not None and row.last < day:
            return None
        elif gone or row.first is None or row.first <= day:
            break
        else:
            following = row
    return _not_known(following.name if following else f"A{number}", day)


def _not_known(name: str, day: date) -> str:
    return worded("{article}: the version in force on {day} is not among the loaded copies", article=name, day=day)
