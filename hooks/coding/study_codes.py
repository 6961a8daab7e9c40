"""Meaning of study codes: kind of study, contrast, and hospital codes."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import Literal

from cds_service.core.case import Line, Order, Procedure, Record
from cds_service.core.concepts import BILLING, NO_SYSTEM, Code, Concept
from cds_service.core.notation import code_with_modifiers
from hooks.codes.tables import STUDIES, StudyCode

Kind = Literal["stress", "rest", "none"]


CONTRAST_ADD_ON = "93352"


PERFUSION_ADD_ON = "0439T"


class _StudyMeaning:
    """Combined meaning of a record's study codes: kind of study, contrast used, hospital code, and add-on to a stress
    echo.
    """

    __slots__ = ("contrast", "hospital", "kind", "on_stress")

    def __init__(self, entries: Iterable[StudyCode]) -> None:
        all_entries = tuple(entries)
        kinds = {entry.kind for entry in all_entries if not entry.add_on}
        self.kind: Kind | None = "stress" if "stress" in kinds else "rest" if "rest" in kinds else None
        self.contrast = any(entry.contrast for entry in all_entries)
        self.hospital = any(entry.hospital for entry in all_entries)
        self.on_stress = any(entry.add_on and entry.kind == "stress" for entry in all_entries)


_BY_LINE = {entry.code: _StudyMeaning(STUDIES.history(entry.code)) for entry in STUDIES}


_NOTHING = _StudyMeaning(())


def meaning_of(record: Record) -> _StudyMeaning:
    """The combined meaning of the study codes on a record."""
    if isinstance(record, Line):
        return _BY_LINE.get(record.code, _NOTHING)
    return _named_by(record.concept.codes) if isinstance(record, (Procedure, Order)) else _NOTHING


@lru_cache(maxsize=4096)  # a record repeats few procedure codes
def _named_by(codes: tuple[Code, ...]) -> _StudyMeaning:
    return _StudyMeaning(chain.from_iterable(map(_entries, codes)))


def names_study(concept: Concept) -> bool:
    """True if one of the codes is in the study table."""
    return any(map(_entries, concept.codes))


@lru_cache(maxsize=4096)
def _entries(code: Code) -> tuple[StudyCode, ...]:
    """A code without a system counts as a billing code; a billing code may be followed by modifiers."""
    system = code.system or BILLING
    value = code_with_modifiers(code.value)[0] if system == BILLING else code.value
    return tuple(entry for entry in STUDIES.history(value) if entry.system == system)


def study_kind(record: Record) -> Kind | None:
    """The kind of study that a record names; None if it names none of its own."""
    return meaning_of(record).kind


def names_contrast(record: Record) -> bool:
    """True if the record's own code includes contrast."""
    return meaning_of(record).contrast


def is_hospital_code(charged: Line | str) -> bool:
    """True for a hospital outpatient code for an echo with contrast, given as a line or a code."""
    return _BY_LINE.get(charged if isinstance(charged, str) else charged.code, _NOTHING).hospital


def is_certain(record: Record) -> bool:
    """True if a code with a code system names the study; a bare code is weak evidence."""
    if isinstance(record, Line):
        return record.certain
    if isinstance(record, Procedure | Order):
        return any(code.system != NO_SYSTEM and _entries(code) for code in record.concept.codes)
    return False
