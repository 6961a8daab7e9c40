"""The table loader rejects ambiguous entries and names their place."""

from datetime import date
from pathlib import Path

import pytest

from cds_service.core.tables import Entry, Table, load_table
from cds_service.errors import TableError
from cds_service.review.reference import cited
from hooks.codes.tables import ADD_ONS, CODES, MODIFIERS, OPPS, PairRow

HEAD = """title: A table
sources:
  one: {publisher: CMS, document: a file, year: 2026, verified_through: 2026-09-30}
entries:
"""


def load(tmp_path: Path, entries: str, head: str = HEAD) -> list[Entry]:
    path = tmp_path / "table.yaml"
    path.write_text(head + entries)
    return list(load_table(path, Entry))


def test_reads_dates_and_takes_the_only_source(tmp_path: Path) -> None:
    (entry,) = load(tmp_path, '  - {code: "93350", first: 2020-01-01}\n')
    assert (entry.first, entry.source, entry.verified_through) == (date(2020, 1, 1), "one", date(2026, 9, 30))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("  - {code: 93350}\n", "line 5: put `93350` in quotes"),
        ("  - {code: 00100}\n", "line 5: put `00100` in quotes"),
        ("  - {code: Q9957}\n", "line 5: put `Q9957` in quotes"),
        ("  - {code: 0439T}\n", "line 5: put `0439T` in quotes"),
        ('  - {code: "93350", first: 1.5}\n', "line 5: put `1.5` in quotes"),
        ('  - {code: "93350", code: "93351"}\n', "line 5: duplicate key `code`"),
        ('  - {code: "93350", frist: 2020-01-01}\n', "entries[0] (93350): Object contains unknown field `frist`"),
        ('  - {code: "93350", source: two}\n', "expected `source` to be one of one"),
        ('  - {code: "93350", first: 2020-13-01}\n', "line 5: expected a date"),
        ('  - {code: "93350", first: 2020-01-02, last: 2020-01-01}\n', "expected `last` to be no earlier"),
        ("  - {first: 2020-01-01}\n", "entries[0] (no code): Object missing required field `code`"),
        ('  - {code: "93350", last: 2020-06-30}\n  - {code: "93350", first: 2020-06-30}\n', "in force on the same day"),
        ('  - {code: "93350", first: on}\n', "put `on` in quotes"),
        ('  - {code: "93350"\n', "invalid YAML"),
    ],
)
def test_refuses(tmp_path: Path, entries: str, expected: str) -> None:
    with pytest.raises(TableError, match=r"table\.yaml") as caught:
        load(tmp_path, entries)
    assert expected in str(caught.value)


PAIR = '  - {code: "93351", setting: professional, never: ["93350"]%s}\n'


def test_entries_of_another_key_may_be_in_force_on_one_day(tmp_path: Path) -> None:
    path = tmp_path / "table.yaml"
    path.write_text(HEAD + PAIR % "" + PAIR.replace("professional", "facility") % "")
    assert [row.key for row in load_table(path, PairRow)] == ["93351 (professional, one)", "93351 (facility, one)"]
    path.write_text(HEAD + PAIR % ", last: 2025-12-31" + PAIR % ", first: 2025-12-31")
    with pytest.raises(TableError, match=r"two entries for 93351 \(professional, one\) are in force on the same day"):
        load_table(path, PairRow)


def test_refuses_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="empty"):
        load(tmp_path, "", head="")


@pytest.mark.parametrize(
    ("code", "day", "is_in_force"),
    [
        ("Q9950", date(2015, 12, 31), False),
        ("Q9950", date(2016, 1, 1), True),
        ("0439T", date(2016, 6, 30), False),
        ("0439T", date(2016, 7, 1), True),
        ("C8930", date(2008, 12, 31), False),
        ("C8930", date(2009, 1, 1), True),
        ("93350", date(1990, 1, 1), True),
        ("93350", None, True),
    ],
)
def test_codes_are_in_force_from_their_first_date(code: str, day: date | None, is_in_force: bool) -> None:
    assert (CODES.on(code, day) is not None) is is_in_force


def test_an_entry_ends_with_its_last_date() -> None:
    before, after = ADD_ONS.on("93356", date(2021, 6, 30)), ADD_ONS.on("93356", date(2021, 7, 1))
    assert before
    assert after
    assert "C8930" not in before.primaries
    assert "C8930" in after.primaries


@pytest.mark.parametrize(
    ("table", "code", "day", "is_in_force"),
    [
        (MODIFIERS, "JW", date(2016, 12, 31), False),
        (MODIFIERS, "JW", date(2017, 1, 1), True),
        (MODIFIERS, "JZ", date(2023, 6, 30), False),
        (MODIFIERS, "JZ", date(2023, 7, 1), True),
        (OPPS, "93015", date(2026, 3, 31), False),
        (OPPS, "93015", date(2026, 4, 1), True),
        (CODES, "0439T", date(2016, 6, 30), False),
        (CODES, "0439T", date(2016, 7, 1), True),
    ],
)
def test_facts_begin_on_their_days(table: Table[Entry], code: str, day: date, is_in_force: bool) -> None:
    assert (table.on(code, day) is not None) is is_in_force


def test_the_release_of_a_source_is_where_its_entries_begin_and_no_change(tmp_path: Path) -> None:
    head = HEAD.replace("year: 2026,", "year: 2026, release: 2026-04-01,")
    listed, dated = load(tmp_path, '  - {code: "93350"}\n  - {code: "93351", first: 2020-01-01}\n', head=head)
    assert (listed.first, listed.start) == (None, date(2026, 4, 1))
    assert (dated.release, dated.start) == (None, date(2020, 1, 1))
    assert not listed.in_force(date(2026, 3, 31))
    table = load_table(tmp_path / "table.yaml", Entry)
    assert cited(table, listed).dates == "in the release of 2026-04-01; since when is not known"
    assert cited(table, dated).dates == "from 2020-01-01"
