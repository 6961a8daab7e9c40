"""The kinds of recognized parts of a text, as people read them."""

from collections.abc import Mapping

from cds_service.languages.worded import Worded, worded

KINDS: Mapping[str, Worded] = {
    each: each
    for each in (
        worded("code"),
        worded("product"),
        worded("drug"),
        worded("amount"),
        worded("discarded"),
        worded("units"),
        worded("modifier"),
        worded("setting"),
        worded("place"),
        worded("bill"),
        worded("payer"),
        worded("age"),
        worded("day"),
        worded("year"),
        worded("diagnosis"),
        worded("performed"),
        worded("topic"),
        worded("thing"),
        worded("word"),
        worded("term"),
        worded("study"),
        worded("claim"),
    )
}

# The kinds whose values are words of ours; those of the others are names, codes, numbers and dates.
NAMED_IN_WORDS = frozenset({"performed", "setting", "topic", "thing", "study", "claim"})
