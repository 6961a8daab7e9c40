"""Indicators of CMS's files with their meaning beside the value."""

from cds_service.review.reference import IndicatorValue, cited
from hooks.codes.tables import INDICATORS

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
        IndicatorValue(name=entry.code, words=entry.words, cited=cited(INDICATORS, entry)) for entry in INDICATORS
    )


def decoded(indicator: str, value: object) -> str:
    """The value with its meaning, such as `MAI 3: for the day …`; the value alone if no entry explains it."""
    name = f"{indicator} {value}"
    written = f"status {value}" if indicator == "OPPS" else name
    explained = next(iter(INDICATORS.history(name)), None)
    return f"{written}: {explained.words}" if explained else written
