"""Indicators of CMS's files with their meaning beside the value."""

from typing import TypeVar

from msgspec import structs

from cds_service.core.tables import Confidence, Entry, Table
from cds_service.languages.worded import Worded, joined, name, prose, worded
from cds_service.review.reference import Citation, IndicatorValue, cited
from hooks.codes.tables import INDICATORS

EntryT = TypeVar("EntryT", bound=Entry)

# The indicator that a field of a table holds, by (table, field).
FIELDS = {
    ("unit_limits", "mai"): "MAI",
    ("pc_tc", "indicator"): "PC/TC",
    ("opps", "status"): "OPPS",
    ("relative_values", "status"): "status",
}


def indicator_values() -> tuple[IndicatorValue, ...]:
    """All values of all indicators, in the order of the table."""
    return tuple(
        IndicatorValue(name=_named(*entry.code.rsplit(" ", 1)), words=entry.words, cited=cited(INDICATORS, entry))
        for entry in INDICATORS
    )


def decoded(indicator: str, value: object) -> Worded:
    """The value with its meaning, such as `MAI 3: for the day …`; the value alone if no entry explains it."""
    written = _named("status" if indicator == "OPPS" else indicator, str(value))
    explained = next(iter(INDICATORS.history(f"{indicator} {value}")), None)
    return joined(": ", (written, prose(explained.words))) if explained else written


def _named(indicator: str, value: str) -> Worded:
    """An indicator with its value; most names are abbreviations."""
    if indicator == "status":
        return worded("status {status}", status=value)
    return worded("add-on {type}", type=value) if indicator == "add-on" else name(f"{indicator} {value}")


def cited_with_meaning(table: Table[EntryT], entry: EntryT) -> Citation:
    """The citation of an entry that is shown with its indicators in words: as certain as the least certain of both."""
    named = (f"{each} {getattr(entry, member)}" for (name, member), each in FIELDS.items() if name == table.name)
    meanings = [explained.confidence for each in named for explained in INDICATORS.history(each)]
    source = cited(table, entry)
    return structs.replace(source, confidence=max([source.confidence, *meanings], key=_DOUBT.index))


_DOUBT: tuple[Confidence, ...] = ("seen", "secondary", "memory")
