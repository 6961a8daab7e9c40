"""References and concepts of the resources of one call, resolved for the converters."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cds_service.core.case import Code, Concept, Origin
from cds_service.fhir import resources as r
from cds_service.fhir.elements import concept, contained_medication, mapped, relative, said
from cds_service.fhir.sources import Item


class Resolver:
    """Resolves references, medications and concepts, with the site's mappings applied.

    `aliases` lead from the addresses of Bundle entries to identities; `medications` are the Medication resources that
    came along, by identity.
    """

    def __init__(self, mappings: Mapping[Code, str]) -> None:
        self.mappings = mappings
        self.aliases: dict[str, str] = {}
        self.medications: dict[str, Item] = {}
        self._refs: dict[str, str] = {}
        # By the element, which is kept beside it: an id is another's when the first is gone.
        self._concepts: dict[int, tuple[r.CodeableConcept | None, Concept]] = {}

    def ref(self, reference: r.Reference | None) -> str:
        """A reference in one form: `Type/id`, the address of a Bundle entry, or `system|value`; empty where none."""
        if reference is None:
            return ""
        if written := reference.reference:
            if written not in self._refs:
                self._refs[written] = self.aliases.get(written) or relative(written)
            return self._refs[written]
        if reference.identifier and reference.identifier.value:
            return f"{reference.identifier.system or ''}|{reference.identifier.value}"
        return ""

    def refs(self, *groups: Iterable[r.Reference | None] | None) -> frozenset[str]:
        """All references of several optional lists."""
        return frozenset(self.ref(each) for group in groups for each in group or ()) - {""}

    def medication(self, resource: r.MedicationAdministration | r.MedicationRequest) -> Concept:
        """What a medication is, in place or behind a reference: contained, in a Bundle or in prefetch."""
        own = self.concept(resource.medication_codeable_concept)
        reference = resource.medication_reference
        if reference is None:
            return own
        behind = self.behind(reference, resource.contained)
        words = (*own.words, *behind.words, *((reference.display,) if reference.display else ()))
        return Concept((*own.codes, *behind.codes), words)

    def behind(self, reference: r.Reference, contained: tuple[msgspec.Raw, ...] | None) -> Concept:
        """The concept of a referenced Medication, contained or received with the call; empty if it did not come."""
        if reference.reference and reference.reference.startswith("#"):
            return self.concept(contained_medication(reference.reference[1:], contained or ()))
        found = self.medications.get(self.ref(reference))
        return self.concept(found.resource.code) if found else Concept()

    def concept(self, value: r.CodeableConcept | None) -> Concept:
        """A concept with the billing codes to which the site maps its codes; made once, and asked for by many."""
        kept = self._concepts.get(id(value))
        if kept is None:
            made = concept(value)
            kept = self._concepts[id(value)] = value, mapped(made, self.mappings) if self.mappings else made
        return kept[1]

    def base(self, item: Item) -> dict[str, Any]:
        """What every record carries."""
        source, identity = item.source, item.identity
        return {"origin": Origin(source.place, item.label), "identity": identity, "under_review": source.under_review}

    def reasons(
        self, codes: Iterable[r.CodeableConcept] | None, references: Iterable[r.Reference] | None
    ) -> tuple[str, ...]:
        """The indications that a record names: their codes or words, and the records that it points at."""
        named = [text for each in codes or () for text in said(each)]
        return (*named, *sorted(self.refs(references)))
