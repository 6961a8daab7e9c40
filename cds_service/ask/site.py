"""The site's own statements as facts that answer questions, always marked as the site's."""

from collections.abc import Collection, Sequence

from cds_service.ask.knowledge import Fact
from cds_service.core.site import SiteStatement


def site_facts(statements: Sequence[SiteStatement], topics: Collection[str]) -> tuple[Fact, ...]:
    """A fact for each statement; one that names no topic answers to all `topics`."""
    return tuple(_fact(each, topics) for each in statements)


def _fact(statement: SiteStatement, topics: Collection[str]) -> Fact:
    code = statement.codes[0]
    return Fact(
        id=statement.id,
        text=statement.marked,
        source=statement.source.label,
        link=f"/codes/{code}#site",
        topics=(statement.topic,) if statement.topic else tuple(sorted(topics)),
        subjects=statement.codes,
        codes=frozenset(statement.codes),
        claim_type=next(iter(statement.settings)) if len(statement.settings) == 1 else "",
        verified_through=statement.source.verified_through,
        first=statement.first,
        last=statement.last,
    )
