"""The audit's report in another language: no English is left in a made-up one, from right to left, with the English
report beside it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Page

from cds_service.audit.fees import load_fees
from cds_service.audit.html_report import render
from cds_service.audit.reviewer import Auditor
from cds_service.cli.main import main
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.known import ENGLISH, Language, language_of
from cds_service.languages.messages import Money, Month, Quantity
from cds_service.languages.speech import Speech
from cds_service.languages.stored import restored, stored
from cds_service.languages.worded import counted, joined, name, worded
from cds_service.settings import Settings
from cds_service.wiring import create_auditor, create_catalogs
from tests.browser.chromium import DESK, PHONE, Looking
from tests.http.test_patient import pseudo, pseudo_catalogs
from tests.http.test_reference_languages import english_in, left_in
from tests.support import synth
from tests.support.audits import audited, findings
from tests.support.running import ROOT

pytestmark = pytest.mark.exhaustive


VIETNAMESE, ARABIC = (each for tag in ("vi", "ar") if (each := language_of(tag)))
# Names of the export, of files and of the engine, and codes with their units.
OWN_NAMES = re.compile(
    r"Dr\. \w+|North Heart Clinic"
    r"|\b(?:South Hospital|East Imaging|Medicare|embedded|contrast-echo-cds|[0-9a-f]{12}|thg)\b"
    r"|\b[0-9A-Z]{5}x\d+\b"
)
# What is no text of the page, and what is marked as English.
NOT_SAID = re.compile(r'<(script|style)[^>]*>.*?</\1>|<span class="untranslated"[^>]*>.*?</span>', re.DOTALL)


def _make(language: Language, folder: Path) -> Auditor:
    """An auditor with the catalogs in the folders of a folder."""
    fees, catalogs = load_fees(ROOT / "deploy" / "fees.example.csv"), Catalogs(*sorted(folder.iterdir()))
    return replace(create_auditor(Settings(), fees, everything=False, language=language), catalogs=catalogs)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    synth.write(synth.generate(120, seed=11, error_share=0.7), folder, seed=11)
    (folder / "log.ndjson").write_text('{"message": "exported"}\n')
    return folder


@pytest.fixture(scope="module")
def out(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit whose report is in the made-up language."""
    folder = tmp_path_factory.mktemp("report")
    catalogs = folder / "catalogs"
    catalogs.mkdir()
    pseudo_catalogs(catalogs)
    audited(
        export, folder / "out", ("MedicationAdministration", "Procedure"), make=partial(_make, VIETNAMESE, catalogs)
    )
    assert len(findings(folder / "out")) > 20
    return folder / "out"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened, faults = browser.new_page(viewport={"width": DESK, "height": 900}), list[str]()
    opened.on("console", lambda message: faults.append(message.text))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda sent: faults.append(sent.url) if not sent.url.startswith("file:") else None)
    yield opened
    assert faults == []
    opened.close()


def texts_of(out: Path) -> set[str]:
    """The texts that the rules wrote, and the reasons of lines that were not read."""
    summary, rows = json.loads((out / "summary.json").read_text()), findings(out)
    found = {row["summary"] for row in rows} | {seen["seen"] for row in rows for seen in row["evidence"]}
    found |= {text for row in rows for fix in row["remedies"] for text in (fix["label"], *fix["changes"])}
    reasons = {each["reason"] for part in ("notChecked", "rejects", "leftOut") for each in summary[part]}
    return found | reasons


def test_in_a_pseudo_language_no_english_is_left_but_what_rules_wrote(out: Path, page: Page) -> None:
    page.goto(f"file://{out}/report.html")
    seen = left_in(NOT_SAID.sub("", page.content()))
    assert len(seen.left) > 300
    seen.left = [OWN_NAMES.sub("", each) for each in seen.left]
    assert english_in(seen) == set()
    marked = page.locator("span.untranslated").all_text_contents()
    assert set(marked) - texts_of(out) == set()
    total = len(findings(out))
    assert page.inner_text("#shown") == pseudo("{first} to {last} of {all}").format(first=1, last=total, all=total)
    page.fill("#search", "no such patient")
    assert page.inner_text("#shown") == pseudo("No finding fits")
    assert page.locator("html").get_attribute("lang") == "vi"


def test_the_english_report_stands_beside_it_and_is_linked(out: Path, page: Page, export: Path, tmp_path: Path) -> None:
    page.goto(f"file://{out}/report.html")
    page.locator(".unchecked a").click()
    assert page.url.endswith("/report.en.html")
    assert page.inner_text("#shown").startswith("1 to ")
    english = partial(_make, ENGLISH, tmp_path)
    audited(export, tmp_path / "out", ("MedicationAdministration", "Procedure"), make=english)
    assert not (tmp_path / "out" / "report.en.html").exists()
    beside, alone = (out / "report.en.html").read_text(), (tmp_path / "out" / "report.html").read_text()
    assert without_time(beside) == without_time(alone)
    assert (out / "findings.csv").read_bytes() == (tmp_path / "out" / "findings.csv").read_bytes()


def without_time(html: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:]+\+00:00", "", html)


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_from_right_to_left_it_fits_the_screen_and_has_no_barriers(
    out: Path, page: Page, tmp_path: Path, width: int
) -> None:
    summary = json.loads((out / "summary.json").read_text())
    html = render(summary, findings(out), Speech(create_catalogs(), ARABIC))
    (tmp_path / "report.html").write_text(html, encoding="utf-8")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"file://{tmp_path}/report.html")
    looked = Looking(page, "")
    looked.keep(f"audit-report-ar-{width}")
    assert page.locator("html").get_attribute("dir") == "rtl"
    assert not looked.is_wider_than_the_screen()
    assert looked.barriers() == []
    name_of_page = page.locator("header .name").bounding_box()
    assert name_of_page
    assert name_of_page["x"] > width / 2


def test_a_finding_is_said_from_what_was_kept_and_else_marked(out: Path, tmp_path: Path) -> None:
    summary, (first, *_) = json.loads((out / "summary.json").read_text()), findings(out)
    catalogs = pseudo_catalogs(tmp_path, only="sandbox")
    text = worded("More than {count} of {thing}.", count=2, thing="93352")
    rows = [{**first, "summary": str(text)}]
    marked = render(summary, rows, Speech(catalogs, VIETNAMESE), {str(text): stored(text)})
    assert '<span class="untranslated" lang="en" dir="ltr">More than 2 of 93352.</span>' in marked
    assert '<p id="partly">' in marked
    # The same message, as a page of this service has it.
    other = worded("Source {number}", number="93352")
    rows = [{**first, "summary": str(other)}]
    (tmp_path / "all").mkdir()
    said = render(summary, rows, Speech(pseudo_catalogs(tmp_path / "all"), VIETNAMESE), {str(other): stored(other)})
    assert f"</span> {pseudo('Source ')}93352</summary>" in said


def test_a_worded_text_is_kept_as_plain_data() -> None:
    day, units = date(2026, 10, 1), counted("{count} unit", "{count} units", Decimal("1.5"))
    row = joined("; ", (day, name("JW"), Money(Decimal("12.50")), Month(day)))
    text = worded(
        "{ml}, {units}, {row} of {code}", ml=Quantity(Decimal("1.3"), "mL"), units=units, row=row, code="93352"
    )
    again = restored(str(text), json.loads(json.dumps(stored(text))))
    assert (again, again.content) == (text, text.content)
    assert stored(again) == stored(text)


@pytest.mark.parametrize("tag", ["xx", "", "zh-TW"])
def test_a_language_that_is_not_spoken_is_refused_with_those_that_are(tmp_path: Path, tag: str) -> None:
    run = CliRunner().invoke(main, ["audit", str(tmp_path), "--out", str(tmp_path / "out"), "--language", tag])
    assert run.exit_code == 2
    assert "expected one of en, es, zh-Hans, ru, ar, vi, fr, de, ko, tl" in run.output
    assert not (tmp_path / "out").exists()


def test_the_command_writes_the_report_in_a_language(export: Path, tmp_path: Path) -> None:
    arguments = ["audit", str(export), "--out", str(tmp_path / "out"), "--jobs", "1", "--language", "es-MX"]
    run = CliRunner().invoke(main, arguments)
    assert run.exit_code == 0, run.output
    assert '<html lang="es">' in (tmp_path / "out" / "report.html").read_text()
    assert '<html lang="en">' in (tmp_path / "out" / "report.en.html").read_text()
    resumed = CliRunner().invoke(main, [*arguments[:-1], "de", "--overwrite"])
    assert resumed.exit_code == 0
    assert '<html lang="de">' in (tmp_path / "out" / "report.html").read_text()
