"""What a case calls for: whether it is a matter of ours at all, and which parts of the record are then needed."""

from cds_service.core.case import Case
from hooks.codes.tables import KNOWN_CODES
from hooks.coding.claims import reviewed
from hooks.coding.studies import studies
from hooks.prefetch import PREFETCH

# What no rule looks at: the patient and the encounter are named in the context.
_NOT_NEEDED = frozenset({"patient", "encounter"})


def concerns(case: Case) -> bool:
    """Whether there is an echo, something of one, or a charge of a code that a table speaks of.

    Of all else no rule says anything; most orders and charges are about something else, and asking nineteen rules in
    vain would take longer than to read them.
    """
    return bool(studies(case)) or any(line.code in KNOWN_CODES for line in reviewed(case))


def wanted(case: Case) -> frozenset[str]:
    """The prefetch keys that rules would look at: none where the call is about nothing that concerns an echo."""
    if any(study.under_review for study in studies(case)):
        return frozenset(PREFETCH) - _NOT_NEEDED
    return frozenset()
