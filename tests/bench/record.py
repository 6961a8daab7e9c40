"""The record of a synthetic patient, as large as wanted, as an EHR sends it: the same bytes on every run.

Nothing in it concerns an echo. Texture and size of the resources (some 1,200 bytes each) follow what EHRs send: `meta`,
business identifiers, categories, two codings for a code, displays beside references, and no narrative.
"""

import json
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

Resource = dict[str, Any]

BASE = "https://fhir.example.org/r4"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CPT = "http://www.ama-assn.org/go/cpt"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
NDC = "http://hl7.org/fhir/sid/ndc"
UCUM = "http://unitsofmeasure.org"

# Code, words, unit.
FINDINGS = [
    ("8867-4", "Heart rate", "/min"), ("8480-6", "Systolic blood pressure", "mm[Hg]"), ("59408-5", "SpO2", "%"),
    ("8806-2", "Left ventricular ejection fraction by CT", "%"), ("18842-5", "Lung nodule diameter by CT", "mm"),
    ("19926-5", "FEV1/FVC", "%"), ("24701-5", "Femur DXA bone density", "g/cm2"),
]  # fmt: skip
# SNOMED code, local code, words.
SERVICES = [
    ("73761001", "GI45378", "Colonoscopy"), ("71651007", "MG77067", "Mammography"),
    ("168731009", "XR71046", "Standard chest X-ray"), ("29303009", "EK93000", "Electrocardiographic procedure"),
    ("127783003", "PF94010", "Spirometry"), ("10383002", "DR11102", "Biopsy of skin"),
    ("90470006", "PT97110", "Therapeutic exercise"), ("430193006", "MR99495", "Medication reconciliation"),
]  # fmt: skip
# RxNorm code, NDC, words, unit.
DRUGS = [
    ("313782", "50580-0488-10", "acetaminophen 325 MG Oral Tablet", "mg"),
    ("854238", "0075-0624-30", "enoxaparin 40 MG in 0.4 ML Prefilled Syringe", "mg"),
    ("1807632", "0338-0049-04", "sodium chloride 0.9 % Injection", "mL"),
    ("310965", "0904-5853-61", "ibuprofen 200 MG Oral Tablet", "mg"),
    ("1665060", "0409-7335-03", "cefazolin 1000 MG Injection", "mg"),
]  # fmt: skip


class Record:
    """Makes resources of one patient, one after the other."""

    def __init__(self, patient: str) -> None:
        self._random = random.Random(f"record of {patient}")  # the same on every run
        self._patient = patient

    def bundle(self, key: str, size: int) -> Resource:
        """A search result of about so many bytes of JSON, for a prefetch key."""
        return {"resourceType": "Bundle", "type": "searchset", "entry": list(self._entries(_MAKERS[key], size))}

    def _entries(self, make: Callable[["Record"], Resource], size: int) -> Iterator[Resource]:
        while size > 0:
            resource = make(self)
            address = f"{BASE}/{resource['resourceType']}/{resource['id']}"
            entry = {"fullUrl": address, "resource": resource, "search": {"mode": "match"}}
            size -= len(json.dumps(entry, separators=(",", ":"))) + 1
            yield entry

    # --- resources --------------------------------------------------------------------------------------------------

    def observation(self) -> Resource:
        code, words, unit = self._random.choice(FINDINGS)
        kind = self._random.choice(["imaging", "procedure"])
        return self._head("Observation") | {
            "status": "final",
            "category": [{"coding": [{"system": CATEGORY, "code": kind, "display": kind.title()}], "text": kind}],
            "code": self._concept(LOINC, code, words),
            "subject": self._subject(),
            "encounter": self._encounter(),
            "effectiveDateTime": self._moment(),
            "issued": self._moment(),
            "performer": [self._practitioner()],
            "valueQuantity": self._quantity(unit) | {"system": UCUM},
        }

    def procedure(self) -> Resource:
        code, local, words = self._random.choice(SERVICES)
        began = self._moment()
        return self._head("Procedure") | {
            "basedOn": [{"reference": f"ServiceRequest/{self._id()}"}],
            "status": "completed",
            "category": {"coding": [{"system": SNOMED, "code": "103693007", "display": "Diagnostic procedure"}]},
            "code": self._concept(SNOMED, code, words, local),
            "subject": self._subject(),
            "encounter": self._encounter(),
            "performedPeriod": {"start": began, "end": began},
            "performer": [{"actor": self._practitioner()}],
            "reasonCode": [{"text": "As ordered"}],
        }

    def administration(self) -> Resource:
        code, ndc, words, unit = self._random.choice(DRUGS)
        concept = self._concept(RXNORM, code, words)
        concept["coding"].append({"system": NDC, "code": ndc, "display": words})
        return self._head("MedicationAdministration") | {
            "status": "completed",
            "medicationCodeableConcept": concept,
            "subject": self._subject(),
            "context": self._encounter(),
            "effectiveDateTime": self._moment(),
            "performer": [{"actor": self._practitioner()}],
            "request": {"reference": f"MedicationRequest/{self._id()}"},
            "dosage": {"text": "as ordered", "route": {"text": "as labelled"}, "dose": self._quantity(unit)},
        }

    def charge(self) -> Resource:
        code, local, words = self._random.choice(SERVICES)
        return self._head("ChargeItem") | {
            "status": "billed",
            "code": self._concept(CPT, f"992{self._random.randint(10, 15)}", f"charge: {words}", local),
            "subject": self._subject(),
            "context": self._encounter(),
            "occurrenceDateTime": self._moment(),
            "performer": [{"actor": self._practitioner()}],
            "quantity": {"value": 1},
            "service": [{"reference": f"Procedure/{self._id()}"}],
            "account": [{"reference": f"Account/{self._id()}"}],
            "note": [{"text": f"SNOMED {code}"}],
        }

    # --- pieces -----------------------------------------------------------------------------------------------------

    def _head(self, kind: str) -> Resource:
        return {
            "resourceType": kind,
            "id": self._id(),
            "meta": {"versionId": "1", "lastUpdated": self._moment(), "source": "#bedside"},
            "identifier": [{"use": "usual", "system": "urn:oid:2.16.840.1.113883.19.7", "value": self._id()}],
        }

    def _concept(self, system: str, code: str, words: str, local: str = "") -> Resource:
        own = {"system": "urn:oid:2.16.840.1.113883.19.8", "code": local or f"L{code}", "display": words.upper()}
        return {"coding": [{"system": system, "code": code, "display": words}, own], "text": words}

    def _quantity(self, unit: str) -> Resource:
        return {"value": round(self._random.uniform(1, 180), 1), "unit": unit, "code": unit}

    def _subject(self) -> Resource:
        return {"reference": f"Patient/{self._patient}", "display": "Synthetic, Patient"}

    def _encounter(self) -> Resource:
        return {"reference": f"Encounter/{self._id()}", "display": "Office Visit"}

    def _practitioner(self) -> Resource:
        return {"reference": f"Practitioner/{self._id()}", "type": "Practitioner", "display": "Synthetic, Doctor"}

    def _moment(self) -> str:
        day = date(2019, 1, 1) + timedelta(days=self._random.randrange(2500))
        return f"{day}T{self._random.randrange(7, 19):02}:{self._random.randrange(60):02}:00-06:00"

    def _id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


_MAKERS = {
    "procedures": Record.procedure,
    "chargeItems": Record.charge,
    "medicationAdministrations": Record.administration,
    "observations": Record.observation,
}

# What share of a record's bytes each key has.
SHARES = {"procedures": 0.25, "chargeItems": 0.15, "medicationAdministrations": 0.25, "observations": 0.35}


def enlarge(prefetch: dict[str, Any], patient: str, size: int) -> dict[str, Any]:
    """Prefetch with so much of the record beside it that it is about `size` bytes of JSON."""
    room = size - len(json.dumps(prefetch, separators=(",", ":")))
    record = Record(patient)
    for key, share in SHARES.items():
        mine = prefetch.get(key) or {"resourceType": "Bundle", "type": "searchset"}
        entries = [*mine.get("entry", []), *record.bundle(key, int(room * share))["entry"]]
        prefetch = {**prefetch, key: {**mine, "total": len(entries), "entry": entries}}
    return prefetch
