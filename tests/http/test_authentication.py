"""Authentication of a production service with two workers, over real HTTP, behind a proxy's name."""

import hashlib
import json
import os
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from cds_service.app import create_app
from cds_service.auth.surfaces import surface_of
from cds_service.settings import Settings
from tests.conformance import verifies
from tests.support.environment import without_settings
from tests.support.forked import run_text
from tests.support.notation import bundle, request_of
from tests.support.running import Service, eventually, running
from tests.support.tokens import BASE, P384, RSA, Published, jwk, key_set, published, token

pytestmark = pytest.mark.repeats(3)

CLAIM_REVIEW = "/cds-services/contrast-echo-claim-review"
ORDER_SIGN = "/cds-services/contrast-echo-order-sign"
CLAIM = json.dumps(request_of({"lines": "93350, Q9957x2"})).encode()

REGISTRATIONS = """\
clients:
  - id: hospital
    issuer: https://ehr.example.org
    jwks_url: {keys}
  - id: ward
    issuer: https://ward.example.org
    jwks_file: ward.json
    tenants: [north]
    services: [contrast-echo-order-sign]
"""


@dataclass(frozen=True)
class Production:
    """A production service, and the address where its first client publishes its keys."""

    service: Service
    keys: Published

    def send(
        self, method: str, path: str, bearer: str | None = None, headers: Any = None, **options: Any
    ) -> requests.Response:
        sent = {"Content-Type": "application/json"} | (headers or {})
        sent |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return requests.request(method, self.service.address + path, headers=sent, timeout=30, **options)

    def get(self, path: str, bearer: str | None = None, **options: Any) -> requests.Response:
        return self.send("GET", path, bearer, **options)

    def post(self, path: str, bearer: str | None = None, data: bytes = CLAIM, **options: Any) -> requests.Response:
        return self.send("POST", path, bearer, data=data, **options)

    def log(self) -> str:
        return self.service.log.read_text()


@contextmanager
def production(
    folder: Path, registrations: str = REGISTRATIONS, workers: int = 2, **environment: str
) -> Iterator[Production]:
    (folder / "ward.json").write_bytes(key_set(jwk(P384, "k1")))
    with published(key_set(jwk(P384, "k1"), jwk(RSA, "r1"))) as keys:
        (folder / "clients.yaml").write_text(registrations.format(keys=keys.address))
        variables = {"CDS_MODE": "production", "CDS_CLIENTS_FILE": str(folder / "clients.yaml")}
        variables |= {"CDS_PUBLIC_BASE_URL": BASE} | environment
        with running(folder, workers, **variables) as service:
            yield Production(service, keys)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with production(
        tmp_path_factory.mktemp("gate"),
        CDS_CORS_ORIGINS="https://browser.example.org",
        CDS_OPEN_PATHS="/hooks,/openapi.json",
    ) as started:
        yield started


def ward(path: str, **changes: Any) -> str:
    return token(**({"iss": "https://ward.example.org", "aud": BASE + path, "tenant": "north"} | changes))


# --- who comes in ---------------------------------------------------------------------------------------------------


@verifies("cds-hooks-17", "k@178", "k@205")
@pytest.mark.parametrize("alg", ["ES384", "RS384"])
def test_a_registered_client_is_answered(hospital: Production, alg: str) -> None:
    key: dict[str, Any] = {"alg": alg} | ({"key": RSA, "header": {"kid": "r1"}} if alg == "RS384" else {})
    discovery = hospital.get("/cds-services", token(**key))
    assert discovery.status_code == 200
    answer = hospital.post(CLAIM_REVIEW, token(aud=BASE + CLAIM_REVIEW, **key))
    assert len(answer.json()["cards"]) == 1
    card = answer.json()["cards"][0]["uuid"]
    feedback = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-03-02T10:00:00Z"}
    path = f"{CLAIM_REVIEW}/feedback"
    body = json.dumps({"feedback": [feedback]}).encode()
    assert hospital.post(path, token(aud=BASE + path, **key), body).status_code == 200


@verifies("k@176", "cds-hooks-74")
def test_a_refusal_says_nothing_and_is_the_same_for_every_fault(hospital: Production) -> None:
    used = token(aud=BASE + CLAIM_REVIEW)
    assert hospital.post(CLAIM_REVIEW, used).status_code == 200
    bearers = [
        None,
        "nonsense",
        used,
        token(),
        token(aud=BASE + CLAIM_REVIEW, exp=1),
        token(aud=hospital.service.address + CLAIM_REVIEW),
        token(aud=BASE + CLAIM_REVIEW, iss="https://stranger.example.org"),
        token(aud=BASE + CLAIM_REVIEW, header={"kid": "other"}),
    ]
    answers = [hospital.post(CLAIM_REVIEW, bearer) for bearer in bearers]
    assert {each.status_code for each in answers} == {401}
    assert {each.content for each in answers} == {answers[0].content}
    issue = {"severity": "error", "code": "login"}
    assert answers[0].json() == {"resourceType": "OperationOutcome", "issue": [issue]}
    assert {each.headers["WWW-Authenticate"] for each in answers} == {"Bearer"}
    assert {each.headers["Content-Type"] for each in answers} == {"application/fhir+json"}


@verifies("cds-hooks-74")
def test_the_log_says_why_and_never_the_token(hospital: Production) -> None:
    """Of a token that is not verified, the log has nothing in clear: anybody may have written anything into it."""
    stranger = "https://Mrs-Smith.example.org"
    bearers = [
        token(jti="first-id", exp=1, tenant="t-7-Smith", aud=BASE + CLAIM_REVIEW),
        token(jti="second-id", aud="https://Mrs-Smith.example.org/cds-services"),
        token(jti="third-id", iss=stranger, tenant="t-7-Smith"),
        "x" * 200 + ".y.z",
    ]
    before = len(hospital.log())
    for bearer in bearers:
        assert hospital.post(CLAIM_REVIEW, bearer).status_code == 401
    written = hospital.log()[before:]
    ended, wrong, unknown, nonsense = [json.loads(line) for line in written.splitlines() if '"refused"' in line]
    assert (ended["reason"], ended["claimed_client"]) == ("`exp`: the token has expired", "hospital")
    assert wrong["reason"].startswith("`aud`")
    assert wrong["expected_aud"] == BASE + CLAIM_REVIEW
    assert unknown["issuer_sha256"] == hashlib.sha256(stranger.encode()).hexdigest()[:8]
    assert set(nonsense) == {"event", "level", "timestamp", "request_id", "status", "route", "reason"}
    for word in ("Smith", "first-id", "second-id", "third-id", "t-7"):
        assert word not in written
    for bearer in bearers:
        parts = [part for part in bearer.split(".") if len(part) > 20]
        assert parts
        assert not [part for part in parts if part in hospital.log()]


def test_a_path_is_no_way_into_the_log(hospital: Production) -> None:
    before = len(hospital.log())
    for method, path in (("POST", "/cds-services/Smith"), ("GET", "/fhir/Patient/Smith"), ("GET", "/Smith")):
        assert hospital.send(method, path, token()).status_code == 401
    lines = [json.loads(line) for line in hospital.log()[before:].splitlines() if '"refused"' in line]
    assert [line["expected_aud"].removeprefix(BASE) for line in lines] == [
        "/cds-services/<service_id>", "/fhir/<kind>/<name>", "/…",
    ]  # fmt: skip
    assert "Smith" not in str(lines)


def test_who_is_turned_away_is_counted_and_who_calls_is_in_the_audit_log(tmp_path: Path) -> None:
    registrations = REGISTRATIONS.replace("    tenants: [north]\n", "").replace("order-sign]", "order-sign, review]")
    with production(tmp_path, registrations, CDS_OPEN_PATHS="/metrics") as run:
        assert run.post(CLAIM_REVIEW, token(aud=BASE + CLAIM_REVIEW)).status_code == 200
        assert run.post("/review", ward("/review", tenant=None), json.dumps(bundle([])).encode()).status_code == 200
        for bearer in (None, "nonsense", token(), token(), token(aud=BASE + CLAIM_REVIEW, exp=1)):
            assert run.post(CLAIM_REVIEW, bearer).status_code == 401
        assert run.post(CLAIM_REVIEW, ward(CLAIM_REVIEW, tenant=None)).status_code == 403
        text = run.get("/metrics").text
        counted = dict(re.findall(r'^cds_auth_failures_total\{reason="(\w+)"\} (\S+)$', text, re.MULTILINE))
        assert counted == {"token": "2.0", "aud": "2.0", "exp": "1.0", "registration": "1.0"}
        with closing(sqlite3.connect(run.service.database)) as store:
            asked = "SELECT client, service, hook_instance IS NULL FROM audit ORDER BY client"
            eventually(lambda: len(store.execute(asked).fetchall()) == 2)
            calls = store.execute(asked).fetchall()
        assert calls == [("hospital", "contrast-echo-claim-review", 0), ("ward", "review", 1)]


@verifies("k@177", "k@178", "cds-hooks-65")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/cds-services",
        CLAIM_REVIEW,
        f"{CLAIM_REVIEW}/feedback",
        "/metrics",
        "/nothing",
        "/health",
        "/healthy",
    ],
)
def test_everything_but_health_asks_for_a_token(hospital: Production, method: str, path: str) -> None:
    assert hospital.send(method, path).status_code == 401


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_asks_nobody(hospital: Production, path: str) -> None:
    assert hospital.get(path).status_code == 200


def test_a_browser_may_ask_before_it_calls(hospital: Production) -> None:
    asked = {"Origin": "https://browser.example.org", "Access-Control-Request-Method": "POST"}
    answer = hospital.send("OPTIONS", CLAIM_REVIEW, headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://browser.example.org"
    refused = hospital.post(CLAIM_REVIEW, headers={"Origin": "https://browser.example.org"})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "https://browser.example.org"


def test_open_pages_are_read_and_no_more(hospital: Production) -> None:
    assert hospital.get("/openapi.json").status_code == 200
    assert hospital.get("/hooks/claim-review").status_code == 200
    for method, path in (("POST", "/openapi.json"), ("GET", "/openapi.jsonx"), ("GET", "/hooks-x")):
        assert hospital.send(method, path).status_code == 401


def test_what_a_proxy_or_a_caller_says_of_the_address_is_not_believed(hospital: Production) -> None:
    elsewhere = {"Host": "evil.example.org", "X-Forwarded-Host": "evil.example.org", "X-Forwarded-Proto": "https"}
    stolen = token(aud="https://evil.example.org/cds-services")
    assert hospital.get("/cds-services", stolen, headers=elsewhere).status_code == 401
    assert hospital.get("/cds-services", token(), headers=elsewhere).status_code == 200


def test_a_token_is_taken_once_by_all_workers_together(hospital: Production) -> None:
    """Sixteen calls with one token, on connections of their own, so that both workers get some: one is answered."""
    for _ in range(5):
        bearer = token()
        with ThreadPoolExecutor(16) as many:
            answers = list(many.map(lambda _, bearer=bearer: hospital.get("/cds-services", bearer), range(16)))
        assert sorted(each.status_code for each in answers) == [200, *[401] * 15]


# --- what a client may ----------------------------------------------------------------------------------------------


def test_a_client_calls_the_services_that_it_is_registered_for(hospital: Production) -> None:
    order = json.dumps(request_of({"hook": "order", "ordered": ["93350"]})).encode()
    assert hospital.post(ORDER_SIGN, ward(ORDER_SIGN), order).status_code == 200
    for path in (CLAIM_REVIEW, f"{CLAIM_REVIEW}/feedback"):
        refused = hospital.post(path, ward(path))
        assert refused.status_code == 403
        assert refused.json()["issue"][0]["code"] == "forbidden"
        assert "service" in refused.json()["issue"][0]["diagnostics"]


SURFACES = {"review": "/review", "reference": "/codes", "metrics": "/metrics", "insights": "/insights"}


def test_a_registration_binds_everything(tmp_path: Path) -> None:
    """Surfaces are names under `services` too; what is about all clients is open only where listed."""
    listed = {"open": None, "one": "[contrast-echo-order-sign]", "operator": "[metrics, insights]", "none": "[]"}
    entries = [
        f"  - id: {name}\n    issuer: https://{name}\n    jwks_file: ward.json\n"
        + (f"    services: {services}\n" if services else "")
        for name, services in listed.items()
    ]
    allowed = {"open": {"review", "reference"}, "one": set(), "operator": {"metrics", "insights"}, "none": set()}
    with production(tmp_path, "clients:\n" + "".join(entries), 1, CDS_PAGES_PASSWORD="a long pass phrase") as run:
        for name, opened in allowed.items():
            for surface, path in SURFACES.items():
                bearer = token(iss=f"https://{name}", aud=BASE + path)
                method = "POST" if surface == "review" else "GET"
                status = run.send(method, path, bearer, data=json.dumps(bundle([])).encode()).status_code
                assert status == (200 if surface in opened else 403), (name, surface)
            for path in ("/cds-services", "/openapi.json", "/hooks/claim-review"):
                assert run.get(path, token(iss=f"https://{name}", aud=BASE + path)).status_code == 200, (name, path)
        for path in ("/insights/cards.csv", "/codes/93352", "/rules", "/fhir/CodeSystem/rule"):
            assert run.get(path, token(iss="https://one", aud=BASE + path)).status_code == 403, path


def test_every_route_has_its_place_in_a_registration() -> None:
    """A new route is a service, a surface with a name, or open to all clients by decision."""
    app = create_app(Settings(mode="development", sandbox=True))
    routes = list(app.url_map.iter_rules())
    assert routes
    left = [
        rule.rule
        for rule in routes
        if not rule.rule.startswith(("/health/", "/static/", "/cds-services/")) and surface_of(rule.rule) == ""
    ]
    assert left == []


def test_feedback_on_another_clients_card_counts_for_nothing(tmp_path: Path) -> None:
    registrations = REGISTRATIONS.replace("    tenants: [north]\n    services: [contrast-echo-order-sign]\n", "")
    path = f"{CLAIM_REVIEW}/feedback"
    with production(tmp_path, registrations, 1, CDS_OPEN_PATHS="/metrics") as run:
        card = run.post(CLAIM_REVIEW, token(aud=BASE + CLAIM_REVIEW)).json()["cards"][0]["uuid"]
        for bearer, moment in ((ward(path, tenant=None), "11"), (token(aud=BASE + path), "10")):
            said = {"card": card, "outcome": "overridden", "outcomeTimestamp": f"2026-03-02T{moment}:00:00Z"}
            assert run.post(path, bearer, json.dumps({"feedback": [said]}).encode()).status_code == 200
        unknown = [json.loads(line)["unknown_cards"] for line in run.log().splitlines() if '"feedback"' in line]
        assert unknown == [1, 0]
        counted = re.findall(r"^cds_feedback_total\{.*\} (\S+)$", run.get("/metrics").text, re.MULTILINE)
        assert counted == ["1.0"]


@pytest.mark.parametrize("tenant", ["south", None])
def test_a_client_calls_for_the_tenants_that_it_is_registered_for(hospital: Production, tenant: str | None) -> None:
    refused = hospital.get("/cds-services", ward("/cds-services", tenant=tenant))
    assert refused.status_code == 403
    assert hospital.get("/cds-services", ward("/cds-services")).status_code == 200
    line = next(line for line in reversed(hospital.log().splitlines()) if '"refused"' in line)
    assert json.loads(line)["client"] == "ward"


def test_a_fhir_server_is_asked_only_where_the_client_lists_it(tmp_path: Path) -> None:
    """`localhost` is a name that leads to a private address: listed as it is, nobody connects to it."""
    with published(b'{"resourceType": "Bundle", "type": "searchset"}') as fhir:
        literal = fhir.address.removesuffix("/jwks")
        named = literal.replace("127.0.0.1", "localhost")
        listed = f"    fhir_servers:\n      - url: {literal}\n      - url: {named}\n"
        with production(
            tmp_path, REGISTRATIONS.replace("    jwks_url: {keys}\n", "    jwks_url: {keys}\n" + listed)
        ) as run:
            said = {server: _ask(run, server) for server in (literal, named, literal + "/other")}
    assert "the request to the FHIR server failed" not in said[literal]
    assert "the request to the FHIR server failed" in said[named]
    assert "not an allowed FHIR server" in said[literal + "/other"]


def _ask(run: Production, server: str) -> str:
    body = request_of({"professional": "93350"}) | {"fhirServer": server}
    body["prefetch"] = {}
    return run.post(CLAIM_REVIEW, token(aud=BASE + CLAIM_REVIEW), json.dumps(body).encode()).text


def test_the_settings_list_of_fhir_servers_counts_for_nothing_in_production(tmp_path: Path) -> None:
    with (
        published(b'{"resourceType": "Bundle", "type": "searchset"}') as fhir,
        production(tmp_path, CDS_FHIR_SERVERS=fhir.address) as run,
    ):
        assert "not an allowed FHIR server" in _ask(run, fhir.address)
        assert fhir.asked == 0


# --- keys -----------------------------------------------------------------------------------------------------------


def test_keys_rotate_and_an_address_that_is_down_locks_nobody_out(tmp_path: Path) -> None:
    with production(tmp_path) as run:
        _call_until_asked(run, 2, token)
        run.keys.content = key_set(jwk(P384, "k1"), jwk(RSA, "r2"))
        _call_until_asked(run, 4, lambda: token(RSA, "RS384", {"kid": "r2"}))
        run.keys.status = 503
        asked = run.keys.asked
        assert asked <= 6
        for _ in range(8):
            assert run.get("/cds-services", token(header={"kid": "stranger"})).status_code == 401
            assert run.get("/cds-services", token()).status_code == 200
        assert run.keys.asked <= asked + 2, "a stranger's key does not make us ask on and on"


def _call_until_asked(run: Production, times: int, make: Callable[[], str]) -> None:
    """Call until both workers know the keys: which of them answers is left to the system."""
    for _ in range(200):
        assert run.get("/cds-services", make()).status_code == 200
        if run.keys.asked >= times:
            return
    raise AssertionError("a worker has not been called")


def test_a_database_that_is_down_leaves_advice_working(tmp_path: Path) -> None:
    with production(tmp_path, CDS_DATABASE_URL=f"sqlite:///{tmp_path}/none/none.sqlite3") as run:
        for _ in range(4):
            assert run.post(CLAIM_REVIEW, token(aud=BASE + CLAIM_REVIEW)).status_code == 200
        assert "used tokens not shared" in run.log()


# --- start ----------------------------------------------------------------------------------------------------------


def serve(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run_text("serve", "--port", "1", *arguments, **without_settings(os.environ) | environment)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        (tmp_path / "clients.yaml").write_text(text)
        return str(tmp_path / "clients.yaml")

    return write


def test_production_is_the_default_and_names_all_that_it_lacks() -> None:
    result = serve()
    assert result.returncode == 1
    assert "CDS_CLIENTS_FILE: required in production" in result.stderr
    assert "CDS_PUBLIC_BASE_URL: required in production" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("clients:\n  - id: a\n    issuer: b\n", "clients.yaml: line 2: expected `jwks_url` or `jwks_file`"),
        ("clients:\n", "no client is registered"),
        (REGISTRATIONS.format(keys="http://ehr.example.org"), "clients.yaml: line 4: expected an https URL"),
        (REGISTRATIONS.replace("order-sign", "order-sing").format(keys="https://x"), "clients.yaml: line 9: expected"),
    ],
)
def test_a_fault_of_the_registrations_stops_the_start(write: Callable[[str], str], text: str, fault: str) -> None:
    result = serve(CDS_CLIENTS_FILE=write(text), CDS_PUBLIC_BASE_URL=BASE)
    assert result.returncode == 1
    assert fault in result.stderr


def test_the_public_address_is_https(write: Callable[[str], str]) -> None:
    path = write(REGISTRATIONS.format(keys="https://x"))
    result = serve(CDS_CLIENTS_FILE=path, CDS_PUBLIC_BASE_URL="http://cds.example.org")
    assert "CDS_PUBLIC_BASE_URL: expected an https URL" in result.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_development_listens_on_this_machine_alone(host: str) -> None:
    result = serve("--host", host, CDS_MODE="development")
    assert result.returncode == 1
    assert f"must be 127.0.0.1, not {host}" in result.stderr


def test_development_says_so_loudly(tmp_path: Path) -> None:
    with running(tmp_path, CDS_MODE="development") as service:
        assert requests.get(f"{service.address}/cds-services", timeout=10).status_code == 200
        assert "DEVELOPMENT MODE" in service.log.read_text()


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.0.0.1", 403)])
def test_development_answers_this_machine_alone_however_it_was_started(address: str, status: int) -> None:
    """Another WSGI server may listen on any address: who calls from elsewhere is refused all the same."""
    client = create_app(Settings(mode="development")).test_client()
    assert client.get("/cds-services", environ_base={"REMOTE_ADDR": address}).status_code == status
    assert client.get("/health/live", environ_base={"REMOTE_ADDR": address}).status_code == 200
