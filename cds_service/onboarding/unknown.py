"""Counts the codes in a site's records that are not understood, as a review reads them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from cds_service.audit.exports import ExportFile
from cds_service.core.alternatives import Unclear
from cds_service.core.case import Case, Stage
from cds_service.core.concepts import NO_SYSTEM, REFERENCE, Code
from cds_service.fhir.bundle import HEAD
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.r4_types import UNREAD_CHARGES
from cds_service.fhir.resources import DECODED_TYPES
from cds_service.fhir.sources import SourceResource
from cds_service.fhir.systems import code_kind, normalized
from cds_service.onboarding.inputs import OnFault, batches_of
from cds_service.review.advisor import Advisor

# The billing codes whose words a display has, with their descriptions, best first; the arguments are kind and display.
Candidates = Callable[[str, str], Mapping[str, str]]

_ORDERS = frozenset({"ServiceRequest", "MedicationRequest"})
_REFERRED_TO = frozenset({"Medication", "Coverage"})
_WORDS = tuple(f'"{each}"' for each in sorted(_REFERRED_TO))  # in the lines of an export that hold one
# Types whose codes, payers or modifiers rules need to understand.
_REVIEWED = _ORDERS | {
    "ChargeItem", "Claim", "Coverage", "ExplanationOfBenefit", "MedicationAdministration", "Procedure",
}  # fmt: skip
_READ = DECODED_TYPES | UNREAD_CHARGES
_DATED = ("lines", "procedures", "administrations", "orders", "observations", "documents")

# Records in which a display is looked for before a code counts as one without.
_MOST_LOOKS = 5
_LONGEST_TEXT = 100


class UnknownCode(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A code that was not understood, in how many records of a kind, and its candidates with their descriptions.

    `code` is empty for records that are only counted: with a text alone, or a reference that leads nowhere.
    """

    kind: str
    system: str
    code: str
    display: str
    count: int
    candidates: dict[str, str]


class Suggestions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The codes that were not understood, most frequent first, and counts.

    `resources` are all that were found, `reviewed` those whose codes matter to rules. `utc_instants` are records dated
    by an instant in UTC before noon, whose local day is open without a time zone. `not_parsed` counts by reason.
    """

    not_understood: tuple[UnknownCode, ...]
    files: int
    resources: int
    reviewed: int
    utc_instants: int
    not_parsed: dict[str, int]


def suggestions(
    files: tuple[ExportFile, ...], advisor: Advisor, candidates: Candidates, on_fault: OnFault
) -> Suggestions:
    """The suggestions for some files. What cannot be read is reported to `on_fault` once."""
    survey = _Survey(advisor, _Targets(files))
    for file in files:
        for batch in batches_of(file, on_fault):
            survey.add(batch)
    return Suggestions(
        not_understood=tuple(survey.unknown(candidates)),
        files=len(files),
        resources=survey.resources,
        reviewed=survey.reviewed,
        utc_instants=survey.utc_instants,
        not_parsed=dict(survey.not_parsed.most_common()),
    )


# --- resources that others refer to ---------------------------------------------------------------------------------


class _Identifier(msgspec.Struct):
    system: str | None = None
    value: str | None = None


class _Target(msgspec.Struct, rename="camel"):
    resource_type: str
    id: str | None = None
    identifier: list[_Identifier] = []


class _Targets:
    """Medications and coverages of all files, which may stand anywhere in an export.

    Of coverages only the references are held, of Medications, which are few and name no patient, the JSON.
    """

    def __init__(self, files: Iterable[ExportFile]) -> None:
        self.medications: dict[str, SourceResource] = {}
        self.coverages: set[str] = set()
        for file in files:
            for batch in batches_of(file, _ignore_fault, _WORDS):
                for source in batch:
                    if _type_of(source) in _REFERRED_TO:
                        self._add(source)

    def _add(self, source: SourceResource) -> None:
        try:
            target = msgspec.json.decode(source.original_json(), type=_Target)
        except DECODE_ERRORS:
            return  # the review reports it as not parsed
        names = [f"{target.resource_type}/{target.id}", f"urn:uuid:{target.id}"] if target.id else []
        names += [source.full_url] if source.full_url else []
        if target.resource_type == "Medication":
            for name in names:
                self.medications.setdefault(name, source)
        else:
            self.coverages.update(names, (f"{each.system or ''}|{each.value}" for each in target.identifier))


def _ignore_fault(_name: str, _line: int | None, _reason: str) -> None:
    """Faults are reported when the files are read again for the review."""


def _type_of(source: SourceResource) -> str:
    try:
        return HEAD.decode(source.original_json()).resource_type
    except DECODE_ERRORS:
        return ""


# --- counting -------------------------------------------------------------------------------------------------------

_Key = tuple[str, str, str]  # kind, code system, code


@dataclass
class _Survey:
    """Parses batches as a review does, and counts."""

    advisor: Advisor
    targets: _Targets
    resources: int = 0
    reviewed: int = 0
    utc_instants: int = 0
    counts: Counter[_Key] = field(default_factory=Counter)
    displays: dict[tuple[str, str], str] = field(default_factory=dict)
    looks: Counter[tuple[str, str]] = field(default_factory=Counter)
    not_parsed: Counter[str] = field(default_factory=Counter)

    def add(self, batch: list[SourceResource]) -> None:
        """Count a batch. Orders are read as at order time, everything else as at claim time."""
        types = [_type_of(each) for each in batch]
        read = [each for each, kind in zip(batch, types, strict=True) if kind in _READ]
        self.resources += len(batch)
        self.reviewed += sum(kind in _REVIEWED for kind in types)
        if read:
            self._count(read, "claim")
        if not _ORDERS.isdisjoint(types):
            self._count(read, "order")

    def _count(self, sources: list[SourceResource], stage: Stage) -> None:
        case, unclear, parsed = self._parsed(sources, stage)
        chosen = [each for each in unclear if (each.kind == "order") == (stage == "order")]
        for each in chosen:
            self._count_unclear(each)
        if stage == "claim":
            self.utc_instants += sum(record.utc_hour is not None for name in _DATED for record in getattr(case, name))
        wanted = {(code.system, code.value) for each in chosen for code in each.codes if self._lacks_display(code)}
        if wanted:
            self.looks.update(wanted)
            for source in parsed:
                self.displays.update(_displays_in(msgspec.json.decode(source.original_json()), wanted))

    def _parsed(
        self, sources: list[SourceResource], stage: Stage
    ) -> tuple[Case, tuple[Unclear, ...], list[SourceResource]]:
        """The case, its unclear records, and the sources with the Medications that the batch refers to."""
        while True:
            parsed = self.advisor.parse(sources, stage)
            readings = self.advisor.readings
            unclear = (*readings.unclear(parsed.case), *readings.if_it_matters(parsed.case))
            referred = [self.targets.medications.get(code.value) for each in unclear for code in each.codes]
            present = {each.path for each in sources}
            more = {each.path: each for each in referred if each is not None and each.path not in present}
            if not more:
                break
            sources = [*sources, *more.values()]
        if stage == "claim":
            self.not_parsed.update(each.reason for each in parsed.skipped)
        return parsed.case, unclear, sources

    def _count_unclear(self, unclear: Unclear) -> None:
        if not unclear.codes:
            self.counts[unclear.kind, unclear.system, ""] += len(unclear.records)
        for code in unclear.codes:
            if code.system != REFERENCE:
                key = ("", "") if _may_be_text(code) else (code.system, code.value)
                self.counts[unclear.kind, *key] += 1
            elif code.value not in self.targets.coverages:
                self.counts[unclear.kind, REFERENCE, ""] += 1

    def _lacks_display(self, code: Code) -> bool:
        key = (code.system, code.value)
        return key[0] != REFERENCE and key not in self.displays and self.looks[key] < _MOST_LOOKS

    def unknown(self, candidates: Candidates) -> Iterator[UnknownCode]:
        """The codes that were not understood, most frequent first."""
        for (kind, system, code), count in sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0])):
            display = self.displays.get((system, code), "")
            yield UnknownCode(
                kind=kind,
                system=system,
                code=code,
                display=display,
                count=count,
                candidates=dict(candidates(kind, display or code)) if code else {},
            )


def _may_be_text(code: Code) -> bool:
    """True for words in the place of a code without a system, or of a system: text, which may be about the patient."""
    return " " in code.system.strip() or (code.system == NO_SYSTEM and " " in code.value)


def _displays_in(value: object, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The displays of codings for some codes; never the text beside them, which may be about the patient."""
    found: dict[tuple[str, str], str] = {}
    if isinstance(value, list):
        for each in value:
            found |= _displays_in(each, wanted)
    elif isinstance(value, dict):
        system, code, display = (value.get(name) for name in ("system", "code", "display"))
        if isinstance(code, str) and isinstance(display, str) and display:
            kind = code_kind(system if isinstance(system, str) else None)
            key = (kind, normalized(kind, code))
            if key in wanted:
                found[key] = plain(display)
        for each in value.values():
            found |= _displays_in(each, wanted)
    return found


def plain(text: str) -> str:
    """A text on one line, without control characters, cut."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    return re.sub(r"\s+", " ", printable).strip()[:_LONGEST_TEXT]
