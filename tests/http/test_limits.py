"""Limits of one body, one client and all calls together."""

import copy
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.cdshooks.size_limits import MAX_LEVELS, require_within_limits
from cds_service.errors import BadRequest, Overloaded, TooLarge, TooManyCalls
from cds_service.review.advisor import Advisor
from cds_service.settings import Settings
from cds_service.web import concurrency_limit
from cds_service.web.concurrency_limit import ConcurrencyLimit
from cds_service.web.token_bucket import TokenBucket
from tests.http.test_authentication import CLAIM, CLAIM_REVIEW, Production, production, ward
from tests.rules.test_cases import SERVICES
from tests.support.notation import request_of
from tests.support.running import Service, eventually, running
from tests.support.tokens import BASE, token

pytestmark = pytest.mark.repeats(3)

# --- one body -------------------------------------------------------------------------------------------------------


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * levels + closing * levels).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b'"text"',
        b"[1, [2, {}], 3]",
        nested(MAX_LEVELS),
        json.dumps({"text": "[{" * 1000 + ',"' * 1000 + "\\" * 7}).encode(),
        json.dumps([r"\"", "\\\\", '\\"[', "[" * 100]).encode(),
        json.dumps("," * 1000).encode(),
        json.dumps([list(range(100)) for _ in range(100)]).encode(),
        json.dumps({"entry": list(range(100))}).encode(),
    ],
)
def test_bodies_within_bounds(body: bytes) -> None:
    assert require_within_limits(body, 100) is body


@pytest.mark.parametrize(
    "body",
    [
        nested(MAX_LEVELS + 1),
        nested(500, '{"a":[', "]}"),
        b'{"\\"": ' + nested(70) + b"}",
        b"[" * 70,
        b'["\\\\",' * 70,
    ],
)
def test_a_body_that_is_nested_too_deeply(body: bytes) -> None:
    with pytest.raises(BadRequest, match="more than 64 levels"):
        require_within_limits(body, 100)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(list(range(101))).encode(),
        b"[" + b",".join([b"1"] * 101) + b"]",
        b"[" + b",".join([rb'"\\"'] * 101) + b"]",
        json.dumps({"entry": [{"a": [1, 2]}, *range(100)]}).encode(),
        json.dumps([[1], [{"entry": [{} for _ in range(101)]}]]).encode(),
        json.dumps({str(i): i for i in range(101)}).encode(),
        json.dumps(["a,b" for _ in range(101)]).encode(),
    ],
)
def test_a_list_that_is_too_long(body: bytes) -> None:
    with pytest.raises(TooLarge, match="more than 100 elements"):
        require_within_limits(body, 100)


def test_many_short_lists_are_too_much_together() -> None:
    with pytest.raises(TooLarge, match="more objects"):
        require_within_limits(json.dumps([[{}] * 90] * 60).encode(), 100)


_TEXTS = st.text(alphabet='ab,"[]{}\\:é', max_size=6)
_JSON = st.recursive(
    st.one_of(st.none(), st.integers(0, 9), _TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=14), st.dictionaries(_TEXTS, inner, max_size=14)),
    max_leaves=60,
)


def elements(value: Any) -> int:
    """The number of elements of the longest list or object in a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max([len(inner), *map(elements, inner)])


@pytest.mark.exhaustive
@settings(max_examples=500, deadline=None, derandomize=True)
@given(value=_JSON, most=st.integers(1, 14), separators=st.sampled_from([(",", ":"), (" , ", " : ")]))
def test_lists_are_counted_as_a_decoder_would(value: Any, most: int, separators: tuple[str, str]) -> None:
    body = json.dumps(value, separators=separators).encode()
    if elements(value) > most:
        with pytest.raises(TooLarge):
            require_within_limits(body, most)
    else:
        with suppress(TooLarge) if body.count(b"{") + body.count(b"[") > 50 * most else nullcontext():
            assert require_within_limits(body, most) is body


@pytest.mark.exhaustive
def test_the_check_is_quick_for_any_shape() -> None:
    """Ten megabytes take less than a few seconds of CPU on a slow machine; most take a tenth of one."""
    size = 10 * 1024 * 1024
    shapes = [nested(size // 2), b"[" + b"1," * (size // 2), b'{"a":' * (size // 5), b'"' * size, b"\\" * size]
    shapes += [b"[" + b",".join([nested(60)] * (size // 121)) + b"]", b'"\\"' * (size // 3), b"," * size]
    for shape in shapes:
        started = time.thread_time()
        with suppress(BadRequest, TooLarge):
            require_within_limits(shape, 20_000)
        assert time.thread_time() - started < 5


def bundle_body(entries: int, member: str = "procedures") -> bytes:
    body = request_of({"lines": "93350"})
    body["prefetch"] = {member: {"resourceType": "Bundle", "type": "searchset", "entry": [{}] * entries}}
    return json.dumps(body).encode()


def post(address: str, body: bytes, path: str = CLAIM_REVIEW, **headers: str) -> requests.Response:
    sent = {"Content-Type": "application/json"} | headers
    return requests.post(address + path, data=body, headers=sent, timeout=60)


@pytest.mark.parametrize("path", [CLAIM_REVIEW, f"{CLAIM_REVIEW}/feedback", "/review"])
def test_bounds_over_http(server: str, path: str) -> None:
    deep = post(server, b'{"x": ' + nested(MAX_LEVELS) + b"}", path)
    assert (deep.status_code, deep.json()["issue"][0]["code"]) == (400, "invalid")
    assert "levels" in deep.json()["issue"][0]["diagnostics"]
    entries = {"resourceType": "Bundle", "type": "collection", "entry": [{}] * 20_001}
    long = post(server, json.dumps(entries).encode() if path == "/review" else bundle_body(20_001), path)
    assert (long.status_code, long.json()["issue"][0]["code"]) == (413, "too-long")
    assert long.headers["Content-Type"] == "application/fhir+json"


def test_lists_that_can_be_read_at_once_are_bounded_too(server: str) -> None:
    request = request_of({"professional": "93350"})
    performed = {"resourceType": "Procedure", "status": "completed", "subject": {"reference": "Patient/1"}}
    entries = [{"resource": performed}] * 20_001
    record = {"prefetch": {"procedures": {"resourceType": "Bundle", "type": "searchset", "entry": entries}}}
    draft = copy.deepcopy(request)
    (claim,) = (
        entry["resource"]
        for entry in draft["context"]["draftCharges"]["entry"]
        if entry["resource"]["resourceType"] == "Claim"
    )
    claim["item"] *= 20_001
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    for body, path in ((request | record, CLAIM_REVIEW), (draft, CLAIM_REVIEW), (bundle, "/review")):
        long = post(server, json.dumps(body).encode(), path)
        assert (long.status_code, long.json()["issue"][0]["code"]) == (413, "too-long")


@pytest.mark.parametrize(("levels", "status"), [(10, 200), (20_000, 400)])
def test_what_nobody_reads_may_not_be_nested_without_end(server: str, levels: int, status: int) -> None:
    good = json.dumps(request_of({"lines": "93350, 93352, Q9957x2"}))
    unknown = good.replace(
        '"resourceType": "ChargeItem"', f'"unknown": {nested(levels).decode()}, "resourceType": "ChargeItem"', 1
    )
    assert unknown != good
    answer = post(server, unknown.encode())
    assert answer.status_code == status
    assert "levels" in answer.text or status == 200


def test_a_resource_that_is_nested_too_deeply_is_not_sent_back(advisor: Advisor) -> None:
    """An update that would need the whole resource stays a text."""
    good = json.dumps(request_of({"professional": "93350, 93352, 93352"}))
    deep = good.replace(
        '"resourceType": "Claim"', f'"unknown": {nested(MAX_LEVELS).decode()}, "resourceType": "Claim"', 1
    )
    cards = [
        advisor.answer(SERVICES["contrast-echo-claim-review"], each.encode()).response.cards for each in (good, deep)
    ]
    assert all(cards)
    assert [any(card.suggestions for card in each) for each in cards] == [True, False]


def test_a_bundle_as_long_as_allowed_is_answered(server: str) -> None:
    assert post(server, bundle_body(20_000)).status_code == 200


# --- calls ----------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_takes_a_burst_and_then_its_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(2.0, clock)
    assert [bucket.acquire() for _ in range(4)] == [0, 0, 0, 0]
    assert bucket.acquire() == pytest.approx(0.5)
    clock.now += 0.5
    assert bucket.acquire() == 0
    assert bucket.acquire() > 0
    clock.now += 1000
    assert [bucket.acquire() > 0 for _ in range(5)] == [False] * 4 + [True]


def test_a_rate_below_one_a_second_lets_one_call_in() -> None:
    bucket = TokenBucket(0.1, Clock())
    assert bucket.acquire() == 0
    assert bucket.acquire() == pytest.approx(10)


def test_calls_are_counted_in_and_out() -> None:
    counts = ConcurrencyLimit(Settings(max_calls=2, max_calls_per_client=1))
    counts.enter()
    counts.enter_client("a")
    with pytest.raises(TooManyCalls, match="concurrent"):
        counts.enter_client("a")
    counts.enter_client("b")
    counts.enter()
    with pytest.raises(Overloaded):
        counts.enter()
    counts.leave("a")
    counts.enter()
    counts.enter_client("a")


def test_a_call_that_ends_in_time_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency_limit, "_PATIENCE_SECONDS", 60.0)
    counts = ConcurrencyLimit(Settings(max_calls=1))
    counts.enter()
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(counts.enter)
        time.sleep(0.02)
        assert not waiting.done()
        counts.leave(None)
        waiting.result()


# So many calls are held for each that the limit lets in: a call that probes the limit may take the place of one.
SPARE = 3


@contextmanager
def held(address: str, path: str, calls: int, bearers: list[str]) -> Iterator[list[socket.socket]]:
    """Keep calls open: their bodies never end. Yields their connections, which the service may not have read yet."""
    opened = [hold(address, path, bearer) for bearer in bearers[:calls]]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.close()


def hold(address: str, path: str, bearer: str) -> socket.socket:
    """Begin a call whose body never ends, until the service ends it."""
    connection = socket.create_connection((urlsplit(address).hostname, urlsplit(address).port))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
    connection.sendall(f"{head}Authorization: Bearer {bearer}\r\n\r\n{{".encode())
    return connection


def limited(folder: Path, **settings: str) -> Any:
    return production(folder, workers=1, **settings)


def call(run: Production, **changes: Any) -> requests.Response:
    return run.post(CLAIM_REVIEW, token(aud=BASE + CLAIM_REVIEW, **changes))


def call_until(run: Production, status: int, opened: list[socket.socket] | None = None) -> requests.Response:
    """The first answer with a status: the service reads and ends the calls that are held in its own time.

    While calls are held, one more is opened after each answer with another status: the service may have ended some.
    """
    answers: list[requests.Response] = []

    def answered() -> bool:
        answers.append(call(run))
        is_so = answers[-1].status_code == status
        if opened is not None and not is_so:
            opened.append(hold(run.service.address, CLAIM_REVIEW, token(aud=BASE + CLAIM_REVIEW)))
        return is_so

    eventually(answered)
    return answers[-1]


def test_a_client_that_calls_too_often_waits(tmp_path: Path) -> None:
    with limited(tmp_path, CDS_CALLS_PER_SECOND="0.2") as run:  # so that no second call is late
        assert call(run).status_code == 200
        refused = call(run)
        assert refused.status_code == 429
        assert refused.json()["issue"][0]["code"] == "throttled"
        assert 1 <= int(refused.headers["Retry-After"]) <= 5
        time.sleep(int(refused.headers["Retry-After"]))
        assert call(run).status_code == 200
        assert run.get("/cds-services", ward("/cds-services")).status_code == 200, (
            "one client's calls are not another's"
        )
        line = next(line for line in run.log().splitlines() if '"status":429' in line)
        assert json.loads(line)["client"] == "hospital"


def test_a_client_that_calls_too_much_at_once_waits(tmp_path: Path) -> None:
    with limited(tmp_path, CDS_MAX_CALLS_PER_CLIENT="2") as run:
        bearers = [token(aud=BASE + CLAIM_REVIEW) for _ in range(2 * SPARE)]
        with held(run.service.address, CLAIM_REVIEW, len(bearers), bearers) as opened:
            refused = call_until(run, 429, opened)
            assert refused.headers["Retry-After"] == "1"
            assert run.get("/cds-services", ward("/cds-services")).status_code == 200, (
                "other clients are not kept waiting"
            )
        call_until(run, 200)  # calls that ended are counted out


def test_a_service_that_is_full_says_so_and_its_health_answers(tmp_path: Path) -> None:
    with limited(tmp_path, CDS_MAX_CALLS="3") as run:
        bearers = [token(aud=BASE + CLAIM_REVIEW) for _ in range(3 * SPARE)]
        with held(run.service.address, CLAIM_REVIEW, len(bearers), bearers) as opened:
            refused = call_until(run, 503, opened)
            assert refused.headers["Retry-After"] == "1"
            assert refused.json()["issue"][0]["code"] == "throttled"
            assert run.get("/health/live").status_code == 200
        call_until(run, 200)


def test_calls_without_a_token_hold_nothing(tmp_path: Path) -> None:
    bearers = ["x.y.z"] * 20
    with limited(tmp_path, CDS_MAX_CALLS="3") as run, held(run.service.address, CLAIM_REVIEW, 20, bearers) as opened:
        assert {each.recv(12) for each in opened} == {b"HTTP/1.1 401"}
        assert call(run).status_code == 200


def test_refusals_and_faults_are_counted_out(tmp_path: Path) -> None:
    with limited(tmp_path, CDS_MAX_CALLS="2", CDS_MAX_CALLS_PER_CLIENT="2") as run:
        for _ in range(4):
            assert run.post(CLAIM_REVIEW).status_code == 401
            assert run.post(CLAIM_REVIEW, token(aud=BASE + CLAIM_REVIEW), b"{").status_code == 400
            assert run.get("/nothing", token(aud=f"{BASE}/nothing")).status_code == 404
        assert call(run).status_code == 200


def test_a_burst_within_the_limits_is_answered_whole(tmp_path: Path) -> None:
    with limited(tmp_path) as run, ThreadPoolExecutor(10) as many:
        assert {each.status_code for each in many.map(lambda _: call(run), range(80))} == {200}


# --- memory ---------------------------------------------------------------------------------------------------------

ROUNDS = 3
AT_ONCE = 6
MOST_MEGABYTES = 1000


def worker_memory(service: Service) -> float:
    """The most memory that a process of the service has held, in megabytes."""
    states = [Path(f"/proc/{pid}/status").read_text().splitlines() for pid in service.workers()]
    peaks = [line.split()[1] for state in states for line in state if line.startswith("VmHWM:")]
    return max(map(int, peaks)) / 1024


@pytest.mark.exhaustive
def test_memory_stays_bounded_under_many_large_bodies(tmp_path: Path) -> None:
    """Rounds of many bodies of nearly ten megabytes at once, of shapes that cost most: the second half adds little."""
    size = 10 * 1024 * 1024 - 4096
    head, tail = json.dumps(request_of({}) | {"prefetch": {"procedures": "HERE"}}).split('"HERE"')
    resource = {"resourceType": "Procedure", "id": "a", "status": "completed", "note": [{"text": "x" * 350}]}
    whole = {"resourceType": "Bundle", "entry": [{"resource": resource}] * 19_000}
    shapes = ['"' + "x" * size + '"', json.dumps(whole), "[" + "5," * (size // 2) + "5]"]
    bodies = [(head + shape + tail).encode() for shape in shapes]
    peaks = []
    with running(tmp_path) as service, ThreadPoolExecutor(AT_ONCE) as many:
        for _ in range(ROUNDS):
            answers = list(many.map(lambda body: post(service.address, body).status_code, bodies * (AT_ONCE // 3)))
            assert set(answers) <= {200, 413, 503}
            peaks.append(worker_memory(service))
        assert post(service.address, CLAIM).status_code == 200
    assert peaks[-1] < MOST_MEGABYTES
    assert peaks[-1] < 1.3 * peaks[1]
