"""Comparison of the practitioners named on two records."""


def may_be_same_practitioner(one: frozenset[str], other: frozenset[str]) -> bool:
    """True if two records may name one practitioner: a set is empty, both share one, or the two cannot be compared.

    Practitioners can be compared with each other, and so can identifiers of one system. A person may have several
    roles, so a PractitionerRole can be compared with nothing.
    """
    if not one or not other or one & other:
        return True
    return not {_kind(each) for each in one} & {_kind(each) for each in other} - {"PractitionerRole"}


def _kind(reference: str) -> str:
    """The part of a reference or identifier that two must share to be comparable."""
    kind, _, _ = reference.partition("/")
    return kind if kind in {"Practitioner", "PractitionerRole"} else reference.rpartition("|")[0] or kind
