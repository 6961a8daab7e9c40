"""Writes changes of a line into the sender's JSON, in forms that are read back as the line that they promise.

Only the changed line is touched: its code, its modifiers or its units, in the form in which the sender wrote them.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

from cds_service.core.case import Line
from cds_service.core.changes import AddModifier, LineChange, ReplaceCode, SetUnits
from cds_service.core.concepts import BILLING, NO_SYSTEM, Code
from cds_service.core.notation import code_with_modifiers, rewritten
from cds_service.fhir import resources as r
from cds_service.fhir.charges import stated_by_charge, stated_by_item
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.elements import OutOfRange, concept, modifiers_of, unclear_modifiers_of
from cds_service.fhir.extensions import extension_amount
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.systems import billing_uri, code_kind, normalized
from cds_service.fhir.units import UNIT_EXTENSIONS, units_of

Json = dict[str, Any]
Holder = Literal["Claim", "ChargeItem"]  # the resource of a line: an item of a claim, or a charge of its own
Mappings = Mapping[Code, str]  # those of the site

_CODE_MEMBER: dict[Holder, str] = {"Claim": "productOrService", "ChargeItem": "code"}
_READ = ("productOrService", "code", "modifier", "quantity", "extension")
_SAME = ("code", "unclear_modifiers", "units", "units_unclear")


def write(holder: Holder, line: Json, change: LineChange, mappings: Mappings) -> None:
    """Write a change into the JSON of its line."""
    member = _CODE_MEMBER[holder]
    if isinstance(change, ReplaceCode):
        line[member] = _recoded(line.get(member) or {}, change, mappings)
    elif isinstance(change, SetUnits):
        _set_units(holder, line, change, mappings)
    elif isinstance(change, AddModifier):
        _add_modifier(holder, line, change)
    else:
        _remove_modifier(holder, line, change.modifier)


def is_read_as(promised: Line, holder: Holder, line: Json, mappings: Mappings) -> bool:
    """True if the JSON of a line is read as the code, the modifiers and the units that were promised."""
    again = _read(holder, line, mappings)
    same = all(again.get(each) == getattr(promised, each) for each in _SAME)
    return same and set(again["modifiers"]) == set(promised.modifiers)


def _read(holder: Holder, line: Json, mappings: Mappings) -> dict[str, Any]:
    """The code, modifiers and units of a line, as they are read; empty if they cannot be read."""
    members = {member: line[member] for member in _READ if member in line}
    try:
        if holder == "ChargeItem":
            charge = msgspec.convert({"status": "billable"} | members, r.ChargeItem)
            return stated_by_charge(Resolver(mappings), charge)
        return stated_by_item(Resolver(mappings), msgspec.convert(members, r.ClaimItem))
    except (*DECODE_ERRORS, OutOfRange):
        return {}


# --- codes ----------------------------------------------------------------------------------------------------------


def _recoded(written: Json, change: ReplaceCode, mappings: Mappings) -> Json:
    """A line's code with the billing code replaced; modifiers, local codes and extensions are kept.

    The name of the old code goes, and so does what the site maps to it.
    """
    codings: list[Json] = written.get("coding") or []
    coded = sorted(
        codings, key=lambda each: code_kind(each.get("system")) != BILLING
    )  # a code without a system is last
    billed = map(_billing_code, coded)
    old = next((each for each in billed if code_with_modifiers(each)[0] == change.line.code), "")
    coding = {"system": billing_uri(change.code), "code": rewritten(old, change.code, code_with_modifiers(old)[1])}
    kept = [each for each in codings if not _states_code(each, change.line.code, mappings)]
    return {member: value for member, value in written.items() if member != "text"} | {"coding": [coding, *kept]}


def _states_code(coding: Json, code: str, mappings: Mappings) -> bool:
    """True if a coding states a line's code: a billing code, not a modifier, or a local code mapped to one."""
    kind = code_kind(coding.get("system"))
    written = normalized(kind, coding.get("code") or "")
    if Code(kind, written) in mappings:
        return True
    return len(written) != 2 if kind == BILLING else kind == NO_SYSTEM and code_with_modifiers(written)[0] == code


def _billing_code(coding: Json) -> str:
    """The code of a coding as it is read, if it may be a billing code or a modifier; otherwise empty."""
    kind = code_kind(coding.get("system"))
    return normalized(kind, coding.get("code") or "").upper() if kind in {BILLING, NO_SYSTEM} else ""


# --- modifiers ------------------------------------------------------------------------------------------------------


def _add_modifier(holder: Holder, line: Json, change: AddModifier) -> None:
    coding = {"code": change.modifier}
    if holder == "Claim":
        line["modifier"] = [*(line.get("modifier") or []), {"coding": [coding]}]
        return
    written = line.get("code") or {}
    codings = written.get("coding") or []
    if not concept(msgspec.convert(written, r.CodeableConcept)).codes:  # the code is in its text, which a coding hides
        codings = [*codings, {"code": change.line.code}]
    line["code"] = {**written, "coding": [*codings, coding]}


def _remove_modifier(holder: Holder, line: Json, modifier: str) -> None:
    """Take a modifier off, wherever it is written: beside the code, behind it, in an extension of a charge."""
    written = line.get(_CODE_MEMBER[holder]) or {}
    if "coding" in written:
        codings = written["coding"] or []
        line[_CODE_MEMBER[holder]] = {**written, "coding": [*_codings_without(codings, modifier)]}
    member, without = (
        ("modifier", _concept_without) if holder == "Claim" else ("extension", _modifier_extension_without)
    )
    kept = [left for each in line.pop(member, None) or [] if (left := without(each, modifier))]
    if kept:
        line[member] = kept


def _codings_without(codings: list[Json], modifier: str) -> Iterator[Json]:
    """The codings of a line's code without a modifier, whether a separate coding or behind the code."""
    for each in codings:
        written = _billing_code(each)
        code, modifiers = code_with_modifiers(written)
        if modifier in modifiers:
            yield each | {"code": rewritten(written, code, (kept for kept in modifiers if kept != modifier))}
        elif written != modifier:
            yield each


def _concept_without(written: Json, modifier: str) -> Json | None:
    """A concept that states modifiers without one of them; None if it states nothing else."""
    read = [msgspec.convert(written, r.CodeableConcept)]
    stated = modifiers_of(read)
    if modifier not in stated:
        return written
    if len(stated) == 1 and not unclear_modifiers_of(read):
        return None
    left = {**written, "coding": [part for each in written.get("coding") or [] for part in _left_of(each, modifier)]}
    if modifier in (in_text := modifiers_of([r.CodeableConcept(text=written.get("text"))])):
        left["text"] = " ".join(each for each in in_text if each != modifier)
    return {member: value for member, value in left.items() if value}


def _left_of(coding: Json, modifier: str) -> Iterator[Json]:
    """A coding of modifiers without one of them, as a coding for each of the others."""
    stated = modifiers_of([msgspec.convert({"coding": [coding]}, r.CodeableConcept)])
    if modifier not in stated:
        yield coding
        return
    system = {"system": coding["system"]} if code_kind(coding.get("system")) == BILLING else {}
    yield from (system | {"code": each} for each in stated if each != modifier)


# --- modifiers in extensions ----------------------------------------------------------------------------------------

_NUMBERS = ("valueDecimal", "valueInteger", "valueUnsignedInt", "valuePositiveInt")


def _modifier_extension_without(extension: Json, modifier: str) -> Json | None:
    is_of_modifiers = "modifier" in (extension.get("url") or "").lower()
    return _extension_without(extension, modifier) if is_of_modifiers else extension


def _extension_without(extension: Json, modifier: str) -> Json | None:
    """An extension, with those inside of it, without a modifier; None if no more than its place in order is left."""
    inner: list[Json] = extension.get("extension") or []
    left = [kept for each in inner if (kept := _extension_without(each, modifier))]
    result = {**extension, **_value_without(extension, modifier), "extension": left}
    result = {member: value for member, value in result.items() if value not in (None, [])}
    if left == inner and result.keys() == extension.keys():
        return result
    has_value = any(member.startswith("value") for member in result)
    return result if has_value or not all(_is_number(each) for each in left) else None


def _is_number(extension: Json) -> bool:
    return any(member in extension for member in _NUMBERS)


def _value_without(extension: Json, modifier: str) -> Json:
    """The value of an extension without a modifier, by its member; None as the value if nothing is left."""
    for member in ("valueCodeableConcept", "valueCoding", "valueCode", "valueString"):
        value = extension.get(member)
        if not value:
            continue
        if member == "valueCodeableConcept":
            return {member: _concept_without(value, modifier)}
        coding = value if member == "valueCoding" else {"code": value}
        left = _concept_without({"coding": [coding]}, modifier)
        kept = left["coding"] if left else []
        code = " ".join(each["code"] for each in kept)
        if member == "valueCoding":
            return {member: kept[0] | {"code": code} if kept else None}
        return {member: code or None}
    return {}


# --- units ----------------------------------------------------------------------------------------------------------


def _set_units(holder: Holder, line: Json, change: SetUnits, mappings: Mappings) -> None:
    """Write units where they were read: into extensions that state them, or else into the quantity."""
    if holder == "Claim":
        for each in line.get("extension") or []:
            if _states_units(each, change.line.units):
                _set_number(each, change.units)
        if _read(holder, line, mappings).get("units") == change.units:
            return
    quantity = line.get("quantity") or {}
    _, is_unclear = units_of(msgspec.convert(quantity, r.Quantity))
    line["quantity"] = ({} if is_unclear else quantity) | {"value": number(change.units)}


def _states_units(extension: Json, units: Decimal | None) -> bool:
    try:
        stated = extension_amount([msgspec.convert(extension, r.Extension)], UNIT_EXTENSIONS)
    except OutOfRange:
        return False  # not read where the quantity states the units
    return stated is not None and stated == units


def _set_number(extension: Json, units: Decimal) -> None:
    if extension.get("valueQuantity"):
        extension["valueQuantity"] |= {"value": number(units)}
        return
    member = next(each for each in _NUMBERS if extension.get(each) is not None)
    if isinstance(number(units), int) or member == "valueDecimal":
        extension[member] = number(units)


def number(units: Decimal) -> int | Decimal:
    """Units as JSON has them: a whole number, or all decimals."""
    return int(units) if units == units.to_integral_value() else units
