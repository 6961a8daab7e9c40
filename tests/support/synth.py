"""Bulk Data exports with known errors in them: `python -m tests.support.synth FOLDER --patients N --seed S`.

Each echo episode is a scenario in billers' notation: clean, or with a planted error and the rules that have to
find it. Around them stand other encounters in which no rule has anything to say. The export is as sloppy as real ones
are: shards shuffled, some packed, lines broken off, resources twice or in an older version, references in all forms,
medications in a file of their own. Beside the export, `<folder>.planted.json` says what is to be found.
"""

import argparse
import gzip
import json
import random
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from cds_service.fhir.systems import CPT_URI as CPT
from cds_service.fhir.systems import HCPCS_URI as HCPCS
from tests.support.notation import request_of

FIRST_DAY = date(2025, 7, 1)
DAYS = 360
SHARD_LINES = 20_000

OFFICE = {"place": "11", "payer": "SOPT 121", "done": ["93350 as P1"]}
WHOLE = OFFICE | {"done": ["93351 as P1"]}
CHARGES = {"done": ["93350 as P1"]}
HOSPITAL = {"payer": "SOPT 121", "given": ["Lumason 4.8 mL for P1"], "done": ["93351 as P1"]}
STRESS = {"payer": "SOPT 121", "done": ["93351 as P1"]}
SHARE = STRESS | {"place": "22"}
DEFINITY = {"given": ["Definity 1.3 mL for P1"]}
LUMASON = {"given": ["Lumason 2 mL for P1"]}


@dataclass(frozen=True)
class Scenario:
    """An episode in billers' notation, how often it occurs, and the rules that must speak; `absent`: of absence."""

    name: str
    weight: float
    case: dict[str, Any]
    rules: tuple[str, ...] = ()
    absent: bool = False


CLEAN = (
    Scenario("rest echo", 40, {"lines": "93306", "done": ["93306 as P1"]}),
    Scenario(
        "limited rest echo, Doppler", 15, {"professional": "93308, 93325, 93321", "place": "11", "done": ["93308"]}
    ),
    Scenario("stress echo without contrast", 15, WHOLE | {"professional": "93351"}),
    Scenario("office, Definity", 10, OFFICE | DEFINITY | {"professional": "93350 for P1, 93352, Q9957x2-JZ"}),
    Scenario("office, waste", 3, OFFICE | LUMASON | {"professional": "93350, 93352, Q9950x2, Q9950x3-JW"}),
    Scenario("charges, Optison", 5, STRESS | {"lines": "93351, 93352, Q9956x3", "given": ["Optison 2.5 mL for P1"]}),
    Scenario("hospital", 8, HOSPITAL | {"institutional": "C8930, Q9950x5"}),
    Scenario("practitioner's share", 8, SHARE | {"professional": "93351-26"}),
)
PLANTED = (
    Scenario("no 93352", 2, OFFICE | DEFINITY | {"professional": "93350, Q9957x2-JZ"}, ("contrast-add-on-missing",)),
    Scenario("neither", 2, WHOLE | DEFINITY | {"professional": "93351"}, ("contrast-add-on-missing",)),
    Scenario("no supply", 2, OFFICE | DEFINITY | {"professional": "93350, 93352"}, ("contrast-supply-missing",)),
    Scenario("add-on alone", 1, {"lines": "93352, Q9957x2", "given": ["Definity 1.3 mL"]}, ("add-on-without-primary",)),
    Scenario("strain alone", 1, {"lines": "93356, 93000"}, ("add-on-without-primary",)),
    Scenario("twice", 1, OFFICE | DEFINITY | {"professional": "93350, 93352x2, Q9957x2-JZ"}, ("add-on-repeated",)),
    Scenario("26 on it", 1, OFFICE | DEFINITY | {"professional": "93350, 93352-26, Q9957x2-JZ"}, ("add-on-modifier",)),
    Scenario("both codes", 1, WHOLE | {"professional": "93350, 93351"}, ("pair-conflict",)),
    Scenario("two studies", 1, {"institutional": "93306x2", "done": ["93306"]}, ("units-over-limit",)),
    Scenario(
        "drug that is gone",
        1,
        CHARGES | {"lines": "93350, 93352, Q9955x2", "given": ["Q9955 2 mL"]},
        ("code-not-active",),
    ),
    Scenario(
        "components",
        1,
        SHARE | {"professional": "93350-26 by A, 93016 by A, 93018 by A", "done": ["93350 as P1"]},
        ("stress-components",),
    ),
    Scenario(
        "hospital's agent", 1, SHARE | DEFINITY | {"professional": "93351-26, 93352, Q9957x2"}, ("supply-not-owner",)
    ),
    Scenario("two supplies", 1, CHARGES | DEFINITY | {"lines": "93350, 93352, Q9957x2, A9700"}, ("supply-duplicate",)),
    Scenario("A9700", 1, CHARGES | DEFINITY | {"lines": "93350, 93352, A9700"}, ("supply-unspecified",)),
    Scenario(
        "not given",
        2,
        OFFICE | {"professional": "93350, 93352, Q9957x2-JZ", "given": ["Definity 1.3 mL for P1 status not-done"]},
        ("contrast-not-supported",),
    ),
    Scenario(
        "nothing on record", 1, OFFICE | {"professional": "93350, 93352, Q9957x2-JZ"}, ("contrast-not-supported",), True
    ),
    Scenario(
        "CPT on a hospital claim", 1, HOSPITAL | {"institutional": "93351, 93352, Q9950x5"}, ("hospital-contrast-code",)
    ),
    Scenario("another product", 1, CHARGES | DEFINITY | {"lines": "93350, 93352, Q9956x2"}, ("supply-agent-mismatch",)),
    Scenario(
        "three units", 1, OFFICE | DEFINITY | {"professional": "93350, 93352, Q9957x3-JZ"}, ("supply-units-mismatch",)
    ),
    Scenario(
        "mg as units",
        1,
        CHARGES | {"lines": "93350, J2785", "given": ["NDC 00407-5034-05 0.4 mg"]},
        ("stress-drug-units",),
    ),
    Scenario(
        "C code in an office", 1, OFFICE | DEFINITY | {"professional": "C8928, Q9957x2-JZ"}, ("code-for-other-setting",)
    ),
    Scenario("no JZ", 2, OFFICE | DEFINITY | {"professional": "93350, 93352, Q9957x2"}, ("supply-waste-modifier",)),
    Scenario("not billed", 1, CHARGES, ("performed-not-charged",), True),
    Scenario(
        "no dose",
        1,
        OFFICE | {"professional": "93350, 93352, Q9957x2-JZ", "given": ["Definity for P1"]},
        ("documentation-incomplete",),
        True,
    ),
)
# What has to be said to be complete for the absences above to be concluded.
COMPLETE = ("MedicationAdministration", "Procedure", "ChargeItem", "Claim")

SITES = {"org-north": "North Heart Clinic", "org-south": "South Hospital", "org-east": "East Imaging"}
DOCTORS = {f"dr-{number}": name for number, name in enumerate(("Adams", "Baker", "Clark", "Diaz", "Evans", "Foster"))}
UNRELATED = ("99213", "99214", "80053", "93000", "96372", "36415", "J0696", "71046")


@dataclass
class Export:
    """Lines by type, and what was planted, as (patient, rule)."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    planted: list[tuple[str, str]] = field(default_factory=list)

    def add(self, resource: dict[str, Any]) -> None:
        self.lines.setdefault(resource["resourceType"], []).append(json.dumps(resource, ensure_ascii=False))


@dataclass(frozen=True)
class Patient:
    """A patient, and how references to them are written."""

    id: str
    reference: str


def generate(
    patients: int, seed: int, *, echo_share: float = 0.3, error_share: float = 0.3, background: int = 12
) -> Export:
    """An export of so many patients. `background` is the number of unrelated records a patient has, about."""
    dice = random.Random(seed)
    export = Export()
    for name, title in SITES.items():
        export.add({"resourceType": "Organization", "id": name, "name": title})
    for name, family in DOCTORS.items():
        export.add({"resourceType": "Practitioner", "id": name, "name": [{"family": family, "given": ["Dr."]}]})
    for number in range(patients):
        _patient(export, dice, number, echo_share, error_share, background)
    return export


def _patient(
    export: Export, dice: random.Random, number: int, echo_share: float, error_share: float, background: int
) -> None:
    patient = _identity(dice, number)
    export.add(
        {"resourceType": "Patient", "id": patient.id, "name": [{"family": f"Synthetic{number}", "given": ["Té"]}]}
    )
    day = FIRST_DAY + timedelta(days=dice.randrange(DAYS - 30))
    episodes = _episodes(dice, error_share) if dice.random() < echo_share else []
    days = []
    for position, scenario in enumerate(episodes):
        _episode(export, dice, patient, scenario, day, position)
        export.planted += [(f"Patient/{patient.id}", rule) for rule in scenario.rules]
        days.append(day)
        day = FIRST_DAY + timedelta(days=((day - FIRST_DAY).days + dice.randrange(10, 140)) % DAYS)
    if not any("payer" in scenario.case for scenario in episodes):
        export.add(_plan(patient))
    _background(export, dice, patient, background, days)


def _identity(dice: random.Random, number: int) -> Patient:
    form = dice.randrange(10)
    if form == 0:
        name = str(uuid.UUID(int=dice.getrandbits(128), version=4))
        return Patient(name, f"urn:uuid:{name}")
    name = f"pat-{number}"
    return Patient(name, f"https://ehr.example.org/fhir/Patient/{name}" if form == 1 else f"Patient/{name}")


def _episodes(dice: random.Random, error_share: float) -> list[Scenario]:
    """One or two studies of a patient; who has two is covered by one payer."""
    chosen = [_draw(dice, error_share)]
    if dice.random() < 0.25:
        second = _draw(dice, error_share)
        chosen += [second] if second.case.get("payer") == chosen[0].case.get("payer") else []
    return chosen


def _draw(dice: random.Random, error_share: float) -> Scenario:
    scenarios = PLANTED if dice.random() < error_share else CLEAN
    return dice.choices(scenarios, [each.weight for each in scenarios])[0]


def _plan(patient: Patient) -> dict[str, Any]:
    return {
        "resourceType": "Coverage",
        "id": f"{patient.id}-coverage",
        "status": "active",
        "beneficiary": {"reference": patient.reference},
        "payor": [{"display": "Blue Plan"}],
    }


# --- episodes -------------------------------------------------------------------------------------------------------


def _episode(
    export: Export, dice: random.Random, patient: Patient, scenario: Scenario, day: date, position: int
) -> None:
    prefix = f"{patient.id}-{position}"
    site, doctor = dice.choice(list(SITES)), dice.choice(list(DOCTORS))
    encounter = {
        "resourceType": "Encounter",
        "id": f"{prefix}-enc",
        "status": "finished",
        "subject": {"reference": patient.reference},
        "serviceProvider": {"reference": f"Organization/{site}"},
    }
    export.add(encounter)
    names_doctor = dice.random() < 0.8
    for resource in _resources(scenario, day):
        made = _own(resource, prefix, patient, site, doctor)
        if names_doctor:
            _name(made, {"reference": f"Practitioner/{doctor}"})
        _tie(made, f"Encounter/{encounter['id']}", dice)
        _roughen(export, made, dice)
        export.add(made)
    _order(export, dice, patient, prefix, day)


def _resources(scenario: Scenario, day: date) -> Iterator[dict[str, Any]]:
    request = request_of(scenario.case | {"day": day.isoformat()})
    bundles = [request["context"]["draftCharges"], *request["prefetch"].values()]
    for bundle in bundles:
        yield from (entry["resource"] for entry in bundle.get("entry", ()))


def _own(resource: dict[str, Any], prefix: str, patient: Patient, site: str, doctor: str) -> dict[str, Any]:
    """The resource under ids of its own."""
    text = json.dumps(resource)
    text = re.sub(r'"(Procedure|Coverage)/(\w+)"', rf'"\1/{prefix}-\2"', text)
    text = text.replace('"Patient/p1"', json.dumps(patient.reference))
    text = text.replace('"Organization/clinic"', f'"Organization/{site}"').replace(
        '"Practitioner/A"', f'"Practitioner/{doctor}"'
    )
    made: dict[str, Any] = json.loads(text)
    made["id"] = f"{prefix}-{made['id']}"
    if made["resourceType"] == "Coverage":
        made["payor"] = [{"display": "Medicare"}]
    return made


def _name(made: dict[str, Any], doctor: dict[str, str]) -> None:
    """One practitioner does and charges all of a study."""
    if made["resourceType"] in {"ChargeItem", "Procedure"}:
        made["performer"] = [{"actor": doctor}]
    elif made["resourceType"] == "Claim":
        made["careTeam"] = [{"sequence": 1, "provider": doctor}]
        for item in made["item"]:
            item["careTeamSequence"] = [1]


def _tie(made: dict[str, Any], encounter: str, dice: random.Random) -> None:
    """Most exports name the encounter on everything, some leave it out here and there: the day is left then."""
    if dice.random() < 0.2:
        return
    reference = {"reference": encounter}
    if made["resourceType"] in {"ChargeItem", "MedicationAdministration"}:
        made["context"] = reference
    elif made["resourceType"] == "Procedure":
        made["encounter"] = reference
    elif made["resourceType"] == "Claim":
        for item in made["item"]:
            item["encounter"] = [reference]


def _roughen(export: Export, made: dict[str, Any], dice: random.Random) -> None:
    """Imperfections of real exports: unknown members, old URLs of code systems, older versions, retracted errors."""
    made["meta"] = {"lastUpdated": "2026-07-02T10:00:00Z"}
    made["colour"] = "unknown to FHIR"
    if made["resourceType"] == "Claim":
        made["status"] = "active"
        if dice.random() < 0.1:  # an older version, with an error that was mended since
            older = json.loads(json.dumps(made))
            older["meta"]["lastUpdated"] = "2026-07-01T10:00:00+02:00"
            older["item"][0]["productOrService"]["coding"] = [{"system": CPT, "code": "93352"}]
            export.add(older)
    if made["resourceType"] == "ChargeItem":
        if dice.random() < 0.3:
            made["status"] = "billed"
        if dice.random() < 0.3:
            made["code"]["coding"][0]["system"] = dice.choice([CPT, HCPCS, "urn:oid:2.16.840.1.113883.6.12"])
        if dice.random() < 0.1:
            export.add(made | {"id": f"{made['id']}-error", "status": "entered-in-error"})
    if made["resourceType"] == "MedicationAdministration" and dice.random() < 0.4:
        drug = {"resourceType": "Medication", "id": f"{made['id']}-drug", "code": made.pop("medicationCodeableConcept")}
        made["medicationReference"] = {"reference": f"Medication/{drug['id']}"}
        export.add(drug)
    if dice.random() < 0.03:
        export.add(made)  # the very same line twice


def _order(export: Export, dice: random.Random, patient: Patient, prefix: str, day: date) -> None:
    """An order of two weeks before that names no contrast; it is no charge and no study of its own."""
    if dice.random() < 0.3:
        export.add(
            {
                "resourceType": "ServiceRequest",
                "id": f"{prefix}-order",
                "status": "completed",
                "intent": "order",
                "subject": {"reference": patient.reference},
                "authoredOn": (day - timedelta(days=14)).isoformat(),
                "code": {"text": "cardiac imaging"},
            }
        )


# --- everything else ------------------------------------------------------------------------------------------------


def _background(export: Export, dice: random.Random, patient: Patient, records: int, taken: list[date]) -> None:
    """Visits on other days than those of the studies: on the same day an ECG would be a pair with the study."""
    left = max(0, records + dice.randrange(-records // 3, records // 3 + 1)) if records else 0
    visit = 0
    while left > 0:
        visit += 1
        day = FIRST_DAY + timedelta(days=dice.randrange(DAYS))
        while any(abs((day - each).days) < 3 for each in taken):
            day += timedelta(days=4)
        prefix = f"{patient.id}-v{visit}"
        for resource in _visit(dice, patient, prefix, day.isoformat())[:left]:
            export.add(resource)
            left -= 1


def _visit(dice: random.Random, patient: Patient, prefix: str, day: str) -> list[dict[str, Any]]:
    subject = {"reference": patient.reference}
    encounter = {"reference": f"Encounter/{prefix}"}
    code = dice.choice(UNRELATED)
    made: list[dict[str, Any]] = [
        {"resourceType": "Encounter", "id": prefix, "status": "finished", "subject": subject},
        {
            "resourceType": "Claim",
            "id": f"{prefix}-claim",
            "status": "active",
            "use": "claim",
            "type": {"coding": [{"code": "professional"}]},
            "patient": subject,
            "created": day,
            "provider": {"reference": "Organization/org-east"},
            "item": [
                {
                    "sequence": 1,
                    "productOrService": {"coding": [{"system": CPT, "code": code}]},
                    "servicedDate": day,
                    "encounter": [encounter],
                }
            ],
        },
        {
            "resourceType": "ExplanationOfBenefit",
            "id": f"{prefix}-eob",
            "status": "active",
            "use": "claim",
            "type": {"coding": [{"code": "professional"}]},
            "patient": subject,
            "claim": {"reference": f"Claim/{prefix}-claim"},
            "item": [
                {"sequence": 1, "productOrService": {"coding": [{"system": CPT, "code": code}]}, "servicedDate": day}
            ],
        },
        {
            "resourceType": "Condition",
            "id": f"{prefix}-condition",
            "subject": subject,
            "encounter": encounter,
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "I10"}]},
        },
    ]
    for number, (loinc, unit) in enumerate(
        (("8480-6", "mm[Hg]"), ("8462-4", "mm[Hg]"), ("8867-4", "/min"), ("29463-7", "kg"))
    ):
        made.append(
            {
                "resourceType": "Observation",
                "id": f"{prefix}-o{number}",
                "status": "final",
                "category": [
                    {
                        "coding": [
                            {
                                "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                                "code": "vital-signs",
                            }
                        ]
                    }
                ],
                "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
                "subject": subject,
                "encounter": encounter,
                "effectiveDateTime": f"{day}T09:30:00-05:00",
                "issued": f"{day}T09:31:00-05:00",
                "valueQuantity": {
                    "value": dice.randrange(50, 150),
                    "unit": unit,
                    "system": "http://unitsofmeasure.org",
                },
            }
        )
    return made


# --- files ----------------------------------------------------------------------------------------------------------

BAD_LINES = (
    '{"resourceType": "Observation", "id": "cut',
    "not json at all",
    '{"resourceType": "Observation", "id": "x"}',
)


def write(export: Export, folder: Path, seed: int, *, manifest: bool = True, sloppy: bool = True) -> int:
    """Write the shards and, beside the folder, what was planted; how many bad lines are among them."""
    dice = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    output, bad = [], 0
    for kind, lines in sorted(export.lines.items()):
        dice.shuffle(lines)
        for number, start in enumerate(range(0, len(lines), SHARD_LINES)):
            shard = lines[start : start + SHARD_LINES]
            if sloppy and kind == "Observation":
                shard += BAD_LINES
                dice.shuffle(shard)
                bad += len(BAD_LINES)
            output.append(_shard(folder, kind, number, shard, dice, sloppy))
    if manifest:
        content = {
            "transactionTime": "2026-07-03T00:00:00Z",
            "request": "https://ehr.example.org/fhir/$export",
            "output": output,
        }
        (folder / "manifest.json").write_text(json.dumps(content, indent=1))
    (folder.parent / f"{folder.name}.planted.json").write_text(json.dumps(sorted(export.planted)))
    return bad


def _shard(folder: Path, kind: str, number: int, lines: list[str], dice: random.Random, sloppy: bool) -> dict[str, Any]:
    name = f"{kind}.{number:04d}.ndjson"
    ending = "\r\n" if sloppy and dice.random() < 0.2 else "\n"
    text = ending.join(lines) + (ending if dice.random() < 0.5 or not sloppy else "")
    content = (("\ufeff" if sloppy and dice.random() < 0.2 else "") + text).encode()
    if sloppy and dice.random() < 0.4:
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, 3))
    else:
        (folder / name).write_bytes(content)
    return {"type": kind, "url": f"https://ehr.example.org/download/{name}"}


def main() -> None:
    """Write an export."""
    parser = argparse.ArgumentParser(description="Write a synthetic Bulk Data export with known errors.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--echo-share", type=float, default=0.3, help="share of patients with an echo")
    parser.add_argument("--error-share", type=float, default=0.3, help="share of echoes with a planted error")
    parser.add_argument("--background", type=int, default=12, help="unrelated records of each patient")
    chosen = parser.parse_args()
    export = generate(
        chosen.patients,
        chosen.seed,
        echo_share=chosen.echo_share,
        error_share=chosen.error_share,
        background=chosen.background,
    )
    write(export, chosen.folder, chosen.seed)


if __name__ == "__main__":
    main()
