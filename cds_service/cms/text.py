"""Text tables: lines, records of CSV and their cells, with faults that name line, column and the expected value."""

import codecs
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple, TextIO

from cds_service.errors import UnusableFile

CODE = re.compile(r"[0-9A-Z]{5}")
LONGEST_LINE = 64 * 1024  # characters
LONGEST_PROSE = 16 << 20  # characters of a line or a cell in tables that hold the text of documents
_NUMBER = re.compile(r"-?\$?\s*-?(\d[\d,]*)?(\.\d+)?")


def _decode_cp1252(error: UnicodeError) -> tuple[str, int]:
    """A byte that is not UTF-8 is cp1252, as CMS writes marks such as (R); the five unassigned bytes are Latin-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    byte = error.object[error.start : error.start + 1]
    try:
        return byte.decode("cp1252"), error.start + 1
    except UnicodeDecodeError:
        return byte.decode("latin-1"), error.start + 1


CP1252_BYTES = "cms-cp1252"  # as `errors=` with the encoding utf-8-sig
codecs.register_error(CP1252_BYTES, _decode_cp1252)


def fault(line: int, column: int | None, label: str, expected: str) -> UnusableFile:
    """The error for a place. `column` counts from 1: a column of a table, or a character of a fixed width."""
    place = f"line {line}" if column is None else f"line {line}, column {column}"
    return UnusableFile(f"{place}{f' ({label})' if label else ''}: expected {expected}")


class Column(NamedTuple):
    """A column: its position from 0, and for faults its label and its place from 1 (a column, or a character)."""

    position: int
    label: str
    place: int


class Wanted(NamedTuple):
    """A column that a layout needs: its name here, a pattern of its label in any year, and the usual position."""

    name: str
    pattern: str
    position: int
    shown: str

    def is_label(self, text: str) -> bool:
        """True for the label of this column in any year; spaces and line breaks count alike."""
        return re.fullmatch(self.pattern, " ".join(text.split()), re.IGNORECASE) is not None


class Record(NamedTuple):
    """A record of a table: the number of its first line, its cells, and the columns by name."""

    line: int
    cells: Sequence[str]
    columns: Mapping[str, Column]

    def text(self, name: str) -> str:
        """A cell without surrounding spaces; `.` is how CMS writes an empty cell."""
        value = self.cells[self.columns[name].position].strip()
        return "" if value == "." else value

    def fault(self, name: str, expected: str) -> UnusableFile:
        """The error for a cell."""
        column = self.columns[name]
        return fault(self.line, column.place, column.label, expected)

    def code(self, name: str) -> str:
        """A billing code of five characters."""
        value = self.text(name)
        if not CODE.fullmatch(value):
            raise self.fault(name, "a code of five digits and capital letters")
        return value

    def one_of(self, name: str, values: Sequence[str]) -> str:
        """One of several texts."""
        value = self.text(name)
        if value not in values:
            raise self.fault(name, f"one of {', '.join(each or 'nothing' for each in values)}")
        return value

    def number(self, name: str, empty: Sequence[str] = ("",)) -> Decimal | None:
        """A decimal, also with `$` and thousands separators; None for a text of `empty`."""
        value = self.text(name)
        if value in empty:
            return None
        found = _NUMBER.fullmatch(value)
        if not found or not (found[1] or found[2]):
            raise self.fault(name, "a number such as 1.25")
        return Decimal(re.sub(r"[$,\s]", "", value))

    def amount(self, name: str) -> Decimal:
        """A decimal that must not be missing."""
        value = self.number(name)
        if value is None:
            raise self.fault(name, "a number such as 1.25")
        return value

    def day(self, name: str) -> date | None:
        """A date written YYYYMMDD; None for an empty cell."""
        value = self.text(name)
        if not value:
            return None
        try:
            return day_of(value)
        except ValueError:
            raise self.fault(name, "a date written YYYYMMDD, or nothing") from None


def day_of(text: str) -> date:
    """The date written YYYYMMDD. Raises ValueError."""
    if not re.fullmatch(r"\d{8}", text, re.ASCII):
        raise ValueError(text)
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def julian_day(text: str) -> date:
    """The date written YYYYDDD, such as 2013091 for 2013-04-01. Raises ValueError."""
    if not re.fullmatch(r"\d{7}", text, re.ASCII) or text[4:] == "000":
        raise ValueError(text)
    found = date(int(text[:4]), 1, 1) + timedelta(days=int(text[4:]) - 1)
    if found.year != int(text[:4]):
        raise ValueError(text)
    return found


def lines_of(text: TextIO, longest: int = LONGEST_LINE) -> Iterator[tuple[int, str]]:
    """The lines without their ends, with their numbers from 1. Raises UnusableFile for an endless one."""
    number = 0
    while line := text.readline(longest):
        number += 1
        if len(line) == longest:
            raise fault(number, None, "", f"lines of fewer than {longest} characters")
        yield number, line.rstrip("\r\n")


@contextmanager
def long_cells() -> Iterator[None]:
    """Let `records_of` read cells of more than the 128 KB to which Python's reader limits them."""
    usual = csv.field_size_limit(LONGEST_PROSE)
    try:
        yield
    finally:
        csv.field_size_limit(usual)


def records_of(text: TextIO, delimiter: str = ",", longest: int = LONGEST_LINE) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV text with the numbers of their first lines; cells may hold line breaks.

    Empty records are skipped. Raises UnusableFile where quotes do not match.
    """
    reader = csv.reader((f"{line}\n" for _, line in lines_of(text, longest)), delimiter=delimiter, strict=True)
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            most = f"{csv.field_size_limit() // 1024:,} KB"
            raise fault(first, None, "", f"cells in matching quotes, of less than {most}") from None
        if any(cell.strip() for cell in cells):
            yield first, cells


def columns_of(line: int, labels: Sequence[str], wanted: Sequence[Wanted]) -> dict[str, Column]:
    """The wanted columns of a header by name. Raises UnusableFile for the first that is missing or repeated."""
    found: dict[str, Column] = {}
    for each in wanted:
        places = [index for index, label in enumerate(labels) if each.is_label(label)]
        if len(places) != 1:
            raise fault(line, each.position + 1, "header", f"the column `{each.shown}` once")
        (position,) = places
        found[each.name] = Column(position, each.shown, position + 1)
    return found


def table_of(
    text: TextIO, wanted: Sequence[Wanted], delimiter: str = ",", longest: int = LONGEST_LINE
) -> Iterator[Record]:
    """The records after the header: the first record whose first cell is the label of the first wanted column.

    Raises UnusableFile if there is no such header, if it lacks a column, or for a record with fewer cells.
    """
    records = records_of(text, delimiter, longest)
    for line, cells in records:
        if wanted[0].is_label(cells[0]):
            columns = columns_of(line, cells, wanted)
            return body(records, columns, 1 + max(column.position for column in columns.values()))
    raise fault(1, 1, "header", f"the column `{wanted[0].shown}`")


def body(records: Iterator[tuple[int, list[str]]], columns: Mapping[str, Column], width: int) -> Iterator[Record]:
    """The records after a header, each with at least `width` cells. Raises UnusableFile for a shorter one."""
    for line, cells in records:
        if len(cells) < width:
            raise fault(line, len(cells) + 1, "", f"{width} columns, as in the header")
        yield Record(line, cells, columns)


def fixed_records(text: TextIO, places: Mapping[str, tuple[int, int]], width: int) -> Iterator[Record]:
    """The records of a text of fixed width, with the cells at `places` (start and end from 0, by label).

    Empty lines are skipped. Raises UnusableFile for a line of another width; spaces at its end do not count.
    """
    columns = {name: Column(index, name, start + 1) for index, (name, (start, _)) in enumerate(places.items())}
    needed = max(start for start, _ in places.values())
    for number, line in lines_of(text):
        if not line.strip():
            continue
        if len(line) < needed or len(line.rstrip()) > width:
            raise fault(number, min(len(line), width) + 1, "", f"{width} characters of fixed width")
        yield Record(number, [line[start:end] for start, end in places.values()], columns)
