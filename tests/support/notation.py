"""Cases in billers' notation, turned into CDS Hooks requests with real FHIR in them.

A case is a mapping; every key is optional:

    lines          93350, Q9957x2-JZ     charges that are on no claim (ChargeItem)
    professional   93351-26, 93352       lines of a professional claim (Claim)
    institutional  C8930, Q9957x2        lines of a hospital claim (Claim)
    earlier        93350                 charges that are on the record already (prefetch)
    given          [Definity 1.3 mL]     administrations; also `Q9957`, `RxNorm 283753`, `words Definity`
    done           [93350 as P1]         procedures
    ordered        [93350, Definity]     orders: services by code, agents by product, `words ...`
    observed       [LOINC 8867-4]        observations; `words ECG at rest`
    reported       [words ...]           reports, by their conclusion
    known          [procedures]          parts of the record that came whole, even if empty
    payer, place, day, hook              Medicare, or `SOPT 121`; 22; 2026-03-02; claim or order

After a line, an administration, a procedure or an order: `on DATE`, `for P1` (what it refers to), `as P1` (its own id),
`by NAME` (practitioner), `in ENCOUNTER`, `status WORD`, `planned DATE` (an order's own day), `bare` (a code without a
system), `ndc CODE` (the product that a line names beside its code). Two codes of one agent: `RxNorm 283753 + Definity`.
"""

import json
import re
import uuid
from typing import Any

CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NDC = "http://hl7.org/fhir/sid/ndc"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
SYSTEMS = {"RxNorm": RXNORM, "NDC": NDC, "SNOMED": SNOMED, "LOINC": LOINC}

PRODUCTS = {"Definity": "11994-011-04", "Optison": "0407-2707-03", "Lumason": "0270-7097-08"}
WORDS = ("on", "for", "as", "by", "in", "status", "planned", "ndc")

PATIENT = "p1"
DAY = "2026-03-02"


def request_of(case: dict[str, Any]) -> dict[str, Any]:
    """The CDS Hooks request that a case stands for."""
    is_order = case.get("hook") == "order"
    resources = _Resources(str(case.get("day", DAY)))
    charges = [resources.charge(text) for text in _split(case.get("lines"))]
    charges += [
        resources.claim(form, case[form], str(case.get("place", "")) or None)
        for form in ("professional", "institutional")
        if form in case
    ]
    draft = [resources.order(text) for text in case.get("ordered", [])] if is_order else charges
    draft += [resources.report(text) for text in case.get("reported", [])]
    context = {
        "userId": "Practitioner/dr",
        "patientId": PATIENT,
        "draftOrders" if is_order else "draftCharges": bundle(draft),
    }
    return {
        "hook": "order-sign" if is_order else "org.example.claim-review",
        "hookInstance": str(uuid.UUID(int=1)),
        "context": context,
        "prefetch": _prefetch(case, resources, charges if is_order else []),
    }


def body_of(case: dict[str, Any]) -> bytes:
    """The request as it goes over the wire."""
    return json.dumps(request_of(case)).encode()


def service_of(case: dict[str, Any]) -> str:
    """The service that the case is sent to."""
    return "contrast-echo-order-sign" if case.get("hook") == "order" else "contrast-echo-claim-review"


def bundle(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """A Bundle that holds the resources."""
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in resources]}


def _prefetch(case: dict[str, Any], make: "_Resources", charges: list[dict[str, Any]]) -> dict[str, Any]:
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
        # The order is no prefetch key of its own; senders put it beside the procedure that it led to.
        prefetch.setdefault("procedures", bundle([]))["entry"] += [
            {"resource": make.order(text)} for text in case["ordered"]
        ]
    return prefetch


def _split(text: Any) -> list[str]:
    return [part.strip() for part in str(text).split(",")] if text else []


def _coverage(payer: str) -> dict[str, Any]:
    kind, _, code = payer.partition(" ")
    by_type = {"type": {"coding": [{"system": "https://nahdo.org/sopt", "code": code}]}} if kind == "SOPT" else {}
    return by_type | {
        "resourceType": "Coverage",
        "id": "coverage",
        "status": "active",
        "beneficiary": {"reference": f"Patient/{PATIENT}"},
        "payor": [{"display": "a plan" if by_type else payer}],
    }


class _Resources:
    """Makes resources, numbers them and reads the words after them."""

    def __init__(self, day: str) -> None:
        self.day = day
        self.count = 0

    def charge(self, text: str) -> dict[str, Any]:
        head, words = self._words(text)
        code, units, modifiers = _line(head)
        return _without_empty(
            {
                "resourceType": "ChargeItem",
                "id": words.get("as", f"line-{self.count}"),
                "status": words.get("status", "billable"),
                "code": {"coding": [_coding(code, "bare" in words), *({"code": each} for each in modifiers)]},
                "subject": {"reference": f"Patient/{PATIENT}"},
                "context": _reference("Encounter", words.get("in")),
                "occurrenceDateTime": words.get("on", self.day),
                "quantity": {"value": units} if units else None,
                "service": [_reference("Procedure", words.get("for"))] if "for" in words else None,
                "performer": [{"actor": _reference("Practitioner", words.get("by"))}] if "by" in words else None,
                "productCodeableConcept": _concept(f"NDC {words['ndc']}") if "ndc" in words else None,
            }
        )

    def claim(self, form: str, lines: str, place: str | None) -> dict[str, Any]:
        self.count += 1
        parsed = [self._words(text) for text in _split(lines)]
        targets = sorted({words["for"] for _, words in parsed if "for" in words})
        doctors = sorted({words["by"] for _, words in parsed if "by" in words})
        team = [{"sequence": i, "provider": _reference("Practitioner", name)} for i, name in enumerate(doctors, 1)]
        procedures = [
            {"sequence": i, "procedureReference": _reference("Procedure", name)} for i, name in enumerate(targets, 1)
        ]
        claim_type = {"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": form}
        items = [self._item(head, words, place, targets, doctors) for head, words in parsed]
        return _without_empty(
            {
                "resourceType": "Claim",
                "id": f"claim-{form}",
                "status": "draft",
                "type": {"coding": [claim_type]},
                "use": "claim",
                "patient": {"reference": f"Patient/{PATIENT}"},
                "created": self.day,
                "provider": {"reference": "Organization/clinic"},
                "priority": {"coding": [{"code": "normal"}]},
                "careTeam": team,
                "procedure": procedures,
                "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/coverage"}}],
                "item": [{"sequence": i, **item} for i, item in enumerate(items, 1)],
            }
        )

    def _item(
        self, head: str, words: dict[str, str], place: str | None, targets: list[str], doctors: list[str]
    ) -> dict[str, Any]:
        code, units, modifiers = _line(head)
        return _without_empty(
            {
                "productOrService": {"coding": [_coding(code, "bare" in words)]},
                "modifier": [{"coding": [{"code": each}]} for each in modifiers],
                "servicedDate": words.get("on", self.day),
                "quantity": {"value": units} if units else None,
                "locationCodeableConcept": {"coding": [{"code": place}]} if place else None,
                "procedureSequence": [targets.index(words["for"]) + 1] if "for" in words else None,
                "careTeamSequence": [doctors.index(words["by"]) + 1] if "by" in words else None,
                "detail": [{"sequence": 1, "productOrService": _concept(f"NDC {words['ndc']}")}]
                if "ndc" in words
                else None,
            }
        )

    def administration(self, text: str) -> dict[str, Any]:
        head, words = self._words(text)
        match = re.fullmatch(r"(.+?)(?: ([\d.]+) (\S+))?", head)
        assert match, text
        dose = {"value": float(match[2]), "unit": match[3]} if match[2] else None
        return _without_empty(
            {
                "resourceType": "MedicationAdministration",
                "id": words.get("as", f"given-{self.count}"),
                "status": words.get("status", "completed"),
                "medicationCodeableConcept": _concept(match[1]),
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
                "code": _concept(head),
                "subject": {"reference": f"Patient/{PATIENT}"},
                "encounter": _reference("Encounter", words.get("in")),
                "performedDateTime": words.get("on", self.day),
                "performer": [{"actor": _reference("Practitioner", words.get("by"))}] if "by" in words else None,
                "basedOn": [_reference("ServiceRequest", words.get("for"))] if "for" in words else None,
            }
        )

    def order(self, text: str) -> dict[str, Any]:
        head, words = self._words(text)
        is_agent = head in PRODUCTS or head.startswith("RxNorm")
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
                {"resourceType": "MedicationRequest", **common, "medicationCodeableConcept": _concept(head)}
            )
        planned = {"occurrenceDateTime": words.get("planned"), "code": _concept(head)}
        return _without_empty({"resourceType": "ServiceRequest", **common, **planned})

    def observation(self, text: str) -> dict[str, Any]:
        head, words = self._words(text)
        return {
            "resourceType": "Observation",
            "id": words.get("as", f"observed-{self.count}"),
            "status": "final",
            "code": _concept(head),
            "subject": {"reference": f"Patient/{PATIENT}"},
            "effectiveDateTime": words.get("on", self.day),
        }

    def report(self, text: str) -> dict[str, Any]:
        head, words = self._words(text)
        return {
            "resourceType": "DiagnosticReport",
            "id": words.get("as", f"report-{self.count}"),
            "status": "final",
            "code": _concept("LOINC 18107-3"),
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


def _line(head: str) -> tuple[str, float | None, list[str]]:
    match = re.fullmatch(r"([0-9A-Z]{5})(?:x([\d.]+))?((?:-[0-9A-Z]{2})*)", head)
    assert match, f"not a line: {head}"
    return match[1], float(match[2]) if match[2] else None, match[3].split("-")[1:]


def _coding(code: str, bare: bool = False) -> dict[str, str]:
    return {"code": code} if bare else {"system": HCPCS if code[0].isalpha() else CPT, "code": code}


def _concept(head: str) -> dict[str, Any]:
    if "+" in head:
        return {"coding": [coding for part in head.split("+") for coding in _concept(part.strip())["coding"]]}
    kind, _, rest = head.partition(" ")
    if kind == "words":
        return {"text": rest}
    if kind in SYSTEMS:
        return {"coding": [{"system": SYSTEMS[kind], "code": rest}]}
    if head in PRODUCTS:
        return {"coding": [{"system": NDC, "code": PRODUCTS[head]}]}
    return {"coding": [_coding(head)]}


def _reference(kind: str, name: str | None) -> dict[str, str] | None:
    return {"reference": f"{kind}/{name}"} if name else None


def _without_empty(resource: dict[str, Any]) -> dict[str, Any]:
    return {member: value for member, value in resource.items() if value not in (None, [])}
