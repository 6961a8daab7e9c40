"""Faults of configuration: all at once, one line each, never a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cds_service.app import checked_settings
from cds_service.auth import trial_keys
from cds_service.cli.main import main
from cds_service.errors import SettingsError
from cds_service.settings import Settings, load_settings, variable
from tests.support.environment import is_setting
from tests.support.running import ROOT

HERE: dict[str, str | None] = dict.fromkeys(filter(is_setting, os.environ))


def faults(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    """The lines that `cds-service serve` would print for an environment."""
    for name in HERE:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    try:
        checked_settings()
    except SettingsError as error:
        return str(error).splitlines()
    return []


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, env=HERE | environment)


ODD = [
    "",
    " ",
    "-1",
    "0",
    "nan",
    "inf",
    "1e999",
    "9" * 5000,
    "true",
    "None",
    "a b",
    "é",
    "\udcff",
    "//",
    "http://[",
    "/",
]
ODD += [
    "http://u:p@h",
    "https://h?x",
    "https://h#",
    "http://h:port",
    "[]",
    "{}",
    ",",
    "sqlite:///x?a=b",
    "sqlite://h/x",
]
ODD += ["postgresql://h:99999999/d", "/dev/null", "no/such/file", "*", "\n"]


@pytest.mark.repeats(4)
@pytest.mark.parametrize("name", Settings.model_fields)
def test_odd_values_are_accepted_or_named_and_never_a_traceback(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    refused = 0
    for value in ODD:
        good = {"CDS_MODE": "development", "CDS_DATABASE_URL": "sqlite:///x.sqlite3"}
        lines = faults(monkeypatch, **(good | {variable(name): value}))
        assert "".join(lines).isprintable()
        if lines and not lines[0].startswith(("CDS_CLIENTS_FILE: required", "CDS_PUBLIC_BASE_URL: required")):
            assert any(line.startswith(f"{variable(name)}: ") for line in lines), (value, lines)
            assert len(value) < 4 or value not in "".join(lines) or name.endswith(("_file", "_key")), "it may be secret"
            refused += 1
        monkeypatch.undo()
    assert refused or name in {"clients_file", "pages_password"}, "development reads no file of clients"


@pytest.mark.parametrize(
    "value",
    [
        "https://user@cds.example.org",
        "https://cds.example.org?x=1",
        "https://cds.example.org/?",
        "https://cds.example.org#a",
        "ftp://cds.example.org",
        "https://",
        "https://cds.example.org:x",
        "https://cds example.org",
    ],
)
@pytest.mark.parametrize("name", ["CDS_PUBLIC_BASE_URL", "CDS_CANONICAL_BASE", "CDS_FHIR_SERVERS"])
def test_base_urls_have_no_user_query_or_fragment(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    (line,) = faults(monkeypatch, CDS_MODE="development", **{name: value})
    assert line.startswith(f"{name}: ")
    assert "without user, query or fragment" in line


@pytest.mark.parametrize(
    ("name", "near"),
    [("CDS_HOOK_NAMSPACE", "CDS_HOOK_NAMESPACE"), ("CDS_CLIENT_FILE", "CDS_CLIENTS_FILE"), ("CDS_XYZZY", "")],
)
def test_a_misspelt_name_is_told_with_the_nearest(monkeypatch: pytest.MonkeyPatch, name: str, near: str) -> None:
    monkeypatch.setenv(name, "zyzzyva")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    hint = f"did you mean {near}?" if near else "see `cds-service settings`"
    assert str(caught.value) == f"{name}: no such setting; {hint}"


def test_names_that_kubernetes_adds_for_a_service_called_cds_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CDS_SERVICE_HOST", "CDS_SERVICE_PORT", "CDS_SERVICE_PORT_HTTP", "CDS_PORT", "CDS_PORT_8000_TCP_ADDR"):
        monkeypatch.setenv(name, "x")
    load_settings()


def public(key: Any, **members: Any) -> dict[str, Any]:
    return trial_keys.public_jwk(key) | members


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose files have all kinds of faults."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key  # noqa: PLC0415

    short, good = generate_private_key(65537, 1024), trial_keys.new_key()
    keys = [public(short), public(good, d="secret"), public(good, x="!"), {"kty": "EC"}, 7, public(good, use="enc")]
    (tmp_path / "bad.json").write_text(json.dumps({"keys": keys}))
    (tmp_path / "none.json").write_text(json.dumps({"keys": [public(good)]}))
    (tmp_path / "text.json").write_text("[]")
    (tmp_path / "clients.yaml").write_text(
        """\
clients:
  - id: a
    issuer: https://a.example
    jwks_file: bad.json
  - id: b
    issuer: https://b.example
    jwks_file: none.json
    algorithms: ["RS384"]
  - id: c
    issuer: https://c.example
    jwks_file: missing.json
  - id: d
    issuer: https://d.example
    jwks_file: text.json
"""
    )
    (tmp_path / "more.yaml").write_text(
        """\
clients:
  - id: "not good"
    issuer: https://a.example
    jwks_url: http://a.example/jwks
    algorithms: ["HS256"]
  - id: b
    isuer: https://b.example
    tenants: 7
  - id: c
    issuer: https://a.example
    jwks_url: https://c.example/jwks
"""
    )
    (tmp_path / "site.yaml").write_text(
        """\
time_zone: Mars/Olympus
mapings: []
payers:
  - note: nobody
rules:
  switched_off: [no-rule, other]
"""
    )
    (tmp_path / "key.pem").write_text("no key")
    return tmp_path


def test_every_source_is_judged_at_once(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    lines = faults(
        monkeypatch,
        CDS_MAX_CALLS="0",
        CDS_MAX_CALS="1",
        CDS_PUBLIC_BASE_URL="https://u:p@cds.example.org",
        CDS_FHIR_SERVERS="https://good.example/fhir,nonsense",
        CDS_CLIENTS_FILE=str(folder / "clients.yaml"),
        CDS_SITE_FILE=str(folder / "site.yaml"),
        CDS_SANDBOX_KEY=str(folder / "key.pem"),
    )
    beginnings = [
        "CDS_MAX_CALS: no such setting; did you mean CDS_MAX_CALLS?",
        "CDS_PUBLIC_BASE_URL: ",
        "CDS_FHIR_SERVERS: ",
        "CDS_MAX_CALLS: ",
        "CDS_SITE_FILE: site.yaml: line 1: expected the IANA name",
        "CDS_SITE_FILE: site.yaml: line 2: unknown key `mapings`",
        "CDS_SITE_FILE: site.yaml: line 4: expected a payer",
        "CDS_SITE_FILE: site.yaml: line 6: unknown rule `no-rule`",
        "CDS_SITE_FILE: site.yaml: line 6: unknown rule `other`",
        "CDS_CLIENTS_FILE: client `a`: bad.json: key 1: the key has fewer than 2048 bits",
        "CDS_CLIENTS_FILE: client `a`: bad.json: key 2: a private key",
        "CDS_CLIENTS_FILE: client `a`: bad.json: key 3: the key cannot be parsed",
        "CDS_CLIENTS_FILE: client `a`: bad.json: key 4: expected `kid`",
        "CDS_CLIENTS_FILE: client `a`: bad.json: key 5: expected an object",
        "CDS_CLIENTS_FILE: client `b`: none.json: none of the keys can be used with RS384",
        "CDS_CLIENTS_FILE: client `c`: missing.json: No such file",
        "CDS_CLIENTS_FILE: client `d`: text.json: expected a JSON Web Key Set",
        "CDS_SANDBOX_KEY: ",
    ]
    missing = [each for each in beginnings if not any(line.startswith(each) for line in lines)]
    assert missing == [], lines
    assert lines
    extra = [line for line in lines if not line.startswith(tuple(beginnings))]
    assert extra == []
    assert "secret" not in "".join(lines).replace("no longer secret", "")


def test_every_fault_of_the_clients_file_is_told(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    lines = faults(
        monkeypatch,
        CDS_CLIENTS_FILE=str(folder / "more.yaml"),
        CDS_PUBLIC_BASE_URL="https://cds.example.org",
    )
    numbers = [int(line.removeprefix("CDS_CLIENTS_FILE: more.yaml: line ").partition(":")[0]) for line in lines]
    assert sorted(numbers) == [2, 4, 5, 7, 8], lines


@pytest.mark.parametrize("arguments", [("check", "x.json"), ("rules",), ("site", "suggest", "x.json"), ("serve",)])
def test_the_commands_print_a_line_each(arguments: tuple[str, ...]) -> None:
    result = run(*arguments, CDS_MAX_CALLS="0", CDS_MAX_CALS="1")
    assert result.exit_code == (1 if arguments == ("serve",) else 2)
    assert isinstance(result.exception, SystemExit)
    assert "CDS_MAX_CALLS: " in result.stderr
    assert "CDS_MAX_CALS: no such setting" in result.stderr


def test_a_process_of_its_own_prints_no_traceback(folder: Path) -> None:
    environment = {"PATH": "/usr/bin", "CDS_SITE_FILE": str(folder / "site.yaml"), "CDS_FHIR_SERVERS": "nonsense"}
    command = [sys.executable, "-W", "error", "-m", "cds_service", "serve"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "CDS_FHIR_SERVERS: " in result.stderr
    assert "CDS_SITE_FILE: site.yaml: line 1: " in result.stderr


@pytest.mark.parametrize(
    "name", ["CDS_TABLES_DIR", "cds_tables_dir", "Cds_Database_Url", "DATABASE_URL", "database_url"]
)
def test_no_setting_of_whoever_runs_the_tests_reaches_them(name: str) -> None:
    script = "import os, tests.conftest; print(*os.environ, sep='\\n')"
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PATH": "/usr/bin", name: "/nonexistent"},
        capture_output=True,
        check=True,
    )
    assert [each for each in result.stdout.decode().split() if is_setting(each)] == ["CDS_MODE"]
