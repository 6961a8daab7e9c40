"""The rule on diagnoses beside the contractors' articles: golden claims, each reason to abstain, what it never says."""

import csv
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.cms.layouts.article_rows import DIAGNOSIS
from cds_service.cms.lookup import Tables
from cds_service.core.rules import Finding, Undecided
from cds_service.core.site import MedicarePart
from cds_service.review.advisor import Advisor, Answer
from tests.rules.test_cases import SERVICES, findings, not_checked
from tests.support.mcd_articles import AT_CGS, CGS, FIRST_COAST, NGS, PALMETTO, load
from tests.support.mcd_files import ArticleText, Codes
from tests.support.notation import request_of, service_of

RULE = "diagnosis-not-listed"
DAY = "2026-10-05"


def at(advisor: Advisor, number: str | None, tables: Path | None = None, part: MedicarePart = "B") -> Advisor:
    """The service of a site with a contractor, with other tables."""
    site = replace(advisor.site, medicare={part: number} if number else {})
    return replace(advisor, site=site, tables=Tables(tables) if tables else advisor.tables)


def answer(advisor: Advisor, case: dict[str, Any]) -> Answer:
    return advisor.answer(SERVICES[service_of(case)], json.dumps(request_of(case)).encode())


def verdicts(advisor: Advisor, case: dict[str, Any]) -> tuple[list[Finding], list[Undecided]]:
    place = {} if "lines" in case else {"place": 11}
    found = answer(advisor, {"payer": "Medicare", "day": DAY} | place | case)
    return findings(found, RULE), not_checked(found, RULE)


def verdict(advisor: Advisor, case: dict[str, Any]) -> str:
    """`found`, `nothing`, or the reason to abstain."""
    found, undecided = verdicts(advisor, case)
    return "found" if found else undecided[0].reason if undecided else "nothing"


def tables_of(tmp_path: Path, *articles: ArticleText, edition: str = "2026-10-05") -> Path:
    load(tmp_path / "tables", "current_article", edition, *articles)
    return tmp_path / "tables"


# --- golden claims --------------------------------------------------------------------------------------------------

GOLDEN = [
    (NGS, "93351", "I10", "nothing"),
    (CGS, "93351", "I10", "found"),  # on another list of the article, that of 93308
    (FIRST_COAST, "93351", "I10", "found"),  # on another list of the article, that of 93015
    (NGS, "93351", "Z95.1", "found"),
    (CGS, "93351", "Z95.1", "found"),
    (FIRST_COAST, "93351", "Z95.1", "nothing"),
    (FIRST_COAST, "93350", "I43", "A56952 version 50 marks the diagnosis with an asterisk"),
    *((number, code, "I25.10", "nothing") for number in (NGS, CGS, FIRST_COAST) for code in ("93350", "93352")),
    (NGS, "C8930", "Z95.1", "found"),
    (FIRST_COAST, "C8930", "Z95.1", "nothing"),  # the article does not list the code
    (PALMETTO, "93351", "I10", "nothing"),  # the article lists the code without restricting it
    (PALMETTO, "0439T", "I10", "found"),
    (PALMETTO, "0439T", "Z95.1", "nothing"),
]


@pytest.mark.parametrize(("number", "code", "diagnosis", "expected"), GOLDEN)
def test_golden_claims(advisor: Advisor, number: str, code: str, diagnosis: str, expected: str) -> None:
    assert verdict(at(advisor, number), {"professional": f"{code} dx {diagnosis}"}).startswith(expected)


def _reconstructed() -> list[Any]:
    """The folder of true rows; without it, one skipped parameter."""
    if "CORPUS_DIR" not in os.environ:
        return [pytest.param(None, marks=pytest.mark.skip(reason="CORPUS_DIR names no folder with CMS's rows beside"))]
    return [pytest.param(Path(os.environ["CORPUS_DIR"]).parent / "cms" / "mcd" / "rows", id="rows")]


def _true_articles(rows: Path) -> Iterable[ArticleText]:
    """The three complete lists and that of contrast perfusion; dates are not among the rows."""
    macs = {"56781": NGS, "56952": FIRST_COAST, "57306": CGS, "58503": PALMETTO}
    listed: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    covered: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, column, found in (
        ("article_x_hcpc_code", "hcpc_code", listed),
        ("article_x_icd10_covered", "icd10_code", covered),
    ):
        with (rows / f"{name}.reconstructed.csv").open(newline="") as text:
            for row in csv.DictReader(text):
                group = row["hcpc_code_group" if found is listed else "icd10_covered_group"]
                found[row["article_id"]][int(group)].append(row[f"{column}_id"])
    with (rows / "group_scope.csv").open(newline="") as text:
        scopes = {
            (row["article_id"], int(row["icd10_covered_group"])): row["scope_codes_named_by_the_paragraph"]
            for row in csv.DictReader(text)
        }
    for article, number in macs.items():
        yield ArticleText(
            id=int(article),
            macs=f"B {number}",
            lists={group: " ".join(codes) for group, codes in listed[article].items()},
            groups={
                group: Codes(paragraph=f"Applicable to {scopes[article, group]}", codes=" ".join(codes))
                for group, codes in covered[article].items()
            },
        )


@pytest.mark.parametrize("rows", _reconstructed())
def test_golden_claims_by_the_complete_lists(advisor: Advisor, tmp_path: Path, rows: Path) -> None:
    """Of the rows, the asterisks are not known."""
    tables = tables_of(tmp_path, *_true_articles(rows))
    known = [each for each in GOLDEN if "asterisk" not in each[3]]
    assert known
    for number, code, diagnosis, expected in known:
        found = verdict(at(advisor, number, tables), {"professional": f"{code} dx {diagnosis}"})
        assert found == expected, (number, code, diagnosis)
    split = {"professional": "93351 dx I42.00"}  # CGS lists I42.0, of the year before
    assert verdict(at(advisor, NGS, tables), split) == "nothing"
    assert "above or below" in verdict(at(advisor, CGS, tables), split)


def test_only_codes_of_stress_echo_and_contrast_are_compared(advisor: Advisor) -> None:
    beside = "93351 dx I25.10, 93308 dx Z95.1"  # the article lists no Z95.1 for 93308
    assert verdict(at(advisor, CGS), {"professional": beside}) == "nothing"
    ordered = [f"{each} dx I25.10" for each in ("93351", "93352")]
    assert verdict(at(advisor, CGS), {"hook": "order", "ordered": [*ordered, "93308 dx Z95.1"]}) == "nothing"


def test_an_order_that_is_not_selected_is_not_compared(advisor: Advisor) -> None:
    case = {"hook": "order", "ordered": ["93350 as A dx I25.10", "93351 as B dx I10"], "payer": "Medicare", "day": DAY}
    request = request_of(case)
    for selection, expected in (("ServiceRequest/A", []), ("ServiceRequest/B", ["93351"])):
        context = request["context"] | {"selections": [selection]}
        body = json.dumps(request | {"hook": "order-select", "context": context}).encode()
        found = at(advisor, CGS).answer(SERVICES["contrast-echo-order-select"], body)
        assert [each.summary.partition(":")[0] for each in findings(found, RULE)] == expected


# --- reasons to abstain ---------------------------------------------------------------------------------------------

CHARGED = {"professional": "93351 dx I10"}


@pytest.mark.parametrize(
    ("number", "case", "reason"),
    [
        (CGS, CHARGED | {"payer": "Humana Medicare Advantage"}, "the payer is not known"),
        (None, CHARGED, "the site's file names no Medicare contractor (`medicare`)"),
        (CGS, {"institutional": "93351 dx I10"}, "the site's file names no Medicare contractor for Part A"),
        ("99999", CHARGED, "no MAC for Part B with the number 99999 has an article"),
        (CGS, CHARGED | {"day": "2026-10-13"}, "the newest loaded copy, of 2026-09-28, is older than 14 days"),
        (CGS, CHARGED | {"day": "2025-09-30"}, "the version in force on 2025-09-30 is not among the loaded copies"),
        (CGS, {"professional": "93351"}, "93351: no diagnosis is stated"),
        (CGS, {"professional": "93351 dx R94.31"}, "marks the diagnosis with an asterisk"),
        (CGS, {"professional": "93351 dx I42.00"}, "lists a code above or below"),
    ],
)
def test_abstains_with_its_reason(advisor: Advisor, number: str | None, case: dict[str, Any], reason: str) -> None:
    assert reason in verdict(at(advisor, number), case)


def test_where_no_diagnosis_is_stated_on_a_claim_it_is_asked_for(advisor: Advisor) -> None:
    _, (undecided,) = verdicts(at(advisor, CGS), {"professional": "93351"})
    assert undecided.question
    assert undecided.question.text == "What are the diagnoses?"


def test_without_loaded_articles_nothing_is_decided(advisor: Advisor) -> None:
    without = replace(at(advisor, CGS), tables=Tables(None))
    assert verdict(without, CHARGED) == "Medicare articles (MCD): no copy is loaded"


@pytest.mark.parametrize(
    "paragraph",
    [
        "Applicable to 93351 except in an office",
        "For 93351, a secondary diagnosis is required",
        "Applicable to 93351 only",
        "J1250 is not subject to the list of 93351",
        "All of these support the service",
        "",
    ],
)
def test_prose_is_not_decided(advisor: Advisor, tmp_path: Path, paragraph: str) -> None:
    groups = {**AT_CGS.groups, 9: Codes(paragraph=paragraph, codes="Z00.00")}
    tables = tables_of(tmp_path, replace(AT_CGS, groups=groups, first="2026-10-01"))
    assert verdict(at(advisor, CGS, tables), CHARGED) == (
        "A57306 version 43 has conditions in prose for 93351: read the article"
    )


def test_prose_about_other_codes_does_not_matter(advisor: Advisor, tmp_path: Path) -> None:
    groups = {**AT_CGS.groups, 9: Codes(paragraph="For 93306: a secondary diagnosis is required", codes="I10")}
    tables = tables_of(tmp_path, replace(AT_CGS, groups=groups, first="2026-10-01"))
    assert verdict(at(advisor, CGS, tables), CHARGED) == "found"


def test_two_articles_speak_together(advisor: Advisor, tmp_path: Path) -> None:
    second = replace(AT_CGS, id=50001, groups={1: Codes(paragraph="93351", codes="I10")}, first="2026-10-01")
    tables = tables_of(tmp_path, replace(AT_CGS, first="2026-10-01"), second)
    assert verdict(at(advisor, CGS, tables), CHARGED) == "nothing", "one of them lists the diagnosis"
    (found,), _ = verdicts(at(advisor, CGS, tables), {"professional": "93351 dx Z95.1"})
    assert found.summary.startswith("93351: no diagnosis is on the list of A50001 and A57306;")


@pytest.mark.parametrize(
    ("first", "known_since", "expected"),
    [
        ("2026-10-01", "", "found"),  # of the year of the day
        ("2026-09-30", "", "may be older than the code of a diagnosis"),
        ("2026-09-30", "2026-10-01", "may be older than the code of a diagnosis"),
        ("2026-09-30", "2026-09-30", "found"),  # another article listed the code before
        ("2020-10-01", "2019-10-01", "found"),
    ],
)
def test_an_article_older_than_the_code_of_a_diagnosis_is_not_decided(
    advisor: Advisor, tmp_path: Path, first: str, known_since: str, expected: str
) -> None:
    groups = {4: AT_CGS.groups[4]}
    other = replace(AT_CGS, id=50001, lists={}, first=known_since, groups={1: Codes(paragraph="", codes="I10")})
    articles = [replace(AT_CGS, groups=groups, first=first), *([other] if known_since else [])]
    assert expected in verdict(at(advisor, CGS, tables_of(tmp_path, *articles)), CHARGED)


@pytest.mark.parametrize(
    ("first", "expected"), [("2025-10-01", "found"), ("2025-09-30", "may be older than the code of a diagnosis")]
)
def test_in_spring_the_codes_are_those_of_last_october(
    advisor: Advisor, tmp_path: Path, first: str, expected: str
) -> None:
    article = replace(AT_CGS, groups={4: AT_CGS.groups[4]}, first=first)
    in_spring = CHARGED | {"day": "2026-05-04"}
    assert expected in verdict(at(advisor, CGS, tables_of(tmp_path, article)), in_spring)


def test_an_unknown_claim_type_is_decided_if_both_parts_agree(advisor: Advisor, tmp_path: Path) -> None:
    groups = {4: Codes(paragraph="93351", codes="I10")}
    tables = tables_of(
        tmp_path,
        replace(AT_CGS, first="2026-10-01"),
        replace(AT_CGS, id=50001, macs="A 09101", groups=groups, first="2026-10-01"),
    )
    both: dict[MedicarePart, str] = {"A": "09101", "B": CGS}
    case = {"hook": "order", "ordered": ["93351 dx I10"]}
    service = at(advisor, CGS, tables)
    assert verdict(service, case) == "found"
    assert verdict(replace(service, site=replace(service.site, medicare=both)), case) == "nothing"


@pytest.mark.parametrize(("line", "part"), [("93351-26", "B"), ("C8930", "A")])
def test_a_charge_that_tells_its_claim_type_is_compared_with_that_part(advisor: Advisor, line: str, part: str) -> None:
    numbers: dict[MedicarePart, str] = {"A": "15101", "B": CGS}
    for named, number in numbers.items():
        expected = "found" if named == part else f"the site's file names no Medicare contractor for Part {part}"
        assert verdict(at(advisor, number, part=named), {"lines": f"{line} dx I10"}) == expected


@pytest.mark.parametrize(
    "stated",
    [
        {"coding": [{"system": "http://snomed.info/sct", "code": "53741008"}]},
        {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I20.0"}]},
        {"coding": [{"code": "I20.0"}]},
        {"text": "unstable angina"},
        {},
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["line", "claim"])
def test_a_diagnosis_that_is_not_understood_may_be_on_the_list(
    advisor: Advisor, place: str, stated: dict[str, Any]
) -> None:
    case = {"professional": "93351 dx I10", "place": 11, "payer": "Medicare", "day": DAY, "diagnoses": ["Z95.1"]}
    request = request_of(case)
    claim = request["context"]["draftCharges"]["entry"][0]["resource"]
    claim["diagnosis"][0 if place == "line" else 1]["diagnosisCodeableConcept"] = stated
    found = advisor.answer(SERVICES["contrast-echo-claim-review"], json.dumps(request).encode())
    assert findings(found, RULE) == []
    (undecided,) = not_checked(found, RULE)
    assert undecided.why == "not-understood"
    assert undecided.reason.startswith("Claim/claim-professional item 1 ")
    assert undecided.reason.endswith("it may be any diagnosis")
    assert "unstable" not in undecided.reason


@pytest.mark.parametrize("kind", ["done", "ordered"])
def test_a_reason_of_a_linked_record_that_is_not_understood_may_be_on_the_list(advisor: Advisor, kind: str) -> None:
    """Whatever the record is of: here, of a code that only the site knows."""
    request = request_of(
        {"lines": "93351 for P1", kind: ["93351 as P1 dx I10"], "payer": "Medicare", "day": DAY}
        | ({"done": []} if kind == "ordered" else {})
    )
    (entry,) = request["prefetch"]["procedures"]["entry"]
    charge = request["context"]["draftCharges"]["entry"][0]["resource"]
    charge["service"] = [{"reference": f"{entry['resource']['resourceType']}/P1"}]
    service = SERVICES["contrast-echo-claim-review"]
    assert findings(advisor.answer(service, json.dumps(request).encode()), RULE)
    entry["resource"]["reasonCode"] = [{"text": "angina"}]
    entry["resource"]["code"] = {"coding": [{"system": "https://ehr.example.org/codes", "code": "7"}]}
    found = advisor.answer(service, json.dumps(request).encode())
    assert findings(found, RULE) == []
    assert "has a text and no code: it may be any diagnosis" in not_checked(found, RULE)[0].reason


def test_an_order_whose_reason_was_not_sent_is_not_decided(advisor: Advisor) -> None:
    request = request_of({"hook": "order", "ordered": ["93351 dx I10"], "payer": "Medicare", "day": DAY})
    order = request["context"]["draftOrders"]["entry"][0]["resource"]
    order["reasonReference"] = [{"reference": "Condition/none"}]
    found = advisor.answer(SERVICES["contrast-echo-order-sign"], json.dumps(request).encode())
    assert findings(found, RULE) == []
    assert "refers to Condition/none, which was not sent" in not_checked(found, RULE)[0].reason


# --- what it says ---------------------------------------------------------------------------------------------------


def test_a_finding_names_article_version_day_and_file_and_changes_nothing(advisor: Advisor) -> None:
    found = answer(advisor, {"place": 11, "payer": "Medicare", "day": DAY} | CHARGED)
    (finding,) = findings(found, RULE)
    (card,) = [each for each in found.response.cards if each.source.topic and each.source.topic.code == RULE]
    assert finding.fixes == ()
    assert card.suggestions is None
    assert card.indicator == "info"
    assert card.summary == "93351: no diagnosis is on the list of A57306; read the article and the record."
    assert finding.notes == (
        "A57306 version 44, in force since 2026-10-01, by current_article.zip of 2026-09-28.",
        "Listing is not coverage, and not listed is not a denial: read the article and the record.",
    )


_MADE = [
    "I10",
    "I20.0",
    "I25.10",
    "I34.0",
    "I42.0",
    "I42.00",
    "I43",
    "I49.4",
    "R07.9",
    "R94.31",
    "Z95.1",
    "Z00.00",
    "B99.9",
]
_IN_TEXT = re.compile(rf"(?<![0-9A-Za-z.])(?:{DIAGNOSIS.pattern})(?![0-9A-Za-z])")


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    form=st.sampled_from(["professional", "institutional", "lines", "ordered"]),
    lines=st.lists(
        st.tuples(
            st.sampled_from(["93350", "93351", "93352", "C8928", "C8930", "0439T", "93306"]),
            st.lists(st.sampled_from(_MADE), max_size=3, unique=True),
        ),
        min_size=1,
        max_size=3,
    ),
    others=st.lists(st.sampled_from(_MADE), max_size=2, unique=True),
    number=st.sampled_from([CGS, NGS, FIRST_COAST, PALMETTO, None]),
    common=st.fixed_dictionaries(
        {
            "payer": st.sampled_from(["Medicare", "Aetna", "Humana Medicare Advantage"]),
            "day": st.sampled_from(["2025-09-30", "2026-03-02", "2026-10-05", "2026-12-01"]),
        }
    ),
)
def test_no_text_names_a_diagnosis_that_is_not_on_the_claim_or_calls_it_covered(
    advisor: Advisor, form: str, lines: Any, others: list[str], number: str | None, common: dict[str, Any]
) -> None:
    written = [code + (f" dx {'+'.join(stated)}" if stated else "") for code, stated in lines]
    case = common | {"diagnoses": others} | ({} if form == "lines" else {"place": 11})
    case |= {"hook": "order", form: written} if form == "ordered" else {form: ", ".join(written)}
    found = answer(at(advisor, number), case)
    texts = [f"{each.reason} {[seen.seen for seen in each.evidence]}" for each in not_checked(found, RULE)]
    cards = [card for card in found.response.cards if card.source.topic and card.source.topic.code == RULE]
    assert {bool(card.suggestions) for card in cards} <= {False}
    text = "\n".join([*texts, *(f"{card.summary}\n{card.detail}" for card in cards)])
    stated = {code for _, codes in lines for code in codes} | {*others}
    assert set(_IN_TEXT.findall(text)) <= stated
    assert not re.search(r"\bcovered\b|medically necessary|approv", text, re.IGNORECASE)


def test_the_pattern_of_a_diagnosis_sees_those_in_a_text() -> None:
    """So that the property above can fail."""
    text = "93351 is charged with I10, Z95.1; A57306 lists I49.81."
    assert _IN_TEXT.findall(text) == ["I10", "Z95.1", "I49.81"]
