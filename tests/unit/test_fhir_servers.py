"""The list of FHIR servers that may be asked: what an entry may be, and which hosts are this machine."""

import pytest

from cds_service.fhir.servers import AllowedServer, AllowList, is_loopback, is_loopback_name, is_secure, split_url

NO_BASE_URL = "expected `url` to be a base URL such as https://ehr.example.org/fhir"
NOT_SECURE = "expected an https URL, since access tokens are sent there (http requires `private: true`)"


@pytest.mark.parametrize(
    ("url", "private", "fault"),
    [
        ("https://ehr.example.org/fhir", False, None),
        ("https://ehr.example.org:8443/fhir", True, None),
        ("http://localhost:8080/fhir", False, None),
        ("http://127.0.0.1/fhir", False, None),
        ("http://[::1]/fhir", False, None),
        ("http://ehr.internal/fhir", True, None),
        ("http://ehr.internal/fhir", False, NOT_SECURE),
        ("http://10.0.0.1/fhir", False, NOT_SECURE),
        ("ftp://ehr.example.org/fhir", True, NO_BASE_URL),
        ("ehr.example.org/fhir", True, NO_BASE_URL),
        ("https:///fhir", False, NO_BASE_URL),
        ("https://ehr.example.org:port/fhir", False, NO_BASE_URL),
        ("https://user@ehr.example.org/fhir", False, NO_BASE_URL),
        ("https://@ehr.example.org/fhir", False, NO_BASE_URL),
        ("https://ehr.example.org/fhir?a=b", False, NO_BASE_URL),
        ("https://ehr.example.org/fhir#a", False, NO_BASE_URL),
        ("", False, NO_BASE_URL),
    ],
)
def test_an_entry_is_a_base_url_that_tokens_may_be_sent_to(url: str, private: bool, fault: str | None) -> None:
    assert AllowedServer(url, private).fault() == fault


@pytest.mark.parametrize(
    ("url", "private", "public_only"),
    [
        ("https://ehr.example.org/fhir", False, True),
        ("https://ehr.example.org/fhir", True, False),
        ("http://localhost/fhir", False, True),
        ("https://10.0.0.1/fhir", False, False),
        ("http://[fd00::1]/fhir", False, False),
        ("no url", False, True),
    ],
)
def test_a_name_must_not_lead_into_the_own_network_unless_the_entry_says_so(
    url: str, private: bool, public_only: bool
) -> None:
    """An address says where it leads."""
    assert AllowedServer(url, private).public_only is public_only


def test_a_server_is_found_by_its_url_alone() -> None:
    one, other = AllowedServer("https://a.example/fhir/"), AllowedServer("https://a.example/fhir/r4")
    listed = AllowList((one, other))
    assert listed.find("https://a.example/fhir") is one
    assert listed.find("https://a.example/fhir/") is one
    assert listed.find("https://a.example/fhir/r4/") is other
    assert listed.find("https://a.example/fhir/r5") is None
    assert listed.find("HTTPS://A.EXAMPLE/fhir") is None
    assert AllowList().find("https://a.example/fhir") is None


@pytest.mark.parametrize(
    ("host", "is_host", "is_name"),
    [
        ("localhost", True, True), ("127.0.0.1", True, True), ("127.9.9.9", True, True), ("::1", True, True),
        ("LOCALHOST.", False, True), ("pc.localhost", False, True), ("notlocalhost", False, False),
        ("localhost.example", False, False), ("10.0.0.1", False, False), ("::2", False, False), ("", False, False),
    ],
)  # fmt: skip
def test_this_machine(host: str, is_host: bool, is_name: bool) -> None:
    assert (is_loopback(host), is_loopback_name(host)) == (is_host, is_name)


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://a.example", True), ("http://localhost", True), ("http://a.example", False), ("wss://a.example", False),
     ("https://", False)],
)  # fmt: skip
def test_a_connection_that_nobody_can_listen_to(url: str, expected: bool) -> None:
    assert is_secure(url) is expected


@pytest.mark.parametrize("url", ["http://[", "http://a:99999", "http://a:x"])
def test_what_is_no_url_has_no_parts(url: str) -> None:
    assert split_url(url) is None
