"""A client's key address that is slow or silent costs nobody else a call."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from threading import Event
from typing import Any

import pytest

from cds_service.auth import jwks
from cds_service.auth.jwks import KeySource
from cds_service.auth.key_fetch import fetch
from cds_service.auth.registrations import Client
from cds_service.auth.replay import MemoryReplayStore
from cds_service.auth.tokens import TokenVerifier
from cds_service.errors import KeysUnavailable, NotTrusted
from tests.http.test_authentication import REGISTRATIONS, Production, production, ward
from tests.support.dribbling import Dribbling, dribbling
from tests.support.running import eventually
from tests.support.tokens import DISCOVERY, ISSUER, P384, claims, jwk, key_set, published, raw_token, token

SLOW = "https://slow.example.org"
HEAD = json.dumps({"alg": "ES384", "typ": "JWT", "kid": "k1"}).encode()

# The first bytes of a TLS record of 16,000 bytes: the handshake begins and does not end.
TLS = b"\x16\x03\x03\x3e\x80" + b"\x02" * 400


def registrations(port: int) -> str:
    return f"{REGISTRATIONS}  - id: slow\n    issuer: {SLOW}\n    jwks_url: http://127.0.0.1:{port}/jwks\n"


@pytest.fixture(scope="module")
def silent() -> Iterator[Dribbling]:
    with dribbling() as server:
        yield server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, silent: Dribbling) -> Iterator[Production]:
    """A service with one worker, one of whose clients has an address for its keys that never answers."""
    with production(tmp_path_factory.mktemp("slow"), registrations(silent.port), workers=1) as started:
        yield started


def unsigned() -> str:
    return raw_token(HEAD, json.dumps(claims(iss=SLOW)).encode())


def timed(run: Production, bearer: str) -> tuple[int, float]:
    started = time.monotonic()
    status = run.get("/cds-services", bearer).status_code
    return status, time.monotonic() - started


def test_unsigned_tokens_of_a_silent_client_take_no_slots(site: Production, silent: Dribbling) -> None:
    """Medians: what else the machine does slows some calls, and a wait for the keys would slow all of them."""
    with ThreadPoolExecutor(30) as pool:
        refused = [pool.submit(timed, site, unsigned()) for _ in range(20)]
        eventually(lambda: silent.connections == 1)  # the keys are being fetched
        others = [timed(site, ward("/cds-services")) for _ in range(5)]
        answers = [each.result() for each in refused]
    assert {status for status, _ in answers} == {401}
    assert {status for status, _ in others} == {200}
    assert median(seconds for _, seconds in others) < jwks.WAIT_SECONDS, "nobody else waits"
    assert median(seconds for _, seconds in answers) < jwks.WAIT_SECONDS, "one call of a client waits at most"
    eventually(lambda: "did not respond within 3 seconds" in site.log())
    assert any(word in site.log() for word in ("keys are being fetched", "keys are unavailable"))


def test_what_is_wrong_without_keys_fetches_none(tmp_path: Path) -> None:
    """Neither a malformed token nor one for another address or time makes the service fetch anything."""
    heads = [b"{}", b'{"alg":"none","typ":"JWT","kid":"k1"}', b'{"alg":"ES384","typ":"JWT"}']
    bad = [raw_token(head, json.dumps(claims()).encode()) for head in heads]
    bad += [
        token(aud="https://elsewhere.example.org"),
        token(exp=1),
        token(iat=1e10),
        token(header={"jku": "https://x"}),
    ]
    with published(key_set(jwk(P384, "k1"))) as keys:
        client = Client(id="hospital", issuer=ISSUER, jwks_url=keys.address)
        verifier = TokenVerifier([client], tmp_path, MemoryReplayStore())
        for bearer in bad:
            with pytest.raises(NotTrusted):
                verifier.verify(f"Bearer {bearer}", DISCOVERY)
        assert keys.asked == 0
        assert verifier.verify(f"Bearer {token()}", DISCOVERY).client == "hospital"
        assert keys.asked == 1


def test_the_first_calls_find_the_keys(tmp_path: Path) -> None:
    """Keys are fetched at start: a burst right after it is answered as a whole."""
    with production(tmp_path, workers=1) as run:
        eventually(lambda: run.get("/cds-services", token()).status_code == 200)
        with ThreadPoolExecutor(12) as pool:
            statuses = list(pool.map(lambda _: run.get("/cds-services", token()).status_code, range(12)))
    assert set(statuses) == {200}
    assert run.keys.asked == 1


class _CountedEvent(Event):
    """An event that counts those who wait for it."""

    waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        type(self).waits += 1
        return super().wait(timeout)


def test_known_keys_work_while_new_ones_do_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address falls silent: known keys are used without a wait, and one call waits for an unknown one."""
    now = [1000.0]
    with published(key_set(jwk(P384, "k1"))) as keys:
        source = KeySource(keys.address, lambda: now[0])
        assert source.key("k1")
    monkeypatch.setattr(jwks, "Event", _CountedEvent)
    monkeypatch.setattr(jwks, "WAIT_SECONDS", 60.0)  # until the fetch ends
    monkeypatch.setattr(jwks, "fetch", partial(fetch, seconds=60.0))
    with ThreadPoolExecutor(8) as pool, dribbling() as server:
        source._source = f"http://127.0.0.1:{server.port}/jwks"
        now[0] += jwks.FRESH_SECONDS
        assert source.key("k1")
        eventually(lambda: server.connections == 1)
        assert source.key("k1")
        assert _CountedEvent.waits == 0, "who has a key does not wait for others"
        asked = [pool.submit(source.key, "k2") for _ in range(8)]
        eventually(lambda: sum(each.done() for each in asked) == 7, 30.0)
        assert _CountedEvent.waits == 1, "one call at a time waits"
        refused = [str(each.exception()) for each in asked if each.done()]
        assert set(refused) == {"the client's keys are being fetched; the next call may find them"}
        assert server.connections == 1, "one fetch at a time"
    eventually(lambda: source._running is None)


def test_the_deadline_is_one_for_all_that_a_fetch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow name server takes from the time of the response, which has no timeout of its own then."""
    resolve = socket.getaddrinfo

    def slow(*arguments: Any, **options: Any) -> Any:
        time.sleep(2.4)
        return resolve(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with dribbling() as server:
        started = time.monotonic()
        with pytest.raises(KeysUnavailable, match=r"did not respond within 2\.5 seconds"):
            fetch(f"http://localhost:{server.port}/jwks", seconds=2.5)
        assert time.monotonic() - started < 4.5, "2.5 seconds, and not 2.4 and 2.5 of them"


@pytest.mark.parametrize(
    ("scheme", "content"),
    [
        ("http", b""),
        ("http", b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b" " * 1000),
        ("https", b""),
        ("https", TLS),
    ],
    ids=["silent", "headers", "body", "tls-silent", "tls"],
)
def test_a_server_that_dribbles_does_not_prolong_a_fetch(scheme: str, content: bytes) -> None:
    with dribbling(content, pause=0.02) as server:
        started = time.monotonic()
        with pytest.raises(KeysUnavailable, match=r"did not respond within 0\.5 seconds"):
            fetch(f"{scheme}://127.0.0.1:{server.port}/jwks", seconds=0.5)
        assert time.monotonic() - started < 5, "all its bytes take eight seconds or more"
