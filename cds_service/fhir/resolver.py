"""Resolves the references and concepts of one call's resources."""

from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from cds_service.core.case import REFERENCE, Code, Concept, Origin
from cds_service.fhir import resources as r
from cds_service.fhir.elements import (
    concept,
    contained_medication,
    local_day,
    mapped,
    relative_reference,
    texts_or_codes,
)
from cds_service.fhir.sources import Item


def _names_no_drug(reference: str) -> bool:
    """True for a reference to a resource of another type than Medication, such as a Device used."""
    kind, slash, _ = reference.partition("/")
    return bool(slash) and kind.isalpha() and kind != "Medication"


class Resolver:
    """Resolves references, medications, concepts and days, with the site's mappings and time zone applied.

    `aliases` map the fullUrl of Bundle entries to identities; `medications` are the received Medications by identity.
    """

    def __init__(self, mappings: Mapping[Code, str], zone: ZoneInfo | None = None) -> None:
        self.mappings = mappings
        self.zone = zone
        self.aliases: dict[str, str] = {}
        self.medications: dict[str, Item] = {}
        self._refs: dict[str, str] = {}
        # By the element's id; keeping the element alive prevents Python from reusing the id.
        self._concepts: dict[int, tuple[r.CodeableConcept | None, Concept]] = {}

    def ref(self, reference: r.Reference | None) -> str:
        """A normalized reference: `Type/id`, the URL of a Bundle entry, or `system|value`; empty if there is none."""
        if reference is None:
            return ""
        if written := reference.reference:
            if written not in self._refs:
                self._refs[written] = self.aliases.get(written) or relative_reference(written)
            return self._refs[written]
        if reference.identifier and reference.identifier.value:
            return f"{reference.identifier.system or ''}|{reference.identifier.value}"
        return ""

    def refs(self, *groups: Iterable[r.Reference | None] | None) -> frozenset[str]:
        """The normalized references of several optional lists."""
        return frozenset(self.ref(each) for group in groups for each in group or ()) - {""}

    def medication(self, resource: r.MedicationAdministration | r.MedicationRequest) -> Concept:
        """The medication's concept, inline or by reference to a contained or received Medication."""
        own = self.concept(resource.medication_codeable_concept)
        reference = resource.medication_reference
        if reference is None:
            return own
        referenced = self.referenced_medication(reference, resource.contained)
        words = (*own.words, *referenced.words, *((reference.display,) if reference.display else ()))
        return Concept((*own.codes, *referenced.codes), words)

    def referenced_medication(self, reference: r.Reference, contained: tuple[msgspec.Raw, ...] | None) -> Concept:
        """The concept of a referenced Medication, contained or received; the reference itself if it was not sent."""
        if reference.reference and reference.reference.startswith("#"):
            return self.concept(contained_medication(reference.reference[1:], contained or ()))
        written = self.ref(reference)
        found = self.medications.get(written)
        if found:
            return self.concept(found.resource.code)
        return Concept() if not written or _names_no_drug(written) else Concept((Code(REFERENCE, written),))

    def concept(self, value: r.CodeableConcept | None) -> Concept:
        """The concept with the site's mapped billing codes; cached, since several records share it."""
        kept = self._concepts.get(id(value))
        if kept is None:
            made = concept(value)
            kept = self._concepts[id(value)] = value, mapped(made, self.mappings) if self.mappings else made
        return kept[1]

    def common_fields(self, item: Item) -> dict[str, Any]:
        """The fields that every record has."""
        source, identity = item.source, item.identity
        return {"origin": Origin(source.path, item.label), "identity": identity, "under_review": source.under_review}

    def days(self, moment: str | None, period: r.Period | None = None) -> dict[str, Any]:
        """The fields `day` and `utc_hour` of a record."""
        day, utc_hour = local_day(moment, period, self.zone)
        return {"day": day, "utc_hour": utc_hour}

    def reasons(
        self, codes: Iterable[r.CodeableConcept] | None, references: Iterable[r.Reference] | None
    ) -> tuple[str, ...]:
        """The indications of a record: their texts or codes, and references."""
        named = [text for each in codes or () for text in texts_or_codes(each)]
        return (*named, *sorted(self.refs(references)))
