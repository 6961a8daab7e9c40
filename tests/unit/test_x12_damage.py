"""Damaged 837 files: nothing raises, a broken claim is set aside with its place, and other claims stay the same."""

import re
from functools import partial
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.errors import UnreadableInput
from cds_service.intake.x12 import claim_loop
from cds_service.intake.x12.bundle import bundle_of
from cds_service.intake.x12.claim import Claim
from cds_service.intake.x12.file_loops import SetAside, Survey, read_claims, survey
from cds_service.intake.x12.versions import claims_to_review
from tests.support.edi import (
    EdiClaim,
    EdiLine,
    Segments,
    Style,
    changed,
    edi,
    group,
    interchange,
    line,
    lines,
    recounted,
    transaction,
)

ONE = EdiClaim("ONE", lines("93351, Q9957x2"), member="M1", others=[("S", "CI", "SECOND PAYER")])
TWO = EdiClaim("TWO", lines("93350, 93352"), member="M2", rendering="1000000001")
THREE = EdiClaim("THREE", (line("93350"), line("Q9957x2", products=[("11994001104", "1.5")])), member="M3")
FOUR = EdiClaim("FOUR", lines("93350, 93352, Q9957x2"), member="M3", dependent="KIM")
FIVE = EdiClaim("FIVE", lines("93350"), kind="institutional", facility="13", member="M5")
ALL = (ONE, TWO, THREE, FOUR, FIVE)
FILE = edi(*ALL)
NAMES = {each.number for each in ALL}


def read(content: bytes) -> list[Claim | SetAside]:
    open_file = partial(BytesIO, content)
    return list(read_claims(open_file, survey(open_file)))


def claims(content: bytes) -> dict[str, Any]:
    """The Bundles of a file's claims by number, without the version, which holds the place in the file."""
    found = {}
    for each in read(content):
        if isinstance(each, Claim):
            bundle = bundle_of(each)
            bundle["entry"][-1]["resource"].pop("meta", None)
            found[each.number] = bundle
    return found


def aside(content: bytes) -> list[tuple[str, str, str]]:
    return [(each.claim, each.place, each.reason) for each in read(content) if isinstance(each, SetAside)]


WHOLE = claims(FILE)


def test_the_file_is_whole() -> None:
    assert WHOLE.keys() == NAMES
    assert aside(FILE) == []


def owner(position: int) -> str:
    """The claim whose own segment this is, as the file is; empty for segments of envelopes and levels."""
    found = ""
    for each in SEGMENTS[: position + 1]:
        if each[0] == "CLM":
            found = each[1]
        elif each[0] in {"HL", "SE", "ISA", "GS", "ST", "GE", "IEA"}:
            found = ""
    return found


SEGMENTS: Segments = []
changed(FILE, SEGMENTS.extend)
OF_CLAIMS = [position for position in range(len(SEGMENTS)) if owner(position)]
VALUES = re.compile(r"\bM[1-5]\b|KIM|19500101|TEST|ANYTOWN|1EG4")


def require_quiet(told: list[tuple[str, str, str]]) -> None:
    """No place or reason repeats a value of the file."""
    assert "" not in {text for _, place, reason in told for text in (place, reason)}
    said = "\0".join(place + reason for _, place, reason in told)
    assert not VALUES.search(said)
    assert not {each for each in NAMES if re.search(rf"\b{each}\b", said)}
    assert "\n" not in said


GARBLED = st.sampled_from(["", "X", "999", "%%%", "A:B:C", "CLM", "20260231", "-1", "1e9", "\u0661", "\ufffd" * 40])


@given(st.sampled_from(OF_CLAIMS), st.data())
def test_a_garbled_element_touches_its_own_claim_only(position: int, data: st.DataObject) -> None:
    def garble(segments: Segments) -> None:
        number = data.draw(st.integers(0, len(segments[position]) - 1))
        segments[position][number] = data.draw(GARBLED)

    content = changed(FILE, garble)
    found = claims(content)
    others = NAMES - {owner(position)}
    # A level is a segment of a claim by mistake only if its id became HL or SBR, which is not drawn.
    assert others
    for name in others:
        assert found.get(name) == WHOLE[name], (SEGMENTS[position], aside(content))
    require_quiet(aside(content))


@pytest.mark.parametrize("position", OF_CLAIMS)
@pytest.mark.parametrize("damage", ["drop", "repeat", "unknown"])
def test_a_damaged_segment_of_a_recounted_file_touches_its_own_claim_only(position: int, damage: str) -> None:
    """With SE01 set right again, as by a program that counts what it writes."""

    def change(segments: Segments) -> None:
        if damage == "drop":
            del segments[position]
        elif damage == "repeat":
            segments.insert(position, [*segments[position]])
        else:
            segments[position][0] = "Q" + segments[position][0]
        recounted(segments)

    content = changed(FILE, change)
    found, told = claims(content), aside(content)
    others = NAMES - {owner(position)}
    assert others
    for name in others:
        assert found.get(name) == WHOLE[name], (SEGMENTS[position], told)
    assert told or damage != "unknown", "a segment of no known id is never passed over"
    require_quiet(told)


@pytest.mark.parametrize("damage", ["drop", "repeat", "swap"])
@settings(max_examples=60)
@given(position=st.integers(1, len(SEGMENTS) - 1))
def test_with_a_wrong_count_the_other_transaction_sets_stay_the_same(damage: str, position: int) -> None:
    def change(segments: Segments) -> None:
        if damage == "drop":
            del segments[position]
        elif damage == "repeat":
            segments.insert(position, [*segments[position]])
        else:
            segments[position - 1 : position + 1] = reversed(segments[position - 1 : position + 1])

    try:
        content = changed(FILE, change)
        found, told = claims(content), aside(content)
    except UnreadableInput as error:
        assert position < 3, str(error)
        return
    require_quiet(told)
    of_second = position >= [each[0] for each in SEGMENTS].index("GE")
    untouched = {"ONE", "TWO", "THREE", "FOUR"} if of_second else {"FIVE"}
    is_envelope = SEGMENTS[position][0] in {"ST", "SE", "GS", "GE", "ISA", "IEA"}
    as_before = {name for name in untouched if found.get(name) == WHOLE[name]}
    named = {each for each, _, _ in told} | {*SEGMENTS[position][1:2]}
    assert (as_before == untouched and told and named >= NAMES - untouched) or is_envelope or damage == "swap"


@given(st.binary(max_size=60), st.integers(0, len(FILE)), st.integers(0, 200))
def test_no_bytes_raise(noise: bytes, at: int, lost: int) -> None:
    content = FILE[:at] + noise + FILE[at + lost :]
    try:
        told = aside(content)
    except UnreadableInput as error:
        assert "\n" not in str(error)
    else:
        assert "" not in {text for _, place, reason in told for text in (place, reason)}
        assert told or claims(content), "a file is never read without a word"


@pytest.mark.parametrize("length", range(106, len(FILE) - 4, 41))
def test_of_a_truncated_file_the_whole_claims_are_read(length: int) -> None:
    content = FILE[:length]
    try:
        found, told = claims(content), aside(content)
    except UnreadableInput as error:
        assert "found none" in str(error)
        return
    assert any(place == "the end of the file" for _, place, _ in told)
    whole = {each for each in NAMES if re.search(rb"CLM\*" + each.encode() + rb"\*[^~]*~", content)}
    last = max((found.start() for found in re.finditer(rb"CLM\*[^~]*~", content)), default=-1)
    ended = re.search(rb"\n(?:HL|SE)\*[^~]*~", content[last:]) if last >= 0 else None
    cut = {content[last:].split(b"*")[1].decode()} if last >= 0 and not ended else set()
    assert found == {name: WHOLE[name] for name in whole - cut}
    assert {each for each, _, _ in told} >= whole & cut


# --- faults by name -------------------------------------------------------------------------------------------------


def at(segments: Segments, name: str, claim: str = "TWO") -> list[str]:
    """The first segment of this id in a claim."""
    start = next(number for number, each in enumerate(segments) if each[:2] == ["CLM", claim])
    return next(each for each in segments[start:] if each[0] == name)


@pytest.mark.parametrize(
    ("name", "number", "value", "segment", "reason"),
    [
        ("CLM", 1, "", "CLM", "CLM01: expected the number of the claim"),
        ("CLM", 2, "2OO", "CLM", "CLM02: expected a number"),
        ("CLM", 5, "11B1", "CLM", "CLM05: expected parts separated by the character of ISA16"),
        ("SV1", 1, "HC:", "SV1", "SV101: expected a qualifier (HC) and a code"),
        ("SV1", 1, "", "SV1", "SV101: expected a qualifier (HC) and a code"),
        ("SV1", 2, "1,00", "SV1", "SV102: expected a number"),
        ("SV1", 4, "two", "SV1", "SV104: expected a number"),
        ("SV1", 4, "-1", "SV1", "SV104: expected a number from 0 to 100000"),
        ("SV1", 7, "A", "SV1", "SV107: expected numbers from 1 to 12"),
        ("DTP", 3, "20260230", "DTP", "DTP03: expected days as CCYYMMDD"),
        ("DTP", 2, "TM", "DTP", "DTP02: expected D8 or RD8"),
        ("HI", 1, "ABK:", "HI", "HI01-2: expected a diagnosis code"),
        ("SV1", 0, "SV2", "SV2", "expected SV1 on this kind of claim"),
        ("LX", 0, "NTE", "SV1", "expected this segment behind LX"),
    ],
)
def test_a_broken_claim_is_set_aside_with_its_segment_and_reason(
    name: str, number: int, value: str, segment: str, reason: str
) -> None:
    content = changed(FILE, lambda segments: at(segments, name).__setitem__(number, value))
    (told,) = aside(content)
    assert told[0] == ("" if name == "CLM" and number == 1 else "TWO")
    assert re.fullmatch(rf"ST\*0201 segment \d+ \({segment}\)", told[1])
    assert told[2].startswith(reason)
    assert claims(content).keys() == NAMES - {"TWO"}
    counted = int(re.findall(r"\d+", told[1])[1])
    of_file = content.decode().split("~\n")
    start = next(index for index, each in enumerate(of_file) if each.startswith("ST*"))
    assert of_file[start + counted - 1].split("*")[0] == segment, "the place is where the fault is"


@pytest.mark.parametrize(("name", "expected"), [("SV1", "expected SV1 in each line"), ("LX", "expected this segment")])
def test_a_line_without_its_service_and_a_service_without_its_line(name: str, expected: str) -> None:
    def change(segments: Segments) -> None:
        lost = at(segments, name)
        segments[:] = [each for each in segments if each is not lost]
        recounted(segments)

    (told,) = aside(changed(FILE, change))
    assert (told[0], told[2][: len(expected)]) == ("TWO", expected)


def test_a_claim_without_lines() -> None:
    assert aside(edi(EdiClaim("NONE", total="0"), TWO))[0][2] == "expected a line (LX and SV1)"


def test_a_wrong_segment_count_sets_the_claims_of_the_set_aside() -> None:
    def change(segments: Segments) -> None:
        next(each for each in segments if each[0] == "SE")[1] = "7"

    content = changed(FILE, change)
    told = aside(content)
    assert [claim for claim, _, _ in told] == ["ONE", "TWO", "THREE", "FOUR"]
    assert {(place, reason) for _, place, reason in told} == {
        ("ST*0201 segment 87 (SE)", "SE01: expected 87, the number of segments read; one may be missing or added")
    }
    assert claims(content).keys() == {"FIVE"}


def test_a_large_count_is_no_number() -> None:
    content = re.sub(rb"SE\*\d+", b"SE*" + b"9" * 5000, FILE, count=1)
    assert len(aside(content)) == 4


@pytest.mark.parametrize(
    ("name", "number", "value", "expected"),
    [
        ("SE", 2, "0999", "SE02: expected the number of ST02"),
        ("GE", 1, "2", "GE01: expected 1, the number of transaction sets read"),
        ("IEA", 1, "x", "IEA01: expected 2, the number of functional groups read"),
        ("GE", 0, "ZZ", "expected a transaction set (ST)"),
        ("ST", 0, "ZZ", "expected a transaction set (ST)"),
    ],
)
def test_faults_of_envelopes_are_told(name: str, number: int, value: str, expected: str) -> None:
    content = changed(
        FILE, lambda segments: next(each for each in segments if each[0] == name).__setitem__(number, value)
    )
    assert any(reason.startswith(expected) for _, _, reason in aside(content))
    require_quiet(aside(content))


def test_a_claim_of_endless_segments_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_loop, "MOST_SEGMENTS", 50)
    many = EdiClaim("MANY", lines(", ".join(["93350"] * 30)))
    assert aside(edi(many, TWO)) == [("MANY", "ST*0201 segment 69 (SV1)", "expected at most 50 segments in a claim")]


# --- lost levels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("member", ["M1", "M2", "M3"])
@pytest.mark.parametrize("value", ["QX", "NTE", "N3"])
def test_no_claim_is_taken_for_one_of_another_patient(member: str, value: str) -> None:
    """The HL of a subscriber is damaged: the claims behind it are nobody's, and those of others stay the same."""

    def change(segments: Segments) -> None:
        subscriber = next(
            number for number, each in enumerate(segments) if each[:2] == ["NM1", "IL"] and member in each
        )
        assert segments[subscriber - 2][0] == "HL"
        segments[subscriber - 2][0] = value

    content = changed(FILE, change)
    found, told = claims(content), aside(content)
    mine = {"M1": {"ONE"}, "M2": {"TWO"}, "M3": {"THREE"}}[member]
    assert not mine & found.keys()
    assert mine <= {claim for claim, _, _ in told}
    assert found
    assert all(found[name] == WHOLE[name] for name in found)
    before = {"M1": set[str](), "M2": {"ONE"}, "M3": {"TWO"}}[member]
    lost = NAMES - found.keys() - mine
    assert lost <= before | {"FOUR"}, "the claim before it may be cut, and a dependent has lost its subscriber"
    is_known = value != "QX"
    assert not lost & before or is_known, "where no segment has this id, the claim before it is complete"


def test_a_damaged_hl_of_a_patient_is_not_the_subscriber() -> None:
    def change(segments: Segments) -> None:
        next(each for each in segments if each[0] == "HL" and each[3] == "23")[3] = "24"

    content = changed(FILE, change)
    assert claims(content).keys() == NAMES - {"FOUR"}
    assert aside(content)[0][0] == "FOUR"


def test_a_lost_clm_between_two_claims_of_one_patient() -> None:
    again = EdiClaim("TWO-B", lines("93350, 93352"), member="M2", rendering="1000000001")
    content = edi(ONE, TWO, again)
    damaged = changed(content, lambda segments: at(segments, "CLM", "TWO-B").__setitem__(0, "CLN"))
    assert claims(damaged).keys() == {"ONE", "TWO"}
    ((claim, place, reason),) = aside(damaged)
    assert (claim, reason) == ("", "expected a segment of an 837 claim; the id of this one is none")
    assert place.startswith("ST*0201 segment ")


# --- voided and replaced --------------------------------------------------------------------------------------------


def due(content: bytes) -> tuple[list[str], list[tuple[str, str]]]:
    open_file = partial(BytesIO, content)
    every = list(claims_to_review(open_file, survey(open_file)))
    reviewed = [f"{each.number} {each.lines[0].code}" for each in every if isinstance(each, Claim)]
    return reviewed, [(each.claim, each.reason) for each in every if isinstance(each, SetAside) and not each.is_fault]


def test_a_replaced_claim_gives_way_to_the_last_that_replaces_it() -> None:
    first = EdiClaim("A", lines("93350"))
    again = EdiClaim("A", lines("93351"), frequency="7", replaces="ICN1")
    last = EdiClaim("A", lines("93306"), frequency="7", replaces="ICN2")
    other_day = EdiClaim("A", (EdiLine("93308", day="20260401"),))
    reviewed, left = due(edi(first, other_day, again, last))
    assert reviewed == ["A 93308", "A 93306"]
    assert left == [("A", "replaced or voided in this file, at ST*0201 segment 34 (CLM)")] * 2


def test_a_voided_claim_and_the_void_itself_are_not_reviewed() -> None:
    void = EdiClaim("A", lines("93350"), frequency="8", replaces="ICN1")
    reviewed, left = due(edi(EdiClaim("A", lines("93350")), void, EdiClaim("B", lines("93350"), member="M9")))
    assert reviewed == ["B 93350"]
    assert [reason[:30] for _, reason in left] == ["replaced or voided in this fil", "CLM05-3 is 8: it voids an earl"]


def test_a_claim_of_one_number_of_another_patient_is_not_replaced() -> None:
    reviewed, left = due(edi(EdiClaim("A", lines("93350")), EdiClaim("A", lines("93351"), frequency="7", member="M9")))
    assert (reviewed, left) == (["A 93350", "A 93351"], [])


# --- other sets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "version", "words"),
    [
        ("835", "005010X221A1", "an 835 (remittance advice)"),
        ("270", "005010X279A1", "a 270 (eligibility inquiry)"),
        ("837", "005010X224A2", "an 837D (dental claims)"),
        ("837", "004010X098A1", "an 837 of version 004010X098"),
        ("837", "JOHN DOE", "an 837 of no known version"),
        ("999", "005010X231A1", "a 999 (acknowledgment)"),
        ("JOHN", "DOE", "another transaction set"),
    ],
)
def test_a_file_without_claims_is_one_line(kind: str, version: str, words: str) -> None:
    sets = transaction([TWO])
    sets[0][1], sets[0][3] = kind, version
    content = interchange(group(sets)).encode()
    with pytest.raises(UnreadableInput) as caught:
        aside(content)
    assert str(caught.value) == f"expected X12 claims: 837P (005010X222) or 837I (005010X223); found {words}"
    both = interchange(group(sets), group(transaction([ONE]), control="202")).encode()
    assert claims(both).keys() == {"ONE"}
    ((_, place, reason),) = aside(both)
    assert (place, reason.endswith(words)) == ("ST*0201", True)


def test_the_version_may_stand_in_gs_alone() -> None:
    sets = transaction([TWO])
    sets[0].pop()
    head = ["GS", "HC", "A", "B", "20260310", "1000", "1", "X", "005010X222A2"]
    content = interchange([head, *sets, ["GE", "1", "1"]]).encode()
    assert claims(content).keys() == {"TWO"}


def test_a_set_without_claims_is_told() -> None:
    sets = transaction([TWO])
    empty = [*sets[:5], ["SE", "6", "0201"]]
    assert aside(interchange(group(empty)).encode()) == [
        ("", "ST*0201", "expected a claim (CLM) in this transaction set")
    ]


@pytest.mark.parametrize("kept", range(1, len(edi(ONE).split(b"\n")) - 4))
def test_a_set_that_loses_its_end_is_told_wherever_it_is_cut(kept: int) -> None:
    """The group and the interchange go on behind what is left of the set."""
    segments = edi(ONE).split(b"\n")
    head, of_set = segments[:2], [each for each in segments[2:] if each[:2] not in {b"GE", b"IE", b"SE"} and each]
    trailers = [each for each in segments if each[:2] in {b"GE", b"IE"}]
    cut = b"\n".join([*head, *of_set[:kept], *trailers])
    assert [place.rpartition(" segment ")[2] for _, place, _ in aside(cut)] == [str(min(kept, len(of_set)))]
    assert claims(cut) == {}


def test_sets_of_one_number_are_told_apart() -> None:
    broken = EdiClaim("BAD", (EdiLine("", units="1"),))
    one = interchange(group(transaction([broken])), group(transaction([broken]), control="7"))
    content = (one + interchange(group(transaction([broken])), control="000000999", style=Style("|"))).encode()
    assert [place for _, place, _ in aside(content)] == [
        "ST*0201 segment 21 (SV1)",
        "GS*7 ST*0201 segment 21 (SV1)",
        "ISA*000000999 GS*201 ST*0201 segment 21 (SV1)",
    ]


def test_faults_of_envelopes_are_held_up_to_a_number() -> None:
    found = Survey()
    content = FILE.replace(b"GE*1*", b"GE*9*") * 600
    found = survey(partial(BytesIO, content))
    assert len(found.faults) == 1000
