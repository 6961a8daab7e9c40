"""FHIR data types as the core's values: concepts, codes, amounts, days and references."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from cds_service.core.case import BILLING, NO_SYSTEM, Code, Concept
from cds_service.fhir import resources as r
from cds_service.fhir.checks import UNREADABLE, is_date
from cds_service.fhir.systems import kind

_MEDICATION = msgspec.json.Decoder(r.Medication)

# The largest amount taken for real: a typing error of 10^9 units would not be charged, and must not be computed with.
_LARGEST_AMOUNT = Decimal(100_000)
# FHIR asks for no more digits; written out, 1e-99999999 would fill the memory.
_MOST_DIGITS = 18
_ONE = Decimal(1)


class OutOfRange(Exception):
    """A number that cannot be meant."""


_NOTHING_SAID = Concept()


def concept(value: r.CodeableConcept | None) -> Concept:
    """A CodeableConcept as a Concept. A coding without a code gives only its words."""
    if value is None:
        return _NOTHING_SAID
    codes: list[Code] = []
    words: list[str] = []
    for each in value.coding or ():
        if each.code and (code := _code(each.system, each.code)):
            codes.append(code)
        if each.display:
            words.append(each.display)
    if value.text:
        words.append(value.text)
    return Concept(tuple(codes), tuple(words))


@lru_cache(maxsize=16_384)  # a record holds few codes, again and again
def _code(system: str | None, written: str) -> Code | None:
    value = written.strip()
    return Code(kind(system), value) if value else None


def mapped(what: Concept, mappings: Mapping[Code, str]) -> Concept:
    """The mapped codes beside the sender's own; a local code that is sent as a billing code gives way to its own."""
    added = tuple(Code(BILLING, mappings[code]) for code in what.codes if code in mappings)
    if not added:
        return what
    kept = tuple(code for code in what.codes if code not in mappings or code.system != BILLING)
    return Concept(tuple(dict.fromkeys(kept + added)), what.words)


def joined(concepts: Iterable[Concept]) -> Concept:
    """One concept with the codes and words of several."""
    every = list(concepts)
    return Concept(
        tuple(code for each in every for code in each.codes), tuple(word for each in every for word in each.words)
    )


def said(value: r.CodeableConcept | None) -> tuple[str, ...]:
    """A concept's words, else its codes."""
    what = concept(value)
    return what.words or tuple(code.value for code in what.codes)


def texts(notes: Iterable[r.Annotation] | None) -> tuple[str, ...]:
    """The texts of notes."""
    return tuple(each.text for each in notes or () if each.text)


_BILLED = re.compile(r"([0-9A-Z]{5})((?:[-: ]?[0-9A-Z]{2})*)")
_MODIFIER = re.compile(r"[0-9A-Za-z]{2}")


@lru_cache(maxsize=4096)  # a long record charges few codes, again and again
def billed(codes: tuple[Code, ...]) -> tuple[str, tuple[str, ...]]:
    """The billing code of a line and its modifiers, written behind it or as codings of two characters."""
    named = [code.value for code in codes if code.system == BILLING]
    bare = [code.value for code in codes if code.system == NO_SYSTEM]
    matches = [match for value in named or bare if (match := _BILLED.fullmatch(value.upper()))]
    behind = re.findall(r"[0-9A-Z]{2}", matches[0][2]) if matches else []
    beside = [value.upper() for value in (*named, *bare) if _MODIFIER.fullmatch(value)]
    return matches[0][1] if matches else "", (*behind, *beside)


def is_certain(what: Concept) -> bool:
    """True if one of the codes names a billing code system."""
    return any(code.system == BILLING for code in what.codes)


def modifiers_of(concepts: Iterable[r.CodeableConcept]) -> tuple[str, ...]:
    """The modifiers among the codes of concepts, upper-case, each once."""
    codes = [code.value.upper() for each in concepts for code in concept(each).codes]
    return tuple(dict.fromkeys(code for code in codes if re.fullmatch(r"[0-9A-Z]{2}", code)))


def extension_modifiers(extensions: Iterable[r.Extension]) -> tuple[str, ...]:
    """R4 has no element for a charge's modifiers: senders put them into an extension whose address names them."""
    concepts = [_as_concept(each) for each in extensions if "modifier" in (each.url or "").lower()]
    return modifiers_of(concepts)


def _as_concept(extension: r.Extension) -> r.CodeableConcept:
    bare = extension.value_code or extension.value_string
    coding = extension.value_coding or (r.Coding(code=bare) if bare else None)
    return extension.value_codeable_concept or r.CodeableConcept(coding=(coding,) if coding else ())


def amount(quantity: r.Quantity | None) -> Decimal | None:
    """A quantity as a number from 0 to 100,000; None if it has no value. Raises OutOfRange."""
    value = quantity.value if quantity else None
    if value is None:
        return None
    if value.same_quantum(_ONE) and 0 <= value <= _LARGEST_AMOUNT:
        return abs(value)  # a whole number, as most are
    if not value.is_finite() or not 0 <= value <= _LARGEST_AMOUNT or not _is_written_short(value):
        raise OutOfRange(f"quantity: expected a number from 0 to {_LARGEST_AMOUNT} with at most {_MOST_DIGITS} digits")
    return abs(value)  # zero has no sign


def _is_written_short(value: Decimal) -> bool:
    """Whether the number has few digits, on either side of the point and altogether."""
    written = str(value)
    if len(written) <= _MOST_DIGITS and "E" not in written:
        return True  # as nearly always
    _, digits, exponent = value.as_tuple()
    return isinstance(exponent, int) and -exponent <= _MOST_DIGITS and len(digits) <= _MOST_DIGITS


_MICROLITERS = {"ul", "µl", "μl", "mcl", "microliter", "microliters", "microlitre", "microlitres"}
_MILLILITERS = {"ml", "mls", "cc", "milliliter", "milliliters", "millilitre", "millilitres"}


def says_what_was_given(administration: r.MedicationAdministration) -> bool:
    """True if an administration names its medication by code, text or reference."""
    what = administration.medication_codeable_concept
    if administration.medication_reference or what is None:
        return administration.medication_reference is not None
    return bool(what.text) or any(each.display or (each.code or "").strip() for each in what.coding or ())


def milliliters(dose: r.Quantity | None) -> Decimal | None:
    """A dose as a volume in mL; None where it is not given as a volume."""
    value = amount(dose)
    if value is None or dose is None:
        return None
    units = {(dose.code or "").strip().lower(), (dose.unit or "").strip().lower()}
    if units & _MILLILITERS:
        return value
    if units & _MICROLITERS:
        return value / 1000
    return None


def day_of(moment: str | None, period: r.Period | None = None) -> date | None:
    """The local calendar day as the sender wrote it: the zone offset says where local is, so it is not shifted."""
    text = moment or (period.start if period else None)
    if not text or len(text) < 10 or not is_date(text):
        return None  # known to the month or the year only, or no date, which is reported
    return date.fromisoformat(text[:10])


def single_day(period: r.Period | None) -> date | None:
    """The day of a period that starts and ends on one day, or has no end; else None."""
    if period is None:
        return None
    start, end = day_of(period.start), day_of(period.end)
    return start if end in (None, start) else None


def practitioners(references: Iterable[str]) -> frozenset[str]:
    """Only people: an organisation says nothing of who performed."""
    people = ("Practitioner/", "PractitionerRole/")
    return frozenset(each for each in references if each.startswith(people) or "|" in each or each.startswith("urn:"))


_RELATIVE = re.compile(r"([A-Za-z]+/[A-Za-z0-9\-.]{1,64})(/_history/[^/]*)?$")


def relative(reference: str) -> str:
    """A reference as `Type/id`, without the server and the version."""
    match = _RELATIVE.search(reference)
    return match[1] if match else reference


def contained_medication(wanted: str, contained: Iterable[msgspec.Raw]) -> r.CodeableConcept | None:
    """The code of a contained Medication with an id; None if there is none."""
    for raw in contained:
        try:
            found = _MEDICATION.decode(raw)
        except UNREADABLE:
            continue  # another contained resource, of a type that is not read
        if found.id == wanted:
            return found.code
    return None


# A way to the member by which a resource names its patient; the others name none.
_SUBJECTS: dict[type, Callable[[Any], r.Reference | None]] = {
    kind: attrgetter(member)
    for kind in r.Read.__args__
    for member in kind.__struct_fields__
    if member in {"subject", "patient", "beneficiary"}
}


def subject_of(resource: Any) -> r.Reference | None:
    """The reference to the patient whom a resource is about; None if it names none."""
    subject = _SUBJECTS.get(type(resource))
    return subject(resource) if subject else None


def without_values(message: str) -> str:
    """A decoder's message without the value at fault, which may be patient data; only types and places stay."""
    if message.startswith("Invalid enum value"):
        return f"expected a code that FHIR R4 allows here - at {message.rpartition(' - at ')[2]}"
    return message
