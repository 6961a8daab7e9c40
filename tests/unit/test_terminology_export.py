"""The FHIR resources of code lists, maps, rules and reasons, each written out once in full."""

from typing import Any

import pytest

from cds_service.core.concepts import BILLING, NDC
from cds_service.core.rules import OverrideReason
from cds_service.core.terminology import CodeList, CodeMap, Designation, Member, Pair, Terminology
from cds_service.fhir.terminology import bundle, resources
from hooks.rules.supply_not_owner import supply_not_owner

BASE = "https://cds.example.org"
CPT, HCPCS = "http://www.ama-assn.org/go/cpt", "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
SNOMED = "http://snomed.info/sct"
COPYRIGHT = (
    "CPT is copyright American Medical Association. Codes are listed by number with descriptions in our own words. "
    "Use of CPT requires a license from the AMA."
)
STRESS = Member(BILLING, "93350", "stress echo")
AGENT = Member(BILLING, "Q9957", "perflutren")
VIAL = Member(NDC, "11994-011-04", "")
TEST = Member(SNOMED, "433236007", "echo")


def exported(*parts: CodeList | CodeMap) -> dict[str, Any]:
    terminology = Terminology(
        tuple(each for each in parts if isinstance(each, CodeList)),
        tuple(each for each in parts if isinstance(each, CodeMap)),
    )
    reasons = [OverrideReason("documented", "Documented elsewhere", "patient-declined")]
    return resources(terminology, [supply_not_owner], reasons, BASE, "1.2")


def head(kind: str, name: str) -> dict[str, Any]:
    return {"resourceType": kind, "id": name, "url": f"{BASE}/{kind}/{name}", "version": "1.2", "status": "active",
            "experimental": False}  # fmt: skip


def code_list(*members: Member) -> CodeList:
    return CodeList("codes", "Codes", "Codes of an echo", "A list.", members)


def test_the_rules_and_the_reasons() -> None:
    made = exported()
    assert list(made) == [
        "CodeSystem/rule", "CodeSystem/override-reason", "ConceptMap/override-reason-to-non-adherence",
    ]  # fmt: skip
    assert made["CodeSystem/rule"] == head("CodeSystem", "rule") | {
        "name": "Rule",
        "title": "Rules of the contrast echo coding service",
        "caseSensitive": True,
        "content": "complete",
        "count": 1,
        "concept": [
            {
                "code": "supply-not-owner",
                "display": supply_not_owner.title,
                "definition": f"{supply_not_owner.flags} {supply_not_owner.why}",
            }
        ],
    }
    assert made["CodeSystem/override-reason"] == head("CodeSystem", "override-reason") | {
        "name": "OverrideReason",
        "title": "Reasons for overriding contrast echo coding advice",
        "caseSensitive": True,
        "content": "complete",
        "count": 1,
        "concept": [{"code": "documented", "display": "Documented elsewhere"}],
    }
    name = "override-reason-to-non-adherence"
    target = {"code": "patient-declined", "equivalence": "wider"}
    assert made[f"ConceptMap/{name}"] == head("ConceptMap", name) | {
        "name": "OverrideReasonToNonAdherence",
        "title": "Override reasons mapped to the codes suggested by CDS Hooks 3.0",
        "group": [
            {
                "source": f"{BASE}/CodeSystem/override-reason",
                "target": "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes",
                "element": [{"code": "documented", "display": "Documented elsewhere", "target": [target]}],
            }
        ],
    }


def test_a_list_groups_its_codes_by_their_system() -> None:
    made = exported(code_list(STRESS, AGENT, VIAL, TEST, Member(BILLING, "93351", "")))
    assert made["ValueSet/codes"] == head("ValueSet", "codes") | {
        "name": "Codes",
        "title": "Codes of an echo",
        "description": "A list.",
        "copyright": COPYRIGHT,
        "compose": {
            "include": [
                {"system": CPT, "concept": [{"code": "93350", "display": "stress echo"}, {"code": "93351"}]},
                {"system": HCPCS, "concept": [{"code": "Q9957", "display": "perflutren"}]},
                {"system": "http://hl7.org/fhir/sid/ndc", "concept": [{"code": "11994-011-04"}]},
                {"system": SNOMED, "concept": [{"code": "433236007", "display": "echo"}]},
            ]
        },
    }


def test_a_map_lists_the_targets_of_a_code_together_by_their_systems() -> None:
    pairs = (
        Pair(STRESS, AGENT, "relatedto", "with contrast"),
        Pair(STRESS, TEST, "wider", "any echo"),
        Pair(TEST, STRESS, "narrower", "with stress"),
        Pair(STRESS, Member(BILLING, "A9700", ""), "inexact", "per study"),
    )
    made = exported(CodeMap("map", "Map", "A map of codes", "What goes with what.", pairs))
    stress, echo = {"code": "93350", "display": "stress echo"}, {"code": "433236007", "display": "echo"}
    agent = {"code": "Q9957", "display": "perflutren", "equivalence": "relatedto", "comment": "with contrast"}
    per_study = {"code": "A9700", "equivalence": "inexact", "comment": "per study"}
    to_echo = echo | {"equivalence": "wider", "comment": "any echo"}
    to_stress = stress | {"equivalence": "narrower", "comment": "with stress"}
    assert made["ConceptMap/map"] == head("ConceptMap", "map") | {
        "name": "Map",
        "title": "A map of codes",
        "description": "What goes with what.",
        "copyright": COPYRIGHT,
        "group": [
            {"source": CPT, "target": HCPCS, "element": [stress | {"target": [agent, per_study]}]},
            {"source": CPT, "target": SNOMED, "element": [stress | {"target": [to_echo]}]},
            {"source": SNOMED, "target": CPT, "element": [echo | {"target": [to_stress]}]},
        ],
    }


@pytest.mark.parametrize(
    ("checked", "told"),
    [
        ({"es": True, "de": True}, "."),
        ({"es": False, "de": True}, "; those in es are made by machine and checked by no one."),
        ({"es": False, "de": False}, "; those in de, es are made by machine and checked by no one."),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_names_for_patients_and_whether_anyone_checked_them(checked: dict[str, bool], told: str) -> None:
    names = tuple(Designation(language, f"eco {language}", is_checked) for language, is_checked in checked.items())
    listed = exported(code_list(AGENT, Member(BILLING, "93350", "stress echo", names)))["ValueSet/codes"]
    assert listed["description"] == f"A list. Designations are short names for patients{told}"
    _, cpt = listed["compose"]["include"]
    assert cpt["concept"] == [
        {
            "code": "93350",
            "display": "stress echo",
            "designation": [{"language": each, "value": f"eco {each}"} for each in checked],
        }
    ]


def test_a_bundle_holds_each_resource_under_its_address() -> None:
    made = exported(code_list(STRESS))
    assert bundle(made) == {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": f"{BASE}/{name}", "resource": each} for name, each in made.items()],
    }
