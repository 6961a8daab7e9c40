"""Pages where programs get JSON: errors, descriptions and FHIR resources; and no link that leads nowhere."""

import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urldefrag, urljoin, urlsplit

import pytest
import requests

from tests.http.test_reference import page_of
from tests.support.running import running

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PROGRAMS = ["*/*", "application/json", "application/fhir+json", "application/json, text/html", ""]
NAVIGATION = 'aria-label="Pages"'
# A page for patients is to be printed: it leads back to the page of its code.
BACK = '<p class="more"><a href="/codes/'


def call(server: str, path: str, accept: str, method: str = "GET", **content: object) -> requests.Response:
    headers = {"Accept": accept, **content.pop("headers", {})}  # type: ignore[dict-item]
    return requests.request(method, server + path, headers=headers, timeout=30, allow_redirects=False, **content)  # type: ignore[arg-type]


JSON_BODY = {"Content-Type": "application/json"}
ERRORS = [
    ("GET", "/no-such-page", {}, 404),
    ("GET", "/fhir/CodeSystem/none", {}, 404),
    ("GET", "/hooks/none", {}, 404),
    ("GET", "/review", {}, 405),
    ("GET", "/cds-services/contrast-echo-claim-review", {}, 405),
    ("POST", "/codes", {}, 405),
    ("POST", "/review", {"data": b"{", "headers": JSON_BODY}, 400),
    ("POST", "/claim", {"data": b'{"text": "9335"}', "headers": JSON_BODY}, 400),
    ("POST", "/review", {"data": b"a", "headers": {"Content-Type": "text/plain"}}, 415),
    ("POST", "/review", {"data": b" " * 40_000_000, "headers": JSON_BODY}, 413),
]


@pytest.mark.parametrize(("method", "path", "content", "status"), ERRORS, ids=[f"{e[0]} {e[1]} {e[3]}" for e in ERRORS])
def test_every_error_is_a_page_for_people_and_an_outcome_for_programs(
    server: str, method: str, path: str, content: dict[str, object], status: int
) -> None:
    as_json = call(server, path, "*/*", method, **content)
    assert as_json.status_code == status
    assert as_json.headers["Content-Type"] == "application/fhir+json"
    assert "Accept" in as_json.headers["Vary"]
    (issue,) = as_json.json()["issue"]

    response = call(server, path, BROWSER, method, **content)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers.get("Allow") == as_json.headers.get("Allow")
    assert NAVIGATION in response.text
    page = page_of(response)
    assert str(status) in page.text
    assert issue["diagnostics"][1:] in page.text


@pytest.mark.parametrize("accept", PROGRAMS)
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/fhir", "application/fhir+json"),
        ("/fhir/CodeSystem/rule", "application/fhir+json"),
        ("/openapi.json", "application/json"),
        ("/hooks/claim-review", "text/markdown; charset=utf-8"),
        ("/no-such-page", "application/fhir+json"),
    ],
)
def test_programs_get_what_they_got(server: str, path: str, kind: str, accept: str) -> None:
    response = call(server, path, accept)
    assert response.headers["Content-Type"] == kind
    assert "Accept" in response.headers["Vary"]


@pytest.mark.parametrize("path", ["/fhir", "/fhir/CodeSystem/rule", "/openapi.json", "/hooks/claim-review", "/api"])
def test_people_get_a_page_with_the_navigation(server: str, path: str) -> None:
    response = call(server, path, BROWSER)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert NAVIGATION in response.text
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    page_of(response)


def test_a_browser_gets_the_json_that_it_asks_for(server: str) -> None:
    assert call(server, "/openapi.json?_format=json", BROWSER).json()["openapi"] == "3.1.0"
    assert call(server, "/fhir?_format=json", BROWSER).json()["resourceType"] == "Bundle"


def test_an_error_page_does_not_repeat_what_was_sent(server: str) -> None:
    response = call(server, "/Smith-1951?name=Smith-1951", BROWSER)
    assert response.status_code == 404
    assert "Smith" not in response.text


@pytest.mark.parametrize("name", ["swagger-ui.css", "swagger-ui-bundle.js"])
def test_the_files_of_the_page_of_the_api_come_from_here(server: str, name: str) -> None:
    page = call(server, "/api", BROWSER)
    assert f"/static/swagger-ui/{name}" in page.text
    assert "<script>" not in page.text
    assert call(server, f"/static/swagger-ui/{name}", "*/*").status_code == 200
    assert call(server, "/static/swagger-ui/index.css", "*/*").status_code == 404
    others = call(server, "/codes", BROWSER).headers["Content-Security-Policy"]
    assert "script-src" not in others
    assert "data:" not in others


# --- no dead ends ---------------------------------------------------------------------------------------------------


OTHER_LANGUAGE = "ar"
PAGES = re.compile(r'<nav aria-label="[^"]+">')  # the navigation, by its label in any language


def crawled(server: str) -> Iterator[tuple[str, requests.Response]]:
    """Every address of the service that a browser reaches by links from the start, with its answer.

    Of the pages in other languages, those of one: their links are those of the English ones.
    """
    waiting, seen = deque(["/"]), {"/"}
    while waiting:
        path = waiting.popleft()
        response = call(server, path, BROWSER)
        found = [response.headers.get("Location", "")]
        if response.headers["Content-Type"].startswith("text/html"):
            found += re.findall(r'(?:href|src)="([^"]+)"', response.text)
            yield path, response
        elif response.status_code != 200:
            yield path, response
        for link in found:
            address = urldefrag(urljoin(path, link.replace("&amp;", "&"))).url
            parts = urlsplit(address)
            is_read = parse_qs(parts.query).get("lang", [OTHER_LANGUAGE]) == [OTHER_LANGUAGE]
            if not parts.netloc and not parts.scheme and address not in seen and is_read:
                seen.add(address)
                waiting.append(address)


def require_no_dead_ends(server: str) -> set[str]:
    paths = set()
    for path, response in crawled(server):
        assert response.status_code in {200, 302}, f"{path} answers {response.status_code}"
        leads_on = PAGES.search(response.text) or BACK in response.text
        assert response.status_code == 302 or leads_on, f"{path} has no navigation"
        paths.add(path)
    assert paths
    return paths


@pytest.mark.exhaustive
def test_no_link_is_a_dead_end(server: str) -> None:
    paths = require_no_dead_ends(server)
    assert {"/codes", "/rules", "/claim", "/sandbox", "/fhir", "/api", "/openapi.json", "/tables", "/insights"} <= paths
    assert any(path.startswith("/fhir/ValueSet/") for path in paths)
    assert any(path.startswith("/codes/") for path in paths)


@pytest.mark.exhaustive
def test_no_link_is_a_dead_end_without_a_sandbox(tmp_path: Path) -> None:
    with running(tmp_path, CDS_SANDBOX="off") as service:
        paths = require_no_dead_ends(service.address)
    assert {"/", "/claim", "/codes"} <= paths
    assert "/sandbox" not in paths
