"""The weekly copies of the contractors' articles: their true layout with its traps, and the versions of a day."""

import csv
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cds_service.cms import store
from cds_service.cms.articles import Articles, NoArticles
from cds_service.cms.layouts.article_rows import COVERED, NOT_COVERED, ArticleRow, DiagnosisGroup
from cds_service.cms.layouts.paragraphs import named_codes, plain_text, states_condition
from cds_service.cms.lookup import Snapshot, Tables
from cds_service.cms.quarters import Edition, parse_release
from cds_service.cms.recognize import Given, given
from cds_service.errors import UnusableFile
from tests.support.mcd_articles import AT_CGS, CGS, NGS, SPRING, later
from tests.support.mcd_files import DESCRIPTOR, HEADERS, PROSE, ArticleText, Codes, mcd_zip, texts_of, written

PLAIN = ArticleText(
    id=50001, lists={1: "93350 93351"}, groups={2: Codes(paragraph="Applicable to 93350, 93351", codes="I10 I25.10")}
)


def add(folder: Path, path: Path, **options: Any) -> store.Added:
    return store.add(folder, [path], Given(), **options)


def loaded(tmp_path: Path, *copies: tuple[str, Sequence[ArticleText]], **form: Any) -> Snapshot:
    folder = tmp_path / "tables"
    tmp_path.mkdir(exist_ok=True)
    for edition, articles in copies:
        add(folder, mcd_zip(tmp_path / "current_article.zip", articles, edition, **form))
    return Tables(folder).snapshot()


def only(snapshot: Snapshot, number: str = CGS, code: str = "93350") -> ArticleRow:
    (found,) = snapshot.newest_articles("B", number, code)
    return found.row


def on(snapshot: Snapshot, day: str, code: str = "93350") -> Any:
    """The versions of a day, or the reason why they are not known."""
    found = snapshot.articles("B", CGS, code, date.fromisoformat(day))
    assert isinstance(found, Articles | NoArticles)
    if isinstance(found, NoArticles):
        return found.reason
    return [f"{each.row.name} {each.row.version}" for each in found.found] or "; ".join(found.unknown)


# --- the layout -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"encoding": "utf-8-sig"},
        {"encoding": "cp1252"},
        {"inner_only": True},
        {"end_column": "dis_end_date"},
    ],
    ids=str,
)
def test_a_copy_is_read_in_each_form(tmp_path: Path, form: dict[str, Any]) -> None:
    row = only(loaded(tmp_path, (SPRING, [AT_CGS]), **form))
    assert (row.id, row.version, row.name, row.first, row.last) == (57306, 43, "A57306", date(2025, 10, 1), None)
    assert row.contractors == (("A", "15101"), ("B", "15102"))
    assert row.lcds == (34338,)
    assert dict(row.procedures)[2] == ("J1250",)
    *_, group = row.groups
    assert group == DiagnosisGroup(
        4,
        COVERED,
        ("I20.0", "I25.10", "I42.0", "I49.40", "R07.9", "R94.31"),
        ("R94.31",),
        ("93320", "93321", "93325", "93350", "93351", "93352", "C8928", "C8930"),
        prose=False,
    )


def test_the_groups_of_procedures_and_diagnoses_are_told_apart(tmp_path: Path) -> None:
    """93351 stands in group 1 of the procedures, its diagnoses in group 4."""
    row = only(loaded(tmp_path, (SPRING, [AT_CGS])))
    assert [number for number, codes in row.procedures if "93351" in codes] == [1]
    assert [group.number for group in row.groups if "93351" in group.names] == [4]


def test_neither_descriptors_nor_prose_are_kept(tmp_path: Path) -> None:
    loaded(tmp_path, (SPRING, [AT_CGS]))
    (path,) = (tmp_path / "tables").glob("*.sqlite3")
    content = path.read_bytes()
    assert b"57306" in content
    for words in (DESCRIPTOR, PROSE[:20], "Applicable", "Billing and Coding", "A contractor"):
        assert words.encode() not in content


def test_the_release_is_the_end_of_the_newest_period_and_the_file_the_download(tmp_path: Path) -> None:
    snapshot = loaded(tmp_path, ("2026-09-28", [PLAIN]))
    (release,) = snapshot.releases
    assert (release.table, release.file) == ("articles-2026-09-28", "current_article.zip")
    assert (release.answers_from, release.last) == (date(2015, 10, 1), date(2026, 10, 12))
    assert release.title == "Medicare articles (MCD), 2026-09-28"


def test_cells_of_more_than_128_kib_are_read_and_the_limit_of_others_stays(tmp_path: Path) -> None:
    usual = csv.field_size_limit()
    line = "<p>Words that fill a line</p>"
    long = replace(PLAIN, groups={1: Codes(paragraph=f"For 93350:{line * 9_000}\r\n" + line, codes="I10")})
    assert only(loaded(tmp_path, (SPRING, [long]))).groups[0].names == ("93350",)
    assert csv.field_size_limit() == usual


def test_texts_of_the_copy_that_are_not_needed_are_not_reported(tmp_path: Path) -> None:
    added = add(tmp_path / "tables", mcd_zip(tmp_path / "current_article.zip", [PLAIN]))
    assert added.skipped == ()
    assert added.tables[0].release.rows == 4


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("contractor.csv", "expected contractor.csv beside article.csv: add the zip as CMS publishes it"),
        ("update_period.csv", "expected update_period.csv beside article.csv: add the zip as CMS publishes it"),
    ],
)
def test_a_copy_without_one_of_its_texts_is_refused(tmp_path: Path, name: str, fault: str) -> None:
    path = mcd_zip(tmp_path / "x.zip", [PLAIN], inner_only=True, without=name)
    with pytest.raises(UnusableFile) as error:
        add(tmp_path / "tables", path)
    assert str(error.value) == f"x.zip: {fault}"


def test_a_fault_names_text_line_column_and_the_expected_value(tmp_path: Path) -> None:
    path = mcd_zip(tmp_path / "x.zip", [replace(PLAIN, revised="soon")])
    with pytest.raises(UnusableFile) as error:
        add(tmp_path / "tables", path)
    where = "x.zip: current_article_csv.zip: line 2, column 4 (article_x_revision_history.rev_hist_date)"
    assert str(error.value) == f"{where}: expected a date written YYYY-MM-DD, or nothing"
    path = mcd_zip(tmp_path / "x.zip", [replace(PLAIN, retired="soon")])
    with pytest.raises(
        UnusableFile, match=r"article\.csv: line 2, column 21 \(article\.date_retired\): expected a date"
    ):
        add(tmp_path / "tables", path)


def test_the_same_copy_counts_once_and_another_of_its_day_has_to_replace_it(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    path = mcd_zip(tmp_path / "current_article.zip", [PLAIN])
    assert [add(folder, path).tables[0].new for _ in range(2)] == [True, False]
    changed = replace(PLAIN, groups={2: Codes(paragraph="Applicable to 93350", codes="I10")})
    path = mcd_zip(tmp_path / "all_article.zip", [changed])
    with pytest.raises(UnusableFile, match="is loaded with other content"):
        add(folder, path)
    assert add(folder, path, replace=True).tables[0].new


def test_a_copy_is_named_by_its_date() -> None:
    assert parse_release("2026-09-28") == given("2026-09-28", None).quarter == Edition(date(2026, 9, 28))
    assert parse_release("2026-09-31") is None


# --- groups of diagnoses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paragraph", "names", "prose"),
    [
        ("Applicable to HCPCS code 0439T", ("0439T",), False),
        ("codes 93350, 93351, <b>93352</b> and C8928:", ("93350", "93351", "93352", "C8928"), False),
        ("CPT codes 93350-93352", ("93350", "93351", "93352"), False),
        ("93350 &amp;ndash; 93352; ICD-10 code Z87.74", ("93350", "93351", "93352"), False),
        ("For 93350 see www.example.org/93351", ("93350",), False),
        ("All diagnoses of cardiology", (), True),
        ("", (), True),
        ("93350 except with J1250", ("93350", "J1250"), True),
        ("93350: a secondary diagnosis is required", ("93350",), True),
        ("93350 only", ("93350",), True),
        ("93350; J1250 is not subject to this list", ("93350", "J1250"), True),
        ("Use add-on code 0439T in conjunction with 93350", ("0439T", "93350"), True),
        ("93350 (the same code should be used as that of the base code): does not assure coverage", ("93350",), False),
    ],
)
def test_a_paragraph_names_codes_or_states_conditions(paragraph: str, names: tuple[str, ...], prose: bool) -> None:
    text = plain_text(paragraph)
    found = named_codes(text, {"93350", "93351", "93352", "93306"})
    assert found == names
    assert (states_condition(text) or not found) == prose


@pytest.mark.parametrize("codes", ["XX000", "I10 XX000", "", "I10 ???"])
def test_a_list_with_a_placeholder_or_without_codes_is_not_decided(tmp_path: Path, codes: str) -> None:
    article = replace(PLAIN, groups={1: Codes(paragraph="93350", codes=codes)})
    assert only(loaded(tmp_path, (SPRING, [article]))).groups[0].prose


def test_lists_of_diagnoses_that_are_not_covered_are_of_a_kind_of_their_own(tmp_path: Path) -> None:
    article = replace(PLAIN, not_covered={1: Codes(paragraph="93350", codes="i119")})
    group = only(loaded(tmp_path, (SPRING, [article]))).groups[-1]
    assert (group.kind, group.codes, group.prose) == (NOT_COVERED, ("I11.9",), False)


# --- contractors ----------------------------------------------------------------------------------------------------


def test_part_a_and_part_b_are_told_apart(tmp_path: Path) -> None:
    snapshot = loaded(tmp_path, (SPRING, [replace(PLAIN, macs="A 15101,AB 15202,D 17013")]))
    row = only(snapshot, "15202")
    assert row.contractors == (("", "17013"), ("A", "15101"), ("A", "15202"), ("B", "15202"))
    assert isinstance(snapshot.articles("B", "15101", "93350", date(2026, 3, 1)), NoArticles)
    assert isinstance(snapshot.articles("A", "17013", "93350", date(2026, 3, 1)), NoArticles)


def test_a_number_that_lost_its_zero_is_found(tmp_path: Path) -> None:
    assert only(loaded(tmp_path, (SPRING, [replace(PLAIN, macs="B 6102")])), NGS).id == 50001


def test_states_are_those_of_one_contractor_s_article_or_of_several_contractors(tmp_path: Path) -> None:
    one = replace(PLAIN, macs="B 13202", state="2")
    several = replace(PLAIN, id=50002, macs="B 13202,A 13201", state="4")
    served = {"13202": "1 3", "13201": "6"}
    snapshot = loaded(tmp_path, (SPRING, [one, several]), served=served)
    states = [each.row.states for each in snapshot.newest_articles("B", "13202", "93350")]
    assert states == [("NY",), ("MP", "NY")], "parts of New York are New York; ended jurisdictions do not count"


def test_of_a_contractor_whose_version_is_not_listed_the_newest_counts(tmp_path: Path) -> None:
    texts = texts_of([PLAIN], SPRING)
    (listed,) = texts["contractor"]
    numbers = {"9": "11111", "10": "15102", "x": "22222", "2": "33333"}
    texts["contractor"] = [
        [*listed[:2], version, listed[3], number, *listed[5:]] for version, number in numbers.items()
    ]
    texts["article_x_contractor"][0][5] = "11"
    path = tmp_path / "article.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, rows in texts.items():
            archive.writestr(f"{name}.csv", written(HEADERS[name], rows))
    add(tmp_path / "tables", path)
    assert only(Tables(tmp_path / "tables").snapshot()).contractors == (("B", "15102"),)


# --- versions and days ----------------------------------------------------------------------------------------------

V1 = replace(PLAIN, version=1, first="2026-01-01")
V2 = replace(PLAIN, version=2, first="2026-03-10")


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2025-12-31", "A50001: the version in force on 2025-12-31 is not among the loaded copies"),
        ("2026-01-01", ["A50001 1"]),
        ("2026-02-27", ["A50001 1"]),
        ("2026-03-09", ["A50001 1"]),
        ("2026-03-10", ["A50001 2"]),
        ("2026-03-20", ["A50001 2"]),
        ("2026-03-21", "Medicare articles (MCD): the newest loaded copy, of 2026-03-06, is older than 14 days"),
    ],
)
def test_a_version_answers_from_its_first_day_to_its_end(tmp_path: Path, day: str, expected: Any) -> None:
    """The copy of March has the version of 10 March only; the one before is in the copy of February."""
    assert on(loaded(tmp_path, ("2026-02-27", [V1]), ("2026-03-06", [V2])), day) == expected


def test_before_its_first_day_the_only_version_says_nothing(tmp_path: Path) -> None:
    snapshot = loaded(tmp_path, ("2026-03-06", [V2]))
    assert on(snapshot, "2026-03-09") == "A50001: the version in force on 2026-03-09 is not among the loaded copies"


def test_a_version_holds_until_the_next_one_also_between_copies_that_are_far_apart(tmp_path: Path) -> None:
    snapshot = loaded(tmp_path, ("2026-02-27", [V1]), ("2026-06-05", [replace(V2, first="2026-06-01")]))
    assert on(snapshot, "2026-05-31") == ["A50001 1"]
    assert on(snapshot, "2026-06-01") == ["A50001 2"]


def test_an_article_that_is_new_restricts_nothing_before(tmp_path: Path) -> None:
    other = replace(PLAIN, id=50002, first="2026-01-01")
    snapshot = loaded(tmp_path, ("2026-02-27", [other]), ("2026-03-06", [other, V2]))
    for day in ("2026-02-20", "2026-02-27", "2026-02-28", "2026-03-02"):
        found = snapshot.articles("B", CGS, "93350", date.fromisoformat(day))
        assert isinstance(found, Articles)
        assert ([each.row.name for each in found.found], found.unknown) == (["A50002"], ())


OTHER = replace(PLAIN, id=50002, first="2026-01-01")


def told(snapshot: Snapshot, day: str) -> tuple[list[str], list[str]]:
    """The articles that are in force on a day, and those whose version is not known."""
    found = snapshot.articles("B", CGS, "93350", date.fromisoformat(day))
    assert isinstance(found, Articles)
    versions = [f"{each.row.name} {each.row.version}" for each in found.found]
    return versions, [each.partition(":")[0] for each in found.unknown]


def test_what_later_and_older_copies_say_does_not_matter(tmp_path: Path) -> None:
    copies = ("2026-02-27", [V1, OTHER]), ("2026-03-06", [V1, OTHER]), ("2026-06-05", [OTHER])
    assert told(loaded(tmp_path / "later", *copies), "2026-03-02") == (["A50001 1", "A50002 1"], [])
    copies = ("2026-02-20", [V1, OTHER]), ("2026-02-27", [OTHER]), ("2026-06-05", [OTHER])
    assert told(loaded(tmp_path / "older", *copies), "2026-02-28") == (["A50002 1"], [])
    assert told(loaded(tmp_path / "older", *copies), "2026-02-20") == (["A50001 1", "A50002 1"], [])
    assert told(loaded(tmp_path / "older", *copies), "2026-02-21") == (["A50002 1"], ["A50001"])


def test_a_copy_tells_of_articles_that_begin_later_for_14_days(tmp_path: Path) -> None:
    begun = replace(V2, first="2026-06-01")
    snapshot = loaded(tmp_path / "new", ("2026-02-27", [OTHER]), ("2026-06-05", [OTHER, begun]))
    assert told(snapshot, "2026-03-13") == (["A50002 1"], [])
    assert told(snapshot, "2026-03-14") == (["A50002 1"], ["A50001"])
    copies = ("2026-01-02", [V1, OTHER]), ("2026-02-27", [OTHER]), ("2026-06-05", [OTHER, begun])
    snapshot = loaded(tmp_path / "gone", *copies)
    assert told(snapshot, "2026-03-13") == (["A50002 1"], [])
    assert told(snapshot, "2026-04-15") == (["A50002 1"], ["A50001"])


def test_a_contractor_whose_first_article_is_in_the_next_copy_is_known(tmp_path: Path) -> None:
    of_ngs = replace(OTHER, macs=f"B {NGS}")
    snapshot = loaded(tmp_path, ("2026-02-27", [of_ngs]), ("2026-03-06", [of_ngs, replace(V1, first="2026-03-01")]))
    assert told(snapshot, "2026-03-02") == (["A50001 1"], [])
    assert told(snapshot, "2026-02-28") == ([], [])


def test_of_several_versions_in_a_copy_the_newest_comes_first(tmp_path: Path) -> None:
    snapshot = loaded(tmp_path, ("2026-02-27", [V1]), ("2026-03-13", [V1, V2]))
    assert [each.row.version for each in snapshot.newest_articles("B", CGS, "93350")] == [2, 1]
    assert told(snapshot, "2026-03-14") == (["A50001 2"], [])
    assert snapshot.newest_articles("B", NGS, "93350") == ()
    assert Snapshot(()).newest_articles("B", CGS, "93350") == ()


def test_versions_between_two_copies_that_are_far_apart_are_not_known(tmp_path: Path) -> None:
    snapshot = loaded(tmp_path, ("2026-02-27", [V1]), ("2026-06-05", [replace(V2, version=4, first="2026-06-01")]))
    assert on(snapshot, "2026-02-20") == ["A50001 1"]
    for day in ("2026-03-05", "2026-04-15"):
        assert on(snapshot, day) == f"A50001: the version in force on {day} is not among the loaded copies"


def test_an_article_that_is_gone_from_the_next_copy_may_have_ended_before_the_day(tmp_path: Path) -> None:
    other = replace(PLAIN, id=50002, lists={1: "93306"})
    snapshot = loaded(tmp_path, ("2026-02-27", [V1]), ("2026-03-06", [other]))
    assert on(snapshot, "2026-02-27") == ["A50001 1"]
    assert "A50001: the version in force on 2026-03-02 is not" in on(snapshot, "2026-03-02")


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({"ends": "2026-03-01"}, "2026-03-01"),
        ({"retired": "2026-03-02", "status": "R"}, "2026-03-01"),
        ({"retires": "2026-03-02"}, "2026-03-01"),
        ({"revision_ends": "2026-03-01"}, "2026-03-01"),
    ],
    ids=str,
)
def test_an_article_that_has_ended_restricts_nothing(tmp_path: Path, changes: dict[str, Any], last: str) -> None:
    snapshot = loaded(tmp_path, (SPRING, [replace(V1, **changes)]))
    assert on(snapshot, last) == ["A50001 1"]
    assert on(snapshot, "2026-03-02") == ""


def test_a_later_copy_tells_that_the_version_has_ended(tmp_path: Path) -> None:
    snapshot = loaded(tmp_path, (SPRING, [V1]), ("2026-03-06", [replace(V1, ends="2026-03-01")]))
    assert on(snapshot, "2026-03-02") == ""


@pytest.mark.parametrize("changes", [{"lists": {1: "93306"}}, {"macs": f"B {NGS}"}], ids=str)
def test_a_version_that_no_longer_names_the_code_or_the_contractor_says_nothing(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    other = replace(PLAIN, id=50002, first="2026-01-01")
    snapshot = loaded(tmp_path, ("2026-03-06", [V1, other]), ("2026-03-13", [replace(V2, **changes), other]))
    assert on(snapshot, "2026-03-09") == ["A50001 1", "A50002 1"]
    assert on(snapshot, "2026-03-11") == ["A50002 1"]


def test_a_draft_is_no_version_and_a_revision_counts_from_its_own_day(tmp_path: Path) -> None:
    assert "is not among" in on(loaded(tmp_path, (SPRING, [replace(V1, status="P", display="DA50001")])), "2026-03-01")
    snapshot = loaded(tmp_path / "revised", (SPRING, [replace(V1, revised="2026-02-20")]))
    assert "is not among" in on(snapshot, "2026-02-19")
    assert on(snapshot, "2026-02-20") == ["A50001 1"]


def test_without_a_copy_or_with_another_contractor_nothing_is_known(tmp_path: Path) -> None:
    assert on(Snapshot(()), "2026-03-01") == "Medicare articles (MCD): no copy is loaded"
    snapshot = loaded(tmp_path, (SPRING, [replace(PLAIN, macs=f"B {NGS}", first="2026-01-01")]))
    assert on(snapshot, "2026-03-01").endswith("no MAC for Part B with the number 15102 has an article")


def test_a_diagnosis_is_as_old_as_the_oldest_version_that_lists_it(tmp_path: Path) -> None:
    old = replace(PLAIN, id=50002, first="2019-10-01", groups={1: Codes(paragraph="93306", codes="I10")})
    snapshot = loaded(tmp_path, (SPRING, [V1, old]), ("2026-09-28", [later(AT_CGS)]))
    assert snapshot.first_listed("I10") == date(2019, 10, 1)
    assert snapshot.first_listed("I25.10") == date(2026, 1, 1)
    assert snapshot.first_listed("I25.11") is None
