"""Comparison of the practitioners named on two records."""


def agrees(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two sets of practitioners may be the same person: one names nobody, they share one, or they name one as a
    person and the other as a role, which cannot be compared.
    """
    if not one or not other or one & other:
        return True
    return not {each.split("/")[0] for each in one} & {each.split("/")[0] for each in other}
