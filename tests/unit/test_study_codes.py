"""The kind of a study and how surely it is named: by a code with its code system, or by one without."""

import pytest

from cds_service.core.case import Administration, Line, Order, Origin, Procedure, Record
from cds_service.core.concepts import BILLING, NO_SYSTEM, SNOMED, Code, Concept
from hooks.coding.study_codes import is_certain, is_hospital_code, names_contrast, study_kind

HERE = Origin("record", "record")
ECHO, BARE, LOCAL = Code(BILLING, "93350"), Code(NO_SYSTEM, "93350"), Code("urn:local", "777")
WITH_CONTRAST = Code(SNOMED, "433231002")


def line(code: str, *, certain: bool = True) -> Line:
    return Line(origin=HERE, code=code, certain=certain)


def done(*codes: Code) -> Procedure:
    return Procedure(origin=HERE, status="done", concept=Concept(codes))


def ordered(*codes: Code) -> Order:
    return Order(origin=HERE, kind="service", concept=Concept(codes))


def given(*codes: Code) -> Administration:
    return Administration(origin=HERE, status="given", concept=Concept(codes))


CERTAIN: dict[str, tuple[Record, bool]] = {
    "a charge": (line("93350"), True),
    "a charge without a code system": (line("93350", certain=False), False),
    "a procedure": (done(ECHO), True),
    "a procedure by a local code too": (done(LOCAL, ECHO), True),
    "a procedure without a code system": (done(BARE), False),
    "a procedure without a code system, and by a local code": (done(BARE, LOCAL), False),
    "an order": (ordered(ECHO), True),
    "an order without a code system": (ordered(BARE), False),
    "an order without a code system, and by a local code": (ordered(LOCAL, BARE), False),
    "an administration": (given(ECHO), False),
}


@pytest.mark.parametrize(("record", "expected"), CERTAIN.values(), ids=CERTAIN)
def test_a_study_is_certain_by_a_code_of_a_system(record: Record, expected: bool) -> None:
    assert is_certain(record) is expected


@pytest.mark.parametrize(
    ("record", "kind", "contrast"),
    [
        (line("93350"), "stress", False), (line("93306"), "rest", False), (line("C8930"), "stress", True),
        (line("93352"), None, True), (line("99213"), None, False), (done(BARE), "stress", False),
        (done(WITH_CONTRAST, ECHO), "stress", True), (done(LOCAL), None, False), (ordered(ECHO), "stress", False),
    ],
    ids=str,
)  # fmt: skip
def test_the_kind_of_a_study(record: Record, kind: str | None, contrast: bool) -> None:
    assert (study_kind(record), bool(names_contrast(record))) == (kind, contrast)


def test_hospital_codes() -> None:
    assert is_hospital_code("C8928")
    assert is_hospital_code(line("C8929"))
    assert not is_hospital_code("93350")
    assert not is_hospital_code(line("99213"))
