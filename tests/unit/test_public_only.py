"""FHIR servers are queried only if listed for the client, and never at a private address by DNS."""

import json
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from cds_service.fhir.servers import AllowedServer, AllowList, is_public
from cds_service.review.advisor import Advisor, Answer
from hooks import all_services
from tests.support.notation import request_of

SERVICE = next(each for each in all_services() if each.id == "contrast-echo-claim-review")


class Hostile:
    """A server of the own network that must not be reached: how often somebody connected, and the tokens it got."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0
        self.tokens: list[str | None] = []


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    class Handler(BaseHTTPRequestHandler):
        def setup(self) -> None:
            state.connections += 1
            super().setup()

        def do_GET(self) -> None:
            state.tokens.append(self.headers["Authorization"])
            body = json.dumps({"resourceType": "Bundle", "type": "searchset"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Hostile(server.server_address[1])
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Makes a name lead to addresses, to the next ones at each look; says how often the name was looked up."""

    def lead(name: str, *answers: list[str]) -> list[str]:
        looked: list[str] = []
        real = socket.getaddrinfo

        def fake(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            if host != name:
                return real(host, port, *args, **kwargs)
            looked.append(host)
            addresses = answers[min(len(looked), len(answers)) - 1]
            families = [socket.AF_INET6 if ":" in each else socket.AF_INET for each in addresses]
            return [
                (family, socket.SOCK_STREAM, 6, "", (each, port))
                for family, each in zip(families, addresses, strict=True)
            ]

        monkeypatch.setattr(socket, "getaddrinfo", fake)
        return looked

    return lead


def ask(advisor: Advisor, url: str, *listed: AllowedServer) -> Answer:
    authorization = {"access_token": "secret", "token_type": "Bearer", "expires_in": 1, "scope": "s", "subject": "s"}
    body = request_of({"professional": "93350"}) | {"fhirServer": url, "fhirAuthorization": authorization}
    body["prefetch"] = {}
    return advisor.answer(SERVICE, json.dumps(body).encode(), servers=AllowList(listed))


def test_only_what_the_callers_list_names_is_asked(advisor: Advisor, hostile: Hostile) -> None:
    url = f"http://127.0.0.1:{hostile.port}/fhir"
    for listed in ([], [AllowedServer(f"{url}/r4")], [AllowedServer(url.replace("127.0.0.1", "localhost"), True)]):
        advice = ask(advisor, url, *listed)
        assert advice.fetched == ()
        assert "not an allowed FHIR server" in str(advice.skipped)
    assert hostile.connections == 0


@pytest.mark.parametrize("suffix", ["", "/"])
def test_a_literal_address_names_itself(advisor: Advisor, hostile: Hostile, suffix: str) -> None:
    url = f"http://127.0.0.1:{hostile.port}/fhir"
    assert ask(advisor, url + suffix, AllowedServer(url)).fetched
    assert set(hostile.tokens) == {"Bearer secret"}


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"], ["0.0.0.0"]],
    ids=str,
)
def test_a_name_that_leads_to_a_private_address_is_not_followed(
    advisor: Advisor, hostile: Hostile, names: Callable[..., list[str]], addresses: list[str]
) -> None:
    names("ehr.test", addresses)
    url = f"http://ehr.test:{hostile.port}/fhir"
    advice = ask(advisor, url, AllowedServer(url))
    assert "the request to the FHIR server failed" in str(advice.skipped)
    assert hostile.connections == 0


def test_a_private_address_is_asked_where_the_list_says_so(
    advisor: Advisor, hostile: Hostile, names: Callable[..., list[str]]
) -> None:
    names("ehr.test", ["127.0.0.1"])
    url = f"http://ehr.test:{hostile.port}/fhir"
    assert "the request to the FHIR server failed" not in str(
        ask(advisor, url, AllowedServer(url, private=True)).skipped
    )
    assert set(hostile.tokens) == {"Bearer secret"}


def test_a_connection_that_one_client_may_have_serves_no_other(
    advisor: Advisor, hostile: Hostile, names: Callable[..., list[str]]
) -> None:
    names("ehr.test", ["127.0.0.1"])
    url = f"http://ehr.test:{hostile.port}/fhir"
    ask(advisor, url, AllowedServer(url, private=True))
    before = len(hostile.tokens)
    ask(advisor, url, AllowedServer(url))
    assert len(hostile.tokens) == before


def test_a_name_that_changes_after_the_check_finds_nobody(
    advisor: Advisor, hostile: Hostile, names: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public when it is checked, private when it is connected to. Here it is looked up once."""
    opened: list[str] = []

    def no_connection(address: tuple[str, int], *_: Any, **__: Any) -> None:
        opened.append(address[0])
        raise OSError("unreachable")

    monkeypatch.setattr("urllib3.util.connection.create_connection", no_connection)
    looked = names("ehr.test", ["8.8.8.8"], ["127.0.0.1"])
    url = f"http://ehr.test:{hostile.port}/fhir"
    access = ask(advisor, url, AllowedServer(url))
    assert "the request to the FHIR server failed" in str(access.skipped)
    assert opened[0] == "8.8.8.8"
    assert "ehr.test" not in opened, "what was checked is connected to, not the name"
    assert looked
    assert hostile.connections == 0


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("127.1.2.3", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("192.0.2.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", False),
        ("name", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public
