"""Resolves the references and concepts of one call's resources."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.core.case import Days, Origin, Part
from cds_service.core.concepts import REFERENCE, Code, Concept
from cds_service.fhir import resources as r
from cds_service.fhir.contained import Substance, contained_by, fragment_of
from cds_service.fhir.elements import (
    concept,
    days_of_part,
    last_day_of,
    local_day,
    mapped,
    merged,
    milliliters,
    relative_reference,
    texts_or_codes,
)
from cds_service.fhir.mixtures import is_mixture, part_of
from cds_service.fhir.sources import Item


class Resolver:
    """Resolves references, medications, concepts and days, with the site's mappings and time zone applied.

    `aliases` map the fullUrl of Bundle entries to identities; `medications`, `organizations` and `conditions` are those
    received, by identity.
    """

    def __init__(self, mappings: Mapping[Code, str], zone: ZoneInfo | None = None) -> None:
        self.mappings = mappings
        self.zone = zone
        self.aliases: dict[str, str] = {}
        self.medications: dict[str, Item] = {}
        self.organizations: dict[str, Item] = {}
        self.conditions: dict[str, Item] = {}
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
        referenced = self.referenced_medication(reference, resource)
        words = (*own.words, *referenced.words, *((reference.display,) if reference.display else ()))
        return Concept((*own.codes, *referenced.codes), words, referenced.parts)

    def referenced_medication(self, reference: r.Reference, holder: r.Resource) -> Concept:
        """The concept of a referenced Medication with its ingredients; the reference itself if it was not sent.

        `holder` is the resource that refers to it.
        """
        found, place = self._medication_at(reference, holder)
        if found is None:
            written = self.ref(reference)
            return Concept((Code(REFERENCE, written),)) if written else Concept()
        own = self.concept(found.code)
        parts = tuple(each for each, _ in self._ingredients(found, place))
        whole = merged([own, *parts]) if parts else own
        return Concept(whole.codes, whole.words, parts) if is_mixture(found) else whole

    def material(self, reference: r.Reference, holder: r.Resource) -> Concept:
        """The concept of a material used, with the name in the reference itself."""
        found = self.referenced_medication(reference, holder)
        if not reference.display:
            return found
        return Concept(found.codes, (*found.words, reference.display), found.parts)

    def organization(self, reference: r.Reference, holder: r.Resource) -> r.Organization | None:
        """A referenced Organization, contained or received."""
        if fragment_of(reference):
            return contained_by(reference, r.Organization, holder)
        found = self.organizations.get(self.ref(reference))
        return found.resource if found else None

    def may_be_drug(self, reference: r.Reference) -> bool:
        """False for a reference to a resource of another type than Medication or Substance, such as a Device."""
        kind, slash, _ = self.ref(reference).partition("/")
        return not (slash and kind.isalpha() and kind not in {"Medication", "Substance"})

    def mixture(self, administration: r.MedicationAdministration) -> tuple[Part, ...]:
        """The ingredients of a mixture, each with its part of the dose; empty if one product was given undiluted.

        One ingredient in a weight per volume is the strength of the product itself.
        """
        reference = administration.medication_reference
        if reference is None:
            return ()
        found, place = self._medication_at(reference, administration)
        if found is None or not is_mixture(found):
            return ()
        dose = milliliters(administration.dosage.dose if administration.dosage else None)
        return tuple(Part(concept, part_of(dose, strength)) for concept, strength in self._ingredients(found, place))

    def _medication_at(self, reference: r.Reference, holder: r.Resource) -> tuple[r.Medication | None, r.Resource]:
        """A referenced Medication, contained or received, and the resource that holds what it contains itself."""
        if fragment_of(reference):
            return contained_by(reference, r.Medication, holder), holder
        found = self.medications.get(self.ref(reference))
        return (found.resource, found.resource) if found else (None, holder)

    def _ingredients(self, medication: r.Medication, place: r.Resource) -> Iterator[tuple[Concept, r.Ratio | None]]:
        for each in medication.ingredient or ():
            named = [self.concept(each.item_codeable_concept)]
            if (reference := each.item_reference) is not None:
                inner = self._medication_at(reference, place)[0] or contained_by(reference, Substance, place)
                written = self.ref(reference)
                missing = Concept((Code(REFERENCE, written),)) if written else Concept()
                named.append(self.concept(inner.code) if inner else missing)
                named.append(Concept((), (reference.display,)) if reference.display else Concept())
            yield merged(named), each.strength

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
        """The fields `day`, `utc_hour`, `last_day` and `within` of a record."""
        day, utc_hour = local_day(moment, period, self.zone)
        part = None if day else days_of_part(moment, period)
        return {
            "day": day,
            "utc_hour": utc_hour,
            "last_day": None if moment else last_day_of(period, self.zone),
            "within": Days(*part) if part else None,
        }

    def reasons(
        self, codes: Iterable[r.CodeableConcept] | None, references: Iterable[r.Reference] | None
    ) -> tuple[str, ...]:
        """The indications of a record: their texts or codes, and references."""
        named = [text for each in codes or () for text in texts_or_codes(each)]
        return (*named, *sorted(self.refs(references)))
