"""`cds-service clients`, for operators."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.auth.registrations import load_clients
from cds_service.auth.replay import MemoryReplayStore
from cds_service.auth.tokens import TokenVerifier
from cds_service.auth.trial_keys import public_jwk
from cds_service.cli.main import main
from tests.support.tokens import P256, P384, RSA, jwk, key_set, published


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clients.yaml"


def clients(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["clients", *arguments], env={"CDS_CLIENTS_FILE": str(file)})


def add(file: Path, name: str, *arguments: str) -> Result:
    return clients(file, "add", name, "--issuer", f"https://{name}", *arguments)


FULL = (
    "--jwks-url https://a/jwks --algorithm ES256 --algorithm RS384 --tenant t1 --tenant t2 --service review "
    "--fhir-server https://a/fhir --private-fhir-server http://fhir.internal/r4 --token-seconds 900 --language vi"
).split()


def test_what_is_added_is_read_and_listed(file: Path) -> None:
    assert add(file, "a", *FULL).exit_code == 0
    (client,) = load_clients(file)
    assert (client.algorithms, client.tenants, client.services) == (("ES256", "RS384"), ("t1", "t2"), ("review",))
    assert [(each.url, each.private) for each in client.fhir_servers] == [
        ("https://a/fhir", False),
        ("http://fhir.internal/r4", True),
    ]
    listed = clients(file, "list").output
    assert (client.token_seconds, client.language) == (900, "vi")
    assert "language      vi" in listed
    for word in ("https://a/jwks", "ES256, RS384", "t1, t2", "http://fhir.internal/r4 (private)", "900 seconds"):
        assert word in listed
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    "text",
    [
        "# ours\nclients: # all of them\n- id: z   # the first\n  issuer: https://z\n  jwks_file: z.json\n# the end\n",
        "clients:\n    # one\n    - id: z\n      issuer: https://z\n      jwks_file: z.json\n\n\n",
        "clients:\n  - {id: z, issuer: https://z, jwks_file: z.json}",
        "clients: # none yet\n",
        "clients:\n",
    ],
)
def test_what_stands_in_the_file_stays_as_it_is(file: Path, text: str) -> None:
    file.write_text(text)
    before = [client.id for client in load_clients(file)]
    for name in ("a", "b"):
        assert add(file, name, "--jwks-file", "a.json").exit_code == 0
    assert [client.id for client in load_clients(file)] == [*before, "a", "b"]
    left = [line for line in text.splitlines() if line.strip()]
    assert [line for line in file.read_text().splitlines() if line in left and line.strip()] == left
    for name in ("a", "b"):
        assert clients(file, "remove", name).exit_code == 0
    assert file.read_text().rstrip() == text.rstrip()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ((), "expected `jwks_url` or `jwks_file`"),
        (("--jwks-url", "http://ehr.example.org"), "expected an https URL"),
        (("--jwks-file", "f", "--fhir-server", "http://ehr.example.org"), "expected an https URL"),
    ],
)
def test_what_could_not_be_read_is_not_written(file: Path, arguments: tuple[str, ...], fault: str) -> None:
    add(file, "first", "--jwks-file", "a.json")
    before = file.read_bytes()
    for result in (add(file, "second", *arguments), add(file, "first", "--jwks-file", "a.json")):
        assert result.exit_code == 2
        assert file.read_bytes() == before
        assert list(file.parent.iterdir()) == [file]
    assert fault in add(file, "second", *arguments).output


@pytest.mark.parametrize("seconds", ["9", "3601", "long"])
def test_a_lifetime_beyond_what_can_be_allowed_is_refused(file: Path, seconds: str) -> None:
    assert "--token-seconds" in add(file, "a", "--jwks-file", "a.json", "--token-seconds", seconds).output
    assert not file.exists()


def test_a_name_that_is_no_service_is_refused_with_those_that_are(file: Path) -> None:
    output = add(file, "a", "--jwks-file", "a.json", "--service", "contrast-echo-order").output
    assert "'contrast-echo-order-sign'" in output
    assert "'metrics'" in output
    assert not file.exists()


def test_a_key_file_alone_is_said_to_refuse_a_jku(file: Path, tmp_path: Path) -> None:
    """The CDS Hooks Sandbox, Inferno and Epic always send one."""
    (tmp_path / "a.json").write_bytes(key_set(jwk(P384, "k1")))
    hint = "tokens with a `jku` are refused"
    assert hint in add(file, "a", "--jwks-file", "a.json").output
    tested = clients(file, "test", "a")
    assert (tested.exit_code, hint in tested.output) == (0, True)
    assert "Epic's live 900 seconds (`token_seconds`)" in tested.output
    both = add(file, "b", "--jwks-file", "a.json", "--jwks-url", "https://b/jwks")
    assert (hint in both.output, hint in clients(file, "test", "b").output) == (False, False)


def test_a_key_file_that_is_not_there_is_said(file: Path, tmp_path: Path) -> None:
    hint = "keys.json: not there yet"
    assert hint in add(file, "a", "--jwks-file", "keys.json").output
    (tmp_path / "keys.json").write_bytes(key_set(jwk(P384, "k1")))
    assert hint not in add(file, "b", "--jwks-file", "keys.json").output


def test_an_unknown_client_is_named(file: Path) -> None:
    add(file, "a", "--jwks-file", "a.json")
    assert "registered are a" in clients(file, "remove", "b").output
    assert clients(file, "test", "b").exit_code == 2


def test_a_registration_is_tested(file: Path) -> None:
    with published(key_set(jwk(P384, "k1"), jwk(P256, "small"), jwk(RSA, "r1", alg="RS256"))) as keys:
        add(file, "a", "--jwks-url", keys.address)
        result = clients(file, "test", "a")
        assert result.exit_code == 0
        lines = result.output.splitlines()
        assert "3 public keys" in lines[0]
        assert lines[2].endswith("k1  EC P-384  ES384")
        assert "cannot be used" in lines[3]
        assert "cannot be used: the key is not published for RS384" in lines[4]
        keys.content = key_set(jwk(P256, "small"))
        assert "none of the keys can be used" in clients(file, "test", "a").output
        keys.status = 500
        result = clients(file, "test", "a")
        assert (result.exit_code, "responded with 500" in result.output) == (1, True)


def test_keys_and_tokens_for_trying_it_out(file: Path, tmp_path: Path) -> None:
    key, jwks = tmp_path / "key.pem", tmp_path / "jwks.json"
    make = ("key", "--key", str(key), "--jwks", str(jwks))
    assert clients(file, *make).exit_code == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "d" not in json.loads(jwks.read_text())["keys"][0]
    assert "File exists" in clients(file, *make).output, "a key is not overwritten"
    add(file, "a", "--jwks-file", "jwks.json", "--tenant", "t")
    arguments = ["--key", str(key), "--issuer", "https://a", "--audience", "https://cds/x", "--tenant", "t"]
    made = clients(file, "token", *arguments).output.strip()
    caller = TokenVerifier(load_clients(file), tmp_path, MemoryReplayStore()).verify(f"Bearer {made}", "https://cds/x")
    assert (caller.client, caller.tenant) == ("a", "t")


def test_a_thumbprint_is_that_of_the_standard() -> None:
    """The members in the order of RFC 7638, whatever else a key set says of the key."""
    assert len(str(public_jwk(P384)["kid"])) == 43
    assert public_jwk(RSA)["alg"] == "RS384"
