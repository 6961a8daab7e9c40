"""Modifiers under another code system than that of billing codes: the row of a table is no modifier."""

import pytest

from cds_service.fhir import resources as r
from cds_service.fhir.elements import modifiers_of, unclear_modifiers_of

LOCAL = "urn:oid:1.2.3"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"


def modifier(*codings: tuple[str | None, str, str | None]) -> r.CodeableConcept:
    return r.CodeableConcept(
        coding=tuple(r.Coding(system=system, code=code, display=display) for system, code, display in codings)
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (modifier((LOCAL, "JZ", "Zero drug amount discarded")), ("JZ",)),
        (modifier((LOCAL, "JZ", None)), ("JZ",)),
        (modifier((LOCAL, "26", "26 PROFESSIONAL COMPONENT")), ("26",)),
        (modifier(("https://ehr.example.org/modifiers", "26", "Professional component")), ("26",)),
        (modifier((None, "26", None)), ("26",)),
        (modifier((HCPCS, "26", "Professional component")), ("26",)),
        (modifier((LOCAL, "17", "JZ ZERO DRUG"), (HCPCS, "JZ", None)), ("JZ",)),
    ],
    ids=str,
)
def test_a_modifier_of_any_system_is_understood(written: r.CodeableConcept, expected: tuple[str, ...]) -> None:
    assert modifiers_of([written]) == expected
    assert not unclear_modifiers_of([written])


@pytest.mark.parametrize(
    "written",
    [
        modifier((LOCAL, "17", "JZ ZERO DRUG")),
        modifier((LOCAL, "AB", "JZ ZERO DRUG")),
        modifier((LOCAL, "26", "Zero drug amount discarded")),
        modifier((LOCAL, "26", None)),
        modifier((LOCAL, "1017", "JZ ZERO DRUG")),
    ],
    ids=str,
)
def test_the_row_of_a_table_is_not(written: r.CodeableConcept) -> None:
    assert not modifiers_of([written])
    assert unclear_modifiers_of([written])
