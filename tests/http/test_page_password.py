"""In production, pages require a password, and the sandbox is a registered client."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from requests.auth import HTTPBasicAuth

from cds_service.app import create_app
from cds_service.auth import trial_keys
from cds_service.errors import SettingsError
from cds_service.settings import load_settings
from tests.http.test_authentication import CLAIM, CLAIM_REVIEW, REGISTRATIONS, Production, production
from tests.support.running import ROOT
from tests.support.tokens import BASE, P384, jwk, key_set

PASSWORD = "a long pass phrase"
RIGHT = HTTPBasicAuth("anybody", PASSWORD)

SANDBOX = f"""\
  - id: sandbox
    issuer: {BASE}/sandbox
    jwks_file: sandbox.json
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """A production service with pages for people and a sandbox that is registered as a client."""
    folder = tmp_path_factory.mktemp("people")
    key = trial_keys.new_key()
    trial_keys.save(key, folder / "sandbox.pem")
    (folder / "sandbox.json").write_bytes(key_set(trial_keys.public_jwk(key)))
    with production(
        folder,
        REGISTRATIONS + SANDBOX,
        CDS_PAGES_PASSWORD=PASSWORD,
        CDS_SANDBOX="true",
        CDS_SANDBOX_KEY=str(folder / "sandbox.pem"),
    ) as started:
        yield started


PAGES = ["/", "/sandbox", "/insights", "/insights/cards.csv", "/rules", "/codes/93352", "/fhir", "/sandbox/jwks.json"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_for_the_password(site: Production, path: str) -> None:
    refused = site.get(path, allow_redirects=False)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    assert site.get(path, auth=RIGHT).status_code == 200


def test_what_a_page_looks_like_is_no_secret(site: Production) -> None:
    assert site.get("/static/reference.css").status_code == 200
    assert site.get("/static/../settings.py").status_code in {401, 404}


@pytest.mark.parametrize("path", ["/sandbox/explain", "/sandbox/token", "/sandbox/connect/patients"])
def test_nothing_is_done_for_strangers(site: Production, path: str) -> None:
    assert site.post(path).status_code == 401


def test_the_password_opens_no_service(site: Production) -> None:
    for path in ("/cds-services", "/metrics"):
        refused = site.get(path, auth=RIGHT)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert site.post(CLAIM_REVIEW, auth=RIGHT).status_code == 401


@pytest.mark.parametrize("path", ["/api", "/openapi.json", "/hooks/claim-review"])
def test_the_password_opens_the_descriptions_which_pages_link(site: Production, path: str) -> None:
    refused = site.get(path)
    assert (refused.status_code, refused.headers["WWW-Authenticate"][:5]) == (401, "Basic")
    assert site.get(path, auth=RIGHT).status_code == 200


def test_the_sandbox_calls_with_a_token_that_is_checked(site: Production) -> None:
    signed = site.send("POST", "/sandbox/token", json={"path": CLAIM_REVIEW}, auth=RIGHT).json()
    assert signed["claims"]["aud"] == BASE + CLAIM_REVIEW
    assert site.post(CLAIM_REVIEW, signed["token"]).status_code == 200
    assert site.post(CLAIM_REVIEW, signed["token"]).status_code == 401, "once"
    assert site.send("POST", "/sandbox/token", json={"path": "/review"}, auth=RIGHT).status_code == 400


def test_the_case_stays_with_whoever_may_see_it(site: Production) -> None:
    assert site.post("/sandbox/explain", data=CLAIM, auth=RIGHT).status_code == 200
    server = {"fhirServer": "http://127.0.0.1:9/fhir"}
    refused = site.send("POST", "/sandbox/connect/patients", json=server, auth=RIGHT)
    assert "this server is not allowed" in refused.json()["issue"][0]["diagnostics"], "nobody listed it"


def test_guessing_is_slowed_down(site: Production) -> None:
    tries = [site.get("/insights", auth=HTTPBasicAuth("x", "wrong")).status_code for _ in range(12)]
    assert tries[0] == 401
    assert 429 in tries
    assert site.get("/insights", auth=RIGHT).status_code == 200
    assert PASSWORD not in site.log()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"CDS_SANDBOX": "true"}, "CDS_SANDBOX: production requires CDS_PAGES_PASSWORD and CDS_SANDBOX_KEY"),
        ({"CDS_SANDBOX": "true", "CDS_PAGES_PASSWORD": PASSWORD}, "requires CDS_PAGES_PASSWORD and CDS_SANDBOX_KEY"),
        ({"CDS_PAGES_PASSWORD": "short"}, "CDS_PAGES_PASSWORD: "),
    ],
)
def test_a_setting_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    monkeypatch.setenv("CDS_MODE", "production")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=words) as caught:
        load_settings()
    assert "short" not in str(caught.value).replace("shorter", "")


def test_neither_is_served_in_production_unless_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ward.json").write_bytes(key_set(jwk(P384, "k1")))
    client = "clients:\n  - id: ward\n    issuer: https://ward.example.org\n    jwks_file: ward.json\n"
    (tmp_path / "clients.yaml").write_text(client)
    monkeypatch.setenv("CDS_MODE", "production")
    monkeypatch.setenv("CDS_PUBLIC_BASE_URL", BASE)
    monkeypatch.setenv("CDS_CLIENTS_FILE", str(tmp_path / "clients.yaml"))
    monkeypatch.setenv("CDS_DATABASE_URL", f"sqlite:///{tmp_path / 'x.sqlite3'}")
    monkeypatch.chdir(ROOT)
    addresses = {rule.rule: rule.endpoint for rule in create_app(load_settings()).url_map.iter_rules()}
    assert addresses
    assert not [each for each in addresses if each.startswith(("/sandbox", "/insights"))]
    assert addresses["/"] == "claim.start", "the start is the claim page then"


def test_a_key_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.pem").write_text("nonsense")
    monkeypatch.setenv("CDS_SANDBOX_KEY", str(tmp_path / "key.pem"))
    with pytest.raises(SettingsError, match="expected an unencrypted private key in PEM"):
        create_app(load_settings())
