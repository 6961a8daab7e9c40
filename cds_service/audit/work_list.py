"""The work list `findings.csv`: the findings as a work list for a spreadsheet, one line each.

UTF-8 with a byte order mark, by which spreadsheets know it. A cell that a spreadsheet would take for a formula gets an
apostrophe before it.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

# Column, its words for readers of the documentation.
COLUMNS: tuple[tuple[str, str], ...] = (
    ("rule", "the rule's id, with those of the findings that the same fix repairs"),
    ("patient", "reference to the patient"),
    ("claim", "the claim; empty for a charge on no claim"),
    ("line", "the lines of the claim, or the charges, each with what is charged"),
    ("date", "date of service"),
    ("payer", "payer, as named in the coverage"),
    ("practitioner", "billing practitioner"),
    ("what to do", "the recommended fix, else the alternatives; empty if the record supports none"),
    ("direction", "`under`: undercharged; `over`: overcharged; `either`; empty if no charge changes"),
    ("estimated worth", "the estimate in dollars, without its sign; empty if a fee is missing"),
    ("reason", "the finding, in one sentence"),
    ("indicator", "`warning`: likely denial or incorrect payment; `info`: advice"),
    ("id", "the finding's id, the same in each run as long as rule, evidence and fixes are"),
)

NO_FIX = "none"  # the direction where no charge changes

QUERY = "SELECT * FROM findings ORDER BY rule, day NULLS LAST, id"

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_ROWS_AT_ONCE = 1000


def encoded(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """The work list in parts, for rows of the table of findings."""
    text = io.StringIO(newline="")
    write = csv.writer(text).writerow
    write([name for name, _ in COLUMNS])
    yield "\ufeff".encode() + _taken(text)
    for number, row in enumerate(rows, 1):
        write([_guarded(cell) for cell in _cells(row)])
        if number % _ROWS_AT_ONCE == 0:
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    """The text written since the last time."""
    content = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return content


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        ", ".join((row["rule"], *(row["also_rules"] or ()))),
        row["patient"],
        "; ".join(row["claims"] or ()),
        "; ".join(row["lines"] or ()),
        row["day"].isoformat() if row["day"] else "",
        row["payer"] or "",
        row["practitioner"] or "",
        _what_to_do(row["remedies"] or ()),
        "" if row["direction"] == NO_FIX else row["direction"],
        _amount(row["value"]),
        row["summary"],
        row["indicator"],
        row["id"],
    )


def _what_to_do(fixes: Iterable[Mapping[str, Any]]) -> str:
    every = list(fixes)
    return " or ".join(each["label"] for each in ([each for each in every if each["recommended"]] or every))


def _amount(value: Decimal | None) -> str:
    return "" if value is None else f"{abs(value):.2f}"


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
