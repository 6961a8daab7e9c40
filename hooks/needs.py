"""Which parts of the record a case calls for, so that nothing is fetched in vain."""

from cds_service.case import Case
from hooks.echo import studies
from hooks.prefetch import PREFETCH

# What no rule looks at: the patient and the encounter are named in the context.
_NOT_NEEDED = frozenset({"patient", "encounter"})


def wanted(case: Case) -> frozenset[str]:
    """The prefetch keys that rules would look at: none where the call is about nothing that concerns an echo."""
    if any(study.draft for study in studies(case)):
        return frozenset(PREFETCH) - _NOT_NEEDED
    return frozenset()
