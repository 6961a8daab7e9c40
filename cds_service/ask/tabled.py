"""Sentences that our own tables and the loaded ones have in common."""

from cds_service.languages.worded import worded

# The claims that a statement of a table is about, by claim type.
CLAIMS = {"professional": worded("a practitioner's claim"), "facility": worded("a hospital outpatient claim")}


def not_paid(setting: str, code: str, beside: str, *, by_modifier: bool) -> str:
    """The sentence on a listed pair; `by_modifier`: a modifier of a distinct service has both codes paid."""
    if by_modifier:
        return worded(
            "On {claim}, {code} is not paid with {beside} unless a modifier tells of a distinct service (indicator 1).",
            claim=CLAIMS[setting],
            code=code,
            beside=beside,
        )
    return worded(
        "On {claim}, {code} is not paid with {beside} with any modifier (indicator 0).",
        claim=CLAIMS[setting],
        code=code,
        beside=beside,
    )


def no_pair(setting: str, one: str, other: str) -> str:
    """The sentence on two codes of which no pair is listed."""
    return worded(
        "On {claim}, no NCCI pair of {one} and {other} is listed.", claim=CLAIMS[setting], one=one, other=other
    )
