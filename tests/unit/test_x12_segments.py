"""Segments of X12 files: separators, line endings, several interchanges, and what is no X12."""

import gzip
import re
from collections.abc import Iterator
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import UnreadableInput
from cds_service.intake.x12.segments import LONGEST_SEGMENT, is_x12, is_x12_file, open_x12, read_segments
from tests.support.edi import EdiClaim, Segments, Style, edi, group, interchange, lines, transaction

CLAIM = EdiClaim(lines=lines("93351, Q9957x2"))
PLAIN = edi(CLAIM)

MARKS = "!\"#$%&'()+,/;<=>?@[]`{|}*:~\x1c\x1d\x1e\x1f\x85\u00a7"  # none that the data hold
ENDINGS = ("", "\n", "\r\n", "\r", "\n\n")


def elements(content: bytes) -> Segments:
    return [each.elements for each in read_segments(BytesIO(content))]


def components(content: bytes) -> list[list[list[str]]]:
    return [[each.parts(number) for number in range(1, len(each.elements))] for each in read_segments(BytesIO(content))]


@given(
    marks=st.lists(st.sampled_from(MARKS), min_size=3, max_size=3, unique=True),
    ending=st.sampled_from(ENDINGS),
)
def test_any_separators_and_line_endings_give_the_same_segments(marks: list[str], ending: str) -> None:
    style = Style(marks[0], marks[1], marks[2], ending)
    written = edi(CLAIM, style=style)
    # ISA declares the separators themselves; all else is the same.
    assert components(written)[1:] == components(PLAIN)[1:]
    assert [each[0] for each in elements(written)] == [each[0] for each in elements(PLAIN)]


@pytest.mark.parametrize("terminator", ["\n", "\r", "\r\n"])
def test_lines_may_end_segments(terminator: str) -> None:
    style = Style(terminator=terminator[0], ending=terminator[1:])
    assert components(edi(CLAIM, style=style)) == components(PLAIN)


def test_lines_of_a_fixed_length_are_joined() -> None:
    whole = edi(CLAIM, style=Style(ending="")).decode()
    for width in (80, 79, 40):
        wrapped = "\r\n".join(whole[start : start + width] for start in range(0, len(whole), width))
        assert not re.search(r":\r\n~|\*\r\n:~", wrapped[:200]), "ISA's own separators stay together"
        assert elements(wrapped.encode())[1:] == elements(PLAIN)[1:]


def test_each_interchange_declares_its_own_separators() -> None:
    other = edi(CLAIM, style=Style("|", ">", "!", "\r\n"))
    both = components(PLAIN + b"\r\n\x1a" + other)
    assert both[1 : len(both) // 2] == both[len(both) // 2 + 1 :] == components(PLAIN)[1:]
    assert [each.component for each in read_segments(BytesIO(PLAIN + other)) if each.id == "CLM"] == [":", ">"]


def test_an_isa_without_the_iea_before_it_begins_an_interchange() -> None:
    cut = PLAIN[: PLAIN.index(b"GE*")]
    other = edi(CLAIM, style=Style("|", ">", "~"))
    found = list(read_segments(BytesIO(cut + other)))
    assert [each.id for each in found].count("ISA") == 2
    assert [each.component for each in found if each.id == "CLM"] == [":", ">"]


def test_an_isa_without_its_padding_is_read() -> None:
    trimmed = re.sub(rb" +\*", b"*", PLAIN)
    assert len(trimmed) < len(PLAIN)
    assert elements(trimmed)[1:] == elements(PLAIN)[1:]


@pytest.mark.parametrize(("length", "is_read"), [(400, True), (401, False)])
def test_an_isa_has_400_characters_at_most(length: int, is_read: bool) -> None:
    content = PLAIN.replace(b"ISA*00*", b"ISA*00*" + b" " * (length - 106))
    assert content.index(b"~") == length - 1
    if is_read:
        assert elements(content)[1:] == elements(PLAIN)[1:]
    else:
        with pytest.raises(UnreadableInput, match="ISA: expected 16 elements"):
            elements(content)


def test_empty_segments_blanks_and_a_byte_order_mark_say_nothing() -> None:
    content = b"\xef\xbb\xbf \r\n" + PLAIN.replace(b"HL*1**20*1~", b"~\n~ HL*1**20*1 ~~") + b"\r\n\x1a\0\0"
    assert components(content) == components(PLAIN)


def test_the_last_segment_may_lack_its_terminator_and_a_cut_one_is_told() -> None:
    *_, last = read_segments(BytesIO(PLAIN.rstrip(b"~\n")))
    assert (last.id, last.is_cut) == ("IEA", False)
    *_, last = read_segments(BytesIO(PLAIN[: PLAIN.index(b"SV1") + 8]))
    assert (last.id, last.is_cut) == ("SV1", True)


class Dribble(RawIOBase):
    """A file that gives one byte at a time."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def read(self, _: int = -1) -> bytes:
        self.at += 1
        return self.content[self.at - 1 : self.at]


def test_the_ends_of_what_is_read_at_once_do_not_show() -> None:
    content = edi(CLAIM, EdiClaim(payer="CAISSE É 健康", lines=lines("93350")))
    assert [each.elements for each in read_segments(cast(BinaryIO, Dribble(content)))] == elements(content)


def test_invalid_utf_8_is_replaced() -> None:
    content = PLAIN.replace(b"*MEDICARE*", b"*MEDIC\xc1RE*")
    assert ["NM1", "PR", "2", "MEDIC\ufffdRE"] in [each[:4] for each in elements(content)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"hello", "expected an X12 file, which begins with ISA"),
        (b"ISAAC NEWTON", "expected an X12 file, which begins with ISA"),
        (b"ISA*00*", "ISA: expected 16 elements"),
        (b"ISA" + b"*" * 15 + b":~", "ISA: expected 16 elements"),
        (PLAIN[:104] + b"**" + PLAIN[106:], "ISA: expected 16 elements"),
        (PLAIN[:105] + b"A" + PLAIN[106:], "ISA: expected 16 elements"),
        (PLAIN + b"and more", "expected an X12 file, which begins with ISA"),
        (PLAIN[:106] + b"A" * (LONGEST_SEGMENT + 600_000), "expected a segment terminator"),
    ],
    ids=range(8),
)
def test_what_is_no_x12_is_one_line_that_repeats_nothing(content: bytes, expected: str) -> None:
    with pytest.raises(UnreadableInput) as caught:
        elements(content)
    assert str(caught.value).startswith(expected)
    assert "NEWTON" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_long_segment_is_read_whole() -> None:
    long = "X" * 300_000
    segments = transaction([CLAIM])
    segments.insert(2, ["NTE", "ADD", long])
    assert ["NTE", "ADD", long] in elements(interchange(group(segments)).encode())


# --- files ----------------------------------------------------------------------------------------------------------


def test_x12_is_known_by_its_first_bytes_plain_or_gzip(tmp_path: Path) -> None:
    for name, content in {
        "claims.txt": PLAIN,
        "claims.837.gz": gzip.compress(PLAIN),
        "claims.json": gzip.compress(PLAIN),
        "mark": b"\xef\xbb\xbf\r\n" + PLAIN,
    }.items():
        (tmp_path / name).write_bytes(content)
        assert is_x12_file(tmp_path / name), name
        with open_x12(tmp_path / name) as file:
            assert len(list(read_segments(file))) == len(elements(PLAIN))
    for name, content in {
        "a.ndjson": b'{"ISA": 1}',
        "b": b"ISAAC",
        "c": b"",
        "d.gz": gzip.compress(b"{}")[:12],
    }.items():
        (tmp_path / name).write_bytes(content)
        assert not is_x12_file(tmp_path / name), name
    assert not is_x12("ISA".encode("utf-16"))
    for content in (b"ISA", b"ISA 00*", b"ISA\n*", b"ISAX*00", b"XISA*00", b"ISA0*"):
        assert not is_x12(content)
    assert is_x12(b" \r\nISA|00|")


def test_a_truncated_gzip_file_is_told_behind_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(PLAIN * 200, mtime=0)[:-30])

    def read() -> Iterator[Any]:
        with open_x12(tmp_path / "a.gz") as file:
            yield from read_segments(file)

    found: list[Any] = []
    with pytest.raises(UnreadableInput, match="the gzip file is corrupt or truncated here"):
        found += read()
