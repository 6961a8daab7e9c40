"""NCCI procedure-to-procedure (PTP) edits: `ccipra-v322r0-f1.txt` (practitioner) and `ccioph-...` (hospital).

Tab separated: column 1, column 2, `*` if in existence before 1996, effective date, deletion date or `*`, modifier
indicator, rationale. The labels of the header are wrapped over four lines. A release has four parts, sorted by
column 1; a pair has a row for each period. A release also lists all ended edits, so it answers for every day since
1996.

Millions of rows are read with one pattern per line; `pair_groups.py` has their stored form.
"""

import re
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import NoReturn

from cds_service.cms.layouts.base import Group, Layout, OpenText, Stamp
from cds_service.cms.layouts.pair_groups import BEFORE_1996, EPOCH, NO_END, Edit, group_of, number_of, rows
from cds_service.cms.quarters import Quarter
from cds_service.cms.text import CODE, day_of, fault, lines_of
from cds_service.errors import UnusableFile

FIRST_DAY = date(1996, 1, 1)
PARTS = 4

_LABELS = (
    "Column 1",
    "Column 2",
    "*=in existence prior to 1996",
    "Effective Date",
    "Deletion Date *=no data",
    "Modifier 0=not allowed 1=allowed 9=not applicable",
    "PTP Edit Rationale",
)
_SHOWN = ("Column 1", "Column 2", "prior to 1996", "Effective Date", "Deletion Date", "Modifier", "Rationale")
_CODE_EXPECTED = "a code of five digits and capital letters"
_ROW = re.compile(
    r"([0-9A-Z]{5})\t([0-9A-Z]{5})\t(\*?)\t([0-9]{8})\t([0-9]{8}|\*)\t([019])\t([^\t]*?)\s*",
)
_NAME = re.compile(r"cci(pra|oph)-?v(\d\d)([0-3])r\d+(?:-f(\d))?", re.IGNORECASE)
_QUARTERLY_CHANGES = re.compile(r"(?<![a-z])(add|del|rev|chang)", re.IGNORECASE)
_SETTINGS = {"pra": "professional", "oph": "facility"}
_VERSION_0 = 1994  # version 32.0 is 2026Q1
_MOST_RATIONALES = 1000  # some twenty are in use; more of them are another column's texts


def recognizes(head: str) -> bool:
    """True for a tab separated header that begins with Column 1 and Column 2."""
    return re.search(r"^Column 1\tColumn 2\t", head, re.MULTILINE | re.IGNORECASE) is not None


def stamp(_head: str, name: str) -> Stamp:
    """Setting, release and part, from the name; the text states none of them.

    Raises UnusableFile for the name of the quarter's additions, deletions and revisions.
    """
    found = _NAME.search(name)
    if not found:
        return Stamp()
    if not found[4] and _QUARTERLY_CHANGES.search(name):
        raise UnusableFile("expected the edits of a whole quarter (parts f1 to f4), not the quarter's changes")
    quarter = Quarter(_VERSION_0 + int(found[2]), int(found[3]) + 1)
    return Stamp(_SETTINGS[found[1].lower()], quarter, None, int(found[4]) if found[4] else None)


def groups(text: OpenText) -> Iterator[Group]:
    """The edits by column 1; rationales are shared texts. Raises UnusableFile."""
    lines = lines_of(text.stream)
    header = _skip_header(lines)
    parser = _Parser(text.shared)
    earlier = ""
    for column_1, alike in groupby(parser.edits(lines, header), key=itemgetter(0)):
        if column_1 < earlier:
            raise fault(parser.line, 1, _SHOWN[0], "rows sorted by column 1")
        earlier = column_1
        edits = sorted({edit for _, edit in alike})
        yield group_of(column_1, edits)


def _skip_header(lines: Iterator[tuple[int, str]]) -> int:
    """Read to the end of the header, check its labels, and return its last line."""
    for number, line in lines:
        if line.lower().startswith("column 1\tcolumn 2"):
            wrapped = [line, *(following for _, (_, following) in zip(range(3), lines, strict=False))]
            cells = [row.split("\t") for row in wrapped]
            for index, label in enumerate(_LABELS):
                joined = " ".join(row[index].strip() for row in cells if index < len(row) and row[index].strip())
                if joined.lower() != label.lower():
                    raise fault(number, index + 1, "header", f"the column `{label}`")
            if max(map(len, cells)) > len(_LABELS):
                raise fault(number, len(_LABELS) + 1, "header", f"{len(_LABELS)} columns")
            return number + 3
    raise fault(1, 1, "header", f"the column `{_LABELS[0]}`")


class _Numbers(dict[str, int]):
    """Codes as numbers."""

    def __missing__(self, code: str) -> int:
        self[code] = number_of(code)
        return self[code]


class _Days(dict[str, int]):
    """Dates as days since 1990. Raises ValueError for what is none."""

    def __missing__(self, text: str) -> int:
        days = day_of(text).toordinal() - EPOCH
        if not 0 <= days < NO_END:
            raise ValueError(text)
        self[text] = days
        return days


class _Indexes(dict[str, int]):
    """Texts as their positions in a list, to which new ones are appended."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self._texts = texts

    def __missing__(self, text: str) -> int:
        self[text] = len(self._texts)
        self._texts.append(text)
        return self[text]


class _Parser:
    """Reads lines; keeps the number of the last one, and the forms of dates, codes and rationales it has seen."""

    def __init__(self, texts: list[str]) -> None:
        self.line = 0
        self._indexes = _Indexes(texts)
        self._days = _Days({"*": NO_END})
        self._numbers = _Numbers()

    def edits(self, lines: Iterator[tuple[int, str]], header: int) -> Iterator[tuple[str, Edit]]:
        """Column 1 and the edit of each line."""
        match, days, numbers, indexes = _ROW.fullmatch, self._days, self._numbers, self._indexes
        self.line = header
        for self.line, line in lines:
            found = match(line)
            if found is None:
                if not line.strip():
                    continue
                found = self._explain(line)
            column_1, column_2, before, first, last, indicator, rationale = found.groups()
            flags = int(indicator) | (BEFORE_1996 if before else 0)
            try:
                edit = Edit(numbers[column_2], days[first], days[last], flags, indexes[rationale])
            except ValueError:
                self._explain_dates(first)
            if edit.last < edit.first:
                raise fault(self.line, 5, _SHOWN[4], "a deletion date no earlier than the effective date")
            if edit.rationale >= _MOST_RATIONALES:
                raise fault(self.line, 7, _SHOWN[6], "one of CMS's few rationales")
            yield column_1, edit

    def _explain_dates(self, first: str) -> NoReturn:
        """Raise UnusableFile for the column of a date that is none."""
        try:
            _ = self._days[first]
        except ValueError:
            raise fault(self.line, 4, _SHOWN[3], "a date since 1990 written YYYYMMDD") from None
        raise fault(self.line, 5, _SHOWN[4], "a date since 1990 written YYYYMMDD, or `*`")

    def _explain(self, line: str) -> re.Match[str]:
        """The match of a line with spaces around its cells. Raises UnusableFile for the first cell at fault."""
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != len(_LABELS):
            raise fault(self.line, min(len(cells), len(_LABELS)) + 1, "", f"{len(_LABELS)} columns separated by tabs")
        for index, pattern, expected in (
            (0, CODE.pattern, _CODE_EXPECTED),
            (1, CODE.pattern, _CODE_EXPECTED),
            (2, r"\*?", "`*` or nothing"),
            (3, "[0-9]{8}", "a date written YYYYMMDD"),
            (4, r"[0-9]{8}|\*", "a date written YYYYMMDD, or `*`"),
            (5, "[019]", "0, 1 or 9"),
        ):
            if not re.fullmatch(pattern, cells[index]):
                raise fault(self.line, index + 1, _SHOWN[index], expected)
        found = _ROW.fullmatch("\t".join(cells))
        if found is None:
            raise fault(self.line, 7, _SHOWN[6], "a text")
        return found


LAYOUT = Layout(
    kind="ptp",
    title="PTP edits",
    settings={"professional": "practitioner", "facility": "hospital"},
    recognizes=recognizes,
    stamp=stamp,
    groups=groups,
    rows=rows,
    parts=PARTS,
    since=FIRST_DAY,
)
