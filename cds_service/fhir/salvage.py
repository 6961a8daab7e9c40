"""What can still be told of what could not be read: codes that stand in it, and what part of the record it is."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from cds_service.core.case import Stage
from cds_service.fhir.checks import type_of

_ESCAPED = re.compile(rb"\\u00([0-7][0-9a-fA-F])")
_CODE = re.compile(rb"(?<![0-9A-Za-z])[0-9A-Z]{5}(?![0-9A-Za-z])")
_TYPE = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]+)"')

# What may be a charge, or hold some; at order time, an order stands for its charge. No type: it may be anything.
_CHARGES: dict[Stage, frozenset[str]] = {
    "claim": frozenset({"", "Bundle", "ChargeItem", "Claim"}),
    "order": frozenset({"", "Bundle", "ChargeItem", "Claim", "ServiceRequest"}),
}

# The parts of the record that rules draw conclusions from, by the resources that would have filled them.
_PARTS = {
    "MedicationAdministration": "medicationAdministrations",
    "Medication": "medicationAdministrations",
    "Procedure": "procedures",
}


def codes_in(pieces: Iterable[msgspec.Raw], stage: Stage) -> frozenset[str]:
    """What looks like a billing code in pieces of JSON that could not be read and may be charges."""
    return frozenset(code for raw in pieces if type_of(raw) in _CHARGES[stage] for code in _codes(raw))


def _codes(raw: msgspec.Raw) -> Iterator[str]:
    text = _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), bytes(raw))
    return (code.decode() for code in _CODE.findall(text))


def parts_in(pieces: Iterable[msgspec.Raw]) -> frozenset[str]:
    """The parts of the record of which something stands in pieces of JSON that could not be read."""
    named = {name.decode() for raw in pieces for name in _TYPE.findall(bytes(raw))}
    return frozenset(_PARTS[name] for name in named & set(_PARTS))
