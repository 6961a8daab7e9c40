"""A failing FHIR server: the answer comes in time and names the data that could not be fetched."""

import gzip
import json
import socket
import struct
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3.exceptions import ProtocolError

from cds_service.cdshooks.prefetch import Intake
from cds_service.fetch.client import FhirClient
from cds_service.fetch.queries import MAX_PAGES, Access, Query, _ran_out_of_time
from cds_service.fetch.searches import Search
from cds_service.review.advisor import Advisor
from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from hooks.prefetch import PREFETCH
from tests.rules.test_cases import SERVICES
from tests.support.ehr import FHIR_TOKEN, PATHS, UNAVAILABLE, about_echo, access, call, not_checked, warned, warnings
from tests.support.fhir_double import Double, Reply, body, in_turn, resource, running_double, searchset
from tests.support.notation import bundle, request_of
from tests.support.running import running

Json = dict[str, Any]

SECONDS = 0.5  # what the service may take for fetching in these tests
MARGIN = 4.0
PATIENT = "patient-whom-no-log-may-name"
KEY = "medicationAdministrations"
PLACE = f"fhirServer.{KEY}"
TYPE = "MedicationAdministration"
RULE = "contrast-add-on-missing"


def _of_patient(request: Json) -> Json:
    text = json.dumps(request).replace('"Patient/p1"', f'"Patient/{PATIENT}"').replace('"p1"', f'"{PATIENT}"')
    return dict(json.loads(text))


# Two studies: of the first it is not known whether contrast was given, the second has its add-on twice.
REQUEST = _of_patient(
    request_of(
        {
            "lines": "93350 on 2026-03-02, 93350 on 2026-03-09, 93352x2 on 2026-03-09, Q9957x2 on 2026-03-09",
            "known": ["procedures", "chargeItems", "coverages", "observations"],
        }
    )
)
# The days of both, a day wider on each side.
DATES = "effective-time=ge2026-03-01&effective-time=le2026-03-10"
GIVEN = _of_patient(request_of({"given": ["Definity 1.3 mL on 2026-03-02"]}))["prefetch"][KEY]["entry"][0]["resource"]


@pytest.fixture(scope="module")
def proxy() -> Iterator[Double]:
    """A proxy named in the service's environment; no query may reach it."""
    with running_double() as double:
        yield double


@pytest.fixture(scope="module")
def tempting(tmp_path_factory: pytest.TempPathFactory, proxy: Double) -> dict[str, str]:
    """Surroundings that offer a proxy and passwords."""
    netrc = tmp_path_factory.mktemp("surroundings") / "netrc"
    netrc.write_text("default login somebody password else\n")
    origin = proxy.address.removesuffix("/fhir")
    return {"HTTP_PROXY": origin, "http_proxy": origin, "ALL_PROXY": origin, "NO_PROXY": "", "NETRC": str(netrc)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: tmp_path_factory.mktemp(name) for name in ("calm", "hasty")}


@pytest.fixture(scope="module")
def calm(folders: dict[str, Path], tempting: dict[str, str]) -> Iterator[str]:
    """A service that gives FHIR servers time enough: what they do wrong is not a matter of time."""
    with running(folders["calm"], 1, CDS_FETCH_SECONDS="30", **tempting) as service:
        yield service.address


@pytest.fixture(scope="module")
def hasty(folders: dict[str, Path], tempting: dict[str, str]) -> Iterator[str]:
    """A service that gives FHIR servers half a second."""
    with running(folders["hasty"], 1, CDS_FETCH_SECONDS=str(SECONDS), **tempting) as service:
        yield service.address


@pytest.fixture
def double() -> Iterator[Double]:
    with running_double() as started:
        yield started


@pytest.fixture(autouse=True)
def _nothing_leaks(folders: dict[str, Path], proxy: Double) -> Iterator[None]:
    yield
    written = "".join(log.read_text() for folder in folders.values() for log in folder.glob("log.txt"))
    assert FHIR_TOKEN not in written
    assert PATIENT not in written
    assert "defect" not in written
    assert proxy.asked == []


def _timed_call(service: str, request: Json) -> Json:
    started = time.monotonic()
    answer = call(service, request)
    assert time.monotonic() - started < SECONDS + MARGIN
    said = json.dumps(about_echo(answer))
    assert FHIR_TOKEN not in said
    assert PATIENT not in said
    return answer


# --- faults that stay -----------------------------------------------------------------------------------------------


def _cut_short(handler: BaseHTTPRequestHandler) -> None:
    whole = json.dumps(searchset([GIVEN])).encode()
    body(whole[:-20], Content_Length=str(len(whole)))(handler)


def _chunk_cut_short(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"100\r\n{")


def _reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def _drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    _slowly(handler)


def _drip_of_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    _slowly(handler)


def _slowly(handler: BaseHTTPRequestHandler) -> None:
    for _ in range(60):
        time.sleep(0.2)
        handler.wfile.write(b" ")


def _silence(handler: BaseHTTPRequestHandler) -> None:
    del handler
    time.sleep(SECONDS * 20)


def _odd_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nno header at all\r\nX: y\r\n\r\n<html>")


def _without_end(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 1_000_000)


def _next_pages(handler: BaseHTTPRequestHandler) -> None:
    resource(searchset([], next_page=f"?page={handler.path.count('page') + 1}"))(handler)


BOMB = gzip.compress(b" " * 30_000_000, 9)
TOO_MUCH = "sent more than 10485760 bytes"
FAILED = "the request to the FHIR server failed"
NOT_FHIR = "expected a FHIR resource or a Bundle"
# Each place at which the time may end has its words; which of them is reached first is the clock's choice.
TOO_SLOW = (f"did not respond within {SECONDS} seconds", "too slow", "no time was left")

LASTING: dict[str, tuple[Reply, str]] = {
    "401": (resource(UNAVAILABLE, 401, WWW_Authenticate="Bearer"), "responded with 401"),
    "403": (resource(UNAVAILABLE, 403), "responded with 403"),
    "404": (resource(UNAVAILABLE, 404), "responded with 404"),
    "410": (body(b"", 410), "responded with 410"),
    "429 for a minute": (body(b"", 429, Retry_After="60"), "responded with 429"),
    "500": (body(b"at patient.Record.read(Record.java)", 500), "responded with 500"),
    "503 all the time": (body(b"", 503), "responded with 503"),
    "201": (resource(searchset([GIVEN]), 201), "responded with 201"),
    "204": (body(b"", 204), "responded with 204"),
    "a page for people": (body(b"<html>Please log in</html>", Content_Type="text/html"), NOT_FHIR),
    "nothing": (body(b""), NOT_FHIR),
    "null": (body(b"null"), NOT_FHIR),
    "a list": (body(b"[]"), NOT_FHIR),
    "a number": (body(b"12"), NOT_FHIR),
    "no resource": (body(b'{"a": 1}'), NOT_FHIR),
    "half a Bundle": (body(json.dumps(searchset([GIVEN])).encode()[:-20]), NOT_FHIR),
    "not UTF-8": (body(b'{"resourceType": "\xff\xfe"}'), NOT_FHIR),
    "nested without end": (body(b'{"resourceType":"Bundle","entry":' + b"[" * 100_000), NOT_FHIR),
    "cut short": (_cut_short, FAILED),
    "a chunk cut short": (_chunk_cut_short, FAILED),
    "no gzip": (body(b"not packed", Content_Encoding="gzip"), FAILED),
    "reset": (_reset, FAILED),
    "odd headers": (_odd_headers, NOT_FHIR),
    "without end": (_without_end, TOO_MUCH),
    "a gzip bomb": (body(BOMB, Content_Encoding="gzip"), TOO_MUCH),
    "an OperationOutcome": (resource(UNAVAILABLE), "OperationOutcome received"),
    "another resource": (resource({"resourceType": "Patient", "id": PATIENT}), f"expected {TYPE}"),
    "matches of another type": (resource(searchset([{"resourceType": "Patient", "id": PATIENT}])), f"expected {TYPE}"),
    "an entry that is an OperationOutcome": (resource(searchset([UNAVAILABLE])), "OperationOutcome in the Bundle"),
    "an entry without a resource": (resource(searchset([]) | {"entry": [{}]}), "expected a `resource`"),
    "an entry of a wrong status": (resource(searchset([GIVEN | {"status": "perhaps"}])), "expected a code"),
    "pages without end": (_next_pages, f"more than {MAX_PAGES} pages"),
    "a next page nowhere": (resource(searchset([], next_page="")), "next page is not on the FHIR server"),
    "a next page in a file": (resource(searchset([], next_page="file:///etc/passwd")), "next page is not on the"),
    "a next page that is no address": (resource(searchset([], next_page="https://[")), "next page is not on the"),
    "a next page above": (resource(searchset([], next_page="../admin")), "next page is not on the FHIR server"),
    "a next page above, in disguise": (resource(searchset([], next_page="%2e%2e/admin")), "next page is not on the"),
    "a next page that fails": (
        in_turn(resource(searchset([], next_page="?page=2")), body(b"", 500)),
        "responded with 500",
    ),
    "a next page that is not there": (
        in_turn(resource(searchset([], next_page="?page=2")), resource(UNAVAILABLE, 404)),
        "responded with 404",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "is_time"), [(TimeoutError("timed out"), True), (ConnectionResetError(104, "reset by peer"), False)]
)
def test_a_lost_connection_is_too_slow_where_time_ran_out(reason: OSError, is_time: bool) -> None:
    """As requests and urllib3 wrap it where the time ends while a request is sent."""
    assert _ran_out_of_time(requests.ConnectionError(ProtocolError("Connection aborted.", reason))) == is_time


def test_pages_without_end_are_read_to_the_limit(double: Double) -> None:
    double.replies[TYPE] = _next_pages
    query = Query(Access(double.address), f"{TYPE}?patient=1", time.monotonic() + 60)
    with requests.Session() as session:
        query.run({False: session})
    assert query.fault == f"the FHIR server has more than {MAX_PAGES} pages"
    assert len(query.pages) == len(double.asked) == MAX_PAGES


def _fault_named(answer: Json, double: Double) -> str:
    """The one fault of an answer, which says all that can be said without the data."""
    assert "add-on-repeated" in warned(answer), "what can be said is said"
    assert RULE in not_checked(answer), "what depends on the missing data is not decided"
    (place,) = warnings(answer)
    assert place.startswith(PLACE)
    assert double.asked
    assert all(headers["Authorization"] == f"Bearer {FHIR_TOKEN}" for _, headers in double.asked)
    return str(warnings(answer)[place])


@pytest.mark.parametrize("name", LASTING)
def test_a_fault_is_named_and_the_rest_is_said(calm: str, double: Double, name: str) -> None:
    double.replies[TYPE], reason = LASTING[name]
    assert reason in _fault_named(_timed_call(calm, REQUEST | access(double.address)), double)


SLOW: dict[str, Reply] = {
    "a drip": _drip, "a drip of headers": _drip_of_headers, "silence": _silence, "pages without end": _next_pages,
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_a_server_that_takes_too_long_is_named_in_time(hasty: str, double: Double, name: str) -> None:
    double.replies[TYPE] = SLOW[name]
    fault = _fault_named(_timed_call(hasty, REQUEST | access(double.address)), double)
    assert any(each in fault for each in (*TOO_SLOW, f"more than {MAX_PAGES} pages")), fault


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_is_followed_elsewhere(calm: str, double: Double, status: int) -> None:
    with running_double() as elsewhere:
        double.replies[TYPE] = body(b"", status, Location=f"{elsewhere.address}/{TYPE}?patient=1")
        answer = _timed_call(calm, REQUEST | access(double.address))
        assert elsewhere.asked == []
        double.replies[TYPE] = resource(searchset([], next_page=f"{elsewhere.address}/{TYPE}?page=2"))
        paged = _timed_call(calm, REQUEST | access(double.address))
        assert elsewhere.asked == []
    assert warnings(answer) == {PLACE: f"the FHIR server responded with {status}"}
    host = elsewhere.address.removeprefix("http://").removesuffix("/fhir")
    reason = f"the next page is not on the FHIR server; {host} is not listed for this client"
    assert warnings(paged) == {PLACE: reason}
    assert RULE in not_checked(answer)
    assert RULE in not_checked(paged)


def test_all_at_once_take_no_longer_than_one(hasty: str, double: Double) -> None:
    double.replies = dict.fromkeys(("Procedure", "ChargeItem", TYPE, "Coverage", "Observation"), _silence)
    answer = _timed_call(hasty, REQUEST | {"prefetch": {}} | access(double.address))
    assert len(warnings(answer)) == 5
    assert warned(answer) == ["add-on-repeated"]


def test_what_came_before_a_fault_is_used(hasty: str, double: Double) -> None:
    double.replies[TYPE] = in_turn(resource(searchset([GIVEN], next_page=f"{TYPE}?page=2")), _silence)
    answer = _timed_call(hasty, REQUEST | access(double.address))
    assert set(warned(answer)) == {RULE, "add-on-repeated"}
    assert set(warnings(answer)) == {PLACE}


def test_what_is_unreadable_in_prefetch_is_not_taken_for_nothing(calm: str) -> None:
    """k@52: the service looks for OperationOutcomes; a record that cannot be read may be the one that is looked for."""
    for entry in (GIVEN | {"status": "perhaps"}, UNAVAILABLE, {"resourceType": "Rumour"}):
        answer = call(calm, REQUEST | {"prefetch": REQUEST["prefetch"] | {KEY: bundle([entry])}})
        assert RULE in not_checked(answer)
        assert list(warnings(answer)) == [f"prefetch.{KEY}.entry[0]" + ("" if entry is UNAVAILABLE else ".resource")]


def _with_undated_charge(request: Json) -> Json:
    """The request with one more charge, which has no date: the days under review are not known."""
    sent = json.loads(json.dumps(request))
    drafts = sent["context"]["draftCharges"]["entry"]
    other = {"id": "other", "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "99213"}]}}
    charge = {name: value for name, value in drafts[0]["resource"].items() if name != "occurrenceDateTime"}
    drafts.append({"resource": charge | other})
    return dict(sent)


def test_without_the_days_under_review_the_whole_record_is_asked_for(calm: str, double: Double) -> None:
    double.replies[TYPE] = resource(searchset([GIVEN]))
    assert RULE in warned(call(calm, _with_undated_charge(REQUEST) | access(double.address)))
    assert double.paths == [f"/fhir/{TYPE}?patient={PATIENT}&_count=200"]


def test_the_days_are_asked_for_instead_of_further_pages_of_the_whole_record(calm: str, double: Double) -> None:
    first = searchset([], next_page=f"{double.address}/{TYPE}?page=2")
    double.replies[TYPE] = resource(searchset([GIVEN]))
    request = REQUEST | {"prefetch": REQUEST["prefetch"] | {KEY: first}}
    assert RULE in warned(call(calm, request | access(double.address)))
    assert double.paths == [f"/fhir/{TYPE}?patient={PATIENT}&{DATES}&_count=200"]


def test_a_first_page_that_was_flawed_is_not_made_whole_by_the_next(calm: str, double: Double) -> None:
    first = searchset([UNAVAILABLE], next_page=f"{double.address}/{TYPE}?page=2")
    request = REQUEST | {"prefetch": REQUEST["prefetch"] | {KEY: first}}
    assert RULE in not_checked(call(calm, _with_undated_charge(request) | access(double.address)))
    assert double.paths == [f"/fhir/{TYPE}?page=2"]


def test_the_rest_of_a_search_that_is_not_there_is_not_nothing(calm: str, double: Double) -> None:
    first = searchset([], next_page=f"{double.address}/pages/2")
    double.replies["pages/2"] = resource(UNAVAILABLE, 404)
    request = REQUEST | {"prefetch": REQUEST["prefetch"] | {KEY: first}}
    answer = call(calm, _with_undated_charge(request) | access(double.address))
    assert RULE in not_checked(answer)
    assert warnings(answer) == {PLACE: "the FHIR server responded with 404"}


def test_what_was_unreadable_in_prefetch_is_made_whole_by_the_server(calm: str, double: Double) -> None:
    for value in ("junk", searchset([UNAVAILABLE]), {"resourceType": "Patient"}):
        answer = call(calm, REQUEST | {"prefetch": REQUEST["prefetch"] | {KEY: value}} | access(double.address))
        assert not_checked(answer) == set(), "it is known that nothing was given"
        assert warned(answer) == ["add-on-repeated", "contrast-not-supported"]


@pytest.mark.parametrize("link", ["https://[", "file:///etc/passwd", "", "http://127.0.0.1:9/fhir/x"])
def test_a_first_page_with_an_odd_next_is_asked_for_anew(calm: str, double: Double, link: str) -> None:
    request = REQUEST | {"prefetch": REQUEST["prefetch"] | {KEY: searchset([UNAVAILABLE], next_page=link)}}
    double.replies[TYPE] = resource(searchset([GIVEN]))
    assert RULE in warned(call(calm, request | access(double.address)))
    assert double.paths == [f"/fhir/{TYPE}?patient={PATIENT}&{DATES}&_count=200"]


def test_a_request_that_is_not_in_utf_8(calm: str) -> None:
    whole = json.dumps(REQUEST | {"prefetch": {KEY: searchset([GIVEN | {"id": "MARK"}])}}).encode()
    sent = whole.replace(b"MARK", b"\xff\xfe")
    response = requests.post(
        calm + PATHS[REQUEST["hook"]], data=sent, headers={"Content-Type": "application/json"}, timeout=30
    )
    assert response.status_code == 400
    assert "expected JSON in UTF-8" in response.json()["issue"][0]["diagnostics"]


# --- faults that pass -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        body(b"", 429),
        body(b"", 429, Retry_After="0"),
        body(b"", 502),
        body(b"", 503, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"),
        body(b"", 504),
        _reset,
        _cut_short,
    ],
    ids=["429", "429 for no time", "502", "503 until a date", "504", "reset", "cut short"],
)
def test_a_fault_that_passes_is_not_noticed(calm: str, double: Double, fault: Reply) -> None:
    double.replies[TYPE] = in_turn(fault, resource(searchset([GIVEN])))
    answer = _timed_call(calm, REQUEST | access(double.address))
    assert warnings(answer) == {}
    assert RULE in warned(answer)
    assert len(double.asked) == 2


@pytest.mark.parametrize("status", [400, 422, 501])
def test_a_search_by_date_that_is_refused_is_asked_without_dates(calm: str, double: Double, status: int) -> None:
    double.replies[TYPE] = in_turn(body(b"", status), resource(searchset([GIVEN])))
    answer = _timed_call(calm, REQUEST | access(double.address))
    assert double.paths == [f"/fhir/{TYPE}?patient={PATIENT}{each}" for each in (f"&{DATES}&_count=200", "")]
    assert warnings(answer) == {}
    assert RULE in warned(answer)


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_fault_that_stays_is_not_asked_for_again(calm: str, double: Double, status: int) -> None:
    double.replies[TYPE] = body(b"", status)
    _timed_call(calm, REQUEST | access(double.address))
    assert len(double.asked) == 1


def test_a_server_that_wants_to_be_left_alone_is(calm: str, double: Double) -> None:
    double.replies[TYPE] = body(b"", 503, Retry_After="60")
    _timed_call(calm, REQUEST | access(double.address))
    assert len(double.asked) == 1


def test_junk_is_asked_for_once(calm: str, double: Double) -> None:
    double.replies["ChargeItem"] = body(b"junk")
    context = {"userId": "Practitioner/dr", "patientId": PATIENT, "encounterId": "E1"}
    request = REQUEST | {"hook": "encounter-discharge", "context": context, "prefetch": {}}
    answer = _timed_call(calm, request | access(double.address))
    assert answer["cards"] == []
    assert list(warnings(answer)) == ["fhirServer.chargeItems"]
    assert len(double.asked_of("ChargeItem")) == 1
    charge = REQUEST["context"]["draftCharges"]["entry"][0]["resource"]
    in_part = [charge | {"context": {"reference": "Encounter/E1"}}, UNAVAILABLE]
    double.replies["ChargeItem"] = resource(searchset(in_part))
    _timed_call(calm, request | access(double.address))
    assert len(double.asked_of("ChargeItem")) == 2
    assert len(double.asked_of(TYPE)) == 1, "the charge that came is looked into"


# --- pages as servers write them ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link",
    [
        "{base}?_getpages=1&_getpagesoffset=1",  # HAPI: below no type
        "{base}/MedicationAdministration?page=2&from=http://elsewhere.example/",
        "MedicationAdministration?page=2",
        "/fhir/MedicationAdministration?page=2",
        "?page=2",
        "{upper}/MedicationAdministration?page=2",
    ],
)
def test_a_next_page_in_any_spelling(calm: str, double: Double, link: str) -> None:
    upper = double.address.replace("http://", "HTTP://")
    page = searchset([], next_page=link.format(base=double.address, upper=upper))
    answers = in_turn(resource(page), resource(searchset([GIVEN])))
    double.replies |= {TYPE: answers, "/fhir": answers}
    answer = _timed_call(calm, REQUEST | access(double.address))
    assert warnings(answer) == {}
    assert RULE in warned(answer)
    assert len(double.asked) == 2


def test_the_usual_port_is_the_same_server() -> None:
    assert Access("https://ehr.example.org/r4").covers("https://EHR.example.org:443/r4/Procedure?page=2")
    assert Access("https://ehr.example.org:443/r4/").covers("https://ehr.example.org/r4?page=2")
    for other in (
        "http://ehr.example.org/r4/Procedure",
        "https://ehr.example.org:444/r4/Procedure",
        "https://ehr.example.org/r4x/Procedure",
        "https://ehr.example.org.example.com/r4/Procedure",
        "https://user@ehr.example.org/r4/Procedure",
        "https://ehr.example.org/r4/../other/Procedure",
        "https://[/r4",
    ):
        assert not Access("https://ehr.example.org/r4").covers(other), other


# --- where the token may go -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "https://ehr.example.org/r4",
        "http://192.0.2.1/fhir",
        "http://user@{origin}/fhir",
        "http://:secret@{origin}/fhir",
        "http://{origin}/admin?as=",
        "http://{origin}/admin#",
        "//{origin}/fhir",
        "{origin}/fhir",
        "file:///etc/passwd",
        "ftp://{origin}/fhir",
        "http://localhost.example.org/fhir",
        "http://127.0.0.1.example.org/fhir",
        "http://2130706433/fhir",
        "http://127.0.0.1:99999/fhir",
        "http://127.0.0.1:http/fhir",
        "http://",
        " ",
    ],
)
def test_a_server_that_may_not_be_asked(calm: str, double: Double, address: str) -> None:
    origin = double.address.removeprefix("http://").removesuffix("/fhir")
    answer = _timed_call(calm, REQUEST | access(address.format(origin=origin)))
    assert warnings(answer) == {PLACE: "`fhirServer` is not an allowed FHIR server"}
    assert warned(answer) == ["add-on-repeated"]
    assert RULE in not_checked(answer)
    assert double.asked == []


def test_a_server_that_need_not_be_asked_is_no_fault(calm: str) -> None:
    request = REQUEST | {"prefetch": REQUEST["prefetch"] | {KEY: None}}
    assert warnings(call(calm, request | access("https://ehr.example.org/r4"))) == {}


def test_only_servers_that_are_listed() -> None:
    with running_double() as listed, running_double() as other:
        advisor = create_advisor(Settings(fhir_servers=(listed.address,)))
        for server in (listed.address, f"{listed.address}/"):
            assert _reasons(advisor, server) == []
        assert len(listed.asked) == 2
        for server in (other.address, f"{listed.address}/tenant", listed.address.removesuffix("/fhir")):
            assert _reasons(advisor, server) == ["`fhirServer` is not an allowed FHIR server"]
        assert len(listed.asked) == 2
        assert other.asked == []


def _reasons(advisor: Advisor, server: str) -> list[str]:
    sent = json.dumps(REQUEST | access(server)).encode()
    return [each.reason for each in advisor.answer(SERVICES["contrast-echo-claim-review"], sent).skipped]


@pytest.mark.parametrize("token", ["€", "line\nbreak"])
def test_a_token_that_cannot_be_sent(calm: str, double: Double, token: str) -> None:
    answer = _timed_call(calm, REQUEST | access(double.address, token))
    assert "the request to the FHIR server failed" in warnings(answer)[PLACE]
    assert token not in json.dumps(answer, ensure_ascii=False)
    assert double.asked == []


def test_without_a_token_none_is_made_up(calm: str, double: Double) -> None:
    """A .netrc would fill in a password, of whoever runs the service."""
    _timed_call(calm, REQUEST | {"fhirServer": double.address})
    ((_, headers),) = double.asked
    assert "Authorization" not in headers


def test_a_cookie_of_one_call_does_not_go_along_with_the_next(calm: str, double: Double) -> None:
    double.replies[TYPE] = resource(searchset([]), Set_Cookie="session=of-another-user; Path=/")
    for _ in range(2):
        _timed_call(calm, REQUEST | access(double.address))
    assert [headers.get("Cookie") for _, headers in double.asked] == [None, None]


def test_an_access_does_not_show_its_token() -> None:
    assert FHIR_TOKEN not in repr(Access("http://127.0.0.1/fhir", FHIR_TOKEN))


# --- what a bad server costs others ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [_drip, _drip_of_headers, _silence])
def test_a_slow_server_does_not_keep_its_thread(double: Double, fault: Reply) -> None:
    client = FhirClient(seconds=0.3, workers=1)
    double.replies = {TYPE: fault, "Procedure": resource(searchset([]))}
    template = PREFETCH[KEY]
    slow, quick = Intake(), Intake()
    client.fetch(slow, Access(double.address), {KEY: [Search(f"{TYPE}?patient=1")]}, {KEY: template}, client.deadline())
    assert set(slow.unavailable) == {KEY}
    client.fetch(
        quick, Access(double.address), {KEY: [Search("Procedure?patient=1")]}, {KEY: template}, client.deadline()
    )
    assert quick.complete == {KEY}
