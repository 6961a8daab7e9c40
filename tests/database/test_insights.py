"""The insights from stored cards, feedback and calls, on SQLite and on PostgreSQL."""

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import requests

from cds_service.app import create_app
from cds_service.charts import Columns, columns, pareto, row_bar
from cds_service.database import connections, migrate
from cds_service.database.insights import Filters, Insights, Outcomes, gather, monday
from cds_service.settings import Settings
from tests.http.test_reference import page_of
from tests.support.call_history import CLAIM_REVIEW, OWN, History, written
from tests.support.running import running

ADD_ON, SUPPLY = "contrast-add-on-missing", "contrast-supply-missing"
ORDER_SIGN = "contrast-echo-order-sign"
NOW = datetime(2026, 3, 18, 12, tzinfo=UTC)


def last(weeks: int, service: str = "", rule: str = "") -> Filters:
    return Filters(NOW.date() - timedelta(weeks=weeks), NOW.date(), service, rule)


@pytest.fixture
def counted(database_url: str) -> Iterator[connections.Database]:
    written(database_url, NOW)
    opened = connections.Database(database_url)
    yield opened
    opened.close()


def insights(counted: connections.Database, filters: Filters) -> Insights:
    return counted.run(lambda connection: gather(connection, filters))


def test_everything_is_counted(counted: connections.Database) -> None:
    found = insights(counted, last(12))
    assert (found.calls, found.silent) == (11, 5)
    assert found.total() == Outcomes(accepted=2, overridden=3, ignored=1), "what was said last counts"
    assert found.by_rule() == {ADD_ON: Outcomes(2, 1, 1), SUPPLY: Outcomes(0, 2, 0)}
    assert found.reasons == {(ADD_ON, ""): 1, (SUPPLY, "=1+1"): 1, (SUPPLY, "charged-elsewhere"): 1}
    assert list(found.not_checked.items()) == [
        (("supply-units-mismatch", "record"), 5),
        (("pair-conflict", "claim"), 1),
    ]
    assert list(found.not_understood.items()) == [(("charge", OWN), 9), (("drug", "reference"), 3)]
    assert found.times == (0, 8, 0, 0, 1, 0, 0, 0, 0, 1), "a call without a time is not timed"
    assert (found.within(0.5), found.within(0.95)) == (5, None)


def test_a_week_begins_on_monday_and_none_is_left_out(counted: connections.Database) -> None:
    filters = last(12)
    weeks = insights(counted, filters).by_week(filters)
    assert len(weeks) == len(filters.weeks) == 13
    assert weeks
    assert all(week.weekday() == 0 for week in weeks)
    assert sum(each.cards for each in weeks.values()) == 6
    assert weeks[monday(NOW.date() - timedelta(days=30))] == Outcomes(0, 1, 0)


@pytest.mark.parametrize(
    ("first", "last_day", "mondays"),
    [
        ("2026-03-02", "2026-03-08", ["2026-03-02"]),
        ("2026-03-01", "2026-03-02", ["2026-02-23", "2026-03-02"]),
        ("2026-03-08", "2026-03-08", ["2026-03-02"]),
        ("2026-03-08", "2026-03-09", ["2026-03-02", "2026-03-09"]),
        ("2026-03-02", "2026-03-16", ["2026-03-02", "2026-03-09", "2026-03-16"]),
    ],
)
def test_a_sunday_is_of_the_week_that_ends_and_a_monday_of_the_one_that_begins(
    first: str, last_day: str, mondays: list[str]
) -> None:
    filters = Filters(date.fromisoformat(first), date.fromisoformat(last_day))
    assert [each.isoformat() for each in filters.weeks] == mondays


@pytest.mark.parametrize(
    ("filters", "calls", "cards"),
    [
        (last(1), 7, 3),
        (last(12, service=ORDER_SIGN), 1, 1),
        (last(12, service=CLAIM_REVIEW), 10, 5),
        (last(12, rule=ADD_ON), 11, 4),
        (last(12, ORDER_SIGN, ADD_ON), 1, 0),
        (last(60), 12, 7),
        (Filters(date(2020, 1, 1), date(2020, 12, 31)), 0, 0),
    ],
)
def test_filters(counted: connections.Database, filters: Filters, calls: int, cards: int) -> None:
    found = insights(counted, filters)
    assert (found.calls, found.total().cards) == (calls, cards)


@pytest.mark.parametrize(
    ("moment", "is_counted"),
    [
        (datetime(2026, 3, 1, 23, 59, 59, 999_999, UTC), False),
        (datetime(2026, 3, 2, tzinfo=UTC), True),
        (datetime(2026, 3, 8, 23, 59, 59, 999_999, UTC), True),
        (datetime(2026, 3, 9, tzinfo=UTC), False),
    ],
)
def test_a_period_reaches_from_the_first_midnight_to_the_last_exclusively(
    database_url: str, moment: datetime, is_counted: bool
) -> None:
    engine = connections.create(database_url)
    with engine.begin() as connection:
        migrate.upgrade(connection)
        History(connection, moment).call(0, [ADD_ON])
    engine.dispose()
    opened = connections.Database(database_url)
    filters = Filters(date(2026, 3, 2), date(2026, 3, 8))
    found = insights(opened, filters)
    opened.close()
    assert (found.calls, found.total().cards) == (is_counted, is_counted)
    assert list(found.by_week(filters)) == [date(2026, 3, 2)]


def test_nothing_is_found_in_an_empty_database(database_url: str) -> None:
    engine = connections.create(database_url)
    with engine.begin() as connection:
        migrate.upgrade(connection)
    engine.dispose()
    opened = connections.Database(database_url)
    found = insights(opened, last(52))
    opened.close()
    assert (found.calls, found.total(), found.by_rule(), found.within(0.5)) == (0, Outcomes(), {}, None)


def test_a_chart_is_a_drawing_with_texts_and_without_styles() -> None:
    drawn = columns(Columns(["a", "<b>"], {"one": [1, 2], "two": [0, 3]}, [0.5, 2.5], "of 100"), 'cards by "week"')
    assert drawn.count("<rect") == 3
    assert drawn.count("<title>") == 3 + 2, "each bar and each point of the line has its text"
    assert 'aria-label="cards by &quot;week&quot;"' in drawn
    ranked = pareto([("<b>", 5), ("two", 3), ("three", 2)], "by rule", "others", most=1)
    assert "5 · 50%" in ranked
    assert "others: 5" in ranked
    for each in (drawn, ranked):
        assert 'role="img"' in each
        assert not [part for part in ("<script", "<style", "style=", "<!--", "<b>", "http:") if part in each]
    assert 'aria-hidden="true"' in row_bar((1, 2), 4)
    assert "NaN" not in columns(Columns([], {"one": []}), "nothing") + row_bar((0,), 0) + pareto([], "none", "others")


# --- over HTTP ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("insights")
    with running(folder) as started:
        written(f"sqlite:///{started.database}")
        yield started.address


def table(service: str, path: str) -> list[list[str]]:
    response = requests.get(service + path, timeout=10)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"].startswith("attachment")
    return list(csv.reader(response.text.splitlines()))


def test_the_page_says_what_was_counted(service: str) -> None:
    response = requests.get(f"{service}/insights", timeout=10)
    page = page_of(response)
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    for words in (
        "calls answered 11",
        "cards issued 6",
        "accepted 33%",
        "overridden 50%",
        "no feedback 17%",
        "Charged on another claim",
        "the record is incomplete or inconclusive",
        "Half of the calls were answered within 5 ms.",
        f"Charges{OWN}9",
        "Administrationsreferences to resources that were not sent3",
    ):
        assert words in page.text
    assert not page.tags & {"script", "style", "img", "iframe"}


def test_csv(service: str) -> None:
    head, *rows = table(service, "/insights/cards.csv")
    assert head == ["week", "rule", "service", "cards", "accepted", "overridden", "without an answer"]
    assert sum(int(row[3]) for row in rows) == 6
    assert table(service, "/insights/times.csv")[2][2:] == ["up to 5", "8"]
    assert table(service, "/insights/not-checked.csv")[1][2:] == ["supply-units-mismatch", "record", "5"]
    assert table(service, "/insights/not-understood.csv")[1][2:] == ["charge", OWN, "9"]
    reasons = [row[3] for row in table(service, "/insights/reasons.csv")]
    assert "'=1+1" in reasons, "no cell of a client is a formula"
    assert "=1+1" not in reasons
    assert len(table(service, f"/insights/cards.csv?rule={ADD_ON}&weeks=4")) < len(rows) + 1


@pytest.mark.parametrize(("weeks", "cards"), [(4, 5), (12, 6), (26, 7), (52, 8)])
def test_the_weeks_of_the_page_are_whole_and_end_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weeks: int, cards: int
) -> None:
    url = f"sqlite:///{tmp_path}/x.sqlite3"
    written(url, NOW)
    engine = connections.create(url)
    with engine.begin() as connection:  # the first day of the 26 weeks that end today, and the day before
        History(connection, NOW).call(181, [ADD_ON])
        History(connection, NOW).call(182, [ADD_ON])
    engine.dispose()
    monkeypatch.setattr("cds_service.web.insights.today", NOW.date)
    response = create_app(Settings(database_url=url)).test_client().get(f"/insights/cards.csv?weeks={weeks}")
    _, *rows = csv.reader(response.text.splitlines())
    assert sum(int(row[3]) for row in rows) == cards


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("weeks=3", "`weeks`: expected one of 4, 12, 26, 52"),
        ("rule=no-such-rule", "`rule`: expected the id of a rule"),
        ("service=x", "`service`: expected the id of a service"),
    ],
)
def test_a_wrong_filter_is_named(service: str, query: str, words: str) -> None:
    response = requests.get(f"{service}/insights?{query}", timeout=10)
    assert response.status_code == 400
    assert response.json()["issue"][0]["diagnostics"] == words


def test_no_other_table_is_there(service: str) -> None:
    assert requests.get(f"{service}/insights/users.csv", timeout=10).status_code == 404


def test_an_empty_state_explains_itself(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("empty")) as started:
        page = page_of(requests.get(f"{started.address}/insights", timeout=10))
    assert "No calls yet" in page.text
    assert "/sandbox" in page.links


def test_a_database_that_is_down_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("down"), CDS_DATABASE_URL="sqlite:////no/such/folder/x.sqlite3") as started:
        response = requests.get(f"{started.address}/insights", timeout=20)
    assert response.status_code == 503
    assert "Insights are unavailable" in response.text
