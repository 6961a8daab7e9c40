"""Segments of 837 files in other places, the segments that a fix concerns, files as lines, and envelopes."""

import json
import re
from decimal import Decimal
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest

from cds_service.core.case import Line
from cds_service.core.changes import AddLine, AddModifier, Change, RemoveLine, RemoveModifier, ReplaceCode, SetUnits
from cds_service.errors import UnreadableInput
from cds_service.intake.x12.claim import Claim
from cds_service.intake.x12.claim_loop import ClaimLoop
from cds_service.intake.x12.corrections import corrections
from cds_service.intake.x12.file_loops import SetAside, read_claims, survey
from cds_service.intake.x12.lines import claim_lines, other_set_in, set_aside_in
from cds_service.intake.x12.segments import Segment
from cds_service.review.advisor import Advisor
from cds_service.review.claim_files import ReviewedClaim, review_claims
from tests.support.edi import (
    EdiClaim,
    EdiLine,
    Segments,
    changed,
    edi,
    group,
    interchange,
    lines,
    transaction,
)
from tests.unit.test_x12_claims import claim_of, claims_of
from tests.unit.test_x12_details import STRESS, aside, with_segments

# --- segments where they do not belong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("segment", "before", "reason"),
    [
        (["SV1", "HC:93351"], "LX", "expected this segment behind LX"),
        (["SVD", "X"], "LX", "expected this segment behind LX"),
        (["LIN", "", "N4", "1"], "LX", "expected this segment behind LX"),
        (["HI", "ABK:I10"], "SE", "expected this segment before the lines; a CLM may be lost"),
        (["CL1", "1"], "SE", "expected this segment before the lines; a CLM may be lost"),
        (["SV1", "HC:93351", "1", "UN", "1"], "SE", "expected one SV1 in a line (LX)"),
        (["SV2", "0483", "HC:93351"], "SE", "expected SV1 on this kind of claim"),
        (["SBR", "S"], "SE", "expected SBR before the lines; the HL of another subscriber may be lost"),
        (["LX", "9"], "SE", "expected SV1 in each line (LX)"),
    ],
)
@pytest.mark.parametrize("others", [(), (("S", "CI", "X"),)], ids=["one payer", "two payers"])
def test_a_segment_in_another_place_is_told(
    segment: list[str], before: str, reason: str, others: tuple[tuple[str, str, str], ...]
) -> None:
    content = with_segments(EdiClaim(lines=STRESS, others=others), segment, before=before)
    assert aside(content) == [reason]


_UNKNOWN = "expected a segment of an 837 claim; the id of this one is none"


@pytest.mark.parametrize(
    ("following", "is_lost"),
    [
        (["DTP", "472", "D8", "20260302"], False),
        (["NM1", "82", "1", "READER", "ANN"], False),
        (["HI", "ABK:I10"], True),
        (["NM1", "IL", "1", "OTHER"], True),
        (["NM1", "QC", "1", "OTHER"], True),
        (["NM1", "85", "2", "OTHER"], True),
        (["PAT", "19"], True),
        (["SBR", "P"], True),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_segment_of_no_known_id_behind_the_lines_may_begin_another_claim(following: list[str], is_lost: bool) -> None:
    content = with_segments(EdiClaim("A", STRESS), ["QQ", "X"], following, ["NTE", "ADD", "X"], before="SE")
    open_file = partial(BytesIO, content)
    every = list(read_claims(open_file, survey(open_file)))
    read = [each.number for each in every if isinstance(each, Claim)]
    told = [(each.claim, each.reason) for each in every if isinstance(each, SetAside)]
    assert (read, told) == ((["A"], [("", _UNKNOWN)]) if is_lost else ([], [("A", _UNKNOWN)]))
    early = with_segments(EdiClaim("A", STRESS), ["QQ", "X"], before="LX")
    assert aside(early) == [_UNKNOWN]


def test_a_claim_has_100_000_segments_at_most() -> None:
    claim = claim_of(EdiClaim("A", STRESS))
    for count, is_read in ((100_000, True), (100_001, False)):
        loop = ClaimLoop(claim, Segment(["CLM", "A", "200", "", "", "11:B:1"], ":"))
        loop.take(Segment(["NTE", "ADD", "X"], ":"), claim.spot.number + count)
        assert (loop.fault is None) == is_read
    assert loop.fault
    assert loop.fault.reason == "expected at most 100,000 segments in a claim"


def test_a_service_of_the_other_kind_of_claim_is_told() -> None:
    hospital = EdiClaim(lines=STRESS, kind="institutional", facility="13")
    content = changed(edi(hospital), lambda segments: next(x for x in segments if x[0] == "SV2").__setitem__(0, "SV1"))
    assert aside(content) == ["expected SV2 on this kind of claim"]
    assert aside(edi(EdiClaim(kind="institutional", facility="13", total="0"))) == ["expected a line (LX and SV2)"]


_LOST_ABOVE = "HL02: expected the number of the HL above; one may be lost"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("HL", 3, "21"), ["HL03: expected 20, 22 or 23", _LOST_ABOVE]),
        (("HL", 2, "7"), [_LOST_ABOVE]),
        (("SBR", 0, "N3"), []),
        (("NM1", 1, "QC"), ["expected this NM1 behind an HL of its own, which may be lost"]),
        (("NM1", 1, "85"), ["expected this NM1 behind an HL of its own, which may be lost"]),
        (("NM1", 1, "ZZ"), []),
    ],
)
def test_a_level_with_a_fault_sets_its_claims_aside(change: tuple[str, int, str], reason: list[str]) -> None:
    name, number, value = change

    def damage(segments: Segments) -> None:
        subscriber = next(at for at, each in enumerate(segments) if each[:1] == ["HL"] and each[3] == "22")
        next(each for each in segments[subscriber:] if each[0] == name)[number] = value

    content = changed(edi(EdiClaim("A", STRESS), EdiClaim("B", STRESS, member="M2")), damage)
    assert aside(content) == reason


def test_a_claim_with_a_fault_takes_no_other_claim_with_it() -> None:
    broken = EdiClaim("A", STRESS, total="2OO", others=[("S", "CI", "X")])
    content = edi(broken, EdiClaim("B", STRESS))
    assert aside(content) == ["CLM02: expected a number"]
    behind = with_segments(
        EdiClaim("A", STRESS, total="2OO"), ["SBR", "P"], ["CLM", "B", "1", "", "", "11:B:1"], before="SE"
    )
    assert aside(behind) == ["CLM02: expected a number"] * 2, "behind the lines, SBR is of another subscriber"


def test_the_version_of_a_set_counts_before_that_of_its_group() -> None:
    content = edi(EdiClaim("A", STRESS))
    claims = claims_of(content.replace(b"*X*005010X222A1~", b"*X*005010X224A2~"))
    assert [each.kind for each in claims] == ["professional"]


def test_a_second_sbr_of_a_subscriber_is_told() -> None:
    content = with_segments(EdiClaim(lines=STRESS), ["SBR", "S"], before="CLM")
    assert aside(content) == ["expected one SBR in the loop of a subscriber (HL*22)"]
    content = with_segments(EdiClaim(lines=STRESS), ["LX", "1"], ["SV1", "HC:93351"], before="CLM")
    assert aside(content) == ["expected CLM before the lines; it may be lost"], "once for all of its segments"
    content = with_segments(EdiClaim(lines=STRESS), ["CLM", "X", "1", "", "", "11:B:1"], before="HL")
    assert aside(content) == ["expected CLM in the loop of a subscriber or patient (HL)"]


# --- corrections ------------------------------------------------------------------------------------------------------


def case_lines(advisor: Advisor, claim: EdiClaim) -> list[Line]:
    (reviewed,) = review_claims(advisor, partial(BytesIO, edi(claim)))
    assert isinstance(reviewed, ReviewedClaim)
    assert reviewed.answer
    return list(reviewed.answer.parsed.case.lines)


@pytest.mark.parametrize(
    ("kind", "facility", "procedure", "units"),
    [("professional", "11", "SV101", "SV104"), ("institutional", "13", "SV202", "SV205")],
)
def test_a_change_names_its_segment_and_element(
    plain_advisor: Advisor, kind: str, facility: str, procedure: str, units: str
) -> None:
    claim = EdiClaim(kind=kind, facility=facility, lines=lines("93351, 93352-26-59, Q9957x2-jz"))
    read = claim_of(claim)
    first, second, third = case_lines(plain_advisor, claim)
    changes: list[Change] = [
        ReplaceCode(first, "93350"),
        SetUnits(third, Decimal(3)),
        AddModifier(first, "26"),
        AddModifier(second, "XS"),
        RemoveModifier(second, "59"),
        RemoveModifier(second, "26"),
        RemoveModifier(third, "JZ"),
    ]
    spots = [read.at(each.spot) for each in read.lines]
    assert [each.rpartition(": ")[2] for each in corrections(changes, read)] == [
        f"{spots[0]}, {procedure}-2",
        f"{spots[2]}, {units}",
        f"{spots[0]}, {procedure}-3",
        f"{spots[1]}, {procedure}-5",
        f"{spots[1]}, {procedure}-4",
        f"{spots[1]}, {procedure}-3",
        f"{spots[2]}, {procedure}-3",
    ]


def test_added_and_removed_lines_change_the_totals(plain_advisor: Advisor) -> None:
    claim = EdiClaim(lines=STRESS)
    read = claim_of(claim)
    first, second = case_lines(plain_advisor, claim)
    added = [AddLine(code=code, units=None, sibling=first) for code in ("93352", "93325")]
    last = read.lines[-1].last
    told = corrections([*added, RemoveLine(second)], read)
    assert [each.rpartition(": ")[2] for each in told] == [
        f"ST*0201, LX*3, SV1 and DTP after segment {last}",
        f"ST*0201, LX*4, SV1 and DTP after segment {last}",
        f"ST*0201 segments {read.lines[1].first} to {last} (LX to the end of its line)",
        f"then adjust CLM02 (ST*0201 segment {read.spot.number}) and SE01",
    ]
    assert len(corrections([SetUnits(second, Decimal(1))], read)) == 1
    hospital = EdiClaim(lines=STRESS, kind="institutional", facility="13")
    (of_hospital, _) = corrections([AddLine(code="93352", units=None)], claim_of(hospital))
    assert "LX*3, SV2 and DTP after" in of_hospital


# --- files as lines ---------------------------------------------------------------------------------------------------


def test_the_claims_of_a_file_are_lines_of_resources(tmp_path: Path) -> None:
    path = tmp_path / "claims.837"
    broken = EdiClaim("BROKEN", (EdiLine("93350", charge="a hundred"),), total="100", member="M2")
    again = EdiClaim("B", STRESS, rendering="1000000001")
    path.write_bytes(edi(EdiClaim("A", STRESS, rendering="1000000001"), broken, again))
    written = [*claim_lines(path)]
    told = [set_aside_in(each) for each in written]
    rejected = [(each.claim, each.reason) for each in told if each]
    assert rejected == [("BROKEN", "SV102: expected a number")]
    kinds = [json.loads(text)["resourceType"] for text, each in zip(written, told, strict=True) if not each]
    claim = ["Patient", "Coverage", "Claim"]
    assert kinds == [*claim, "Organization", "Practitioner", *claim], "each provider is named once"
    assert other_set_in(path) == ""


def test_a_file_of_another_set_is_named(tmp_path: Path) -> None:
    path = tmp_path / "remit.835"
    path.write_bytes(edi(EdiClaim(lines=STRESS)).replace(b"ST*837*", b"ST*835*"))
    assert other_set_in(path) == "an 835 (remittance advice)"
    (text,) = claim_lines(path)
    found = set_aside_in(text)
    assert found
    assert (found.place, found.reason.rpartition("; ")[2]) == ("the file", "found an 835 (remittance advice)")
    path.write_bytes(b"hello")
    assert other_set_in(path) == ""


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("271", "a 271 (eligibility response)"),
        ("276", "a 276 (claim status request)"),
        ("277", "a 277 (claim status or acknowledgment)"),
        ("278", "a 278 (services review)"),
        ("820", "an 820 (premium payment)"),
        ("824", "an 824 (application advice)"),
        ("834", "an 834 (enrollment)"),
        ("997", "a 997 (acknowledgment)"),
    ],
)
def test_other_sets_have_words(kind: str, words: str) -> None:
    content = edi(EdiClaim(lines=STRESS)).replace(b"ST*837*", f"ST*{kind}*".encode())
    with pytest.raises(UnreadableInput, match=re.escape(words)):
        survey(partial(BytesIO, content))


def test_three_kinds_of_other_sets_are_named() -> None:
    sets = [[["ST", kind, "1", "005010X222A1"], ["SE", "2", "1"]] for kind in ("999", "835", "277", "271")]
    with pytest.raises(UnreadableInput) as caught:
        survey(partial(BytesIO, interchange(group(*sets)).encode()))
    assert str(caught.value).rpartition("; ")[2] == (
        "found a 271 (eligibility response) and a 277 (claim status or acknowledgment) and a 999 (acknowledgment)"
    )


# --- envelopes --------------------------------------------------------------------------------------------------------


def told_of(content: bytes) -> list[tuple[str, str]]:
    open_file = partial(BytesIO, content)
    return [(each.place, each.reason) for each in survey(open_file).faults]


def test_a_file_that_ends_early_names_what_is_missing() -> None:
    content = edi(EdiClaim(lines=STRESS)).rstrip()
    segments = content.split(b"\n")
    count = len(segments)
    for left, missing in ((1, "IEA"), (2, "GE, IEA"), (3, "SE, GE, IEA")):
        ((place, reason),) = told_of(b"\n".join(segments[:-left]))
        assert place == "the end of the file"
        assert reason == f"the file ends after segment {count - left}, without {missing}: the rest is missing"
    assert count > 3
    ((_, reason),) = told_of(content[: content.index(b"SV1") + 5])
    assert re.fullmatch(r"the file ends within segment \d+, without SE, GE, IEA: the rest is missing", reason)
    assert told_of(content) == []


def test_what_is_no_x12_further_on_is_told_with_the_number_of_its_segment() -> None:
    content = edi(EdiClaim(lines=STRESS))
    count = content.count(b"~")
    assert told_of(content + b"and more") == [
        (f"segment {count + 1} of the file", "expected an X12 file, which begins with ISA")
    ]


def test_sets_of_a_second_group_or_interchange_are_named_with_it() -> None:
    one = interchange(group(transaction([EdiClaim("A", STRESS)])))
    two = interchange(group(transaction([EdiClaim("B", STRESS)]), control="7"), control="000000999")
    three = interchange(
        group(transaction([EdiClaim("C", STRESS)])), group(transaction([EdiClaim("D", STRESS)]), control="8")
    )
    assert [each.place for each in claims_of((one + two).encode())] == ["ST*0201", "ISA*000000999 GS*7 ST*0201"]
    assert [each.place for each in claims_of(three.encode())] == ["ST*0201", "GS*8 ST*0201"]


def test_missing_trailers_and_stray_segments_are_told_once_each() -> None:
    def without(*names: str) -> bytes:
        def change(segments: Segments) -> None:
            segments[:] = [each for each in segments if each[0] not in names]

        return changed(edi(EdiClaim("A", STRESS), EdiClaim("B", STRESS, kind="institutional", facility="13")), change)

    assert [reason for _, reason in told_of(without("GE"))] == ["expected GE before this segment"] * 2
    assert told_of(without("SE")) == [], "the reader of claims tells of it"
    stray = [["TA1", "1"], ["N3", "X"], ["N4", "Y"]]
    content = with_segments(EdiClaim(lines=STRESS), *stray, before="GE")
    ((place, reason),) = told_of(content)
    assert reason == "expected a transaction set (ST): what stands here is not read"
    count = len(content.split(b"\n")) - 1
    assert place == f"segment {count - 3} of the file"


def test_sets_of_a_group_are_counted() -> None:
    one = transaction([EdiClaim("A", STRESS)])
    two = transaction([EdiClaim("B", STRESS)], control="0202")
    assert told_of(interchange(group(one, two)).encode()) == []
    assert [each.place for each in claims_of(interchange(group(one, two)).encode())] == ["ST*0201", "ST*0202"]
    wrong = interchange(group(one, two)).replace("GE*2*", "GE*02*").encode()
    assert told_of(wrong) == [], "zeros do not count"
    wrong = interchange(group(one, two)).replace("GE*2*", "GE*1*").encode()
    ((place, reason),) = told_of(wrong)
    assert (reason, place.endswith(" of the file (GE)")) == (
        "GE01: expected 2, the number of transaction sets read; one may be missing",
        True,
    )


@pytest.mark.parametrize(
    ("control", "shown"), [("0201", "0201"), ("A" * 12, "A" * 12), ("A" * 13, "?"), ("JO HN", "?")]
)
def test_a_control_number_of_another_form_is_not_shown(control: str, shown: str) -> None:
    content = interchange(group(transaction([EdiClaim(lines=STRESS)], control=control))).encode()
    assert claims_of(content)[0].place == f"ST*{shown}"


def test_the_number_of_a_voided_claim_may_stand_on_another_kind_of_claim() -> None:
    both = [EdiClaim("A", STRESS), EdiClaim("A", STRESS, kind="institutional", facility="13", frequency="8")]
    content = edi(*both)
    assert survey(partial(BytesIO, content)).has_replacements
    assert not survey(partial(BytesIO, edi(both[0]))).has_replacements
    assert [each.frequency for each in claims_of(content) if isinstance(each, Claim)] == ["1", "8"]
    assert survey(partial(BytesIO, content)).claims == 2
