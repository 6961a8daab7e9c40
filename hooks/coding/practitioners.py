"""Comparison of the practitioners named on two records."""


def may_be_same_practitioner(one: frozenset[str], other: frozenset[str]) -> bool:
    """True if two records may name one practitioner: a set is empty, both share one, or one names a Practitioner and
    the other a PractitionerRole, which cannot be compared.
    """
    if not one or not other or one & other:
        return True
    return not {each.split("/")[0] for each in one} & {each.split("/")[0] for each in other}
