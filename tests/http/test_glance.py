"""The top of code pages, and the pages of modifiers: facts from the tables, with their sources, and true claims."""

import re
from urllib.parse import quote

import pytest

from cds_service.review.advisor import Advisor
from cds_service.review.reference import CodePage, ExampleClaim
from cds_service.review.typed_cases import review_case
from cds_service.wiring import create_case_writer
from hooks.codes.tables import ADD_ONS, CODES, INDICATORS, OPPS, PC_TC, PRODUCTS, RELATIVE_VALUES, UNIT_LIMITS
from hooks.publish.indicators import FIELDS
from hooks.publish.modifiers import modifier_pages
from hooks.publish.reference import all_tables, reference
from tests.http.test_reference import CODE_NUMBERS, JSON, MODIFIER_NAMES, RULE_IDS, get, page_of

pytestmark = pytest.mark.repeats(3)

WRITER = create_case_writer()


def page(code: str) -> CodePage:
    found = reference().page(code)
    assert found
    return found


def said(code: str, topic: str) -> str:
    """The short facts of a code under a heading, in one text."""
    return " ".join(fact.text for each in page(code).glance.topics if each.id == topic for fact in each.facts)


# --- the claims -----------------------------------------------------------------------------------------------------

CLAIMS = [(code, each) for code in CODE_NUMBERS for each in page(code).glance.examples]
OF_MODIFIERS = [(each.modifier, claim) for each in modifier_pages() for claim in each.examples]


@pytest.mark.parametrize(
    ("name", "claim"), [*CLAIMS, *OF_MODIFIERS], ids=[f"{name} {each.what}" for name, each in [*CLAIMS, *OF_MODIFIERS]]
)
def test_a_right_claim_has_no_finding_and_a_wrong_one_that_of_its_rule(
    plain_advisor: Advisor,
    name: str,  # noqa: ARG001  # names the case
    claim: ExampleClaim,
) -> None:
    report = review_case(plain_advisor, WRITER, WRITER.parsed_text(claim.notation)).report
    rules = {rule for each in report.findings for rule in (each.rule, *each.also_rules)}
    if not claim.right:
        assert claim.rule in rules
    elif claim.rule:
        assert {each.indicator for each in report.findings} == {"info"}
        assert rules == {claim.rule}
    else:
        assert rules == set()
        assert not report.empty


@pytest.mark.parametrize("code", CODE_NUMBERS)
def test_each_code_has_two_right_and_two_wrong_claims(code: str) -> None:
    examples = page(code).glance.examples
    assert [each.right for each in examples] == [True, True, False, False]
    assert len({each.notation for each in examples}) == len(examples)
    discontinued = {product.code for product in PRODUCTS if product.discontinued}
    assert all(code in each.notation for each in examples if not each.right or code not in discontinued)
    assert {each.rule for each in examples if not each.right} <= set(RULE_IDS)


def test_claims_open_on_the_page_of_claims(server: str) -> None:
    text = get(server, "/codes/93352").text
    examples = page("93352").glance.examples
    assert examples
    for each in examples:
        assert f'href="/claim#{quote(each.notation)}"' in text


# --- the facts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODE_NUMBERS)
def test_every_fact_is_on_the_page_and_in_its_json_with_a_source(server: str, code: str) -> None:
    topics = get(server, f"/codes/{code}", **JSON).json()["glance"]["topics"]
    text = page_of(get(server, f"/codes/{code}")).text
    assert [each["id"] for each in topics] == [each.id for each in page(code).glance.topics]
    assert topics
    for topic in topics:
        assert topic["title"] in text
        assert topic["facts"]
        for fact in topic["facts"]:
            assert fact["text"] in text
            assert fact["cited"]["source"]
            assert re.match(r"verified through 20|published 20", fact["cited"]["checked"])


@pytest.mark.parametrize(
    ("code", "topic", "expected"),
    [
        ("93352", "with", "only with a primary: 93350, 93351"),
        ("93352", "with", "With Lumason: Q9950, 5 units a vial"),
        ("93352", "never", "93306, 93307, 93308"),
        ("93352", "never", "C8928"),
        ("93352", "once", "Report once per stress echo"),
        ("93352", "once", "1 unit a day (MUE), MAI 3: for the day"),
        ("93352", "who", "a nurse or another qualified professional"),
        ("93352", "who", "a cardiologist or another qualified physician"),
        ("93352", "need", "two contiguous segments"),
        ("93352", "need", "Not known here: the diagnoses"),
        ("93352", "setting", "C8928 for 93350, C8930 for 93351, and not 93352"),
        ("93352", "setting", "status M: not billable by a hospital"),
        ("93352", "payment", "$35.74 (1.07 RVU)"),
        ("93352", "modifiers", "PC/TC 0: not split: never 26 or TC"),
        ("93352", "instead", "0439T for contrast perfusion echo"),
        ("93351", "with", "93352"),
        ("93351", "never", "Never paid beside it (indicator 0): 93015, 93016, 93017, 93018, 93350."),
        ("93351", "setting", "Medicare hospital, with contrast: C8930"),
        ("93351", "payment", "With 26: office $81.16 (2.43 RVU)"),
        ("93351", "payment", "Hospital outpatient department, April 2026: $558.25"),
        ("93350", "instead", "93351 if one practitioner does all of 93350, 93016, 93018"),
        ("C8928", "setting", "Stands for 93350 with contrast"),
        ("C8928", "with", "With Definity: Q9957, 2 units a vial"),
        ("C8928", "payment", "$800.90"),
        ("Q9957", "with", "Definity: 2 units a vial (1 unit is 1 mL), 1.5 mL"),
        ("Q9957", "once", "The label allows 3 mL"),
        ("Q9957", "once", "3 units a day (MUE)"),
        ("Q9957", "modifiers", "JZ: no billable amount discarded"),
        ("Q9957", "instead", "Q9956 for octafluoropropane"),
        ("Q9955", "with", "Imagent, discontinued"),
        ("A9700", "modifiers", "never append JW or JZ"),
        ("93015", "setting", "report 93017"),
        ("J1250", "with", "Dobutamine: one unit is 250 mg"),
        ("J1250", "setting", "a practitioner does not charge it"),
    ],
)
def test_the_first_screen_says(code: str, topic: str, expected: str) -> None:
    assert expected in said(code, topic)


def test_facts_follow_the_tables() -> None:
    """No fact is written for a code by hand where a table knows it."""
    add_ons = [entry for entry in ADD_ONS if entry.last is None]
    assert add_ons
    for entry in add_ons:
        assert ", ".join(entry.primaries) in said(entry.code, "with")
    assert UNIT_LIMITS
    for limit in UNIT_LIMITS:
        assert re.search(rf"\b{limit.units} units? a day \(MUE\), MAI {limit.mai}: ", said(limit.code, "once")), limit
    assert PC_TC
    for part in PC_TC:
        assert f"PC/TC {part.indicator}: " in said(part.code, "modifiers")
    statuses = [status for status in OPPS if status.code in CODES]
    assert statuses
    for status in statuses:
        assert f"status {status.status}: " in said(status.code, "setting")
        assert status.rate is None or f"${status.rate:,.2f}" in said(status.code, "payment")
    assert RELATIVE_VALUES
    for row in RELATIVE_VALUES:
        assert row.office is None or f"({row.office.normalize():f} RVU)" in said(row.code, "payment")
    assert PRODUCTS
    for product in PRODUCTS:
        assert product.name in said(product.code, "with")


def test_what_is_from_memory_or_secondary_is_marked(server: str) -> None:
    text = page_of(get(server, "/codes/Q9957")).text
    assert "1.5 mL. from memory: verify before use" in text
    assert "qualified professional. from a secondary source" in text


def test_a_meaning_from_memory_makes_the_fact_one_from_memory() -> None:
    """The value of an indicator was seen, what it means was not checked: the sentence says so."""
    (stated,) = PC_TC.history("Q9957")
    assert stated.confidence == "seen"
    facts = [fact for topic in page("Q9957").glance.topics for fact in topic.facts]
    (shown,) = [fact for fact in facts if fact.text.startswith("PC/TC 9")]
    assert shown.cited.confidence == "memory"
    (sure,) = [each for topic in page("93352").glance.topics for each in topic.facts if each.text.startswith("PC/TC 0")]
    assert sure.cited.confidence == "seen"


def test_every_indicator_of_the_tables_is_explained(server: str) -> None:
    shown = {each.name for each in reference().indicators}
    tables = {table.name: table for table in all_tables()}
    assert FIELDS
    for (name, member), indicator in FIELDS.items():
        assert {f"{indicator} {getattr(entry, member)}" for entry in tables[name]} <= shown
    assert {"PTP 0", "PTP 1", "PTP 9", "MAI 1", "MAI 2", "MAI 3"} <= shown
    text = page_of(get(server, "/glossary")).text
    assert INDICATORS
    assert all(entry.words in text for entry in INDICATORS)


INTERNAL = re.compile(r"\b[a-z]+_[a-z_]+\b|\bmai\b|\brxnorm\b|vial_ml|\bfacility_na\b|: (True|False)\b")


@pytest.mark.parametrize("code", CODE_NUMBERS)
def test_no_page_has_words_of_the_program(server: str, code: str) -> None:
    assert INTERNAL.findall(page_of(get(server, f"/codes/{code}")).text) == []


def test_medical_necessity_has_a_heading_that_says_what_is_not_known(server: str) -> None:
    (section,) = [each for each in page("93352").sections if each.id == "necessity"]
    assert section.title == "Medical necessity"
    assert any("Not known here" in each.text for each in section.statements)
    assert 'id="necessity-title">Medical necessity' in get(server, "/codes/93352").text


def test_abbreviations_lead_to_the_glossary(server: str) -> None:
    text = get(server, "/codes/93352").text
    for term in ("mue", "mai", "rvu", "pc-tc", "mac"):
        assert f'href="/glossary#{term}"' in text


# --- modifiers ------------------------------------------------------------------------------------------------------


def test_the_list_has_every_modifier(server: str) -> None:
    listed = get(server, "/modifiers", **JSON).json()["modifiers"]
    assert [each["modifier"] for each in listed] == MODIFIER_NAMES
    text = page_of(get(server, "/modifiers")).text
    assert all(each["words"] in text for each in listed)


@pytest.mark.parametrize("name", MODIFIER_NAMES)
def test_a_modifiers_page_says_its_use_codes_rules_and_sources(server: str, name: str) -> None:
    content = get(server, f"/modifiers/{name.lower()}", **JSON).json()
    text = page_of(get(server, f"/modifiers/{name}")).text
    assert content["words"] in text
    assert content["codes"]
    assert all(code in text for code in (*content["codes"], *content.get("never", ())))
    assert set(content.get("rules", ())) <= {rule for rule in RULE_IDS if rule in text}
    assert content["statements"]
    for each in content["statements"]:
        assert each["text"] in text
        assert each["cited"]["source"] in text
    assert {True, False} == {each["right"] for each in content["examples"]}
    assert any(each["cited"]["confidence"] == "memory" for each in content["statements"]) <= ("from memory" in text)


@pytest.mark.parametrize(
    ("name", "codes", "never", "rules"),
    [
        ("26", {"93350", "93351"}, {"93352", "0439T"}, {"add-on-modifier"}),
        ("TC", {"93350", "93351"}, {"93352", "0439T"}, {"add-on-modifier"}),
        ("XE", {"93306", "96374"}, set(), {"pair-conflict"}),
        ("59", {"93306", "96374"}, set(), {"pair-conflict"}),
        ("76", {"93350", "93000"}, set(), set()),
        ("JW", {"Q9950", "Q9956", "Q9957"}, {"A9700"}, {"supply-waste-modifier"}),
        ("JZ", {"Q9950", "Q9956", "Q9957"}, {"A9700"}, {"supply-waste-modifier"}),
    ],
)
def test_codes_and_rules_of_a_modifier_come_from_the_tables(
    name: str, codes: set[str], never: set[str], rules: set[str]
) -> None:
    found = reference().modifier(name)
    assert found
    assert codes <= set(found.codes)
    assert never <= set(found.never)
    assert not set(found.codes) & set(found.never)
    assert rules <= set(found.rules)
    assert found.codes
    for code in found.codes:
        assert name in page(code).glance.modifiers
