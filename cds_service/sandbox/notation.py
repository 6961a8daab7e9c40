"""Cases in billers' notation, turned into CDS Hooks requests with FHIR R4 in them.

A case is a mapping; every key is optional:

    lines          CODE, CODEx2-JZ       charges that are on no claim (ChargeItem)
    professional   CODE-26, CODE         lines of a professional claim (Claim)
    institutional  CODE, CODEx2          lines of a hospital claim (Claim)
    earlier        CODE                  charges that are already on the record (prefetch)
    given          [PRODUCT 1.3 mL]      administrations; also `CODE`, `RxNorm 1234`, `words PRODUCT`
    done           [CODE as P1]          procedures
    ordered        [CODE, PRODUCT]       orders: services by code, agents by product, `words ...`
    observed       [LOINC 8867-4]        observations; `words ECG at rest`
    reported       [words ...]           reports, by their conclusion
    known          [procedures]          parts of the record that are complete, even if empty
    payer, place, day, hook              Medicare, or `SOPT 121`; 22; 2026-03-02; claim or order
    bill                                 type of bill of the hospital claim: 0131, 0851
    diagnoses      [I10, R07.9]          diagnoses of the claims (ICD-10-CM) that no line names

After a line, an administration, a procedure or an order: `on DATE`, `for P1` (the record it refers to), `as P1` (its
own id), `by NAME` (practitioner), `in ENCOUNTER`, `status WORD`, `planned DATE` (an order's own day), `bare` (a code
without a system), `ndc CODE` (the product of a line), `dx I10+R07.9` (the diagnoses of a line, order or procedure). Two
codes of one agent: `RxNorm 1234 + PRODUCT`.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cds_service.errors import UnreadableInput
from cds_service.fhir.systems import CLAIM_TYPE_URI, ICD_10_CM_URI, NDC_URI, billing_uri

SYSTEMS = {
    "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "NDC": NDC_URI,
    "SNOMED": "http://snomed.info/sct",
    "LOINC": "http://loinc.org",
}
SOPT_URI = "https://nahdo.org/sopt"
CARIN_URI = "http://hl7.org/fhir/us/carin-bb/CodeSystem"
BILL_TYPE_URI = "https://www.nubc.org/CodeSystem/TypeOfBill"

WORDS = ("on", "for", "as", "by", "in", "status", "planned", "ndc", "dx")

PATIENT = "p1"
DAY = "2026-03-02"

Case = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CaseWriter:
    """Writes requests. `products` are the NDC of contrast products by name, `displays` descriptions by billing code."""

    products: Mapping[str, str] = field(default_factory=dict)
    displays: Mapping[str, str] = field(default_factory=dict)

    def request(self, case: Case) -> dict[str, Any]:
        """The CDS Hooks request of a case. Raises UnreadableInput where a text is not billers' notation."""
        is_order = case.get("hook") == "order"
        resources = _Resources(str(case.get("day", DAY)), self)
        charges = [resources.charge(text) for text in _split(case.get("lines"))]
        charges += [
            resources.claim(
                claim_type,
                case[claim_type],
                str(case.get("place", "")) or None,
                str(case.get("bill", "")) if claim_type == "institutional" else "",
                case.get("diagnoses", ()),
            )
            for claim_type in ("professional", "institutional")
            if claim_type in case
        ]
        reviewed = [resources.order(text) for text in case.get("ordered", [])] if is_order else charges
        reviewed += [resources.report(text) for text in case.get("reported", [])]
        context = {
            "userId": "Practitioner/dr",
            "patientId": PATIENT,
            "draftOrders" if is_order else "draftCharges": bundle(reviewed),
        }
        return {
            "hook": "order-sign" if is_order else "org.example.claim-review",
            "hookInstance": str(uuid.UUID(int=1)),
            "context": context,
            "prefetch": _prefetch(case, resources, charges if is_order else []),
        }


def bundle(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """A Bundle that holds the resources."""
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in resources]}


def _prefetch(case: Case, make: "_Resources", charges: list[dict[str, Any]]) -> dict[str, Any]:
    found = {
        "procedures": [make.procedure(text) for text in case.get("done", [])],
        "medicationAdministrations": [make.administration(text) for text in case.get("given", [])],
        "chargeItems": charges + [make.charge(text) for text in _split(case.get("earlier"))],
        "coverages": [_coverage(case["payer"])] if "payer" in case else [],
        "observations": [make.observation(text) for text in case.get("observed", [])],
    }
    wanted = {key for key, resources in found.items() if resources} | set(case.get("known", []))
    prefetch = {key: bundle(found.get(key, [])) for key in wanted}
    if case.get("hook") != "order" and "ordered" in case:
        # The order is no prefetch key of its own; senders put it with the procedure that it led to.
        prefetch.setdefault("procedures", bundle([]))["entry"] += [
            {"resource": make.order(text)} for text in case["ordered"]
        ]
    return prefetch


def _split(text: Any) -> list[str]:
    return [part.strip() for part in str(text).split(",")] if text else []


def _coverage(payer: str) -> dict[str, Any]:
    kind, _, code = payer.partition(" ")
    by_type = {"type": {"coding": [{"system": SOPT_URI, "code": code}]}} if kind == "SOPT" else {}
    return by_type | {
        "resourceType": "Coverage",
        "id": "coverage",
        "status": "active",
        "beneficiary": {"reference": f"Patient/{PATIENT}"},
        "payor": [{"display": "a plan" if by_type else payer}],
    }


def _bill_type(code: str) -> dict[str, Any]:
    return {
        "sequence": 1,
        "category": {"coding": [{"system": f"{CARIN_URI}/C4BBSupportingInfoType", "code": "typeofbill"}]},
        "code": {"coding": [{"system": BILL_TYPE_URI, "code": code}]},
    }


class _Resources:
    """Makes resources, numbers them and reads the words after them."""

    def __init__(self, day: str, writer: CaseWriter) -> None:
        self.day = day
        self.writer = writer
        self.count = 0

    def charge(self, text: str) -> dict[str, Any]:
        head, words = self._words(text)
        code, units, modifiers = parse_line(head)
        return _without_empty(
            {
                "resourceType": "ChargeItem",
                "id": words.get("as", f"line-{self.count}"),
                "status": words.get("status", "billable"),
                "code": {"coding": [self._coding(code, "bare" in words), *({"code": each} for each in modifiers)]},
                "subject": {"reference": f"Patient/{PATIENT}"},
                "context": _reference("Encounter", words.get("in")),
                "occurrenceDateTime": words.get("on", self.day),
                "quantity": {"value": units} if units else None,
                "service": [_reference("Procedure", words.get("for"))] if "for" in words else None,
                "performer": [{"actor": _reference("Practitioner", words.get("by"))}] if "by" in words else None,
                "reason": [_diagnosis(code) for code in _diagnoses_in(words)],
                "productCodeableConcept": self._concept(f"NDC {words['ndc']}") if "ndc" in words else None,
            }
        )

    def claim(
        self, claim_type: str, lines: str, place: str | None, bill: str, diagnoses: Sequence[str]
    ) -> dict[str, Any]:
        self.count += 1
        parsed = [self._words(text) for text in _split(lines)]
        targets = sorted({words["for"] for _, words in parsed if "for" in words})
        doctors = sorted({words["by"] for _, words in parsed if "by" in words})
        team = [{"sequence": i, "provider": _reference("Practitioner", name)} for i, name in enumerate(doctors, 1)]
        procedures = [
            {"sequence": i, "procedureReference": _reference("Procedure", name)} for i, name in enumerate(targets, 1)
        ]
        coding = {"system": CLAIM_TYPE_URI, "code": claim_type}
        named = (code for _, words in parsed for code in _diagnoses_in(words))
        every = list(dict.fromkeys((*named, *diagnoses)))
        items = [self._item(head, words, place, targets, doctors) for head, words in parsed]
        for item, (_, words) in zip(items, parsed, strict=True):
            if "dx" in words:
                item["diagnosisSequence"] = [every.index(code) + 1 for code in _diagnoses_in(words)]
        return _without_empty(
            {
                "resourceType": "Claim",
                "id": f"claim-{claim_type}",
                "status": "draft",
                "type": {"coding": [coding]},
                "use": "claim",
                "patient": {"reference": f"Patient/{PATIENT}"},
                "created": self.day,
                "provider": {"reference": "Organization/clinic"},
                "priority": {"coding": [{"code": "normal"}]},
                "careTeam": team,
                "diagnosis": [
                    {"sequence": i, "diagnosisCodeableConcept": _diagnosis(code)} for i, code in enumerate(every, 1)
                ],
                "procedure": procedures,
                "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/coverage"}}],
                "supportingInfo": [_bill_type(bill)] if bill else None,
                "item": [{"sequence": i, **item} for i, item in enumerate(items, 1)],
            }
        )

    def _item(
        self, head: str, words: dict[str, str], place: str | None, targets: list[str], doctors: list[str]
    ) -> dict[str, Any]:
        code, units, modifiers = parse_line(head)
        return _without_empty(
            {
                "productOrService": {"coding": [self._coding(code, "bare" in words)]},
                "modifier": [{"coding": [{"code": each}]} for each in modifiers],
                "servicedDate": words.get("on", self.day),
                "quantity": {"value": units} if units else None,
                "locationCodeableConcept": {"coding": [{"code": place}]} if place else None,
                "procedureSequence": [targets.index(words["for"]) + 1] if "for" in words else None,
                "careTeamSequence": [doctors.index(words["by"]) + 1] if "by" in words else None,
                "detail": [{"sequence": 1, "productOrService": self._concept(f"NDC {words['ndc']}")}]
                if "ndc" in words
                else None,
            }
        )

    def administration(self, text: str) -> dict[str, Any]:
        head, words = self._words(text)
        match = re.fullmatch(r"(.+?)(?: ([\d.]+) (\S+))?", head)
        if match is None:
            raise UnreadableInput(f"`{text}`: expected an administration as PRODUCT 1.3 mL")
        dose = {"value": float(match[2]), "unit": match[3]} if match[2] else None
        return _without_empty(
            {
                "resourceType": "MedicationAdministration",
                "id": words.get("as", f"given-{self.count}"),
                "status": words.get("status", "completed"),
                "medicationCodeableConcept": self._concept(match[1]),
                "subject": {"reference": f"Patient/{PATIENT}"},
                "context": _reference("Encounter", words.get("in")),
                "effectiveDateTime": words.get("on", self.day),
                "partOf": [_reference("Procedure", words.get("for"))] if "for" in words else None,
                "dosage": {"dose": dose} if dose else None,
            }
        )

    def procedure(self, text: str) -> dict[str, Any]:
        head, words = self._words(text)
        return _without_empty(
            {
                "resourceType": "Procedure",
                "id": words.get("as", f"done-{self.count}"),
                "status": words.get("status", "completed"),
                "code": self._concept(head),
                "subject": {"reference": f"Patient/{PATIENT}"},
                "encounter": _reference("Encounter", words.get("in")),
                "performedDateTime": words.get("on", self.day),
                "performer": [{"actor": _reference("Practitioner", words.get("by"))}] if "by" in words else None,
                "basedOn": [_reference("ServiceRequest", words.get("for"))] if "for" in words else None,
                "reasonCode": [_diagnosis(code) for code in _diagnoses_in(words)],
            }
        )

    def order(self, text: str) -> dict[str, Any]:
        head, words = self._words(text)
        is_agent = head in self.writer.products or head.startswith("RxNorm")
        common = {
            "id": words.get("as", f"order-{self.count}"),
            "status": words.get("status", "draft"),
            "intent": "order",
            "subject": {"reference": f"Patient/{PATIENT}"},
            "encounter": _reference("Encounter", words.get("in")),
            "authoredOn": words.get("on", self.day),
        }
        if is_agent:
            return _without_empty(
                {"resourceType": "MedicationRequest", **common, "medicationCodeableConcept": self._concept(head)}
            )
        reasons = [_diagnosis(code) for code in _diagnoses_in(words)]
        planned = {"occurrenceDateTime": words.get("planned"), "code": self._concept(head), "reasonCode": reasons}
        return _without_empty({"resourceType": "ServiceRequest", **common, **planned})

    def observation(self, text: str) -> dict[str, Any]:
        head, words = self._words(text)
        return {
            "resourceType": "Observation",
            "id": words.get("as", f"observed-{self.count}"),
            "status": "final",
            "code": self._concept(head),
            "subject": {"reference": f"Patient/{PATIENT}"},
            "effectiveDateTime": words.get("on", self.day),
        }

    def report(self, text: str) -> dict[str, Any]:
        head, words = self._words(text)
        return {
            "resourceType": "DiagnosticReport",
            "id": words.get("as", f"report-{self.count}"),
            "status": "final",
            "code": self._concept("LOINC 18107-3"),
            "subject": {"reference": f"Patient/{PATIENT}"},
            "effectiveDateTime": words.get("on", self.day),
            "conclusion": head.removeprefix("words "),
        }

    def _words(self, text: str) -> tuple[str, dict[str, str]]:
        """The head of a text and the words after it, by name."""
        self.count += 1
        parts = str(text).split()
        words: dict[str, str] = {}
        if "bare" in parts:
            parts.remove("bare")
            words["bare"] = "yes"
        if parts[0] == "words":
            return " ".join(parts), words
        while len(parts) > 2 and parts[-2] in WORDS:
            words[parts[-2]] = parts[-1]
            parts = parts[:-2]
        return " ".join(parts), words

    def _coding(self, code: str, bare: bool = False) -> dict[str, str]:
        if bare:
            return {"code": code}
        named = {"display": self.writer.displays[code]} if code in self.writer.displays else {}
        return {"system": billing_uri(code), "code": code} | named

    def _concept(self, head: str) -> dict[str, Any]:
        if "+" in head:
            parts = [self._concept(part.strip()) for part in head.split("+")]
            return {"coding": [coding for part in parts for coding in part["coding"]]}
        kind, _, rest = head.partition(" ")
        if kind == "words":
            return {"text": rest}
        if kind in SYSTEMS:
            return {"coding": [{"system": SYSTEMS[kind], "code": rest}]}
        if head in self.writer.products:
            return {"coding": [{"system": NDC_URI, "code": self.writer.products[head]}]}
        return {"coding": [self._coding(head)]}


_LINE = re.compile(r"([0-9A-Z]{5})((?:-[0-9A-Z]{2})*)(?:x(\d+(?:\.\d+)?))?((?:-[0-9A-Z]{2})*)")


def parse_line(head: str) -> tuple[str, float | None, list[str]]:
    """The code, the units (HCPCS units, None if not stated) and the modifiers of a line in billers' notation."""
    match = _LINE.fullmatch(head)
    if not match:
        raise UnreadableInput(f"`{head}`: expected a line such as CODE, CODE-26, CODEx2 or CODEx2-JZ")
    code, before, units, after = match.groups()
    return code, float(units) if units else None, [*before.split("-")[1:], *after.split("-")[1:]]


def _diagnoses_in(words: Mapping[str, str]) -> list[str]:
    return words["dx"].split("+") if "dx" in words else []


def _diagnosis(code: str) -> dict[str, Any]:
    return {"coding": [{"system": ICD_10_CM_URI, "code": code}]}


def _reference(kind: str, name: str | None) -> dict[str, str] | None:
    return {"reference": f"{kind}/{name}"} if name else None


def _without_empty(resource: dict[str, Any]) -> dict[str, Any]:
    return {member: value for member, value in resource.items() if value not in (None, [])}
