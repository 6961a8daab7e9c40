"""Telemetry for operators: metrics over all workers, request ids, traces, and no patient data."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import select, text

from cds_service.app import create_app
from cds_service.database.connections import create
from cds_service.database.schema import METADATA
from cds_service.settings import Settings
from cds_service.telemetry.tracing import Tracing
from tests.http.test_services import CLAIM_REVIEW, ORDER_SIGN, post
from tests.support.fhir_server.server import FhirServer, running_server
from tests.support.notation import request_of
from tests.support.running import Service, eventually, running
from tests.support.upgrades import upgrade

pytestmark = pytest.mark.repeats(3)

FLAGGED = request_of({"lines": "93350, Q9957x2"})
UNSURE = request_of({"lines": "93350", "given": ["Definity 1.3 mL"], "known": []})
SERVICE = "contrast-echo-claim-review"
A_UUID = uuid.UUID("7a2f3c1e-9b4d-4e52-8c6f-0d1e2f3a4b5c")


@pytest.fixture(scope="module")
def fhir() -> Iterator[FhirServer]:
    with running_server() as server:
        yield server


def metrics(service: Service) -> dict[str, float]:
    """The numbers by name and labels."""
    response = requests.get(f"{service.address}/metrics", timeout=10)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in response.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def value(found: dict[str, float], name: str, **labels: str) -> float:
    written = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
    return found.get(f"{name}{{{written}}}", 0.0)


def events(service: Service, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


# --- metrics --------------------------------------------------------------------------------------------------------


def test_metrics_are_counted_over_all_workers(tmp_path: Path, fhir: FhirServer) -> None:
    with running(tmp_path, workers=2) as service, ThreadPoolExecutor(8) as pool:
        assert len(service.workers()) == 2
        answers = list(pool.map(lambda _: post(service.address, CLAIM_REVIEW, FLAGGED), range(60)))
        for _ in range(3):
            post(service.address, CLAIM_REVIEW, b"{")
        post(service.address, "/cds-services/none", FLAGGED)
        cards = [answer.json()["cards"][0]["uuid"] for answer in answers]
        items = [item(card, {"code": "not-performed"}) for card in cards[:4]]
        items += [item(cards[4], {"code": "Zyzzyva"}), item(cards[5], None)]
        assert items
        for each in items:
            assert post(service.address, f"{CLAIM_REVIEW}/feedback", {"feedback": [each]}).status_code == 200
        fetching = UNSURE | {"prefetch": {}, "fhirServer": fhir.base_url}
        assert post(service.address, CLAIM_REVIEW, fetching).status_code == 200
        for _ in range(5):  # whichever worker answers
            found = metrics(service)
            assert value(found, "cds_call_seconds_count", service=SERVICE) == 61
            assert value(found, "cds_call_seconds_bucket", service=SERVICE, le="+Inf") == 61
            labels = {"indicator": "warning", "rule": "contrast-add-on-missing", "service": SERVICE}
            assert value(found, "cds_cards_total", **labels) == 60
            assert value(found, "cds_http_errors_total", status="400") == 3
            assert value(found, "cds_http_errors_total", status="404") == 1
            for reason, number in (("not-performed", 4), ("other", 1), ("", 1)):
                labels = {"outcome": "overridden", "reason": reason, "service": SERVICE}
                assert value(found, "cds_feedback_total", **labels) == number
            sent = sum(number for name, number in found.items() if 'how="sent"' in name)
            assert sent == 60 * len(FLAGGED["prefetch"])
            assert sum(number for name, number in found.items() if 'how="fetched"' in name) > 0
        assert all(len(each) for each in (events(service, "call"), events(service, "feedback")))


def test_what_a_rule_cannot_decide_is_counted(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        answer = post(
            service.address, CLAIM_REVIEW, request_of({"institutional": "93350, Q9957x2", "payer": "SOPT 121"})
        ).json()
        doubts = answer["extension"]["org.example.contrast-echo"]["notChecked"]
        asked = [(each["rule"], each["why"]) for each in doubts]
        found = metrics(service)
        assert asked
        for rule, why in asked:
            assert value(found, "cds_not_checked_total", rule=rule, service=SERVICE, why=why) == asked.count(
                (rule, why)
            )
        assert asked


def test_what_is_not_understood_is_counted_without_the_senders_systems(tmp_path: Path) -> None:
    own = [("urn:oid:1.2.3", "ECHO"), ("https://ehr.example.org/patients/smith", "X1"), ("http://loinc.org", "12")]
    body = json.dumps(request_of({"lines": "93350, 93351, 93307, Q9957x2"}))
    for code, (system, local) in zip(("93350", "93351", "93307"), own, strict=True):
        body = body.replace(
            f'"system": "http://www.ama-assn.org/go/cpt", "code": "{code}"', f'"system": "{system}", "code": "{local}"'
        )
    with running(tmp_path) as service:
        assert post(service.address, CLAIM_REVIEW, body.encode()).status_code == 200
        found = metrics(service)
        assert events(service, "call")[0]["not_understood"] == {"charge": 3}
    assert {name: number for name, number in found.items() if name.startswith("cds_not_understood_total")} == {
        'cds_not_understood_total{kind="charge",system="loinc"}': 1,
        'cds_not_understood_total{kind="charge",system="other"}': 2,
    }
    assert "smith" not in "".join(found)


def item(card: str, reason: dict[str, str] | None) -> dict[str, Any]:
    feedback = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-03-02T15:04:05Z"}
    return feedback | ({"overrideReason": {"reason": reason}} if reason else {})


# --- log and request id ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [str(A_UUID), A_UUID.hex, A_UUID.hex.upper()])
def test_a_request_id_is_taken_up(tmp_path: Path, sent: str) -> None:
    with running(tmp_path) as service:
        response = post(service.address, CLAIM_REVIEW, FLAGGED, headers={"X-Request-ID": sent})
        assert response.headers["X-Request-ID"] == sent
        (call,) = events(service, "call")
        assert call["request_id"] == sent
        assert (call["service"], call["client"], call["level"]) == (SERVICE, "development", "info")
        assert call["findings"] == {"contrast-add-on-missing": 1}
        assert call["milliseconds"] > 0
        assert call["timestamp"].endswith("Z")


@pytest.mark.parametrize("sent", ["", "MRN-1234567", "Smith", "a" * 33, f"{A_UUID} x", "0" * 31])
def test_a_request_id_that_might_be_something_else_is_replaced(server: str, sent: str) -> None:
    for path, body in ((CLAIM_REVIEW, FLAGGED), (CLAIM_REVIEW, b"{"), ("/none", b"")):
        response = post(server, path, body, headers={"X-Request-ID": sent})
        assert uuid.UUID(response.headers["X-Request-ID"])
        assert response.headers["X-Request-ID"] != sent


def test_every_line_of_the_log_is_json(tmp_path: Path) -> None:
    with running(tmp_path, workers=2) as service:
        post(service.address, CLAIM_REVIEW, FLAGGED)
        post(service.address, CLAIM_REVIEW, b"{")
    lines = service.log.read_text().splitlines()
    for_people = ("*** DEVELOPMENT MODE", "*** For production", "Serving on http://")
    assert [line.startswith(each) for line, each in zip(lines, for_people, strict=False)] == [True] * 3
    assert lines[3:]
    for line in lines[3:]:
        assert {"event", "level", "timestamp"} <= set(json.loads(line)), line


# --- nothing of the patient -----------------------------------------------------------------------------------------

MARK = "Zyzzyva"
READ = {"resourceType", "system", "code", "status", "hook", "hookInstance", "type", "use"}


def marked(value: Any) -> Any:
    """The same JSON with the mark in every text and name but those that make it be understood."""
    if isinstance(value, dict):
        kept = {
            name: inner if name in READ and isinstance(inner, str) else marked(inner) for name, inner in value.items()
        }
        return kept | {MARK: MARK}
    if isinstance(value, list):
        return [marked(inner) for inner in value]
    return f"{value}{MARK}" if isinstance(value, str) and not value[:4].isdigit() else value


HEADERS = {
    "X-Request-ID": MARK,
    "Authorization": f"Bearer {MARK}",
    "User-Agent": MARK,
    "Referer": f"https://{MARK}",
    "Cookie": f"a={MARK}",
    "traceparent": MARK,
    "tracestate": f"a={MARK}",
    "baggage": f"a={MARK}",
    "X-Forwarded-For": MARK,
    "X-Forwarded-Host": MARK,
    "Accept": f"application/json; a={MARK}",
}

TOKEN = {
    "access_token": MARK, "token_type": "Bearer", "expires_in": 60, "scope": MARK, "subject": MARK, "patient": MARK,
}  # fmt: skip


def marked_requests(servers: dict[str, str]) -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    """Every route, understood and at fault: method, path, body, headers."""
    claim = marked(request_of({"professional": "93350", "given": ["Definity 1.3 mL"], "done": ["93350 as P1"]}))
    order = marked(request_of({"hook": "order", "ordered": ["93350", "Definity"]}))
    patient = {"resourceType": "Patient", "id": MARK, "name": [{"family": MARK}], "birthDate": MARK}
    claim["prefetch"] |= {"patient": patient, "encounter": {"resourceType": MARK}}
    for body in (claim, order):
        yield "POST", CLAIM_REVIEW, body, {}
        yield "POST", ORDER_SIGN, body, {}
        yield "POST", "/cds-services/contrast-echo-order-select", body, {}
        yield "POST", "/cds-services/contrast-echo-encounter-discharge", body, {}
    for address in servers.values():
        asking = request_of({"lines": "93350"}) | {"prefetch": {}, "fhirServer": address, "fhirAuthorization": TOKEN}
        asking["context"] |= {"patientId": MARK, "encounterId": MARK}
        yield "POST", CLAIM_REVIEW, asking, {}
    yield "POST", CLAIM_REVIEW, claim | {"hookInstance": MARK}, {}
    yield "POST", CLAIM_REVIEW, claim | {"hook": MARK}, {}
    yield "POST", CLAIM_REVIEW, claim | {"context": {"userId": [MARK], "patientId": MARK}}, {}
    yield "POST", CLAIM_REVIEW, claim | {"context": claim["context"] | {"draftCharges": {"entry": MARK}}}, {}
    yield "POST", CLAIM_REVIEW, claim | {"prefetch": {MARK: {MARK: [MARK]}, "procedures": MARK}}, {}
    yield "POST", CLAIM_REVIEW, f'{{"hook": "{MARK}'.encode(), {}
    yield "POST", CLAIM_REVIEW, f'"{MARK}"'.encode(), {"Content-Type": f"text/{MARK}"}
    yield "POST", CLAIM_REVIEW, MARK.encode(), {"Content-Encoding": "gzip"}
    yield "POST", CLAIM_REVIEW, MARK.encode(), {"Content-Encoding": MARK}
    yield "POST", CLAIM_REVIEW, MARK.encode() * 300_000, {}
    yield "POST", f"/cds-services/{MARK}?{MARK}={MARK}", claim, {}
    yield "POST", f"/cds-services/{MARK}/feedback", claim, {}
    yield "POST", f"{CLAIM_REVIEW}/{MARK}", claim, {}
    for path in ("", "cds-services", "openapi.json", "health/live", "health/ready", "metrics", f"hooks/{MARK}", MARK):
        yield "GET", f"/{path}?{MARK}={MARK}", None, {}
        yield "PUT", f"/{path}?{MARK}={MARK}", claim, {}
    yield from marked_reviews(claim)
    for path in (f"codes?q={MARK}", f"codes/{MARK}", f"rules/{MARK}", f"fhir/{MARK}/{MARK}", f"fhir/CodeSystem/{MARK}"):
        yield "GET", f"/{path}", None, {}
        yield "GET", f"/{path}", None, {"Accept": "text/html"}
    yield MARK.upper(), CLAIM_REVIEW, None, {}
    # The host of an origin is logged, for the setting that allows it; whatever is no origin is not.
    for origin in (f"https://example.org/{MARK}", f"https://{MARK} {MARK}", MARK):
        yield "OPTIONS", CLAIM_REVIEW, None, {"Origin": origin, "Access-Control-Request-Method": MARK}


def marked_reviews(claim: Any) -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    """Bundles without a call around them: understood, of two patients, and broken."""
    charges = claim["context"]["draftCharges"]
    other = {"resourceType": "Procedure", "status": "completed", "subject": {"reference": f"Patient/other-{MARK}"}}
    yield "POST", "/review", charges, {}
    yield "POST", "/review", charges | {"entry": [*charges["entry"], {"resource": other}]}, {}
    yield "POST", "/review", {"resourceType": MARK}, {}
    yield "POST", "/review", charges | {"entry": [{"resource": MARK}, {"resource": {"resourceType": MARK}}]}, {}


def marked_feedback(card: str) -> Iterator[dict[str, Any]]:
    reason = {"reason": {"code": "later", "system": "https://a/b", "display": MARK}, "userComment": MARK, MARK: MARK}
    yield item(card, None) | {"overrideReason": reason, "extension": {MARK: MARK}, MARK: MARK}
    yield item(card, None) | {"outcome": MARK}
    yield item(card, None) | {"outcomeTimestamp": MARK}
    yield item(card, {"code": f"{MARK}\0"})


@pytest.fixture(scope="module")
def faulty(fhir: FhirServer) -> Iterator[dict[str, str]]:
    """Addresses of FHIR servers that answer, that answer with the mark in a fault, and that do not answer."""
    with echoing() as address:
        yield {
            "good": fhir.base_url,
            "echoing": address,
            "nobody": f"http://127.0.0.1:1/{MARK}",
            "unknown": f"http://{MARK}.invalid/fhir",
            "nonsense": f"{MARK}://[",
        }


@contextmanager
def echoing() -> Iterator[str]:
    """A server that has nothing but faults, each full of the mark."""
    faults = cycle([500, 404, 302, 200, 429])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(next(faults), MARK)
            self.send_header("Location", f"/{MARK}")
            self.send_header(MARK, MARK)
            self.end_headers()
            self.wfile.write(MARK.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{MARK}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(service: Service, method: str, path: str, body: Any, headers: dict[str, str]) -> requests.Response:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    chosen = {"Content-Type": "application/json"} | HEADERS | headers
    return requests.request(
        method, service.address + path, data=data, headers=chosen, timeout=30, allow_redirects=False
    )


def everything(database_url: str) -> list[Any]:
    """Every row of every table."""
    engine = create(Settings(database_url=database_url).database_url)
    with engine.connect() as connection:
        found = [tuple(row) for table in METADATA.sorted_tables for row in connection.execute(select(table))]
    engine.dispose()
    assert found
    return found


def assert_unmarked(content: bytes) -> None:
    at = content.lower().find(MARK.lower().encode())
    assert at < 0, content[max(0, at - 300) : at + 100]


def test_nothing_of_the_patient_is_seen_anywhere(database_url: str, tmp_path: Path, faulty: dict[str, str]) -> None:
    settings = {"CDS_DATABASE_URL": database_url, "CDS_KEEP_COMMENTS": "false", "CDS_MAX_BODY_BYTES": "1000000"}
    upgrade(database_url)
    with running(tmp_path, workers=2, **settings) as service:
        cards: list[Any] = []
        faults: list[str] = []
        statuses = set()
        for method, path, body, headers in marked_requests(faulty):
            response = send(service, method, path, body, headers)
            statuses.add(response.status_code)
            if response.status_code == 200:
                answer = response.json() if "json" in response.headers["Content-Type"] else {}
                cards += answer.get("cards", [])
            else:
                faults.append(response.text.lower())
            assert MARK.lower() not in str(response.headers).lower()
        assert faults
        assert MARK.lower() not in "".join(faults), "a fault never repeats what was sent"
        assert len(cards) >= 2
        assert MARK in str(cards), "the calls were understood"
        for each in marked_feedback(cards[0]["uuid"]):
            statuses.add(send(service, "POST", f"{CLAIM_REVIEW}/feedback", {"feedback": [each]}, {}).status_code)
        counted = requests.get(f"{service.address}/metrics?{MARK}", timeout=10).text
        assert MARK.lower() not in counted.lower()
        kept = requests.get(f"{service.address}/metrics", timeout=10).text
        assert 'service="review"' in kept, "a Bundle was understood"
    assert statuses >= {200, 400, 404, 405, 413, 415}
    assert statuses.isdisjoint({500, 503})
    assert_unmarked(service.log.read_bytes())
    for file in tmp_path.iterdir():
        assert_unmarked(file.read_bytes())
    assert_unmarked(str(everything(database_url)).encode())


def test_a_fault_of_the_database_does_not_repeat_what_it_was_given(database_url: str, tmp_path: Path) -> None:
    upgrade(database_url)
    engine = create(Settings(database_url=database_url).database_url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE feedback_comments"))
    engine.dispose()
    with running(tmp_path, CDS_DATABASE_URL=database_url) as service:
        reason = {"overrideReason": {"userComment": MARK}}
        response = post(service.address, f"{CLAIM_REVIEW}/feedback", {"feedback": [item(MARK, None) | reason]})
        assert response.status_code == 503
        assert MARK not in response.text
    assert_unmarked(service.log.read_bytes())


def test_a_defect_does_not_repeat_what_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(_: bytes) -> None:
        raise ValueError(MARK)

    monkeypatch.setattr("cds_service.web.cds_hooks.decode_feedback", broken)
    client = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'x.sqlite3'}")).test_client()
    response = client.post(f"{CLAIM_REVIEW}/feedback", json={"x": MARK}, headers=HEADERS)
    assert response.status_code == 500
    assert_unmarked(response.data)
    written = capfd.readouterr()
    assert_unmarked((written.out + written.err).encode())


# --- traces ---------------------------------------------------------------------------------------------------------

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def spans_of(tmp_path: Path, body: Any, **headers: str) -> list[ReadableSpan]:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    chosen = Settings(database_url=f"sqlite:///{tmp_path / 'x.sqlite3'}")
    client = create_app(chosen, Tracing(provider.get_tracer("tests"))).test_client()
    client.post(CLAIM_REVIEW, json=body, headers=headers)
    return list(kept.get_finished_spans())


def test_a_call_and_its_parts_are_traced_within_the_callers_trace(tmp_path: Path, fhir: FhirServer) -> None:
    body = UNSURE | {"prefetch": {}, "fhirServer": fhir.base_url}
    spans = {span.name: span for span in spans_of(tmp_path, body, traceparent=PARENT)}
    assert set(spans) == {"call", "fetch", "review"}
    assert f"{spans['call'].context.trace_id:x}" == PARENT.split("-")[1].lstrip("0")
    assert spans["fetch"].parent == spans["call"].context
    assert spans["call"].attributes == {"cds.service": SERVICE}


def test_traces_say_nothing_of_the_patient(tmp_path: Path, faulty: dict[str, str]) -> None:
    claim = marked(request_of({"professional": "93350", "given": ["Definity 1.3 mL"]}))
    claim["fhirServer"] = faulty["echoing"]
    for body in (claim, claim | {"hookInstance": MARK}):
        spans = spans_of(tmp_path, body, **HEADERS)
        assert spans
        assert_unmarked("".join(span.to_json() for span in spans).encode())


def test_traces_reach_a_collector(tmp_path: Path) -> None:
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=collector.serve_forever, daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{collector.server_address[1]}"
    with running(
        tmp_path, CDS_TRACES="true", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_BSP_SCHEDULE_DELAY="100"
    ) as service:
        assert post(service.address, CLAIM_REVIEW, FLAGGED).status_code == 200
        # A batch may end between the spans of a call: that of the call itself is the last to end.
        eventually(lambda: any(SERVICE.encode() in body for _, body in received), 20)
    collector.shutdown()
    thread.join()
    collector.server_close()
    assert {path for path, _ in received} == {"/v1/traces"}
    assert SERVICE.encode() in b"".join(body for _, body in received)


def test_traces_need_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.telemetry.tracing.find_spec", lambda _: None)
    with pytest.raises(ValueError, match="otel"):
        Settings(traces=True)
