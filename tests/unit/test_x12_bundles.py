"""837 files are judged as the Bundles of the same cases are: the claims of the rules' cases, and published files."""

import json
import os
import re
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies
from msgspec import structs

from cds_service.intake.x12.file_loops import SetAside
from cds_service.review.advisor import Advisor
from cds_service.review.claim_files import ReviewedClaim, review_claims
from cds_service.review.report import Report, report_of
from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from tests.http.test_review import as_bundle
from tests.support import yaml_files
from tests.support.edi import EdiClaim, EdiLine, edi, line
from tests.support.notation import request_of
from tests.support.running import ROOT

KINDS = ("professional", "institutional")
CLAIM_KEYS = {*KINDS, "place", "payer", "day", "bill", "diagnoses"}
# SBR09 by the payers of the cases; the names of all others state no program, and so does their code, CI.
FILING = {"Medicare": "MB", "SOPT 121": "MB", "SOPT 1": "MB", "SOPT 111": "16", "SOPT 5": "CI"}
NPI = {"one": "1000000001", "two": "1000000002"}


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """The claims of the rules' cases, each alone and without the record."""
    for path in sorted((ROOT / "tests" / "rules").glob("*.yaml")):
        for side, every in yaml_files.read(path).items():
            for case in every if isinstance(every, list) else ():
                for kind in KINDS:
                    if kind in case and case.get("hook") != "order":
                        alone = {key: value for key, value in case.items() if key in CLAIM_KEYS - {*KINDS}}
                        if kind == "institutional":
                            alone.setdefault("bill", "0131")  # an 837I has one always
                        yield f"{path.stem}: {side}: {case['what']}: {kind}", alone | {kind: case[kind]}


def written(case: dict[str, Any]) -> EdiClaim | None:
    """The claim of a case as an 837 would have it; None where a word of the notation has no segment."""
    (kind,) = [each for each in KINDS if each in case]
    bill = str(case.get("bill", "0131")).zfill(4)
    diagnoses = [str(each).replace(".", "") for each in case.get("diagnoses", ())]
    found = [_line(text.strip(), str(case.get("day", "2026-03-02")), diagnoses) for text in str(case[kind]).split(",")]
    payer = str(case.get("payer", ""))
    if None in found or (payer and payer not in FILING and payer.startswith("SOPT")):
        return None
    return EdiClaim(
        kind=kind,
        lines=tuple(each for each in found if each),
        facility=str(case.get("place", "")) if kind == "professional" else bill[1:3],
        frequency=bill[3] if kind == "institutional" else "1",
        diagnoses=diagnoses,
        filing=FILING.get(payer, ""),
        payer=payer or "",
    )


def _line(text: str, day: str, diagnoses: list[str]) -> EdiLine | None:
    """A line with the words behind it that an 837 can hold; None for others."""
    head, *words = text.split()
    named = dict(zip(words[::2], words[1::2], strict=False))
    if len(words) % 2 or not set(named) <= {"on", "by", "ndc", "dx"}:
        return None
    mine = [each.replace(".", "") for each in named["dx"].split("+")] if "dx" in named else []
    diagnoses += [each for each in mine if each not in diagnoses]
    day = named.get("on", day)
    made = line(head)
    return EdiLine(
        made.code,
        made.units if "x" in head else "",
        made.modifiers,
        day=day.replace("-", "") if re.fullmatch(r"\d{4}-\d{2}-\d{2}", day) else "",
        pointers=[diagnoses.index(each) + 1 for each in mine],
        products=[(named["ndc"],)] if "ndc" in named else [],
        rendering=NPI.setdefault(named["by"], f"{1000000003 + len(NPI)}") if "by" in named else "",
    )


CASES = dict(cases())
WRITTEN = {name: claim for name, case in CASES.items() if (claim := written(case))}


def test_most_of_the_cases_can_be_written_as_a_file_of_claims() -> None:
    assert len(WRITTEN) > 200
    assert len(WRITTEN) > 0.9 * len(CASES)


def reviewed(advisor: Advisor, content: bytes) -> list[ReviewedClaim]:
    every = list(review_claims(advisor, partial(BytesIO, content)))
    assert every
    assert [each for each in every if isinstance(each, SetAside)] == []
    return [each for each in every if isinstance(each, ReviewedClaim)]


def judged(report: Report) -> Any:
    """A report without the places and the names of resources."""

    def plain(text: str) -> str:
        text = re.sub(r"(Claim|Coverage|Practitioner)/[A-Za-z0-9.-]+", r"\1/X", text)
        # A Bundle may lack the coverage; a claim of an 837 has one that may lack the payer's name.
        text = re.sub(r".*Coverage/X.*: it may be", "Coverage/X: it may be", text)
        return re.sub(
            r"(?:Coverage/X|a coverage) (?:was not sent|states neither a type of plan nor a payor's name)",
            "Coverage/X",
            text,
        )

    findings = [
        (
            each.rule,
            each.indicator,
            plain(each.summary),
            plain(each.detail),
            each.day,
            tuple((seen.seen, plain(seen.reference)) for seen in each.evidence),
            tuple((fix.label, fix.recommended, fix.changes) for fix in each.fixes),
        )
        for each in report.findings
    ]
    not_checked = [(each.rule, each.why, plain(each.reason)) for each in report.not_checked]
    messages = [plain(each.message) for each in report.warnings]
    return sorted(findings), sorted(not_checked), sorted(each.rule for each in report.passed), messages, report.empty


@pytest.mark.repeats(5)
@pytest.mark.parametrize("name", WRITTEN)
def test_a_claim_is_judged_as_its_bundle_is(name: str, plain_advisor: Advisor) -> None:
    (found,) = reviewed(plain_advisor, edi(WRITTEN[name]))
    bundle = json.dumps(as_bundle(request_of(CASES[name]))).encode()
    assert judged(found.report) == judged(report_of(plain_advisor.review_bundle(bundle, "claim")))


# --- the published and the made files ---------------------------------------------------------------------------------

FOLDER = Path(os.environ.get("CORPUS_DIR", "/nonexistent")).parent / "x12"

# What each file comes to as a coder would write it; of claims without an echo, nothing can be checked.
PUBLISHED: dict[str, dict[str, Any]] = {
    "made-837P-stress-echo.edi": {
        "professional": "93351 dx R07.89, Q9957x2 dx R07.89 ndc 11994-011-04",
        "place": "11",
        "payer": "Medicare",
    },
    "made-837I-stress-echo.edi": {
        "institutional": "93350, Q9957x2 ndc 11994-011-04",
        "diagnoses": ["R07.89"],
        "bill": "0131",
        "payer": "Medicare",
    },
    "linuxforhealth-837P-drug-example10.1.edi": {"professional": "90782, J1550", "place": "11", "payer": "SOPT 5"},
    "linuxforhealth-837I-institutional-claim.837i": {
        "institutional": "85025, 93005x3",
        "bill": "0141",
        "payer": "Medicare",
        "day": "1996-09-11",
    },
    "linuxforhealth-837I-out-of-network-repriced-claim.837i": {
        "institutional": "82270",
        "bill": "0131",
        "payer": "SOPT 5",
    },
}


@pytest.mark.skipif(not FOLDER.is_dir(), reason="CORPUS_DIR has no sibling x12")
def test_published_and_made_files_are_judged_as_their_bundles_are(plain_advisor: Advisor) -> None:
    files = {path.name: path for path in FOLDER.iterdir() if path.suffix != ".md"}
    assert files.keys() == PUBLISHED.keys()
    for name, case in PUBLISHED.items():
        (found,) = reviewed(plain_advisor, files[name].read_bytes())
        assert bool(found.report.warnings) == ("repriced" in name), "ISA16 declares another separator than it uses"
        bundle = json.dumps(as_bundle(request_of(case))).encode()
        told = judged(structs.replace(found.report, warnings=()))
        assert told == judged(report_of(plain_advisor.review_bundle(bundle, "claim"))), name


# --- claims of no echo ------------------------------------------------------------------------------------------------

CODES = ("99213", "93000", "93351", "93352", "Q9957x2", "Q9957x2-JZ", "36415", "85025-59", "93306", "C8928", "99999")
DRAWN = strategies.lists(
    strategies.builds(
        EdiClaim,
        number=strategies.sampled_from(["A", "B"]),
        lines=strategies.lists(
            strategies.builds(
                lambda text, unit, day, drug: line(text, unit=unit, day=day, products=drug),
                strategies.sampled_from(CODES),
                strategies.sampled_from(["UN", "UN", "UN", "MJ"]),
                strategies.sampled_from(["20260302", "20260302", ""]),
                strategies.sampled_from([(), (), (("11994001104", "1.5"),)]),
            ),
            min_size=1,
            max_size=3,
        ).map(tuple),
        facility=strategies.sampled_from(["11", "22"]),
        filing=strategies.sampled_from(["MB", "CI", ""]),
        payer=strategies.sampled_from(["MEDICARE", "AETNA", ""]),
        total=strategies.sampled_from([None, "1"]),
    ),
    min_size=2,
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(DRAWN)
def test_claims_known_to_be_of_no_echo_are_judged_as_each_alone_is(every: list[EdiClaim]) -> None:
    advisor = create_advisor(Settings())
    together = reviewed(advisor, edi(*every))
    alone = [reviewed(advisor, edi(each))[0] for each in every]
    assert [judged(each.report) for each in together] == [judged(each.report) for each in alone]


def test_most_claims_of_no_echo_are_known(plain_advisor: Advisor) -> None:
    office = [EdiClaim(f"C{number}", (line("99213"), line("85025")), member=f"M{number}") for number in range(9)]
    found = reviewed(plain_advisor, edi(*office))
    assert [each.answer is None for each in found] == [False] + [True] * 8
    assert all(each.report.empty for each in found)
    assert [each.report.claim for each in found] == [each.number for each in office]
