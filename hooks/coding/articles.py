"""Diagnoses beside the articles of the site's Medicare contractor (MAC): on a list, on none, or not decided.

An article speaks for a code only where the paragraph of a list names it. What it says in prose is not decided, nor is a
list that may be older, or newer, than the code of a diagnosis.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from cds_service.cms.articles import Article, NoArticles
from cds_service.cms.layouts.article_rows import COVERED, DiagnosisGroup
from cds_service.core.case import ANY_DIAGNOSIS, Case, ClaimType
from cds_service.core.rules import Why
from cds_service.core.site import MedicarePart
from cds_service.languages.worded import Worded, linked, worded

_OCTOBER = 10  # the month with which a new edition of ICD-10-CM begins


@dataclass(frozen=True, slots=True)
class Open:
    """A question that articles leave open, with the kind of reason; `lacks_diagnosis` if none is stated."""

    why: Why
    reason: str
    lacks_diagnosis: bool = False


@dataclass(frozen=True, slots=True)
class NotListed:
    """The articles that speak for a code and list none of the diagnoses."""

    articles: tuple[Article, ...]


def parts_of(claim_type: ClaimType, case: Case) -> tuple[MedicarePart, ...]:
    """The parts of Medicare to ask: that of the claim type, or all for which the site names a contractor."""
    if claim_type == "professional":
        return ("B",)
    return ("A",) if claim_type == "institutional" else tuple(case.site.medicare)


def compared(
    code: str, day: date, part: MedicarePart, diagnoses: Collection[str], case: Case
) -> NotListed | Open | None:
    """The comparison of all diagnoses of a line and its claim with the articles in force on a day.

    None if no article restricts the code, or if one lists a diagnosis: nothing was found. An empty text stands for a
    diagnosis that was not understood.
    """
    number = case.site.medicare.get(part)
    if number is None:
        return Open("claim", worded("the site's file names no Medicare contractor for Part {part}", part=part))
    answer = case.tables.articles(part, number, code, day)
    if isinstance(answer, NoArticles):
        return Open("table", answer.reason)
    if answer.unknown:
        return Open("table", answer.unknown[0])
    speaking = tuple(each for each in answer.found if _lists_for(code, each))
    return _by_articles(code, speaking, diagnoses, day, case) if speaking else None


def listed_diagnosis(code: str, day: date, part: MedicarePart, diagnoses: Collection[str], case: Case) -> str | None:
    """The first diagnosis that an article in force lists for a code, in words; None without such an article."""
    number = case.site.medicare.get(part)
    answer = case.tables.articles(part, number, code, day) if number is not None else None
    for article in answer.found if answer is not None and not isinstance(answer, NoArticles) else ():
        listed = {each for group in _lists_for(code, article) for each in group.codes}
        if found := sorted(listed.intersection(diagnoses)):
            return worded("{code} is on the list of {article}", code=found[0], article=_named(article))
        if listed and ANY_DIAGNOSIS in diagnoses:
            return worded("a diagnosis may be on the list of {article}", article=_named(article))
    return None


def _by_articles(
    code: str, speaking: tuple[Article, ...], diagnoses: Collection[str], day: date, case: Case
) -> NotListed | Open | None:
    if not diagnoses:
        return Open("claim", worded("{code}: no diagnosis is stated", code=code), lacks_diagnosis=True)
    if prose := next((each for each in speaking if any(group.prose for group in _lists_for(code, each))), None):
        reason = worded(
            "{article} has conditions in prose for {code}: read the article", article=_named(prose), code=code
        )
        return Open("table", reason)
    groups = [group for each in speaking for group in _lists_for(code, each)]
    return _by_lists(groups, speaking, frozenset(diagnoses) - {""}, day, case)


def _by_lists(
    groups: list[DiagnosisGroup],
    speaking: tuple[Article, ...],
    diagnoses: frozenset[str],
    day: date,
    case: Case,
) -> NotListed | Open | None:
    listed = {code for group in groups for code in group.codes}
    marked = {code for group in groups for code in group.asterisked}
    if ANY_DIAGNOSIS in diagnoses or not listed.difference(marked).isdisjoint(diagnoses):
        return None
    named = linked(map(_named, speaking))
    if not marked.isdisjoint(diagnoses):
        return Open("table", _marked(named))
    if any(_is_near(code, listed) for code in diagnoses):
        return Open("table", _of_another_year(named))
    if any(_may_be_younger(code, each, day, case) for code in diagnoses for each in speaking):
        return Open("table", worded("{article} may be older than the code of a diagnosis", article=named))
    return NotListed(speaking)


def _marked(article: Worded) -> Worded:
    return worded(
        "{article} marks the diagnosis with an asterisk, explained in prose: read the article", article=article
    )


def _of_another_year(article: Worded) -> Worded:
    return worded(
        "{article} lists a code above or below that of a diagnosis: it may be of another year", article=article
    )


def _lists_for(code: str, article: Article) -> list[DiagnosisGroup]:
    """The lists that may be for a code: their paragraph names it, or names no code at all."""
    groups = [group for group in article.row.groups if group.kind == COVERED]
    return [group for group in groups if code in group.names or not group.names]


def _named(article: Article) -> Worded:
    return worded("{name} version {version}", name=article.row.name, version=str(article.row.version))


def _is_near(code: str, listed: Iterable[str]) -> bool:
    """True if a list has a part of a code, or a code has a part of it: codes are split and ended each October."""
    return any(each.startswith(code) or code.startswith(each) for each in listed)


def _may_be_younger(code: str, article: Article, day: date, case: Case) -> bool:
    """True unless the version began in the year of the code set, or an older article lists the code."""
    first = article.row.first
    october = date(day.year if day.month >= _OCTOBER else day.year - 1, _OCTOBER, 1)
    if first is None or first >= october:
        return first is None
    listed = case.tables.first_listed(code)
    return listed is None or listed > first
