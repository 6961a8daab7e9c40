"""Salvages codes and record parts from JSON that could not be parsed."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from cds_service.core.case import Stage
from cds_service.fhir.checks import resource_type_of

_ESCAPED = re.compile(rb"\\u00([0-7][0-9a-fA-F])")
_CODE = re.compile(rb"(?<![0-9A-Za-z])[0-9A-Z]{5}(?![0-9A-Za-z])")
_TYPE = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]+)"')

# Types that may be or contain charges; at order time, an order counts as its charge. No type: it may be any.
_BILLED = frozenset({"", "Bundle", "ChargeItem", "Claim", "ExplanationOfBenefit", "Invoice"})
_CHARGES: dict[Stage, frozenset[str]] = {
    "claim": _BILLED,
    "order": _BILLED | {"ServiceRequest"},
}

# The record parts that rules draw conclusions from, by resource type.
_PARTS = {
    "MedicationAdministration": "medicationAdministrations",
    "Medication": "medicationAdministrations",
    "Procedure": "procedures",
}


def codes_in(pieces: Iterable[msgspec.Raw], stage: Stage) -> frozenset[str]:
    """The possible billing codes in unparsable JSON that may be charges."""
    return frozenset(code for raw in pieces if resource_type_of(raw) in _CHARGES[stage] for code in _codes(raw))


def _codes(raw: msgspec.Raw) -> Iterator[str]:
    text = _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), bytes(raw))
    return (code.decode() for code in _CODE.findall(text))


def parts_in(pieces: Iterable[msgspec.Raw]) -> frozenset[str]:
    """The record parts that unparsable JSON belongs to."""
    named = {name.decode() for raw in pieces for name in _TYPE.findall(bytes(raw))}
    return frozenset(_PARTS[name] for name in named & set(_PARTS))
