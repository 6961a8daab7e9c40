"""Hospital outpatient codes and claims: codes that only a hospital reports, and the charges that are a hospital's."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from cds_service.core.case import Case, Line, Origin
from cds_service.core.site import Site
from cds_service.review.advisor import Advisor
from hooks.coding.hospital import (
    cpt_code_for,
    hospital_code_for,
    hospital_lines,
    is_hospital_code_of_practice,
    medicare_hospital_lines,
)
from hooks.coding.studies import studies
from tests.rules.test_cases import advise

DAY = date(2026, 3, 2)
TABLES: Any = SimpleNamespace(releases=("one",))
LOADED = Case(stage="claim", site=Site(scope="all"), tables=TABLES)


@pytest.mark.parametrize(
    ("code", "claim_type", "place", "echo_only", "every_code"),
    [
        ("C8930", "professional", None, True, True),
        ("C8930", "professional", "24", True, True),
        ("C8930", "institutional", None, False, False),
        ("C8930", "unknown", None, False, False),
        ("C9757", "professional", "11", False, True),
        ("C9757", "professional", None, False, True),
        ("C9757", "professional", "24", False, False),
        ("C9757", "institutional", None, False, False),
        ("93350", "professional", "11", False, False),
        ("Q9957", "professional", "11", False, False),
    ],
)
def test_a_c_code_is_of_no_practice_but_of_a_surgery_center(
    code: str, claim_type: Any, place: str | None, echo_only: bool, every_code: bool
) -> None:
    line = Line(origin=Origin("r", "r"), code=code, claim_type=claim_type, place_of_service=place, day=DAY)
    assert is_hospital_code_of_practice(line, Case(stage="claim")) is echo_only
    assert is_hospital_code_of_practice(line, LOADED) is every_code


@pytest.mark.parametrize(
    ("cpt", "hospital"),
    [("93350", "C8928"), ("93351", "C8930"), ("93306", "C8929"), ("93308", "C8924"), ("93352", None), ("99213", None)],
)
def test_codes_with_contrast_and_without(cpt: str, hospital: str | None) -> None:
    assert hospital_code_for(cpt, DAY) == hospital
    assert hospital is None or cpt_code_for(hospital, DAY) == cpt
    assert cpt_code_for(cpt, DAY) is None


def test_the_hospital_s_code_has_a_first_day() -> None:
    first = date(2009, 1, 1)
    assert (hospital_code_for("93351", first), cpt_code_for("C8930", first)) == ("C8930", "93351")
    assert (hospital_code_for("93351", date(2008, 12, 31)), cpt_code_for("C8930", date(2008, 12, 31))) == (None, None)


# The lines of the study that are a hospital's, and those that are billed to Medicare by its rules.
HOSPITAL: dict[str, tuple[dict[str, Any], list[str], bool]] = {
    "a hospital's claim to Medicare": (
        {"institutional": "93350, Q9957", "payer": "Medicare"},
        ["93350", "Q9957"],
        True,
    ),
    "a hospital's claim to another payer": ({"institutional": "93350", "payer": "Aetna"}, ["93350"], False),
    "a hospital's claim to nobody known": ({"institutional": "93350"}, ["93350"], False),
    "a critical access hospital": (
        {"institutional": "93350", "payer": "Medicare", "bill": "0851"},
        ["93350"],
        False,
    ),
    "charges": ({"lines": "93350", "payer": "Medicare"}, [], False),
    "charges with a hospital's code": ({"lines": "C8928, Q9957", "payer": "Medicare"}, ["C8928", "Q9957"], True),
    "charges with a professional share among them": ({"lines": "C8928, 93350-26", "payer": "Medicare"}, [], False),
    "a practice's claim": ({"professional": "93350", "payer": "Medicare"}, [], False),
    "a hospital's claim beside a practice's": (
        {"institutional": "93350", "professional": "93350-26", "place": 22, "payer": "Medicare"},
        ["93350"],
        True,
    ),
    "a professional share on the hospital's claim": (
        {"institutional": "93350, 93350-26", "payer": "Medicare"},
        [],
        False,
    ),
}


@pytest.mark.parametrize(("case", "lines", "is_medicare"), HOSPITAL.values(), ids=HOSPITAL)
def test_the_lines_of_a_hospital(advisor: Advisor, case: dict[str, Any], lines: list[str], is_medicare: bool) -> None:
    read = advise(advisor, case).parsed.case
    (study,) = studies(read)
    assert [line.code for line in hospital_lines(study)] == lines
    assert [line.code for line in medicare_hospital_lines(study, read)] == (lines if is_medicare else [])
