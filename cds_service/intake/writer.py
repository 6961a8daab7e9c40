"""Makes FHIR R4 of a case: a CDS Hooks request, or a Bundle."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cds_service.errors import UnreadableCase
from cds_service.fhir.bundle import with_entries
from cds_service.intake.fields import MOST_ITEMS, parse_fields
from cds_service.intake.resources import PATIENT, ResourceWriter
from cds_service.intake.text import parse_text
from cds_service.intake.typed import CLAIM_TYPES, ChargeLine, TypedCase
from cds_service.languages.worded import worded

# The date of service of a sample that states none.
SAMPLE_DAY = "2026-03-02"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WrittenBundle:
    """A case as a Bundle.

    `lines` are the key and place of each typed line, by the entry and the item that it became; the item is None for a
    charge on no claim. `orders` are the places of the orders by their entry.
    """

    bundle: Json
    lines: Mapping[tuple[int, int | None], tuple[str, int]]
    orders: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class CaseWriter:
    """Parses cases and writes FHIR.

    `products` are the NDC of contrast products by name, or the supply code of one without an NDC; `displays` are
    descriptions by billing code. `most_items` is the limit of a list.
    """

    products: Mapping[str, str] = field(default_factory=dict)
    displays: Mapping[str, str] = field(default_factory=dict)
    most_items: int = MOST_ITEMS

    def parsed(self, fields: Mapping[str, Any]) -> TypedCase:
        """The case that keys state. Raises UnreadableCase."""
        return parse_fields(fields, self.products, self.most_items)

    def parsed_text(self, text: str) -> TypedCase:
        """The case in a text. Raises UnreadableCase."""
        return parse_text(text, self.products)

    def request(self, case: TypedCase) -> Json:
        """The CDS Hooks request of a case; without a day, of `SAMPLE_DAY`."""
        is_order = case.hook == "order"
        make = self._resources(case)
        charges = _charges(case, make)
        reviewed = [make.order(each) for each in case.ordered] if is_order else [*charges]
        reviewed += [make.report(each) for each in case.reported]
        context = {
            "userId": "Practitioner/dr",
            "patientId": PATIENT,
            "draftOrders" if is_order else "draftCharges": bundle_of(reviewed),
        }
        return {
            "hook": "order-sign" if is_order else "org.example.claim-review",
            "hookInstance": str(uuid.UUID(int=1)),
            "context": context,
            "prefetch": _prefetch(case, make, charges if is_order else []),
        }

    def bundle(self, case: TypedCase) -> WrittenBundle:
        """The Bundle of a case. Raises UnreadableCase without a date of service."""
        if not case.day:
            raise UnreadableCase("", worded("expected the date of service, such as `day: 2026-11-03`"), "day")
        make = self._resources(case)
        resources = _charges(case, make)
        lines: dict[tuple[int, int | None], tuple[str, int]] = {
            (at, None): ("lines", at) for at in range(len(case.lines))
        }
        claims = [claim_type for claim_type in CLAIM_TYPES if getattr(case, claim_type)]
        for entry, claim_type in enumerate(claims, len(case.lines)):
            lines |= {(entry, at): (claim_type, at) for at in range(len(getattr(case, claim_type)))}
        orders = {len(resources) + at: at for at in range(len(case.ordered))}
        resources += [make.order(each) for each in case.ordered]
        for found in _record(case, make, []).values():
            resources += found
        resources += [make.report(each) for each in case.reported]
        return WrittenBundle(bundle_of(resources), lines, orders)

    def _resources(self, case: TypedCase) -> ResourceWriter:
        return ResourceWriter(case.day or SAMPLE_DAY, self.products, self.displays)


def bundle_of(resources: list[Json]) -> Json:
    """A Bundle that holds the resources."""
    return with_entries({"resourceType": "Bundle", "type": "collection"}, [{"resource": each} for each in resources])


def _charges(case: TypedCase, make: ResourceWriter) -> list[Json]:
    """The charges that are on no claim, and the claims."""
    charges = [make.charge(each) for each in case.lines]
    for claim_type in CLAIM_TYPES:
        lines: tuple[ChargeLine, ...] = getattr(case, claim_type)
        if lines:
            bill = case.bill if claim_type == "institutional" else ""
            charges.append(make.claim(claim_type, lines, case.place, bill, case.diagnoses))
    return charges


def _record(case: TypedCase, make: ResourceWriter, charges: list[Json]) -> dict[str, list[Json]]:
    """The record by prefetch key."""
    return {
        "procedures": [make.procedure(each) for each in case.done],
        "medicationAdministrations": [make.administration(each) for each in case.given],
        "chargeItems": charges + [make.charge(each) for each in case.earlier],
        "coverages": [make.coverage(case.payer)] if case.payer else [],
        "observations": [make.observation(each) for each in case.observed],
    }


def _prefetch(case: TypedCase, make: ResourceWriter, charges: list[Json]) -> Json:
    found = _record(case, make, charges)
    if case.hook != "order":
        # The order is no prefetch key of its own; senders put it with the procedure that it led to.
        found["procedures"] += [make.order(each) for each in case.ordered]
    wanted = {key for key, resources in found.items() if resources} | set(case.known)
    return {key: bundle_of(found[key]) for key in found if key in wanted}
