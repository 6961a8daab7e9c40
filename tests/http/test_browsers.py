"""Browsers in development: which names are answered, which origins may call, and the log of those that may not."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.http.test_services import CLAIM_REVIEW
from tests.support.running import Service, eventually, running

SERVICES = ["/cds-services", CLAIM_REVIEW, f"{CLAIM_REVIEW}/feedback", "/review"]
OTHERS = ["/sandbox/connect/patients", "/sandbox/explain", "/sandbox", "/codes", "/metrics", "/insights", "/reviews"]
LOOPBACK = [
    "http://localhost:8080",
    "http://127.0.0.1:3000",
    "http://[::1]:5173",
    "https://localhost",
    "http://a.localhost",
]
STRANGERS = [
    "https://evil.example.org", "http://localhost.evil.example.org", "http://evil.localhost.org:8080", "null",
    "http://127.0.0.1.evil.example.org", "http://localhost:8080.evil.example.org", "http://localhost@evil.example.org",
    "chrome-extension://localhost", "http://[::2]",
]  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service as `make run` starts it."""
    with running(tmp_path_factory.mktemp("browsers"), CDS_MODE="development") as started:
        yield started


def preflight(service: Service, path: str, origin: str) -> requests.Response:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    return requests.options(service.address + path, headers={"Origin": origin} | asked, timeout=10)


def allowed(answer: requests.Response) -> str | None:
    return answer.headers.get("Access-Control-Allow-Origin")


@pytest.mark.parametrize("origin", LOOPBACK)
def test_pages_of_this_computer_may_call_the_services_and_nothing_else(service: Service, origin: str) -> None:
    assert [allowed(preflight(service, path, origin)) for path in SERVICES] == [origin] * len(SERVICES)
    assert [allowed(preflight(service, path, origin)) for path in OTHERS] == [None] * len(OTHERS)
    headers = {"Origin": origin}
    assert allowed(requests.get(f"{service.address}/cds-services", headers=headers, timeout=10)) == origin
    assert allowed(requests.get(f"{service.address}/metrics", headers=headers, timeout=10)) is None


@pytest.mark.parametrize("origin", STRANGERS)
def test_other_pages_may_call_nothing(service: Service, origin: str) -> None:
    assert [allowed(preflight(service, path, origin)) for path in SERVICES + OTHERS] == [None] * 11


@pytest.mark.parametrize("origin", LOOPBACK)
def test_production_allows_no_origin_by_itself(origin: str, tmp_path: Path) -> None:
    keys = tmp_path / "clients.yaml"
    keys.write_text("clients:\n  - id: a\n    issuer: i\n    jwks_file: a.json\n")
    settings = Settings(
        mode="production", clients_file=keys, public_base_url="https://cds", database_url=f"sqlite:///{tmp_path}/x"
    )
    client = create_app(settings).test_client()
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    assert "Access-Control-Allow-Origin" not in client.options(CLAIM_REVIEW, headers=asked).headers
    assert client.get("/health/live", headers={"Host": "cds.example.org"}).status_code == 200, "any name in production"


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.9.9.9:1", "[::1]:8000", "localhost.", "cds.localhost:80"]
)
def test_loopback_names_are_answered(service: Service, host: str) -> None:
    assert requests.get(f"{service.address}/cds-services", headers={"Host": host}, timeout=10).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example.org", "evil.example.org:8000", "localhost.evil.example.org", "127.0.0.1.evil.example.org",
     "notlocalhost", "0.0.0.0", "10.0.0.1", "[::]", "localhost@evil.example.org", "[", "a b"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/cds-services", "/sandbox", "/health/live", "/nothing"])
def test_other_names_are_refused(service: Service, host: str, path: str) -> None:
    """A page at a rebound name reads what it likes of the service that it thus has the same origin as."""
    before = len(service.log.read_text())
    answer = requests.get(service.address + path, headers={"Host": host}, timeout=10)
    if answer.status_code == 400:
        assert not answer.content, "the server itself refuses what is no host"
        return
    assert answer.status_code == 421
    (issue,) = answer.json()["issue"]
    assert "CDS_MODE=production" in issue["diagnostics"]
    eventually(lambda: '"status":421' in service.log.read_text()[before:])
    assert "evil" not in service.log.read_text()[before:]


def test_a_rebound_page_reaches_no_other_port(service: Service) -> None:
    body, host = {"fhirServer": "http://127.0.0.1:1/fhir"}, {"Host": "evil.example.org"}
    answer = requests.post(f"{service.address}/sandbox/connect/patients", json=body, headers=host, timeout=10)
    assert answer.status_code == 421


# --- the log --------------------------------------------------------------------------------------------------------


def lines(service: Service) -> list[dict[str, str]]:
    return [json.loads(line) for line in service.log.read_text().splitlines() if '"origin refused"' in line]


def test_a_refused_origin_is_logged_once_with_the_setting_that_allows_it(tmp_path: Path) -> None:
    odd = "https://" + "x" * 300 + ".example.org"
    with running(tmp_path, CDS_MODE="development", CDS_CORS_ORIGINS="https://listed.example.org") as service:
        for _ in range(3):
            preflight(service, CLAIM_REVIEW, "https://EHR.example.org:8443")
            requests.get(
                f"{service.address}/cds-services", headers={"Origin": "https://ehr.example.org:8443"}, timeout=9
            )
        for origin in ("https://listed.example.org", "http://localhost:8080", service.address):
            requests.get(f"{service.address}/cds-services", headers={"Origin": origin}, timeout=10)
        preflight(service, "/codes", "http://localhost:8080")
        for origin in ("null", odd, "Mrs Smith"):
            preflight(service, CLAIM_REVIEW, origin)
        requests.post(f"{service.address}/sandbox/explain", json={}, headers={"Origin": service.address}, timeout=10)
        eventually(lambda: len(lines(service)) >= 4)
        assert len(lines(service)) == 4
        assert "Smith" not in service.log.read_text()
        found = {line["origin"]: line["hint"] for line in lines(service)}
    assert found["https://ehr.example.org:8443"] == "CDS_CORS_ORIGINS=https://ehr.example.org:8443 lets its pages call"
    assert "CDS_CORS_ORIGINS=http://localhost:8080 opens the other paths" in found["http://localhost:8080"]
    assert "serve the page over http" in found["null"]
    assert set(found) == {"https://ehr.example.org:8443", "http://localhost:8080", "null", "not an origin"}


def test_strangers_do_not_fill_the_log(service: Service) -> None:
    for number in range(130):
        requests.get(f"{service.address}/health/live", headers={"Origin": f"https://{number}.example.org"}, timeout=10)
    assert len(lines(service)) <= 100
