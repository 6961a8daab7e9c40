"""The meaning of study codes: the kind of study a record names, contrast, and hospital codes."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import Literal

from cds_service.core.case import BILLING, NO_SYSTEM, Code, Concept, Line, Order, Procedure, Record
from hooks.codes.tables import STUDIES, StudyCode

Kind = Literal["stress", "rest", "none"]


CONTRAST_ADD_ON = "93352"


PERFUSION_ADD_ON = "0439T"


class _StudyMeaning:
    """What entries of the study table say together of a record: which kind of study of its own, whether contrast was
    used, whether it charges a hospital's code, and whether it is added to a stress echo.
    """

    __slots__ = ("contrast", "hospital", "kind", "on_stress")

    def __init__(self, entries: Iterable[StudyCode]) -> None:
        every = tuple(entries)
        kinds = {entry.kind for entry in every if not entry.add_on}
        self.kind: Kind | None = "stress" if "stress" in kinds else "rest" if "rest" in kinds else None
        self.contrast = any(entry.contrast for entry in every)
        self.hospital = any(entry.hospital for entry in every)
        self.on_stress = any(entry.add_on and entry.kind == "stress" for entry in every)


_BY_LINE = {entry.code: _StudyMeaning(STUDIES.history(entry.code)) for entry in STUDIES}


_NOTHING = _StudyMeaning(())


def meaning_of(record: Record) -> _StudyMeaning:
    """The combined meaning of the study codes on a record."""
    if isinstance(record, Line):
        return _BY_LINE.get(record.code, _NOTHING)
    return _named_by(record.concept.codes) if isinstance(record, (Procedure, Order)) else _NOTHING


@lru_cache(maxsize=4096)  # a record holds few kinds of procedure, again and again
def _named_by(codes: tuple[Code, ...]) -> _StudyMeaning:
    return _StudyMeaning(chain.from_iterable(map(_entries, codes)))


def names_study(concept: Concept) -> bool:
    """Whether one of the codes stands in the study table."""
    return any(map(_entries, concept.codes))


@lru_cache(maxsize=4096)
def _entries(code: Code) -> tuple[StudyCode, ...]:
    """A code without a system is taken for a billing code; a billing code may have modifiers behind it."""
    system = code.system or BILLING
    value = code.value[:5] if system == BILLING else code.value
    return tuple(entry for entry in STUDIES.history(value) if entry.system == system)


def study_kind(record: Record) -> Kind | None:
    """The kind of study that a record names, None where it names none of its own."""
    return meaning_of(record).kind


def names_contrast(record: Record) -> bool:
    """Whether a record's own code says that contrast was used."""
    return meaning_of(record).contrast


def is_hospital_code(charged: Line | str) -> bool:
    """Whether a line, or a code, charges a hospital outpatient code for an echo with contrast."""
    return _BY_LINE.get(charged if isinstance(charged, str) else charged.code, _NOTHING).hospital


def is_certain(record: Record) -> bool:
    """Whether a record names its study by a code whose system is named; a bare code is weak evidence."""
    if isinstance(record, Line):
        return record.certain
    if isinstance(record, Procedure | Order):
        return any(code.system != NO_SYSTEM and _entries(code) for code in record.concept.codes)
    return False
