"""`/tables`, and loaded tables in a running service: they answer without a restart, and cards cite them."""

from pathlib import Path
from typing import Any

import requests

from cds_service.cms.recognize import given
from cds_service.cms.store import add, remove
from hooks.publish.reference import all_tables
from tests.http.test_reference import JSON, get, page_of
from tests.support import cms_files
from tests.support.notation import request_of
from tests.support.running import Service, eventually, running

CLAIM = request_of({"professional": "93350, 93352, Q9957x3", "place": 11, "day": "2027-01-04"})


def load_limits(folder: Path, downloads: Path, units: str) -> None:
    path = downloads / "MCR_MUE_PractitionerServices_Eff_01-01-2027.csv"
    path.write_bytes(cms_files.mue([("Q9957", units, "3"), ("93350", "1", "2")]))
    add(folder, [path], given(None, None), replace=True)


def cards(service: Service) -> list[dict[str, Any]]:
    address = f"{service.address}/cds-services/contrast-echo-claim-review"
    answer: dict[str, Any] = requests.post(address, json=CLAIM, timeout=10).json()
    return [card for card in answer["cards"] if card["source"]["topic"]["code"] == "units-over-limit"]


def test_the_page_lists_the_built_in_tables(server: str) -> None:
    page = page_of(get(server, "/tables"))
    assert "None: the built-in tables answer" in page.text
    content = get(server, "/tables", **JSON).json()
    assert content["loaded"] == content["faults"] == []
    assert [each["name"] for each in content["builtIn"]] == [table.name for table in all_tables()]
    assert content["builtIn"]
    for table in content["builtIn"]:
        assert table["title"] in page.text
        assert table["entries"] > 0
        assert table["sources"]
        assert all(source["checked"] in page.text for source in table["sources"])


def test_a_running_service_takes_new_tables_and_drops_removed_ones(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    with running(tmp_path, CDS_TABLES_DIR=str(folder)) as service:
        assert cards(service) == [], "three units are within the built-in limit"
        load_limits(folder, tmp_path, units="2")
        eventually(lambda: bool(cards(service)))
        (card,) = cards(service)
        assert card["summary"] == "Q9957: 3 units on one day, but Medicare pays at most 2."
        assert card["source"]["label"].startswith("CMS, MUE")
        assert "2027Q1 (MCR_MUE_PractitionerServices_Eff_01-01-2027.csv)" in card["source"]["label"]
        assert "verified through 2027-03-31" in card["detail"]
        (loaded,) = get(service.address, "/tables", **JSON).json()["loaded"]
        assert (loaded["table"], loaded["first"], loaded["last"]) == (
            "mue-professional-2027Q1",
            "2027-01-01",
            "2027-03-31",
        )
        assert [file["rows"] for file in loaded["files"]] == [2]
        assert loaded["files"][0]["sha256"][:16] in page_of(get(service.address, "/tables")).text
        health = get(service.address, "/health/ready").json()
        assert (health["status"], health["tables"]) == ("ready", ["mue-professional-2027Q1"])
        remove(folder, ["mue-professional-2027Q1"])
        eventually(lambda: not cards(service))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "mue-professional-2027Q1-00000000.sqlite3").write_text("no table")
    with running(tmp_path, CDS_TABLES_DIR=str(folder)) as service:
        (fault,) = get(service.address, "/tables", **JSON).json()["faults"]
        assert fault.startswith("mue-professional-2027Q1-00000000.sqlite3: ")
        assert fault in page_of(get(service.address, "/tables")).text
        health = get(service.address, "/health/ready").json()
        assert (health["status"], health["tableFaults"]) == ("degraded", [fault])


def test_a_codes_page_tells_what_medicare_pays_by_the_newest_releases(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    fees, opps = tmp_path / "PPRRVU2026_Oct_nonQPP.csv", tmp_path / "addendum-b.csv"
    fees.write_bytes(
        cms_files.fees([("93352", "", "A", "0", "0.19", "1.07", "1.07"), ("93350", "26", "A", "1", "1", "2", "2")])
    )
    opps.write_bytes(cms_files.addendum_b([("93352", "M", "", ""), ("C8928", "S", "5573", "$800.90")]))
    add(folder, [fees, opps], given(None, None))
    with running(tmp_path, CDS_TABLES_DIR=str(folder)) as service:
        office, facility, hospital = get(service.address, "/codes/93352", **JSON).json()["payments"]
        assert (office["where"], office["amount"], office["basis"]) == (
            "office",
            35.74,
            "status A, 1.07 RVU at $33.4009",
        )
        assert facility["basis"] == "status A, not applicable (NA)"
        assert (hospital["basis"], hospital.get("amount")) == ("status M", None)
        assert hospital["release"].endswith("(addendum-b.csv)")
        (rate,) = get(service.address, "/codes/C8928", **JSON).json()["payments"]
        assert (rate["amount"], rate["basis"], rate["last"]) == (800.9, "status S, APC 5573", "2026-12-31")
        content = get(service.address, "/codes/93352", **JSON).json()
        assert content["payments"]
        for fact, payment in zip(facts(content, "payment"), content["payments"], strict=True):
            assert fact["cited"]["source"] == payment["release"]
            assert fact["cited"]["checked"] == f"dates of service {payment['first']} to {payment['last']}"
            assert payment["basis"] in fact["text"]
        assert (
            "status A, 1.07 RVU at $33.4009: active, paid by the fee schedule" in facts(content, "payment")[0]["text"]
        )
        page = page_of(get(service.address, "/codes/93352"))
        assert "$35.74" in page.text
        assert "not adjusted to a place" in page.text
        assert [each["modifier"] for each in get(service.address, "/codes/93350", **JSON).json()["payments"]] == [
            "26",
            "26",
        ]


def test_a_codes_page_names_the_articles_of_the_sites_contractors_without_their_lists(
    server: str, server_with_articles: str
) -> None:
    (found,) = get(server_with_articles, "/codes/93351", **JSON).json()["articles"]
    assert found == {
        "article": "A57306",
        "version": 44,
        "parts": ["Part A (15101)", "Part B (15102)"],
        "restricts": True,
        "copy": "Medicare articles (MCD), 2026-09-28 (current_article.zip)",
        "first": "2026-10-01",
        "lcds": ["L34338"],
    }
    text = page_of(get(server_with_articles, "/codes/93351")).text
    assert "Medicare articles of the site's contractors" in text
    for words in ("A57306", "Part A (15101), Part B (15102)", "L34338", "from 2026-10-01"):
        assert words in text
    for code in ("I20.0", "I25.10", "R94.31"):
        assert code not in text
    assert get(server_with_articles, "/codes/0439T", **JSON).json()["articles"] == []
    assert get(server, "/codes/93351", **JSON).json()["articles"] == []
    assert "Medicare articles" not in page_of(get(server, "/codes/93351")).text


def test_the_glossary_names_the_articles_of_the_sites_contractors_without_their_lists(
    server: str, server_with_articles: str
) -> None:
    articles = get(server_with_articles, "/glossary", **JSON).json()["articles"]
    assert articles
    for code, found in articles.items():
        assert found == get(server_with_articles, f"/codes/{code}", **JSON).json()["articles"]
    assert {each["article"] for each in articles["93351"]} == {"A57306"}
    text = page_of(get(server_with_articles, "/glossary")).text
    for words in ("A57306", "Part A (15101), Part B (15102)", "from 2026-10-01", "current_article.zip"):
        assert words in text
    for code in ("I20.0", "I25.10", "R94.31"):
        assert code not in text
    assert get(server, "/glossary", **JSON).json()["articles"] == {}
    assert "None is known: the site's file names no Medicare contractor." in page_of(get(server, "/glossary")).text


def test_the_page_of_tables_lists_the_copies_of_articles(server_with_articles: str) -> None:
    content = get(server_with_articles, "/tables", **JSON).json()
    assert [each["table"] for each in content["loaded"]] == ["articles-2026-02-27", "articles-2026-09-28"]
    text = page_of(get(server_with_articles, "/tables")).text
    assert all(each["title"] in text for each in content["loaded"])


def test_without_loaded_tables_the_built_in_ones_tell_the_payment(server: str) -> None:
    content = get(server, "/codes/93352", **JSON).json()
    assert content["payments"] == []
    (fact,) = facts(content, "payment")
    assert "October 2026" in fact["text"]
    assert "$35.74 (1.07 RVU)" in fact["text"]
    assert fact["cited"]["verifiedThrough"] == "2026-12-31"


def facts(content: dict[str, Any], topic: str) -> list[dict[str, Any]]:
    """The short facts of a code's page under a heading."""
    (found,) = [each["facts"] for each in content["glance"]["topics"] if each["id"] == topic]
    return list(found)
