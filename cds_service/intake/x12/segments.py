"""Splits X12 files into segments, as a stream: separators from each ISA, any line endings, gzip by content.

Own code, since pyx12's reader stops without a word at an empty segment, at one of more than 8 KB and at the cut end of
a file, knows one set of separators for a file, and raises IndexError for a stray trailer. The tests compare the two.
"""

import codecs
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import msgspec

from cds_service.errors import UnreadableInput
from cds_service.fhir.files import GZIP_ERRORS, is_gzip_file

# A longer text without a segment terminator is no X12, and is not held in memory.
LONGEST_SEGMENT = 1_000_000

# The first bytes of a file, by which X12 is known.
FIRST_BYTES = 512

_CHUNK_BYTES = 256 * 1024
_BLANK = "\ufeff \t\r\n\x00\x1a"  # old systems end a file with Ctrl-Z
_SPACE = " \t\r\n"  # not all of Python's white space, which holds separators in use, such as \x1d
_LONGEST_HEADER = 400
_ISA_ELEMENTS = 16

NOT_X12 = "expected an X12 file, which begins with ISA"
_BAD_HEADER = "ISA: expected 16 elements, the last a component separator, and then a segment terminator"
_ENDLESS = f"expected a segment terminator, as ISA declares it, within {LONGEST_SEGMENT:,} characters"
_CORRUPT = "the gzip file is corrupt or truncated here; the rest is missing"


class Segment(msgspec.Struct, gc=False):
    """A segment: its id and elements, and the separator of components. `is_cut`: the file ends within it."""

    elements: list[str]
    component: str
    is_cut: bool = False

    @property
    def id(self) -> str:
        """The segment's id, such as CLM."""
        return self.elements[0]

    def value(self, number: int) -> str:
        """An element by its number in the guides, from 1; empty if it is not sent."""
        return self.elements[number].strip(_SPACE) if number < len(self.elements) else ""

    def parts(self, number: int) -> list[str]:
        """The components of an element; at least one, which may be empty."""
        return [each.strip(_SPACE) for each in self.value(number).split(self.component)]


def is_x12(first: bytes) -> bool:
    """True if data begin as an interchange does, with ISA and a separator. Names of files do not tell."""
    return _is_header(first.decode("utf-8", "replace").lstrip(_BLANK))


def _is_header(text: str) -> bool:
    if not text.startswith("ISA"):
        return False
    separator = text[3:4]
    return not separator.isalnum() and bool(separator.strip(_BLANK))


def is_x12_file(path: Path) -> bool:
    """True if a file, plain or gzip, begins as an interchange does. Raises OSError."""
    try:
        with open_x12(path) as file:
            return is_x12(file.read(FIRST_BYTES))
    except GZIP_ERRORS:
        return False  # the caller names it as a file that was not read


def open_x12(path: Path) -> BinaryIO:
    """A file, decompressed if it is gzip. Raises OSError."""
    return cast(BinaryIO, gzip.open(path) if is_gzip_file(path) else path.open("rb"))


def read_segments(file: BinaryIO) -> Iterator[Segment]:
    """The segments of all interchanges; invalid UTF-8 becomes U+FFFD.

    Raises UnreadableInput where the text is not X12, after the segments before it.
    """
    return _Reader(file).segments()


class _Separators(NamedTuple):
    element: str
    component: str
    terminator: str


class _Reader:
    """Holds a part of the text: what was read of the file and not yet split."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._ended = False

    def segments(self) -> Iterator[Segment]:
        while self._skip_blank():
            header, separators = self._header()
            yield header
            yield from self._interchange(separators)

    def _more(self) -> str:
        """The next part of the text; empty at the end of the file. Raises UnreadableInput for damaged gzip."""
        while not self._ended:
            try:
                content = self._file.read(_CHUNK_BYTES)
            except GZIP_ERRORS:
                self._ended = True
                raise UnreadableInput(_CORRUPT) from None
            self._ended = not content
            if text := self._decoder.decode(content, final=self._ended):
                return text
        return ""

    def _skip_blank(self) -> bool:
        """Skip what may stand between interchanges; False at the end of the file."""
        self._text = self._text.lstrip(_BLANK)
        while not self._text and (more := self._more()):
            self._text = more.lstrip(_BLANK)
        return bool(self._text)

    def _header(self) -> tuple[Segment, _Separators]:
        """ISA, whose place of separators declares them. Its elements may lack the blanks that pad them."""
        while len(self._text) < _LONGEST_HEADER and (more := self._more()):
            self._text += more
        if not _is_header(self._text):
            raise UnreadableInput(NOT_X12)
        *written, last = self._text[:_LONGEST_HEADER].split(self._text[3], _ISA_ELEMENTS)
        if len(written) < _ISA_ELEMENTS or len(last) < 2:
            raise UnreadableInput(_BAD_HEADER)
        found = _Separators(self._text[3], *last[:2])
        if len({*found}) < len(found) or found.component in _SPACE or any(each.isalnum() for each in found):
            raise UnreadableInput(_BAD_HEADER)
        elements = [each.replace("\r", "").replace("\n", "") for each in written]
        self._text = last[2:] + self._text[_LONGEST_HEADER:]
        return Segment([*elements, found.component], found.component), found

    def _interchange(self, separators: _Separators) -> Iterator[Segment]:
        """The segments up to IEA, or to an ISA without it, where the separators may change."""
        separator, component, terminator = separators
        text, at = self._text, 0
        while True:
            end = text.find(terminator, at)
            if end < 0:
                text, at = text[at:], 0
                if len(text) > LONGEST_SEGMENT:
                    raise UnreadableInput(_ENDLESS)
                if more := self._more():
                    text += more
                    continue
                yield from _last(text, separators)
                self._text = ""
                return
            written = text[at:end].strip(_BLANK)
            if _is_header(written):
                self._text = text[at:]
                return
            at = end + 1
            if not written:
                continue  # an empty segment says nothing
            if "\n" in written:  # lines of a fixed length
                written = written.replace("\r", "").replace("\n", "")
            segment = Segment(written.split(separator), component)
            if segment.id == "IEA":
                self._text = text[at:]
                yield segment
                return
            yield segment


def _last(text: str, separators: _Separators) -> Iterator[Segment]:
    """The text behind the last terminator: an IEA without its own, or a segment that is cut."""
    if written := text.strip(_BLANK):
        elements = written.split(separators.element)
        yield Segment(elements, separators.component, is_cut=elements[0] != "IEA")
