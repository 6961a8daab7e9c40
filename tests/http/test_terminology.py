"""`/fhir/…`: every resource is valid FHIR R4 and matches the tables, in our own words."""

import importlib
from typing import Any

import pytest
import requests

import hooks
from cds_service.app import fhir_resources
from cds_service.languages.known import LANGUAGES
from cds_service.settings import Settings
from cds_service.wiring import create_advisor, create_catalogs, create_explainer
from hooks.codes.tables import ADD_ONS, CODES, CROSSWALK, PRODUCTS
from hooks.publish.patient import plain_words

BASE = "https://example.org/contrast-echo-cds"
EXPORTS = fhir_resources(create_advisor(Settings()), create_explainer(create_catalogs()).names)


def get(server: str, path: str) -> requests.Response:
    return requests.get(f"{server}/fhir{path}", timeout=10)


def codes_of(value_set: dict[str, Any]) -> list[str]:
    return [each["code"] for include in value_set["compose"]["include"] for each in include["concept"]]


@pytest.mark.parametrize("name", EXPORTS)
def test_every_resource_is_valid_and_served(server: str, name: str) -> None:
    response = get(server, f"/{name}")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/fhir+json"
    resource = response.json()
    kind = resource["resourceType"]
    model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    model.model_validate(resource)
    assert resource["url"] == f"{BASE}/{name}"
    assert resource["name"][0].isupper()
    assert resource["name"].isalnum()


def test_all_in_one_bundle(server: str) -> None:
    from fhir.resources.R4B.bundle import Bundle  # noqa: PLC0415  # slow to import, and needed here only

    content = get(server, "").json()
    Bundle.model_validate(content)
    assert [f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in content["entry"]] == list(
        EXPORTS
    )
    assert content["entry"]
    assert all(each["fullUrl"] == each["resource"]["url"] for each in content["entry"])


def test_what_there_is() -> None:
    assert {
        "CodeSystem/rule",
        "CodeSystem/override-reason",
        "ValueSet/codes-in-scope",
        "ValueSet/primaries",
        "ValueSet/add-ons",
        "ValueSet/supplies",
        "ValueSet/primaries-of-93352",
        "ConceptMap/cpt-to-hospital-contrast-code",
        "ConceptMap/ndc-to-supply-code",
        "ConceptMap/override-reason-to-non-adherence",
    } <= set(EXPORTS)


def test_the_rules_and_the_reasons_are_those_of_the_cards() -> None:
    concepts = EXPORTS["CodeSystem/rule"]["concept"]
    assert [each["code"] for each in concepts] == [rule.id for rule in hooks.all_rules()]
    assert EXPORTS["CodeSystem/rule"]["count"] == len(concepts)
    reasons = EXPORTS["CodeSystem/override-reason"]["concept"]
    assert {(each["code"], each["display"]) for each in reasons} == {
        (reason.code, reason.display) for rule in hooks.all_rules() for reason in rule.override_reasons
    }


def test_each_code_has_its_name_for_patients_in_every_language() -> None:
    value_set = EXPORTS["ValueSet/codes-in-scope"]
    others = sorted(each.tag for each in LANGUAGES if not each.is_english)
    assert f"those in {', '.join(others)} are made by machine and checked by no one" in value_set["description"]
    concepts = [each for include in value_set["compose"]["include"] for each in include["concept"]]
    named = {
        each["code"]: {name["language"]: name["value"] for name in each.get("designation", ())} for each in concepts
    }
    words = {code: plain_words(code) for code in named}
    assert {code: names["en"] for code, names in named.items()} == {
        code: found and found.name.text for code, found in words.items()
    }
    assert {frozenset(names) for names in named.values()} == {frozenset(each.tag for each in LANGUAGES)}
    assert named["93352"]["vi"] != named["93352"]["en"]


def test_the_value_sets_are_the_tables() -> None:
    assert sorted(codes_of(EXPORTS["ValueSet/codes-in-scope"])) == sorted({entry.code for entry in CODES})
    assert "93352" in codes_of(EXPORTS["ValueSet/add-ons"])
    assert set(codes_of(EXPORTS["ValueSet/supplies"])) == {"Q9950", "Q9955", "Q9956", "Q9957", "A9700"}
    assert codes_of(EXPORTS["ValueSet/primaries-of-93352"]) == ["93350", "93351"]
    assert "C8930" in codes_of(EXPORTS["ValueSet/primaries-of-93356"]), "of two entries, the one in force"
    assert {f"ValueSet/primaries-of-{entry.code.lower()}" for entry in ADD_ONS} <= set(EXPORTS)


def test_cpt_and_hcpcs_codes_are_under_their_own_systems() -> None:
    assert EXPORTS["ValueSet/codes-in-scope"]["compose"]["include"]
    for include in EXPORTS["ValueSet/codes-in-scope"]["compose"]["include"]:
        is_cpt = include["system"] == "http://www.ama-assn.org/go/cpt"
        assert include["concept"]
        assert all(each["code"][0].isdigit() is is_cpt for each in include["concept"])


def test_the_maps_are_the_tables() -> None:
    (group,) = EXPORTS["ConceptMap/cpt-to-hospital-contrast-code"]["group"]
    mapped = {each["code"]: each["target"][0]["code"] for each in group["element"]}
    assert mapped == {entry.code: entry.hospital_code for entry in CROSSWALK}
    (group,) = EXPORTS["ConceptMap/ndc-to-supply-code"]["group"]
    assert group["source"] == "http://hl7.org/fhir/sid/ndc"
    mapped = {each["code"]: each["target"][0]["code"] for each in group["element"]}
    assert mapped == {ndc: product.code for product in PRODUCTS for ndc in product.ndc}


def test_the_displays_are_our_own_words() -> None:
    words = {entry.code: entry.words for entry in CODES}
    assert EXPORTS["ValueSet/codes-in-scope"]["compose"]["include"]
    for include in EXPORTS["ValueSet/codes-in-scope"]["compose"]["include"]:
        assert include["concept"]
        for each in include["concept"]:
            assert each["display"].startswith(words[each["code"]])


def test_what_is_not_there_is_a_404(server: str) -> None:
    response = get(server, "/ValueSet/nothing")
    assert response.status_code == 404
    assert response.json()["resourceType"] == "OperationOutcome"
