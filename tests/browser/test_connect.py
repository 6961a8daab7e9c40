"""The sandbox with a real FHIR server: finding a patient, and building and signing the request."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Looking
from tests.browser.conftest import Look
from tests.support.ehr import FHIR_TOKEN, load, under_own_ids
from tests.support.fhir_server.server import FhirServer
from tests.support.running import ROOT, Service

pytestmark = pytest.mark.repeats(3)

FLAGGED = "contrast-add-on-missing/flags-65-year-old-man-poor-endocardial-border"


@pytest.fixture(scope="module")
def patient(fhir: FhirServer) -> Iterator[str]:
    """The id of a patient of the server, whose record is that of a sample."""
    request = under_own_ids(json.loads((ROOT / "sample_bundles" / f"{FLAGGED}.json").read_text()), "sandbox")
    request["prefetch"]["patient"]["name"] = [{"family": "Connected", "given": ["Carl"]}]
    load(fhir, request)
    yield str(request["context"]["patientId"])


def connected(seen: Looking, fhir: FhirServer, token: str = FHIR_TOKEN) -> None:
    seen.page.get_by_role("button", name="From a FHIR server…").click()
    seen.page.get_by_label("FHIR server URL").fill(fhir.base_url)
    seen.page.get_by_label("Access token").fill(token)
    seen.page.get_by_label("Patient name").fill("Connected")
    seen.page.get_by_role("button", name="Find patients").click()


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("left_to_service", [False, True])
def test_a_request_is_built_from_a_fhir_server(look: Look, fhir: FhirServer, left_to_service: bool) -> None:
    with look() as seen:
        seen.go("/sandbox")
        connected(seen, fhir)
        seen.page.get_by_role("button", name="Carl Connected").click()
        expect(seen.page.get_by_label("Encounter")).to_be_focused()
        if left_to_service:
            seen.page.get_by_label("Send no prefetch").check()
        assert seen.barriers() == []
        seen.keep(f"connect-{'fetched' if left_to_service else 'prefetched'}", whole=False)
        seen.page.get_by_role("dialog").get_by_role("button", name="Review").click()
        expect(seen.page.locator("#case-title")).to_contain_text("Carl Connected, male, 1960-11-02, from 127.0.0.1")
        expect(seen.page.locator("#card-1 h3")).to_contain_text("add 93352 and Q9957 (2 units)")
        seen.settle()
        seen.page.locator("#queries summary").click()
        expect(seen.page.locator("#queries")).to_contain_text(
            "GET MedicationAdministration?patient=sandbox-pat-632cc4b0"
        )
        seen.page.locator("#request summary").click()
        expect(seen.page.locator("#request pre")).to_contain_text('"access_token": "not shown"')
        assert FHIR_TOKEN not in seen.page.content()
        if left_to_service:
            expect(seen.page.locator("#fetched")).to_contain_text("Fetched by the service")


def test_the_call_is_signed(look: Look) -> None:
    with look() as seen:
        with seen.page.expect_request("**/cds-services/*") as waiting:
            seen.go("/sandbox")
        assert waiting.value.headers["authorization"].startswith("Bearer ey")
        seen.page.locator("#token summary").click()
        expect(seen.page.locator("#token pre")).to_contain_text(f'"iss": "{seen.address}/sandbox"')
        expect(seen.page.locator("#token pre")).to_contain_text(
            '"aud": "' + seen.address + "/cds-services/contrast-echo"
        )


def test_what_stands_in_the_way_is_said(look: Look, fhir: FhirServer) -> None:
    with look() as seen:
        seen.go("/sandbox")
        seen.refusals = 3
        connected(seen, fhir, token="a-wrong-one")
        expect(seen.page.locator("#connect [role=alert]")).to_contain_text("the FHIR server responded with 401")
        seen.page.get_by_label("FHIR server URL").fill("https://fhir.example.org/r4")
        seen.page.get_by_role("button", name="Find patients").click()
        expect(seen.page.locator("#connect [role=alert]")).to_contain_text("this server is not allowed")
        seen.page.get_by_label("FHIR server URL").fill("http://127.0.0.1:9/fhir")
        seen.page.get_by_role("button", name="Find patients").click()
        expect(seen.page.locator("#connect [role=alert]")).to_contain_text(
            "the request to the FHIR server failed (ConnectionError)"
        )
        seen.page.get_by_label("FHIR server URL").fill(fhir.base_url)
        seen.page.get_by_label("Access token").fill(FHIR_TOKEN)
        seen.page.get_by_label("Patient name").fill("Nobody-Of-That-Name")
        seen.page.get_by_role("button", name="Find patients").click()
        expect(seen.page.locator("#connect")).to_contain_text("No patient on this server matches.")


@pytest.mark.usefixtures("patient")
def test_the_token_for_the_server_stays_out_of_the_log(look: Look, fhir: FhirServer, service_process: Service) -> None:
    with look() as seen:
        seen.go("/sandbox")
        connected(seen, fhir)
        expect(seen.page.get_by_role("button", name="Carl Connected")).to_be_visible()
    written = service_process.log.read_text()
    assert FHIR_TOKEN not in written
    assert "Connected" not in written
