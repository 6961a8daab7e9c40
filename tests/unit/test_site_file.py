"""The site's own file: read strictly, and followed by the rules."""

import json
from pathlib import Path
from typing import Any

import pytest

import hooks
from cds_service.core.site import Site
from cds_service.errors import SettingsError
from cds_service.review.advisor import Advisor, Answer
from cds_service.review.site_file import load_site
from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from hooks.coding.setting_and_payer import payer_answer, payer_of, takes_hospital_codes
from tests.rules.test_cases import SERVICES
from tests.support.forked import run
from tests.support.notation import body_of, request_of, service_of
from tests.support.running import ROOT

EXAMPLE = ROOT / "deploy" / "site.example.yaml"
LOCAL = "urn:oid:1.2.36.1.2001.1005.17"


def load(tmp_path: Path, text: str) -> Site:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    return load_site(path, hooks.vocabulary())


def test_a_byte_order_mark_is_accepted_and_another_encoding_named(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("vial_units:\n  usual: true\n", encoding="utf-8-sig")
    assert load_site(path, hooks.vocabulary()).vial_units
    path.write_text("payers: [{name: Sécurité}]\n", encoding="latin-1")
    with pytest.raises(SettingsError, match="expected text in UTF-8"):
        load_site(path, hooks.vocabulary())


def advisor_with(tmp_path: Path, text: str) -> Advisor:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    return create_advisor(Settings(site_file=path))


def advise(advisor: Advisor, case: dict[str, Any], local: dict[str, str] | None = None) -> Answer:
    """Answer a case, with billing codes replaced by local ones as a chargemaster sends them."""
    text = json.dumps(request_of(case))
    for code, local_code in (local or {}).items():
        for system in ("http://www.ama-assn.org/go/cpt", "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"):
            coding = f'"system": "{system}", "code": "{code}"'
            text = text.replace(coding, f'"system": "{LOCAL}", "code": "{local_code}"')
    return advisor.answer(SERVICES[service_of(case)], text.encode())


def found(advice: Answer) -> list[str]:
    return [rule.id for rule, _ in advice.review.findings]


# --- contractors -----------------------------------------------------------------------------------------------------


def test_contractors_are_named_by_part(tmp_path: Path) -> None:
    assert load(tmp_path, 'medicare: {part_b: "01112"}\n').medicare == {"B": "01112"}
    assert load(tmp_path, "medicare:\n").medicare == {}


@pytest.mark.parametrize("written", ['"1510"', '"A5102"', '""', "[]", "true"])
def test_a_contractor_is_five_digits_in_quotes(tmp_path: Path, written: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(tmp_path, f"hospital: outpatient\nmedicare:\n  part_b: {written}\n")
    expected = 'expected the number of the MAC for Part B, five digits in quotes, such as "15102"'
    assert str(error.value) == f"site.yaml: line 3: {expected}"


@pytest.mark.parametrize("written", ["15102", "01112"])
def test_a_number_without_quotes_may_have_lost_its_zeros(tmp_path: Path, written: str) -> None:
    with pytest.raises(SettingsError, match=f"line 1: put `{written}` in quotes"):
        load(tmp_path, f"medicare: {{part_b: {written}}}\n")


def test_another_part_of_medicare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="line 1: unknown key `part_c`"):
        load(tmp_path, 'medicare: {part_c: "15102"}\n')


# --- the file -------------------------------------------------------------------------------------------------------


def test_the_example_is_valid_and_says_something_in_every_part() -> None:
    site = load_site(EXAMPLE, hooks.vocabulary())
    assert len(site.mappings) == 5
    assert len(site.payers) == 2
    assert site.hospital == "outpatient"
    assert site.medicare == {"A": "15101", "B": "15102"}
    assert site.rules_lowered == {"add-on-repeated"}
    assert site.vial_units_of == {"Q9957": 2}


def test_the_example_explains_every_question() -> None:
    text = EXAMPLE.read_text()
    questions = hooks.vocabulary().questions
    assert questions
    for question, meaning in questions.items():
        assert f"{question} " in text
        assert meaning in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty file"),
        ("mappings: [\n", "invalid YAML"),
        ("- 1\n", "line 1: expected names with values"),
        ("mapping: []\n", "line 1: unknown key `mapping`"),
        ('mappings:\n  - {system: snomed, code: "1"}\n', "line 2: `to` is required"),
        (
            'mappings:\n  - {system: snomed, code: "1", to: "93999"}\n',
            "line 2: `93999` is not a code in scope",
        ),
        (
            'mappings:\n  - {system: snomed, code: 1, to: "93350"}\n',
            "line 2: `code`: expected a text, got a whole number",
        ),
        ('mappings:\n  - {system: snomed, code: "1", to: 93350}\n', "line 2: put `93350` in quotes"),
        (
            'mappings:\n  - {system: snomed, code: "1", to: "93350"}\n  - {system: SNOMED, code: "1", to: "93351"}\n',
            "line 3: the code `1` is mapped twice",
        ),
        (
            'mappings:\n  - {system: "http://www.ama-assn.org/go/cpt", code: "93350", to: "93351"}\n',
            "line 2: `93350` is a billing code in scope",
        ),
        ("payers:\n  - medicare: true\n", "line 2: expected a payer to have `names`, `identifiers` or `types`"),
        ("payers:\n  - names: [A]\n    medicare: maybe\n", "line 3: expected `medicare` to be true or false"),
        ("payers:\n  - names: [A]\n    medicare: yes\n", "line 3: put `yes` in quotes"),
        ("payers:\n  - names: [A]\n    medicaid: true\n", "line 3: unknown key `medicaid`"),
        ("payers:\n  - names: A\n", "line 2: `names`: expected a list, got a text"),
        ("rules:\n  switched_off: [no-such-rule]\n", "line 2: unknown rule `no-such-rule`; expected one of add-on-"),
        (
            "rules:\n  switched_off: [add-on-repeated]\n  lowered_to_info: [add-on-repeated]\n",
            "line 3: the rule `add-on-repeated` is switched off above",
        ),
        ("hospital: acute\n", "line 1: expected `hospital` to be outpatient or critical-access"),
        ("rules:\n  off: []\n", "line 2: unknown key `off`"),
        ('vial_units:\n  products:\n    "93350": 2\n', "line 3: expected a supply code: one of Q9950"),
        ('vial_units:\n  products: {"Q9957": 0}\n', "line 2: expected the HCPCS units of one vial"),
        ('vial_units:\n  products: {"Q9957": "2"}\n', "line 2: `products`: expected a whole number, got a text"),
        ("vial_units:\n  usual: true\n  usual: false\n", "line 3: duplicate key `usual`"),
    ],
)
def test_a_fault_names_the_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=r"site\.yaml") as caught:
        load(tmp_path, text)
    assert expected in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load_site(tmp_path / "site.yaml", hooks.vocabulary())


def test_headings_without_content_say_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, "mappings:\npayers:\nrules:\nvial_units:\n") == Site()


@pytest.mark.parametrize(("command", "exit_code"), [(("check", "-"), 2), (("serve",), 1)], ids=["check", "serve"])
def test_a_fault_is_named_at_start(tmp_path: Path, command: tuple[str, ...], exit_code: int) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("rules:\n  switched_off: [nothing]\n")
    result = run(*command, stdin=b"{}", CDS_SITE_FILE=str(path), PATH="/usr/bin")
    assert result.returncode == exit_code
    assert b"site.yaml: line 2: unknown rule `nothing`" in result.stderr
    assert b"Traceback" not in result.stderr


# --- codes ----------------------------------------------------------------------------------------------------------

MAPPINGS = f"""mappings:
  - {{system: "{LOCAL}", code: "ECHO", to: "93350"}}
  - {{system: "{LOCAL}", code: "CONTRAST", to: "93352"}}
  - {{system: "{LOCAL}", code: "AGENT", to: "Q9957"}}
  - {{system: snomed, code: "7770007", to: "93350"}}
  - {{system: rxnorm, code: "888", to: "Q9957"}}
  - {{system: "", code: "999", to: "Q9950"}}
"""
CHARGEMASTER = {"93350": "ECHO", "93352": "CONTRAST", "Q9957": "AGENT"}


@pytest.mark.parametrize("bill", ["lines", "professional"])
def test_charges_under_local_codes_count(tmp_path: Path, advisor: Advisor, bill: str) -> None:
    mapped = advisor_with(tmp_path, MAPPINGS)
    missing = {bill: "93350, Q9957x2"}
    assert found(advise(mapped, missing, CHARGEMASTER)) == ["contrast-add-on-missing"]
    assert found(advise(advisor, missing, CHARGEMASTER)) == []
    complete = {bill: "93350, 93352, Q9957x2"}
    assert found(advise(mapped, complete, CHARGEMASTER)) == []
    assert [line.code for line in advise(mapped, complete, CHARGEMASTER).parsed.case.lines] == [
        "93350",
        "93352",
        "Q9957",
    ]


def test_a_mapped_study_and_a_mapped_product_are_recognised(tmp_path: Path) -> None:
    advice = advise(
        advisor_with(tmp_path, MAPPINGS),
        {"lines": "93350", "done": ["SNOMED 7770007"], "given": ["RxNorm 888 1.3 mL"]},
    )
    ((_, finding),) = [pair for pair in advice.review.findings if pair[0].id == "contrast-add-on-missing"]
    assert str(finding.fixes[0]) == "add 93352, add Q9957x2"


def test_the_senders_own_billing_code_outranks_a_mapping(tmp_path: Path) -> None:
    request = request_of({"lines": "93351"})
    request["context"]["draftCharges"]["entry"][0]["resource"]["code"]["coding"].insert(
        0, {"system": LOCAL, "code": "ECHO"}
    )
    advice = advisor_with(tmp_path, MAPPINGS).answer(
        SERVICES["contrast-echo-claim-review"], json.dumps(request).encode()
    )
    assert [line.code for line in advice.parsed.case.lines] == ["93351"]


def test_a_local_code_under_the_address_of_cpt(tmp_path: Path) -> None:
    cpt = "http://www.ama-assn.org/go/cpt"
    body = body_of({"lines": "93306, Q9957x2"}).replace(b'"93306"', b'"STRES"')
    local = advisor_with(tmp_path, f'mappings:\n  - {{system: "{cpt}", code: "STRES", to: "93350"}}\n')
    advice = local.answer(SERVICES[service_of({})], body)
    assert [line.code for line in advice.parsed.case.lines] == ["93350", "Q9957"]


def test_a_medication_behind_a_contained_reference_is_mapped(tmp_path: Path) -> None:
    request = request_of({"lines": "93350", "given": ["RxNorm 888 1 mL"]})
    given = request["prefetch"]["medicationAdministrations"]["entry"][0]["resource"]
    medication = {"resourceType": "Medication", "id": "m", "code": given.pop("medicationCodeableConcept")}
    given |= {"contained": [medication], "medicationReference": {"reference": "#m"}}
    body = json.dumps(request).encode()
    advice = advisor_with(tmp_path, MAPPINGS).answer(SERVICES["contrast-echo-claim-review"], body)
    assert "contrast-add-on-missing" in found(advice)


# --- payers ---------------------------------------------------------------------------------------------------------

PAYERS = """payers:
  - names: [Sunshine Plan]
    medicare: true
    waste_modifiers: true
  - identifiers: [Organization/blue, "http://hl7.org/fhir/sid/us-npi|42"]
    medicare: false
    c_codes: true
  - types: ["https://nahdo.org/sopt|5"]
    c_codes: false
  - names: [Medicare]
    medicare: false
"""


def coverage_case(tmp_path: Path, coverage: dict[str, Any]) -> Any:
    request = request_of({"institutional": "93350", "payer": "x"})
    resource = request["prefetch"]["coverages"]["entry"][0]["resource"]
    del resource["payor"]
    resource |= coverage
    body = json.dumps(request).encode()
    return advisor_with(tmp_path, PAYERS).answer(SERVICES["contrast-echo-claim-review"], body).parsed.case


@pytest.mark.parametrize(
    ("coverage", "payer", "c_codes", "waste"),
    [
        ({"payor": [{"display": "SUNSHINE plan "}]}, "medicare", True, True),
        ({"payor": [{"reference": "Organization/blue"}]}, "other", True, None),
        ({"payor": [{"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": "42"}}]}, "other", True, None),
        ({"identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "42"}]}, "other", True, None),
        ({"payor": [{"identifier": {"system": "urn:other", "value": "42"}}]}, "unknown", None, None),
        ({"type": {"coding": [{"system": "https://nahdo.org/sopt", "code": "5"}]}}, "other", False, None),
        ({"payor": [{"display": "Medicare"}]}, "other", None, None),
        ({"payor": [{"display": "Aetna"}]}, "other", None, None),
    ],
)
def test_payers(tmp_path: Path, coverage: dict[str, Any], payer: str, c_codes: bool | None, waste: bool | None) -> None:
    case = coverage_case(tmp_path, coverage)
    assert payer_of(case, case.lines) == payer
    assert takes_hospital_codes(case, case.lines) is c_codes
    assert payer_answer(case, case.lines, "waste_modifiers") is waste


def test_a_hospital_claim_to_a_payer_that_takes_c_codes_is_not_told_to_add_93352(tmp_path: Path) -> None:
    takes = advisor_with(tmp_path, "payers:\n  - {names: [Aetna], c_codes: true}\n")
    case = {"institutional": "93350", "payer": "Aetna", "given": ["Definity 1.3 mL"]}
    assert "contrast-add-on-missing" not in found(advise(takes, case))


def test_a_critical_access_hospital_is_not_told_the_codes_of_opps(tmp_path: Path) -> None:
    case = {"institutional": "93350, 93352, Q9957x2", "payer": "Medicare"}
    critical = advisor_with(tmp_path, "hospital: critical-access\n")
    assert found(advise(critical, case)) == []
    assert "hospital-contrast-code" in [rule.id for rule, _ in advise(critical, case).review.not_checked]
    assert "hospital-contrast-code" in found(advise(critical, case | {"bill": "0131"})), "the claim says otherwise"
    assert "hospital-contrast-code" in found(advise(advisor_with(tmp_path, "hospital: outpatient\n"), case))


def test_a_payer_that_wants_a9700_is_not_told_otherwise(tmp_path: Path) -> None:
    wants = advisor_with(tmp_path, "payers:\n  - {names: [Aetna], a9700: true}\n")
    case = {"professional": "93350, 93352, A9700", "payer": "Aetna", "given": ["Definity 1.3 mL"]}
    assert found(advise(wants, case)) == []
    silent = advisor_with(tmp_path, "payers:\n  - {names: [Cigna], a9700: true}\n")
    assert "supply-unspecified" in found(advise(silent, case))


def test_a_payer_that_wants_waste_modifiers_is_heard(tmp_path: Path) -> None:
    wants = advisor_with(tmp_path, "payers:\n  - {names: [Aetna], waste_modifiers: true}\n")
    case = {"professional": "93350, 93352, Q9957x2", "place": "11", "payer": "Aetna", "given": ["Definity 1.3 mL"]}
    assert found(advise(wants, case)) == ["supply-waste-modifier"]


# --- rules and vials ------------------------------------------------------------------------------------------------


def test_a_rule_that_is_switched_off_is_silent_and_never_a_pass(tmp_path: Path) -> None:
    advice = advise(advisor_with(tmp_path, "rules: {switched_off: [add-on-repeated]}\n"), {"lines": "93350, 93352x2"})
    assert "add-on-repeated" not in found(advice)
    assert "add-on-repeated" not in [rule.id for rule, _ in advice.review.passed]
    assert [rule.id for rule in advice.review.switched_off if rule.set_up is None] == ["add-on-repeated"]


def test_a_lowered_rule_speaks_at_info(tmp_path: Path) -> None:
    advice = advise(
        advisor_with(tmp_path, "rules: {lowered_to_info: [add-on-repeated]}\n"), {"lines": "93350, 93352x2, Q9957x2"}
    )
    cards = {card.source.topic.code: card.indicator for card in advice.response.cards if card.source.topic}
    assert cards["add-on-repeated"] == "info"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vial_units: {usual: false}\n", "add Q9957 (units to be entered)"),
        ("vial_units: {usual: true}\n", "add Q9957x2"),
        ('vial_units: {products: {"Q9957": 4}}\n', "add Q9957x4"),
        ('vial_units: {products: {"Q9950": 5}}\n', "add Q9957 (units to be entered)"),
    ],
)
def test_one_vial_where_no_dose_is_known(tmp_path: Path, text: str, expected: str) -> None:
    advice = advise(advisor_with(tmp_path, text), {"lines": "93350, 93352", "given": ["Definity 1 vial"]})
    ((_, finding),) = [pair for pair in advice.review.findings if pair[0].id == "contrast-supply-missing"]
    assert [str(fix) for fix in finding.fixes] == [expected]


# --- the time zone and mapped systems -------------------------------------------------------------------------------

EVENING = {"lines": "93350, 93352, Q9957x2", "done": ["93350"], "given": ["Definity 1.3 mL"], "known": ["procedures"]}


def in_utc(case: dict[str, Any], instant: str) -> dict[str, Any]:
    """The request of a case of 2026-03-02, with its clinical records dated by an instant of the next day in UTC."""
    request = request_of(case)
    for key in ("procedures", "medicationAdministrations"):
        for entry in request["prefetch"][key]["entry"]:
            resource = entry["resource"]
            name = next(each for each in ("performedDateTime", "effectiveDateTime") if each in resource)
            resource[name] = instant
    return request


def review_in_utc(advisor: Advisor, instant: str) -> Answer:
    request = in_utc(EVENING | {"known": ["procedures", "medicationAdministrations", "chargeItems"]}, instant)
    return advisor.answer(SERVICES[service_of(EVENING)], json.dumps(request).encode())


def undecided(advice: Answer) -> set[str]:
    return {rule.id for rule, each in advice.review.not_checked if each.why == "not-understood"}


def test_with_a_time_zone_an_evening_in_utc_is_of_its_local_day(tmp_path: Path) -> None:
    advice = review_in_utc(advisor_with(tmp_path, "time_zone: America/Chicago"), "2026-03-03T01:30:00Z")
    assert (found(advice), undecided(advice)) == ([], set())


def test_without_a_time_zone_an_evening_in_utc_is_of_one_of_two_days(advisor: Advisor) -> None:
    advice = review_in_utc(advisor, "2026-03-03T01:30:00Z")
    assert found(advice) == []
    assert "contrast-not-supported" in undecided(advice)


def test_an_afternoon_in_utc_is_of_one_day(advisor: Advisor) -> None:
    advice = review_in_utc(advisor, "2026-03-02T20:30:00Z")
    assert (found(advice), undecided(advice)) == ([], set())


def test_another_day_stays_another_day_in_any_time_zone(tmp_path: Path, advisor: Advisor) -> None:
    for each in (advisor, advisor_with(tmp_path, "time_zone: Pacific/Honolulu")):
        assert "contrast-not-supported" in found(review_in_utc(each, "2026-03-09T20:30:00Z"))


def test_a_code_of_a_mapped_system_that_is_not_mapped_is_something_else(tmp_path: Path, advisor: Advisor) -> None:
    case = {"lines": "93350, 99213, Q9957x2", "given": ["Definity 1.3 mL"]}
    open_question = advise(advisor, case, {"99213": "615215"})
    assert found(open_question) == []
    assert "contrast-add-on-missing" in undecided(open_question)
    site = advisor_with(tmp_path, f'systems: [{{system: "{LOCAL}", all_mapped: true}}]')
    assert found(advise(site, case, {"99213": "615215"})) == ["contrast-add-on-missing"]


def test_an_unknown_time_zone_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"line 1: expected the IANA name of a time zone, such as America/Chicago"):
        load(tmp_path, "time_zone: Chicago Time")
