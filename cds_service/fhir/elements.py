"""Converts FHIR data types to core values: concepts, codes, quantities, days and references."""

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.core.case import MIDNIGHT
from cds_service.core.concepts import BILLING, NO_SYSTEM, Code, Concept
from cds_service.core.notation import code_with_modifiers
from cds_service.fhir import resources as r
from cds_service.fhir.checks import is_date
from cds_service.fhir.systems import ABSENT, code_kind, normalized

# Larger quantities are typing errors and must not be used in calculations.
_LARGEST_AMOUNT = Decimal(100_000)
# FHIR requires no more digits; 1e-99999999 written out would exhaust memory.
_MAX_DIGITS = 18
_ONE = Decimal(1)


class OutOfRange(Exception):
    """An implausible number."""


_EMPTY = Concept()


def concept(value: r.CodeableConcept | None) -> Concept:
    """A CodeableConcept as a Concept. A coding without a code contributes only its display, and one that says why the
    value is missing contributes nothing.
    """
    if value is None:
        return _EMPTY
    codes: list[Code] = []
    words: list[str] = []
    for each in value.coding or ():
        if code_kind(each.system) == ABSENT:
            continue
        if each.code and (code := _code(each.system, each.code)):
            codes.append(code)
        if each.display:
            words.append(each.display)
    if value.text:
        words.append(value.text)
    return Concept(tuple(codes), tuple(words))


@lru_cache(maxsize=16_384)  # records repeat few codes
def _code(system: str | None, written: str) -> Code | None:
    kind = code_kind(system)
    value = normalized(kind, written)
    return Code(kind, value) if value else None


def mapped(original: Concept, mappings: Mapping[Code, str]) -> Concept:
    """The concept with the site's mapped codes added; a mapped local code sent as a billing code is replaced."""
    added = tuple(Code(BILLING, mappings[code]) for code in original.codes if code in mappings)
    if not added:
        return original
    kept = tuple(code for code in original.codes if code not in mappings or code.system != BILLING)
    return Concept(tuple(dict.fromkeys(kept + added)), original.words)


def merged(concepts: Iterable[Concept]) -> Concept:
    """One concept with the codes and texts of several."""
    every = list(concepts)
    return Concept(
        tuple(code for each in every for code in each.codes), tuple(word for each in every for word in each.words)
    )


def texts_or_codes(value: r.CodeableConcept | None) -> tuple[str, ...]:
    """A concept's texts, or its codes if it has none."""
    found = concept(value)
    return found.words or tuple(code.value for code in found.codes)


def note_texts(notes: Iterable[r.Annotation] | None) -> tuple[str, ...]:
    """The texts of notes."""
    return tuple(each.text for each in notes or () if each.text)


_CODE_IN_TEXT = re.compile(r"(?<![0-9A-Za-z.])(?:[0-9]{4}[0-9T]|[A-Z][0-9]{4})(?![0-9A-Za-z])")
_MODIFIER = re.compile(r"[0-9A-Za-z]{2}")
_MODIFIERS_IN_TEXT = re.compile(r"[-\s]*[0-9A-Z]{2}(?:[\s,;/:-]+[0-9A-Z]{2})*\s*")


@lru_cache(maxsize=4096)  # long records repeat few codes
def code_and_modifiers(codes: tuple[Code, ...]) -> tuple[str, tuple[str, ...]]:
    """A line's billing code and modifiers; modifiers follow the code or are two-character codings."""
    named = [code.value for code in codes if code.system == BILLING]
    bare = [code.value for code in codes if code.system == NO_SYSTEM]
    found = (code_with_modifiers(value) for value in named or bare)
    charged, appended = next((each for each in found if each[0]), ("", ()))
    separate = [value.upper() for value in (*named, *bare) if _MODIFIER.fullmatch(value)]
    return charged, (*appended, *separate)


def with_code_in_text(charged: Concept) -> Concept:
    """A concept without codes, with the only billing code in its texts as a code without a system (weak evidence)."""
    if charged.codes or not charged.words:
        return charged
    written = {found for text in charged.words for found in _CODE_IN_TEXT.findall(text)}
    return Concept((Code(NO_SYSTEM, written.pop()),), charged.words) if len(written) == 1 else charged


def has_billing_system(coded: Concept) -> bool:
    """True if one of the codes names a billing code system."""
    return any(code.system == BILLING for code in coded.codes)


def modifiers_of(concepts: Iterable[r.CodeableConcept]) -> tuple[str, ...]:
    """The modifiers in concepts: upper case, no duplicates; coded, or as text, one or several in each (`26,59`)."""
    found = [modifier for each in concepts for text in _modifier_texts(each) for modifier in _modifiers_in(text)]
    return tuple(dict.fromkeys(found))


def unclear_modifiers_of(concepts: Iterable[r.CodeableConcept]) -> tuple[str, ...]:
    """The codes and texts of concepts that are no modifier in a form that is understood."""
    return tuple(text for each in concepts for text in _modifier_texts(each) if not _modifiers_in(text))


def _modifier_texts(written: r.CodeableConcept) -> tuple[str, ...]:
    """The codes, or the texts if there is no code: a display names a modifier in words.

    Codes of another system than that of billing codes count if there are no others.
    """
    found = concept(written)
    stated = tuple(code.value for code in found.codes if code.system in {BILLING, NO_SYSTEM})
    others = tuple(_foreign_modifier(each) for each in written.coding or () if each.code and each.code.strip())
    return stated or others or found.words


_MODIFIER_IN_FRONT = re.compile(r"[0-9A-Z]{2}(?![0-9A-Za-z])")


def _foreign_modifier(coding: r.Coding) -> str:
    """The code of another system; in words, which are no modifier, if it is the row of a table: `17` for `JZ NO WASTE`.

    Two digits are a modifier only if the display begins with them, or the system is named after modifiers.
    """
    code, system = (coding.code or "").strip(), (coding.system or "").lower()
    front = _MODIFIER_IN_FRONT.match((coding.display or "").strip())
    is_same = front[0] == code.upper() if front else not code.isdecimal() or "modifier" in system
    return code if is_same else f"{code} of another code system"


def _modifiers_in(text: str) -> list[str]:
    upper = text.upper()
    return re.findall(r"[0-9A-Z]{2}", upper) if _MODIFIERS_IN_TEXT.fullmatch(upper) else []


def amount(quantity: r.Quantity | None) -> Decimal | None:
    """A quantity's value, from 0 to 100,000; None if it has none. Raises OutOfRange."""
    value = quantity.value if quantity else None
    if value is None:
        return None
    if value.same_quantum(_ONE) and 0 <= value <= _LARGEST_AMOUNT:
        return abs(value)  # whole numbers are the common case
    if not value.is_finite() or not 0 <= value <= _LARGEST_AMOUNT or not _has_few_digits(value):
        raise OutOfRange(f"quantity: expected a number from 0 to {_LARGEST_AMOUNT} with at most {_MAX_DIGITS} digits")
    return abs(value)  # drops the sign of -0


def _has_few_digits(value: Decimal) -> bool:
    """True if the number has few digits in total and after the point."""
    written = str(value)
    if len(written) <= _MAX_DIGITS and "E" not in written:
        return True  # the common case
    _, digits, exponent = value.as_tuple()
    return isinstance(exponent, int) and -exponent <= _MAX_DIGITS and len(digits) <= _MAX_DIGITS


_MICROLITERS = {"ul", "µl", "μl", "mcl", "microliter", "microliters", "microlitre", "microlitres"}
_MILLILITERS = {"ml", "mls", "cc", "cm3", "cm^3", "cm³", "milliliter", "milliliters", "millilitre", "millilitres"}
_MILLILITERS |= {f"cubic {each}" for each in ("cm", "centimeter", "centimeters", "centimetre", "centimetres")}
_LITERS = {"l", "liter", "liters", "litre", "litres"}
_MICROGRAMS = {"ug", "µg", "μg", "mcg", "microgram", "micrograms"}
_MILLIGRAMS = {"mg", "mgs", "milligram", "milligrams"}
_GRAMS = {"g", "gm", "gram", "grams"}


def names_medication(administration: r.MedicationAdministration) -> bool:
    """True if an administration names its medication by code, text or reference."""
    medication = administration.medication_codeable_concept
    if administration.medication_reference or medication is None:
        return administration.medication_reference is not None
    return bool(medication.text) or any(each.display or (each.code or "").strip() for each in medication.coding or ())


def milliliters(dose: r.Quantity | None) -> Decimal | None:
    """A dose in mL; None if it is not a volume. Raises OutOfRange."""
    return _in_thousandths(dose, _MICROLITERS, _MILLILITERS, _LITERS)


def is_in_milliliters(quantity: r.Quantity) -> bool:
    """True if a quantity is stated in mL, not in another unit of volume."""
    return not _MILLILITERS.isdisjoint((_unit(quantity.code), _unit(quantity.unit)))


def milligrams(dose: r.Quantity | None) -> Decimal | None:
    """A dose in mg; None if it is not a weight. Raises OutOfRange."""
    return _in_thousandths(dose, _MICROGRAMS, _MILLIGRAMS, _GRAMS)


def _in_thousandths(
    dose: r.Quantity | None, millionths: set[str], thousandths: set[str], whole: set[str]
) -> Decimal | None:
    value = amount(dose)
    if value is None or dose is None:
        return None
    units = {_unit(dose.code), _unit(dose.unit)}
    if units & thousandths:
        return value
    if units & millionths:
        return value / 1000
    return value * 1000 if units & whole else None


_REMARK = re.compile(r"\s*(?:\{[^{}]*\}|\(.*\)$|(?:/|per)\s*dose$|of\s.*$)")


def _unit(written: str | None) -> str:
    """A unit in lower case, without a remark and a final period: `milliliter (iso1000)`, `mL{total}`, `mL/dose`."""
    return _REMARK.sub("", (written or "").strip().lower()).rstrip(".")


def day_of(moment: str | None, period: r.Period | None = None) -> date | None:
    """The calendar day as sent, without conversion; None if not known to the day.

    A period counts as its first day, or as its last if it states no start.
    """
    text = _moment(moment, period)
    if len(text) < 10 or not is_date(text):
        return None  # month or year only, or an invalid date, which `checks` reports
    return date.fromisoformat(text[:10])


def days_of_part(moment: str | None, period: r.Period | None = None) -> tuple[date, date] | None:
    """The first and the last day of a date that is known to the month or the year; None for any other.

    Of a period, from the first of its start to the last of its end.
    """
    first = _days_written(_moment(moment, period))
    last = _days_written(period.end) if moment is None and period and period.end else first
    return (first[0], max(first[1], last[1])) if first and last else None


def _days_written(text: str) -> tuple[date, date] | None:
    """The first and the last day of a date as written, which may lack the day or the month."""
    if not text or not is_date(text):
        return None
    year, month = int(text[:4]), int(text[5:7] or 0)
    if len(text) >= len("2026-03-17"):
        day = date.fromisoformat(text[:10])
        return day, day
    return date(year, month or 1, 1), date(year, month or 12, monthrange(year, month or 12)[1])


def _moment(moment: str | None, period: r.Period | None) -> str:
    return moment or (period.start or period.end if period else None) or ""


_NOON = 12
_UTC = re.compile(r"T(\d\d):\d\d.*(?:Z|[+-]00:00)$")
_MIDNIGHT = re.compile(r"T00:00(?::00(?:\.0+)?)?(?:Z|[+-]00:00)$")


def local_day(
    moment: str | None, period: r.Period | None = None, zone: ZoneInfo | None = None
) -> tuple[date | None, int | None]:
    """The local calendar day, None if not known to the day, and the UTC hour if it may be the day before.

    A moment with the sender's offset is of the day as sent. An instant written in UTC is of the day that it has in
    `zone`; without a zone, in the Americas an instant before noon may be of the day before. Exactly midnight may also
    be a date that a sender wrote as an instant: it is of the day as sent, or of the day before, whatever the zone.
    """
    day = day_of(moment, period)
    text = _moment(moment, period)
    found = _UTC.search(text) if day else None
    if day is None or found is None:
        return day, None
    if _MIDNIGHT.search(text):
        return day, MIDNIGHT
    if zone is not None:
        return _day_in(text, zone) or day, None
    hour = int(found[1])
    return day, hour if hour < _NOON else None


def last_day_of(period: r.Period | None, zone: ZoneInfo | None) -> date | None:
    """The local day of a period's end, if the period states start and end of different days; otherwise None."""
    if period is None or period.start is None or period.end is None:
        return None
    first, first_hour = local_day(period.start, None, zone)
    last, last_hour = local_day(period.end, None, zone)
    return None if first == last or (last_hour is not None and first_hour is None) else last


@lru_cache(maxsize=256)
def written_near(days: frozenset[date]) -> frozenset[str]:
    """Some days and their neighbors, as FHIR writes them: an instant may be of the day before or after in its zone."""
    numbers = {day.toordinal() + by for day in days for by in (-1, 0, 1)}
    most = date.max.toordinal()
    return frozenset(date.fromordinal(each).isoformat() for each in numbers if 1 <= each <= most)


def _day_in(instant: str, zone: ZoneInfo) -> date | None:
    """The day of an instant in a time zone; None at the ends of the calendar."""
    try:
        return datetime.fromisoformat(instant).astimezone(zone).date()
    except (ValueError, OverflowError):
        return None


def single_day(period: r.Period | None) -> date | None:
    """The day of a period within one day, or with one end only; otherwise None."""
    if period is None:
        return None
    start, end = day_of(period.start), day_of(period.end)
    return start or end if None in (start, end) or start == end else None


def practitioners(references: Iterable[str]) -> frozenset[str]:
    """The references to practitioners, without those to organizations."""
    people = ("Practitioner/", "PractitionerRole/")
    return frozenset(each for each in references if each.startswith(people) or "|" in each or each.startswith("urn:"))


_RELATIVE = re.compile(r"([A-Za-z]+/[A-Za-z0-9\-.]{1,64})(/_history/[^/]*)?$")


def relative_reference(reference: str) -> str:
    """A reference as `Type/id`, without server and version."""
    match = _RELATIVE.search(reference)
    return match[1] if match else reference


# Getters for the patient reference, by resource type; other types have none.
_SUBJECTS: dict[type, Callable[[Any], r.Reference | None]] = {
    kind: attrgetter(member)
    for kind in r.AnyResource.__args__
    for member in kind.__struct_fields__
    if member in {"subject", "patient", "beneficiary"}
}


def subject_of(resource: Any) -> r.Reference | None:
    """A resource's reference to its patient; None if it has none."""
    subject = _SUBJECTS.get(type(resource))
    return subject(resource) if subject else None


def without_values(message: str, expected: str = "a code that FHIR R4 allows here") -> str:
    """A decoder's message without the invalid value, which may be patient data; `expected` is for an enumeration."""
    if message.startswith("Invalid enum value"):
        return f"expected {expected} - at {message.rpartition(' - at ')[2]}"
    return message
