"""The insights in ten languages: no English is left in a made-up one, and the tables to download stay English."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.languages.catalogs import Catalogs
from cds_service.wiring import create_catalogs
from tests.http.test_patient import pseudo, pseudo_catalogs
from tests.http.test_reference_languages import english_in, seen_on
from tests.support.call_history import OWN, written
from tests.support.speaking import app_with

PATHS = [
    "/insights", "/insights?weeks=52&rule=contrast-add-on-missing", "/insights?service=contrast-echo-order-sign",
]  # fmt: skip
TABLES = ("cards", "reasons", "not-checked", "not-understood", "times")
# A sender's own code system, the ids of services, a unit, and a month.
OWN_NAMES = {"urn", "oid", "ms", "thg"} | set(
    "contrast-echo-order-sign-select-encounter-discharge-claim-review".split("-")
)


def client_of(catalogs: Catalogs, database: str) -> FlaskClient:
    return app_with(catalogs, database_url=database).test_client()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with some weeks of calls."""
    url = f"sqlite:///{tmp_path_factory.mktemp('filled')}/x.sqlite3"
    written(url)
    return url


@pytest.fixture(scope="module")
def client_of_pseudo(filled: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    yield client_of(pseudo_catalogs(tmp_path_factory.mktemp("pseudo")), filled)


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", PATHS)
def test_in_a_pseudo_language_no_english_is_left(client_of_pseudo: FlaskClient, path: str) -> None:
    seen = seen_on(client_of_pseudo, path)
    assert len(seen.left) > 40
    assert english_in(seen) - OWN_NAMES == set()
    assert seen.untranslated == 0
    assert pseudo("calls answered") in seen.left


@pytest.mark.exhaustive
def test_without_calls_and_without_a_database_too(tmp_path: Path) -> None:
    catalogs = pseudo_catalogs(tmp_path)
    empty = seen_on(client_of(catalogs, f"sqlite:///{tmp_path}/empty.sqlite3"), "/insights")
    assert pseudo("No calls yet") in empty.left
    response = client_of(catalogs, "sqlite:////no/such/folder/x.sqlite3").get("/insights?lang=vi")
    assert response.status_code == 503
    assert pseudo("the database cannot store this at the moment; retry later") in response.text
    assert english_in(empty) - OWN_NAMES == set()
    assert empty.untranslated == 0


def test_numbers_days_and_shares_are_those_of_the_language(filled: str) -> None:
    client = client_of(create_catalogs(), filled)
    german, arabic = client.get("/insights?lang=de").text, client.get("/insights?lang=ar").text
    assert "33\N{NO-BREAK SPACE}%" in german
    assert '<html lang="ar" dir="rtl">' in arabic
    assert f'<span class="detail">{OWN}</span>' in german
    days = re.findall(r'<text class="middle"[^>]*>([^<]+)', german)
    assert days
    assert [each for each in days if not re.fullmatch(r"\d+\. \w+\.?", each)] == []
    assert re.findall(r'<text class="middle"[^>]*>([^<]+)', client.get("/insights").text) != days


def test_the_choice_stays_and_the_tables_stay_english(filled: str) -> None:
    client = client_of(create_catalogs(), filled)
    response = client.get("/insights?lang=vi&weeks=4")
    assert response.headers["Content-Language"] == "vi, en"
    assert "lang=vi" in response.headers["Set-Cookie"]
    assert "?weeks=4&amp;lang=ar" in response.text
    assert response.headers["Cache-Control"] == "no-store"
    again = client.get("/insights")
    assert '<html lang="vi">' in again.text
    assert "A machine translated this page. No person who knows this field has checked" in again.text
    english = client_of(create_catalogs(), filled)
    for name in TABLES:
        assert client.get(f"/insights/{name}.csv?lang=vi").data == english.get(f"/insights/{name}.csv").data
    for path in ("/insights", "/insights/cards.csv"):
        refused = client.get(f"{path}?lang=xx")
        assert (refused.status_code, refused.get_json()["issue"][0]["expression"]) == (400, ["lang"])


def test_no_catalog_is_read_for_english(filled: str, tmp_path: Path) -> None:
    """The folder has no catalogs, so that reading one is an error."""
    client = client_of(Catalogs(tmp_path), filled)
    assert client.get("/insights").status_code == 200
    assert client.get("/insights?lang=vi").status_code == 500
