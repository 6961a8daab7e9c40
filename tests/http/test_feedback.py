"""Feedback over real HTTP, and its rows in the database."""

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import requests

from tests.http.test_services import CLAIM_REVIEW, ORDER_SIGN, post
from tests.support.notation import bundle, request_of
from tests.support.running import Service, eventually, running

pytestmark = pytest.mark.repeats(3)

FLAGGED = request_of({"lines": "93350, Q9957x2"})
NOW = "2026-03-02T15:04:05Z"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("feedback")) as started:
        yield started


def call(service: Service) -> dict[str, Any]:
    """The card of a call that has one."""
    (card,) = post(service.address, CLAIM_REVIEW, FLAGGED).json()["cards"]
    return dict(card)


def item(card: str, outcome: str = "overridden", **members: Any) -> dict[str, Any]:
    return {"card": card, "outcome": outcome, "outcomeTimestamp": NOW} | members


def accepted(card: dict[str, Any], **members: Any) -> dict[str, Any]:
    return item(card["uuid"], "accepted", acceptedSuggestions=[{"id": card["suggestions"][0]["uuid"]}], **members)


def send(service: Service, *items: dict[str, Any], path: str = CLAIM_REVIEW) -> requests.Response:
    return post(service.address, f"{path}/feedback", {"feedback": list(items)})


def rows(service: Service, query: str, *values: Any) -> list[dict[str, Any]]:
    connection = sqlite3.connect(f"file:{service.database}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(query, values)]
    finally:
        connection.close()


def issued(service: Service, card: str) -> list[dict[str, Any]]:
    """The stored row of an issued card, as soon as it is written: the answer does not wait for it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with suppress(sqlite3.OperationalError):  # the first card makes the database
            if found := rows(service, "SELECT * FROM issued_cards WHERE card = ?", card):
                return found
        time.sleep(0.02)
    return []


def kept(service: Service, card: str) -> list[dict[str, Any]]:
    return rows(service, "SELECT * FROM feedback WHERE card = ? ORDER BY outcome_at", card)


def comments(service: Service, card: str) -> list[str]:
    query = "SELECT comment FROM feedback_comments JOIN feedback ON feedback.id = feedback WHERE card = ?"
    return [row["comment"] for row in rows(service, query, card)]


# --- every form -----------------------------------------------------------------------------------------------------


def test_an_issued_card_is_kept_with_its_rule_and_time(service: Service) -> None:
    (row,) = issued(service, call(service)["uuid"])
    assert row["service"] == "contrast-echo-claim-review"
    assert row["rule"] == "contrast-add-on-missing"
    assert row["indicator"] == "warning"
    assert row["issued_at"]


def test_accepted(service: Service) -> None:
    card = call(service)
    response = send(service, accepted(card))
    assert (response.status_code, response.json()) == (200, {})
    assert response.headers["Cache-Control"] == "no-store"
    (row,) = kept(service, card["uuid"])
    assert row["outcome"] == "accepted"
    assert json.loads(row["accepted_suggestions"]) == [card["suggestions"][0]["uuid"]]
    assert row["is_known_card"] == 1
    assert row["outcome_at"].startswith("2026-03-02 15:04:05")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, (None, None)),
        ({"overrideReason": None, "acceptedSuggestions": None}, (None, None)),
        ({"overrideReason": {}}, (None, None)),
        ({"overrideReason": {"reason": {"code": "later", "system": "urn:a", "display": "x"}}}, ("urn:a", "later")),
        ({"overrideReason": {"reason": {"code": "later", "system": "urn:a"}}}, ("urn:a", "later")),
        ({"overrideReason": {"reason": {"code": "later"}}}, (None, "later")),
        ({"overrideReason": {"userComment": "not today"}}, (None, None)),
        ({"overrideReason": {"code": "later", "system": "urn:a", "userComment": "x"}}, ("urn:a", "later")),
        ({"overrideReason": {"code": "x", "reason": {"code": "later", "system": "urn:a"}}}, ("urn:a", "later")),
        ({"extension": {"com.example.seen": True}, "unknown": [1]}, (None, None)),
    ],
    ids=["bare", "nulls", "empty-reason", "coding", "no-display", "no-system", "comment-only", "flat",
         "flat-and-nested", "unknown-members"],
)  # fmt: skip
def test_overridden(service: Service, members: dict[str, Any], reason: tuple[str | None, str | None]) -> None:
    card = call(service)["uuid"]
    assert send(service, item(card, **members)).status_code == 200
    (row,) = kept(service, card)
    assert (row["outcome"], row["reason_system"], row["reason_code"]) == ("overridden", *reason)


def test_several_cards_of_several_calls_at_once(service: Service) -> None:
    first, second, third = call(service), call(service), call(service)
    assert send(service, accepted(first), item(second["uuid"]), accepted(third)).status_code == 200
    outcomes = [kept(service, card["uuid"])[0]["outcome"] for card in (first, second, third)]
    assert outcomes == ["accepted", "overridden", "accepted"]


def test_repeats_are_kept_once_and_a_later_outcome_beside_them(service: Service) -> None:
    card = call(service)
    once = item(card["uuid"], overrideReason={"userComment": "first"})
    other_offset = once | {"outcomeTimestamp": "2026-03-02T10:04:05-05:00"}
    for items in ((once, once), (once,), (other_offset,)):
        assert send(service, *items).status_code == 200
    assert len(kept(service, card["uuid"])) == 1
    assert comments(service, card["uuid"]) == ["first"]
    assert send(service, accepted(card, outcomeTimestamp="2026-03-02T15:04:06Z")).status_code == 200
    assert [row["outcome"] for row in kept(service, card["uuid"])] == ["overridden", "accepted"]


@pytest.mark.parametrize("card", [str(uuid.UUID(int=7)), "not-a-uuid", "ü" * 200])
def test_an_unknown_card_is_taken_and_marked(service: Service, card: str) -> None:
    assert send(service, item(card)).status_code == 200
    (row,) = kept(service, card)
    assert row["is_known_card"] == 0


@pytest.mark.parametrize("moment", ["1985-04-12T23:20:50.52Z", "1996-12-19T16:39:57-08:00", "2026-03-02t15:04:05z"])
def test_times_as_rfc_3339_writes_them(service: Service, moment: str) -> None:
    card = call(service)["uuid"]
    assert send(service, item(card, outcomeTimestamp=moment)).status_code == 200
    assert len(kept(service, card)) == 1


def test_every_service_takes_feedback(service: Service) -> None:
    listed = requests.get(f"{service.address}/cds-services", timeout=10).json()["services"]
    assert listed
    for each in listed:
        card = str(uuid.uuid4())
        assert send(service, item(card), path=f"/cds-services/{each['id']}").status_code == 200
        assert kept(service, card)[0]["service"] == each["id"]


def test_a_comment_stands_apart(service: Service) -> None:
    card = call(service)["uuid"]
    send(service, item(card, overrideReason={"reason": {"code": "later"}, "userComment": "Mrs Smith\nasked 👋"}))
    assert "Smith" not in str(kept(service, card))
    assert comments(service, card) == ["Mrs Smith\nasked 👋"]


# --- faults ---------------------------------------------------------------------------------------------------------


def changed(**members: Any) -> dict[str, Any]:
    return {"feedback": [item("c") | members]}


def unavailable(member: str) -> dict[str, Any]:
    return {"feedback": [{name: value for name, value in item("c").items() if name != member}]}


FAULTS = [
    ({}, "feedback"),
    ({"feedback": {}}, "feedback"),
    ({"feedback": None}, "feedback"),
    ({"feedback": ["x"]}, "feedback[0]"),
    (unavailable("card"), "feedback[0].card"),
    (unavailable("outcome"), "feedback[0].outcome"),
    (unavailable("outcomeTimestamp"), "feedback[0].outcomeTimestamp"),
    (changed(card=5), "feedback[0].card"),
    (changed(card=""), "feedback[0].card"),
    (changed(card="c" * 201), "feedback[0].card"),
    (changed(card="c\0"), "feedback[0].card"),
    (changed(outcome="ignored"), "feedback[0].outcome"),
    (changed(outcome=None), "feedback[0].outcome"),
    (changed(outcomeTimestamp="yesterday"), "feedback[0].outcomeTimestamp"),
    (changed(outcomeTimestamp="2026-03-02"), "feedback[0].outcomeTimestamp"),
    (changed(outcomeTimestamp="2026-03-02T15:04:05"), "feedback[0].outcomeTimestamp"),
    (changed(outcomeTimestamp=1772463845), "feedback[0].outcomeTimestamp"),
    (changed(outcomeTimestamp="0001-01-01T00:00:00+10:00"), "feedback[0].outcomeTimestamp"),
    (changed(outcomeTimestamp="9999-12-31T23:59:59-10:00"), "feedback[0].outcomeTimestamp"),
    (changed(outcome="accepted"), "feedback[0].acceptedSuggestions"),
    (changed(outcome="accepted", acceptedSuggestions=[]), "feedback[0].acceptedSuggestions"),
    (changed(outcome="accepted", acceptedSuggestions=None), "feedback[0].acceptedSuggestions"),
    (changed(outcome="accepted", acceptedSuggestions=["x"]), "feedback[0].acceptedSuggestions[0]"),
    (changed(outcome="accepted", acceptedSuggestions=[{}]), "feedback[0].acceptedSuggestions[0].id"),
    (changed(overrideReason="later"), "feedback[0].overrideReason"),
    (changed(overrideReason={"reason": "later"}), "feedback[0].overrideReason.reason"),
    (changed(overrideReason={"reason": {"display": "x"}}), "feedback[0].overrideReason.reason.code"),
    (changed(overrideReason={"reason": {"code": "x" * 201}}), "feedback[0].overrideReason.reason.code"),
    (changed(overrideReason={"reason": {"code": "x", "system": 5}}), "feedback[0].overrideReason.reason.system"),
    (changed(overrideReason={"userComment": 5}), "feedback[0].overrideReason.userComment"),
    (changed(overrideReason={"system": "urn:a"}), "feedback[0].overrideReason.code"),
    (changed(overrideReason={"code": 5}), "feedback[0].overrideReason.code"),
    ({"feedback": [item("c"), item("d") | {"outcome": "no"}]}, "feedback[1].outcome"),
]


@pytest.mark.parametrize(
    ("body", "field"), FAULTS, ids=[f"{number}-{field}" for number, (_, field) in enumerate(FAULTS)]
)
def test_a_bad_body_is_a_400_that_names_the_field(service: Service, body: dict[str, Any], field: str) -> None:
    before = rows(service, "SELECT count(*) AS n FROM feedback")
    response = post(service.address, f"{CLAIM_REVIEW}/feedback", body)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/fhir+json"
    (issue,) = response.json()["issue"]
    assert issue["expression"] == [field]
    assert f"`{field}`" in issue["diagnostics"]
    assert rows(service, "SELECT count(*) AS n FROM feedback") == before, "nothing of a bad body is kept"


def test_a_wrong_outcome_is_told_the_ones_of_cds_hooks(service: Service) -> None:
    body = {"feedback": [item("a"), item("b") | {"outcome": "Doe - at `$.feedback[0].card`"}]}
    (issue,) = post(service.address, f"{CLAIM_REVIEW}/feedback", body).json()["issue"]
    assert issue["expression"] == ["feedback[1].outcome"]
    assert issue["diagnostics"] == "`feedback[1].outcome`: expected one of accepted, overridden"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff"])
def test_malformed_json_is_a_400(service: Service, body: bytes) -> None:
    assert post(service.address, f"{CLAIM_REVIEW}/feedback", body).status_code == 400


def test_a_wrong_service_is_a_404(service: Service) -> None:
    response = send(service, item("c"), path="/cds-services/nothing")
    assert response.status_code == 404
    assert response.json()["resourceType"] == "OperationOutcome"


# --- the database ---------------------------------------------------------------------------------------------------


def assert_unavailable(service: Service, *items: dict[str, Any]) -> None:
    response = send(service, *items)
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/fhir+json"
    assert response.json()["issue"][0]["code"] == "transient"
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("place", ["nowhere", "folder", "no-database"])
def test_where_the_database_cannot_be_used_feedback_is_refused_and_advice_goes_on(tmp_path: Path, place: str) -> None:
    path = {
        "nowhere": tmp_path / "no" / "such" / "folder.sqlite3",
        "folder": tmp_path,
        "no-database": tmp_path / "text",
    }
    (tmp_path / "text").write_text("this is no database, but a text that is long enough not to be one\n" * 100)
    with running(tmp_path, CDS_DATABASE_URL=f"sqlite:///{path[place]}") as service:
        assert_unavailable(service, item("c"))
        assert call(service)["summary"]
        eventually(lambda: "calls not kept yet" in service.log.read_text())


def test_a_database_that_is_locked_neither_stops_nor_slows_advice(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        call(service)
        other = sqlite3.connect(service.database, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        seconds = []
        for _ in range(5):
            started = time.monotonic()
            assert call(service)["summary"]
            seconds.append(time.monotonic() - started)
        assert median(seconds) < 1.0, "a call that waits for the lock waits for seconds"
        assert_unavailable(service, item("late"))
        other.execute("ROLLBACK")
        other.close()
        assert send(service, item("late")).status_code == 200
        assert len(kept(service, "late")) == 1


def test_feedback_is_kept_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "feedback.sqlite3")
    connection.execute("CREATE TABLE feedback_comments (feedback INTEGER PRIMARY KEY)")  # takes no comment
    connection.close()
    with running(tmp_path) as service:
        assert_unavailable(service, item("first"), item("second", overrideReason={"userComment": "x"}))
        assert rows(service, "SELECT * FROM feedback") == []
        assert send(service, item("first")).status_code == 200


def test_what_was_acknowledged_outlives_the_process(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        card = call(service)
        assert send(service, accepted(card)).status_code == 200
    with running(tmp_path) as service:
        assert len(kept(service, card["uuid"])) == 1
        assert send(service, accepted(card), item(card["uuid"], outcomeTimestamp="2026-03-03T00:00:00Z")).ok
        assert [row["is_known_card"] for row in kept(service, card["uuid"])] == [1, 1], "the card is known still"


def test_a_card_that_was_issued_when_the_service_is_stopped_is_kept(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        cards = [call(service)["uuid"] for _ in range(3)]
    assert all(len(issued(service, card)) == 1 for card in cards)


def test_workers_share_the_database(tmp_path: Path) -> None:
    with running(tmp_path, workers=2) as service, ThreadPoolExecutor(16) as pool:
        cards = list(pool.map(lambda _: call(service), range(40)))
        statuses = list(pool.map(lambda card: send(service, accepted(card)).status_code, cards * 2))
        assert set(statuses) == {200}
        found = rows(service, "SELECT card, is_known_card FROM feedback")
    assert {row["card"] for row in found} == {card["uuid"] for card in cards}
    assert len(found) == 40
    assert all(row["is_known_card"] for row in found)


def test_comments_can_be_dropped(tmp_path: Path) -> None:
    with running(tmp_path, CDS_KEEP_COMMENTS="false") as service:
        one, other = str(uuid.uuid4()), str(uuid.uuid4())
        system = "https://example.org/contrast-echo-cds/CodeSystem/override-reason"
        ours = {"reason": {"code": "later", "system": system}, "userComment": "dropped"}
        theirs = {"reason": {"code": "Mrs Smith", "system": "urn:mrs-smith", "display": "Mrs Smith"}}
        assert send(service, item(one, overrideReason=ours), item(other, overrideReason=theirs)).ok
        assert [(row["reason_code"], row["reason_system"]) for row in kept(service, one)] == [("later", system)]
        assert [(row["reason_code"], row["reason_system"]) for row in kept(service, other)] == [("other", None)]
        assert comments(service, one) == []


# --- nothing of the patient -----------------------------------------------------------------------------------------

MARK = "Zyzzyva"


def marked(value: Any) -> Any:
    """The same JSON with the mark in every text but those that make it be understood."""
    kept_members = {"resourceType", "system", "code", "status", "hook", "hookInstance", "type", "use"}
    if isinstance(value, dict):
        return {
            name: inner if name in kept_members and isinstance(inner, str) else marked(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [marked(inner) for inner in value]
    return f"{value}{MARK}" if isinstance(value, str) and not value[:4].isdigit() else value


def marked_calls() -> Iterator[tuple[str, dict[str, Any]]]:
    """Calls that are full of the mark: with cards, unreadable, at fault, with a token and a server."""
    claim = marked(request_of({"professional": "93350", "given": ["Definity 1.3 mL"], "done": ["93350 as P1"]}))
    order = marked(request_of({"hook": "order", "ordered": ["93350", "Definity"]}))
    patient = {"resourceType": "Patient", "id": MARK, "name": [{"family": MARK}], "birthDate": MARK}
    claim["prefetch"] |= {"patient": patient, MARK: patient, "encounter": {"resourceType": MARK}}
    yield CLAIM_REVIEW, claim
    yield ORDER_SIGN, order
    token = {
        "access_token": MARK,
        "token_type": "Bearer",
        "expires_in": 60,
        "scope": MARK,
        "subject": MARK,
        "patient": MARK,
    }
    server = {"fhirServer": f"http://127.0.0.1:1/{MARK}", "fhirAuthorization": token, "extension": {MARK: MARK}}
    yield CLAIM_REVIEW, request_of({"lines": "93350"}) | server
    yield CLAIM_REVIEW, claim | server | {"fhirServer": f"https://{MARK}.example.org"}
    yield CLAIM_REVIEW, claim | {"hookInstance": MARK}
    yield CLAIM_REVIEW, claim | {"hook": MARK}
    yield CLAIM_REVIEW, claim | {"context": {"userId": [MARK], "patientId": MARK}}
    yield CLAIM_REVIEW, claim | {"context": claim["context"] | {"draftCharges": bundle([patient]) | {"entry": MARK}}}
    yield f"/cds-services/{MARK}?{MARK}={MARK}", claim


def marked_feedback(card: str) -> Iterator[dict[str, Any]]:
    reason = {"reason": {"code": "later", "system": "https://a/b", "display": MARK}, "userComment": MARK, MARK: MARK}
    yield item(card, overrideReason=reason, extension={MARK: MARK}) | {MARK: MARK}
    yield item(card, outcome=MARK)
    yield item(card, outcomeTimestamp=MARK)
    yield item(card, overrideReason={"reason": {"code": f"{MARK}\0"}})


def test_nothing_of_the_patient_is_in_the_database_or_in_the_log(tmp_path: Path) -> None:
    with running(tmp_path, CDS_KEEP_COMMENTS="false") as service:
        cards, faults = [], []
        for path, body in marked_calls():
            response = post(service.address, path, body)
            assert response.status_code in {200, 400, 404}
            if response.status_code == 200:
                cards += response.json()["cards"]
            else:
                faults.append(response.text)
        assert faults
        assert MARK not in "".join(faults), "a fault never repeats what was sent"
        assert len(cards) >= 3
        assert MARK in str(cards), "the calls were understood"
        statuses = [send(service, each).status_code for each in marked_feedback(cards[0]["uuid"])]
        assert statuses == [200, 400, 400, 400]
        post(service.address, CLAIM_REVIEW, f'{{"hook": "{MARK}'.encode(), headers={"X-Request-Id": MARK})
        requests.get(f"{service.address}/{MARK}", timeout=10)
        assert rows(service, "SELECT count(*) AS n FROM feedback") == [{"n": 1}]
    files = sorted(tmp_path.iterdir())
    assert {"feedback.sqlite3", "log.txt"} <= {file.name for file in files}
    for file in files:
        assert MARK.lower().encode() not in file.read_bytes().lower(), file.name


def test_a_comment_is_the_only_free_text_that_is_kept(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        assert send(service, next(marked_feedback("c"))).status_code == 200
        assert comments(service, "c") == [MARK]
        assert MARK not in str(kept(service, "c"))
        assert MARK not in service.log.read_text()
