"""Every check on tokens, keys and the registration file."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cds_service.auth.jwks import (
    COOL_DOWN_SECONDS,
    FRESH_SECONDS,
    STALE_SECONDS,
    KeySource,
    read_keys,
)
from cds_service.auth.registrations import Client, load_clients
from cds_service.auth.replay import MemoryReplayStore
from cds_service.auth.tokens import Principal, TokenVerifier, _token, issuer_digest, verifier_of
from cds_service.errors import KeysUnavailable, NotAllowed, NotTrusted, SettingsError
from cds_service.fhir.servers import AllowedServer
from cds_service.settings import Settings
from tests.conformance import verifies
from tests.support import tokens
from tests.support.running import eventually
from tests.support.tokens import (
    DISCOVERY,
    ISSUER,
    P256,
    P384,
    RSA,
    claims,
    jwk,
    key_set,
    published,
    raw_token,
    signed_content,
    signed_with_secret,
)

NOW = 1_800_000_000.0

CLIENT = Client(id="hospital", issuer=ISSUER, jwks_file="keys.json")

PREFETCH_KEYS = [
    jwk(P384, "k1"),
    jwk(RSA, "r1"),
    jwk(P256, "small"),
    jwk(P384, "for-256", alg="ES256"),
    jwk(P384, "for-encryption", use="enc"),
    jwk(P384, "for-signing", key_ops=["sign"]),
    jwk(P384, "private", d="AAAA"),
    {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
    {"kty": "EC", "crv": "P-384", "kid": "broken", "x": "AA", "y": "AA"},
    {"kty": "RSA", "kid": "tiny", "n": "wPwv", "e": "AQAB"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keys.json").write_bytes(key_set(*PREFETCH_KEYS))
    return tmp_path


@pytest.fixture
def guard(folder: Path) -> TokenVerifier:
    client = Client(id="hospital", issuer=ISSUER, jwks_file="keys.json", jwks_url=f"{ISSUER}/jwks")
    other = Client(id="other", issuer="https://other.example.org", jwks_file="none.json")
    return TokenVerifier([client, other], folder, MemoryReplayStore(), now=lambda: NOW)


def token(**changes: Any) -> str:
    return tokens.token(**({"iat": NOW, "exp": NOW + 60} | changes))


def admit(guard: TokenVerifier, bearer: str, endpoint: str = DISCOVERY) -> Principal:
    return guard.verify(f"Bearer {bearer}", endpoint)


def named(each: str | dict[str, Any]) -> str:
    """The name of a case: what its token claims."""
    return each if isinstance(each, str) else " ".join(each) or "as it is"


# --- tokens ---------------------------------------------------------------------------------------------------------


@verifies("k@199")
@pytest.mark.parametrize(
    "good",
    [
        {},
        {"key": RSA, "alg": "RS384", "header": {"kid": "r1"}},
        {"aud": ["https://elsewhere.example.org", DISCOVERY]},
        {"iat": int(NOW), "exp": int(NOW) + 300},
        {"iat": int(NOW), "exp": int(NOW) + 301},
        {"iat": NOW + 5},
        {"iat": NOW - 69, "exp": NOW - 9},
        {"jti": "j" * 500},
        {"header": {"jku": f"{ISSUER}/jwks"}},
        {"nbf": NOW - 1},
        {"sub": "someone", "unknown": {"nested": [1]}},
    ],
    ids=named,
)
def test_a_good_token_says_who_calls(guard: TokenVerifier, good: dict[str, Any]) -> None:
    assert admit(guard, token(**good)).client == "hospital"


BAD: dict[str, list[dict[str, Any]]] = {
    "`aud`": [
        {"aud": "https://cds.example.org/echo"},
        {"aud": f"{DISCOVERY}/contrast-echo-order-sign"},
        {"aud": f"{DISCOVERY}/"},
        {"aud": DISCOVERY.upper()},
        {"aud": "http" + DISCOVERY.removeprefix("https")},
        {"aud": [f"{DISCOVERY}/feedback", "https://elsewhere.example.org"]},
        {"aud": []},
        {"aud": ""},
    ],
    "`exp`: the token has expired": [{"iat": NOW - 60, "exp": NOW - 10}, {"exp": 0, "iat": 0}],
    "not yet valid": [{"iat": NOW + 11, "exp": NOW + 60}, {"nbf": NOW + 11}],
    "lifetime of 302 seconds exceeds 300; if this client's tokens live that long, set `token_seconds: 302`": [
        {"exp": NOW + 302},
        {"iat": NOW - 250, "exp": NOW + 52},
        {"exp": NOW + 301.5},
    ],
    "lifetime exceeds 3600 seconds": [{"exp": NOW + 3602}, {"iat": -1e300}],
    "`iss`": [{"iss": "https://stranger.example.org"}, {"iss": f"{ISSUER}/"}],
    "missing required field `jti`": [{"jti": None}],
    "missing required field `exp`": [{"exp": None}],
    "missing required field `iat`": [{"iat": None}],
    "missing required field `iss`": [{"iss": None}],
    "missing required field `aud`": [{"aud": None}],
    "the token's claims: Expected": [
        {"exp": str(int(NOW) + 60)},
        {"exp": True},
        {"jti": 7},
        {"jti": ""},
        {"jti": "x" * 501},
        {"aud": {}},
        {"tenant": ["a"]},
    ],
    "missing required field `kid`": [{"header": {"kid": None}}],
    "missing required field `typ`": [{"header": {"typ": None}}],
    "`typ`": [{"header": {"typ": "at+jwt"}}],
    "`kid`": [{"header": {"kid": "unknown"}}, {"header": {"kid": "private"}}],
    "`jku`": [{"header": {"jku": "https://thief.example.org/jwks"}}, {"header": {"jku": f"{ISSUER}/jwks/"}}],
    "`alg`": [
        {"key": P256, "alg": "ES256", "header": {"kid": "small"}},
        {"key": RSA, "alg": "RS256", "header": {"kid": "r1"}},
        {"key": RSA, "alg": "PS384", "header": {"kid": "r1"}},
    ],
    "the key type does not match": [
        {"key": RSA, "alg": "RS384", "header": {"kid": "k1"}},
        {"header": {"kid": "r1"}},
        {"header": {"kid": "small"}},
        {"header": {"kid": "shared"}},
    ],
    "not published for": [{"header": {"kid": kid}} for kid in ("for-256", "for-encryption", "for-signing")],
    "the key cannot be parsed": [{"header": {"kid": "broken"}}],
    "fewer than 2048 bits": [{"key": RSA, "alg": "RS384", "header": {"kid": "tiny"}}],
    "invalid signature": [
        {"key": RSA, "alg": "RS384", "header": {"kid": "r1", "crit": ["exp"], "exp": 1}},
    ],
}


@verifies("k@181", "k@187", "k@195")
@pytest.mark.parametrize(
    ("bad", "reason"),
    [(bad, reason) for reason, many in BAD.items() for bad in many],
    ids=named,
)
def test_a_bad_token_is_refused_for_its_fault(guard: TokenVerifier, bad: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotTrusted) as refused:
        admit(guard, token(**bad))
    assert reason in refused.value.message


@verifies("k@201")
def test_none_is_no_algorithm(guard: TokenVerifier) -> None:
    head = json.dumps({"alg": "none", "typ": "JWT", "kid": "k1"}).encode()
    unsigned = raw_token(head, json.dumps(claims()).encode())
    for bearer in (unsigned, unsigned.rsplit(".", 1)[0] + ".", unsigned.rsplit(".", 1)[0]):
        with pytest.raises(NotTrusted):
            admit(guard, bearer)


@verifies("k@203")
@pytest.mark.parametrize("kid", ["k1", "r1", "shared"])
@pytest.mark.parametrize("alg", ["HS256", "ES384", "RS384"])
def test_a_public_key_is_no_shared_secret(guard: TokenVerifier, kid: str, alg: str) -> None:
    pem = P384.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip(), b"secret", json.dumps(PREFETCH_KEYS[0]).encode()):
        with pytest.raises(NotTrusted):
            admit(guard, signed_with_secret(secret, kid, alg))


@verifies("k@203")
def test_a_shared_secret_is_refused_even_where_a_registration_would_allow_it(folder: Path) -> None:
    client = Client(id="hospital", issuer=ISSUER, jwks_file="keys.json", algorithms=("HS256",))
    with pytest.raises(NotTrusted, match="does not match HS256"):
        admit(TokenVerifier([client], folder, MemoryReplayStore()), signed_with_secret(b"secret", "shared"))


def test_another_clients_key_signs_for_nobody_else(guard: TokenVerifier, folder: Path) -> None:
    (folder / "none.json").write_bytes(key_set(jwk(P256, "o1"), jwk(RSA, "k1")))
    with pytest.raises(NotTrusted):
        admit(guard, token(iss="https://other.example.org"))


@pytest.mark.parametrize("name", ["iss", "aud", "jti", "ext"])
@pytest.mark.parametrize("escaped", [False, True])
def test_a_token_says_each_thing_once(guard: TokenVerifier, name: str, escaped: bool) -> None:
    """Of two members of one name, one reader takes the first and another the last."""
    content = json.dumps(claims(iat=NOW, exp=NOW + 60) | {"ext": 1})
    again = f"\\u{ord(name[0]):04x}{name[1:]}" if escaped else name
    with pytest.raises(NotTrusted, match="claims: not well-formed"):
        admit(
            guard,
            signed_content(f'{content[:-1]}, "{again}": "x"}}'.replace('"aud": "x"', f'"aud": "{DISCOVERY}"').encode()),
        )
    nested = content[:-1] + ', "deep": [{"a": 1, "a": 2}]}'
    with pytest.raises(NotTrusted, match="claims: not well-formed"):
        admit(guard, signed_content(nested.encode()))
    head = b'{"alg":"ES384","alg":"ES384","typ":"JWT","kid":"k1"}'
    with pytest.raises(NotTrusted, match="header: not well-formed"):
        admit(guard, raw_token(head, json.dumps(claims(iat=NOW, exp=NOW + 60)).encode()))


def test_a_client_may_have_a_lifetime_of_its_own(folder: Path) -> None:
    """Epic's tokens live 900 seconds."""
    many = [
        Client(id=i, issuer=f"https://{i}", jwks_file="keys.json", token_seconds=seconds)
        for i, seconds in (("epic", 900), ("strict", 60))
    ]
    guard = TokenVerifier(many, folder, MemoryReplayStore(), now=lambda: NOW)
    assert admit(guard, token(iss="https://epic", exp=NOW + 900)).client == "epic"
    for issuer, seconds in (("epic", 902), ("strict", 62)):
        with pytest.raises(NotTrusted, match=f"set `token_seconds: {seconds}` in its registration"):
            admit(guard, token(iss=f"https://{issuer}", exp=NOW + seconds))


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        (
            {"algorithms": ("ES256",)},
            {"key": P256, "alg": "ES256", "header": {"kid": "small"}, "exp": NOW + 300, "sub": "48163c5e"},
        ),
        ({}, {"exp": NOW + 301, "jti": "f" * 64}),
        (
            {"algorithms": ("RS384",), "token_seconds": 900},
            {"key": RSA, "alg": "RS384", "header": {"kid": "r1"}, "nbf": NOW - 300, "exp": NOW + 900, "sub": "c"},
        ),
    ],
    ids=["sandbox", "inferno", "epic"],
)
def test_tokens_as_clients_send_them(folder: Path, settings: dict[str, Any], sent: dict[str, Any]) -> None:
    """Registered as `deploy/clients.md` says; each names the address of its keys in `jku`."""
    client = Client(id="a", issuer=ISSUER, jwks_url=f"{ISSUER}/jwks", jwks_file="keys.json", **settings)
    guard = TokenVerifier([client], folder, MemoryReplayStore(), now=lambda: NOW)
    header = {"jku": f"{ISSUER}/jwks"} | sent.get("header", {})
    assert admit(guard, token(**(sent | {"header": header}))).client == "a"


@pytest.mark.parametrize("leeway", [0, 10, 60])
def test_clocks_may_differ_by_the_leeway(folder: Path, leeway: int) -> None:
    client = Client(id="hospital", issuer=ISSUER, jwks_file="keys.json")
    guard = TokenVerifier([client], folder, MemoryReplayStore(), leeway=leeway, now=lambda: NOW)
    for change in ({"iat": NOW + leeway}, {"nbf": NOW + leeway}, {"iat": NOW - 99, "exp": NOW - leeway + 1}):
        assert admit(guard, token(**change)).client == "hospital"
    for change in ({"iat": NOW + leeway + 1}, {"nbf": NOW + leeway + 1}, {"iat": NOW - 99, "exp": NOW - leeway}):
        with pytest.raises(NotTrusted, match=r"not yet valid|expired"):
            admit(guard, token(**change))


def test_a_client_with_a_file_alone_is_told_how_to_register_its_jku(folder: Path) -> None:
    """The CDS Hooks Sandbox, Inferno and Epic always send a `jku`."""
    client = Client(id="hospital", issuer=ISSUER, jwks_file="keys.json")
    guard = TokenVerifier([client], folder, MemoryReplayStore(), now=lambda: NOW)
    with pytest.raises(NotTrusted, match="`jku`: this client is registered with `jwks_file` alone; add the `jwks_url`"):
        admit(guard, token(header={"jku": f"{ISSUER}/jwks"}))
    assert admit(guard, token()).client == "hospital"


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_token_is_refused(guard: TokenVerifier, part: int) -> None:
    parts, others = token().split("."), token(tenant="t", header={"kid": "k1", "x": "y"}).split(".")
    parts[part] = others[part]
    with pytest.raises(NotTrusted):
        admit(guard, ".".join(parts))


@pytest.mark.parametrize("head", [b"{}", b"[]", b"null", b"\xff", b"[" * 3000, b'{"alg":5,"typ":"JWT","kid":"k1"}'])
@pytest.mark.parametrize(
    "content", [b"{}", b"\xff", b"[" * 3000, b'{"iss":1e999}', b'{"exp":Infinity}', json.dumps(claims()).encode()]
)
def test_what_is_no_token_is_refused_without_a_defect(guard: TokenVerifier, head: bytes, content: bytes) -> None:
    with pytest.raises(NotTrusted):
        admit(guard, raw_token(head, content))


def test_a_deep_header_is_no_defect(guard: TokenVerifier) -> None:
    """Two readers see a header, ours and the library's: some depth is too much for the one and not for the other."""
    for levels in range(700, 1100, 2):
        head = b'{"alg":"ES384","typ":"JWT","kid":"k1","x":' + b"[" * levels + b"]" * levels + b"}"
        with pytest.raises(NotTrusted):
            admit(guard, raw_token(head, json.dumps(claims()).encode()))


@pytest.mark.parametrize("number", ["Infinity", "NaN", "-Infinity", "1e999", "1" + "0" * 400])
def test_times_are_finite(guard: TokenVerifier, number: str) -> None:
    for name in ("exp", "iat", "nbf"):
        content = json.dumps(claims(iat=NOW, exp=NOW + 60) | {name: "HERE"}).replace('"HERE"', number)
        with pytest.raises(NotTrusted, match="claims"):
            admit(guard, signed_content(content.encode()))


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "bearer a.b", "Bearer a.b.c.d"])
def test_no_token_is_refused(guard: TokenVerifier, header: str | None) -> None:
    with pytest.raises(NotTrusted):
        guard.verify(header, DISCOVERY)


def test_a_token_that_is_too_long_is_refused(guard: TokenVerifier) -> None:
    with pytest.raises(NotTrusted, match="not a signed JWT"):
        admit(guard, token(padding="x" * 9000))


def test_a_token_is_taken_once(guard: TokenVerifier) -> None:
    bearer = token()
    admit(guard, bearer)
    with pytest.raises(NotTrusted, match="used before") as refused:
        admit(guard, bearer)
    assert refused.value.named == {"claimed_client": "hospital"}


class Kept(MemoryReplayStore):
    """A store that tells until when it was asked to keep a token."""

    until = 0.0

    def record_use(self, issuer: str, jti: str, ends_at: float) -> bool:
        self.until = ends_at
        return super().record_use(issuer, jti, ends_at)


def test_a_used_token_is_kept_for_as_long_as_it_would_be_accepted(folder: Path) -> None:
    store = Kept()
    guard = TokenVerifier([CLIENT], folder, store, leeway=10, now=lambda: NOW)
    admit(guard, token(exp=NOW + 60))
    assert store.until == NOW + 70


def test_the_keys_of_an_address_are_fetched_before_the_first_call(folder: Path) -> None:
    with published(key_set(jwk(P384, "k1"))) as keys:
        guard = TokenVerifier(
            [Client(id="hospital", issuer=ISSUER, jwks_url=keys.address)], folder, MemoryReplayStore()
        )
        guard.fetch_keys()
        eventually(lambda: keys.asked == 1)
        assert admit(guard, tokens.token()).client == "hospital"
        assert keys.asked == 1


@pytest.mark.parametrize(("seconds", "fault"), [
    (3600, "set `token_seconds: 3600` in its registration"),
    (3601, "set `token_seconds: 3600` in its registration"),
    (3601.5, "exceeds 3600 seconds, the most that can be allowed"),
])  # fmt: skip
def test_a_lifetime_that_a_registration_may_allow_is_told_from_a_longer_one(
    guard: TokenVerifier, seconds: float, fault: str
) -> None:
    with pytest.raises(NotTrusted, match=fault):
        admit(guard, token(exp=NOW + seconds))


def test_a_token_that_is_refused_is_not_used_up(guard: TokenVerifier) -> None:
    bearer = token()
    with pytest.raises(NotTrusted):
        admit(guard, bearer, f"{DISCOVERY}/other")
    assert admit(guard, bearer)


def test_two_issuers_may_use_one_id(folder: Path) -> None:
    many = [Client(id=i, issuer=f"https://{i}", jwks_file="keys.json") for i in ("a", "b")]
    guard = TokenVerifier(many, folder, MemoryReplayStore(), now=lambda: NOW)
    assert [admit(guard, token(iss=f"https://{i}", jti="1")).client for i in ("a", "b")] == ["a", "b"]


# --- what a client may ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tenants", "tenant", "allowed"),
    [((), None, True), ((), "a", False), (("a",), "a", True), (("a",), "b", False), (("a",), None, False)],
)
def test_tenants(tenants: tuple[str, ...], tenant: str | None, allowed: bool) -> None:
    caller = Principal("c", tenant, Client(id="c", issuer="i", tenants=tenants))
    if allowed:
        caller.require_access(None)
    else:
        with pytest.raises(NotAllowed):
            caller.require_access(None)


@pytest.mark.parametrize(
    ("services", "name", "allowed"),
    [
        (None, "s", True), (("s",), "s", True), (("t",), "s", False), ((), "s", False),
        (None, "review", True), (("s",), "review", False), (("review",), "review", True), (("review",), "s", False),
        (None, "reference", True), (("s",), "reference", False), (("reference",), "reference", True),
        (None, "metrics", False), (("s",), "metrics", False), (("metrics",), "metrics", True),
        (None, "insights", False), (("metrics",), "insights", False), (("insights",), "insights", True),
        (None, "sandbox", False), (("sandbox",), "sandbox", True),
    ],
)  # fmt: skip
def test_services(services: tuple[str, ...] | None, name: str, allowed: bool) -> None:
    caller = Principal("c", None, Client(id="c", issuer="i", services=services))
    caller.require_access(None)
    if allowed:
        caller.require_access(name)
    else:
        with pytest.raises(NotAllowed, match="`services`"):
            caller.require_access(name)


# --- keys -----------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_keys_are_fetched_once_and_again_when_they_are_old() -> None:
    clock = Clock()
    with published(key_set(jwk(P384, "k1"))) as keys:
        source = KeySource(keys.address, clock)
        assert source.key("k1")
        assert source.key("k1")
        assert keys.asked == 1
        clock.now += FRESH_SECONDS
        assert source.key("k1")
        eventually(lambda: keys.asked == 2)


def test_a_new_key_is_found_at_once_and_strangers_do_not_make_us_ask_again() -> None:
    clock = Clock()
    with published(key_set(jwk(P384, "k1"))) as keys:
        source = KeySource(keys.address, clock)
        assert source.key("k1")
        keys.content = key_set(jwk(P256, "k2"))
        assert source.key("k2")
        assert keys.asked == 2
        assert source.key("k1") is None, "a key that is no longer published is no longer taken"
        for _ in range(20):
            assert source.key("stranger") is None
        assert keys.asked == 2
        clock.now += COOL_DOWN_SECONDS
        assert source.key("stranger") is None
        assert keys.asked == 3


def test_known_keys_serve_on_for_a_day_while_the_address_is_down() -> None:
    clock = Clock()
    with published(key_set(jwk(P384, "k1"))) as keys:
        source = KeySource(keys.address, clock)
        assert source.key("k1")
        keys.status = 503
        clock.now += FRESH_SECONDS
        assert source.key("k1")
        eventually(lambda: source.refresh() is None)
        assert source.key("k1")
        assert keys.asked == 2, "an address that is down is left alone for a while"
    clock.now += STALE_SECONDS - FRESH_SECONDS - 1
    assert source.key("k1")
    clock.now += 1
    with pytest.raises(KeysUnavailable):
        source.key("k1")


@pytest.mark.parametrize(
    ("status", "headers", "content"),
    [
        (302, {"Location": "/jwks"}, key_set(jwk(P384, "k1"))),
        (404, {}, key_set(jwk(P384, "k1"))),
        (200, {}, b"<html>"),
        (200, {}, b'{"keys": 5}'),
        (200, {}, b"[" * 10_000),
        (200, {"Content-Encoding": "gzip"}, b"no gzip"),
        (200, {}, b'{"keys": [], "x": "' + b" " * 300_000 + b'"}'),
    ],
)
def test_what_is_no_key_set_is_not_taken(status: int, headers: dict[str, str], content: bytes) -> None:
    with published(content) as keys:
        keys.status, keys.headers = status, headers
        with pytest.raises(KeysUnavailable):
            KeySource(keys.address).load()


def test_a_redirect_is_not_followed() -> None:
    with published(key_set(jwk(P384, "k1"))) as elsewhere, published(b"") as keys:
        keys.status, keys.headers = 302, {"Location": elsewhere.address}
        with pytest.raises(KeysUnavailable, match="responded with 302"):
            KeySource(keys.address).load()
        assert elsewhere.asked == 0


def test_the_surroundings_of_the_machine_do_not_lead_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with published(key_set(jwk(P384, "k1"))) as keys:
        assert KeySource(keys.address).load()


def test_private_keys_and_keys_without_an_id_are_left_out() -> None:
    nameless = {name: value for name, value in jwk(P384, "x").items() if name != "kid"}
    assert set(read_keys(key_set(nameless, *PREFETCH_KEYS))) == {each["kid"] for each in PREFETCH_KEYS} - {"private"}


# --- the registration file ------------------------------------------------------------------------------------------

GOOD = """\
clients:
  - id: hospital
    issuer: https://ehr.example.org
    jwks_url: https://ehr.example.org/jwks
    algorithms: ["ES384"]
    tenants: [main]
    services: [known]
    fhir_servers:
      - url: https://ehr.example.org/fhir
      - url: http://fhir.internal/r4
        private: true
"""


def load(tmp_path: Path, text: str) -> tuple[Client, ...]:
    path = tmp_path / "clients.yaml"
    path.write_text(text)
    return load_clients(path, ["known"])


def test_a_registration(tmp_path: Path) -> None:
    (client,) = load(tmp_path, GOOD)
    (other,) = load(tmp_path, GOOD.replace("[known]", "[known, review, metrics]\n    token_seconds: 900"))
    assert (other.services, other.token_seconds) == (("known", "review", "metrics"), 900)
    (spanish,) = load(tmp_path, GOOD.replace("[known]", "[known]\n    language: es-MX"))
    assert (spanish.language, client.language) == ("es-MX", None)
    assert (client.id, client.algorithms, client.services) == ("hospital", ("ES384",), ("known",))
    assert client.allowed_servers.find("http://fhir.internal/r4/") == AllowedServer("http://fhir.internal/r4", True)
    assert client.allowed_servers.find("https://ehr.example.org/fhir/more") is None


@pytest.mark.parametrize(
    ("written", "instead", "fault"),
    [
        ("id: hospital", "name: hospital", "line 2: unknown key `name`"),
        ("    issuer: https://ehr.example.org\n", "", "line 2: `issuer` is required"),
        ("    jwks_url: https://ehr.example.org/jwks\n", "", "line 2: expected `jwks_url` or `jwks_file`"),
        ("jwks_url: https:", "jwks_url: http:", "line 4: expected an https URL"),
        ('["ES384"]', "[none]", "line 5: expected one of ES384, RS384"),
        ('["ES384"]', '["HS256"]', "line 5: expected one of ES384, RS384"),
        ('["ES384"]', "[]", "line 5: expected one or more of ES384, RS384"),
        ("[known]", "[knwon]", "line 7: expected one of known, review, reference, metrics, insights, sandbox"),
        ("[known]", "[known]\n    token_seconds: 3601", "line 8: expected 10 to 3600 seconds"),
        ("[known]", "[known]\n    token_seconds: 9", "line 8: expected 10 to 3600 seconds"),
        ("[known]", "[known]\n    token_seconds: long", "line 8: `token_seconds`: expected a whole number"),
        ("[known]", "[known]\n    language: xx", "line 8: expected one of en, es, zh-Hans, ru, ar, vi, fr, de, ko, tl"),
        ("[known]", "[known]\n    language: [es]", "line 8: `language`: expected a text"),
        ("[main]", "main", "line 6: `tenants`: expected a list, got a text"),
        ("private: true", "private: yes", "line 11: put `yes` in quotes"),
        ("        private: true\n", "", "line 10: expected an https URL, since access tokens are sent there"),
        ("https://ehr.example.org/fhir", "ehr.example.org/fhir", "line 9: expected `url` to be a base URL"),
        ("https://ehr.example.org/fhir", "https://u:p@ehr.example.org", "line 9: expected `url` to be a base URL"),
        ("https://ehr.example.org/fhir", "https://ehr.example.org:x/f", "line 9: expected `url` to be a base URL"),
        ("id: hospital", 'id: "a b"', "line 2: expected `id` to have only letters"),
        ("id: hospital", "id: hospital\n    id: other", "line 3: duplicate key `id`"),
        ("    tenants", "  - id: hospital\n    issuer: i\n    jwks_file: f\n    tenants", "line 6: another client"),
        ("    tenants", "  - id: b\n    issuer: https://ehr.example.org\n    jwks_file: f\n    tenants", "line 7"),
    ],
)  # fmt: skip
def test_a_fault_of_the_file_is_named_with_its_line(tmp_path: Path, written: str, instead: str, fault: str) -> None:
    assert written in GOOD
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, GOOD.replace(written, instead, 1))
    assert f"clients.yaml: {fault}" in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: No such file"):
        load_clients(tmp_path / "none.yaml")


def test_a_token_of_the_most_characters_is_read_and_a_longer_one_is_not() -> None:
    longest = f"h.c.{'s' * (8192 - 4)}"
    assert _token(f"Bearer {longest}")["token"] == longest
    with pytest.raises(NotTrusted, match="not a signed JWT"):
        _token(f"Bearer {longest}s")


# --- from the settings ----------------------------------------------------------------------------------------------


def test_an_issuer_is_named_in_the_log_by_eight_digits() -> None:
    assert issuer_digest("https://ehr.example.org") == "2756d28c"


def test_in_development_nobody_is_asked_for_a_token() -> None:
    assert verifier_of(Settings(mode="development"), ()) is None


@pytest.mark.parametrize(
    ("has_clients", "address", "missing"),
    [
        (False, None, ["CDS_CLIENTS_FILE", "CDS_PUBLIC_BASE_URL"]),
        (False, "https://cds.example.org", ["CDS_CLIENTS_FILE"]),
        (True, None, ["CDS_PUBLIC_BASE_URL"]),
        (True, "http://cds.example.org", ["CDS_PUBLIC_BASE_URL"]),
    ],
)
def test_in_production_each_missing_setting_is_named(
    tmp_path: Path, has_clients: bool, address: str | None, missing: list[str]
) -> None:
    file = with_one_client(tmp_path) if has_clients else None
    settings = Settings(mode="production", clients_file=file, public_base_url=address)
    with pytest.raises(SettingsError) as raised:
        verifier_of(settings, ())
    assert [line.partition(":")[0] for line in str(raised.value).splitlines()] == missing


def test_in_production_a_registered_client_is_known(folder: Path) -> None:
    settings = Settings(
        mode="production",
        clients_file=with_one_client(folder),
        public_base_url="https://cds.example.org",
        database_url=f"sqlite:///{folder}/store.sqlite3",
    )
    guard = verifier_of(settings, ())
    assert guard
    now = time.time()
    assert admit(guard, token(iat=now, exp=now + 60)).client == "hospital"


def test_in_production_some_client_is_registered(tmp_path: Path) -> None:
    (tmp_path / "clients.yaml").write_text("clients: []\n")
    settings = Settings(
        mode="production", clients_file=tmp_path / "clients.yaml", public_base_url="https://cds.example.org"
    )
    with pytest.raises(SettingsError, match=r"clients\.yaml: no client is registered"):
        verifier_of(settings, ())


def with_one_client(folder: Path) -> Path:
    """A file with one registration, whose keys are beside it."""
    file = folder / "clients.yaml"
    file.write_text(f"clients:\n  - id: hospital\n    issuer: {ISSUER}\n    jwks_file: keys.json\n")
    return file
