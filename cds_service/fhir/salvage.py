"""Salvages codes and record parts from JSON that could not be parsed."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from cds_service.core.case import Stage
from cds_service.fhir.checks import resource_type_of
from cds_service.fhir.r4_types import CONTAINERS, R4_TYPES

_ESCAPED = re.compile(rb"\\u00([0-7][0-9a-fA-F])")
_CODE = re.compile(rb"(?<![0-9A-Za-z])[0-9A-Z]{5}(?![0-9A-Za-z])")
_ANY_CODE = re.compile(rb'"code"\s*:\s*"?([^",}\s]*)')
_BILLING_FORM = re.compile(rb"[0-9A-Z]{5}")
_TYPE = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]+)"')

# Types that may be or contain charges; at order time, an order counts as its charge. No type: it may be any.
_BILLED = frozenset({"", *CONTAINERS, "ChargeItem", "Claim", "ExplanationOfBenefit", "Invoice"})
_CHARGES: dict[Stage, frozenset[str]] = {
    "claim": _BILLED,
    "order": _BILLED | {"ServiceRequest"},
}

_CHARGE_TYPES = frozenset({"ChargeItem", "Claim", "ExplanationOfBenefit"})

# The record parts that rules draw conclusions from, by resource type.
_PARTS = {
    "MedicationAdministration": "medicationAdministrations",
    "Medication": "medicationAdministrations",
    "Procedure": "procedures",
}


def codes_in(pieces: Iterable[msgspec.Raw], stage: Stage) -> frozenset[str]:
    """The possible billing codes in unparsable JSON that may be charges."""
    return frozenset(code for raw in pieces if _may_be_charge(resource_type_of(raw), stage) for code in _codes(raw))


def _may_be_charge(resource_type: str, stage: Stage) -> bool:
    """True for the types of charges and, since it may be one that is misspelt, for a type that FHIR does not have."""
    return resource_type in _CHARGES[stage] or resource_type not in R4_TYPES


def _codes(raw: msgspec.Raw) -> Iterator[str]:
    text = _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), bytes(raw))
    return (code.decode() for code in _CODE.findall(text))


def _is_of_unknown_code(charge: bytes) -> bool:
    """True if a charge has a code or a text, and no code in the form of a billing code."""
    codes = _ANY_CODE.findall(charge)
    return bool(codes or b'"text"' in charge) and not any(map(_BILLING_FORM.fullmatch, codes))


def parts_in(pieces: Iterable[msgspec.Raw]) -> frozenset[str]:
    """The record parts that unparsable JSON belongs to; charges only if none of their codes has the form of one."""
    found: set[str] = set()
    for raw in pieces:
        named = {name.decode() for name in _TYPE.findall(bytes(raw))}
        found |= {_PARTS[name] for name in named & set(_PARTS)}
        if named & _CHARGE_TYPES and _is_of_unknown_code(bytes(raw)):
            found.add("chargeItems")
    return frozenset(found)
