"""A site's own statements: read strictly, quoted where they fit, and never judged by."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

import hooks
from cds_service.app import create_app
from cds_service.cdshooks.cards import MOST_STATEMENTS
from cds_service.core.site import SiteStatement
from cds_service.errors import SettingsError
from cds_service.review.advisor import Advisor
from cds_service.review.report import Report, report_of
from cds_service.review.site_file import load_site
from cds_service.settings import Settings
from cds_service.web.markdown import as_html
from cds_service.wiring import create_advisor, create_asker
from hooks.codes.tables import CODES
from tests.rules.test_cases import CASES, SERVICES
from tests.support.forked import run
from tests.support.notation import body_of, service_of
from tests.support.running import ROOT

EXAMPLE = ROOT / "deploy" / "statements.example.yaml"

PAYERS = "payers:\n  - {names: [Example Health Plan], medicare: false}\n"
LETTER = "{publisher: Our MAC, document: letter to us, date: 2026-05-04}"
TEXT = "Two units were accepted."

UNITS = "supply-units-mismatch"
WRONG_UNITS: dict[str, Any] = {
    "professional": "93351, 93352, Q9957x3",
    "place": 11,
    "payer": "Medicare",
    "day": "2026-06-01",
    "given": ["Definity 1.3 mL"],
}


def entry(**changes: Any) -> str:
    """An entry that fits WRONG_UNITS; a change to None leaves a member out."""
    members = {"id": "two-units", "code": "Q9957", "text": TEXT, "source": "letter", "first": "2026-01-01"}
    members |= {"rules": [UNITS]} | changes
    written = {name: value for name, value in members.items() if value is not None}
    dates = {name: value for name, value in written.items() if name in {"first", "last"}}
    others = [f"{name}: {json.dumps(value)}" for name, value in written.items() if name not in dates]
    return "{" + ", ".join([*others, *(f"{name}: {value}" for name, value in dates.items())]) + "}"


def site_of(folder: Path, *entries: str, source: str = LETTER, site: str = PAYERS) -> Path:
    """A site's file that names a file of statements."""
    lines = "\n".join(f"  - {each}" for each in entries)
    (folder / "statements.yaml").write_text(f"sources:\n  letter: {source}\nentries:\n{lines}\n")
    path = folder / "site.yaml"
    path.write_text(f"{site}statements: statements.yaml\n")
    return path


def load(folder: Path, *entries: str, **files: str) -> tuple[SiteStatement, ...]:
    return load_site(site_of(folder, *entries, **files), hooks.vocabulary()).statements


def review(site_file: Path | None, case: dict[str, Any]) -> Report:
    return reviewed_by(create_advisor(Settings(site_file=site_file)), case)


def reviewed_by(advisor: Advisor, case: dict[str, Any]) -> Report:
    return report_of(advisor.answer(SERVICES[service_of(case)], body_of(case)))


def quoted(folder: Path, case: dict[str, Any], *entries: str, **files: str) -> list[str]:
    """The texts of the statements on the card on the units of a case."""
    found = [each for each in review(site_of(folder, *entries, **files), case).findings if each.rule == UNITS]
    assert len(found) == 1
    return [each.text for each in found[0].site_statements]


# --- the file -------------------------------------------------------------------------------------------------------


def test_the_example_is_valid_and_explains_every_member() -> None:
    statements = load_site(ROOT / "deploy" / "site.example.yaml", hooks.vocabulary()).statements
    assert [each.id for each in statements] == [
        "site:mac-two-vials",
        "site:plan-wants-a9700",
        "site:house-reason-for-contrast",
    ]
    explained = EXAMPLE.read_text().split("entries:")[0]
    for member in ("id", "code", "text", "source", "first", "payers", "settings", "rules", "topic"):
        assert f"\n# {member} " in explained


def test_a_statement_is_cited_with_its_source_and_dates(tmp_path: Path) -> None:
    (statement,) = load(tmp_path, entry(also=["Q9950"], last="2026-12-31", payers=["Example health plan"]))
    assert statement.id == "site:two-units"
    assert statement.codes == ("Q9957", "Q9950")
    assert statement.payers == {"example health plan"}
    assert statement.quoted == f"This site's own statement: {TEXT} (Our MAC, letter to us, 2026-05-04)"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"code": "99213"}, "`99213` is not a code in scope"),
        ({"also": ["Q9957", "99213"]}, "`99213` is not a code in scope"),
        ({"rules": ["no-such-rule"]}, "unknown rule `no-such-rule`"),
        ({"payers": ["Somebody Else"]}, "unknown payer `Somebody Else`; expected one of example health plan, medicare"),
        ({"settings": ["hospital"]}, "unknown setting `hospital`; expected one of facility, professional"),
        ({"topic": "unit"}, "expected `topic` to be one of compliance, coverage"),
        ({"source": "fax"}, "expected `source` to be one of letter"),
        ({"source": None}, "`source` is required"),
        ({"text": None}, "`text` is required"),
        ({"text": " "}, "expected `text` to have 1 to 600 characters"),
        ({"text": "x" * 601}, "expected `text` to have 1 to 600 characters"),
        ({"text": "a\u0007b"}, "expected `text` without control characters"),
        ({"id": "Two Units"}, "expected `id` to be small letters and digits with hyphens"),
        ({"first": None}, "`first` is required"),
        ({"first": '"2026-13-01"'}, "line 4: `first`: expected a date such as 2026-11-03"),
        ({"first": "1826-01-01"}, "expected `first` to be no earlier than 1980-01-01"),
        ({"last": "2025-12-31"}, "expected `last` to be no earlier than `first`"),
        ({"payer": "medicare"}, "unknown key `payer`"),
    ],
)
def test_a_fault_of_an_entry_is_one_line(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, entry(**changes))
    (line,) = str(caught.value).splitlines()
    assert line.startswith("statements.yaml: line 4: ")
    assert expected in line


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{publisher: A, document: B, date: 2999-01-01}", "expected `date` to be the day of the document"),
        ("{publisher: A, document: B, date: 1826-01-01}", "expected `date` to be the day of the document"),
        ("{publisher: A, document: B}", "`date` is required"),
        ("{publisher: A, date: 2026-05-04}", "`document` is required"),
        ('{publisher: "", document: B, date: 2026-05-04}', "expected `publisher` to have 1 to 600 characters"),
        ("{publisher: A, document: B, date: 2026-02-30}", "expected a date such as 2026-09-30"),
        ("{publisher: A, document: B, date: 2026-05-04, url: 'javascript:1'}", "expected an address"),
        ("{publisher: A, document: B, date: 2026-05-04, verified_through: 2026-01-01}", "no earlier than `date`"),
        ("{publisher: A, document: B, date: 2026-05-04, year: 2026}", "unknown key `year`"),
    ],
)
def test_a_fault_of_a_source_is_one_line(tmp_path: Path, source: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, entry(), source=source)
    (line,) = str(caught.value).splitlines()
    assert line.startswith("statements.yaml: line 2: ")
    assert expected in line


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(
            tmp_path,
            entry(code="99213", rules=["no-such-rule"]),
            entry(id="other", payers=["nobody"]),
            entry(id="third"),
            entry(id="third"),
            source="{publisher: A, document: B, date: 2999-01-01}",
        )
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["line 2", "line 4", "line 4", "line 5"]
    with pytest.raises(SettingsError, match="line 5: the id `third` is given twice"):
        load(tmp_path, entry(id="third"), entry(id="third"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("statements: other.yaml\n")
    result = run("rules", CDS_SITE_FILE=str(tmp_path / "site.yaml"))
    assert result.returncode == 2
    assert b"site.yaml: line 1: there is no file `other.yaml`" in result.stderr


# --- quoted where it fits -------------------------------------------------------------------------------------------


def test_a_card_quotes_the_statement_marked_as_the_sites(tmp_path: Path) -> None:
    advisor = create_advisor(Settings(site_file=site_of(tmp_path, entry())))
    answer = advisor.answer(SERVICES[service_of(WRONG_UNITS)], body_of(WRONG_UNITS))
    details = [each.detail or "" for each in answer.response.cards if UNITS in str(each.source)]
    assert f"\n\nThis site's own statement: {TEXT} (Our MAC, letter to us, 2026-05-04)\n\n" in details[0]


@pytest.mark.parametrize(
    ("entries", "case", "fits"),
    [
        ({}, {}, True),
        ({"rules": []}, {}, False),
        ({"rules": ["supply-waste-modifier"]}, {}, False),
        ({"code": "Q9950"}, {}, False),
        ({"code": "Q9950", "also": ["Q9957"]}, {}, True),
        ({"first": "2026-06-01"}, {}, True),
        ({"first": "2026-06-02"}, {}, False),
        ({"last": "2026-06-01"}, {}, True),
        ({"last": "2026-05-31"}, {}, False),
        ({"payers": ["medicare"]}, {}, True),
        ({"payers": ["Medicare"]}, {"payer": "Aetna"}, False),
        ({"payers": ["medicare"]}, {"payer": None}, False),
        ({"payers": ["Example Health Plan"]}, {"payer": "Example Health Plan"}, True),
        ({"payers": ["Example Health Plan"]}, {}, False),
        ({"payers": ["Example Health Plan", "medicare"]}, {}, True),
        ({"settings": ["professional"]}, {}, True),
        ({"settings": ["facility"]}, {}, False),
        ({"settings": ["facility", "professional"]}, {}, True),
        ({"settings": ["professional"]}, {"professional": None, "place": None, "lines": "93351, Q9957x3"}, False),
        ({}, {"professional": None, "place": None, "lines": "93351, Q9957x3"}, True),
    ],
)
def test_it_fits_by_rule_code_payer_setting_and_date(
    tmp_path: Path, entries: dict[str, Any], case: dict[str, Any], fits: bool
) -> None:
    changed = {name: value for name, value in (WRONG_UNITS | case).items() if value is not None}
    assert quoted(tmp_path, changed, entry(**entries)) == ([TEXT] if fits else [])


def test_a_code_that_a_fix_would_add_counts_too(tmp_path: Path) -> None:
    case = {"professional": "93350, 93352", "place": 11, "day": "2026-06-01", "given": ["Definity 1.3 mL"]}
    site = site_of(tmp_path, entry(rules=["contrast-supply-missing"]))
    (found,) = (each for each in review(site, case).findings if each.rule == "contrast-supply-missing")
    assert [each.id for each in found.site_statements] == ["site:two-units"]


def test_markup_in_a_statement_is_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script> **bold** [a](http://evil.example) | # `x`"
    (found,) = (
        each for each in review(site_of(tmp_path, entry(text=hostile)), WRONG_UNITS).findings if each.rule == UNITS
    )
    html = as_html(found.detail)
    assert "<script>" not in html
    assert "evil.example" in html
    assert 'href="http://evil.example' not in html
    assert "<strong>bold" not in html


def test_a_card_stays_short(tmp_path: Path) -> None:
    entries = [entry(id=f"statement-{number}", text=f"{number} " + "x" * 590) for number in range(20)]
    (found,) = (each for each in review(site_of(tmp_path, *entries), WRONG_UNITS).findings if each.rule == UNITS)
    assert found.detail.count("This site's own statement") == MOST_STATEMENTS == len(found.site_statements)
    assert f"And {20 - MOST_STATEMENTS} more statements of this site" in found.detail


# --- never judged by ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory, articles: Path) -> Advisor:
    """The advisor of a site with a statement on every code, for every rule."""
    rules = [rule.id for rule in hooks.all_rules()]
    codes = sorted({each.code for each in CODES})
    entries = entry(code=codes[0], also=codes[1:], rules=rules, first="1990-01-01")
    others = (articles.parent / "site.yaml").read_text()
    site = site_of(tmp_path_factory.mktemp("site"), entries, site=f"{others}\n")
    return create_advisor(Settings(tables_dir=articles, site_file=site))


@pytest.mark.repeats(4)
@pytest.mark.parametrize("rule_id", CASES)
def test_a_statement_never_changes_a_verdict(talkative: Advisor, advisor: Advisor, rule_id: str) -> None:
    quotes = 0
    for case in [each for expected in CASES[rule_id].values() for each in expected]:
        with_statement, without = reviewed_by(talkative, case), reviewed_by(advisor, case)
        quotes += sum(bool(each.site_statements) for each in with_statement.findings)
        assert _bare(with_statement) == _bare(without)
    assert quotes, "the statement was quoted"


def _bare(report: Report) -> Report:
    """A report without the statements quoted in it."""
    bare = tuple(
        msgspec.structs.replace(
            each,
            site_statements=(),
            detail="\n\n".join(part for part in each.detail.split("\n\n") if "site's own statement" not in part),
        )
        for each in report.findings
    )
    return msgspec.structs.replace(report, findings=bare)


# --- shown ----------------------------------------------------------------------------------------------------------


def test_the_pages_of_its_codes_show_it_in_a_section_of_its_own(tmp_path: Path) -> None:
    site = site_of(tmp_path, entry(also=["Q9950"], payers=["medicare"], text=f"{TEXT} <b>"))
    client = create_app(Settings(site_file=site, database_url=f"sqlite:///{tmp_path / 'db.sqlite3'}")).test_client()
    page = client.get("/codes/Q9957").text
    assert "This site&#39;s own statements</h2>" in page or "This site's own statements</h2>" in page
    assert f"{TEXT} &lt;b&gt; (payer: medicare)" in page
    assert "This site: Our MAC, letter to us, 2026-05-04" in page
    assert TEXT in client.get("/codes/Q9950").text
    assert TEXT not in client.get("/codes/93351").text
    sections = client.get("/codes/Q9957", headers={"Accept": "application/json"}).json["sections"]  # type: ignore[index]
    (section,) = (each for each in sections if each["id"] == "site")
    assert section["statements"][0]["cited"]["first"] == "2026-01-01"


def test_the_terminal_shows_it_too(tmp_path: Path) -> None:
    shown = run("codes", "Q9957", CDS_SITE_FILE=str(site_of(tmp_path, entry()))).stdout.decode()
    assert "This site's own statements" in shown
    assert TEXT in " ".join(shown.split())


def test_questions_are_answered_with_it_marked_as_the_sites(tmp_path: Path) -> None:
    statements = (
        entry(topic="units", settings=["professional"], payers=["medicare"]),
        entry(id="on-everything", text="Ask the lead coder."),
        entry(id="ended", text="An old letter.", last="2026-01-31"),
        entry(id="of-another", text="Another code.", code="Q9950"),
    )
    site = site_of(tmp_path, *statements)
    asker = create_asker(create_advisor(Settings(site_file=site)))
    answer = asker.ask("how many units of Q9957 for 1.3 mL of Definity, professional claim?")
    found = {each.id: each for each in answer.answer if each.id.startswith("site:")}
    assert set(found) == {"site:two-units", "site:on-everything"}
    about = "(payer: medicare; setting: professional)"
    assert found["site:two-units"].text == f"This site's own statement {about}: {TEXT}"
    assert found["site:two-units"].source == "Our MAC, letter to us, 2026-05-04"
    assert found["site:two-units"].link == "/codes/Q9957#site"
    plain = create_asker(create_advisor(Settings())).ask(answer.question)
    assert [each for each in answer.answer if each.id not in found] == list(plain.answer)[: len(answer.answer) - 2]
