"""Medications by their ingredients, and the agent's part of a mixture."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.core.case import Administration, Case
from cds_service.core.concepts import REFERENCE, Code, Concept
from cds_service.fhir import resources as r
from cds_service.fhir.mixtures import part_of
from cds_service.fhir.read import read_case
from cds_service.fhir.sources import SourceResource
from hooks.coding.products import agent_in, agent_ml
from hooks.coding.understood import is_understood, unknown_code

NDC = "http://hl7.org/fhir/sid/ndc"
DEFINITY = {"coding": [{"system": NDC, "code": "11994-0011-04"}]}
EMPTY = Case(stage="claim")
SALINE = {"text": "Sodium Chloride 9 MG/ML"}


def amount(value: float, unit: str = "mL") -> dict[str, Any]:
    return {"value": value, "unit": unit}


def ratio(part: float, whole: float, unit: str = "mL", of: str = "mL") -> dict[str, Any]:
    return {"numerator": amount(part, unit), "denominator": amount(whole, of)}


def medication(*ingredients: Any, **members: Any) -> dict[str, Any]:
    return {"resourceType": "Medication", "id": "m1", "ingredient": list(ingredients)} | members


def ingredient(item: Any, strength: Any = None, **members: Any) -> dict[str, Any]:
    return {"itemCodeableConcept": item} | ({"strength": strength} if strength else {}) | members


def given_of(drug: dict[str, Any], ml: float = 3, *others: Any, contained: bool = True) -> Administration:
    administration = {
        "resourceType": "MedicationAdministration",
        "id": "a1",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "dosage": {"dose": amount(ml)},
        "medicationReference": {"reference": "#m1" if contained else "Medication/m1"},
    }
    resources = [administration | {"contained": [drug, *others]}] if contained else [administration, drug, *others]
    sources = [SourceResource(f"e[{i}]", msgspec.Raw(json.dumps(each).encode())) for i, each in enumerate(resources)]
    parsed = read_case(sources, stage="claim", patient_id="p1")
    assert parsed.skipped == ()
    (found,) = parsed.case.administrations
    return found


MIXED = medication(ingredient(DEFINITY, ratio(1.3, 3)), ingredient(SALINE, ratio(1.7, 3)))


@pytest.mark.parametrize("contained", [True, False])
@pytest.mark.parametrize(("dose", "ml"), [(3, "1.3"), (1.5, "0.65"), (0, "0")])
def test_the_dose_of_a_mixture_is_that_of_the_whole(contained: bool, dose: float, ml: str) -> None:
    mixture = given_of(MIXED, dose, contained=contained)
    assert mixture.ml is None
    assert agent_ml(mixture) == Decimal(ml)
    agent = agent_in(mixture.concept)
    assert agent and agent.codes == {"Q9957"}


@pytest.mark.parametrize(
    ("drug", "ml"),
    [
        (medication(code=DEFINITY, ingredient=None), "3"),
        # The strength of the product itself is a weight per volume.
        (medication(ingredient({"text": "perflutren"}, ratio(1.1, 1, unit="mg")), code=DEFINITY), "3"),
        (medication(ingredient(DEFINITY), ingredient(SALINE)), None),
        (medication(ingredient(DEFINITY, ratio(1.3, 50, of="bag")), ingredient(SALINE)), None),
        (medication(ingredient(DEFINITY, ratio(1.3, 0)), ingredient(SALINE)), None),
        (medication(ingredient(DEFINITY, ratio(4, 3)), ingredient(SALINE)), None),
        (medication(ingredient({"text": "A"}, ratio(1, 3)), ingredient({"text": "B"}), code=DEFINITY), None),
        (medication(ingredient(DEFINITY, ratio(1300, 3, unit="uL")), ingredient(SALINE)), "1.3"),
        (medication(ingredient(DEFINITY, ratio(1.3, 3))), "1.3"),
    ],
)
def test_the_volume_of_the_agent_follows_from_its_strength_or_is_not_known(drug: Any, ml: str | None) -> None:
    given = given_of(drug)
    assert agent_ml(given) == (None if ml is None else Decimal(ml))
    assert agent_in(given.concept), "the agent is named either way"


@pytest.mark.parametrize("kind", ["Medication", "Substance"])
def test_an_ingredient_may_be_a_resource_of_its_own(kind: str) -> None:
    pure = {"resourceType": kind, "id": "s1", "code": {"text": "Definity"}}
    mixture = given_of(medication({"itemReference": {"reference": "#s1"}}, ingredient(SALINE)), 3, pure)
    agent = agent_in(mixture.concept)
    assert agent and not agent.certain
    named = given_of(medication({"itemReference": {"display": "Definity"}}, ingredient(SALINE)))
    assert agent_in(named.concept) == agent


UNSENT = {"itemReference": {"reference": "Medication/unsent"}}
NAMED = {"itemReference": {"reference": "Medication/unsent", "display": "Metoprolol 25 mg"}}
WATER = {"text": "Sterile water"}
LOCAL = {"coding": [{"system": "urn:erx", "code": "17"}]}
OTHER = {"coding": [{"system": NDC, "code": "00378-0018-01"}]}


@pytest.mark.parametrize(
    ("drug", "reported"),
    [
        (medication(UNSENT, ingredient(SALINE)), Code(REFERENCE, "Medication/unsent")),
        (medication(ingredient(SALINE), ingredient(LOCAL)), Code("urn:erx", "17")),
        (medication(ingredient(SALINE), {}), None),
        (medication(UNSENT), Code(REFERENCE, "Medication/unsent")),
        (medication(UNSENT, ingredient(SALINE), code={"text": "IV mixture"}), Code(REFERENCE, "Medication/unsent")),
    ],
)
def test_a_mixture_with_an_ingredient_that_is_not_understood_is_not(drug: Any, reported: Code | None) -> None:
    concept = given_of(drug).concept
    assert not is_understood("drug", concept, EMPTY)
    assert unknown_code(concept) == reported


@pytest.mark.parametrize(
    "drug",
    [
        medication(ingredient(SALINE), ingredient(WATER)),
        medication(NAMED, ingredient(SALINE)),
        medication(UNSENT, ingredient(DEFINITY)),
        medication(UNSENT, ingredient(SALINE), code=OTHER),
        medication(UNSENT, ingredient(SALINE), code={"text": "Morphine 1 mg/mL"}),
    ],
)
def test_a_mixture_is_understood_by_its_ingredients_an_agent_or_as_a_whole(drug: Any) -> None:
    assert is_understood("drug", given_of(drug).concept, EMPTY)


def test_the_name_in_a_reference_to_a_material_counts() -> None:
    procedure = {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "usedReference": [{"reference": "Medication/unsent", "display": "Definity"}, {"display": "Lumason"}],
    }
    source = SourceResource("e", msgspec.Raw(json.dumps(procedure).encode()))
    (done,) = read_case([source], stage="claim", patient_id="p1").case.procedures
    assert [set(agent.codes) for agent in map(agent_in, done.used) if agent] == [{"Q9957"}, {"Q9950"}]


@given(st.decimals(0, 100, places=2), st.decimals(0, 50, places=2), st.decimals("0.01", 50, places=2))
def test_a_part_is_never_more_than_the_whole(dose: Decimal, part: Decimal, whole: Decimal) -> None:
    strength = r.Ratio(r.Quantity(part, "mL"), r.Quantity(whole, "mL"))
    found = part_of(dose, strength)
    assert found is None if part > whole else found is not None and 0 <= found <= dose


# --- generic names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("perflutren", {"Q9956", "Q9957"}),
        ("perflutren 1.1 mg/mL IV suspension", {"Q9956", "Q9957"}),
        ("Perflutren Lipid Microspheres IV suspension", {"Q9957"}),
        ("perflutren, lipid microsphere, 6.52 mg/mL", {"Q9957"}),
        ("lipid microspheres (perflutren)", {"Q9957"}),
        ("PERFLUTREN PROTEIN TYPE A 10 MG/ML", {"Q9956"}),
        ("perflutren protein-type A microspheres", {"Q9956"}),
        ("sulfur hexafluoride lipid-type A microspheres", {"Q9950"}),
        ("sulphur hexafluoride", {"Q9950"}),
        ("Definity (perflutren)", {"Q9957"}),
        ("lipid emulsion 20 %", set()),
        ("metoprolol", set()),
    ],
)
def test_generic_names_are_weak_evidence(text: str, codes: set[str]) -> None:
    agent = agent_in(Concept(words=(text,)))
    assert (set(agent.codes) if agent else set()) == codes
    assert agent is None or not agent.certain


def test_words_of_one_name_stand_in_one_text() -> None:
    assert agent_in(Concept(words=("perflutren", "lipid panel"))) == agent_in(Concept(words=("perflutren",)))
