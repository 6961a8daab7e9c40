"""Resolves the references and concepts of one call's resources."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cds_service.core.case import Code, Concept, Origin
from cds_service.fhir import resources as r
from cds_service.fhir.elements import concept, contained_medication, mapped, relative_reference, texts_or_codes
from cds_service.fhir.sources import Item


class Resolver:
    """Resolves references, medications and concepts, with the site's mappings applied.

    `aliases` map the fullUrl of Bundle entries to identities; `medications` are the received Medications by identity.
    """

    def __init__(self, mappings: Mapping[Code, str]) -> None:
        self.mappings = mappings
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
        """The concept of a referenced Medication, contained or received; empty if it is missing."""
        if reference.reference and reference.reference.startswith("#"):
            return self.concept(contained_medication(reference.reference[1:], contained or ()))
        found = self.medications.get(self.ref(reference))
        return self.concept(found.resource.code) if found else Concept()

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

    def reasons(
        self, codes: Iterable[r.CodeableConcept] | None, references: Iterable[r.Reference] | None
    ) -> tuple[str, ...]:
        """The indications of a record: their texts or codes, and references."""
        named = [text for each in codes or () for text in texts_or_codes(each)]
        return (*named, *sorted(self.refs(references)))
