"""Makes FHIR R4 resources of the items of a case."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from cds_service.core.notation import is_billing_code
from cds_service.fhir.extensions import DISCARDED_URI
from cds_service.fhir.systems import CLAIM_TYPE_URI, ICD_10_CM_URI, NDC_URI, billing_uri
from cds_service.intake.items import is_drug
from cds_service.intake.typed import ChargeLine, Entry, Given, Named, Words

SYSTEMS = {
    "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "NDC": NDC_URI,
    "SNOMED": "http://snomed.info/sct",
    "LOINC": "http://loinc.org",
}
SOPT_URI = "https://nahdo.org/sopt"
CARIN_URI = "http://hl7.org/fhir/us/carin-bb/CodeSystem"
BILL_TYPE_URI = "https://www.nubc.org/CodeSystem/TypeOfBill"
UCUM_URI = "http://unitsofmeasure.org"

PATIENT = "p1"

Json = dict[str, Any]


class ResourceWriter:
    """Makes resources and numbers them; a name behind `as` takes the place of the number."""

    def __init__(self, day: str, products: Mapping[str, str], displays: Mapping[str, str]) -> None:
        self.day = day
        self.products = products
        self.displays = displays
        self.count = 0

    def charge(self, line: ChargeLine) -> Json:
        """A ChargeItem."""
        words = line.words
        return _without_empty(
            {
                "resourceType": "ChargeItem",
                "id": self._id("line", words),
                "status": words.status or "billable",
                "code": {"coding": [self._coding(line.code, words.bare), *({"code": each} for each in line.modifiers)]},
                "subject": {"reference": f"Patient/{PATIENT}"},
                "context": _reference("Encounter", words.encounter),
                "occurrenceDateTime": words.on or self.day,
                "quantity": _quantity(line),
                "service": _references("Procedure", words.target),
                "performer": _actors(words.by),
                "reason": [_diagnosis(code) for code in words.dx],
                "productCodeableConcept": _concept_of(SYSTEMS["NDC"], words.ndc) if words.ndc else None,
            }
        )

    def claim(
        self, claim_type: str, lines: Sequence[ChargeLine], place: str, bill: str, diagnoses: Sequence[str]
    ) -> Json:
        """A Claim. `diagnoses` are those that no line names."""
        self.count += 1 + len(lines)
        targets = sorted({each.words.target for each in lines if each.words.target})
        doctors = sorted({each.words.by for each in lines if each.words.by})
        every = list(dict.fromkeys((*(code for each in lines for code in each.words.dx), *diagnoses)))
        items = [self._item(each, place, targets, doctors) for each in lines]
        for item, line in zip(items, lines, strict=True):
            if line.words.dx:
                item["diagnosisSequence"] = [every.index(code) + 1 for code in dict.fromkeys(line.words.dx)]
        return _without_empty(
            {
                "resourceType": "Claim",
                "id": f"claim-{claim_type}",
                "status": "draft",
                "type": {"coding": [{"system": CLAIM_TYPE_URI, "code": claim_type}]},
                "use": "claim",
                "patient": {"reference": f"Patient/{PATIENT}"},
                "created": self.day,
                "provider": {"reference": "Organization/clinic"},
                "priority": {"coding": [{"code": "normal"}]},
                "careTeam": _numbered("provider", (_reference("Practitioner", name) for name in doctors)),
                "diagnosis": _numbered("diagnosisCodeableConcept", map(_diagnosis, every)),
                "procedure": _numbered("procedureReference", (_reference("Procedure", name) for name in targets)),
                "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/coverage"}}],
                "supportingInfo": [_bill_type(bill)] if bill else None,
                "item": [{"sequence": i, **item} for i, item in enumerate(items, 1)],
            }
        )

    def _item(self, line: ChargeLine, place: str, targets: list[str], doctors: list[str]) -> Json:
        words = line.words
        return _without_empty(
            {
                "productOrService": {"coding": [self._coding(line.code, words.bare)]},
                "modifier": [{"coding": [{"code": each}]} for each in line.modifiers],
                "servicedDate": words.on or self.day,
                "quantity": _quantity(line),
                "locationCodeableConcept": {"coding": [{"code": place}]} if place else None,
                "procedureSequence": [targets.index(words.target) + 1] if words.target else None,
                "careTeamSequence": [doctors.index(words.by) + 1] if words.by else None,
                "encounter": _references("Encounter", words.encounter),
                "detail": [{"sequence": 1, "productOrService": _concept_of(SYSTEMS["NDC"], words.ndc)}]
                if words.ndc
                else None,
            }
        )

    def administration(self, given: Given) -> Json:
        """A MedicationAdministration."""
        words = given.words
        return _without_empty(
            {
                "resourceType": "MedicationAdministration",
                "id": self._id("given", words),
                "extension": [_discarded(given.discarded)] if given.discarded is not None else None,
                "status": words.status or "completed",
                "medicationCodeableConcept": self._concept(given.names),
                "subject": {"reference": f"Patient/{PATIENT}"},
                "context": _reference("Encounter", words.encounter),
                "effectiveDateTime": words.on or self.day,
                "partOf": _references("Procedure", words.target),
                "dosage": {"dose": {"value": _number(given.dose), "unit": given.unit}}
                if given.dose is not None
                else None,
            }
        )

    def procedure(self, done: Entry) -> Json:
        """A Procedure."""
        words = done.words
        return _without_empty(
            {
                "resourceType": "Procedure",
                "id": self._id("done", words),
                "status": words.status or "completed",
                "code": self._concept(done.names),
                "subject": {"reference": f"Patient/{PATIENT}"},
                "encounter": _reference("Encounter", words.encounter),
                "performedDateTime": words.on or self.day,
                "performer": _actors(words.by),
                "basedOn": _references("ServiceRequest", words.target),
                "reasonCode": [_diagnosis(code) for code in words.dx],
            }
        )

    def order(self, ordered: Entry) -> Json:
        """A MedicationRequest for an agent, else a ServiceRequest."""
        words = ordered.words
        common = {
            "id": self._id("order", words),
            "status": words.status or "draft",
            "intent": "order",
            "subject": {"reference": f"Patient/{PATIENT}"},
            "encounter": _reference("Encounter", words.encounter),
            "authoredOn": words.on or self.day,
        }
        concept = self._concept(ordered.names)
        if is_drug(ordered):
            return _without_empty({"resourceType": "MedicationRequest", **common, "medicationCodeableConcept": concept})
        reasons = [_diagnosis(code) for code in words.dx]
        planned = {"occurrenceDateTime": words.planned, "code": concept, "reasonCode": reasons}
        return _without_empty({"resourceType": "ServiceRequest", **common, **planned})

    def observation(self, observed: Entry) -> Json:
        """An Observation."""
        members = {"code": self._concept(observed.names), "partOf": _references("Procedure", observed.words.target)}
        return self._statement("Observation", "observed", observed) | _without_empty(members)

    def report(self, reported: Entry) -> Json:
        """A DiagnosticReport, by its conclusion."""
        conclusion = " ".join(each.value for each in reported.names)
        return self._statement("DiagnosticReport", "report", reported) | {
            "code": _concept_of(SYSTEMS["LOINC"], "18107-3"),
            "conclusion": conclusion,
        }

    def coverage(self, payer: str) -> Json:
        """A Coverage, by the payer's name, its code in the payer typology, or both."""
        parts = payer.split(" + ")
        codes = [each.removeprefix("SOPT ") for each in parts if each.startswith("SOPT ")]
        name = next((each for each in parts if not each.startswith("SOPT ")), "a plan")
        return _without_empty(
            {
                "resourceType": "Coverage",
                "id": "coverage",
                "status": "active",
                "type": _concept_of(SOPT_URI, codes[0]) if codes else None,
                "beneficiary": {"reference": f"Patient/{PATIENT}"},
                "payor": [{"display": name}],
            }
        )

    def _statement(self, kind: str, prefix: str, entry: Entry) -> Json:
        return _without_empty(
            {
                "resourceType": kind,
                "id": self._id(prefix, entry.words),
                "status": "final",
                "subject": {"reference": f"Patient/{PATIENT}"},
                "encounter": _reference("Encounter", entry.words.encounter),
                "effectiveDateTime": entry.words.on or self.day,
            }
        )

    def _id(self, prefix: str, words: Words) -> str:
        self.count += 1
        return words.name or f"{prefix}-{self.count}"

    def _coding(self, code: str, bare: bool = False) -> dict[str, str]:
        if bare:
            return {"code": code}
        named = {"display": self.displays[code]} if code in self.displays else {}
        return {"system": billing_uri(code), "code": code} | named

    def _concept(self, names: Sequence[Named]) -> Json:
        codings = [self._named_coding(each) for each in names if each.system != "words"]
        texts = [each.value for each in names if each.system == "words"]
        return _without_empty({"coding": codings, "text": " ".join(texts) or None})

    def _named_coding(self, named: Named) -> dict[str, str]:
        if named.system == "code":
            return self._coding(named.value)
        if named.system == "product":
            code = self.products[named.value]
            return self._coding(code) if is_billing_code(code) else {"system": NDC_URI, "code": code}
        return {"system": SYSTEMS[named.system], "code": named.value}


def _concept_of(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _quantity(line: ChargeLine) -> Json | None:
    return None if line.units is None else {"value": _number(line.units)}


def _discarded(ml: Decimal) -> Json:
    quantity = {"value": _number(ml), "unit": "mL", "system": UCUM_URI, "code": "mL"}
    return {"url": DISCARDED_URI, "valueQuantity": quantity}


def _numbered(member: str, values: Any) -> list[Json]:
    return [{"sequence": number, member: value} for number, value in enumerate(values, 1)]


def _bill_type(code: str) -> Json:
    return {
        "sequence": 1,
        "category": _concept_of(f"{CARIN_URI}/C4BBSupportingInfoType", "typeofbill"),
        "code": _concept_of(BILL_TYPE_URI, code),
    }


def _diagnosis(code: str) -> Json:
    return _concept_of(ICD_10_CM_URI, code)


def _reference(kind: str, name: str) -> dict[str, str] | None:
    return {"reference": f"{kind}/{name}"} if name else None


def _references(kind: str, name: str) -> list[dict[str, str]] | None:
    return [{"reference": f"{kind}/{name}"}] if name else None


def _actors(name: str) -> list[Json] | None:
    return [{"actor": {"reference": f"Practitioner/{name}"}}] if name else None


def _without_empty(resource: Json) -> Json:
    return {member: value for member, value in resource.items() if value not in (None, [], "")}
