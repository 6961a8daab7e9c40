"""Claims of 837 files in detail: ids, versions, providers, payers, units, diagnoses and patients."""

import re
from decimal import Decimal
from functools import partial
from io import BytesIO
from typing import Any

import pytest

from cds_service.intake.x12.bundle import claim_id, first_day, named_resources, places_of
from cds_service.intake.x12.file_loops import SetAside, read_claims, survey
from tests.support.edi import (
    EdiClaim,
    EdiLine,
    Segments,
    changed,
    edi,
    group,
    interchange,
    line,
    lines,
    recounted,
    transaction,
)
from tests.unit.test_x12_claims import claim_of, claims_of, code_in, fhir, resources

STRESS = lines("93351, Q9957x2-JZ")


def with_segments(claim: EdiClaim, *added: list[str], before: str) -> bytes:
    """A file of one claim with segments before the first of an id."""

    def change(segments: Segments) -> None:
        at = next(number for number, each in enumerate(segments) if each[0] == before)
        segments[at:at] = [[*each] for each in added]
        recounted(segments)

    return changed(edi(claim), change)


def aside(content: bytes) -> list[str]:
    open_file = partial(BytesIO, content)
    return [each.reason for each in read_claims(open_file, survey(open_file)) if isinstance(each, SetAside)]


# --- ids and versions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("ECHO.1-a", "ECHO.1-a-P-20260302"),
        ("X" * 38, f"{'X' * 38}-P-20260302"),
        ("X" * 39, f"{'X' * 28}.[0-9a-f]{{8}}-P-20260302"),
        ("A B", r"A-B\.[0-9a-f]{8}-P-20260302"),
        ("A_B", r"A-B\.[0-9a-f]{8}-P-20260302"),
    ],
)
def test_the_id_of_a_claim_is_its_number_kind_and_first_day(number: str, expected: str) -> None:
    assert re.fullmatch(expected, claim_id(claim_of(EdiClaim(number, STRESS))))


def test_the_first_day_is_that_of_the_lines_else_of_the_claim() -> None:
    days = (line("93350", day="20260305"), line("93352", day="20260303"), line("Q9957", day=""))
    assert first_day(claim_of(EdiClaim(lines=days))) == "2026-03-03"
    undated = EdiClaim(
        "A", (line("93350", day=""),), kind="institutional", facility="13", statement="20260401-20260402"
    )
    assert first_day(claim_of(undated)) == "2026-04-01"
    assert claim_id(claim_of(undated)) == "A-I-20260401"
    assert claim_id(claim_of(EdiClaim("A", (line("93350", day=""),)))) == "A-P"
    assert first_day(claim_of(EdiClaim("A", (line("93350", day=""),)))) == ""


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("1000", "2026-03-10T10:00:00.000018Z"),
        ("100059", "2026-03-10T10:00:59.000018Z"),
        ("10005912", "2026-03-10T10:00:59.000018Z"),
        ("", "2026-03-10T00:00:00.000018Z"),
        ("100", None),
        ("10:00", None),
        ("100059123", None),
    ],
)
def test_the_moment_of_a_transaction_set_is_the_version(moment: str, expected: str | None) -> None:
    content = interchange(group(transaction([EdiClaim(lines=STRESS)], time=moment))).encode()
    (claim,) = claims_of(content)
    (found,) = resources(claim)["Claim"]
    assert found.get("meta", {}).get("lastUpdated") == expected
    assert found.get("created") == ("2026-03-10" if expected else None)


# --- providers --------------------------------------------------------------------------------------------------------


def named(segment: list[str]) -> list[dict[str, Any]]:
    """The billing provider that an NM1*85 names."""

    def change(segments: Segments) -> None:
        at = next(number for number, each in enumerate(segments) if each[:2] == ["NM1", "85"])
        segments[at] = segment

    (claim,) = claims_of(changed(edi(EdiClaim(lines=STRESS)), change))
    (found,) = resources(claim)["Claim"]
    return [found["provider"], *named_resources(claim)]


def test_a_provider_is_a_person_or_an_organization_by_its_npi() -> None:
    npi = ["", "", "", "XX", "1000000001"]
    person, resource = named(["NM1", "85", "1", "READER", "ANN", *npi])
    assert person["reference"] == "Practitioner/1000000001"
    assert resource == {"resourceType": "Practitioner", "id": "1000000001", "name": [{"text": "ANN READER"}]}
    assert named(["NM1", "85", "1", "READER", "", *npi])[1]["name"] == [{"text": "READER"}]
    clinic, resource = named(["NM1", "85", "2", "A CLINIC", "ANN", *npi])
    assert clinic["identifier"] == {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1000000001"}
    assert resource == {"resourceType": "Organization", "id": "1000000001", "name": "A CLINIC"}
    assert len(named(["NM1", "85", "2", "", "", *npi])) == 1, "without a name there is nothing to show"
    (other,) = named(["NM1", "85", "2", "A CLINIC", "", "", "", "", "24", "123456789"])
    assert other == {"identifier": {"system": "urn:x12:name", "value": "A CLINIC"}}
    (nobody,) = named(["NM1", "85", "2"])
    assert nobody["identifier"]["value"] == "not named"
    odd, _ = named(["NM1", "85", "2", "A CLINIC", "", "", "", "", "XX", "1 0/" + "9" * 80])
    assert odd["reference"] == "Organization/1-0-" + "9" * 60


def test_the_lines_of_a_claim_are_rendered_by_its_provider_unless_they_name_another() -> None:
    doctor = ["NM1", "82", "1", "READER", "ANN", "", "", "", "XX", "1000000001"]
    content = with_segments(EdiClaim(lines=STRESS), doctor, ["NM1", "77", "2", "A PLACE"], before="LX")
    (claim,) = claims_of(content)
    (found,) = resources(claim)["Claim"]
    assert [item["careTeamSequence"] for item in found["item"]] == [[1], [1]]
    assert found["facility"] == {"display": "A PLACE"}
    (claim,) = claims_of(with_segments(EdiClaim(lines=STRESS), ["NM1", "77", "1", "A PERSON"], before="LX"))
    assert "facility" not in resources(claim)["Claim"][0]
    assert "careTeam" not in fhir(EdiClaim(lines=STRESS))
    others = with_segments(
        EdiClaim(lines=STRESS), ["NM1", "DQ", "1", "OTHER"], ["NM1", "82", "1", "SECOND", "BO"], before="SE"
    )
    (claim,) = claims_of(others)
    assert [each.rendering and each.rendering.name for each in claim.lines] == [None, "BO SECOND"]


# --- payers -----------------------------------------------------------------------------------------------------------


def test_a_coverage_has_the_name_the_number_and_the_order_of_its_payer() -> None:
    (found,) = resources(EdiClaim(lines=STRESS, filing="CI", payer="AETNA", order="T"))["Coverage"]
    assert found["payor"] == [{"display": "AETNA", "identifier": {"value": "00431"}}]
    assert (found["order"], code_in(found["type"])) == (3, "5")
    assert found["beneficiary"]["reference"].startswith("Patient/")
    (nameless,) = resources(EdiClaim(lines=STRESS, payer="", order="U"))["Coverage"]
    assert nameless["payor"] == [{"identifier": {"value": "00431"}}]
    assert "order" not in nameless
    orders = [
        resources(EdiClaim(lines=STRESS, order=order))["Coverage"][0].get("order") for order in ("P", "S", "A", "H")
    ]
    assert orders == [1, 2, 4, 11]


def test_two_payers_of_a_patient_are_two_coverages_and_one_payer_is_one() -> None:
    def ids(**members: Any) -> list[str]:
        return [each["id"] for each in resources(EdiClaim(lines=STRESS, **members))["Coverage"]]

    assert ids() == ids(number="OTHER")
    first, second = ids(others=[("S", "MB", "MEDICARE")])
    assert [first] == ids()
    assert second != first
    assert len({*ids(), *ids(filing="MA"), *ids(payer="X"), *ids(member="M2")}) == 4
    (claim,) = claims_of(edi(EdiClaim(lines=STRESS, others=[("S", "CI", "AETNA")])))
    (found,) = resources(claim)["Claim"]
    assert [each["sequence"] for each in found["insurance"]] == [1, 2]
    assert places_of(claim)["Bundle.entry[2].resource"].endswith("(SBR)")


# --- diagnoses and units ----------------------------------------------------------------------------------------------


def test_kinds_of_diagnoses_and_their_points() -> None:
    segments = [["HI", "ABJ:R07.89"], ["HI", "BJ:4280"], ["HI", "ABN:W01", "PR:7840"], ["HI", "BG:09"]]
    hospital = EdiClaim(lines=STRESS, kind="institutional", facility="13", diagnoses=("I251", "I10"))
    (claim,) = claims_of(with_segments(hospital, *segments, before="HI"))
    (found,) = resources(claim)["Claim"]
    told = [
        (each["sequence"], code_in(each["diagnosisCodeableConcept"]), [code_in(kind) for kind in each.get("type", [])])
        for each in found["diagnosis"]
    ]
    assert told == [
        (1, "I25.1", ["principal"]),
        (2, "I10", []),
        (3, "R07.89", ["admitting"]),
        (4, "4280", ["admitting"]),
        (5, "W01", []),
        (6, "7840", []),
    ]


@pytest.mark.parametrize(
    ("unit", "shown"),
    [("DA", "d"), ("GR", "g"), ("ME", "mg"), ("ML", "mL"), ("", None)],
)
def test_units_of_a_line(unit: str, shown: str | None) -> None:
    quantity = fhir(EdiClaim(lines=(line("Q9957x1.5", unit=unit),)))["item"][0]["quantity"]
    assert quantity["value"] == Decimal("1.5")
    assert (quantity.get("unit"), quantity.get("code")) == (shown, shown)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2", 2),
        ("2.0", 2),
        (".5", Decimal("0.5")),
        ("100000", 100_000),
        ("", None),
        ("100001", "SV104: expected a number from 0 to 100000"),
        ("1" + "0" * 18, "SV104: expected a number"),
        ("0" * 17 + "3", 3),
        ("\u0663", "SV104: expected a number"),
        ("1e3", "SV104: expected a number"),
    ],
)
def test_amounts_are_plain_numbers_of_18_digits_at_most(written: str, expected: Any) -> None:
    content = edi(EdiClaim(lines=(EdiLine("Q9957", units=written),)))
    if isinstance(expected, str):
        (reason,) = aside(content)
        assert reason.startswith(expected)
    else:
        (claim,) = claims_of(content)
        assert resources(claim)["Claim"][0]["item"][0].get("quantity", {}).get("value") == expected


@pytest.mark.parametrize(
    ("pointers", "is_read"),
    [((1,), True), ((12,), True), ((1, 2, 3, 4), True), ((13,), False), ((0,), False), ((10001,), False)],
)
def test_lines_point_at_the_first_twelve_diagnoses(pointers: tuple[int, ...], is_read: bool) -> None:
    content = edi(EdiClaim(lines=(line("93351", pointers=pointers),)))
    if is_read:
        assert claims_of(content)[0].lines[0].pointers == pointers
    else:
        assert aside(content) == ["SV107: expected numbers from 1 to 12, which name diagnoses of HI"]


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["D8", "20260302"], ("2026-03-02", "2026-03-02")),
        (["DT", "202603021530"], ("2026-03-02", "2026-03-02")),
        (["RD8", "20260302-20260303"], ("2026-03-02", "2026-03-03")),
        (["RD8", "20260302-20260302"], ("2026-03-02", "2026-03-02")),
        (["RD8", "20260303-20260302"], "DTP03: expected a first and a later last day"),
        (["RD8", "20260302"], "DTP03: expected days as CCYYMMDD"),
        (["D8", "2026032"], "DTP03: expected days as CCYYMMDD"),
        (["D8", ""], "DTP03: expected days as CCYYMMDD"),
        (["D6", "260302"], "DTP02: expected D8 or RD8"),
    ],
)
def test_days_of_a_line(dates: list[str], expected: Any) -> None:
    claim = EdiClaim(lines=(line("93351", day=""), line("93352", day="")), total="200")
    content = with_segments(claim, ["DTP", "472", *dates], ["DTP", "573", "XX", "1"], before="SE")
    if isinstance(expected, str):
        assert [reason[: len(expected)] for reason in aside(content)] == [expected]
    else:
        first, last = claims_of(content)[0].lines
        assert first.dates is None
        assert last.dates
        assert (last.dates.first, last.dates.last) == expected


def test_the_days_of_a_claim_are_those_of_its_statement_or_service() -> None:
    hospital = EdiClaim(lines=STRESS, kind="institutional", facility="13", statement="20260301-20260304")
    assert fhir(hospital)["billablePeriod"] == {"start": "2026-03-01", "end": "2026-03-04"}
    content = with_segments(
        EdiClaim(lines=STRESS), ["DTP", "472", "D8", "20260305"], ["DTP", "435", "D8", "x"], before="LX"
    )
    assert resources(claims_of(content)[0])["Claim"][0]["billablePeriod"]["start"] == "2026-03-05"
    assert "billablePeriod" not in fhir(EdiClaim(lines=STRESS))


def test_a_code_has_four_modifiers_and_any_case_of_its_qualifier() -> None:
    many = EdiClaim(
        lines=(EdiLine("93351", modifiers=("26", "59", "XS", "76", "77")), EdiLine("93352", qualifier="hc"))
    )
    first, second = fhir(many)["item"]
    assert [code_in(each) for each in first["modifier"]] == ["26", "59", "XS", "76"]
    assert second["productOrService"]["coding"][0]["system"] == "http://www.ama-assn.org/go/cpt"
    gap = edi(EdiClaim(lines=(EdiLine("93351", modifiers=("", "59")),)))
    assert claims_of(gap)[0].lines[0].modifiers == ("59",)


def test_products_of_a_line_are_those_with_an_ndc() -> None:
    added = [["CTP", "", "", "", "9", "ML"], ["LIN", "", "UP", "123"], ["CTP", "", "", "", "7", "UN"]]
    content = with_segments(EdiClaim(lines=STRESS), *added, ["LIN", "", "N4", "11994001104"], before="SE")
    first, last = claims_of(content)[0].lines
    assert first.products == []
    assert [(each.ndc, each.quantity, each.unit) for each in last.products] == [("11994001104", None, "")]
    assert aside(with_segments(EdiClaim(lines=STRESS), ["LIN", "", "N4"], before="SE")) == ["LIN03: expected an NDC"]


def test_a_total_is_compared_if_every_line_has_a_charge() -> None:
    without = EdiClaim(lines=(line("93350"), line("93352", charge="")), total="150")
    assert claim_of(without).notes == []
    assert claim_of(EdiClaim(lines=STRESS, total="")).notes == []
    assert len(claim_of(EdiClaim(lines=STRESS, total="199.99")).notes) == 1
    free = EdiClaim(lines=(line("93350", charge="0"), line("93352", charge="12.50")), total="12.5")
    assert claim_of(free).notes == []


def test_the_parts_of_clm05_may_be_separated_by_another_character() -> None:
    def change(segments: Segments) -> None:
        for each in segments:
            if each[0] in {"CLM", "HI", "SV1"}:
                each[:] = [part.replace(":", ">") for part in each]

    (claim,) = claims_of(changed(edi(EdiClaim(lines=STRESS, frequency="7")), change))
    assert (claim.facility, claim.frequency, [each.code for each in claim.lines]) == ("11", "7", ["93351", "Q9957"])
    assert claim.notes == [
        "CLM05: its parts are separated by another character than ISA16 declares; the claim is read by it"
    ]
    assert claim_of(EdiClaim(lines=STRESS)).notes == []


# --- patients ---------------------------------------------------------------------------------------------------------


def patient(*changes: tuple[str, int, str], **members: Any) -> str:
    """The digest of the patient of a claim, after changes of segments of the subscriber's loop."""

    def change(segments: Segments) -> None:
        start = next(at for at, each in enumerate(segments) if each[:2] == ["NM1", "IL"])
        for name, number, value in changes:
            next(each for each in segments[start:] if each[0] == name)[number] = value

    (claim,) = claims_of(changed(edi(EdiClaim(lines=STRESS, **members)), change))
    return claim.patient


def test_a_patient_is_told_by_number_and_birth_or_by_name() -> None:
    one = patient()
    assert one == patient(("NM1", 4, "PATRICIA")), "a name may be written in several ways"
    assert one == patient(("NM1", 9, "1eg4te5mk73"))
    nameless = patient(("NM1", 9, ""))
    assert nameless != one
    assert nameless == patient(("NM1", 9, ""), ("NM1", 4, "pat"))
    assert nameless != patient(("NM1", 9, ""), ("NM1", 4, "KIM"))
    assert nameless != patient(("NM1", 9, ""), ("NM1", 3, "OTHER"))
    nobody = [("NM1", 9, ""), ("NM1", 3, ""), ("NM1", 4, "")]
    assert patient(*nobody) == patient(*nobody, ("DMG", 2, "19990101")), "of nobody, each claim is a patient"
    assert patient(*nobody) != patient(*nobody, number="OTHER")
    kim = patient(dependent="KIM")
    assert kim == patient(("NM1", 4, "PATRICIA"), dependent="KIM")
    assert kim not in {one, patient(dependent="LEE"), patient(dependent="KIM", member="M2")}
