"""Scope of a case: rules concerned or not, and the prefetch keys they need."""

from cds_service.core.case import Case
from hooks.codes.tables import KNOWN_CODES
from hooks.coding.claims import reviewed_lines
from hooks.coding.studies import studies
from hooks.prefetch import PREFETCH

# Keys that no rule uses: the context identifies patient and encounter.
_NOT_NEEDED = frozenset({"patient", "encounter"})


def concerns(case: Case) -> bool:
    """True if the case holds an echo, a record of one, or a charge for a code in a table.

    Rules have no findings for any other case; running them all would take longer than parsing it.
    """
    return bool(studies(case)) or any(line.code in KNOWN_CODES for line in reviewed_lines(case))


def wanted(case: Case) -> frozenset[str]:
    """The prefetch keys that rules use; empty if no echo is under review."""
    if any(study.under_review for study in studies(case)):
        return frozenset(PREFETCH) - _NOT_NEEDED
    return frozenset()
