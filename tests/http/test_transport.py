"""HTTP transport: CORS, gzip in both directions, headers and errors on every route."""

import gzip
import json
import struct
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from cds_service.app import create_app
from cds_service.errors import SettingsError
from cds_service.settings import Settings, load_settings
from tests.http.test_services import CLAIM_REVIEW, post
from tests.support.notation import request_of
from tests.support.running import running

pytestmark = pytest.mark.repeats(3)

EHR, OTHER_EHR, STRANGER = "https://ehr.example.org", "http://localhost:8081", "https://ehr.example.org.evil.example"
FLAGGED = json.dumps(request_of({"lines": "93350, Q9957x2"})).encode()
LIMIT = 20_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that two origins may call from a browser, and that takes no large bodies."""
    folder, origins = tmp_path_factory.mktemp("exchange"), f"{EHR}, {OTHER_EHR}/"
    with running(folder, CDS_CORS_ORIGINS=origins, CDS_MAX_BODY_BYTES=str(LIMIT)) as service:
        yield service.address


def assert_outcome(response: requests.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/fhir+json"
    assert response.headers["Cache-Control"] == "no-store"
    body = response.json()
    assert body["resourceType"] == "OperationOutcome"
    (issue,) = body["issue"]
    assert issue["severity"] == "error"
    assert issue["code"]
    assert issue["diagnostics"]
    return dict(issue)


# --- browsers -------------------------------------------------------------------------------------------------------


def preflight(server: str, path: str, origin: str, method: str = "POST") -> requests.Response:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization,content-type"}
    return requests.options(server + path, headers={"Origin": origin} | asked, timeout=10)


@pytest.mark.parametrize("origin", [EHR, OTHER_EHR])
@pytest.mark.parametrize(
    ("path", "method"), [("/cds-services", "GET"), (CLAIM_REVIEW, "POST"), (f"{CLAIM_REVIEW}/feedback", "POST")]
)
def test_a_preflight_of_a_listed_origin_needs_no_token(server: str, path: str, method: str, origin: str) -> None:
    response = preflight(server, path, origin, method)
    assert response.ok
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert method in response.headers["Access-Control-Allow-Methods"]
    allowed = response.headers["Access-Control-Allow-Headers"].lower()
    assert {"authorization", "content-type"} <= {each.strip() for each in allowed.split(",")}
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Origin" in response.headers["Vary"]


@pytest.mark.parametrize("origin", [STRANGER, "null", "https://EHR.example.org:444", "http://ehr.example.org"])
def test_other_origins_are_allowed_nothing(server: str, origin: str) -> None:
    answers = [
        preflight(server, CLAIM_REVIEW, origin),
        requests.get(f"{server}/cds-services", headers={"Origin": origin}, timeout=10),
        post(server, CLAIM_REVIEW, FLAGGED, headers={"Origin": origin}),
    ]
    assert not [name for answer in answers for name in answer.headers if name.lower().startswith("access-control")]


def test_answers_and_faults_can_be_read_by_a_listed_origin(server: str) -> None:
    headers = {"Origin": EHR}
    answers = [
        requests.get(f"{server}/cds-services", headers=headers, timeout=10),
        post(server, CLAIM_REVIEW, FLAGGED, headers=headers),
        post(server, CLAIM_REVIEW, b"{", headers=headers),
        post(server, "/cds-services/nothing", FLAGGED, headers=headers),
        requests.get(server + CLAIM_REVIEW, headers=headers, timeout=10),
    ]
    assert [answer.headers["Access-Control-Allow-Origin"] for answer in answers] == [EHR] * 5


def test_without_the_setting_no_origin_is_allowed() -> None:
    client = create_app(Settings()).test_client()
    response = client.options("/cds-services", headers={"Origin": EHR, "Access-Control-Request-Method": "GET"})
    assert response.headers
    assert not [name for name in response.headers.keys() if name.lower().startswith("access-control")]  # noqa: SIM118


@pytest.mark.parametrize(
    "value", ["*", "https://*.example.org", "ehr.example.org", "https://ehr.example.org/path", "^.*$"]
)
def test_an_origin_that_would_let_in_more_is_refused_at_start(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_CORS_ORIGINS", value)
    with pytest.raises(SettingsError, match=r"CDS_CORS_ORIGINS: .*expected origins such as"):
        load_settings()


# --- methods and addresses ------------------------------------------------------------------------------------------


def test_discovery_answers_head_as_get_without_a_body(server: str) -> None:
    got = requests.get(f"{server}/cds-services", timeout=10)
    head = requests.head(f"{server}/cds-services", timeout=10)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["Content-Length"] == got.headers["Content-Length"]
    assert head.headers["Content-Type"] == "application/json"


def test_options_says_what_is_allowed(server: str) -> None:
    assert set(requests.options(f"{server}/cds-services", timeout=10).headers["Allow"].split(", ")) == {
        "GET", "HEAD", "OPTIONS",
    }  # fmt: skip
    assert set(requests.options(server + CLAIM_REVIEW, timeout=10).headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def routes() -> list[tuple[str, set[str]]]:
    """Every address of the service with the methods that it allows."""
    app = create_app(Settings())
    values = {"service_id": "contrast-echo-claim-review", "name": "claim-review", "kind": "CodeSystem"}
    values |= {"code": "93352", "rule_id": "add-on-repeated", "filename": "reference.css"}
    adapter = app.url_map.bind("localhost")
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        address = adapter.build(rule.endpoint, {name: values.get(name, "x") for name in rule.arguments})
        found.setdefault(address, set()).update(rule.methods or ())
    return list(found.items())


METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"}
REFUSED = [
    pytest.param(path, allowed, method, id=f"{method} {path}")
    for path, allowed in routes()
    for method in sorted(METHODS - allowed)
]


@pytest.mark.parametrize(("path", "allowed", "method"), REFUSED)
def test_a_method_that_is_not_allowed_is_a_405_that_says_which_are(
    server: str, path: str, allowed: set[str], method: str
) -> None:
    response = requests.request(method, server + path, timeout=10)
    assert_outcome(response, 405)
    assert set(response.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path", ["/nothing", "/cds-services/", "/cds-services/x/feedback/y", "/hooks/nothing", "/hooks/"]
)
def test_other_addresses_are_a_404(server: str, path: str) -> None:
    assert_outcome(requests.get(server + path, timeout=10), 404)


@pytest.mark.parametrize("path", [CLAIM_REVIEW, f"{CLAIM_REVIEW}/feedback"])
@pytest.mark.parametrize("declared", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "", "json"])
def test_what_is_not_declared_as_json_is_a_415(server: str, path: str, declared: str) -> None:
    response = requests.post(server + path, data=b"{}", headers={"Content-Type": declared}, timeout=10)
    assert_outcome(response, 415)


def test_no_answer_in_json_may_be_kept_on_the_way(server: str) -> None:
    answers = [requests.get(server + path, timeout=10) for path, allowed in routes() if "GET" in allowed]
    answers += [post(server, CLAIM_REVIEW, body) for body in (FLAGGED, b"{")]
    answers += [post(server, f"{CLAIM_REVIEW}/feedback", b'{"feedback": []}')]
    found = [answer for answer in answers if "json" in answer.headers["Content-Type"]]
    assert len(found) >= 6
    assert {answer.headers.get("Cache-Control") for answer in found} == {"no-store"}
    assert {answer.headers.get("X-Content-Type-Options") for answer in found} == {"nosniff"}


# --- gzip and size --------------------------------------------------------------------------------------------------


def packed(server: str, body: bytes, encoding: str = "gzip", path: str = CLAIM_REVIEW) -> requests.Response:
    return post(server, path, body, headers={"Content-Encoding": encoding})


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_a_packed_call_is_answered_like_a_plain_one(server: str, encoding: str) -> None:
    (card,) = packed(server, gzip.compress(FLAGGED), encoding).json()["cards"]
    (plain,) = post(server, CLAIM_REVIEW, FLAGGED).json()["cards"]
    assert card["summary"] == plain["summary"]


def test_packed_in_several_members(server: str) -> None:
    assert packed(server, gzip.compress(FLAGGED[:500]) + gzip.compress(FLAGGED[500:])).status_code == 200


def test_packed_feedback(server: str) -> None:
    assert packed(server, gzip.compress(b'{"feedback": []}'), path=f"{CLAIM_REVIEW}/feedback").status_code == 200


@pytest.mark.parametrize("encoding", ["identity", ""])
def test_a_plain_body_that_says_so(server: str, encoding: str) -> None:
    assert packed(server, FLAGGED, encoding).status_code == 200


BROKEN = {
    "plain": FLAGGED,
    "cut": gzip.compress(FLAGGED)[:-20],
    "wrong sum": gzip.compress(FLAGGED)[:-8] + struct.pack("<II", 1, len(FLAGGED)),
    "damaged": gzip.compress(FLAGGED)[:40] + b"\0\0\0\0" + gzip.compress(FLAGGED)[44:],
    "something after it": gzip.compress(FLAGGED) + b"junk",
    "head only": b"\x1f\x8b",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=list(BROKEN))
def test_broken_gzip_is_a_400(server: str, body: bytes) -> None:
    assert "gzip" in assert_outcome(packed(server, body), 400)["diagnostics"]


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "nonsense"])
def test_an_encoding_that_cannot_be_unpacked_is_a_415_that_says_what_can(server: str, encoding: str) -> None:
    response = packed(server, FLAGGED, encoding)
    assert assert_outcome(response, 415)["expression"] == ["Content-Encoding"]
    assert response.headers["Accept-Encoding"] == "gzip"


def filled(size: int) -> bytes:
    return FLAGGED + b" " * (size - len(FLAGGED))


def chunked(server: str, body: bytes, headers: dict[str, str] | None = None) -> requests.Response:
    pieces = (body[start : start + 1000] for start in range(0, len(body), 1000))
    declared = {"Content-Type": "application/json"} | (headers or {})
    return requests.post(server + CLAIM_REVIEW, data=pieces, headers=declared, timeout=30)


def test_a_body_of_the_largest_size_is_taken(server: str) -> None:
    assert post(server, CLAIM_REVIEW, filled(LIMIT)).status_code == 200
    assert chunked(server, filled(LIMIT)).status_code == 200
    assert packed(server, gzip.compress(filled(LIMIT))).status_code == 200


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 2, 50 * LIMIT])
def test_a_larger_one_is_a_413_however_it_comes(server: str, size: int) -> None:
    assert_outcome(post(server, CLAIM_REVIEW, filled(size)), 413)
    assert_outcome(chunked(server, filled(size)), 413)
    assert_outcome(packed(server, gzip.compress(filled(size))), 413)
    assert_outcome(chunked(server, gzip.compress(filled(size)), {"Content-Encoding": "gzip"}), 413)
    assert_outcome(post(server, f"{CLAIM_REVIEW}/feedback", filled(size)), 413)


def test_what_unpacks_to_far_more_than_it_weighs_is_a_413(server: str) -> None:
    bomb = gzip.compress(b" " * 15_000_000)
    assert len(bomb) < LIMIT
    assert_outcome(packed(server, bomb), 413)


def raw(server: str, path: str, accept: str | None) -> tuple[dict[str, str], bytes]:
    """An answer as it comes over the wire."""
    connection = HTTPConnection(urlsplit(server).netloc, timeout=10)
    connection.putrequest("GET", path, skip_accept_encoding=True)
    if accept is not None:
        connection.putheader("Accept-Encoding", accept)
    connection.endheaders()
    response = connection.getresponse()
    headers, body = {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return headers, body


@pytest.mark.parametrize("accept", ["gzip", "br, gzip;q=0.5", "*", "deflate, gzip"])
def test_answers_are_packed_for_who_accepts_it(server: str, accept: str) -> None:
    headers, body = raw(server, "/cds-services", accept)
    assert headers["content-encoding"] == "gzip"
    assert int(headers["content-length"]) == len(body)
    assert "Accept-Encoding" in headers["vary"]
    assert gzip.decompress(body) == raw(server, "/cds-services", None)[1]


@pytest.mark.parametrize("accept", [None, "", "identity", "gzip;q=0", "br", "*;q=0", "gzip;q=0, *"])
def test_answers_are_plain_for_who_does_not(server: str, accept: str | None) -> None:
    headers, body = raw(server, "/cds-services", accept)
    assert "content-encoding" not in headers
    assert json.loads(body)["services"]
    assert "Accept-Encoding" in headers["vary"]


def test_a_short_answer_is_not_packed(server: str) -> None:
    assert "content-encoding" not in raw(server, "/health/live", "gzip")[0]
