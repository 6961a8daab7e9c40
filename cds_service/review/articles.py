"""The articles of the site's Medicare contractors on a code, by the newest loaded copy: their names, without lists."""

from datetime import date

import msgspec

from cds_service.cms.catalog import Release
from cds_service.cms.layouts.article_rows import COVERED, ArticleRow
from cds_service.cms.lookup import Snapshot
from cds_service.core.site import MedicarePart, Site
from cds_service.languages.worded import worded


class ArticleOnCode(msgspec.Struct, rename="camel", omit_defaults=True):
    """A version of an article that lists a code, and since when it is in force.

    `parts` are those of Medicare, with the numbers of the site's contractors. `restricts`: a list of diagnoses is for
    the code. `lcds` are related coverage determinations. `copy` names the loaded copy.
    """

    article: str
    version: int
    parts: tuple[str, ...]
    restricts: bool
    copy: str
    first: date | None = None
    last: date | None = None
    lcds: tuple[str, ...] = ()

    @property
    def dates(self) -> str:
        """The dates of service between which the version is in force, in words."""
        first, last = self.first, self.last
        if last:
            both = worded("from {first} to {last}", first=first, last=last) if first else None
            return both or worded("not stated to {last}", last=last)
        return worded("from {first}", first=first) if first else worded("not stated")


def articles_on_code(code: str, site: Site, snapshot: Snapshot) -> tuple[ArticleOnCode, ...]:
    """The articles on a code; empty if no copy is loaded, or if the site's file names no contractor."""
    parts: dict[tuple[int, int], list[str]] = {}
    found: dict[tuple[int, int], tuple[ArticleRow, Release]] = {}
    for part, number in site.medicare.items():
        for each in snapshot.newest_articles(part, number, code):
            key = each.row.id, each.row.version
            found[key] = each.row, each.release
            parts.setdefault(key, []).append(_contractor(part, number))
    return tuple(_article(code, *found[key], tuple(parts[key])) for key in sorted(found))


def without_articles(site: Site, snapshot: Snapshot) -> str:
    """The reason why no articles of the site's contractors are known, in words."""
    if not site.medicare:
        return worded("the site's file names no Medicare contractor")
    if not any(release.kind == "articles" for release in snapshot.releases):
        return worded("no copy of the articles is loaded")
    return worded("the loaded copies have none of them on these codes")


def _contractor(part: MedicarePart, number: str) -> str:
    return worded("Part {part} ({number})", part=part, number=number)


def _article(code: str, row: ArticleRow, release: Release, parts: tuple[str, ...]) -> ArticleOnCode:
    return ArticleOnCode(
        article=row.name,
        version=row.version,
        parts=parts,
        restricts=any(code in group.names for group in row.groups if group.kind == COVERED),
        copy=f"{release.title} ({release.file})",
        first=row.first,
        last=row.last,
        lcds=tuple(f"L{number}" for number in row.lcds),
    )
