"""JSON that cannot be a FHIR resource, such as a line of the log that an exporter writes beside its data.

A line is such JSON only if it is whole, is an object, and neither states a `resourceType` or a `hook` nor has a member
in which resources name their patient, their codes or their origin. Everything else may be a damaged resource (a line
that is cut off, one that lost its type, one in an envelope): nothing may be concluded from what is missing beside it.
"""

from typing import Any

import msgspec

from cds_service.fhir.checks import DECODE_ERRORS

# The type of such lines, in counts of lines by resource type.
FOREIGN = "not a resource"

_TYPE, _HOOK = "resourcetype", "hook"
# Members that records of patients have and logs do not, as objects or lists.
_MARKS = frozenset(
    {"subject", "patient", "beneficiary", "meta", "contained", "coding", "identifier", "extension", "item", "entry"}
)


def cannot_be_resource(text: str | bytes) -> bool:
    """True if a text is a JSON object that cannot be a FHIR resource, hold one, or be what is left of one."""
    try:
        document = msgspec.json.decode(text)
        return isinstance(document, dict) and not _names(document) & {_TYPE, _HOOK} and not _may_hold_resource(document)
    except DECODE_ERRORS:
        return False


def _may_hold_resource(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_may_hold_resource, value))
    if not isinstance(value, dict):
        return False
    names = _names(value)
    if {_TYPE, "id"} <= names:  # a log names the type of a file, but not the id of a resource
        return True
    return any(
        (name in _MARKS and isinstance(each, dict | list)) or _may_hold_resource(each) for name, each in value.items()
    )


def _names(value: dict[str, Any]) -> set[str]:
    """The names of the members, in small letters and without `_` and `-`: some converters rename them."""
    return {name.lower().replace("_", "").replace("-", "") for name in value}
