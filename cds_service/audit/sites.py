"""Site, practitioner, payer and setting of a finding, as references from its records.

At the end of a run, references are replaced by names from the Organization, Location and Practitioner
resources of the export.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from cds_service.audit.patients import ExportedRecord, short
from cds_service.core.case import Case, Coverage, Line, Record
from cds_service.fhir.resources import Reference

NOT_NAMED = "not named"
NOT_IN_EXPORT = "not in the export"

# References to payers that are replaced by names at the end of a run, or by NOT_IN_EXPORT.
PAYER_REFERENCE = "Organization/"
_CLAIMS = frozenset({"Claim", "ExplanationOfBenefit"})


class _Location(msgspec.Struct):
    location: Reference | None = None


class _Encounter(msgspec.Struct, rename="camel"):
    service_provider: Reference | None = None
    location: list[_Location] = []


class _Claim(msgspec.Struct):
    facility: Reference | None = None
    provider: Reference | None = None


@dataclass(frozen=True, slots=True)
class Sites:
    """Sites by the reference of their encounter or claim."""

    of_resource: Mapping[str, str] = field(default_factory=dict)

    def of(self, records: Iterable[Record]) -> str:
        """The site of some records: by encounter, else by claim."""
        every = tuple(records)
        encounters = [self.of_resource.get(each.encounter or "") for each in every]
        claims = [self.of_resource.get(each.claim) for each in every if isinstance(each, Line)]
        return next((site for site in (*encounters, *claims) if site), NOT_NAMED)


def sites_of(stored: Iterable[ExportedRecord]) -> Sites:
    """The sites of a patient's encounters and claims; resources that cannot be parsed are skipped."""
    found: dict[str, str] = {}
    for each in stored:
        named = (
            _encounter_site(each) if each.kind == "Encounter" else _claim_site(each) if each.kind in _CLAIMS else None
        )
        if named:
            found[f"{each.kind}/{each.id}"] = named
    return Sites(found)


def _encounter_site(each: ExportedRecord) -> str | None:
    try:
        encounter = msgspec.json.decode(each.raw, type=_Encounter)
    except msgspec.MsgspecError:
        return None  # only the site is lost; the rules do not read encounters
    places = [part.location for part in encounter.location]
    return next((name for name in map(name_of, (encounter.service_provider, *places)) if name), None)


def _claim_site(each: ExportedRecord) -> str | None:
    try:
        claim = msgspec.json.decode(each.raw, type=_Claim)
    except msgspec.MsgspecError:
        return None  # the parser reports the claim
    provider = name_of(claim.provider) or ""
    is_person = provider.startswith("Practitioner")
    return name_of(claim.facility) or (None if is_person else provider) or None


def name_of(reference: Reference | None) -> str | None:
    """The normalized reference, to be replaced by a name later; else its display text."""
    if reference is None:
        return None
    if reference.reference and not reference.reference.startswith("#"):
        return short(reference.reference)
    return reference.display


# --- practitioner, payer, setting ------------------------------------------------------------------------------------


def practitioner_of(lines: Iterable[Line]) -> str:
    """The billing practitioner; the first in alphabetical order if several."""
    named = sorted({each for line in lines for each in line.performers})
    return named[0] if named else NOT_NAMED


def payer_of(lines: Iterable[Line], case: Case) -> str:
    """The name of the payer: by the first coverage that the lines name, else the patient's first that may be in force.

    A coverage that the lines reference and the export lacks says nothing of its payer: NOT_IN_EXPORT.
    """
    every = tuple(lines)
    for line in every:
        for reference in line.coverages:
            found = (each for each in case.coverages if reference in (each.identity, *each.identifiers))
            return next(map(_payer_name, found), NOT_IN_EXPORT)
        if line.payer_names:
            return line.payer_names[0]
    days = {line.day for line in every} or {None}
    in_force = (each for each in case.coverages if any(each.term.covers(day) is not False for day in days))
    return next(map(_payer_name, in_force), NOT_NAMED)


def _payer_name(coverage: Coverage) -> str:
    """The payor's name, else the plan's, else the reference of the organization that pays."""
    codes = [code.value for code in coverage.concept.codes]
    organizations = [each for each in coverage.identifiers if each.startswith(PAYER_REFERENCE)]
    return next(iter((*coverage.payors, *coverage.concept.words, *codes, *organizations)), NOT_NAMED)


def setting_of(lines: Iterable[Line]) -> str:
    """The setting by claim type: professional, facility, or unknown if neither or both."""
    claim_types = {line.claim_type for line in lines}
    return {"professional": "professional", "institutional": "facility"}.get(
        claim_types.pop() if len(claim_types) == 1 else "", "unknown"
    )
