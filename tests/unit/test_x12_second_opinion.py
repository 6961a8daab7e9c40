"""pyx12, an X12 validator, as a second opinion: on the files that the tests write, and on what the reader reads."""

import os
from collections import Counter
from functools import partial
from io import BytesIO, StringIO
from pathlib import Path

import pytest
import pyx12.params
from pyx12.x12file import X12Reader
from pyx12.x12n_document import x12n_document

from cds_service.intake.x12.claim import Claim
from cds_service.intake.x12.file_loops import read_claims, survey
from cds_service.intake.x12.segments import read_segments
from tests.support.edi import EdiClaim, EdiLine, Style, edi, line, lines

CLAIMS = {
    "professional": EdiClaim("ONE", lines("93351, Q9957x2-JZ"), total="200"),
    "with a drug": EdiClaim("ONE", (line("Q9957x2", products=[("11994001104", "1.5")]),), total="100"),
    "rendering by claim": EdiClaim("ONE", lines("93351-26"), rendering="1999999984", facility="22", total="100"),
    "rendering by line": EdiClaim("ONE", (line("93351-26", rendering="1999999984"),), facility="22", total="100"),
    "place by line": EdiClaim("ONE", (line("93351", place="19"),), total="100"),
    "a period": EdiClaim("ONE", (line("93351", until="20260304"),), total="100"),
    "minutes": EdiClaim("ONE", (line("00410x30", unit="MJ"),), total="100"),
    "replaces": EdiClaim("ONE", lines("93351"), frequency="7", replaces="ICN1", total="100"),
    "several diagnoses": EdiClaim("ONE", (line("93351", pointers=(2, 1)),), diagnoses=("R0789", "I10"), total="100"),
    "a dependent": EdiClaim("ONE", lines("93351"), dependent="KIM", total="100", filing="CI", payer="A PLAN"),
    "institutional": EdiClaim(
        "TWO", lines("93350, Q9957x2"), kind="institutional", facility="13", total="200", filing="MA"
    ),
    "a revenue code alone": EdiClaim(
        "TWO", (EdiLine("", revenue="0250"),), kind="institutional", facility="13", total="100"
    ),
}
STYLES = [Style(), Style("|", ">", "~", "\r\n"), Style("*", ":", "\n", "")]


def acknowledged(content: bytes) -> str:
    """The acknowledgment (999) of a file; it has AK9*A if every guide's rule is met."""
    out = StringIO()
    x12n_document(pyx12.params.params(), StringIO(content.decode()), out, None)
    return out.getvalue()


@pytest.mark.repeats(4)
@pytest.mark.parametrize("name", CLAIMS)
def test_the_files_that_tests_write_are_valid(name: str) -> None:
    assert "AK9*A*1*1*1~" in acknowledged(edi(CLAIMS[name]))


def test_the_validator_sees_faults() -> None:
    assert "AK9*A" not in acknowledged(edi(CLAIMS["professional"]).replace(b"*UN*", b"*ZZZ*"))


def counted(content: bytes) -> tuple[Counter[str], list[tuple[str, int]]]:
    """The segments of a file by id, and the numbers of its claims with how many lines each has, as pyx12 reads them."""
    every = list(X12Reader(StringIO(content.decode())))
    claims: list[tuple[str, int]] = []
    for each in every:
        if each.get_seg_id() == "CLM":
            claims.append((str(each.get_value("CLM01")), 0))
        elif each.get_seg_id() in {"SV1", "SV2"}:
            number, lines_before = claims.pop()
            claims.append((number, lines_before + 1))
    return Counter(str(each.get_seg_id()) for each in every), claims


def require_same(content: bytes) -> None:
    segments, claims = counted(content)
    assert Counter(each.id for each in read_segments(BytesIO(content))) == segments
    open_file = partial(BytesIO, content)
    found = list(read_claims(open_file, survey(open_file)))
    assert [(each.number, len(each.lines)) for each in found if isinstance(each, Claim)] == claims
    assert len(found) == len(claims)


@pytest.mark.parametrize("style", STYLES, ids=range(len(STYLES)))
def test_both_read_the_same_segments_claims_and_lines(style: Style) -> None:
    require_same(edi(*CLAIMS.values(), style=style))


FOLDER = Path(os.environ.get("CORPUS_DIR", "/nonexistent")).parent / "x12"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="CORPUS_DIR has no sibling x12")
def test_both_read_the_same_of_published_files() -> None:
    files = [path for path in FOLDER.iterdir() if path.suffix != ".md"]
    assert len(files) == 5
    for path in files:
        require_same(path.read_bytes())


def test_the_second_opinion_would_lose_claims_without_a_word() -> None:
    """The reason for a reader of our own: behind an empty segment, pyx12 reads nothing and says nothing."""
    content = edi(CLAIMS["professional"], CLAIMS["institutional"]).replace(b"HL*1**20*1~", b"~HL*1**20*1~", 1)
    assert counted(content)[1] == []
    open_file = partial(BytesIO, content)
    assert [each.number for each in read_claims(open_file, survey(open_file)) if isinstance(each, Claim)] == [
        "ONE",
        "TWO",
    ]
